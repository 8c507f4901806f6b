"""A simulated device: its state, its power, and what the listener needs of it.

Made and run by ``sandbox.supervisor``, one object per device, all on one event loop. The listener asks it for
runspaces (``engine.HostedDevice``); the commands in ``sandbox.commands`` read and change its state.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import datetime as dt
import functools
import logging
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from pydantic import ValidationError

from akslite_ps.errors import UsageError
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.azure.cloud import SimulatedAzure
from akslite_ps.sandbox.device import system_events
from akslite_ps.sandbox.device.clock import DeviceClock, Pace
from akslite_ps.sandbox.device.cluster_host import ClusterHost
from akslite_ps.sandbox.device.drive import Drive
from akslite_ps.sandbox.device.event_log import EventLog
from akslite_ps.sandbox.device.fault_kind import Scalar
from akslite_ps.sandbox.device.fault_switch import FaultSwitch
from akslite_ps.sandbox.device.local_accounts import local_accounts
from akslite_ps.sandbox.device.logons import Logons
from akslite_ps.sandbox.device.node_files import NodeFiles
from akslite_ps.sandbox.device.product_faults import HOST_STATES, cure
from akslite_ps.sandbox.device.site import Site
from akslite_ps.sandbox.device.state import DeviceSpec, DeviceState, Fault, Hardware, NodeKind
from akslite_ps.sandbox.device.store import DeviceStore
from akslite_ps.sandbox.engine import Account, LogonSettings, Runspace
from akslite_ps.sandbox.relayed_engine import RelayedEngine

if TYPE_CHECKING:
    from akslite_ps.sandbox.pwsh.device_engine import DeviceEngine

log = logging.getLogger(__name__)


class Listener(Protocol):
    """The device's WinRM service (``sandbox.winrm.WinRMListener``)."""

    http_port: int
    https_port: int

    async def start(self) -> None: ...
    async def stop(self, *, abort: bool = False) -> None: ...
    async def follow_network(self, away: Literal["refused", "silent"] | None) -> None:
        """Be in the network (None), or away from it; shells and what runs in them go on."""
        ...

    def cut(self) -> None:
        """Reset every connection; shells go on."""
        ...


class MakeCertificate(Protocol):
    """Makes certificate and key, PEM, of a device's HTTPS listener."""

    def __call__(self, spec: DeviceSpec, *, expired: bool) -> tuple[bytes, bytes]: ...


class SimulatedDevice:
    """One device.

    Args:
        store: Its folder on disk, holding spec and state.
        pace: The sandbox's speed.
        azure: The simulated Azure that it can connect to.
        site: Where it stands, with its neighbours.
        make_listener: Makes its WinRM service; called at every start of the machine.
        make_engine: Makes what runs its PowerShell processes; called when the first is needed.
        make_certificate: Makes certificate and key (PEM) of the HTTPS listener, or one that has expired, when first needed.
        client_authority: Authority whose client certificates the device trusts, PEM.
        made: Spec and state of a device that has not changed since it was made; by default they are read from its folder.
    """

    def __init__(
        self,
        store: DeviceStore,
        pace: Pace,
        *,
        azure: SimulatedAzure,
        site: Site,
        make_listener: Callable[[SimulatedDevice], Listener],
        make_engine: Callable[[SimulatedDevice], DeviceEngine],
        make_certificate: MakeCertificate,
        client_authority: bytes | None = None,
        made: tuple[DeviceSpec, DeviceState] | None = None,
    ) -> None:
        self.store = store
        self.clock = DeviceClock(pace)
        self._spec, loaded = self._kept = made or store.load()
        self._state = _after_restart_of_the_sandbox(loaded, self.clock.now())
        self._make_listener = make_listener
        self._make_engine = make_engine
        self._engine: DeviceEngine | None = None
        self._make_certificate = make_certificate
        self._listener: Listener | None = None
        self._accounts: tuple[Account, ...] | None = None
        self._logons = Logons(self, client_authority)
        self._working: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._planned_reboot: asyncio.Task[None] | None = None
        self._switch = FaultSwitch(self)
        self._following = asyncio.Lock()
        self._known_password_changed = False
        self.azure = azure
        self.drive = Drive(store.folder / "drive")
        self.events = EventLog(store.folder / "events.jsonl")
        self.site = site
        self.cluster = ClusterHost(self, site)
        site.add_device(self)

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
        if self._accounts is None:
            self._accounts = local_accounts(self._spec, self.store)
        if self.fault("password-changed"):
            return self._logons.with_standing(
                [replace(account, password=f"{account.password}-changed") for account in self._accounts]
            )
        return self._logons.with_standing(self._accounts)

    @property
    def logon_settings(self) -> LogonSettings:
        return self._logons.settings

    def note_logon(self, user: str, *, succeeded: bool) -> None:
        self._logons.note(user, succeeded=succeeded)

    @property
    def os_version(self) -> str:
        return f"{self.hardware.os_version}.0"

    def now(self) -> dt.datetime:
        return self.clock.now()

    def server_certificate(self) -> tuple[bytes, bytes]:
        return self._make_certificate(self._spec, expired=self.fault("server-certificate-expired") is not None)

    def open_engine(self, configuration_name: str, user: str) -> RelayedEngine | None:
        """The PowerShell process for a new shell, where the device has that engine; see ``relayed_engine.RelayingDevice``.

        Restricted session configurations stay with the embedded engine: a real PowerShell would have to be locked up first.

        Raises:
            LookupError: There is no such session configuration.
            PermissionError: The user is in none of the groups that may use it.
        """
        from akslite_ps.sandbox.device.session_configurations import open_session

        if self._spec.engine == "embedded":
            return None
        runspace = open_session(self, configuration_name, user)
        if not runspace.session.takes_script_text:
            return None
        if self._engine is None:
            self._engine = self._make_engine(self)
        return self._engine.open(runspace)

    def open_runspace(self, configuration_name: str, user: str) -> Runspace:
        """A new runspace; it sees the modules that are installed at this moment.

        Raises:
            LookupError: There is no such session configuration.
            PermissionError: The user is in none of the groups that may use it.
        """
        from akslite_ps.sandbox.device.session_configurations import open_session

        return open_session(self, configuration_name, user)

    # -- state ----------------------------------------------------------------------------------------------

    @property
    def spec(self) -> DeviceSpec:
        return self._spec

    @property
    def hardware(self) -> Hardware:
        """The host as it is now, with its faults."""
        hardware = self._spec.hardware
        for fault in self._state.faults:
            if fault.name in HOST_STATES and self.fault(fault.name) is not None:
                hardware = hardware.model_copy(update=HOST_STATES[fault.name])
        return hardware

    @property
    def state(self) -> DeviceState:
        return self._state

    def update(self, **changes: Any) -> DeviceState:
        """Change the state and keep it on disk."""
        self._state = self._state.model_copy(update=changes)
        self._keep()
        return self._state

    def configure(self, spec: DeviceSpec) -> None:
        """Change what the device is, e.g. its hardware; ports and names take effect at its next start."""
        self._spec = spec
        self._keep()

    def _keep(self) -> None:
        """Write what the device is and what has become of it, where that is not on disk already."""
        spec, state = self._kept
        if spec is not self._spec or state is not self._state:
            self.store.save(self._spec, self._state)
            self._kept = (self._spec, self._state)

    def change_hardware(self, **changes: Any) -> None:
        """Make the host another one, e.g. ``total_memory_mb=4096`` or ``default_gateway=None``; see :class:`Hardware`.

        Raises:
            UsageError: No such property, or not a value for it.
        """
        try:
            hardware = Hardware.model_validate({**self._spec.hardware.model_dump(), **changes})
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            known = ", ".join(Hardware.model_fields)
            raise UsageError(
                f"the hardware cannot have {fault['loc'][0]}: {fault['msg']}", device=self.name, next_action=f"it has: {known}"
            ) from None
        self.configure(self._spec.model_copy(update={"hardware": hardware}))

    def node_files(self, kind: NodeKind) -> NodeFiles:
        """The file system of a node VM, as far as somebody has written to it."""
        return NodeFiles(self.store.folder / "nodes" / kind.casefold())

    def keep_file(self, path: str, text: str) -> None:
        """Write a text file on the device's drive.

        Raises:
            BadPath: The path leads to no place on the drive.
        """
        self.drive.write(path, text.encode())

    def read_file(self, path: str) -> str | None:
        """A text file of the device's drive, None where there is none."""
        data = self.drive.read(path)
        return None if data is None else data.decode(_encoding(data), errors="replace")

    def switch_on(self, feature: str) -> None:
        """Switch a Windows feature on; it works after the next restart."""
        reasons = ("component servicing", "Windows features")
        self.update(features={**self._state.features, feature: "EnablePending"}, pending_reboot=reasons)

    # -- faults ---------------------------------------------------------------------------------------------

    def add_fault(self, name: str, **how: Any) -> Fault:
        """Switch a fault on; one of the same name is replaced.

        Args:
            name: The kind, one of ``device.faults.FAULT_KINDS``.
            how: ``at``, ``after``, ``times``, ``probability``, ``seed``, ``lasts_s`` and the kind's parameters, as
                ``device.faults.make_fault`` takes them.

        Raises:
            UsageError: Unknown fault, moment or parameter.
        """
        return self._switch.add(name, **how)

    def clear_faults(self, name: str | None = None) -> None:
        """Switch a fault off, or all.

        Raises:
            UsageError: There is no fault of that name.
        """
        self._switch.clear(name)

    def fault(self, name: str) -> Fault | None:
        """The fault if it is on."""
        return self._switch.find(name)

    def take_fault(self, name: str, *, at: str | None = None, **where: Scalar) -> Fault | None:
        """Let a fault strike, if it is on and this is a moment of it: returns it then, and counts it down.

        Args:
            name: The fault.
            at: What happens at this moment, in the words of ``--at``. The operations under way (:meth:`carrying_out`) count too.
            where: Parameters that must have these values.
        """
        return self._switch.take(name, at, where)

    def strike(self, at: str) -> Mapping[str, Mapping[str, Scalar]]:
        """The faults of the transport that strike a request; see ``engine.HostedDevice``."""
        return self._switch.strike(at) if self._state.faults else {}

    def carrying_out(self, cmdlet: str) -> contextlib.AbstractContextManager[None]:
        """While a cmdlet runs: faults that were asked for at its operation can strike."""
        return self._switch.carrying_out(cmdlet)

    async def follow_faults(self) -> None:
        """Make listener and cluster what the faults that are on now ask for."""
        async with self._following:
            if self._listener is not None:
                away = self.fault("network-away")
                await self._listener.follow_network(cast(Any, away.parameters["how"]) if away else None)
                changed = self.fault("password-changed") is not None
                if changed and not self._known_password_changed:
                    self._listener.cut()
                self._known_password_changed = changed
            await self.cluster.follow_faults()

    # -- power ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the services of the machine, when the sandbox starts or after a boot."""
        await self._start_winrm()
        await self.cluster.start()
        if self._state.faults:
            self._switch.follow()

    async def _start_winrm(self) -> None:
        async with self._following:
            if self._listener is not None:
                return
            listener = self._make_listener(self)
            await listener.start()
            self._listener = listener
        if (self._spec.http_port, self._spec.https_port) != (listener.http_port, listener.https_port):
            self.configure(self._spec.model_copy(update={"http_port": listener.http_port, "https_port": listener.https_port}))

    async def stop(self) -> None:
        """Stop everything because the sandbox stops; the state on disk is what a next start goes on from."""
        self._switch.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stop_services(abort=False, machine_goes_down=False)
        self._keep()

    def begin_reboot(
        self, delay_seconds: float = 0.0, *, is_announced: bool = False, keeps_boot_time: bool = False
    ) -> asyncio.Task[None]:
        """Restart the machine after a delay in device seconds; returns at once.

        A restart that is planned or under way already is the one returned, unless this one is to happen at once.

        Args:
            delay_seconds: From now, in device seconds.
            is_announced: Windows stops its services in order: clients are told that their sessions end.
            keeps_boot_time: Windows tells the same boot time afterwards, as after a fast start.
        """
        planned = self._planned_reboot
        if planned is not None and not planned.done():
            if delay_seconds > 0 or self._state.power != "on":
                return planned
            planned.cancel()
        self._planned_reboot = self.spawn(self._reboot(delay_seconds, is_announced=is_announced, keeps_boot_time=keeps_boot_time))
        return self._planned_reboot

    def cut_connections(self) -> None:
        """Reset every connection of the machine's clients; their sessions go on."""
        if self._listener is not None:
            self._listener.cut()

    async def reboot(self) -> None:
        """Restart the machine now, without notice to anyone, and wait until it is up again."""
        await asyncio.shield(self.begin_reboot())

    async def reboot_under_us(self) -> None:
        """For a command during which the machine restarts: never returns, the command is torn down with the machine."""
        self.begin_reboot()
        await asyncio.Event().wait()

    async def restart_winrm(self, down_seconds: float) -> None:
        """Restart the WinRM service: its sessions and what runs in them end, the machine goes on.

        Args:
            down_seconds: How long nobody listens, in device seconds.
        """
        await self._stop_winrm(abort=True)
        await self.clock.sleep(down_seconds)
        if self._state.power == "on":
            await self._start_winrm()
            self._switch.follow()

    async def _reboot(self, delay_seconds: float, *, is_announced: bool, keeps_boot_time: bool) -> None:
        await asyncio.sleep(self.clock.notice_seconds(delay_seconds))
        log.info("%s: going down", self.name)
        self.update(power="restarting")
        system_events.note_shutdown(self, is_announced=is_announced)
        await self._stop_services(abort=not is_announced)
        await self.clock.sleep(self._boot_times.uniform(*assumptions.BOOT_SECONDS))
        self._state = _after_boot(self._state, self._state.boot_time if keeps_boot_time else self.clock.now())
        cure(self, "reboot")
        system_events.note_start(self, was_announced=is_announced)
        await self.start()
        self._keep()
        log.info("%s: up again", self.name)

    async def _stop_services(self, *, abort: bool, machine_goes_down: bool = True) -> None:
        await self._stop_winrm(abort=abort)
        await self.cluster.stop(abort=abort, machine_goes_down=machine_goes_down)

    async def _stop_winrm(self, *, abort: bool) -> None:
        if self._listener is not None:
            listener, self._listener = self._listener, None
            await listener.stop(abort=abort)
        if self._engine is not None:
            await self._engine.stop()
        running = list(self._working)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @functools.cached_property
    def _boot_times(self) -> random.Random:
        return random.Random(self._spec.name)  # noqa: S311 - boot times, not secrets

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


def _encoding(data: bytes) -> str:
    """Windows PowerShell writes UTF-16, and UTF-8 with a mark at the beginning."""
    return "utf-16" if data[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig"


def _after_boot(state: DeviceState, boot_time: dt.datetime) -> DeviceState:
    """What a boot does to the state: features that waited for it are on, nothing waits for a restart any more."""
    features = {name: "Enabled" if value == "EnablePending" else value for name, value in state.features.items()}
    return state.model_copy(
        update={
            "power": "on",
            "boot_time": boot_time,
            "features": features,
            "pending_reboot": (),
            "deployment": _interrupted(state),
        }
    )


def _after_restart_of_the_sandbox(state: DeviceState, now: dt.datetime) -> DeviceState:
    """A device that was restarting has come up meanwhile; what ran on it has been torn down."""
    if state.power == "restarting":
        return _after_boot(state, now)
    deployment = _interrupted(state)
    return state if deployment is state.deployment else state.model_copy(update={"deployment": deployment})


def _interrupted(state: DeviceState) -> Any:
    if state.deployment is not None and state.deployment.phase == "creating":
        return state.deployment.model_copy(update={"phase": "broken"})
    return state.deployment
