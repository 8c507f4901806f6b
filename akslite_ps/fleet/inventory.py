"""The inventory: the devices this user operates, one JSON file, no secrets in it.

Read by the command line, the notebooks and the kernel. Every change is written whole and atomically
under a lock, so that two processes never lose each other's devices.
"""

from __future__ import annotations

import codecs
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from akslite_ps.aksedge.exposure import Exposure
from akslite_ps.errors import UsageError
from akslite_ps.home import inventory_file
from akslite_ps.remoting.endpoint import Device
from akslite_ps.whole_file import write_whole

INVENTORY_SCHEMA = 2
_WITHOUT_EXPOSURES = 1
"""Written where no device has any, so that an older akslite reads the file."""

_LOCK_WAIT_S = 10.0
_MEND = "mend the file or move it away and add the devices again"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Annotated[int, Field(strict=True, ge=1)] = INVENTORY_SCHEMA
    devices: list[Device] = []
    exposed: dict[str, list[Exposure]] = {}


class Inventory:
    """The devices in one inventory file.

    Args:
        path: The file; it need not exist yet.
        devices: Its content as loaded.
        exposed: Ports that lead into the devices' clusters, by device.
    """

    def __init__(self, path: Path, devices: Sequence[Device] = (), exposed: Mapping[str, Sequence[Exposure]] | None = None) -> None:
        self.path = path
        self._devices = {device.name.casefold(): device for device in devices}
        self._exposed = {name.casefold(): tuple(items) for name, items in (exposed or {}).items()}

    @classmethod
    def load(cls, path: Path | None = None) -> Inventory:
        """Read the inventory file; a missing file is an empty inventory.

        Args:
            path: Default: :func:`akslite_ps.home.inventory_file`.

        Raises:
            UsageError: The file is not an inventory; says which field of which device is wrong.
        """
        path = path or inventory_file()
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return cls(path)
        except OSError as error:
            raise UsageError(
                f"the inventory {path} cannot be read: {error.strerror or error}", next_action="check the file and its permissions"
            ) from None
        data = _json(raw, path)
        version = data.get("schema_version", INVENTORY_SCHEMA) if isinstance(data, dict) else None
        if isinstance(version, int) and version > INVENTORY_SCHEMA:
            raise UsageError(
                f"the inventory {path} has schema version {version}; this akslite reads up to {INVENTORY_SCHEMA}",
                next_action="update akslite on this machine",
            )
        try:
            content = _File.model_validate(data)
        except ValidationError as error:
            raise _faulty(path, validation_lines(error)) from None
        if lines := _losses(content):
            raise _faulty(path, "".join(f"\n  - {line}" for line in lines))
        return cls(path, content.devices, content.exposed)

    def __len__(self) -> int:
        return len(self._devices)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._devices

    def list(self) -> tuple[Device, ...]:
        """All devices, by name."""
        return tuple(sorted(self._devices.values(), key=lambda device: device.name.casefold()))

    def get(self, name: str) -> Device:
        """The device of this name (case does not matter).

        Raises:
            UsageError: There is none; names the close ones and how to add one.
        """
        try:
            return self._devices[name.casefold()]
        except KeyError:
            raise UsageError(
                f"there is no device {name!r} in the inventory ({self.path})",
                next_action=self._suggest(name),
            ) from None

    def _suggest(self, name: str) -> str:
        close = difflib.get_close_matches(name.casefold(), self._devices, n=3)
        if close:
            return "did you mean " + " or ".join(self._devices[c].name for c in close) + "?"
        if self._devices:
            return "see: akslite device list"
        return "add one with: akslite device add NAME --host HOST ..., or try simulated ones: akslite sandbox up"

    def add(self, *devices: Device, replace: bool = False) -> None:
        """Add devices and write the file.

        Raises:
            UsageError: A device of that name is there and ``replace`` is False; nothing was written.
        """
        with self._changing():
            for device in devices:
                if not replace and device.name in self:
                    raise UsageError(
                        f"a device {device.name!r} is already in the inventory",
                        next_action="choose another name, or replace it with: akslite device add --replace",
                    )
            for device in devices:
                self._devices[device.name.casefold()] = device

    def remove(self, *names: str) -> None:
        """Take devices out and write the file; a name that is not there is an error and nothing is written.

        Raises:
            UsageError: A name is not in the inventory.
        """
        with self._changing():
            for name in names:
                self.get(name)
            for name in names:
                del self._devices[name.casefold()]
                self._exposed.pop(name.casefold(), None)

    def exposed(self, name: str) -> tuple[Exposure, ...]:
        """The ports that are declared for a device, by port.

        Raises:
            UsageError: There is no such device.
        """
        return self._exposed.get(self.get(name).name.casefold(), ())

    def expose(self, name: str, *wanted: Exposure) -> None:
        """Declare ports for a device and write the file; one that listens at the same place is replaced.

        Raises:
            UsageError: There is no such device.
        """
        with self._changing():
            key = self.get(name).name.casefold()
            found = {(item.listen, item.port): item for item in (*self._exposed.get(key, ()), *wanted)}
            self._exposed[key] = tuple(sorted(found.values(), key=lambda item: (item.port, item.listen)))

    def unexpose(self, name: str, port: int, listen: str) -> None:
        """Take a port's declaration out and write the file.

        Raises:
            UsageError: There is no such device, or no such port is declared.
        """
        with self._changing():
            key = self.get(name).name.casefold()
            kept = tuple(item for item in self._exposed.get(key, ()) if (item.listen, item.port) != (listen, port))
            if len(kept) == len(self._exposed.get(key, ())):
                raise UsageError(
                    f"no port {port} on {listen} is declared for {name}", next_action=f"see: akslite expose list {name}"
                )
            self._exposed[key] = kept

    @contextmanager
    def _changing(self) -> Iterator[None]:
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=_LOCK_WAIT_S):
                now = Inventory.load(self.path)
                self._devices, self._exposed = now._devices, now._exposed
                yield
                self._write()
        except Timeout:
            raise UsageError(
                f"another program has been changing the inventory {self.path} for {_LOCK_WAIT_S:g} s",
                next_action=f"wait until it is done, or end the process that holds {lock}",
            ) from None
        except OSError as error:
            raise UsageError(
                f"the inventory {self.path} cannot be written: {error.strerror or error}",
                next_action="check the folder's permissions and the disk, or choose another folder with AKSLITE_HOME",
            ) from None

    def _write(self) -> None:
        exposed = {self._devices[key].name: list(items) for key, items in self._exposed.items() if items and key in self._devices}
        version = INVENTORY_SCHEMA if exposed else _WITHOUT_EXPOSURES
        content = _File(schema_version=version, devices=list(self.list()), exposed=exposed).model_dump(mode="json")
        if not exposed:
            del content["exposed"]
        write_whole(self.path, json.dumps(content, indent=2) + "\n")


def _json(raw: bytes, path: Path) -> Any:
    """The value of an inventory file: UTF-8, or UTF-16 with a byte-order mark as PowerShell writes it.

    Raises:
        UsageError: It is no JSON, or gives something twice.
    """
    try:
        text = raw.decode("utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"the inventory {path} is no text in UTF-8 (byte {error.start + 1})", next_action=_MEND) from None
    try:
        return json.loads(text, object_pairs_hook=_members)
    except _GivenTwice as error:
        raise _faulty(path, f"\n  - {error}: given twice; one of them would be lost") from None
    except json.JSONDecodeError as error:
        why = f"{error.msg} at line {error.lineno}, column {error.colno}" if text.strip() else "there is nothing in it"
    except (RecursionError, ValueError):
        why = "it holds a number or a nesting that no inventory has"
    raise UsageError(f"the inventory {path} is not JSON: {why}", next_action=_MEND)


class _GivenTwice(ValueError):
    """A key of the file; the text is its name."""


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _GivenTwice(name)
        found[name] = value
    return found


def _losses(content: _File) -> list[str]:
    """What the file says and an inventory cannot keep: it would be gone with the next change."""
    lines, seen = [], dict[str, int]()
    for index, device in enumerate(content.devices):
        first = seen.setdefault(device.name.casefold(), index)
        if first != index:
            lines.append(f"devices.{index}.name = {device.name!r}: devices.{first} has this name; case does not matter")
    owners = dict[str, str]()
    for name in content.exposed:
        if name.casefold() not in seen:
            lines.append(f"exposed.{name}: there is no device {name!r} among the devices")
        if owners.setdefault(name.casefold(), name) != name:
            lines.append(f"exposed.{name}: exposed.{owners[name.casefold()]} is of the same device; case does not matter")
    return lines


def _faulty(path: Path, lines: str) -> UsageError:
    return UsageError(f"the inventory {path} has faults:{lines}", next_action=_MEND)


_PLAIN = {
    "dict_type": "must be an object with named fields",
    "model_type": "must be an object with named fields",
    "list_type": "must be a list",
    "extra_forbidden": "there is no such field; is it misspelt?",
    "missing": "is missing",
}


def validation_lines(error: ValidationError) -> str:
    """A pydantic error as lines ``field = value: message``; values of secret and of unknown fields are left out."""
    lines = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "(whole)"
        shown: Any = item.get("input")
        hidden = (
            isinstance(shown, dict | list) or "password" in where or item["type"] == "extra_forbidden"
        )  # it may be one, misspelt
        value = "" if hidden else f" = {shown!r}"
        lines.append(f"\n  - {where}{value}: {_PLAIN.get(item['type'], item['msg'].removeprefix('Value error, '))}")
    return "".join(lines)
