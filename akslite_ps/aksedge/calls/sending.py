"""Any cmdlet of the catalog on a session: checked before it is sent, kept from asking, failures with cause and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from akslite_ps.aksedge.calls.answers import last_text, lines, truth
from akslite_ps.aksedge.catalog import CmdletSpec, ParameterSpec, load_catalog
from akslite_ps.aksedge.failures import KnownFailure, known_failure
from akslite_ps.aksedge.roles import endpoint_for
from akslite_ps.aksedge.session_port import Answer, DeviceSession, OnRecord
from akslite_ps.errors import CmdletFailed, NotPermitted, UsageError
from akslite_ps.secrets import redact

_FULL_ENDPOINT = "Microsoft.PowerShell"
_NEXT = "collect the product's event log and logs, and look for the first error in them"


class Sender:
    """Sends one cmdlet at a time.

    Args:
        session: An open session on the device.
    """

    def __init__(self, session: DeviceSession) -> None:
        self._session = session

    def call(
        self,
        name: str,
        *,
        timeout_s: float | None = None,
        on_record: OnRecord | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Answer:
        """Run a cmdlet of the catalog, checked before it is sent, and kept from asking.

        Args:
            name: The cmdlet.
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.
            check: Raise for error records that did not end the cmdlet, too.
            parameters: By the catalog's names; case does not matter. One that is None is not given.

        Raises:
            UsageError: The catalog has no such cmdlet or parameter, or forbids the value.
            CmdletFailed: With the known cause and remedy, where there is one.
            NotPermitted: The endpoint's role does not allow it; says which endpoint would.
        """
        spec = _current(name)
        arguments = {**spec.quiet, **_arguments(spec, parameters)}
        try:
            return self._session.invoke(spec.name, timeout_s=timeout_s, on_record=on_record, check=check, **arguments)
        except CmdletFailed as error:
            raise explained(error) from error
        except NotPermitted as error:
            raise with_role(error, spec.name) from error

    def _must_say_ok(self, name: str, answer: Answer) -> None:
        """The cmdlets of which "OK" or True is success.

        Raises:
            CmdletFailed: It answered anything else, or nothing.
        """
        if not truth(answer):
            raise self._refused(name, answer)

    def _refused(self, command: str, answer: Answer) -> CmdletFailed:
        """The failure behind an answer that is no success."""
        text, transcript = last_text(answer), lines(answer)
        failure = known_failure(text) or _first_known(reversed(transcript))
        shown = redact(text) if text else "it answered nothing, where OK is success"
        return CmdletFailed(
            shown,
            command=command,
            device=self._session.device.name,
            error_id="AnswerIsNotOk",
            cause=f"{failure.cause} ({failure.certainty}: {failure.source})" if failure else None,
            next_action=failure.remedy if failure else _NEXT,
        )


def with_role(error: NotPermitted, command: str) -> NotPermitted:
    """The same refusal with the endpoint that would allow the command."""
    endpoint = endpoint_for(command)
    who = f"the endpoint {endpoint} allows it" if endpoint else f"only administrators may: use the endpoint {_FULL_ENDPOINT}"
    how = f"akslite device add {error.device or 'DEVICE'} --replace ... --configuration-name {endpoint or _FULL_ENDPOINT}"
    return NotPermitted(
        error.message,
        device=error.device,
        attempted=error.attempted or f"run {command}",
        next_action=f"{who} (`{how}`)" + (f"; {error.next_action}" if error.next_action else ""),
    )


def explained(error: CmdletFailed) -> CmdletFailed:
    """The same failure with cause and remedy, where they are known."""
    failure = known_failure(error.message)
    if error.cause or failure is None:
        return error
    return CmdletFailed(
        error.message,
        command=error.command,
        device=error.device,
        error_id=error.error_id,
        category=error.category,
        cause=f"{failure.cause} ({failure.certainty}: {failure.source})",
        next_action=failure.remedy,
    )


def _first_known(lines: Iterable[str]) -> KnownFailure | None:
    return next((failure for line in lines if (failure := known_failure(line))), None)


def _current(name: str) -> CmdletSpec:
    catalog = load_catalog()
    spec = catalog.get(name)
    if spec is None:
        like = catalog.similar(name)
        raise UsageError(f"there is no cmdlet {name}", next_action=f"use {like}" if like else "use a cmdlet of the catalog")
    if spec.status != "current":
        instead = f"use {spec.superseded_by}" if spec.superseded_by else "leave it to the product"
        raise UsageError(f"{spec.name} is not part of today's product", next_action=instead)
    return spec


def _arguments(spec: CmdletSpec, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in the catalog's spelling.

    Raises:
        UsageError: One is unknown, missing, or has a value that is not allowed; or they belong to different sets.
    """
    arguments: dict[str, Any] = {}
    used: list[ParameterSpec] = []
    for name, value in parameters.items():
        if value is None:
            continue
        parameter = spec.parameter(name)
        if parameter is None:
            parameter = next((p for p in load_catalog().common_parameters if p.answers_to(name)), None)
        if parameter is None:
            close = difflib.get_close_matches(name, [p.name for p in spec.parameters], n=1)
            known = ", ".join(p.name for p in spec.parameters) or "none"
            raise UsageError(f"{spec.name} has no parameter {name}", next_action=f"use {close[0] if close else 'one of ' + known}")
        if parameter.allowed and str(value).casefold() not in {allowed.casefold() for allowed in parameter.allowed}:
            raise UsageError(
                f"{spec.name} does not take {name} = {value}", next_action=f"use one of {', '.join(parameter.allowed)}"
            )
        arguments[parameter.name] = value
        used.append(parameter)
    _one_set(spec, used)
    return arguments


def _one_set(spec: CmdletSpec, used: list[ParameterSpec]) -> None:
    names = {parameter.name for parameter in used}
    choices = spec.parameter_sets or ("",)
    fitting = [s for s in choices if all(not p.parameter_sets or s in p.parameter_sets for p in used)]
    if not fitting:
        together = ", ".join(sorted(names))
        raise UsageError(f"{spec.name} does not take {together} together", next_action="give the parameters of one set only")
    missing = [_missing(spec, choice, names) for choice in fitting]
    if all(missing):
        raise UsageError(f"{spec.name} needs {', '.join(missing[0])}", next_action="give it")


def _missing(spec: CmdletSpec, parameter_set: str, names: set[str]) -> list[str]:
    here = [p for p in spec.parameters if not p.parameter_sets or parameter_set in p.parameter_sets]
    return [p.name for p in here if p.mandatory and p.name not in names]
