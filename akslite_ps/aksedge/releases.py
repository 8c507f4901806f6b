"""The releases of AKS Edge Essentials: dates, Kubernetes versions, config schema, installers.

Facts from the product's release notes, the tags of Azure/AKS-Edge and its shipped samples. What these do not
say is None, never a guess. Read by the config's rules, by preflight and by the simulated device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from akslite_ps.aksedge.versions import compare, version_key
from akslite_ps.errors import UsageError

Distribution = Literal["K3s", "K8s"]
DISTRIBUTIONS: tuple[Distribution, ...] = ("K3s", "K8s")

LATEST_SCHEMA = "1.16"
FIRST_SCHEMA = "1.5"


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    Args:
        product: Version of product, MSI and module; the revision is 0 where only three parts are published.
        date: Year and month, from tags and notes, so a few weeks uncertain.
        k8s: Kubernetes versions it brings for K8s, None where unknown.
        k3s: The same for K3s.
        schema: Newest config schema it is known to take, None where unknown.
        linux: System image of the Linux node, None where unknown.
        note: Where sources disagree, and what else matters.
        upgrade_only: Those of its Kubernetes versions that only updates bring; there is no installer with them.
    """

    product: str
    date: str
    k8s: tuple[str, ...] | None = None
    k3s: tuple[str, ...] | None = None
    schema: str | None = None
    linux: str | None = None
    note: str = ""
    upgrade_only: tuple[str, ...] = ()

    @property
    def is_preview(self) -> bool:
        """True for releases before general availability."""
        return version_key(self.product) < version_key("1.0")

    def kubernetes(self, distribution: Distribution) -> tuple[str, ...] | None:
        """Kubernetes versions that this release brings for a distribution, None where unknown."""
        return self.k3s if distribution == "K3s" else self.k8s

    def installers(self, distribution: Distribution) -> tuple[str, ...] | None:
        """Kubernetes versions of this distribution's installers, None where unknown."""
        versions = self.kubernetes(distribution)
        return None if versions is None else tuple(version for version in versions if version not in self.upgrade_only)


RELEASES: tuple[Release, ...] = (
    Release(
        "0.7.22335.1024",
        "2022-12",
        ("1.22.6", "1.24.3"),
        ("1.24.3",),
        "1.1",
        "CBL-Mariner",
        "Public preview; another config layout.",
    ),
    Release("1.0.266.0", "2023-02", None, None, "1.5", "CBL-Mariner 2.0", "Kubernetes 1.24, patch level unknown."),
    Release("1.0.358.0", "2023-02", None, None, "1.5", "CBL-Mariner 2.0", "Kubernetes 1.24, patch level unknown."),
    Release(
        "1.0.406.0", "2023-02", None, None, "1.5", "CBL-Mariner 2.0", "General availability. Kubernetes 1.24, patch level unknown."
    ),
    Release("1.1.80.0", "2023-03", ("1.24.6",), None, "1.6", None, "K3s 1.24, patch level unknown."),
    Release("1.1.220.0", "2023-04", ("1.24.6",), None, "1.6", None, "K3s 1.24, patch level unknown."),
    Release("1.2.414.0", "2023-05", None, None, "1.6"),
    Release("1.3.186.0", "2023-07", None, None, "1.8"),
    Release("1.4.109.0", "2023-09", None, None, "1.9"),
    Release("1.5.203.0", "2023-11", ("1.25.11", "1.26.6"), ("1.25.11", "1.26.6"), "1.9"),
    Release(
        "1.6.384.0",
        "2024-02",
        ("1.26.6", "1.27.6"),
        ("1.26.10", "1.27.6"),
        "1.11",
        "CBL-Mariner 2.0.20240123",
        "Schema 1.11 by the release notes; the sample of that time stayed at 1.9.",
    ),
    Release(
        "1.7.639.0",
        "2024-06",
        ("1.27.6", "1.28.3"),
        ("1.27.6", "1.28.3"),
        "1.11",
        None,
        "Schema not stated: at least that of the release before; the sample of that time stayed at 1.9.",
    ),
    Release(
        "1.8.202.0",
        "2024-09",
        ("1.28.9", "1.29.4"),
        ("1.28.5", "1.29.6"),
        "1.14",
        "CBL-Mariner 2.0.20240731",
        "Schema 1.14 by the release notes; the sample of that time says 1.13.",
    ),
    Release("1.9.262.0", "2024-11", ("1.28.9", "1.29.4"), ("1.28.5", "1.29.6"), "1.14", "CBL-Mariner 2.0.20241029"),
    Release(
        "1.10.868.0",
        "2025-03",
        ("1.29.9", "1.30.5"),
        ("1.29.9", "1.30.6"),
        "1.15",
        "CBL-Mariner 2.0.20250207",
        "1.29.9 for upgrades only. Deploying connects to Azure Arc; missing Arc values are tolerated.",
        ("1.29.9",),
    ),
    Release(
        "1.11.230.0",
        "2025-07",
        ("1.30.5", "1.31.5"),
        ("1.30.6", "1.31.6"),
        "1.15",
        "Azure Linux 3.0.20250822",
        "1.30 for upgrades only. The notes say that missing Arc values now block a deployment.",
        ("1.30.5", "1.30.6"),
    ),
    Release(
        "1.11.247.0",
        "2025-09",
        ("1.31.5",),
        ("1.31.6",),
        "1.16",
        "Azure Linux 3.0",
        "Kubernetes versions by the installers' names in AKS-Edge issue 265; whether updates also bring 1.30 is unknown.",
    ),
    Release("1.12.269.0", "2026-04", None, ("1.33.5",), "1.16", None, "Kubernetes version of the K8s installer unknown."),
)


def latest() -> Release:
    """The newest release known to this version of akslite-ps."""
    return RELEASES[-1]


def find_release(version: str) -> Release | None:
    """The release of an installed product version, None where the table has none of that build.

    The fourth number is ignored: published tables often leave it out.

    Raises:
        UsageError: The text is no version.
    """
    wanted = version_key(version)[:3]
    return next((release for release in RELEASES if version_key(release.product)[:3] == wanted), None)


def schema_for(version: str) -> str | None:
    """The newest config schema that this product version is known to take.

    For a build between two known ones it is the schema of the one before. None where nothing is known: a build
    newer than the table or older than the first release.

    Raises:
        UsageError: The text is no version.
    """
    if compare(version, latest().product) > 0 and find_release(version) is None:
        return None
    known = [release for release in RELEASES if compare(release.product, version) <= 0]
    return (find_release(version) or known[-1]).schema if known else None


def next_release(version: str) -> Release | None:
    """The release that may follow directly: updates take every release in order.

    Returns:
        None where the version is the newest known one or newer.
    """
    return next((release for release in RELEASES if compare(release.product, version) > 0), None)


@dataclass(frozen=True, slots=True)
class MsiName:
    """What an installer's file name says.

    Args:
        distribution: K3s or K8s.
        kubernetes: Kubernetes version, as far as the name tells it.
        product: Product version, None in names that leave it out.
    """

    distribution: Distribution
    kubernetes: str
    product: str | None

    @property
    def product_name(self) -> str:
        """The name Windows lists after installation."""
        return product_name(self.distribution)


_MSI = re.compile(
    r"AksEdge-(?P<distribution>K[38]s)-(?P<kubernetes>\d+(?:\.\d+){1,2})(?:-(?P<product>\d+(?:\.\d+){2,3}))?(?:\.msi)?",
    re.IGNORECASE | re.ASCII,
)


def parse_msi_name(name: str) -> MsiName:
    """Read a file name such as ``AksEdge-K3s-1.33.5-1.12.269.0.msi``, with or without folder or address before it.

    Raises:
        UsageError: The name has another form. Short links carry no version: read the installed product instead.
    """
    file_name = re.split(r"[/\\]", name.partition("?")[0])[-1]
    match = _MSI.fullmatch(file_name)
    if not match:
        raise UsageError(
            f"{file_name!r} does not look like an AKS Edge Essentials installer",
            next_action="name it as Microsoft does, such as AksEdge-K3s-1.33.5-1.12.269.0.msi",
        )
    distribution: Distribution = "K3s" if match["distribution"].casefold() == "k3s" else "K8s"
    return MsiName(distribution, match["kubernetes"], match["product"])


def product_name(distribution: Distribution) -> str:
    """The DisplayName under which Windows lists the installed product."""
    return f"AKS Edge Essentials - {distribution}"


def distribution_of(display_name: str) -> Distribution | None:
    """The distribution of an installed product by its DisplayName (preview suffixes allowed), None where it is another product."""
    match = re.match(r"^AKS Edge Essentials - (K[38]s)\b", display_name.strip(), re.IGNORECASE)
    return None if not match else ("K3s" if match[1].casefold() == "k3s" else "K8s")


def distribution_named(name: str) -> Distribution:
    """The distribution of a name in any case.

    Raises:
        UsageError: It is neither K3s nor K8s.
    """
    found = next((known for known in DISTRIBUTIONS if known.casefold() == name.strip().casefold()), None)
    if found is None:
        raise UsageError(f"{name!r} is no distribution", next_action="use K3s or K8s")
    return found


def msi_link(distribution: Distribution, kubernetes: str | None = None) -> str:
    """Microsoft's short link to an installer.

    Args:
        distribution: K3s or K8s.
        kubernetes: A Kubernetes minor such as ``1.30`` for the previous line; None for the newest installer.
    """
    line = f"-{kubernetes}" if kubernetes else ""
    return f"https://aka.ms/aks-edge/{distribution.lower()}-msi{line}"


WINDOWS_NODE_LINK = "https://aka.ms/aks-edge/windows-node-zip"
