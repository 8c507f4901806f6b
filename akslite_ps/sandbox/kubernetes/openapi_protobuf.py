"""The OpenAPI 2 document in protobuf, the only form in which kubectl before 1.27 and other Go programs read it.

Field numbers are those that the format's published definition gives its messages (gnostic's OpenAPIv2); they never change.
Only what the documents of this server hold is written.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

ASKED_FOR = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What clients ask for is no valid media type; the answer carries one that is, and newer clients ask for that."""

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
_SCHEMA_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_SCHEMA_NUMBERS = {"maxLength": 11, "minLength": 12, "maxItems": 14, "minItems": 15}
_SCHEMA_FLOATS = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_VENDOR = "x-kubernetes-"


def write_document(document: Mapping[str, Any]) -> bytes:
    """The document as a protobuf message.

    Args:
        document: An OpenAPI 2 document as ``openapi`` makes it.
    """
    info = document["info"]
    return b"".join(
        [
            _text(1, document["swagger"]),
            _message(2, _text(1, info["title"]) + _text(2, info["version"])),
            _message(8, b"".join(_message(2, _named(path, _path_item(item))) for path, item in document["paths"].items())),
            _message(9, b"".join(_message(1, _named(name, _schema(item))) for name, item in document["definitions"].items())),
        ]
    )


def _path_item(item: Mapping[str, Any]) -> bytes:
    return b"".join(_message(_METHODS[method], _operation(operation)) for method, operation in item.items() if method in _METHODS)


def _operation(operation: Mapping[str, Any]) -> bytes:
    answers = [_message(1, _named(code, _message(1, _response(answer)))) for code, answer in operation["responses"].items()]
    return b"".join(
        [
            _text(5, operation["operationId"]),
            *(_message(8, _message(1, _parameter(parameter))) for parameter in operation.get("parameters") or ()),
            _message(9, b"".join(answers)),
            *_extensions(13, operation),
        ]
    )


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    """A parameter of the query: these documents have no others."""
    query = _text(2, parameter["in"]) + _text(3, parameter.get("description", "")) + _text(4, parameter["name"])
    return _message(2, _message(3, query + _text(6, parameter["type"])))


def _response(answer: Mapping[str, Any]) -> bytes:
    schema = answer.get("schema")
    return _text(1, answer["description"]) + (_message(2, _message(1, _schema(schema))) if schema else b"")


def _schema(schema: Mapping[str, Any]) -> bytes:
    parts = [_text(number, schema[name]) for name, number in _SCHEMA_TEXTS.items() if isinstance(schema.get(name), str)]
    parts += [_varint(number << 3) + _varint(schema[name]) for name, number in _SCHEMA_NUMBERS.items() if name in schema]
    parts += [
        _varint(number << 3 | 1) + struct.pack("<d", float(schema[name]))
        for name, number in _SCHEMA_FLOATS.items()
        if name in schema
    ]
    if "default" in schema:
        parts.append(_message(5, _any(schema["default"])))
    parts += [_text(19, name) for name in schema.get("required") or ()]
    parts += [_message(20, _any(value)) for value in schema.get("enum") or ()]
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        parts.append(_message(21, _message(1, _schema(extra))))
    elif isinstance(extra, bool):
        parts.append(_message(21, _varint(2 << 3) + _varint(int(extra))))
    if isinstance(schema.get("type"), str):
        parts.append(_message(22, _text(1, schema["type"])))
    if isinstance(schema.get("items"), Mapping):
        parts.append(_message(23, _message(1, _schema(schema["items"]))))
    parts += [_message(24, _schema(item)) for item in schema.get("allOf") or ()]
    properties = schema.get("properties")
    if properties:
        named = (_message(1, _named(name, _schema(item))) for name, item in properties.items() if isinstance(item, Mapping))
        parts.append(_message(25, b"".join(named)))
    return b"".join([*parts, *_extensions(31, schema)])


def _extensions(number: int, holder: Mapping[str, Any]) -> Iterable[bytes]:
    return (_message(number, _named(name, _any(value))) for name, value in holder.items() if name.startswith(_VENDOR))


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _message(2, value)


def _any(value: Any) -> bytes:
    """A value as YAML text, which JSON is."""
    return _text(2, json.dumps(value, separators=(", ", ": ")))


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode()) if text else b""


def _message(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)
