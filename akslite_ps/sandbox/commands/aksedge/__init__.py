"""The cmdlets of the product's module AksEdge, as commands of the simulated device.

Parameters come from the catalog (``akslite_ps.aksedge``). A device has them once the product is installed. Those that
have no behaviour yet answer one clear error, from :func:`not_simulated`.
"""

from __future__ import annotations

from akslite_ps.aksedge import load_catalog
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge import deployments, host_features, nodes
from akslite_ps.sandbox.commands.catalog import command_from_spec
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, Implementation

_RUN: dict[str, Implementation] = {**deployments.RUN, **nodes.RUN, **host_features.RUN}


async def not_simulated(call: Call) -> None:
    """The cmdlet exists on a real device; here it has no behaviour yet."""
    call.fail(
        assumptions.not_simulated(call.info.name),
        "NotSimulated",
        "NotImplemented",
        exception="System.NotImplementedException",
        target=call.info.name,
    )


def commands(version: str) -> list[CommandInfo]:
    """The cmdlets that the installed version of the module exports."""
    return [command_from_spec(spec, _RUN.get(spec.name, not_simulated), version=version) for spec in load_catalog().current]
