"""Reads request bodies in Kubernetes' protobuf encoding, which typed Go clients (kubectl among them) send.

Only requests: answers go out as JSON, which every client accepts. ``wire_fields.json`` holds, per message,
the field numbers, JSON names and types that Kubernetes publishes with its API types (release 1.37; numbers
never change). Type letters there: ``s`` string, ``i`` integer, ``b`` boolean, ``f`` float, ``y`` bytes, ``@...`` a
type with its own JSON form, else a message; ``*`` before a type is a list, ``%`` a map with string keys;
``!`` after it says that a zero value is kept. A field without a name is flattened into its parent.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import struct
from collections.abc import Iterator
from functools import cache
from importlib import resources as package_resources
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object, micro_timestamp, timestamp
from akslite_ps.sandbox.kubernetes.status import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SCALARS = frozenset("sibfy")

_Fields = dict[int, tuple[str, str]]


def read_protobuf(body: bytes) -> Object:
    """The object in a protobuf body.

    Raises:
        ApiError: 400 where the body is damaged or holds a kind this server does not serve.
    """
    if not body.startswith(_MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix k8s\\0")
    try:
        envelope = dict(_read_fields(body[len(_MAGIC) :]))
        type_meta = dict(_read_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = _text(type_meta.get(1, b"")), _text(type_meta.get(2, b""))
        message = _message_name(api_version, kind)
        if message not in _messages():
            raise bad_request(f'no kind "{kind}" is registered for version "{api_version}"')
        return {"apiVersion": api_version, "kind": kind, **_read_message(_bytes(envelope.get(2, b"")), message)}
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from None


def _message_name(api_version: str, kind: str) -> str:
    if kind == "DeleteOptions":
        return "meta.v1.DeleteOptions"
    group, _, version = api_version.rpartition("/")
    return f"{group.split('.', maxsplit=1)[0] or 'core'}.{version}.{kind}"


@cache
def _messages() -> dict[str, _Fields]:
    path = package_resources.files("akslite_ps.sandbox.kubernetes") / "wire_fields.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    return {name: {number: (field, kind) for number, field, kind in rows} for name, rows in raw.items()}


def _read_message(data: bytes, message: str) -> dict[str, Any]:
    fields = _messages()[message]
    result: dict[str, Any] = {}
    for number, raw in _read_fields(data):
        if number not in fields:
            continue
        name, kind = fields[number]
        if kind.startswith("*"):
            result.setdefault(name, []).append(_read_value(raw, kind[1:]))
        elif kind.startswith("%"):
            entry = dict(_read_fields(_bytes(raw)))
            result.setdefault(name, {})[_text(entry.get(1, b""))] = _read_value(entry.get(2, b""), kind[1:])
        elif not name:
            result |= _read_message(_bytes(raw), kind)
        else:
            value = _read_value(raw, kind.rstrip("!"))
            if value or kind.endswith("!") or kind not in _SCALARS:
                result[name] = value
    return result


def _read_value(raw: int | bytes, kind: str) -> Any:
    match kind:
        case "s":
            return _text(raw)
        case "i":
            return _signed(raw)
        case "b":
            return bool(raw)
        case "f":
            return struct.unpack("<d", _bytes(raw))[0]
        case "y":
            return base64.b64encode(_bytes(raw)).decode()
        case "s*" | "@strings":
            return [_text(item) for _, item in _read_fields(_bytes(raw))]
        case "@time":
            return _read_time(_bytes(raw))
        case "@quantity":
            return _text(dict(_read_fields(_bytes(raw))).get(1, b""))
        case "@intstr":
            parts = dict(_read_fields(_bytes(raw)))
            return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
        case "@raw":
            content = _bytes(dict(_read_fields(_bytes(raw))).get(1, b""))
            return json.loads(content) if content else None
    return _read_message(_bytes(raw), kind)


def _read_time(data: bytes) -> str | None:
    parts = dict(_read_fields(data))
    if not parts:
        return None
    moment = dt.datetime.fromtimestamp(_signed(parts.get(1, 0)), dt.UTC)
    nanos = _signed(parts.get(2, 0))
    return micro_timestamp(moment + dt.timedelta(microseconds=nanos // 1000)) if nanos else timestamp(moment)


def _read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        number, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == _VARINT:
            value, position = _read_varint(data, position)
        else:
            if wire == _BYTES:
                size, position = _read_varint(data, position)
            elif wire in {_FIXED32, _FIXED64}:
                size = 4 if wire == _FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire}")
            if position + size > len(data):
                raise ValueError("unexpected end of data")
            value = data[position : position + size]
            position += size
        yield number, value


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
        shift += 7


def _signed(raw: int | bytes) -> int:
    if isinstance(raw, bytes):
        raise TypeError("an integer was expected")
    return raw - (1 << 64) if raw >> 63 else raw


def _bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise TypeError("bytes were expected")
    return raw


def _text(raw: int | bytes) -> str:
    return _bytes(raw).decode("utf-8")
