"""Files to a device and back, on full-language endpoints: in pieces, resumed after a break, SHA-256 compared on both sides.

    copy_to_device(session, Path("AksEdge.msi"), "C:\\\\Temp\\\\AksEdge.msi", on_progress=print)

Called by people and scripts; the product's own work needs no files. The scripts in ``remoting.data`` run in Windows
PowerShell 5.1 and PowerShell 7, on Windows and elsewhere. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from akslite_ps.errors import CmdletFailed, NotPermitted, UsageError
from akslite_ps.remoting.records import PsObject

if TYPE_CHECKING:
    from akslite_ps.remoting.session import Session

PIECE_BYTES = 256 * 1024
"""How much travels in one command. In base64 within base64 it fits into one envelope of 500 KB, Windows' own limit."""

_LIMIT_S = 120.0
_HASHED_BYTES_PER_S = 10_000_000
_NO_SIZE = 2**62
_PARTIAL = ".akslite-partial"
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far a copy is, in bytes; ``resumed`` of them had come over before a break."""

    done: int
    total: int
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """A file that is whole on both sides.

    Args:
        local: Where it is here.
        remote: Where it is on the device, as an absolute path.
        size: In bytes.
        sha256: Of both, 64 hexadecimal digits.
        resumed: Bytes that an earlier, broken copy had brought over.
    """

    local: Path
    remote: str
    size: int
    sha256: str
    resumed: int = 0


def copy_to_device(
    session: Session,
    local: Path,
    remote: str,
    *,
    overwrite: bool = False,
    on_progress: Callable[[CopyProgress], None] | None = None,
) -> CopiedFile:
    """Copy a file to the device. After a break the same call, in a new session, goes on where it stopped.

    Args:
        session: A session on a full-language endpoint.
        local: The file.
        remote: Path of the file on the device, in the device's way of writing; its folder must exist.
        overwrite: Replace a file of that name; without it another content there is refused.
        on_progress: Called before the first and after every piece.

    Raises:
        NotPermitted: The endpoint takes no scripts.
        UsageError: There is no such local file, it changed meanwhile, or the device has another one of that name.
        CmdletFailed: The device cannot write there; what had come over stays for the next attempt.
        SessionLost: The connection broke; call again.
    """
    device = _Device(session, f"copy {local.name} to the device")
    if not local.is_file():
        raise device.usage(f"there is no file {local}")
    with local.open("rb") as file:
        size = _size_of(file)
        digest = _digest(file, size)
        if digest is None:
            raise device.usage(f"{local} became shorter while it was read", "copy again while nothing writes to the file")
        target = device.measure(remote, longest=size, hash_if=size)
        if target.sha256 == digest:
            _tell(on_progress, size, size, size)
            return CopiedFile(local, target.path, size, digest, size)
        if target.size is not None and not overwrite:
            raise device.usage(
                f"{target.path} exists on the device with another content", "choose another name, or allow to overwrite it"
            )
        partial = f"{target.path}.{digest[:16]}{_PARTIAL}"
        resumed = _resumed_there(device, partial, file, size)
        _tell(on_progress, resumed, size, resumed)
        done = resumed
        file.seek(done)
        while done < size or size == 0:
            piece = file.read(PIECE_BYTES)
            device.write(partial, done, piece)
            done += len(piece)
            _tell(on_progress, done, size, resumed)
            if not piece:
                break
    arrived = device.complete(partial, target.path, digest, size, overwrite=overwrite)
    if arrived != digest:
        raise _changed(device, arrived, digest, "the device")
    return CopiedFile(local, target.path, size, digest, resumed)


def copy_from_device(
    session: Session,
    remote: str,
    local: Path,
    *,
    overwrite: bool = False,
    on_progress: Callable[[CopyProgress], None] | None = None,
) -> CopiedFile:
    """Copy a file from the device. After a break the same call, in a new session, goes on where it stopped.

    Args:
        session: A session on a full-language endpoint.
        remote: Path of the file on the device.
        local: Where it is to be, with its name; the folder must exist.
        overwrite: Replace a file of that name; without it another content there is refused.
        on_progress: Called before the first and after every piece.

    Raises:
        NotPermitted: The endpoint takes no scripts.
        UsageError: The local file exists with another content, its folder does not, or the device's file changed meanwhile.
        CmdletFailed: There is no such file on the device, or it cannot be read.
        SessionLost: The connection broke; call again.
    """
    device = _Device(session, f"copy {remote} from the device")
    if not local.parent.is_dir():
        raise device.usage(f"there is no folder {local.parent}")
    size = device.size_of(remote)
    source = device.measure(remote, longest=size, hash_if=size)
    digest = source.sha256
    if digest is None:
        raise device.usage(f"{source.path} changed while it was read", "copy again while nothing writes to the file")
    if local.exists():
        if _digest_of(local) == digest:
            _tell(on_progress, size, size, size)
            return CopiedFile(local, source.path, size, digest, size)
        if not overwrite:
            raise device.usage(f"{local} exists with another content", "choose another name, or allow to overwrite it")
    partial = local.with_name(f"{local.name}.{digest[:16]}{_PARTIAL}")
    with partial.open("ab") as file:
        done = resumed = _size_of(file)
        if done > size:
            file.truncate(0)
            done = resumed = 0
        _tell(on_progress, done, size, resumed)
        while done < size:
            piece = device.read(source.path, done, min(PIECE_BYTES, size - done))
            file.write(piece)
            file.flush()
            done += len(piece)
            _tell(on_progress, done, size, resumed)
        os.fsync(file.fileno())
    arrived = _digest_of(partial)
    if arrived != digest:
        partial.unlink()
        raise _changed(device, str(arrived), digest, "this machine")
    partial.replace(local)
    return CopiedFile(local, source.path, size, digest, resumed)


@dataclass(frozen=True, slots=True)
class _RemoteFile:
    """A file on the device: full path, size in bytes (None where there is none), SHA-256 where it was asked for."""

    path: str
    size: int | None
    sha256: str | None


def _resumed_there(device: _Device, partial: str, file: IO[bytes], size: int) -> int:
    """How much of the file an earlier copy left on the device; 0 where it is nothing or something else."""
    there = device.measure(partial, longest=size)
    if there.size and there.size <= size and _digest(file, there.size) == there.sha256:
        return there.size
    return 0


def _changed(device: _Device, arrived: str, digest: str, where: str) -> UsageError:
    return device.usage(
        f"the file changed while it was copied: SHA-256 {digest} was read first, {arrived} arrived; it was removed from {where}",
        "copy again while nothing writes to the file",
    )


class _Device:
    """The device's side of one copy.

    Raises:
        NotPermitted: The endpoint takes no scripts.
    """

    def __init__(self, session: Session, attempted: str) -> None:
        self.name = session.device.name
        self.attempted = attempted
        self._session = session
        if session.language in ("none", "constrained"):
            raise self._refusal()

    def size_of(self, path: str) -> int:
        """Size of a file there, in bytes; fails where there is none."""
        return self._measure(path, hash_if=_NO_SIZE, longest=0, required=True).size or 0

    def measure(self, path: str, *, longest: int, hash_if: int | None = None) -> _RemoteFile:
        """A file there.

        Args:
            path: Its path.
            longest: How many bytes it may take time to read through.
            hash_if: Read it through only if this is its size.
        """
        return self._measure(path, hash_if=-1 if hash_if is None else hash_if, longest=longest, required=False)

    def _measure(self, path: str, *, hash_if: int, longest: int, required: bool) -> _RemoteFile:
        found = self._run("Measure", _hash_limit_s(longest), Path=path, IfLength=hash_if, Required=required)
        if not isinstance(found, PsObject):
            raise self._unusable("the measures of a file")
        return _RemoteFile(str(found["Path"]), found["Length"], found["Sha256"])

    def write(self, path: str, offset: int, data: bytes) -> None:
        """Write a piece and end the file behind it."""
        self._run("Write", _LIMIT_S, Path=path, Offset=offset, Data=data)

    def read(self, path: str, offset: int, count: int) -> bytes:
        """A piece, never empty."""
        piece = self._run("Read", _LIMIT_S, Path=path, Offset=offset, Count=count)
        if not isinstance(piece, bytes):
            raise self._unusable("bytes")
        if not piece:
            raise self.usage(f"{path} became shorter while it was copied", "copy again while nothing writes to the file")
        return piece

    def complete(self, partial: str, path: str, sha256: str, size: int, *, overwrite: bool) -> str:
        """Give the whole file its name where its SHA-256 is this one; what it is."""
        found = self._run("Complete", _hash_limit_s(size), Partial=partial, Path=path, Sha256=sha256, Overwrite=overwrite)
        if not isinstance(found, PsObject):
            raise self._unusable("a SHA-256")
        return str(found["Sha256"])

    def usage(self, message: str, next_action: str | None = None) -> UsageError:
        """An error of this copy."""
        return UsageError(message, device=self.name, attempted=self.attempted, next_action=next_action)

    def _run(self, verb: str, limit_s: float, **parameters: Any) -> Any:
        try:
            result = self._session.run_script(_script(verb), timeout_s=limit_s, own_scope=True, **parameters)
        except NotPermitted as error:
            raise self._refusal() from error
        except CmdletFailed as error:
            error.attempted = self.attempted
            raise
        return result.output[-1] if result.output else None

    def _refusal(self) -> NotPermitted:
        return NotPermitted(
            "this endpoint takes no scripts, and without them files can be neither written nor read",
            device=self.name,
            attempted=self.attempted,
            next_action="use a session configuration with full language; or have the device fetch the file by itself "
            "(Install-AksLiteMsi takes an https address or a share), or use a network share; Copy-AksEdgeNodeFile copies "
            "between the host and its nodes",
        )

    def _unusable(self, wanted: str) -> CmdletFailed:
        return CmdletFailed(
            f"the device answered without {wanted}",
            command="the script",
            device=self.name,
            error_id="AnswerIsUnusable",
            next_action="look at what the device's PowerShell profile or endpoint writes to the output",
        )


@cache
def _script(verb: str) -> str:
    return files(__package__).joinpath("data", f"{verb}-AksLiteFile.ps1").read_text(encoding="utf-8")


def _hash_limit_s(size: int) -> float:
    return _LIMIT_S + size / _HASHED_BYTES_PER_S


def _tell(on_progress: Callable[[CopyProgress], None] | None, done: int, total: int, resumed: int) -> None:
    if on_progress is not None:
        on_progress(CopyProgress(done, total, resumed))


def _digest(file: IO[bytes], size: int) -> str | None:
    """SHA-256 of the first so many bytes, None where there are fewer."""
    file.seek(0)
    digest = hashlib.sha256()
    left = size
    while left and (block := file.read(min(left, _READ_BYTES))):
        digest.update(block)
        left -= len(block)
    return None if left else digest.hexdigest()


def _size_of(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)


def _digest_of(path: Path) -> str | None:
    with path.open("rb") as file:
        return _digest(file, _size_of(file))
