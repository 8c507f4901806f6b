"""What a simulated command is made of: its metadata, its implementation, and the call the implementation sees.

An implementation is an async generator (each value it yields goes down the pipeline) or a coroutine function
(what it returns, unless None, is its one output object). Pipelines pull: a command that stops asking for input
stops the commands before it. Run by ``embedded.runspace``; written in ``sandbox.commands``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

from akslite_ps.sandbox.embedded.arguments import BindingFailed
from akslite_ps.sandbox.embedded.failures import ScriptEnded, Thrown, target_of
from akslite_ps.sandbox.embedded.kept import Kept
from akslite_ps.sandbox.embedded.merging import merged_error, merged_information, merged_informational
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, ParameterInfo
from akslite_ps.sandbox.embedded.pipeline_binding import Binding, MissingFromInput
from akslite_ps.sandbox.embedded.preferences import SHOWN, preferred
from akslite_ps.sandbox.embedded.prompts import CONTINUE, ask_to_confirm, ask_to_continue, ask_to_silence
from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed, Progress, Streams

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace

Implementation = Callable[["Call"], AsyncIterator[Any]] | Callable[["Call"], Awaitable[Any]]
Impact = Literal["Low", "Medium", "High"]
_T = TypeVar("_T")

INPUT_NOT_BOUND = (
    "The input object cannot be bound to any parameters for the command either because the command does not take pipeline input "
    "or the input and its properties do not match any of the parameters that take pipeline input."
)
INPUT_INCOMPLETE = (
    "The input object cannot be bound because it did not contain the information required to bind all mandatory parameters:"
)
_SILENTLY = "SilentlyContinue"
_STOPPED_BY_USER = "The running command stopped because the user selected the Stop option."


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


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question whether a command may go on after a record.

    Args:
        preference: The common parameter that asks for it.
        question: What is asked.
        write: Writes the record where that waits for the answer.
    """

    preference: str
    question: str
    write: Callable[[], None] | None = None


@dataclass(slots=True)
class Call:
    """One running command.

    Args:
        info: The command.
        binding: Its bound parameters.
        upstream: Objects piped in, None where nothing is.
        streams: Where the pipeline's records go.
        runspace: The runspace it runs in.
        kept: What -ErrorVariable and its like are to hold.
        inquiries: Records whose preference is Inquire and about which nobody was asked yet; see :meth:`settle`.
        continues: The preferences to which somebody answered that further records need no question.
        answered_for_all: Somebody confirmed or refused this and all further operations of the call.
    """

    info: CommandInfo
    binding: Binding
    upstream: AsyncIterator[Any] | None
    streams: Streams
    runspace: EmbeddedRunspace
    kept: Kept = field(default_factory=Kept)
    inquiries: list[Inquiry] = field(default_factory=list)
    continues: set[str] = field(default_factory=set)
    answered_for_all: bool | None = None

    @property
    def device(self) -> SimulatedDevice:
        return self.runspace.device

    def __getitem__(self, parameter: str) -> Any:
        return self.binding.value(parameter)

    def is_bound(self, parameter: str) -> bool:
        return parameter in self.binding.values

    def set_exit_code(self, code: int) -> None:
        """Leave the exit code of a program in $LASTEXITCODE."""
        self.runspace.variables.set("LASTEXITCODE", code)

    async def each(self) -> AsyncIterator[Mapping[str, Any]]:
        """The bound values once per pipeline object; exactly once where nothing is piped in. Objects that do not fit are errors."""
        if self.upstream is None:
            yield self.binding.values
            return
        async for item in self.upstream:
            await self.settle()
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
        self.information(text, tags=("PSHOST",), source="Write-Host")

    def information(self, text: str, *, tags: Sequence[str], source: str) -> None:
        """Write an information record as ``-InformationAction`` and ``-InformationVariable`` say."""
        action = self._action("InformationAction", "InformationPreference")
        # A remote client gets what is silent, too: its own preference decides what it shows.
        if action != "Ignore":
            self.streams.information(text, tags=tags, source=source)
        self.kept.information.append(merged_information(text, tuple(tags), source, self.device.now()))
        self._judge(action, "Information", text)

    def warning(self, text: str) -> None:
        """Write a warning as ``-WarningAction`` and ``-WarningVariable`` say."""
        action = self._action("WarningAction", "WarningPreference")
        if action != "Ignore":
            self.kept.warnings.append(merged_informational("warning", text))
        if action in SHOWN:
            self.streams.warning(text)
        self._judge(action, "Warning", text)

    def _action(self, parameter: str, variable: str) -> str:
        """What is to become of a record: as the common parameter says, or else the session's preference."""
        bound: str | None = self.binding.values.get(parameter)
        return preferred(self.runspace.variables, variable, "Continue") if bound is None else bound

    def _judge(self, action: str, kind: str, text: str) -> None:
        """What follows from a record that is written.

        Raises:
            ScriptEnded: The action is Stop.
        """
        if action == "Stop":
            raise ScriptEnded(
                self._action_stopped(
                    f'The running command stopped because the preference variable "{kind}Preference" or common parameter is set to '
                    f"Stop: {text}"
                )
            )
        if action == "Inquire":
            self.inquiries.append(Inquiry(f"{kind}Action", CONTINUE))

    async def settle(self) -> None:
        """Ask the client about the records that wait for it. Records are written at once, so the questions about them come when
        the command next gives or takes an object, or has ended.

        Raises:
            PipelineFailed: The client cannot be asked.
            ScriptEnded: It does not want the command to go on.
        """
        while self.inquiries:
            inquiry = self.inquiries.pop(0)
            if inquiry.preference not in self.continues:
                answer = await self._asked(ask_to_continue(self.streams, inquiry.question))
                if not answer.yes:
                    self.inquiries.clear()
                    raise ScriptEnded(self._action_stopped(_STOPPED_BY_USER))
                if answer.for_all:
                    self.continues.add(inquiry.preference)
            if inquiry.write is not None:
                inquiry.write()

    async def silences(self, thrown: Thrown) -> bool:
        """Whether what a function threw is nothing to its caller, as ``-ErrorAction`` says.

        Raises:
            PipelineFailed: The caller is to be asked and cannot be.
        """
        action = self.binding.values.get("ErrorAction")
        if action == "Inquire":
            return await self._asked(ask_to_silence(self.streams, thrown.error.message))
        return action in {"SilentlyContinue", "Ignore"}

    async def _asked(self, question: Awaitable[_T]) -> _T:
        try:
            return await question
        except PipelineFailed as failed:
            source = self.info.syntax.error_source or self.info.name
            raise PipelineFailed(
                replace(
                    failed.error,
                    error_id=f"HostFunctionNotImplemented,{source}",
                    category="NotImplemented",
                    activity=self.info.name,
                )
            ) from None

    def verbose(self, text: str) -> None:
        """Write to the verbose stream with ``-Verbose``, or where the session's preference says so."""
        if self.binding.values.get("Verbose", preferred(self.runspace.variables, "VerbosePreference", _SILENTLY) in SHOWN):
            self.streams.verbose(text)

    def debug(self, text: str) -> None:
        """Write to the debug stream with ``-Debug``, or where the session's preference says so.

        With ``-Debug`` Windows PowerShell asks after each record (about_CommonParameters).
        """
        asked_for = self.binding.values.get("Debug")
        action = preferred(self.runspace.variables, "DebugPreference", _SILENTLY) if asked_for is None else "Inquire"
        if asked_for is False or action not in SHOWN:
            return
        self.streams.debug(text)
        if action == "Inquire":
            self.inquiries.append(Inquiry("Debug", CONTINUE))

    def progress(self, progress: Progress) -> None:
        if preferred(self.runspace.variables, "ProgressPreference", "Continue") in SHOWN:
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
        """Write a non-terminating error; see :meth:`write_error`."""
        self.write_error(self.error_info(message, error_id, category, exception=exception, target=target))

    def write_error(self, error: ErrorInfo) -> None:
        """Write an error record as ``-ErrorAction`` and ``-ErrorVariable`` say.

        Raises:
            ScriptEnded: With ``-ErrorAction Stop``.
        """
        action = self._action("ErrorAction", "ErrorActionPreference")
        self.keep_error(error)
        if action == "Stop":
            raise ScriptEnded(error)
        if action == "Inquire":
            self.inquiries.append(Inquiry("ErrorAction", error.message, lambda: self.streams.error(error)))
        elif action == "Continue":
            self.streams.error(error)

    def keep_error(self, error: ErrorInfo) -> None:
        """Have an error record in the variable that ``-ErrorVariable`` names, unless errors are ignored."""
        if self.binding.values.get("ErrorAction") != "Ignore":
            self.kept.errors.append(merged_error(error))

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

    def _action_stopped(self, message: str) -> ErrorInfo:
        return ErrorInfo(
            message=message,
            error_id=f"ActionPreferenceStop,{self.info.syntax.error_source or self.info.name}",
            category="OperationStopped",
            activity=self.info.name,
            exception_type="System.Management.Automation.ActionPreferenceStopException",
            reason="ActionPreferenceStopException",
        )
