"""The two ways in which PowerShell ends what is running: the statement, or the whole script.

Over a session both end a pipeline of commands. In script text only the second does: after the first, its error is
written and the next statement runs. Raised in ``embedded`` and ``sandbox.commands``, told apart by ``embedded.script``.
"""

from __future__ import annotations

from typing import Any

from akslite_ps.sandbox.embedded.values import CUSTOM_OBJECT, text_of, type_name_of
from akslite_ps.sandbox.engine import ErrorInfo, PipelineFailed, PsValue

NOT_RECOGNIZED = (
    "The term '{}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of "
    "the name, or if a path was included, verify that the path is correct and try again."
)
_NO_LANGUAGE = "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."


class ScriptEnded(PipelineFailed):
    """What ends a script and not only a statement: ``throw``, and an error under ``-ErrorAction Stop``."""


class Thrown(ScriptEnded):
    """``throw``. Unlike other errors of its kind it is nothing to a caller who wants the function's errors silent."""


class ExitRequested(Exception):
    """``exit N`` in script text."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit {code}")
        self.code = code


def statement_failed(message: str, error_id: str, category: str, *, target: Any = None) -> PipelineFailed:
    """An error of the language itself, such as an index into null."""
    return PipelineFailed(ErrorInfo(message=message, error_id=error_id, category=category, target=target))


def command_not_found(name: str) -> PipelineFailed:
    """The error for a command that a session does not have, or does not show."""
    return PipelineFailed(
        ErrorInfo(
            message=NOT_RECOGNIZED.format(name),
            error_id="CommandNotFoundException",
            category="ObjectNotFound",
            exception_type="System.Management.Automation.CommandNotFoundException",
            target=name,
            target_name=name,
            target_type="String",
        )
    )


def script_refused(text: str, *, detail: str = "") -> ScriptEnded:
    """The error for script text that a session does not take.

    Args:
        text: What the client sent.
        detail: Which part of it, where the session takes the simple command lines and this is none.
    """
    return ScriptEnded(
        ErrorInfo(
            message=f"{_NO_LANGUAGE} {detail}".rstrip(),
            error_id="ScriptsNotAllowed",
            category="ParserError",
            exception_type="System.Management.Automation.ParseException",
            target=text,
            target_name=text,
            target_type="String",
        )
    )


def target_of(target: Any) -> dict[str, str]:
    """How an error's category line names its target: ``target_name`` and ``target_type`` of an ``ErrorInfo``."""
    if target is None:
        return {}
    is_custom = isinstance(target, PsValue) and (not target.type_names or CUSTOM_OBJECT in target.type_names)
    kind = "PSObject" if is_custom else type_name_of(target).rpartition(".")[2]
    return {"target_name": text_of(target), "target_type": kind}
