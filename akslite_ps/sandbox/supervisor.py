"""A sandbox: many simulated devices in one process, on one event loop.

Started by ``akslite_ps.sandbox.main`` as a background process, or inside a test by ``LocalSandbox``. Owns the
folder with everything that survives a restart.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.sandbox.azure.cloud import SimulatedAzure
from akslite_ps.sandbox.certificates import CertificateAndKey, CertificateAuthority
from akslite_ps.sandbox.description import SandboxDevice, describe
from akslite_ps.sandbox.device.clock import Pace
from akslite_ps.sandbox.device.simulated import Listener, SimulatedDevice
from akslite_ps.sandbox.device.site import Site
from akslite_ps.sandbox.device.state import DeviceSpec, DeviceState, EngineName, Hardware, bare_windows
from akslite_ps.sandbox.device.store import DeviceStore, NewDevices, damaged, write_private, write_whole
from akslite_ps.sandbox.exposure import check_address, check_exposure, is_loopback

if TYPE_CHECKING:
    from akslite_ps.sandbox.pwsh.device_engine import DeviceEngine
    from akslite_ps.sandbox.pwsh.engine_process import ProcessSlots

log = logging.getLogger(__name__)

SETTINGS_FILE = "sandbox.json"
CLUSTERS_DIR = "clusters"
DEVICES_DIR = "devices"
CA_FILE = "ca.pem"
CA_KEY_FILE = "ca-key.pem"
_SERVER_CERTIFICATE_DAYS = 825
_KEEP_CLUSTERS_EVERY_S = 3.0
_PREFIX = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,10}$")


class SandboxSettings(BaseModel):
    """How new devices are named and where they listen; kept in the folder.

    Args:
        name_prefix: Devices are called ``<prefix>-01``, ``<prefix>-02``, ...
        address_base: The device number is added to this loopback address.
        free_ports: Let the system choose ports instead of 5985, 5986 and 6443.
        engine: What runs the pipelines of new devices.
        listen: One address of this machine, confirmed, for all new devices instead of loopback addresses; its ports are free ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name_prefix: str = "press"
    address_base: str = "127.77.0.0"
    free_ports: bool = False
    engine: EngineName = "embedded"
    listen: str | None = None
    devices: tuple[str, ...] = ()


class Sandbox:
    """The devices of one folder.

    Args:
        directory: Made when it does not exist.
        speed: Device seconds per real second.
        make_listener: Makes a device's WinRM service; the real one unless a test says otherwise.
    """

    def __init__(
        self, directory: Path, *, speed: float, make_listener: Callable[[SimulatedDevice], Listener] | None = None
    ) -> None:
        self.directory = directory
        self.pace = Pace(speed)
        self.devices: dict[str, SimulatedDevice] = {}
        self.azure = SimulatedAzure(directory)
        self.site = Site(directory / CLUSTERS_DIR)
        self._addresses: set[str] = set()
        self._make_listener = make_listener or _winrm_listener
        self._authority: CertificateAuthority | None = None
        self._process_slots: ProcessSlots | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._settings_file = directory / SETTINGS_FILE
        self.settings = SandboxSettings()
        self._new = NewDevices(directory / DEVICES_DIR)
        self._as_made: dict[str, tuple[DeviceSpec, DeviceState]] = {}

    @property
    def ca_file(self) -> Path:
        """The authority that signs the certificates of the WinRM listeners."""
        return self.directory / CA_FILE

    def describe(self) -> tuple[SandboxDevice, ...]:
        """All devices as they are now."""
        return tuple(
            describe(device.spec, device.state, password_file=device.store.password_file, ca_file=self.ca_file)
            for device in self.devices.values()
        )

    def choose(
        self,
        *,
        name_prefix: str,
        address_base: str,
        free_ports: bool,
        engine: EngineName = "embedded",
        listen: str | None = None,
        confirmed_exposure: str | None = None,
    ) -> None:
        """Say how devices added from now on are named, where they listen and what runs their pipelines.

        Raises:
            UsageError: Not usable as a name or as an address, not confirmed, or this machine has no such engine.
        """
        check_names(name_prefix, address_base)
        check_engine(engine)
        if listen is not None:
            check_exposure(listen, confirmed_exposure, engine=engine)
        chosen = {
            "name_prefix": name_prefix,
            "address_base": address_base,
            "free_ports": free_ports,
            "engine": engine,
            "listen": listen,
        }
        self._keep(self.settings.model_copy(update=chosen))

    async def start(self) -> None:
        """Start all devices of the folder."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.settings = _read_settings(self.directory) or self.settings
        self._load_authority()
        self._as_made = {name: made for name, made in self._new.load().items() if name in self.settings.devices}
        for name in self.settings.devices:
            await self._start_device(name, self._store(name))
        self._keeper = asyncio.get_running_loop().create_task(self._keep_clusters(), name="keep clusters")

    async def stop(self) -> None:
        """Stop all devices; their state stays in the folder."""
        if self._keeper is not None:
            self._keeper.cancel()
        for device in self.devices.values():
            await device.stop()
        self.devices.clear()
        self._addresses.clear()

    async def _keep_clusters(self) -> None:
        """Devices keep every change at once; what happens inside clusters is kept every few seconds."""
        while True:
            await asyncio.sleep(_KEEP_CLUSTERS_EVERY_S)
            for device in list(self.devices.values()):
                device.cluster.save_if_changed()

    async def grow(self, count: int) -> None:
        """Add devices until there are ``count``."""
        try:
            while len(self.devices) < count:
                await self._add(self.next_spec())
        finally:
            self._keep_devices()

    def next_spec(self, hardware: Hardware | None = None) -> DeviceSpec:
        """The next device by the settings."""
        number = len(self.devices) + 1
        while (name := f"{self.settings.name_prefix.lower()}-{number:02d}") in self.devices:
            number += 1
        listen = self.settings.listen
        free = self.settings.free_ports or listen is not None
        ports = {"http_port": 0, "https_port": 0, "kubernetes_port": 0} if free else {}
        base = int(ipaddress.IPv4Address(self.settings.address_base))
        address = listen or next(
            a for n in range(number, number + 2**16) if (a := str(ipaddress.IPv4Address(base + n))) not in self._addresses
        )
        given = hardware or Hardware(ip4_addresses=(_lan_address(number),))
        return DeviceSpec(
            name=name,
            computer_name=name.upper(),
            address=address,
            exposed_on=listen,
            hardware=given,
            engine=self.settings.engine,
            **ports,
        )

    async def add_device(self, spec: DeviceSpec) -> SimulatedDevice:
        """Make a device and start it.

        Raises:
            UsageError: There is one of that name, or the address is neither a loopback address nor a confirmed one.
        """
        device = await self._add(spec)
        self._keep_devices()
        return device

    async def _add(self, spec: DeviceSpec) -> SimulatedDevice:
        if spec.name in self.devices:
            raise UsageError(f"there is a device {spec.name!r} already", next_action="choose another name")
        check_address(spec.address, spec.exposed_on, device=spec.name)
        store = self._store(spec.name)
        if store.is_kept_alone:
            return await self._start_device(spec.name, store)
        store.make_password()
        self._as_made[spec.name] = (spec, bare_windows(spec.hardware, dt.datetime.now(dt.UTC)))
        try:
            return await self._start_device(spec.name, store)
        except BaseException:
            # It may be made with another address next time.
            del self._as_made[spec.name]
            raise

    async def _start_device(self, name: str, store: DeviceStore) -> SimulatedDevice:
        device = SimulatedDevice(
            store,
            self.pace,
            azure=self.azure,
            site=self.site,
            make_listener=self._make_listener,
            make_engine=self._new_engine,
            make_certificate=self._certificate,
            client_authority=self._authority.pair.certificate if self._authority else None,
            made=None if store.is_kept_alone else self._as_made.get(name),
        )
        try:
            await device.start()
        except OSError as error:
            await device.stop()
            raise AksLiteError(
                f"it cannot listen on {device.address}: {error.strerror or error}",
                device=name,
                attempted="start the simulated device",
                next_action="end what uses its ports; new devices can have another address or free ports",
            ) from error
        self.devices[name] = device
        self._addresses.add(device.address)
        return device

    def _new_engine(self, device: SimulatedDevice) -> DeviceEngine:
        from akslite_ps.sandbox.pwsh.device_engine import DeviceEngine
        from akslite_ps.sandbox.pwsh.engine_process import ProcessSlots

        if self._process_slots is None:
            self._process_slots = ProcessSlots()
        return DeviceEngine(device, self._process_slots)

    def _store(self, name: str) -> DeviceStore:
        return DeviceStore(self.directory / DEVICES_DIR / name)

    def _keep_devices(self) -> None:
        """Have all devices on disk: first what they are, then that there are these."""
        new = {name: made for name, made in self._as_made.items() if name in self.devices and not self._store(name).is_kept_alone}
        if new:
            self._new.save(new)
        self._keep(self.settings.model_copy(update={"devices": tuple(self.devices)}))

    def _keep(self, settings: SandboxSettings) -> None:
        self.settings = settings
        write_whole(self._settings_file, settings.model_dump_json(indent=1).encode())

    def _load_authority(self) -> None:
        key_file = self.directory / CA_KEY_FILE
        if self.ca_file.is_file() and key_file.is_file():
            pair = CertificateAndKey(self.ca_file.read_bytes(), key_file.read_bytes())
            self._authority = CertificateAuthority(pair)
            return
        self._authority = CertificateAuthority.create("akslite sandbox authority")
        write_private(key_file, self._authority.pair.key.decode())
        write_whole(self.ca_file, self._authority.pair.certificate)

    def _certificate(self, spec: DeviceSpec, *, expired: bool) -> tuple[bytes, bytes]:
        """Certificate and key of a device's HTTPS listener, or one that expired yesterday; made once and kept."""
        folder = self._store(spec.name).folder
        stem = "winrm-expired" if expired else "winrm"
        certificate_file, key_file = folder / f"{stem}.pem", folder / f"{stem}-key.pem"
        if not (certificate_file.is_file() and key_file.is_file()):
            assert self._authority is not None
            pair = self._authority.issue_server(
                spec.computer_name,
                addresses=[spec.address],
                dns_names=sorted({spec.computer_name, spec.name, "localhost"}),
                days=-1 if expired else _SERVER_CERTIFICATE_DAYS,
            )
            write_private(key_file, pair.key.decode())
            write_whole(certificate_file, pair.certificate)
        return certificate_file.read_bytes(), key_file.read_bytes()


def check_names(name_prefix: str, address_base: str) -> None:
    """Refuse what cannot name a device or be its address.

    Raises:
        UsageError: Not usable as the beginning of a computer name, or not a loopback address.
    """
    if not _PREFIX.match(name_prefix):
        raise UsageError(
            f"{name_prefix!r} cannot begin a computer name",
            next_action="use a letter, then up to ten letters, digits or hyphens",
        )
    if not is_loopback(address_base):
        raise UsageError(
            f"{address_base!r} is no loopback address", next_action="use an address from 127.0.0.0/8, such as 127.77.0.0"
        )


def check_engine(engine: str) -> None:
    """Refuse an engine that new devices cannot have.

    Raises:
        UsageError: There is none of that name, or this machine does not have it.
    """
    from akslite_ps.sandbox.pwsh.program import INSTALL, MISSING, find_program

    if engine not in get_args(EngineName):
        raise UsageError(f"there is no engine {engine!r}", next_action=f"use one of: {', '.join(get_args(EngineName))}")
    if engine == "pwsh" and find_program() is None:
        raise UsageError(MISSING, attempted="make simulated devices with the engine 'pwsh'", next_action=INSTALL)


def stored_devices(directory: Path) -> Iterator[SandboxDevice]:
    """The devices of a folder as they are on disk, without running them."""
    settings = _read_settings(directory)
    new = NewDevices(directory / DEVICES_DIR).load()
    for name in settings.devices if settings else ():
        store = DeviceStore(directory / DEVICES_DIR / name)
        spec, state = store.load() if store.is_kept_alone or name not in new else new[name]
        yield describe(spec, state, password_file=store.password_file, ca_file=directory / CA_FILE, running=False)


def _read_settings(directory: Path) -> SandboxSettings | None:
    file = directory / SETTINGS_FILE
    if not file.is_file():
        return None
    try:
        return SandboxSettings.model_validate_json(file.read_bytes())
    except ValidationError:
        raise damaged(file) from None


def _winrm_listener(device: SimulatedDevice) -> Listener:
    from akslite_ps.sandbox.protocol.winrm import WinRMListener

    return WinRMListener(device, exposed_on=device.spec.exposed_on)


def _lan_address(number: int) -> str:
    return str(ipaddress.IPv4Address("10.20.0.20") + number)
