"""Where simulated devices are kept on disk: one folder per device, and one file for all that nothing has happened to yet.

Used by ``sandbox.supervisor``, ``device.simulated`` and what makes a device's files. Everything is written whole and swapped in, so
that a killed process leaves the old file or the new one. Knows nothing of behaviour.

A thousand folders with their files take a file system seconds to make. So a new device has a password and a part in one file with
the others; its folder is made when the first thing is kept in it.
"""

from __future__ import annotations

import json
import os
import secrets
import string
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from akslite_ps.errors import AksLiteError
from akslite_ps.sandbox.device.state import DeviceSpec, DeviceState
from akslite_ps.sandbox.device.state_migration import FILE_VERSION, migrated

NEW_DEVICES_FILE = "new-devices.json"
_PASSWORD_LENGTH = 20


class _DeviceFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = FILE_VERSION
    spec: DeviceSpec
    state: DeviceState


class _NewDevicesFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: tuple[_DeviceFile, ...] = ()


class NewDevices:
    """The file with the devices that have not changed since they were made.

    Args:
        folder: ``<sandbox>/devices``; made with the file.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / NEW_DEVICES_FILE

    def load(self) -> dict[str, tuple[DeviceSpec, DeviceState]]:
        """Spec and state by name; a device with a file of its own has changed meanwhile, and this is how it began.

        Raises:
            AksLiteError: The file is not one of ours.
        """
        if not self._file.is_file():
            return {}
        try:
            stored = _NewDevicesFile.model_validate_json(self._file.read_bytes())
        except (OSError, ValueError):
            raise damaged(self._file) from None
        return {device.spec.name: (device.spec, device.state) for device in stored.devices}

    def save(self, devices: Mapping[str, tuple[DeviceSpec, DeviceState]]) -> None:
        """Write all of them; a reader sees the old file or the new one, never half."""
        stored = _NewDevicesFile(devices=tuple(_DeviceFile(spec=spec, state=state) for spec, state in devices.values()))
        write_whole(self._file, stored.model_dump_json().encode())


class DeviceStore:
    """One device on disk.

    Args:
        folder: ``<sandbox>/devices/<name>``; made with the first file in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inside = folder / "password"
        self.password_file = inside if inside.is_file() else folder.with_name(f"{folder.name}.password")
        self.keytab_file = folder / "krb5.keytab"
        self._file = folder / "device.json"

    @property
    def exists(self) -> bool:
        return self.is_kept_alone or self.folder.name in NewDevices(self.folder.parent).load()

    @property
    def is_kept_alone(self) -> bool:
        """The device has a file of its own; until then :class:`NewDevices` has it."""
        return self._file.is_file()

    def make_password(self) -> None:
        """Make the administrator's random password, as the device is made."""
        write_private(self.password_file, _random_password())

    def load(self) -> tuple[DeviceSpec, DeviceState]:
        """Read spec and state back.

        Raises:
            AksLiteError: There is no such device, or its file is not one of ours.
        """
        if not self.is_kept_alone and (made := NewDevices(self.folder.parent).load().get(self.folder.name)):
            return made
        try:
            stored = _DeviceFile.model_validate(migrated(json.loads(self._file.read_bytes()), self.folder))
        except (OSError, ValueError):
            raise damaged(self._file) from None
        return stored.spec, stored.state

    def save(self, spec: DeviceSpec, state: DeviceState) -> None:
        """Write spec and state; a reader sees the old file or the new one, never half."""
        write_whole(self._file, _DeviceFile(spec=spec, state=state).model_dump_json(indent=1).encode())

    def password(self) -> str:
        return self.password_file.read_text(encoding="utf-8").strip()

    def password_of(self, user: str) -> str:
        """The password of an account beside the administrator's; made where there is none yet."""
        file = self.password_file_of(user)
        if not file.is_file():
            write_private(file, _random_password())
        return file.read_text(encoding="utf-8").strip()

    def password_file_of(self, user: str) -> Path:
        """Where the password of an account beside the administrator's is, once :meth:`password_of` was asked for it."""
        return self.folder / f"password-{user}"

    @property
    def cluster_path(self) -> Path:
        """Where the cluster of a single machine is kept (``device.cluster_record``)."""
        return self.folder / "cluster.json"


def damaged(file: Path) -> AksLiteError:
    """The error for a file of the sandbox that cannot be read."""
    return AksLiteError(
        f"{file} is missing or damaged",
        attempted="read the state of the simulated devices",
        next_action="restore the file, or begin anew: akslite sandbox down --delete",
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside ``path`` and swap it in; the folder is made where it is missing."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.write_bytes(data)
    beside.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (on Windows the user's profile guards it), in a folder that is made if need be."""
    path.unlink(missing_ok=True)
    try:
        descriptor = _create_private(path)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _create_private(path)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _create_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _random_password() -> str:
    """Letters and digits, at least one of each class, as Windows' complexity rule asks."""
    alphabet = string.ascii_letters + string.digits
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(_PASSWORD_LENGTH))
        if any(c.islower() for c in password) and any(c.isupper() for c in password) and any(c.isdigit() for c in password):
            return password
