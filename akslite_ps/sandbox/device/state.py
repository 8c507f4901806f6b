"""What a simulated device is and what has become of it, as frozen data with a JSON form.

``DeviceSpec`` is chosen when the device is made; ``DeviceState`` changes while it runs. ``DeviceStore`` keeps
both in the device's folder, written whole and swapped in, so that a killed process leaves the old file or the
new one. Used by ``device.simulated`` and ``sandbox.supervisor``; knows nothing of behaviour.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import string
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from akslite_ps.aksedge.host_requirements import CLIENT_ONLY_FEATURES, HOST_FEATURES
from akslite_ps.errors import AksLiteError

FeatureState = Literal["Enabled", "Disabled", "EnablePending"]
Distribution = Literal["K3s", "K8s"]
Power = Literal["on", "restarting", "off"]
Moment = Annotated[dt.datetime, AfterValidator(lambda moment: moment.astimezone(dt.UTC))]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hardware(_Frozen):
    """The Windows host as bought: what a preflight reads. Memory in MB, disk in GB.

    Args:
        base_memory_mb: Memory that Windows itself uses; the rest of ``total_memory_mb`` is free until a node runs.
        nested_virtualization_missing: The host is itself a virtual machine without virtualization extensions.
        openssh_outdated: The OpenSSH client is older than the product wants.
    """

    os_caption: str = "Microsoft Windows 10 IoT Enterprise LTSC"
    os_edition: str = "IoTEnterpriseS"
    os_build: int = 19045
    os_installation_type: Literal["Client", "Server"] = "Client"
    ui_language: str = "en-US"
    architecture: str = "AMD64"
    logical_processors: int = 8
    total_memory_mb: int = 16384
    base_memory_mb: int = 4096
    free_disk_gb: float = 180.0
    virtualization_firmware_enabled: bool = True
    nested_virtualization_missing: bool = False
    default_gateway: str | None = "10.20.0.1"
    ip4_addresses: tuple[str, ...] = ("10.20.0.21",)
    activated: bool | None = True
    openssh_client: Literal["Installed", "NotPresent"] = "Installed"
    openssh_outdated: bool = False

    @property
    def os_version(self) -> str:
        """e.g. ``10.0.19045``."""
        return f"10.0.{self.os_build}"


class DeviceSpec(_Frozen):
    """A device: its names, where it listens, and the host it is.

    Args:
        name: The device's id, e.g. ``press-01``.
        computer_name: Windows' name of it, upper case.
        address: Loopback address, 127.x.y.z.
        http_port, https_port: WinRM; 0 lets the system choose at the first start.
        kubernetes_port: Kubernetes API of a deployed device; 0 likewise.
        user: The one local administrator.
    """

    name: str
    computer_name: str
    address: str
    http_port: int = 5985
    https_port: int = 5986
    kubernetes_port: int = 6443
    user: str = "aksadmin"
    hardware: Hardware = Hardware()


class InstalledProduct(_Frozen):
    """AKS Edge Essentials as the uninstall key shows it."""

    distribution: Distribution
    version: str
    kubernetes_version: str
    install_dir: str
    vhdx_dir: str
    features: tuple[str, ...]
    installed_at: Moment

    @property
    def display_name(self) -> str:
        return f"AKS Edge Essentials - {self.distribution}"


class LinuxNode(_Frozen):
    """The Linux node VM. ``running`` is what wssdagent was last asked for, and survives a restart of the host."""

    name: str
    address: str
    mac: str
    cpu_count: int
    memory_mb: int
    data_size_gb: int
    running: bool = True


class Deployment(_Frozen):
    """A deployment, or what an interrupted one left behind.

    Args:
        phase: ``creating`` while New-AksEdgeDeployment works, ``complete`` when it answered OK, ``broken`` where it
            was interrupted after the node VM had been made.
        config: The config as sent, secrets removed.
    """

    phase: Literal["creating", "complete", "broken"]
    config: dict[str, Any]
    network: str
    node: LinuxNode
    cluster_name: str
    service_addresses: tuple[str, ...] = ()
    arc_connected: bool = False
    started_at: Moment


class Fault(_Frozen):
    """A named fault switched on for a device; ``remaining`` counts down, None means until it is cleared."""

    name: str
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    remaining: int | None = None


class DeviceState(_Frozen):
    """Everything about a device that survives a restart of the sandbox."""

    boot_time: Moment
    power: Power = "on"
    features: dict[str, FeatureState]
    openssh_client: Literal["Installed", "NotPresent"] = "Installed"
    pending_reboot: tuple[str, ...] = ()
    product: InstalledProduct | None = None
    deployment: Deployment | None = None
    files: dict[str, str] = Field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def features_enabled(self) -> bool:
        """True where every host feature the product needs is on and started."""
        return all(state == "Enabled" for state in self.features.values())

    @property
    def summary(self) -> str:
        """Where the device is on its way, in one word, as ``akslite sandbox status`` shows it."""
        if self.power != "on":
            return "rebooting" if self.power == "restarting" else "off"
        if self.deployment is not None:
            return {"creating": "deploying", "complete": "deployed", "broken": "half-deployed"}[self.deployment.phase]
        if self.product is not None:
            return "installed"
        if self.pending_reboot:
            return "features-pending-reboot"
        return "prepared" if self.features_enabled else "bare"


def bare_windows(hardware: Hardware, now: dt.datetime) -> DeviceState:
    """The state of a host on which Windows has just been installed and started."""
    server = hardware.os_installation_type == "Server"
    features = [name for name in HOST_FEATURES if not (server and name in CLIENT_ONLY_FEATURES)]
    return DeviceState(boot_time=now, features=dict.fromkeys(features, "Disabled"), openssh_client=hardware.openssh_client)


class _DeviceFile(_Frozen):
    version: int = 1
    spec: DeviceSpec
    state: DeviceState


class DeviceStore:
    """The folder of one device on disk.

    Args:
        folder: ``<sandbox>/devices/<name>``; made when the device is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password_file = folder / "password"
        self._file = folder / "device.json"
        self._cluster_file = folder / "cluster.json"

    @property
    def exists(self) -> bool:
        return self._file.is_file()

    def create(self, spec: DeviceSpec, state: DeviceState) -> None:
        """Make the folder, a random password and the first state."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.password_file, _random_password())
        self.save(spec, state)

    def load(self) -> tuple[DeviceSpec, DeviceState]:
        """Read spec and state back.

        Raises:
            AksLiteError: The file is not one of ours.
        """
        try:
            stored = _DeviceFile.model_validate_json(self._file.read_bytes())
        except (OSError, ValidationError):
            raise damaged(self._file) from None
        return stored.spec, stored.state

    def save(self, spec: DeviceSpec, state: DeviceState) -> None:
        """Write spec and state; a reader sees the old file or the new one, never half."""
        write_whole(self._file, _DeviceFile(spec=spec, state=state).model_dump_json(indent=1).encode())

    def password(self) -> str:
        return self.password_file.read_text(encoding="utf-8").strip()

    def load_cluster(self) -> dict[str, Any] | None:
        """The cluster's snapshot, None where the device has no cluster."""
        if not self._cluster_file.is_file():
            return None
        snapshot: dict[str, Any] = json.loads(self._cluster_file.read_bytes())
        return snapshot

    def save_cluster(self, snapshot: dict[str, Any] | None) -> None:
        """Keep the cluster's snapshot, or with None forget it."""
        if snapshot is None:
            self._cluster_file.unlink(missing_ok=True)
        else:
            write_whole(self._cluster_file, json.dumps(snapshot, separators=(",", ":")).encode())


def damaged(file: Path) -> AksLiteError:
    """The error for a file of the sandbox that cannot be read."""
    return AksLiteError(
        f"{file} is missing or damaged",
        attempted="read the state of the simulated devices",
        next_action="restore the file, or begin anew: akslite sandbox down --delete",
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside ``path`` and swap it in."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(data)
    beside.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (on Windows the user's profile guards it)."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _random_password() -> str:
    """Twenty letters and digits, at least one of each class, as Windows' complexity rule asks."""
    alphabet = string.ascii_letters + string.digits
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(20))
        if any(c.islower() for c in password) and any(c.isupper() for c in password) and any(c.isdigit() for c in password):
            return password
