"""One controller per device: who works on it now, and how a second one is told.

Liveness is an operating-system lock on a file, which dies with its process; who, since when and for which run is
a small JSON file beside it. A lock left by a crashed process of this machine is taken over; one held elsewhere
is not, unless the caller shows its token. Every change happens under a short guard lock.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from akslite_ps.errors import RunLocked
from akslite_ps.journal.store import JournalError

LOCK_SCHEMA = 1
_GUARD_TIMEOUT_S = 10.0


def owner_name() -> str:
    """``user@host`` of this process, for journals, locks and reports."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no account name, as in some containers
        user = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds a device.

    Args:
        device: Name of the device.
        owner: ``user@host``.
        host: Host name of the controller.
        pid: Its process id.
        token: Names this holding of the lock; needed to take it by force.
        since: UTC.
        what: What is being done, e.g. ``deploy``.
        run_id: The run, once it has an id.
        generation: Counts forced takeovers; part of the lock file's name.
    """

    device: str
    owner: str
    host: str
    pid: int
    token: str
    since: dt.datetime
    what: str
    run_id: str | None = None
    generation: int = 0
    schema_version: int = LOCK_SCHEMA

    def as_data(self) -> dict[str, Any]:
        """The info as JSON-ready data."""
        return {**asdict(self), "since": self.since.isoformat()}


class DeviceLock:
    """A device held by this process; made by :class:`DeviceLocks`.

    ``left_by`` tells of the crashed or outvoted holder before this one, None where the device was free.
    """

    def __init__(self, locks: DeviceLocks, info: LockInfo, file_lock: FileLock, left_by: LockInfo | None) -> None:
        self._locks = locks
        self._file_lock = file_lock
        self.info = info
        self.left_by = left_by

    def assign(self, run_id: str) -> None:
        """Say which run the lock is for, so that a second controller can be told."""
        self.info = replace(self.info, run_id=run_id)
        self._locks.rewrite(self.info)

    def check(self) -> None:
        """Make sure nobody took the device by force.

        Raises:
            RunLocked: Another controller did; this one must stop at once.
        """
        current = self._locks.current(self.info.device)
        if current is None or current.token != self.info.token:
            raise RunLocked(
                "the lock was taken by force" + (f" by {current.owner} (process {current.pid})" if current else ""),
                device=self.info.device,
                attempted="go on with the run",
                next_action="let the other controller finish; see `akslite runs list`",
            )

    def release(self) -> None:
        """Give the device free."""
        self._locks.release(self.info, self._file_lock)


class DeviceLocks:
    """The locks of all devices below one folder.

    Args:
        folder: Where the lock files lie; beside the journal.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, device: str, *, what: str, run_id: str | None = None, force_token: str | None = None) -> Iterator[DeviceLock]:
        """Hold the device for the time of the ``with`` block; arguments as for :meth:`acquire`."""
        lock = self.acquire(device, what=what, run_id=run_id, force_token=force_token)
        try:
            yield lock
        finally:
            lock.release()

    def acquire(self, device: str, *, what: str, run_id: str | None = None, force_token: str | None = None) -> DeviceLock:
        """Take the device.

        Args:
            device: Name of the device.
            what: What is going to be done, for the message to a second controller.
            run_id: The run it is for, where known.
            force_token: The present holder's token: take the device from it.

        Raises:
            RunLocked: Another controller holds it; says who, since when, which run and the token.
            JournalError: The folder cannot be written, or its file system knows no locks.
        """
        with self._guard(device):
            left = self._read(device)
            generation = left.generation if left else 0
            forced = left is not None and force_token == left.token
            file_lock = self._try(device, generation)
            if file_lock is None and forced:
                generation += 1
                file_lock = self._try(device, generation)
            if file_lock is None:
                raise _held(device, left)
            if left is not None and left.host != socket.gethostname() and not forced:
                # the folder is shared: whether the process on that other machine still lives cannot be seen from here
                file_lock.release()
                raise _held(device, left)
            info = LockInfo(
                device=device,
                owner=owner_name(),
                host=socket.gethostname(),
                pid=os.getpid(),
                token=secrets.token_hex(6),
                since=dt.datetime.now(dt.UTC),
                what=what,
                run_id=run_id,
                generation=generation,
            )
            try:
                self._write(info)
            except JournalError:
                file_lock.release()
                raise
            return DeviceLock(self, info, file_lock, left)

    def holder(self, device: str) -> LockInfo | None:
        """Who holds the device now; None where it is free or its holder died on this machine."""
        if not self._info_file(device).exists():
            return None
        with self._guard(device):
            info = self._read(device)
            if info is None or info.host != socket.gethostname():
                return info
            probe = self._try(device, info.generation)
            if probe is None:
                return info
            probe.release()
            return None

    def current(self, device: str) -> LockInfo | None:
        """What the device's info file says, whether its holder lives or not."""
        with self._guard(device):
            return self._read(device)

    def _read(self, device: str) -> LockInfo | None:
        try:
            data = json.loads(self._info_file(device).read_text(encoding="utf-8"))
            return LockInfo(**{**data, "since": dt.datetime.fromisoformat(data["since"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def rewrite(self, info: LockInfo) -> None:
        """Store a changed info, unless the lock was taken by force meanwhile."""
        with self._guard(info.device):
            current = self._read(info.device)
            if current is not None and current.token == info.token:
                self._write(info)

    def release(self, info: LockInfo, file_lock: FileLock) -> None:
        """Remove the info, unless it is another's by now, and let the file go."""
        try:
            with self._guard(info.device):
                current = self._read(info.device)
                if current is not None and current.token == info.token:
                    self._info_file(info.device).unlink(missing_ok=True)
                file_lock.release()
        finally:
            file_lock.release()

    @contextmanager
    def _guard(self, device: str) -> Iterator[None]:
        """Alone with the device's files. Held for moments only; also keeps Windows from refusing to replace an open file."""
        guard = FileLock(self._folder / f"{_file_name(device)}.guard", timeout=_GUARD_TIMEOUT_S, thread_local=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            guard.acquire()
        except Timeout:
            raise _held(device, None) from None
        except OSError as error:
            raise self._unusable(device, error) from error
        try:
            yield
        finally:
            guard.release()

    def _try(self, device: str, generation: int) -> FileLock | None:
        lock = FileLock(self._folder / f"{_file_name(device)}.{generation}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise self._unusable(device, error) from error
        return lock

    def _unusable(self, device: str, error: OSError) -> JournalError:
        return JournalError(
            f"the folder of the locks, {self._folder}, cannot be used: {error.strerror or error}",
            device=device,
            attempted="take the device",
            next_action="make the folder writable and free its disk; if the share knows no locks, AKSLITE_HOME may be local",
        )

    def _info_file(self, device: str) -> Path:
        return self._folder / f"{_file_name(device)}.json"

    def _write(self, info: LockInfo) -> None:
        try:
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(info.as_data(), file)
                Path(name).replace(self._info_file(info.device))
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise self._unusable(info.device, error) from error


def _file_name(device: str) -> str:
    return device.casefold()


def _held(device: str, info: LockInfo | None) -> RunLocked:
    if info is None:
        return RunLocked(
            "another controller is about to work on it",
            device=device,
            attempted="take the device",
            next_action="try again in a moment",
        )
    run = f", run {info.run_id}" if info.run_id else ""
    return RunLocked(
        f"{info.owner} (process {info.pid} on {info.host}) works on it since {info.since:%Y-%m-%d %H:%M:%S} UTC:"
        f" {info.what}{run}, lock token {info.token}",
        device=device,
        attempted="take the device",
        next_action="wait until that run ends, or stop it there; use the token only if that controller is surely gone",
    )
