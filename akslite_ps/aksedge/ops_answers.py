"""Sends the functions of AksLiteOps and takes their answers apart. Used by ``aksedge.ops`` and ``aksedge.exposure``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akslite_ps.aksedge.calls import explained, with_role
from akslite_ps.aksedge.session_port import Answer, DeviceSession, OnRecord
from akslite_ps.errors import CmdletFailed, NotPermitted


def send(session: DeviceSession, name: str, timeout_s: float, on_record: OnRecord | None = None, **parameters: Any) -> Answer:
    """Run one function; a failure has its known cause, a refusal the role that would allow it."""
    try:
        return session.invoke(name, timeout_s=timeout_s, on_record=on_record, **parameters)
    except CmdletFailed as error:
        raise explained(error) from error
    except NotPermitted as error:
        raise with_role(error, name) from error


def one_object(session: DeviceSession, answer: Answer, name: str) -> Mapping[str, Any]:
    """The object that a function answered with.

    Raises:
        CmdletFailed: There is none.
    """
    found = [value for value in answer.output if isinstance(value, Mapping)]
    if not found:
        raise unusable(session, name, "an object")
    # PowerShell's objects ignore case, and so do the mappings that stand for them.
    return found[-1]


def unusable(session: DeviceSession, name: str, wanted: str) -> CmdletFailed:
    """The error for an answer that cannot be used; ``wanted`` is what it lacks."""
    return CmdletFailed(
        f"the device answered without {wanted}",
        command=name,
        device=session.device.name,
        error_id="AnswerIsUnusable",
        next_action="check that the device's module AksLiteOps is of the same version as akslite-ps",
    )
