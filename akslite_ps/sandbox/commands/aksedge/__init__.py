"""The cmdlets of the product's module AksEdge, as commands of the simulated device.

Parameters come from the catalog (``akslite_ps.aksedge``). A device has them once the product is installed, as far as the
installed release exports them.
"""

from __future__ import annotations

from typing import Any

from akslite_ps.aksedge import load_catalog
from akslite_ps.aksedge.versions import compare
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge import arc, deployments, host_features, logs, node_commands, nodes, scale, updates
from akslite_ps.sandbox.commands.catalog import command_from_spec
from akslite_ps.sandbox.device.reported_failures import BITS
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, Implementation

_RUN: dict[str, Implementation] = {
    **arc.RUN,
    **deployments.RUN,
    **host_features.RUN,
    **logs.RUN,
    **node_commands.RUN,
    **nodes.RUN,
    **scale.RUN,
    **updates.RUN,
}


def commands(version: str) -> list[CommandInfo]:
    """The cmdlets that the installed version of the module exports."""
    exported = [spec for spec in load_catalog().current if spec.min_version is None or compare(version, spec.min_version) >= 0]
    return [command_from_spec(spec, _where_it_works(_RUN[spec.name]), version=version) for spec in exported]


def _where_it_works(run: Implementation) -> Implementation:
    """The module does not work in a 32-bit PowerShell, nor in a session that outlives its product, whatever its command."""

    def start(call: Call) -> Any:
        if call.device.hardware.endpoint_host == "32-bit":
            call.throw(BITS)
        if call.device.state.product is None:
            call.throw(assumptions.PRODUCT_GONE)
        return run(call)

    return start
