"""Objects a client sent, as plain engine values.

Called by ``protocol.psrp`` on what psrpcore read from a message. Knows psrpcore's classes so that nothing above has to.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

from psrpcore.types import PSChar, PSCredential, PSObject, PSSecureString, PSVersion

from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version


def plain(value: Any) -> Any:
    """The value in the terms of ``sandbox.engine``. A SecureString is decrypted; its session key must have been exchanged."""
    match value:
        case None | bool():
            return value
        case PSSecureString():
            return SecureText(str(value.decrypt()))
        case PSCredential():
            return PsValue(
                {"UserName": plain(value.UserName), "Password": plain(value.Password)},
                ("System.Management.Automation.PSCredential", "System.Object"),
            )
        case enum.Enum():
            return EnumValue(
                _type_names(value)[0], int(value.value), "None" if value.name == "none" else str(value.name or value.value)
            )
        case PSChar():
            return chr(int(value))
        case PSVersion():
            return Version(str(value))
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case Decimal():
            return Decimal(value)
        case dt.datetime():
            return dt.datetime.combine(value.date(), value.timetz())
        case dt.timedelta():
            return dt.timedelta(days=value.days, seconds=value.seconds, microseconds=value.microseconds)
        case uuid.UUID():
            return uuid.UUID(int=value.int)
        case bytes():
            return bytes(value)
        case dict():
            return {plain(key): plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return _object(value)


def _object(value: Any) -> Any:
    if not isinstance(value, PSObject):
        return value
    queued = getattr(value, "queue", None)
    if queued is not None:
        return [plain(item) for item in queued]
    meta = value.PSObject
    properties = {prop.name: plain(prop.get_value(value)) for prop in (*meta.adapted_properties, *meta.extended_properties)}
    return PsValue(properties, tuple(_type_names(value)), meta.to_string)


def _type_names(value: Any) -> list[str]:
    names = [str(name) for name in value.PSObject.type_names]
    return [] if names[:1] == ["System.Management.Automation.PSCustomObject"] or names == ["System.Object"] else names
