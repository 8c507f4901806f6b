"""The real PowerShell of one simulated device: its processes, the modules they find, and where they call the device.

Owned by ``device.simulated`` where the device was made with the engine ``pwsh``. A process runs as the user who runs the
sandbox, on this machine and with this machine's file system: what it does besides the device's commands is real.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.exposure import is_loopback
from akslite_ps.sandbox.pwsh import stand_ins
from akslite_ps.sandbox.pwsh.call_server import CallServer
from akslite_ps.sandbox.pwsh.engine_process import EngineProcess, Launch, ProcessSlots
from akslite_ps.sandbox.pwsh.module_folder import WINDOWS, ModuleFolders
from akslite_ps.sandbox.pwsh.module_text import quoted
from akslite_ps.sandbox.pwsh.program import INSTALL, MISSING, EngineProgram, find_program
from akslite_ps.sandbox.pwsh.proxied_call import ProxiedRunspace
from akslite_ps.sandbox.pwsh.windows_commands import ALL
from akslite_ps.sandbox.relayed_engine import EngineUnavailable

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.device.state import InstalledProduct
    from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace

_OWN_VARIABLES = "AKSLITE_"
_FIRST_MODULES = WINDOWS if sys.platform != "win32" else f"{WINDOWS}, CimCmdlets, Dism"


class DeviceEngine:
    """PowerShell processes for one device.

    Args:
        device: The device.
        slots: How many processes the sandbox may run.
    """

    def __init__(self, device: SimulatedDevice, slots: ProcessSlots) -> None:
        self._device = device
        self._slots = slots
        self._folder = device.store.folder / "engine"
        self._modules = ModuleFolders(self._folder / "modules")
        self._drive = device.store.folder / "drive"
        # Not for clients: the device's own PowerShell calls it.
        self._calls = CallServer(device.address if is_loopback(device.address) else "127.0.0.1")
        self._processes: set[EngineProcess] = set()

    @property
    def process_count(self) -> int:
        """How many processes there are now."""
        return len(self._processes)

    def open(self, runspace: EmbeddedRunspace) -> EngineProcess:
        """A process for a new shell, not started yet.

        Args:
            runspace: The session it is for: its user, and the commands it sees.
        """
        token = self._calls.admit(ProxiedRunspace(runspace, ALL, self._drive))

        def forget(process: EngineProcess) -> None:
            self._calls.dismiss(token)
            self._processes.discard(process)

        process = EngineProcess(lambda: self._prepare(runspace, token), slots=self._slots, gone=forget)
        self._processes.add(process)
        return process

    async def stop(self) -> None:
        """End every process at once, and every call; nothing of it is left afterwards."""
        await self._calls.stop()
        processes = list(self._processes)
        for process in processes:
            process.kill()
        await asyncio.gather(*(process.wait() for process in processes))

    async def _prepare(self, runspace: EmbeddedRunspace, token: str) -> Launch:
        program = find_program()
        if program is None:
            raise EngineUnavailable(f"{MISSING}; {INSTALL}.")
        await self._calls.start()
        session = self._folder / "session"
        user = runspace.session.runs_as.rpartition("\\")[2]
        for folder in (session, self._drive / "Users" / user / "Documents", self._drive / "Windows" / "Temp"):
            folder.mkdir(parents=True, exist_ok=True)
        product = self._device.state.product
        self._place_programs(product, session)
        modules = self._modules.write(product.version if product else None)
        first_script = _first_script(modules)
        return Launch(_command(program, first_script), self._environment(runspace, token, modules), session, first_script)

    def _place_programs(self, product: InstalledProduct | None, session: Path) -> None:
        stand_ins.place(self._drive / "Windows" / "System32", ("shutdown.exe", "powercfg.exe", "msiexec.exe", "netsh.exe"))
        if product is None:
            return
        installed = self._drive.joinpath(*PureWindowsPath(product.install_dir).parts[1:])
        stand_ins.place(installed / "kubectl", ("kubectl.exe",))
        if os.name == "posix":
            # Here C:\ is no drive: .NET takes the folder's whole path for one name in the process' own folder.
            alias = session / product.install_dir
            if not alias.is_symlink():
                alias.symlink_to(installed, target_is_directory=True)

    def _environment(self, runspace: EmbeddedRunspace, token: str, modules: list[Path]) -> Mapping[str, str]:
        # Ours may hold secrets that were meant for the controller.
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OWN_VARIABLES)}
        inherited_path = inherited.get("PSModulePath", "")
        user = runspace.session.runs_as.rpartition("\\")[2]
        return inherited | {
            "PSModulePath": os.pathsep.join([*map(str, modules), *([inherited_path] if inherited_path else [])]),
            "AKSLITE_SANDBOX_HOST": self._calls.address,
            "AKSLITE_SANDBOX_PORT": str(self._calls.port),
            "AKSLITE_SANDBOX_TOKEN": token,
            "AKSLITE_SANDBOX_DRIVE": str(self._drive),
            "AKSLITE_SANDBOX_PSVERSION": host.powershell_version(self._device),
            "COMPUTERNAME": self._device.computer_name,
            "USERNAME": user,
            "SystemDrive": "C:",
            "windir": str(self._drive / "Windows"),
            "PROCESSOR_ARCHITECTURE": self._device.hardware.architecture,
            "LANG": "en_US.UTF-8",
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "POWERSHELL_UPDATECHECK": "Off",
            # Only of effect on Windows, where scripts in files may be switched off.
            "PSExecutionPolicyPreference": "Bypass",
        }


def _first_script(modules: list[Path]) -> str:
    """What a session begins with.

    PowerShell puts its own module folders before ours; on Windows these hold commands that would act on this machine.
    """
    first = quoted(os.pathsep.join(map(str, modules)) + os.pathsep)
    return f"$env:PSModulePath = {first} + $env:PSModulePath; Import-Module -Name {_FIRST_MODULES} -Global"


def _command(program: EngineProgram, first_script: str) -> list[str]:
    """How the program serves PSRP, with the script that it runs in every further runspace of a pool."""
    encoded = base64.b64encode(first_script.encode("utf-16-le")).decode()
    return [program.path, "-NoLogo", "-NoProfile", "-s", "-EncodedCommand", encoded]
