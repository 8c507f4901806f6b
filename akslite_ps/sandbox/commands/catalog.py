"""Commands made from a catalog of ``akslite_ps.aksedge``: the parameters are the catalog's, the behaviour is given.

Used by the modules beside it for the product's cmdlets and for our device-side module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from akslite_ps.aksedge import CmdletSpec, ParameterSpec
from akslite_ps.sandbox.embedded.cmdlet import CommandInfo, Implementation
from akslite_ps.sandbox.embedded.parameters import ALL_SETS, CommandSyntax, ParameterInfo, SetMembership


def command_from_spec(
    spec: CmdletSpec, run: Implementation, *, version: str, stricter: Mapping[str, Mapping[str, Any]] | None = None
) -> CommandInfo:
    """A function of a script module, as the catalog describes it.

    Args:
        spec: The catalog's entry.
        run: The behaviour.
        version: Version of the module.
        stricter: By parameter, checks that the catalog leaves out: fields of :class:`ParameterInfo`.
    """
    more = stricter or {}
    own = [p for p in spec.parameters if not (spec.supports_shouldprocess and p.name in {"WhatIf", "Confirm"})]
    syntax = CommandSyntax(
        spec.name,
        tuple(replace(_parameter(p), **more.get(p.name, {})) for p in own),
        spec.default_parameter_set,
        spec.supports_shouldprocess,
        error_source=spec.name,
    )
    return CommandInfo(
        syntax,
        run,
        spec.module,
        version,
        impact="High" if spec.supports_shouldprocess else "Medium",
        synopsis=spec.synopsis,
        read_only=spec.cls == "read-only",
    )


def _parameter(spec: ParameterSpec) -> ParameterInfo:
    membership = SetMembership(mandatory=spec.mandatory, position=spec.position)
    return ParameterInfo(
        spec.name,
        "SwitchParameter" if spec.switch else spec.type,
        dict.fromkeys(spec.parameter_sets or (ALL_SETS,), membership),
        spec.aliases,
        spec.allowed,
        default=False if spec.switch else spec.default,
        description=spec.note,
    )
