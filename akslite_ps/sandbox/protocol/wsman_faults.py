"""The faults of WS-Management that a device answers, with the codes of ``wsman.h``.

Raised by ``protocol.wsman`` and ``protocol.shells``; ``protocol.winrm`` sends them as HTTP 500. Codes and texts of
:func:`operation_timed_out`, :func:`unknown_shell`, :func:`unknown_command`, :func:`invalid_timeout` and :func:`too_many_commands`
are recorded (``reference/wsman-psrp.md`` section 2), those of the other quotas are in many reports of users. The codes of all
others are those of the Windows headers, and those about the protocol's version are in PowerShell's published source; which of them
Windows sends, and with which words, is not known.
"""

from __future__ import annotations

from typing import Literal

FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_ADDRESSING_FAULT_ACTION = "http://schemas.xmlsoap.org/ws/2004/08/addressing/fault"
_QUOTED = 400
_DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"


class WSManFault(Exception):
    """A request that the WS-Management service refuses.

    Args:
        reason: Text of the SOAP fault.
        code: Decimal code of the WSManFault element; None where the device sends no such element.
        subcode: Qualified name of the SOAP subcode; empty where there is none.
        message: Text of the WSManFault element; the reason where not given.
        detail: Last part of the FaultDetail URI.
        role: Whose mistake it is, or the SOAP fault that says so.
        action: Action URI of the reply.
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
        role: Literal["Sender", "Receiver", "MustUnderstand"] = "Sender",
        action: str = FAULT_ACTION,
        from_provider: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.subcode = subcode
        self.message = message if message is not None else reason
        self.detail = _DETAIL + detail if detail else None
        self.role = role
        self.action = action
        self.from_provider = from_provider


_INVALID_SELECTORS = (
    "The WS-Management service cannot process the request because the request contained invalid selectors for the resource. "
)


def _cut(text: str) -> str:
    """What a client wrote, short enough for the smallest reply."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


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


def too_many_operations(limit: int) -> WSManFault:
    """More operations of one user at once than the quota allows; a command is one until it is terminated."""
    return WSManFault(
        f"The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent "
        "operations, which has been exceeded. Close existing operations for this user, or raise the quota for this user. ",
        code=2150859174,
        subcode="w:QuotaLimit",
    )


def invalid_timeout(text: str) -> WSManFault:
    """An OperationTimeout that is no duration."""
    return WSManFault(
        "The WS-Management service cannot process the request. The request contains one or more invalid SOAP headers. ",
        code=2150858767,
        subcode="a:InvalidMessageInformationHeader",
        message="The WS-Management service cannot process the request. The XML contains an invalid timeout field in the SOAP "
        f"header: {_cut(text)}. ",
        action=_ADDRESSING_FAULT_ACTION,
    )


def not_understood(name: str) -> WSManFault:
    """A header block that must be understood and is not."""
    return WSManFault(
        f"The WS-Management service cannot process the request. The SOAP header {_cut(name)} must be understood and is not. ",
        code=2150858768,
        subcode="",
        role="MustUnderstand",
        action=_ADDRESSING_FAULT_ACTION,
    )


def envelope_too_small(least: int) -> WSManFault:
    """A MaxEnvelopeSize in which no reply has room."""
    return WSManFault(
        f"The WS-Management service cannot process the request. The MaxEnvelopeSize value is smaller than {least} bytes. ",
        code=2150858878,
        subcode="w:EncodingLimit",
        detail="MinimumEnvelopeLimit",
    )


def reply_too_large(limit: int) -> WSManFault:
    """A reply that cannot be cut to the size that the client takes."""
    return WSManFault(
        f"The WS-Management service cannot complete the request: the response is larger than the maximum envelope size of {limit} "
        "bytes. ",
        code=2150858824,
        subcode="w:EncodingLimit",
        detail="MaxEnvelopeSizeExceeded",
    )


def idle_timeout_out_of_bounds(most: float) -> WSManFault:
    """An idle time-out that no shell may have."""
    return WSManFault(
        f"The WS-Management service cannot process the request. The IdleTimeout value is larger than {most:.3f} seconds. ",
        code=2150859250,
        subcode="w:InvalidParameter",
    )


def unknown_enumeration() -> WSManFault:
    """A list that has been given to its end, released, or never begun."""
    return WSManFault(
        "The WS-Management service cannot process the request because the enumeration context is not valid. ",
        code=2150858779,
        subcode="n:InvalidEnumerationContext",
        role="Receiver",
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


def command_exists() -> WSManFault:
    """A client chose the id of a command that exists."""
    return WSManFault(
        "The WS-Management service cannot process the request. The id in the request is that of a command that already exists. ",
        code=2150859222,
        subcode="w:AlreadyExists",
    )


def unknown_configuration(name: str, computer: str) -> WSManFault:
    """There is no session configuration of that name."""
    return WSManFault(
        f"The WS-Management service cannot process the request. Cannot find the {_cut(name)} session configuration in the WSMan: "
        f"drive on the {computer} computer. ",
        code=2150858754,
        subcode="a:DestinationUnreachable",
        detail="InvalidResourceURI",
    )


def unknown_resource(uri: str) -> WSManFault:
    """The resource is not one that this device has."""
    return WSManFault(
        f"The WS-Management service cannot process the request. The service cannot find the resource identified by {_cut(uri)}. ",
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
        f"The WS-Management service cannot process the request because the action {_cut(action)} is not supported. ",
        code=2150858771,
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


def engine_unavailable(why: str) -> WSManFault:
    """The process that is to run a shell's pipelines cannot be started."""
    return WSManFault(
        f"The WS-Management service cannot process the request. The shell's host process could not be started: {_cut(why)} ",
        code=1359,
        subcode="w:InternalError",
        role="Receiver",
    )


def engine_quota(why: str) -> WSManFault:
    """There are as many such processes as there may be."""
    return WSManFault(
        f"The WS-Management service cannot process the request. {why} ", code=2150859173, subcode="w:QuotaLimit", role="Receiver"
    )


def engine_ended(why: str) -> WSManFault:
    """The process behind a shell has ended by itself."""
    return WSManFault(
        f"The WSMan provider host process did not return a proper response. {_cut(why)} ",
        code=1726,
        subcode="w:InternalError",
        role="Receiver",
    )


def malformed(what: str) -> WSManFault:
    """The request is not what its action requires."""
    return WSManFault(
        f"The WS-Management service cannot process the request: {_cut(what)}. ",
        code=2150858817,
        subcode="w:SchemaValidationError",
    )


def protocol_version_missing() -> WSManFault:
    """A shell is asked for without the option that says which PSRP the client speaks."""
    return WSManFault(
        "The WS-Management service cannot process the request. The client did not say, with the option "
        "protocolversion, which version of the PowerShell Remoting Protocol it speaks. ",
        code=0x80540BC7,
        subcode="w:InternalError",
        role="Receiver",
    )


def protocol_version_mismatch(version: str) -> WSManFault:
    """The client speaks a PSRP that the device does not."""
    return WSManFault(
        "The WS-Management service cannot process the request. The client asks for version "
        f"{_cut(version)} of the PowerShell Remoting Protocol; this computer speaks version 2. ",
        code=0x80540BC5,
        subcode="w:InternalError",
        role="Receiver",
    )
