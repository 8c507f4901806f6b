"""Ties a typed call to its cmdlet in the catalog, so that its documentation is the catalog's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from akslite_ps.aksedge.catalog import CmdletSpec, load_catalog

_Call = TypeVar("_Call", bound=Callable[..., Any])

TYPED_CALLS: dict[str, Callable[..., Any]] = {}
"""Cmdlet name to typed call, filled by :func:`cmdlet`."""


def cmdlet(name: str) -> Callable[[_Call], _Call]:
    """Mark the typed call of a cmdlet: what the catalog knows of it is added to the docstring.

    Args:
        name: The cmdlet, in the catalog's spelling.
    """
    spec = load_catalog()[name]

    def mark(call: _Call) -> _Call:
        call.__doc__ = "\n\n".join([inspect.cleandoc(call.__doc__ or ""), _facts(spec)])
        TYPED_CALLS[spec.name] = call
        return call

    return mark


def _facts(spec: CmdletSpec) -> str:
    lines = [f"Cmdlet {spec.name} (risk class: {spec.risk}). {spec.synopsis}"]
    if spec.min_version:
        lines.append(f"From release {spec.min_version}.")
    if spec.preconditions:
        lines.append(f"Needs {'; '.join(spec.preconditions)}.")
    if spec.output:
        lines.append(f"Answers: {spec.output}")
    if spec.may_require_reboot:
        lines.append("The machine may restart because of it.")
    return "\n".join([*lines, *spec.notes])
