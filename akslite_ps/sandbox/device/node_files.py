"""The files that somebody has put into a node VM of a simulated device.

Owned by ``device.simulated``; written by Copy-AksEdgeNodeFile, read by it and by commands in the node. An index by path and one
file per content, because a node's paths are not every host's.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import posixpath
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from akslite_ps.sandbox.device.store import write_whole

HOME = "/home/aksedge-user"
_WRITABLE = (HOME, "/tmp")  # noqa: S108 - a folder of the simulated node
_ROOT_ONLY = ("/var", "/run", "/root", "/mnt")
_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A file of a node.

    Args:
        path: Absolute, in the node's own spelling.
        size: In bytes.
        modified: When it was written, UTC.
    """

    path: str
    size: int
    modified: dt.datetime


class NodeFiles:
    """The written files of one node VM.

    Args:
        folder: Where they are kept; made at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, path: str, data: bytes, now: dt.datetime) -> None:
        """Write a file.

        Args:
            path: Absolute path in the node.
            data: Its content.
            now: The node's clock.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        index = self._read_index()
        blob = str(index[path]["blob"]) if path in index else uuid.uuid4().hex
        write_whole(self._folder / blob, data)
        entry = {"blob": blob, "size": len(data), "modified": now.astimezone(dt.UTC).isoformat()}
        self._write_index({**index, path: entry})

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where nobody has written it."""
        entry = self._read_index().get(path)
        if entry is None:
            return None
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / str(entry["blob"])).read_bytes()
        return None

    def remove(self, path: str) -> bool:
        """Delete a file; False where nobody has written it."""
        index = self._read_index()
        entry = index.pop(path, None)
        if entry is None:
            return False
        self._write_index(index)
        (self._folder / str(entry["blob"])).unlink(missing_ok=True)
        return True

    def entries(self) -> list[NodeFile]:
        """All of them, by path."""
        return [
            NodeFile(path, int(str(entry["size"])), dt.datetime.fromisoformat(str(entry["modified"])))
            for path, entry in sorted(self._read_index().items())
        ]

    def clear(self) -> None:
        """The node VM is deleted, and its disks with it."""
        if self._folder.is_dir():
            for file in self._folder.iterdir():
                file.unlink()
            self._folder.rmdir()

    def _read_index(self) -> dict[str, Mapping[str, object]]:
        try:
            index: dict[str, Mapping[str, object]] = json.loads((self._folder / _INDEX).read_bytes())
        except (OSError, ValueError):
            return {}
        return index

    def _write_index(self, index: Mapping[str, Mapping[str, object]]) -> None:
        write_whole(self._folder / _INDEX, json.dumps(index, indent=1).encode())


def absolute(path: str) -> str:
    """A Linux path as the account aksedge-user means it: without a slash in front it begins in the account's home."""
    expanded = HOME + path[1:] if path == "~" or path.startswith("~/") else path
    return posixpath.normpath(posixpath.join(HOME, expanded))


def why_not_writable(path: str) -> str | None:
    """Why aksedge-user cannot write at an absolute path of the Linux node, in the words of its system; None where it can.

    The root file system is read-only but for the data and home areas (documented); of the data areas only root may write.
    """
    if any(path.startswith(f"{folder}/") for folder in _WRITABLE):
        return None
    if any(path.startswith(f"{folder}/") for folder in _ROOT_ONLY):
        return "Permission denied"
    return "Read-only file system"
