"""A sandbox inside the running process, for tests and for short demonstrations.

Runs the devices on an event loop of their own in one thread, so that blocking clients can talk to them. Nothing
else in the product uses it.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from akslite_ps.sandbox.assumptions import BOOT_SECONDS
from akslite_ps.sandbox.client_certificates import ClientCertificate, client_certificate
from akslite_ps.sandbox.description import SandboxDevice
from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.device.state import EngineName, Hardware
from akslite_ps.sandbox.supervisor import Sandbox, check_engine

_T = TypeVar("_T")
_LONGEST_BOOT_S = BOOT_SECONDS[1]


class LocalSandbox:
    """Simulated devices for the length of a ``with`` block.

    Args:
        directory: Where the devices' state is kept; a second sandbox on the same folder goes on with it.
        devices: How many there should be.
        speed: Device seconds per real second.
        name_prefix: Devices are called ``<prefix>-01`` and so on.
        address_base: First loopback address; by default a random one, so that tests beside each other do not meet.
        hardware: What every new device is, instead of the default host.
        engine: What runs the pipelines of new devices; a sequence has one for each.
        wait_s: Seconds to wait for the devices to start and to stop.
    """

    def __init__(
        self,
        directory: Path,
        *,
        devices: int = 1,
        speed: float = 1000.0,
        name_prefix: str = "press",
        address_base: str | None = None,
        hardware: Hardware | None = None,
        engine: EngineName | Sequence[EngineName] = "embedded",
        wait_s: float = 30.0,
    ) -> None:
        self._sandbox = Sandbox(directory, speed=speed)
        self._count = devices
        self._prefix = name_prefix
        self._base = address_base or f"127.{random.randint(64, 254)}.{random.randint(0, 254)}.0"  # noqa: S311
        self._hardware = hardware
        self._engines: Sequence[EngineName] = cast("Sequence[EngineName]", (engine,)) if isinstance(engine, str) else engine
        self._wait = wait_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="akslite local sandbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self._start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.run(self._sandbox.stop())
        finally:
            self._end()

    @property
    def devices(self) -> tuple[SandboxDevice, ...]:
        """All devices as they are now."""
        return self.run(self._describe())

    def device(self, name: str) -> SimulatedDevice:
        """The simulated device itself. Read it freely; change it through :meth:`run` or the methods here."""
        return self._sandbox.devices[name]

    def run(self, work: Coroutine[Any, Any, _T], *, wait_s: float | None = None) -> _T:
        """Run a coroutine on the devices' event loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(wait_s or self._wait)

    def add_fault(self, device: str, fault: str, **how: Any) -> None:
        """Switch a fault on, as ``akslite_ps.sandbox.device.faults.make_fault`` takes it."""

        async def add() -> None:
            self.device(device).add_fault(fault, **how)
            await self.device(device).follow_faults()

        self.run(add())

    def clear_faults(self, device: str, fault: str | None = None) -> None:
        """Switch one fault off, or all."""

        async def clear() -> None:
            self.device(device).clear_faults(fault)
            await self.device(device).follow_faults()

        self.run(clear())

    def set_hardware(self, device: str, **changes: Any) -> None:
        """Change what a device is, e.g. ``total_memory_mb=4096`` or ``default_gateway=None``."""

        async def change() -> None:
            self.device(device).change_hardware(**changes)

        self.run(change())

    def client_certificate(self, device: str, user: str | None = None) -> ClientCertificate:
        """Files with the client certificate of a local account (without ``user``: the administrator)."""
        return client_certificate(self._sandbox.directory, device, user)

    def reboot(self, device: str) -> None:
        """Restart a device now, unannounced, and wait until it is up again."""
        simulated = self.device(device)
        self.run(simulated.reboot(), wait_s=self._wait + simulated.clock.real_seconds(_LONGEST_BOOT_S))

    async def _start(self) -> None:
        await self._sandbox.start()
        if not self._sandbox.settings.devices:
            self._sandbox.choose(name_prefix=self._prefix, address_base=self._base, free_ports=True)
        while len(self._sandbox.devices) < self._count:
            engine = self._engines[len(self._sandbox.devices) % len(self._engines)]
            check_engine(engine)
            await self._sandbox.add_device(self._sandbox.next_spec(self._hardware).model_copy(update={"engine": engine}))

    async def _describe(self) -> tuple[SandboxDevice, ...]:
        return self._sandbox.describe()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._wait)
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
