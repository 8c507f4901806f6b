"""What a simulated command is made of: its metadata, its implementation, and the call the implementation sees.

An implementation is an async generator (each value it yields goes down the pipeline) or a coroutine function
(what it returns, unless None, is its one output object). Pipelines pull: a command that stops asking for input
stops the commands before it. Run by ``embedded.runspace``; written in ``sandbox.commands``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from akslite_ps.sandbox.embedded.arguments import BindingFailed
from akslite_ps.sandbox.embedded.failures import ScriptEnded, Thrown, error_object, target_of
from akslite_ps.sandbox.embedded.kept import Kept
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo
from akslite_ps.sandbox.embedded.pipeline_binding import Binding, MissingFromInput
from akslite_ps.sandbox.embedded.prompts import ask_to_confirm
from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed, Progress, Streams

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace

Implementation = Callable[["Call"], AsyncIterator[Any]] | Callable[["Call"], Awaitable[Any]]
Impact = Literal["Low", "Medium", "High"]

INPUT_NOT_BOUND = (
    "The input object cannot be bound to any parameters for the command either because the command does not take pipeline input "
    "or the input and its properties do not match any of the parameters that take pipeline input."
)
INPUT_INCOMPLETE = (
    "The input object cannot be bound because it did not contain the information required to bind all mandatory parameters:"
)
_STOP_MESSAGE = (
    'The running command stopped because the preference variable "WarningPreference" or common parameter is set to Stop: '
)


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """A command of a device.

    Args:
        syntax: Name and parameters.
        run: Its implementation.
        module: The module it comes from.
        version: The module's version.
        impact: ConfirmImpact of a command that supports ShouldProcess; High asks without being told to.
        synopsis: For Get-Help.
        read_only: It changes nothing on the device.
    """

    syntax: CommandSyntax
    run: Implementation
    module: str
    version: str = "1.0.0.0"
    impact: Impact = "Medium"
    synopsis: str = ""
    read_only: bool = False

    @property
    def name(self) -> str:
        return self.syntax.name

    @property
    def command_type(self) -> Literal["Cmdlet", "Function"]:
        return "Function" if self.syntax.is_function else "Cmdlet"


def cmdlet(
    name: str,
    run: Implementation,
    *parameters: ParameterInfo,
    module: str,
    class_name: str,
    default_set: str | None = None,
    version: str = "3.1.0.0",
    synopsis: str = "",
    read_only: bool = False,
) -> CommandInfo:
    """A compiled cmdlet of Windows PowerShell; ``class_name`` is its class in Microsoft.PowerShell.Commands."""
    syntax = CommandSyntax(
        name, parameters, default_set, error_source=f"Microsoft.PowerShell.Commands.{class_name}", is_function=False
    )
    return CommandInfo(syntax, run, module, version, synopsis=synopsis, read_only=read_only)


@dataclass(slots=True)
class Call:
    """One running command.

    Args:
        info: The command.
        binding: Its bound parameters.
        upstream: Objects piped in, None where nothing is.
        streams: Where the pipeline's records go.
        runspace: The runspace it runs in.
        kept: What -ErrorVariable and -WarningVariable are to hold.
        answered_for_all: Somebody confirmed or refused this and all further operations of the call.
    """

    info: CommandInfo
    binding: Binding
    upstream: AsyncIterator[Any] | None
    streams: Streams
    runspace: EmbeddedRunspace
    kept: Kept = field(default_factory=Kept)
    answered_for_all: bool | None = None

    @property
    def device(self) -> SimulatedDevice:
        return self.runspace.device

    def __getitem__(self, parameter: str) -> Any:
        return self.binding.value(parameter)

    def is_bound(self, parameter: str) -> bool:
        return parameter in self.binding.values

    async def each(self) -> AsyncIterator[Mapping[str, Any]]:
        """The bound values once per pipeline object; exactly once where nothing is piped in. Objects that do not fit are errors."""
        if self.upstream is None:
            yield self.binding.values
            return
        async for item in self.upstream:
            try:
                bound = self.binding.bind_object(item)
            except MissingFromInput as missing:
                self._refuse_input(item, f"{INPUT_INCOMPLETE} {missing.names}", "InputObjectMissingMandatory")
            except BindingFailed as failed:
                self.write_error(replace(failed.error, target=item, **target_of(item)))
            else:
                if bound is None:
                    self.refuse_input(item)
                else:
                    yield {**self.binding.values, **bound}

    def refuse_input(self, item: Any) -> None:
        """The error for a pipeline object that the command has no parameter for."""
        self._refuse_input(item, INPUT_NOT_BOUND, "InputObjectNotBound")

    def _refuse_input(self, item: Any, message: str, error_id: str) -> None:
        exception = "System.Management.Automation.ParameterBindingException"
        self.error(message, error_id, "InvalidArgument", exception=exception, target=item)

    async def items(self, parameter: str = "InputObject") -> AsyncIterator[Any]:
        """The pipeline objects of ``parameter``; none where it got none."""
        async for values in self.each():
            if parameter in values:
                yield values[parameter]

    def host(self, text: str) -> None:
        """Write to the host, as Write-Host does."""
        self.streams.information(text)

    def warning(self, text: str) -> None:
        action = self.binding.values.get("WarningAction", "Continue")
        if action != "Ignore":
            self.kept.warnings.append(text)
        if action == "Stop":
            raise ScriptEnded(self._stopped(text))
        if action in {"Continue", "Inquire"}:
            self.streams.warning(text)

    def verbose(self, text: str) -> None:
        if self.binding.values.get("Verbose", False):
            self.streams.verbose(text)

    def debug(self, text: str) -> None:
        if self.binding.values.get("Debug", False):
            self.streams.debug(text)

    def progress(self, progress: Progress) -> None:
        self.streams.progress(progress)

    def error(
        self,
        message: str,
        error_id: str,
        category: str = "NotSpecified",
        *,
        exception: str = "System.Exception",
        target: Any = None,
    ) -> None:
        """Write a non-terminating error, or end the pipeline where ``-ErrorAction Stop`` was given."""
        self.write_error(self.error_info(message, error_id, category, exception=exception, target=target))

    def write_error(self, error: ErrorInfo) -> None:
        """Write an error record as ``-ErrorAction`` and ``-ErrorVariable`` say.

        Raises:
            ScriptEnded: With ``-ErrorAction Stop``.
        """
        action = self.binding.values.get("ErrorAction", "Continue")
        if action != "Ignore":
            self.kept.errors.append(error_object(error))
        if action == "Stop":
            raise ScriptEnded(error)
        if action in {"Continue", "Inquire"}:
            self.streams.error(error)

    def fail(
        self,
        message: str,
        error_id: str,
        category: str = "NotSpecified",
        *,
        exception: str = "System.Exception",
        target: Any = None,
    ) -> NoReturn:
        """End the pipeline with this error, as ThrowTerminatingError does."""
        raise PipelineFailed(self.error_info(message, error_id, category, exception=exception, target=target))

    def throw(self, message: str) -> NoReturn:
        """End the pipeline as a ``throw "text"`` in a function does."""
        raise Thrown(
            ErrorInfo(
                message=message,
                error_id=message,
                category="OperationStopped",
                target=message,
                target_name=message,
                target_type="String",
                reason="RuntimeException",
            )
        )

    def error_info(
        self, message: str, error_id: str, category: str, *, exception: str = "System.Exception", target: Any = None
    ) -> ErrorInfo:
        """An error record of this command."""
        source = self.info.syntax.error_source or self.info.name
        return ErrorInfo(
            message=message,
            error_id=f"{error_id},{source}",
            category=category,
            exception_type=exception,
            target=target,
            activity=self.info.name,
            reason=exception.rpartition(".")[2],
            **target_of(target),
        )

    async def should_process(self, target: str, action: str) -> bool:
        """PowerShell's ShouldProcess: -WhatIf tells the client's host what would happen; -Confirm, or a High impact, asks it.

        Raises:
            PipelineFailed: The client cannot be asked (see ``assumptions.UNANSWERED_CONFIRMATION_ENDS_A_FUNCTION``).
        """
        operation = f'Performing the operation "{action}" on target "{target}".'
        if self.binding.values.get("WhatIf", False):
            await self.streams.host_call("WriteLine", [f"What if: {operation}"])
            return False
        confirm = self.binding.values.get("Confirm")
        if confirm is False or (confirm is None and self.info.impact != "High"):
            self.verbose(operation)
            return True
        if self.answered_for_all is not None:
            return self.answered_for_all
        try:
            answer = await ask_to_confirm(self.streams, operation)
        except PipelineFailed as failed:
            if self.info.syntax.is_function:
                raise self._unanswered(failed.error.message) from None
            raise
        self.answered_for_all = answer.for_all
        return answer.yes

    def _unanswered(self, question: str) -> ScriptEnded:
        message = f'Exception calling "ShouldProcess" with "2" argument(s): "{question}"'
        exception = "System.Management.Automation.MethodInvocationException"
        return ScriptEnded(ErrorInfo(message=message, error_id="HostException", exception_type=exception))

    def _stopped(self, text: str) -> ErrorInfo:
        return ErrorInfo(
            message=_STOP_MESSAGE + text,
            error_id=f"ActionPreferenceStop,{self.info.syntax.error_source or self.info.name}",
            category="OperationStopped",
            exception_type="System.Management.Automation.ActionPreferenceStopException",
            reason="ActionPreferenceStopException",
        )
