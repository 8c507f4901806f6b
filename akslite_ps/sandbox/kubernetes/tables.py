"""Objects as Tables, the form in which kubectl asks for what it prints.

The rows of each kind are in ``printers``; kinds without a printer show name and creation time, as on
the real server. Ages are counted by the device's clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object, name_of
from akslite_ps.sandbox.kubernetes.printers import PRINTERS
from akslite_ps.sandbox.kubernetes.resources import ResourceType

_NAME = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "Name must be unique within a namespace.",
    "priority": 0,
}


def make_table(
    kind: ResourceType, objects: Sequence[Object], now: dt.datetime, metadata: dict[str, Any], include_object: str = "Metadata"
) -> Object:
    """A Table of these objects.

    Args:
        metadata: The list's metadata (resourceVersion, continue).
        include_object: What each row carries of its object: ``None``, ``Metadata`` or ``Object``.
    """
    printer = PRINTERS.get(kind.kind)
    if printer is None:
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


def _row_object(obj: Object, include_object: str) -> Object | None:
    if include_object == "None":
        return None
    if include_object == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
