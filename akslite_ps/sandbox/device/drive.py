"""The C: drive of a simulated device: real files below the device's folder, found by Windows paths.

Owned by ``device.simulated``; read and written by the cmdlets that leave files on a device (configs, kubeconfig, log
archives, files copied from a node). Case does not matter in a path, a path cannot lead out of the drive, and names that
Windows does not take are refused. Files keep the spelling of the one who made them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LETTER = "C"
_SEPARATORS = re.compile(r"[\\/]+")
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|COM[1-9]|LPT[1-9])(?:\.|\Z)", re.IGNORECASE)
_MAX_PATH = 259


class BadPath(ValueError):
    """A path that leads to no place on the drive; its text is what .NET says of it."""


@dataclass(frozen=True, slots=True)
class DriveEntry:
    """A file or folder of the drive.

    Args:
        path: Windows path, as it is spelled on the drive.
        size: In bytes; 0 for a folder.
        modified: When it was last written, UTC.
        is_folder: True for a folder.
    """

    path: str
    size: int
    modified: dt.datetime
    is_folder: bool = False

    @property
    def name(self) -> str:
        return self.path.rpartition("\\")[2]


class Drive:
    """The drive of one device.

    Args:
        root: The folder on this machine that stands for ``C:\\``; made at the first write.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, path: str, data: bytes) -> str:
        """Write a file, and the folders above it where they are missing.

        Returns:
            The file's path as it is spelled on the drive.

        Raises:
            BadPath: Not a path of this drive, or a folder stands in the way.
        """
        names = split(path)
        place = self._root
        place.mkdir(parents=True, exist_ok=True)
        for name in names[:-1]:
            place = self._child(place, name) or place / name
            if place.is_file():
                raise BadPath(f"Cannot create '{name}' because a file with the same name already exists.")
            place.mkdir(exist_ok=True)
        target = self._child(place, names[-1]) or place / names[-1]
        if target.is_dir():
            raise BadPath(f"Access to the path '{path}' is denied.")
        beside = target.with_name(target.name + "~")
        beside.write_bytes(data)
        beside.replace(target)
        return self._windows_path(target)

    def read(self, path: str) -> bytes | None:
        """The content of a file, None where there is no such file (or the path is none of this drive)."""
        place = self.place(path)
        return place.read_bytes() if place is not None and place.is_file() else None

    def entry(self, path: str) -> DriveEntry | None:
        """What there is at a path, None for nothing."""
        place = self.place(path)
        return None if place is None else self._entry(place)

    def entries(self, folder: str) -> Iterator[DriveEntry]:
        """What lies directly in a folder, by name; nothing where there is no such folder."""
        place = self.place(folder)
        if place is not None and place.is_dir():
            for child in sorted(place.iterdir(), key=lambda item: item.name.casefold()):
                yield self._entry(child)

    def remove(self, path: str) -> bool:
        """Delete a file; False where there is none."""
        place = self.place(path)
        if place is None or not place.is_file():
            return False
        place.unlink()
        return True

    def place(self, path: str) -> Path | None:
        """The file or folder of this machine that a Windows path leads to, None where it leads to nothing."""
        try:
            names = split(path, folder=True)
        except BadPath:
            return None
        place: Path | None = self._root if self._root.is_dir() else None
        for name in names:
            place = None if place is None else self._child(place, name)
        return place

    def _child(self, folder: Path, name: str) -> Path | None:
        if not folder.is_dir():
            return None
        wanted = name.casefold()
        return next((child for child in folder.iterdir() if child.name.casefold() == wanted), None)

    def _entry(self, place: Path) -> DriveEntry:
        about = place.stat()
        is_folder = place.is_dir()
        modified = dt.datetime.fromtimestamp(about.st_mtime, dt.UTC)
        return DriveEntry(self._windows_path(place), 0 if is_folder else about.st_size, modified, is_folder)

    def _windows_path(self, place: Path) -> str:
        return f"{LETTER}:\\" + "\\".join(place.relative_to(self._root).parts)


def split(path: str, *, folder: bool = False) -> list[str]:
    """The names of which a Windows path is made, below the drive's root; ``.`` and ``..`` are resolved as Windows does.

    Args:
        path: A full path, with backslashes or slashes.
        folder: Also take the drive's root itself, for which the list is empty.

    Raises:
        BadPath: Another drive, no full path, or a name that Windows does not take.
    """
    drive, colon, rest = path.strip().partition(":")
    if not colon or not rest or rest[0] not in "\\/":
        raise BadPath(f"The given path's format is not supported: '{path}'.")
    if drive.upper() != LETTER:
        raise BadPath(f"Cannot find drive. A drive with the name '{drive}' does not exist.")
    names: list[str] = []
    for name in _SEPARATORS.split(rest):
        if name in {"", "."}:
            continue
        if name == "..":
            del names[-1:]
            continue
        # Windows drops blanks and dots at the end of a name.
        kept = name.rstrip(" .")
        if not kept or _FORBIDDEN.search(kept) or _RESERVED.match(kept):
            raise BadPath(f"The filename, directory name, or volume label syntax is incorrect: '{path}'.")
        names.append(kept)
    if len(path) > _MAX_PATH:
        raise BadPath("The specified path, file name, or both are too long.")
    if not names and not folder:
        raise BadPath(f"Access to the path '{path}' is denied.")
    return names
