"""Objects as Tables, the form in which kubectl asks for what it prints.

The rows of each kind are in ``printers``; kinds without a printer show name and creation time, as on
the real server. Ages are counted by the device's clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from akslite_ps.sandbox.kubernetes.custom_types import CustomKind
from akslite_ps.sandbox.kubernetes.durations import age
from akslite_ps.sandbox.kubernetes.extension_printers import EXTENSION_PRINTERS
from akslite_ps.sandbox.kubernetes.json_paths import values_at
from akslite_ps.sandbox.kubernetes.objects import Object, name_of
from akslite_ps.sandbox.kubernetes.printers import PRINTERS
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.workload_printers import WORKLOAD_PRINTERS

_NAME = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "Name must be unique within a namespace.",
    "priority": 0,
}


_PRINTERS = {**PRINTERS, **WORKLOAD_PRINTERS, **EXTENSION_PRINTERS}
_AGE: Mapping[str, Any] = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def make_table(
    kind: ResourceType, objects: Sequence[Object], now: dt.datetime, metadata: dict[str, Any], include_object: str = "Metadata"
) -> Object:
    """A Table of these objects.

    Args:
        metadata: The list's metadata (resourceVersion, continue).
        include_object: What each row carries of its object: ``None``, ``Metadata`` or ``Object``.
    """
    printer = _PRINTERS.get(kind.kind) if kind.custom is None else None
    if kind.custom is not None:
        columns = [_NAME, *(_custom_column(column) for column in _custom_columns(kind.custom))]
        rows = [[name_of(obj), *(_custom_cell(obj, column, now) for column in _custom_columns(kind.custom))] for obj in objects]
    elif printer is None:
        columns = [_NAME, _column("Created At", "date", 0)]
        rows = [[name_of(obj), obj["metadata"].get("creationTimestamp", "")] for obj in objects]
    else:
        columns = [
            _NAME if column.name == "Name" and not column.priority else _column(column.name, column.kind, column.priority)
            for column in printer.columns
        ]
        rows = [printer.cells(obj, now) for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": [{"cells": cells, "object": _row_object(obj, include_object)} for obj, cells in zip(objects, rows, strict=True)],
    }


def _column(name: str, kind: str, priority: int) -> dict[str, Any]:
    return {"name": name, "type": kind, "format": "", "description": name, "priority": priority}


def _custom_columns(custom: CustomKind) -> Sequence[Mapping[str, Any]]:
    """The columns that a definition asks for beside the name; the age where it asks for none."""
    return custom.columns or (_AGE,)


def _custom_column(column: Mapping[str, Any]) -> dict[str, Any]:
    about = column.get("description") or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    made = _column(column["name"], column["type"], column.get("priority", 0))
    return {**made, "format": column.get("format", ""), "description": about}


def _custom_cell(obj: Object, column: Mapping[str, Any], now: dt.datetime) -> Any:
    found = values_at(obj, column["jsonPath"])
    if not found:
        return None
    match column["type"]:
        case "date":
            try:
                return age(str(found[0]), now)
            except ValueError:
                return "<invalid>"
        case "string":
            return str(found[0]).lower() if isinstance(found[0], bool) else str(found[0])
    return found[0]


def _row_object(obj: Object, include_object: str) -> Object | None:
    if include_object == "None":
        return None
    if include_object == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
