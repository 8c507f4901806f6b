"""The passwords of the local accounts of simulated devices, as files that only their owner can read. Used by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.device.local_accounts import local_user
from akslite_ps.sandbox.device.store import DeviceStore
from akslite_ps.sandbox.supervisor import DEVICES_DIR


@dataclass(frozen=True, slots=True)
class LocalPassword:
    """Where the password of a local account lies.

    Args:
        user: ``COMPUTER\\user``.
        file: With the password alone.
    """

    user: str
    file: Path


def local_password(directory: Path, device: str, user: str | None = None) -> LocalPassword:
    """The password of a local account, made when there is none yet; it counts whether the sandbox runs or not.

    Args:
        directory: The sandbox's folder.
        device: The device's name.
        user: One of its local users; None for the administrator.

    Raises:
        UsageError: There is no such device or user.
    """
    store = DeviceStore(directory / DEVICES_DIR / device)
    if not store.exists:
        raise UsageError(f"there is no simulated device {device!r}", next_action="see: akslite sandbox status")
    spec, _ = store.load()
    known = local_user(spec, user)
    if known == spec.user:
        return LocalPassword(f"{spec.computer_name}\\{known}", store.password_file)
    store.password_of(known)
    return LocalPassword(f"{spec.computer_name}\\{known}", store.password_file_of(known))
