"""One background process per sandbox folder: start it, ask it, stop it.

Used by the command line through ``akslite_ps.sandbox``. The process is this Python with ``-m akslite_ps.sandbox``;
a lock in the folder keeps a second one out, the control channel tells when it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.sandbox.control import ControlClient, ControlServer, read_address
from akslite_ps.sandbox.description import SandboxStatus
from akslite_ps.sandbox.device.state import EngineName
from akslite_ps.sandbox.exposure import check_exposure
from akslite_ps.sandbox.supervisor import SETTINGS_FILE, Sandbox, check_engine, check_names, stored_devices

log = logging.getLogger(__name__)

LOG_FILE = "sandbox.log"
LOCK_FILE = "sandbox.lock"
_POLL_S = 0.05
_LAST_MOMENT_S = 5.0
_ALREADY_RUNNING = 3
_OPEN_FILES = 16_384
# Processes started by this one; they outlive it. Kept so that an ended one is waited for.
_started: list[subprocess.Popen[bytes]] = []


def up(
    directory: Path,
    *,
    devices: int = 3,
    speed: float = 60.0,
    name_prefix: str = "press",
    address_base: str = "127.77.0.0",
    free_ports: bool = False,
    engine: EngineName = "embedded",
    listen: str | None = None,
    confirmed_exposure: str | None = None,
    wait_s: float = 30.0,
) -> SandboxStatus:
    """Have a sandbox with at least this many devices running in the background.

    Starts its process if none runs. Devices that exist already keep their state, their names and their ports; a
    running sandbox takes the speed given here.

    Args:
        directory: The sandbox's folder, made when it does not exist.
        devices: How many devices there should be; never fewer than there are.
        speed: Device seconds per real second.
        name_prefix: New devices are called ``<prefix>-01`` and so on.
        address_base: The device number is added to this loopback address.
        free_ports: Let the system choose the ports of new devices instead of 5985, 5986 and 6443.
        engine: What runs the pipelines of new devices: ``embedded``, or ``pwsh`` for the PowerShell of this machine.
        listen: One address of this machine for all new devices, which others reach, too; None: each has its loopback address.
        confirmed_exposure: The same address a second time, as confirmation (``akslite_ps.sandbox.exposure``).
        wait_s: Seconds to wait until everything answers.

    Raises:
        UsageError: A name, an address, a speed or an engine that cannot be used, or an address that is not confirmed.
        AksLiteError: The process does not come up; says where its log is.
    """
    if not speed > 0:
        raise UsageError(f"speed must be above 0, not {speed}", next_action="choose e.g. 60: a minute passes in a second")
    check_names(name_prefix, address_base)
    check_engine(engine)
    if listen is not None:
        check_exposure(listen, confirmed_exposure, engine=engine)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be made: {error.strerror or error}",
            attempted="start the sandbox",
            next_action="check the path and its permissions, or choose another folder with AKSLITE_HOME",
        ) from None
    deadline = time.monotonic() + wait_s
    if _running(directory) is None:
        _start_process(directory, deadline)
    client = _client(directory, timeout_s=max(1.0, deadline - time.monotonic()))
    if client is None:
        raise _not_up(directory, "it stopped again right after it had started")
    try:
        return client.grow(
            devices=devices,
            speed=speed,
            name_prefix=name_prefix,
            address_base=address_base,
            free_ports=free_ports,
            engine=engine,
            listen=listen,
            confirmed_exposure=confirmed_exposure,
        )
    except OSError as error:
        raise _not_up(directory, f"its control channel does not answer ({error})") from error


def status(directory: Path) -> SandboxStatus:
    """The sandbox of a folder; its devices as they are on disk where its process does not run."""
    running = _running(directory)
    if running is not None:
        return running
    return SandboxStatus(False, None, 0.0, directory, tuple(stored_devices(directory)))


def down(directory: Path, *, delete: bool = False, wait_s: float = 15.0) -> SandboxStatus:
    """Stop the sandbox of a folder; its devices keep their state for the next ``up``.

    Args:
        directory: The sandbox's folder.
        delete: Also delete the folder with all devices.
        wait_s: Seconds to wait until the process is gone.

    Raises:
        AksLiteError: The process does not end.
    """
    client = _client(directory)
    if client is not None:
        with contextlib.suppress(OSError):
            client.stop()
        _wait_for_end(directory, time.monotonic() + wait_s)
        _reap(client.pid)
    if delete and directory.is_dir():
        _delete(directory)
    return status(directory)


def add_fault(directory: Path, device: str, fault: str, **how: Any) -> SandboxStatus:
    """Switch a named fault on for a device of the running sandbox.

    Args:
        directory: The sandbox's folder.
        device: Its name.
        fault: One of ``FAULT_KINDS``.
        how: When it strikes and the fault's parameters, as ``akslite_ps.sandbox.device.faults.make_fault`` takes them.

    Raises:
        UsageError: No such device, fault, moment or parameter, or the sandbox does not run.
    """
    return _needed_client(directory).add_fault(device, fault, how)


def clear_faults(directory: Path, device: str, fault: str | None = None) -> SandboxStatus:
    """Switch one fault of a device off, or all.

    Raises:
        UsageError: No such device, or the sandbox does not run.
    """
    return _needed_client(directory).clear_faults(device, fault)


def reboot(directory: Path, device: str) -> SandboxStatus:
    """Restart a device of the running sandbox without notice to whoever works on it.

    Raises:
        UsageError: No such device, or the sandbox does not run.
    """
    return _needed_client(directory).reboot(device)


def stage_update(directory: Path, device: str, version: str | None = None, *, by_hand: bool = False) -> SandboxStatus:
    """Let the files of an update of the product arrive on a device, by Microsoft Update or by hand.

    Args:
        directory: The sandbox's folder.
        device: Its name.
        version: Product version or its beginning, e.g. ``1.11``; None for the release that follows the installed one.
        by_hand: Somebody runs the files of the Update Catalog, which need not fit.

    Raises:
        UsageError: No such device or release, or Microsoft Update would not offer it; or the sandbox does not run.
    """
    return _needed_client(directory).stage_update(device, version, by_hand=by_hand)


def azure_overview(directory: Path) -> dict[str, Any]:
    """What the simulated Azure side knows: tenants, resource groups, service principals, connected clusters; no secrets.

    Raises:
        UsageError: The sandbox does not run.
    """
    return _needed_client(directory).azure_overview()


def grant_azure_access(
    directory: Path, *, resource_group: str = "edge", location: str = "westeurope", roles: Sequence[str]
) -> dict[str, Any]:
    """Make a service principal with roles on a resource group of the simulated Azure side.

    Returns:
        The values of a config's Arc section, and ``secret_file``: the file with the secret alone.

    Raises:
        UsageError: There is no such role, or the sandbox does not run.
    """
    return _needed_client(directory).grant_azure_access(resource_group, location, roles)


def delete_azure_cluster(directory: Path, resource_id: str) -> dict[str, Any]:
    """Delete a connected cluster in the simulated Azure side, as somebody with the portal would; the device is not told.

    Raises:
        UsageError: There is no such resource, or the sandbox does not run.
    """
    return _needed_client(directory).delete_azure_cluster(resource_id)


def change_hardware(directory: Path, device: str, **changes: Any) -> SandboxStatus:
    """Make the host of a device another one, e.g. ``total_memory_mb=4096`` (``akslite_ps.sandbox.device.state.Hardware``).

    Raises:
        UsageError: No such device or property, or the sandbox does not run.
    """
    return _needed_client(directory).change_hardware(device, changes)


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m akslite_ps.sandbox --directory D``: serve the sandbox of a folder in the foreground until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m akslite_ps.sandbox", description="Serve simulated devices of a folder.")
    parser.add_argument("--directory", type=Path, required=True, help="folder with the state of the devices")
    parser.add_argument("--speed", type=float, default=60.0, help="device seconds per real second (default: 60)")
    arguments = parser.parse_args(argv)
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    _allow_many_sockets()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with FileLock(directory / LOCK_FILE, timeout=0):
            asyncio.run(_serve(directory, arguments.speed))
    except Timeout:
        log.error("a sandbox runs on %s already", directory)
        return _ALREADY_RUNNING
    except AksLiteError as error:
        log.error("%s", " ".join(str(error).split()))
        return 1
    return 0


def _allow_many_sockets() -> None:
    """POSIX gives a process 1,024 open files unless it asks for what it may have; a device listens on two or three."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(directory: Path, speed: float) -> None:
    sandbox = Sandbox(directory, speed=speed)
    asked_to_stop = asyncio.Event()
    control = ControlServer(sandbox, pid=os.getpid(), stop=asked_to_stop.set)
    _stop_on_signals(asked_to_stop.set)
    try:
        await sandbox.start()
        await control.start()
        await asked_to_stop.wait()
    finally:
        await control.stop()
        await sandbox.stop()


def _stop_on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def _client(directory: Path, *, timeout_s: float = 10.0) -> ControlClient | None:
    address = read_address(directory)
    return ControlClient(directory, address, timeout_s=timeout_s) if address else None


def _needed_client(directory: Path) -> ControlClient:
    client = _client(directory)
    if client is None or _running(directory) is None:
        raise UsageError("the sandbox does not run", next_action="start it: akslite sandbox up")
    return client


def _running(directory: Path) -> SandboxStatus | None:
    """The running sandbox's own answer; None where nobody answers, e.g. because its process was killed."""
    client = _client(directory)
    if client is None:
        return None
    try:
        return client.status()
    except (OSError, AksLiteError):
        return None


def _start_process(directory: Path, deadline: float) -> None:
    command = [sys.executable, "-m", "akslite_ps.sandbox", "--directory", str(directory.resolve())]
    with (directory / LOG_FILE).open("ab") as output:
        process = _start_detached(command, directory, output)
    _started.append(process)
    while time.monotonic() < deadline:
        if _running(directory) is not None:
            return
        code = process.poll()
        # Somebody else may have started one at the same moment; then theirs answers soon.
        if code is not None and code != _ALREADY_RUNNING:
            raise _not_up(directory, f"its process ended with code {code}")
        time.sleep(_POLL_S)
    raise _not_up(directory, "it did not answer in time")


def _start_detached(command: list[str], folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and its console."""

    def start(flags: int = 0, *, new_session: bool = False) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            creationflags=flags,
            start_new_session=new_session,
        )

    if sys.platform != "win32":
        return start(new_session=True)
    flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    try:
        # Terminals and schedulers put their children into a job that ends with them; not every job lets one go.
        return start(flags | subprocess.CREATE_BREAKAWAY_FROM_JOB)
    except PermissionError:
        return start(flags)


def _wait_for_end(directory: Path, deadline: float) -> None:
    """The process holds the folder's lock as long as it lives."""
    lock = FileLock(directory / LOCK_FILE)
    try:
        with lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            pass
    except Timeout:
        raise AksLiteError(
            "the sandbox does not end",
            attempted="stop the sandbox",
            next_action=f"end its process by hand; its log is {directory / LOG_FILE}",
        ) from None


def _reap(pid: int) -> None:
    """Wait for an ended process if it was ours; it lets go of the lock a moment before it is gone."""
    for process in [p for p in _started if p.pid == pid or p.poll() is not None]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_MOMENT_S)
            _started.remove(process)


def _delete(directory: Path) -> None:
    ours = any((directory / name).is_file() for name in (SETTINGS_FILE, LOCK_FILE))
    if not ours and any(directory.iterdir()):
        raise UsageError(f"{directory} is not the folder of a sandbox", next_action="delete it by hand if you are sure")
    shutil.rmtree(directory)


def _not_up(directory: Path, reason: str) -> AksLiteError:
    log_file = directory / LOG_FILE
    last = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if log_file.is_file() else []
    return AksLiteError(
        f"{reason}" + (f"; its log ends with: {last[0]}" if last else ""),
        attempted="start the sandbox",
        next_action=f"read {log_file}; where a port is taken, use: akslite sandbox up --free-ports",
    )
