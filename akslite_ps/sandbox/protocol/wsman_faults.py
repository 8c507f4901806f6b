"""The faults of WS-Management that a device answers, with the codes of ``wsman.h``.

Raised by ``protocol.wsman`` and ``protocol.shells``; ``protocol.winrm`` sends them as HTTP 500. Codes and texts of
:func:`operation_timed_out`, :func:`unknown_shell`, :func:`unknown_command` and :func:`too_many_commands` are recorded
(``reference/wsman-psrp.md`` section 2); the others are those of the Windows headers.
"""

from __future__ import annotations

from typing import Literal

_DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"


class WSManFault(Exception):
    """A request that the WS-Management service refuses.

    Args:
        reason: Text of the SOAP fault.
        code: Decimal code of the WSManFault element; None where the device sends no such element.
        subcode: Qualified name of the SOAP subcode.
        message: Text of the WSManFault element; the reason where not given.
        detail: Last part of the FaultDetail URI.
        role: Whose mistake it is.
        from_provider: The message comes from the shell provider and is wrapped as such.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: int | None,
        subcode: str,
        message: str | None = None,
        detail: str | None = None,
        role: Literal["Sender", "Receiver"] = "Sender",
        from_provider: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.subcode = subcode
        self.message = message if message is not None else reason
        self.detail = _DETAIL + detail if detail else None
        self.role = role
        self.from_provider = from_provider


_INVALID_SELECTORS = (
    "The WS-Management service cannot process the request because the request contained invalid selectors for the resource. "
)


def operation_timed_out() -> WSManFault:
    """A Receive for which there was no data in its operation time-out."""
    return WSManFault(
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ",
        code=2150858793,
        subcode="w:TimedOut",
        detail="OperationTimeout",
        role="Receiver",
    )


def unknown_shell() -> WSManFault:
    """There is no such shell (any more)."""
    return WSManFault(
        _INVALID_SELECTORS, code=2150858843, subcode="w:InvalidSelectors", detail="UnexpectedSelectors", from_provider=True
    )


def unknown_command() -> WSManFault:
    """There is no such command, or it has ended and its end was told."""
    return WSManFault(
        _INVALID_SELECTORS,
        code=2150858843,
        subcode="w:InvalidSelectors",
        detail="UnexpectedSelectors",
        message="The Windows Remote Shell received a request to perform an operation on a command identifier that does not exist. "
        "Either the command has completed execution or the client specified an invalid command identifier. ",
    )


def too_many_commands() -> WSManFault:
    """More commands in one shell than the quota allows; each counts until it is terminated."""
    return WSManFault(
        "The WS-Management service cannot process the request. The maximum number of concurrent commands per shell has been "
        "exceeded. Retry the request later or raise the Maximum Commands per Shell quota.",
        code=None,
        subcode="w:InternalError",
        role="Receiver",
    )


def too_many_shells(limit: int) -> WSManFault:
    """More shells of one user than the quota allows."""
    return WSManFault(
        f"The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent "
        "shells, which has been exceeded. Close existing shells or raise the quota for this user. ",
        code=2150859173,
        subcode="w:QuotaLimit",
    )


def stream_disconnected() -> WSManFault:
    """The client of a waiting Receive is not the shell's client any more, or the shell is disconnected."""
    return WSManFault(
        "The WS-Management service cannot process the request because the stream is currently disconnected.",
        code=2150859230,
        subcode="w:InternalError",
        role="Receiver",
    )


def shell_disconnected() -> WSManFault:
    """Work for a shell that its client left; it must be reconnected first."""
    return WSManFault(
        "The WS-Management service cannot process the request because the Windows Remote Shell is currently disconnected. ",
        code=2150859204,
        subcode="w:InternalError",
        role="Receiver",
    )


def operation_aborted() -> WSManFault:
    """A waiting Receive whose shell or command was closed."""
    return WSManFault(
        "The I/O operation has been aborted because of either a thread exit or an application request. ",
        code=995,
        subcode="w:InternalError",
        role="Receiver",
    )


def shell_exists() -> WSManFault:
    """A client chose the id of a shell that exists."""
    return WSManFault(
        "The WS-Management service cannot process the request. The resource URI and selectors name a shell that already exists. ",
        code=2150859223,
        subcode="w:AlreadyExists",
    )


def unknown_configuration(name: str, computer: str) -> WSManFault:
    """There is no session configuration of that name."""
    return WSManFault(
        f"The WS-Management service cannot process the request. Cannot find the {name} session configuration in the WSMan: drive "
        f"on the {computer} computer. ",
        code=2150858754,
        subcode="a:DestinationUnreachable",
        detail="InvalidResourceURI",
    )


def unknown_resource(uri: str) -> WSManFault:
    """The resource is not one that this device has."""
    return WSManFault(
        f"The WS-Management service cannot process the request. The service cannot find the resource identified by {uri}. ",
        code=2150858754,
        subcode="a:DestinationUnreachable",
        detail="InvalidResourceURI",
    )


def access_denied() -> WSManFault:
    """The user may not do that."""
    return WSManFault("Access is denied. ", code=5, subcode="w:AccessDenied")


def unsupported_action(action: str) -> WSManFault:
    """The action is not one of WS-Management or of its shells."""
    return WSManFault(
        f"The WS-Management service cannot process the request because the action {action} is not supported. ",
        code=2150858819,
        subcode="a:ActionNotSupported",
    )


def internal_error() -> WSManFault:
    """Something in the device itself went wrong."""
    return WSManFault(
        "The WS-Management service cannot process the request because of an internal error. ",
        code=1359,
        subcode="w:InternalError",
        role="Receiver",
    )


def malformed(what: str) -> WSManFault:
    """The request is not what its action requires."""
    return WSManFault(
        f"The WS-Management service cannot process the request: {what}. ",
        code=2150858817,
        subcode="w:SchemaValidationError",
    )
