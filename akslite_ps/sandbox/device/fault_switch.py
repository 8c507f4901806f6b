"""The fault switch of one simulated device: which faults are on, when each strikes, and what they do to the machine.

Part of ``device.simulated``, through which everybody else asks. What a fault does to a cmdlet is in the commands, what it does to
a request in ``sandbox.protocol.disturbances``.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.device.fault_kind import Scalar, moment_of
from akslite_ps.sandbox.device.faults import FAULT_KINDS, TRANSPORT_FAULTS, make_fault
from akslite_ps.sandbox.device.state import Fault

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

log = logging.getLogger(__name__)


class FaultSwitch:
    """The faults of one device. They are kept in its state.

    Args:
        device: The device.
    """

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._under_way: list[str] = []
        self._clock: asyncio.TimerHandle | None = None

    def add(self, name: str, **how: Any) -> Fault:
        """Switch a fault on, as ``device.faults.make_fault`` takes it; one of the same name is replaced.

        Raises:
            UsageError: Unknown fault, moment or parameter.
        """
        fault = make_fault(name, **how)
        form = FAULT_KINDS[name].form
        if form == "event" and fault.at is None:
            self._remove(name)
            self._happen(fault)
            return fault
        if form == "strike" or fault.at is None:
            fault = self._begun(fault)
        self._put(fault)
        self.follow()
        return fault

    def clear(self, name: str | None = None) -> None:
        """Switch a fault off, or all.

        Raises:
            UsageError: There is no fault of that name.
        """
        if name is not None and name not in FAULT_KINDS:
            raise UsageError(f"there is no fault {name!r}", next_action=f"use one of: {', '.join(FAULT_KINDS)}")
        for fault in self._device.state.faults:
            if name is None or fault.name == name:
                self._remove(fault.name)
        self.follow()

    def find(self, name: str) -> Fault | None:
        """The fault if it is on: not over, and begun where it is one that holds."""
        for fault in self._device.state.faults:
            if fault.name == name and not _is_over(fault):
                return None if FAULT_KINDS[name].form == "state" and fault.at is not None else fault
        return None

    def take(self, name: str, at: str | None = None, where: Mapping[str, Scalar] | None = None) -> Fault | None:
        """Let a fault strike; see ``SimulatedDevice.take_fault``."""
        fault = next((f for f in self._device.state.faults if f.name == name and not _is_over(f)), None)
        if fault is None or any(fault.parameters.get(key) != value for key, value in (where or {}).items()):
            return None
        if fault.at is not None and fault.at != at and fault.at not in self._under_way:
            return None
        strikes = fault.strikes_now()
        left = None if fault.remaining is None else fault.remaining - strikes
        if left == 0:
            self._remove(name)
        elif fault.remaining is not None or fault.after or fault.probability < 1:
            self._put(fault.model_copy(update={"chances": fault.chances + 1, "remaining": left}))
        if not strikes:
            return None
        log.info("%s: fault %s strikes", self._device.name, name)
        return fault

    def strike(self, at: str) -> dict[str, Mapping[str, Scalar]]:
        """What strikes a request of a client; see ``engine.HostedDevice.strike``. What concerns the machine happens at once."""
        struck: dict[str, Mapping[str, Scalar]] = {}
        for name in [fault.name for fault in self._device.state.faults if fault.name in TRANSPORT_FAULTS]:
            form = FAULT_KINDS[name].form
            if form == "state" and self.find(name) is not None:
                continue
            fault = self.take(name, at)
            if fault is None:
                continue
            if form == "state":
                self._put(self._begun(fault))
                self.follow()
                if fault.parameters.get("how") == "refused":
                    struck["tcp-reset"] = {"where": "request"}
            elif form == "event":
                self._happen(fault)
                if not fault.parameters.get("announced"):
                    struck["tcp-reset"] = {"where": "request"}
            else:
                struck[name] = self._in_real_time(fault.parameters)
        return struck

    @contextlib.contextmanager
    def carrying_out(self, cmdlet: str) -> Iterator[None]:
        """While a cmdlet runs: faults that were asked for at its operation can strike."""
        operation = moment_of(cmdlet)
        if operation is None:
            yield
            return
        self._under_way.append(operation)
        self._begin_states(operation)
        try:
            yield
        finally:
            self._under_way.remove(operation)

    def _begin_states(self, operation: str) -> None:
        """States of the host and the product that were asked for at an operation hold from its beginning."""
        waiting = [f.name for f in self._device.state.faults if f.at == operation and FAULT_KINDS[f.name].form == "state"]
        for name in waiting:
            fault = None if name in TRANSPORT_FAULTS else self.take(name, operation)
            if fault is not None:
                self._put(self._begun(fault))
                self.follow()

    def follow(self) -> None:
        """Make the machine what the faults that are on now ask for; again when one of them is over."""
        device = self._device
        for fault in device.state.faults:
            if _is_over(fault):
                log.info("%s: fault %s is over", device.name, fault.name)
                self._remove(fault.name)
        slow, skew = self.find("slow"), self.find("clock-skew")
        device.clock.slowness = float(slow.parameters["factor"]) if slow else 1.0
        device.clock.skew = dt.timedelta(minutes=float(skew.parameters["minutes"])) if skew else dt.timedelta(0)
        device.spawn(device.follow_faults())
        self._wind_clock()

    def stop(self) -> None:
        """The sandbox stops; what is left goes on with the next start."""
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _wind_clock(self) -> None:
        self.stop()
        ends = [fault.until for fault in self._device.state.faults if fault.until is not None]
        if ends:
            left = (min(ends) - dt.datetime.now(dt.UTC)).total_seconds()
            self._clock = asyncio.get_running_loop().call_later(max(left, 0.0) + 0.001, self.follow)

    def _begun(self, fault: Fault) -> Fault:
        """The fault from now on: it holds, or can strike, until its time is over."""
        is_state = FAULT_KINDS[fault.name].form == "state"
        until = None
        if fault.lasts_s is not None:
            until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self._device.clock.real_seconds(fault.lasts_s))
        return fault.model_copy(update={"until": until, "at": None if is_state else fault.at})

    def _happen(self, fault: Fault) -> None:
        log.info("%s: %s", self._device.name, fault.name)
        if fault.name == "reboot":
            self._device.begin_reboot(
                is_announced=bool(fault.parameters["announced"]), keeps_boot_time=fault.parameters["boot_time"] == "unchanged"
            )
        elif fault.name == "winrm-restart":
            self._device.spawn(self._device.restart_winrm(float(fault.parameters["seconds"])))

    def _in_real_time(self, parameters: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        clock = self._device.clock
        return {key: clock.real_seconds(float(value)) if key == "seconds" else value for key, value in parameters.items()}

    def _put(self, fault: Fault) -> None:
        self._device.update(faults=(*(f for f in self._device.state.faults if f.name != fault.name), fault))

    def _remove(self, name: str) -> None:
        if any(fault.name == name for fault in self._device.state.faults):
            self._device.update(faults=tuple(f for f in self._device.state.faults if f.name != name))


def _is_over(fault: Fault) -> bool:
    return fault.until is not None and fault.until <= dt.datetime.now(dt.UTC)
