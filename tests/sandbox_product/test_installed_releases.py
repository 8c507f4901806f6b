"""Every release from 1.5 on can be installed, exports its cmdlets, takes its schema and deploys its Kubernetes version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.aksedge import load_catalog
from akslite_ps.aksedge.releases import DISTRIBUTIONS, RELEASES, Release
from akslite_ps.aksedge.versions import compare
from akslite_ps.sandbox.commands import commands_for
from akslite_ps.sandbox.commands.aksedge import commands
from akslite_ps.sandbox.device.installer import Package, find_package, installers_of

if TYPE_CHECKING:
    from conftest import Bench

Install = Callable[..., Awaitable[None]]
Deploy = Callable[..., Awaitable[str]]
SINCE_1_5 = [release for release in RELEASES if compare(release.product, "1.5") >= 0]
PACKAGES = [
    pytest.param(f"AksEdge-{distribution}-{version}-{release.product}.msi", id=f"{distribution}-{version}-{release.product}")
    for release in SINCE_1_5
    for distribution in DISTRIBUTIONS
    for version in installers_of(release, distribution)
]


def test_every_release_has_installers_of_both_distributions() -> None:
    assert [release.product for release in SINCE_1_5] == [
        "1.5.203.0",
        "1.6.384.0",
        "1.7.639.0",
        "1.8.202.0",
        "1.9.262.0",
        "1.10.868.0",
        "1.11.230.0",
        "1.11.247.0",
        "1.12.269.0",
    ]
    for release in SINCE_1_5:
        for distribution in DISTRIBUTIONS:
            assert installers_of(release, distribution)


@pytest.mark.parametrize("name", PACKAGES)
def test_an_installer_is_found_by_its_name(name: str) -> None:
    package = find_package(f"https://downloads.example/{name}")

    assert package is not None
    assert package.file_name == name


@pytest.mark.parametrize(
    "name",
    [
        "AksEdge-K3s-1.30.6-1.11.230.0.msi",
        "AksEdge-K8s-1.29.9-1.10.868.0.msi",
        "AksEdge-K3s-1.33.5-1.9.262.0.msi",
        "AksEdge-K3s-1.33.5-1.13.1.0.msi",
    ],
)
def test_what_a_release_does_not_ship_is_not_found(name: str) -> None:
    assert find_package(name) is None


def test_a_short_link_leads_to_the_newest_installer_of_its_line() -> None:
    assert find_package("https://aka.ms/aks-edge/k3s-msi-1.30") == Package(
        "AksEdge-K3s-1.30.6-1.10.868.0.msi", "K3s", "1.30.6", "1.10.868.0"
    )


def test_every_current_cmdlet_has_behaviour() -> None:
    newest = {command.name for command in commands(RELEASES[-1].product)}

    assert newest == {spec.name for spec in load_catalog().current}


@pytest.mark.parametrize(("product", "has_repair"), [("1.9.262.0", False), ("1.10.868.0", True), ("1.12.269.0", True)])
async def test_a_release_exports_the_cmdlets_it_has(bench: Bench, product: str, *, has_repair: bool) -> None:
    release = next(release for release in RELEASES if release.product == product)
    await bench.one("Install-AksLiteMsi", Source=f"C:\\{_installer(release)}")
    table = commands_for(bench.device.state.product)

    assert (table.find("Repair-AksEdgeKms") is not None) is has_repair
    for gone in ("Set-AksEdgeArcConnection", "Export-AksEdgeWorkerNodeConfig", "New-AksEdgeDeploymentConfig"):
        assert table.find(gone) is None
    assert table.find("AksEdge\\New-AksEdgeDeployment") is not None


@pytest.mark.parametrize("release", SINCE_1_5, ids=lambda release: release.product)
async def test_a_release_deploys_its_kubernetes_with_its_schema(
    bench: Bench, with_release: Install, deploy_schema: Deploy, release: Release
) -> None:
    installer = _installer(release)
    await with_release(bench, installer)

    assert await deploy_schema(bench, release.schema) == "OK"
    cluster = bench.device.cluster.cluster
    assert cluster is not None
    assert cluster.state.facts.version == f"v{installer.split('-')[2]}+k3s1"
    nodes = [node["status"]["nodeInfo"]["kubeletVersion"] for node in cluster.state.store.objects("nodes")]
    assert nodes == [cluster.state.facts.version]


@pytest.mark.parametrize(
    ("installer", "schema"),
    [
        ("AksEdge-K3s-1.26.6-1.5.203.0.msi", "1.14"),
        ("AksEdge-K3s-1.30.6-1.10.868.0.msi", "1.16"),
        ("AksEdge-K3s-1.33.5-1.12.269.0.msi", "1.17"),
    ],
)
async def test_a_schema_newer_than_the_release_is_refused(bench: Bench, with_release: Install, installer: str, schema: str) -> None:
    await with_release(bench, installer)

    assert "SchemaVersion" in await bench.deploy(SchemaVersion=schema)
    assert bench.device.state.deployment is None


async def test_k8s_runs_its_control_plane_in_pods(bench: Bench, with_release: Install) -> None:
    await with_release(bench, "AksEdge-K8s-1.31.5-1.11.247.0.msi")

    assert await bench.deploy(Network__NetworkPlugin="calico") == "OK"
    cluster = bench.device.cluster.cluster
    assert cluster is not None
    images = _images(cluster)
    assert any(image.endswith("/kube-apiserver:v1.31.5") for image in images)


def _images(cluster: Any) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in cluster.state.store.objects("pods", "kube-system")]


def _installer(release: Release) -> str:
    return f"AksEdge-K3s-{installers_of(release, 'K3s')[-1]}-{release.product}.msi"
