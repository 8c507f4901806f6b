from __future__ import annotations

import pytest

from akslite_ps.aksedge import releases
from akslite_ps.aksedge.versions import compare, version_key
from akslite_ps.errors import UsageError


def test_versions_are_compared_as_versions_not_as_numbers() -> None:
    assert compare("1.10", "1.9") == 1
    assert compare("1.9", "1.10") == -1
    assert compare("1.11", "1.11.0.0") == 0
    assert sorted(["1.16", "1.5", "1.10", "1.9"], key=version_key) == ["1.5", "1.9", "1.10", "1.16"]


@pytest.mark.parametrize("text", ["", "1.", "one", "1.2.3.4.5", "1,2", " 1.2", "1.2\n", "-1", "١.٢"])
def test_what_is_no_version_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="is no version"):
        compare(text, "1.0")


def test_the_table_is_in_order_and_names_each_release_once() -> None:
    products = [release.product for release in releases.RELEASES]
    assert products == sorted(set(products), key=version_key)
    assert releases.latest().product == "1.12.269.0"
    assert releases.latest().schema == releases.LATEST_SCHEMA


def test_what_no_source_tells_stays_unknown() -> None:
    newest = releases.latest()
    assert newest.kubernetes("K3s") == ("1.33.5",)
    assert newest.kubernetes("K8s") is None


def test_a_release_is_found_by_its_build_whatever_the_revision() -> None:
    found = releases.find_release("1.11.247")
    assert found is not None
    assert found.schema == "1.16"
    assert releases.find_release("1.11.999.0") is None


@pytest.mark.parametrize(
    ("version", "schema"),
    [
        ("1.12.269.0", "1.16"),
        ("1.11.230.0", "1.15"),
        ("1.11.240.0", "1.15"),
        ("1.4.109.0", "1.9"),
        ("1.13.1.0", None),
        ("0.1.0.0", None),
    ],
)
def test_the_schema_of_a_product_is_that_of_the_newest_release_not_after_it(version: str, schema: str | None) -> None:
    assert releases.schema_for(version) == schema


def test_updates_take_every_release_in_order() -> None:
    following = releases.next_release("1.10.868.0")
    assert following is not None
    assert following.product == "1.11.230.0"
    assert releases.next_release("1.12.269.0") is None


def test_an_installer_name_tells_distribution_and_versions() -> None:
    name = releases.parse_msi_name("https://host/path/AksEdge-K3s-1.33.5-1.12.269.0.msi?x=1")
    assert (name.distribution, name.kubernetes, name.product) == ("K3s", "1.33.5", "1.12.269.0")
    assert name.product_name == "AKS Edge Essentials - K3s"
    assert releases.parse_msi_name(r"C:\temp\aksedge-k8s-1.28.3-1.7.639.0.MSI").distribution == "K8s"
    assert releases.parse_msi_name("AksEdge-K3s-1.30.6.msi").product is None


@pytest.mark.parametrize("name", ["k3s-msi", "AksEdge.msi", "", "AksEdge-K3s-1.33.5-1.12.269.0.msi.exe"])
def test_another_name_is_not_guessed_at(name: str) -> None:
    with pytest.raises(UsageError, match="does not look like"):
        releases.parse_msi_name(name)


def test_names_and_links_of_the_product() -> None:
    assert releases.msi_link("K3s") == "https://aka.ms/aks-edge/k3s-msi"
    assert releases.msi_link("K8s", "1.30") == "https://aka.ms/aks-edge/k8s-msi-1.30"
    assert releases.distribution_of("AKS Edge Essentials - K8s (Public Preview)") == "K8s"
    assert releases.distribution_of("AKS Desktop") is None
    assert releases.distribution_named("k3S") == "K3s"
    with pytest.raises(UsageError):
        releases.distribution_named("K9s")
