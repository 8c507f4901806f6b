"""In what two deployment configs differ, and whether the product can change that in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from akslite_ps.aksedge.config.fields import FieldSpec
from akslite_ps.aksedge.config.reading import NODE_SECTIONS, Shown
from akslite_ps.aksedge.config.secret_values import HeldSecret
from akslite_ps.aksedge.config.tree import all_specs, leaves, spec_for
from akslite_ps.secrets import REDACTED, SecretRef

ABSENT = Shown("(not set)")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field with two values.

    Args:
        path: In the product's spelling.
        before: The value in the first config, the product's default where absent there; a secret as its reference.
        after: The value in the second.
        redeploys: True where the product cannot change it without deploying anew.
    """

    path: str
    before: Any
    after: Any
    redeploys: bool


def differences(before: BaseModel, after: BaseModel) -> tuple[Difference, ...]:
    """All fields whose values differ, in the order of the fields. Both configs are of the same model."""
    root = type(before)
    order = {spec.path: number for number, spec in enumerate(all_specs(root))}
    first, second = dict(leaves(before)), dict(leaves(after))
    found = []
    for path in first | second:
        spec = spec_for(root, path)
        old, new = _value(first, path, spec), _value(second, path, spec)
        if old != new:
            found.append((order[spec.path], Difference(path, _shown(old), _shown(new), spec.fixed)))
    return tuple(difference for _, difference in sorted(found, key=lambda item: (item[0], item[1].path)))


def _value(values: Mapping[str, Any], path: str, spec: FieldSpec) -> Any:
    """The value of a field; an absent one has the product's default, unless the node it belongs to is absent as a whole."""
    if path in values:
        return values[path]
    node = next((path[: path.index(name) + len(name)] for name in NODE_SECTIONS if f".{name}." in path), None)
    is_there = node is None or any(known.startswith(f"{node}.") for known in values)
    return spec.default if is_there else None


def _shown(value: Any) -> Any:
    if value is None:
        return ABSENT
    if isinstance(value, HeldSecret):
        return Shown(REDACTED)
    return str(value) if isinstance(value, SecretRef) else value
