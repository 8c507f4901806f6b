"""Values between the sandbox and the PowerShell process, as lines of text.

Used by ``pwsh.call_server``; the other side is ``data/DeviceChannel.psm1``. A value is CLIXML in base64, so that every
primitive keeps its type. Towards PowerShell, what is no primitive is a list that begins with a word for what it is, from
which the other side makes a live object, since CLIXML alone would give a deserialised one.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText
from akslite_ps.sandbox.protocol.clixml import serialize
from akslite_ps.sandbox.protocol.clixml_reader import read_document

ENUMS: Mapping[str, Mapping[str, int]] = {
    "System.ServiceProcess.ServiceControllerStatus": {
        "Stopped": 1,
        "StartPending": 2,
        "StopPending": 3,
        "Running": 4,
        "ContinuePending": 5,
        "PausePending": 6,
        "Paused": 7,
    },
    "System.ServiceProcess.ServiceStartMode": {"Boot": 0, "System": 1, "Automatic": 2, "Manual": 3, "Disabled": 4},
    "Microsoft.Dism.Commands.FeatureState": {
        "NotPresent": 0,
        "DisablePending": 1,
        "Disabled": 2,
        "Removed": 3,
        "Enabled": 4,
        "EnablePending": 5,
        "Superseded": 6,
        "PartiallyInstalled": 7,
    },
    "Microsoft.Dism.Commands.PackageFeatureState": {
        "NotPresent": 0,
        "UninstallPending": 1,
        "Staged": 2,
        "Removed": 3,
        "Installed": 4,
        "InstallPending": 5,
        "Superseded": 6,
        "PartiallyInstalled": 7,
    },
}
"""Members of enums that PowerShell may lack on this machine; one that is not here has the one member that is sent."""

_OPENING = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_CLOSING = "</Objs>"


def encode(value: Any) -> str:
    """A plain engine value as text without spaces or line breaks."""
    text = _OPENING + serialize(_tagged(value)) + _CLOSING
    return base64.b64encode(text.encode()).decode()


def decode(text: str) -> Any:
    """The plain engine value that the other side sent.

    Raises:
        ValueError: The text is none.
    """
    values = read_document(base64.b64decode(text, validate=True))
    return _with_secrets(values[0]) if values else None


def _tagged(value: Any) -> Any:
    match value:
        case PsValue():
            members = [part for name, item in value.properties.items() for part in (name, _tagged(item))]
            return ["object", ["list", *value.type_names], value.text, *members]
        case EnumValue():
            known = ENUMS.get(value.type_name) or {value.name: value.number}
            return ["enum", value.type_name, value.number, *(part for member in known.items() for part in member)]
        case SecureText():
            return ["secure", value.value]
        case dict():
            return ["table", *(part for key, item in value.items() for part in (_tagged(key), _tagged(item)))]
        case list() | tuple():
            return ["list", *(_tagged(item) for item in value)]
        case _:
            return value


def _with_secrets(value: Any) -> Any:
    match value:
        case PsValue(properties={"AksLiteSecret": str(text)}):
            return SecureText(text)
        case PsValue():
            return PsValue({name: _with_secrets(item) for name, item in value.properties.items()}, value.type_names, value.text)
        case dict():
            return {key: _with_secrets(item) for key, item in value.items()}
        case list():
            return [_with_secrets(item) for item in value]
        case _:
            return value
