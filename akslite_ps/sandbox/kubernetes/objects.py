"""Kubernetes objects as plain JSON-ready data, and the few things every module asks of one.

Used by the store, the controllers and the API. Nothing here knows a kind.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

Object = dict[str, Any]

# The alphabet Kubernetes uses for generated names: no vowels and no look-alikes.
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class ObjectKey(NamedTuple):
    """Where an object lives: ``resource`` is ``plural.group`` (plain plural for the core group); namespace "" is cluster scope."""

    resource: str
    namespace: str
    name: str


def name_of(obj: Mapping[str, Any]) -> str:
    """The object's name, "" while it has none."""
    return str(obj.get("metadata", {}).get("name") or "")


def namespace_of(obj: Mapping[str, Any]) -> str:
    """The object's namespace, "" for cluster scope."""
    return str(obj.get("metadata", {}).get("namespace") or "")


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The object's labels, never None."""
    return obj.get("metadata", {}).get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """The object's annotations, never None."""
    return obj.get("metadata", {}).get("annotations") or {}


def timestamp(moment: dt.datetime) -> str:
    """A moment as Kubernetes writes ``metav1.Time``: UTC, whole seconds."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: dt.datetime) -> str:
    """A moment as Kubernetes writes ``metav1.MicroTime`` (leases, events)."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> dt.datetime:
    """The moment written by :func:`timestamp` or :func:`micro_timestamp`, or by a client in RFC 3339.

    Raises:
        ValueError: The text is no moment with a time zone.
    """
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    return moment


def name_suffix(length: int = 5) -> str:
    """A random suffix as in generated pod names."""
    return "".join(random.choices(_NAME_ALPHABET, k=length))  # noqa: S311 - a name, not a secret


def name_hash(number: int, length: int = 10) -> str:
    """``number`` written in the alphabet of generated names, e.g. a pod template's hash."""
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(_NAME_ALPHABET))
        letters.append(_NAME_ALPHABET[rest])
    return "".join(letters)


def owner_reference(owner: Mapping[str, Any]) -> dict[str, Any]:
    """The reference by which a controller marks what it made."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """The owner reference of the object's controller, if it has one."""
    for reference in obj.get("metadata", {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def condition(obj: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """The status condition of this type, if the object has it."""
    for item in obj.get("status", {}).get("conditions") or ():
        if item.get("type") == kind:
            return dict(item)
    return None


def set_condition(
    obj: Object,
    kind: str,
    status: str,
    moment: dt.datetime,
    *,
    reason: str | None = None,
    message: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Put a condition into the status; ``lastTransitionTime`` moves only where its status changes."""
    conditions: list[dict[str, Any]] = obj.setdefault("status", {}).setdefault("conditions", [])
    now = timestamp(moment)
    entry: dict[str, Any] = {"type": kind, "status": status, "lastTransitionTime": now}
    if reason is not None:
        entry["reason"] = reason
    if message is not None:
        entry["message"] = message
    entry.update(extra or {})
    for index, present in enumerate(conditions):
        if present["type"] == kind:
            if present["status"] == status:
                entry["lastTransitionTime"] = present.get("lastTransitionTime", now)
            conditions[index] = entry
            return
    conditions.append(entry)
