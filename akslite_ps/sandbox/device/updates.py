"""Updates of the product on a simulated device: how they arrive, and the three phases in which they are applied.

Staged by ``sandbox.control`` as Microsoft Update or a person would; applied by the update cmdlets. Every release is taken in order
and no Kubernetes minor is skipped. Facts from ``reference/operations.md`` section 10; texts and durations are assumptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from akslite_ps.aksedge.releases import RELEASES, Release, next_release
from akslite_ps.aksedge.versions import version_key
from akslite_ps.errors import UsageError
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host, installer, system_events
from akslite_ps.sandbox.device.cluster_host import kubernetes_version
from akslite_ps.sandbox.device.product_log import ProductLog, note
from akslite_ps.sandbox.device.reported_failures import NOT_READY
from akslite_ps.sandbox.device.state import Distribution, InstalledProduct, Node, ProductUpdate, StagedUpdate

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

COMPLETE = (
    "Update complete. Please restart your PowerShell instance and execute Start-AksEdgeControlPlaneUpdate and "
    "Start-AksEdgeWorkerNodeUpdate"
)
# A device takes installers from any share: none is really there.
_SHARE = "\\\\server\\share"
_MANIFEST = "aksedge-manifest.json"
_NOISY_RELEASE = "1.6."
_MISSING_MANIFEST = "C:\\Windows\\System32\\akswindows-manifest.json"


def _older_installer(product: InstalledProduct) -> str:
    """The file of a release that one follows: the newest such that has an installer."""
    return next(
        f"AksEdge-{product.distribution}-{versions[-1]}-{release.product}.msi"
        for release in reversed(RELEASES[:-1])
        if (versions := installer.installers_of(release, product.distribution))
    )


class UpdateRefused(Exception):
    """Ends an update cmdlet with this text."""


# -- staging ------------------------------------------------------------------------------------------------------


def stage(device: SimulatedDevice, version: str | None = None, *, by_hand: bool = False) -> StagedUpdate:
    """Let the files of an update arrive on a device.

    Args:
        device: The device; the product is installed.
        version: Product version, or its beginning such as ``1.11``; None for the release that follows the installed one.
        by_hand: Somebody runs the files of the Update Catalog. Microsoft Update offers only what fits; these are not checked.

    Raises:
        UsageError: Microsoft Update would not offer this update to this device; says why.
    """
    product = device.state.product
    if product is None:
        raise UsageError("the product is not installed", device=device.name, next_action="install it first")
    following = next_release(product.version)
    release = following if version is None else _find(version, device)
    if release is None:
        raise UsageError(
            f"{product.version} is the newest release",
            device=device.name,
            next_action=f"to try updates, deploy an older one: akslite deploy with --msi '{_SHARE}\\{_older_installer(product)}'",
        )
    if release != following and not by_hand:
        follows = f"{following.product} follows {product.version}" if following else f"nothing follows {product.version}"
        raise UsageError(
            f"Microsoft Update does not offer {release.product}: {follows}",
            device=device.name,
            next_action="updates take every release in order; --by-hand stages it all the same",
        )
    kubernetes = kubernetes_for(product, release, accepts_upgrade=device.state.accepts_upgrade)
    if kubernetes is None and not by_hand:
        raise UsageError(
            f"Microsoft Update does not offer {release.product}: it brings Kubernetes {_listed(release, product)}, "
            f"{product.kubernetes_version} is installed and upgrades are not accepted",
            device=device.name,
            next_action="on the device: Set-AksEdgeUpgrade -AcceptUpgrade $true",
        )
    offered = kubernetes_versions(release, product.distribution)
    staged = StagedUpdate(version=release.product, kubernetes_version=kubernetes or offered[0], staged_at=device.now())
    title = f"{product.display_name} {staged.version} (Kubernetes {staged.kubernetes_version})"
    device.keep_file(
        f"{assumptions.UPDATE_CACHE}\\{_MANIFEST}",
        f'{{"Product": "{product.display_name}", "Version": "{staged.version}", "Kubernetes": "{staged.kubernetes_version}"}}\n',
    )
    device.update(staged_update=staged)
    if not by_hand:
        system_events.note_update_arrived(device, title)
    return staged


def kubernetes_versions(release: Release, distribution: Distribution) -> tuple[str, ...]:
    """The Kubernetes versions that updates to a release bring, oldest first; assumed where nobody has written them down."""
    known = release.kubernetes(distribution) or assumptions.UNPUBLISHED_INSTALLERS.get((release.product, distribution), ())
    more = assumptions.UNPUBLISHED_UPGRADES.get((release.product, distribution), ())
    return tuple(sorted({*known, *more}, key=version_key))


def kubernetes_for(product: InstalledProduct, release: Release, *, accepts_upgrade: bool) -> str | None:
    """The Kubernetes version that an update to a release brings to this product; None where none is allowed.

    It stays at its minor, or goes one further where upgrades are accepted.
    """
    minor = version_key(product.kubernetes_version)[1]
    offered = {version_key(version)[1]: version for version in kubernetes_versions(release, product.distribution)}
    return (offered.get(minor + 1) if accepts_upgrade else None) or offered.get(minor)


def _find(version: str, device: SimulatedDevice) -> Release:
    wanted = [part for part in version.rstrip(".…*").split(".") if part]
    found = [release for release in RELEASES if release.product.split(".")[: len(wanted)] == wanted]
    if not wanted or not found:
        known = ", ".join(release.product for release in RELEASES if not release.is_preview)
        raise UsageError(f"there is no release {version!r}", device=device.name, next_action=f"there are: {known}")
    product = device.state.product
    following = next_release(product.version) if product else None
    return following if following in found else found[0]


def _listed(release: Release, product: InstalledProduct) -> str:
    return " and ".join(kubernetes_versions(release, product.distribution)) or "of an unknown version"


# -- the state of an update -----------------------------------------------------------------------------------------


def why_no_other_node(device: SimulatedDevice) -> str | None:
    """Why no node may be added to this machine now, in the product's words; None where one may."""
    if device.state.product_update is None and device.fault("update-unsafe-state") is None:
        return None
    return f"{assumptions.UPDATE_IN_PROGRESS} Please check status and complete any outstanding updates before adding another node."


# -- the phases -------------------------------------------------------------------------------------------------------


class Updater:
    """Runs the phases of an update on a device.

    Args:
        device: The device; the product is installed.
        console: The streams of the running cmdlet.
        module_version: Version of the module that the session has loaded.
    """

    def __init__(self, device: SimulatedDevice, console: Console, module_version: str) -> None:
        assert device.state.product is not None
        self._device = device
        self._product: InstalledProduct = device.state.product
        self._module_version = module_version
        self._console = console
        self._log = ProductLog(device, console)

    async def install(self) -> str:
        """First phase, Start-AksEdgeUpdate: install what was staged. Nodes go on running their old version.

        Returns:
            What the cmdlet answers.

        Raises:
            UpdateRefused: The staged files do not fit, or an update is under way.
        """
        device, staged, under_way = self._device, self._device.state.staged_update, self._device.state.product_update
        if under_way is not None and under_way.due != "product":
            raise UpdateRefused(assumptions.UPDATE_IN_PROGRESS)
        if staged is None:
            note(device, assumptions.NOTHING_STAGED)
            return assumptions.NOTHING_STAGED
        self._check_order(staged)
        began = ProductUpdate(
            version=staged.version, kubernetes_version=staged.kubernetes_version, due="product", began_at=device.now()
        )
        device.update(product_update=began)
        self._log.say(f"Updating {self._product.display_name} from {self._product.version} to {staged.version}")
        self._log.detail(f"Installing the files in {assumptions.UPDATE_CACHE}")
        if host.free_disk_gb(device) < assumptions.PRODUCT_DISK_GB:
            note(device, assumptions.DISK_FULL, level="Error", stack=("Install-Update", "Start-AksEdgeUpdate"))
            raise UpdateRefused(assumptions.DISK_FULL)
        await self._phase("update-product")
        system_events.note_installation(device, self._product.display_name, staged.version, installer.SUCCESS)
        product = self._product.model_copy(
            update={"version": staged.version, "kubernetes_version": staged.kubernetes_version, "installed_at": device.now()}
        )
        device.drive.remove(f"{assumptions.UPDATE_CACHE}\\{_MANIFEST}")
        nodes = device.state.deployment.nodes if device.state.deployment is not None else ()
        due = _first_due(nodes)
        following = None if due is None else began.model_copy(update={"due": due})
        device.update(product=product, staged_update=None, product_update=following)
        if staged.version.startswith(_NOISY_RELEASE):
            # Known and without consequence when 1.5 becomes 1.6.
            self._console.error(
                f"Cannot find path '{_MISSING_MANIFEST}' because it does not exist.",
                "PathNotFound",
                "ObjectNotFound",
                exception="System.Management.Automation.ItemNotFoundException",
                target=_MISSING_MANIFEST,
            )
        self._log.say(COMPLETE)
        return COMPLETE

    async def update_control_plane(self, *, first: bool) -> None:
        """Second phase, Start-AksEdgeControlPlaneUpdate: restart this machine's control-plane node with its new system.

        Args:
            first: It is the first control plane of the cluster to be updated.

        Raises:
            UpdateRefused: It is not this machine's turn, or the node fell back.
        """
        update = self._under_way("control-plane")
        node = self._node(control_plane=True)
        if node is None:
            self._log.say("No control plane node on this machine.")
            return
        if not first and self._device.cluster.is_older_than(update.kubernetes_version):
            raise UpdateRefused(assumptions.CONTROL_PLANE_ORDER)
        self._log.say(f"Updating the control plane node {node.name} to Kubernetes {update.kubernetes_version}")
        await self._move(node, update, "update-control-plane")
        self._done("control-plane")

    async def update_workers(self) -> None:
        """Last phase, Start-AksEdgeWorkerNodeUpdate: restart this machine's worker nodes with their new system.

        Raises:
            UpdateRefused: The control planes come first, or a node fell back.
        """
        update = self._under_way("workers")
        workers = [node for node in self._nodes() if not node.control_plane]
        if not workers:
            self._log.say("No worker nodes on this machine.")
            return
        if update.due != "workers" or self._device.cluster.is_older_than(update.kubernetes_version):
            raise UpdateRefused(assumptions.WORKERS_TOO_EARLY)
        for node in workers:
            self._log.say(f"Updating the worker node {node.name} to Kubernetes {update.kubernetes_version}")
            await self._move(node, update, "update-worker")
        self._done("workers")

    # -- parts ------------------------------------------------------------------------------------------------------

    def _check_order(self, staged: StagedUpdate) -> None:
        following = next_release(self._product.version)
        step = version_key(staged.kubernetes_version)[1] - version_key(self._product.kubernetes_version)[1]
        if following is None or following.product != staged.version or step not in {0, 1}:
            text = assumptions.update_does_not_follow(self._product.version, staged.version)
            note(self._device, text, level="Error", stack=("Test-UpdateSequence", "Start-AksEdgeUpdate"))
            raise UpdateRefused(text)

    def _under_way(self, phase: str) -> ProductUpdate:
        update = self._device.state.product_update
        if self._module_version != self._product.version:
            raise UpdateRefused(assumptions.STALE_MODULE)
        if update is None:
            raise UpdateRefused(assumptions.UPDATE_NOT_STARTED)
        if update.due == "product":
            raise UpdateRefused(assumptions.UPDATE_IN_PROGRESS)
        note(self._device, f"AksEdge - Update to {update.version}, phase {phase}")
        return update

    async def _move(self, node: Node, update: ProductUpdate, stage: str) -> None:
        """Restart a node with its new system; where that fails it comes back with the old one, and the phase stays due."""
        device, product = self._device, self._device.state.product
        assert product is not None
        fails = device.take_fault("update-fails", at=stage) is not None

        async def while_down() -> None:
            await self._phase(stage)
            self._log.detail(f"Waiting for Kubernetes node ({node.name}) to reach condition Ready")

        self._log.detail("Stopping the virtual machine of the node")
        version = kubernetes_version(product.model_copy(update={"kubernetes_version": update.kubernetes_version}))
        if not device.cluster.can_renew(node, version):
            raise UpdateRefused(assumptions.CONTROL_PLANE_ORDER if node.control_plane else assumptions.WORKERS_TOO_EARLY)
        limit = assumptions.UPDATED_NODE_SECONDS
        if not await device.cluster.renew_node(node.kind, while_down, None if fails else version, within_s=limit):
            text = f"{NOT_READY} at line {assumptions.module_line(product.version, 'Wait-KubernetesNodeReady')}"
            note(device, text, level="Error", stack=("Wait-KubernetesNodeReady", "Start-AksEdgeControlPlaneUpdate"))
            raise UpdateRefused(text)
        if fails:
            note(device, assumptions.UPDATE_FELL_BACK, level="Error", stack=("Update-LinuxNode", "Start-AksEdgeControlPlaneUpdate"))
            raise UpdateRefused(assumptions.UPDATE_FELL_BACK)

    async def _phase(self, stage: str) -> None:
        device, seconds = self._device, assumptions.UPDATE_SECONDS[stage]
        await device.clock.sleep(seconds / 2)
        if device.take_fault("reboot-during", at=stage) is not None:
            await device.reboot_under_us()
        await device.clock.sleep(seconds / 2)

    def _done(self, phase: str) -> None:
        update = self._device.state.product_update
        assert update is not None
        workers_left = phase == "control-plane" and any(not node.control_plane for node in self._nodes())
        self._device.update(product_update=update.model_copy(update={"due": "workers"}) if workers_left else None)
        if not workers_left:
            self._device.clear_faults("update-unsafe-state")
            self._log.say("Update completed")

    def _nodes(self) -> tuple[Node, ...]:
        deployment = self._device.state.deployment
        return deployment.nodes if deployment is not None else ()

    def _node(self, *, control_plane: bool) -> Node | None:
        return next((node for node in self._nodes() if node.control_plane is control_plane), None)


def _first_due(nodes: tuple[Node, ...]) -> Literal["control-plane", "workers"] | None:
    if any(node.control_plane for node in nodes):
        return "control-plane"
    return "workers" if nodes else None
