"""A device's command, called from a PowerShell function that stands for it.

Used by ``pwsh.call_server``. PowerShell has bound the parameters and keeps the preferences (-ErrorAction, -Verbose,
-WhatIf, -Confirm); what the command does is the same implementation that the embedded engine runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from akslite_ps.sandbox.embedded.binder import Binding
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.conversion import convert
from akslite_ps.sandbox.embedded.parameters import ParameterInfo
from akslite_ps.sandbox.embedded.values import InvalidWildcard
from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed, PsValue, Streams

if TYPE_CHECKING:
    from akslite_ps.sandbox.commands import CommandTable
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace


class Asking(StrEnum):
    """Questions of a command to the function that called."""

    SHOULD_PROCESS = "should"
    CHOICE = "choose"


class CallerStreams(Streams, Protocol):
    """The streams of the function that called."""

    async def should_process(self, target: str, action: str) -> bool:
        """PowerShell's own ShouldProcess."""
        ...

    def exit_code(self, code: int) -> None:
        """What $LASTEXITCODE is from now on."""
        ...


class ProxiedCall(Call):
    """A running command whose function in PowerShell judges what becomes of its records."""

    def warning(self, text: str) -> None:
        self.streams.warning(text)

    def verbose(self, text: str) -> None:
        self.streams.verbose(text)

    def debug(self, text: str) -> None:
        self.streams.debug(text)

    def information(self, text: str, *, tags: Sequence[str], source: str) -> None:
        self.streams.information(text, tags=tags, source=source)

    def write_error(self, error: ErrorInfo) -> None:
        self.streams.error(error)

    def set_exit_code(self, code: int) -> None:
        cast(CallerStreams, self.streams).exit_code(code)

    async def should_process(self, target: str, action: str) -> bool:
        return await cast(CallerStreams, self.streams).should_process(target, action)


async def _run_to_its_end(call: ProxiedCall) -> None:
    running = call.info.run(call)
    if inspect.isasyncgen(running):
        async for value in running:
            call.streams.output(value)
        return
    value = await cast(Awaitable[Any], running)
    if value is not None:
        call.streams.output(value)


class ProxiedRunspace:
    """What the calls of one shell see of the device.

    Args:
        runspace: The session's commands and rights, as the embedded engine would have them.
        host_commands: Further commands, of Windows itself.
        drive: The folder that stands for the device's drive; PowerShell has its paths as this machine's.
    """

    def __init__(self, runspace: EmbeddedRunspace, host_commands: CommandTable, drive: Path) -> None:
        self._runspace = runspace
        self._host_commands = host_commands
        self._drive = drive

    @property
    def device(self) -> SimulatedDevice:
        return self._runspace.device

    async def run(self, name: str, arguments: Mapping[str, Any], parameter_set: str, location: str, streams: CallerStreams) -> None:
        """Run a command to its end.

        Args:
            name: Its name.
            arguments: What PowerShell bound, by parameter.
            parameter_set: The set it chose.
            location: The session's location in this machine's file system.
            streams: Where its records go.

        Raises:
            PipelineFailed: It ended with an error.
        """
        info = self._host_commands.find(name) or self._runspace.commands.find(name)
        if info is None:
            raise PipelineFailed(
                ErrorInfo(f"The simulated device has no command {name}.", "CommandNotFoundException", "ObjectNotFound")
            )
        values = {key: self._bound(info, key, value, location) for key, value in arguments.items()}
        call = ProxiedCall(info, Binding(info.syntax, values, parameter_set), None, streams, self._runspace)
        with self.device.working(), self.device.carrying_out(info.name):
            try:
                await _run_to_its_end(call)
            except InvalidWildcard as invalid:
                call.fail(str(invalid), "RuntimeException", exception="System.Management.Automation.WildcardPatternException")

    def paths_on_the_drive(self, arguments: Sequence[str]) -> list[str]:
        """The arguments of a program, with paths of this machine below the device's drive as the device's own."""
        return [self._device_path(argument) or argument for argument in arguments]

    def _bound(self, info: CommandInfo, name: str, value: Any, location: str) -> Any:
        parameter: ParameterInfo | None = next((p for p in info.syntax.all_parameters() if p.name == name), None)
        if parameter is None:
            return value
        if isinstance(value, str):
            value = self._on_the_drive(name, value, location)
        if parameter.type == "PSCredential" and isinstance(value, PsValue):
            return PsValue(value.properties, ("System.Management.Automation.PSCredential", "System.Object"))
        return convert(value, parameter.type)

    def _on_the_drive(self, name: str, value: str, location: str) -> str:
        """A path of this machine below the device's drive, as the device's own path; everything else as it is."""
        if not name.casefold().endswith(("path", "file", "directory", "folder", "dir")) or not value:
            return value
        place = Path(value)
        if not place.is_absolute():
            if value[1:2] == ":" or not location:
                return value
            place = Path(location, value)
        return self._device_path(place) or value

    def _device_path(self, place: str | Path) -> str | None:
        try:
            inside = Path(place).relative_to(self._drive)
        except ValueError:
            return None
        return "C:\\" + "\\".join(inside.parts)
