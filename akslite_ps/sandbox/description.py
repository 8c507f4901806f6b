"""What a sandbox tells about itself and its devices: plain frozen data, JSON both ways.

Made by the control channel, returned by ``akslite_ps.sandbox.up``, ``status`` and ``down``, shown by the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akslite_ps.sandbox.device.state import DeviceSpec, DeviceState


@dataclass(frozen=True, slots=True)
class SandboxDevice:
    """One simulated device, as somebody who wants to reach it must know it.

    Args:
        name: Its id, e.g. ``press-01``.
        computer_name: Windows' name of it.
        address: Where it listens; a loopback address unless it is exposed.
        http_port, https_port: WinRM.
        kubernetes_port: Kubernetes API; 0 where the system chooses it and there is no cluster yet.
        username: ``COMPUTER\\user``.
        password_file: File with the password alone.
        ca_file: Authority that signs the HTTPS certificate.
        state: ``bare``, ``features-pending-reboot``, ``prepared``, ``installed``, ``deploying``, ``deployed``,
            ``half-deployed``, ``rebooting`` or ``off``.
        power: ``on``, ``restarting`` or ``off``.
        engine: What runs its pipelines: ``embedded`` or ``pwsh``.
        faults: Names of the faults switched on.
        exposed: It listens where others than this machine reach it (``sandbox.exposure``).
    """

    name: str
    computer_name: str
    address: str
    http_port: int
    https_port: int
    kubernetes_port: int
    username: str
    password_file: Path
    ca_file: Path
    state: str
    power: str
    engine: str = "embedded"
    faults: tuple[str, ...] = ()
    exposed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return {**data, "password_file": str(self.password_file), "ca_file": str(self.ca_file), "faults": list(self.faults)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SandboxDevice:
        """From :meth:`to_dict`'s data."""
        return cls(
            **{
                **data,
                "password_file": Path(data["password_file"]),
                "ca_file": Path(data["ca_file"]),
                "faults": tuple(data["faults"]),
            }
        )


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """A sandbox: whether its process runs, and its devices (from disk where it does not)."""

    running: bool
    pid: int | None
    speed: float
    directory: Path
    devices: tuple[SandboxDevice, ...]


def describe(spec: DeviceSpec, state: DeviceState, *, password_file: Path, ca_file: Path, running: bool = True) -> SandboxDevice:
    """What there is to know of a device; one whose sandbox does not run is off."""
    return SandboxDevice(
        name=spec.name,
        computer_name=spec.computer_name,
        address=spec.address,
        http_port=spec.http_port,
        https_port=spec.https_port,
        kubernetes_port=spec.kubernetes_port,
        username=f"{spec.computer_name}\\{spec.user}",
        password_file=password_file,
        ca_file=ca_file,
        state=state.summary,
        power=state.power if running else "off",
        engine=spec.engine,
        faults=tuple(fault.name for fault in state.faults),
        exposed=spec.exposed_on is not None,
    )
