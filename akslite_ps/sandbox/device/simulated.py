"""A simulated device: its state, its power, and what the listener needs of it.

Made and run by ``sandbox.supervisor``, one object per device, all on one event loop. The listener asks it for
runspaces (``engine.HostedDevice``); the commands in ``sandbox.commands`` read and change its state.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from akslite_ps.errors import UsageError
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.clock import DeviceClock, Pace
from akslite_ps.sandbox.device.cluster_host import ClusterHost
from akslite_ps.sandbox.device.fault_kind import Scalar
from akslite_ps.sandbox.device.faults import make_fault
from akslite_ps.sandbox.device.state import DeviceSpec, DeviceState, DeviceStore, Fault, Hardware
from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace
from akslite_ps.sandbox.engine import Account, Runspace

log = logging.getLogger(__name__)

CONFIGURATIONS = ("Microsoft.PowerShell",)


class Listener(Protocol):
    """The device's WinRM service (``sandbox.winrm.WinRMListener``)."""

    http_port: int
    https_port: int

    async def start(self) -> None: ...
    async def stop(self, *, abort: bool = False) -> None: ...


class SimulatedDevice:
    """One device.

    Args:
        store: Its folder on disk, holding spec and state.
        pace: The sandbox's speed.
        make_listener: Makes its WinRM service; called at every start of the machine.
        make_certificate: Makes certificate and key (PEM) of the HTTPS listener, called when first needed.
    """

    def __init__(
        self,
        store: DeviceStore,
        pace: Pace,
        *,
        make_listener: Callable[[SimulatedDevice], Listener],
        make_certificate: Callable[[DeviceSpec], tuple[bytes, bytes]],
    ) -> None:
        self.store = store
        self.clock = DeviceClock(pace)
        self._spec, loaded = store.load()
        self._state = _after_restart_of_the_sandbox(loaded, self.clock.now())
        self._make_listener = make_listener
        self._make_certificate = make_certificate
        self._listener: Listener | None = None
        self._account: Account | None = None
        self._working: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._planned_reboot: asyncio.Task[None] | None = None
        self._random = random.Random(self._spec.name)  # noqa: S311 - boot times, not secrets
        self.cluster = ClusterHost(self)
        self._follow_slowness()

    # -- what the listener asks (engine.HostedDevice) -------------------------------------------------------

    @property
    def name(self) -> str:
        return self._spec.name

    @property
    def computer_name(self) -> str:
        return self._spec.computer_name

    @property
    def address(self) -> str:
        return self._spec.address

    @property
    def http_port(self) -> int:
        return self._spec.http_port

    @property
    def https_port(self) -> int:
        return self._spec.https_port

    @property
    def accounts(self) -> Sequence[Account]:
        if self._account is None:
            self._account = Account(self._spec.computer_name, self._spec.user, self.store.password())
        return (self._account,)

    @property
    def os_version(self) -> str:
        return f"{self.hardware.os_version}.0"

    def now(self) -> dt.datetime:
        return self.clock.now()

    def server_certificate(self) -> tuple[bytes, bytes]:
        return self._make_certificate(self._spec)

    def open_runspace(self, configuration_name: str, user: str) -> Runspace:
        """A new runspace; it sees the modules that are installed at this moment.

        Raises:
            LookupError: There is no such session configuration.
        """
        from akslite_ps.sandbox.commands import commands_for

        wanted = configuration_name.rpartition("/")[2] or CONFIGURATIONS[0]
        if wanted.casefold() not in {name.casefold() for name in CONFIGURATIONS}:
            raise LookupError(f"there is no session configuration {wanted!r} on {self.computer_name}")
        return EmbeddedRunspace(self, user, commands_for(self.state.product))

    # -- state ----------------------------------------------------------------------------------------------

    @property
    def spec(self) -> DeviceSpec:
        return self._spec

    @property
    def hardware(self) -> Hardware:
        return self._spec.hardware

    @property
    def state(self) -> DeviceState:
        return self._state

    def update(self, **changes: Any) -> DeviceState:
        """Change the state and keep it on disk."""
        self._state = self._state.model_copy(update=changes)
        self.store.save(self._spec, self._state)
        return self._state

    def configure(self, spec: DeviceSpec) -> None:
        """Change what the device is, e.g. its hardware; ports and names take effect at its next start."""
        self._spec = spec
        self.store.save(self._spec, self._state)

    def change_hardware(self, **changes: Any) -> None:
        """Make the host another one, e.g. ``total_memory_mb=4096`` or ``default_gateway=None``; see :class:`Hardware`.

        Raises:
            UsageError: No such property, or not a value for it.
        """
        try:
            hardware = Hardware.model_validate({**self.hardware.model_dump(), **changes})
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            known = ", ".join(Hardware.model_fields)
            raise UsageError(
                f"the hardware cannot have {fault['loc'][0]}: {fault['msg']}", device=self.name, next_action=f"it has: {known}"
            ) from None
        self.configure(self._spec.model_copy(update={"hardware": hardware}))

    def keep_file(self, path: str, text: str) -> None:
        """Write a text file on the device's drive. Windows ignores case in paths."""
        self.update(files={**self._state.files, path.casefold(): text})

    def read_file(self, path: str) -> str | None:
        """A text file of the device's drive, None where there is none."""
        return self._state.files.get(path.casefold())

    def switch_on(self, feature: str) -> None:
        """Switch a Windows feature on; it works after the next restart."""
        reasons = ("component servicing", "Windows features")
        self.update(features={**self._state.features, feature: "EnablePending"}, pending_reboot=reasons)

    # -- faults ---------------------------------------------------------------------------------------------

    def add_fault(self, name: str, *, times: int | None = None, **parameters: Scalar) -> Fault:
        """Switch a fault on; see ``device.faults``. A fault of the same name is replaced.

        Raises:
            UsageError: Unknown fault or parameter.
        """
        fault = make_fault(name, times=times, **parameters)
        self.update(faults=(*(f for f in self._state.faults if f.name != name), fault))
        self._follow_faults()
        return fault

    def clear_faults(self, name: str | None = None) -> None:
        """Switch a fault off, or all."""
        self.update(faults=tuple(f for f in self._state.faults if name is not None and f.name != name))
        self._follow_faults()

    def fault(self, name: str) -> Fault | None:
        """The fault if it is on."""
        return next((f for f in self._state.faults if f.name == name), None)

    def take_fault(self, name: str, **where: Scalar) -> Fault | None:
        """Let a fault strike: returns it if it is on and its parameters match, and counts it down."""
        fault = self.fault(name)
        if fault is None or any(fault.parameters.get(key) != value for key, value in where.items()):
            return None
        others = tuple(f for f in self._state.faults if f.name != name)
        if fault.remaining is not None:
            left = fault.remaining - 1
            self.update(faults=(*others, fault.model_copy(update={"remaining": left})) if left else others)
        log.info("%s: fault %s strikes", self.name, name)
        return fault

    def _follow_faults(self) -> None:
        self._follow_slowness()
        self.spawn(self.cluster.follow_faults())

    def _follow_slowness(self) -> None:
        slow = self.fault("slow")
        self.clock.slowness = float(slow.parameters["factor"]) if slow else 1.0

    # -- power ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the services of the machine, when the sandbox starts or after a boot."""
        listener = self._make_listener(self)
        await listener.start()
        self._listener = listener
        if (self._spec.http_port, self._spec.https_port) != (listener.http_port, listener.https_port):
            self.configure(self._spec.model_copy(update={"http_port": listener.http_port, "https_port": listener.https_port}))
        await self.cluster.start()

    async def stop(self) -> None:
        """Stop everything because the sandbox stops; the state on disk is what a next start goes on from."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stop_services(abort=False)
        self.store.save(self._spec, self._state)

    def begin_reboot(self, delay_seconds: float = 0.0) -> asyncio.Task[None]:
        """Restart the machine after a delay in device seconds; returns at once.

        A restart that is planned or under way already is the one returned, unless this one is to happen at once.
        """
        planned = self._planned_reboot
        if planned is not None and not planned.done():
            if delay_seconds > 0 or self._state.power != "on":
                return planned
            planned.cancel()
        self._planned_reboot = self.spawn(self._reboot(delay_seconds))
        return self._planned_reboot

    async def reboot(self) -> None:
        """Restart the machine now, without notice to anyone, and wait until it is up again."""
        await asyncio.shield(self.begin_reboot())

    async def reboot_under_us(self) -> None:
        """For a command during which the machine restarts: never returns, the command is torn down with the machine."""
        self.begin_reboot()
        await asyncio.Event().wait()

    async def _reboot(self, delay_seconds: float) -> None:
        await asyncio.sleep(self.clock.notice_seconds(delay_seconds))
        log.info("%s: going down", self.name)
        self.update(power="restarting")
        await self._stop_services(abort=True)
        await self.clock.sleep(self._random.uniform(*assumptions.BOOT_SECONDS))
        self._state = _after_boot(self._state, self.clock.now())
        await self.start()
        self.store.save(self._spec, self._state)
        log.info("%s: up again", self.name)

    async def _stop_services(self, *, abort: bool) -> None:
        if self._listener is not None:
            listener, self._listener = self._listener, None
            await listener.stop(abort=abort)
        running = list(self._working)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.cluster.stop(abort=abort)

    @property
    def is_idle(self) -> bool:
        """True where no pipeline runs."""
        return not self._working

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """While a pipeline runs: it ends with the machine."""
        task = asyncio.current_task()
        if task is None or task in self._working:
            yield
            return
        self._working.add(task)
        try:
            yield
        finally:
            self._working.discard(task)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something of the machine's own beside the pipelines; it ends with the sandbox."""
        task = asyncio.get_running_loop().create_task(work, name=f"sandbox device {self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s: %s failed", self.name, task.get_name(), exc_info=task.exception())


def _after_boot(state: DeviceState, now: dt.datetime) -> DeviceState:
    """What a boot does to the state: features that waited for it are on, nothing waits for a restart any more."""
    features = {name: "Enabled" if value == "EnablePending" else value for name, value in state.features.items()}
    return state.model_copy(
        update={"power": "on", "boot_time": now, "features": features, "pending_reboot": (), "deployment": _interrupted(state)}
    )


def _after_restart_of_the_sandbox(state: DeviceState, now: dt.datetime) -> DeviceState:
    """A device that was restarting has come up meanwhile; what ran on it has been torn down."""
    if state.power == "restarting":
        return _after_boot(state, now)
    return state.model_copy(update={"deployment": _interrupted(state)})


def _interrupted(state: DeviceState) -> Any:
    if state.deployment is not None and state.deployment.phase == "creating":
        return state.deployment.model_copy(update={"phase": "broken"})
    return state.deployment
