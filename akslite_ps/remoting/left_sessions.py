"""The sessions that a device keeps for the endpoint's user, whoever opened them.

Called by whoever looks for work to go on with; :meth:`Session.attach` takes one up.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from pypsrp.wsman import NAMESPACES

from akslite_ps.remoting.connection import Connection, password_of
from akslite_ps.remoting.conversion import parse_duration
from akslite_ps.remoting.endpoint import Device
from akslite_ps.remoting.faults import as_remoting_error

_SHELL_URI = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_POWERSHELL_URI = "http://schemas.microsoft.com/powershell/"


@dataclass(frozen=True, slots=True)
class LeftSession:
    """A session on a device.

    Args:
        shell_id: Its id, for :meth:`Session.attach`.
        configuration_name: Its session configuration.
        owner: Who opened it, ``COMPUTER\\user``.
        connected: True where the device believes a client to be there.
        idle_s: Seconds since its last use, None where the device does not tell.
    """

    shell_id: str
    configuration_name: str
    owner: str
    connected: bool
    idle_s: float | None = None


def sessions_on(device: Device, *, ask: Callable[[str], str] | None = None) -> list[LeftSession]:
    """List the user's PowerShell sessions on a device.

    Args:
        device: The device.
        ask: Answers ``prompt:`` references.

    Raises:
        SecretUnavailable: The password's reference cannot be resolved.
        RemotingError: The device cannot be reached or refuses.
    """
    password = password_of(device, ask)
    connection = Connection(device, password)
    request = ET.Element(f"{{{NAMESPACES['wsen']}}}Enumerate")
    ET.SubElement(request, f"{{{NAMESPACES['wsman']}}}OptimizeEnumeration")
    ET.SubElement(request, f"{{{NAMESPACES['wsman']}}}MaxElements").text = "32000"
    try:
        body = connection.enumerate(_SHELL_URI, request)
    except Exception as error:
        raise as_remoting_error(error, device, "list the sessions", established=False) from error
    finally:
        connection.close()
    shells = body.iterfind("wsen:EnumerateResponse/wsman:Items/rsp:Shell", NAMESPACES)
    return [_left_session(shell) for shell in shells if _text(shell, "ResourceUri").startswith(_POWERSHELL_URI)]


def _left_session(shell: ET.Element) -> LeftSession:
    return LeftSession(
        shell_id=_text(shell, "ShellId"),
        configuration_name=_text(shell, "ResourceUri").removeprefix(_POWERSHELL_URI),
        owner=_text(shell, "Owner"),
        connected=_text(shell, "State") == "Connected",
        idle_s=_seconds(_text(shell, "ShellInactivity")),
    )


def _text(shell: ET.Element, name: str) -> str:
    return shell.findtext(f"rsp:{name}", "", NAMESPACES).strip()


def _seconds(duration: str) -> float | None:
    try:
        return parse_duration(duration).total_seconds()
    except ValueError:
        return None
