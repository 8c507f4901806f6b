"""The product's installer on a simulated device: which files there are, what running one does, its exit codes.

Called by ``sandbox.commands.ops``. Exit codes are Windows Installer's documented ones; which of them the product's
package really gives is not published.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from akslite_ps.errors import UsageError
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import product_faults, system_events
from akslite_ps.sandbox.device.host import PRODUCT_DIR
from akslite_ps.sandbox.device.state import Distribution, InstalledProduct

if TYPE_CHECKING:
    from akslite_ps.aksedge.releases import Release
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

SUCCESS = 0
FATAL_ERROR = 1603
OTHER_VERSION_INSTALLED = 1638
REBOOT_INITIATED = 1641
REBOOT_REQUIRED = 3010
PACKAGE_MB = 820
INSTALLER_HEAD = bytes.fromhex("D0CF11E0A1B11AE1")
_INSTALLED = frozenset({SUCCESS, REBOOT_INITIATED, REBOOT_REQUIRED})
_SHORT_LINK = re.compile(r"^https://aka\.ms/aks-edge/(k[38]s)-msi(?:-(\d+\.\d+))?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Package:
    """An installer as the simulated world offers it."""

    file_name: str
    distribution: Distribution
    kubernetes_version: str
    version: str

    @property
    def product_name(self) -> str:
        """The name Windows lists after installation."""
        return f"AKS Edge Essentials - {self.distribution}"

    @property
    def content(self) -> bytes:
        """The simulated file: the head of every Windows installer, then the name it is offered under."""
        return INSTALLER_HEAD + self.file_name.encode()

    @property
    def sha256(self) -> str:
        """Of the simulated file: it follows from its name alone."""
        return hashlib.sha256(self.content).hexdigest()


def find_package(source: str) -> Package | None:
    """The installer that an address, share or path leads to; None where there is no such file.

    Any place may hold any released installer: the file's name decides. Microsoft's short links lead to the newest
    release that has such an installer.
    """
    from akslite_ps.aksedge.releases import RELEASES, parse_msi_name
    from akslite_ps.aksedge.versions import version_key

    link = _SHORT_LINK.match(source.strip())
    if link:
        distribution: Distribution = "K3s" if link[1].casefold() == "k3s" else "K8s"
        for release in reversed(RELEASES):
            for version in reversed(installers_of(release, distribution)):
                if link[2] is None or version.startswith(link[2] + "."):
                    return _package(distribution, version, release.product)
        return None
    try:
        name = parse_msi_name(source)
    except UsageError:
        return None
    for release in reversed(RELEASES):
        named = name.product is None or version_key(name.product)[:3] == version_key(release.product)[:3]
        if named and name.kubernetes in installers_of(release, name.distribution):
            return _package(name.distribution, name.kubernetes, release.product)
    return None


def package_in(data: bytes) -> Package | None:
    """The package of which this is the file, None for any other file."""
    return find_package(data.removeprefix(INSTALLER_HEAD).decode(errors="replace")) if data.startswith(INSTALLER_HEAD) else None


def installers_of(release: Release, distribution: Distribution) -> tuple[str, ...]:
    """Kubernetes versions with which a release can be installed on a simulated device; assumed where they are not published."""
    known = release.installers(distribution)
    return known if known is not None else assumptions.UNPUBLISHED_INSTALLERS.get((release.product, distribution), ())


def install(
    device: SimulatedDevice, package: Package, *, install_dir: str | None, vhdx_dir: str | None, features: list[str]
) -> int:
    """Run the package; returns msiexec's exit code. A reboot that it asks for is pending afterwards."""
    fault = device.take_fault("msi-exit-code")
    code = int(fault.parameters["code"]) if fault else _natural_exit_code(device.state.product, package)
    system_events.note_installation(device, package.product_name, package.version, code)
    if code not in _INSTALLED:
        return code
    product_faults.cure(device, "installation")
    target = install_dir or PRODUCT_DIR
    device.update(
        product=InstalledProduct(
            distribution=package.distribution,
            version=package.version,
            kubernetes_version=package.kubernetes_version,
            install_dir=target,
            vhdx_dir=vhdx_dir or target,
            features=tuple(features or ["CoreFeature"]),
            installed_at=device.now(),
        )
    )
    if code in {REBOOT_REQUIRED, REBOOT_INITIATED}:
        device.update(pending_reboot=(*device.state.pending_reboot, "file renames"))
    return code


async def uninstall(device: SimulatedDevice) -> int:
    """Take the installed product away, its deployment first; returns msiexec's exit code."""
    from akslite_ps.sandbox.device import scaling

    product = device.state.product
    assert product is not None
    fault = device.take_fault("msi-exit-code")
    code = int(fault.parameters["code"]) if fault else SUCCESS
    if code not in _INSTALLED:
        return code
    if device.state.deployment is not None:
        await scaling.remove_deployment(device)
    device.update(product=None, staged_update=None, product_update=None)
    if code in {REBOOT_REQUIRED, REBOOT_INITIATED}:
        device.update(pending_reboot=(*device.state.pending_reboot, "file renames"))
    return code


def _natural_exit_code(installed: InstalledProduct | None, package: Package) -> int:
    """Only one distribution can be installed at a time, and a package of another version does not go over it."""
    if installed is None or (installed.distribution, installed.version) == (package.distribution, package.version):
        return SUCCESS
    return FATAL_ERROR if installed.distribution != package.distribution else OTHER_VERSION_INSTALLED


def _package(distribution: Distribution, kubernetes: str, product: str) -> Package:
    return Package(f"AksEdge-{distribution}-{kubernetes}-{product}.msi", distribution, kubernetes, product)
