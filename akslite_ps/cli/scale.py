"""``akslite scale``: nodes that come to a cluster, machines that join it, nodes that leave."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, WindowsExitCodes, Yes, carry_out
from akslite_ps.cli.config import override_values
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.operate import AcceptEula, Msi, MsiFile, MsiHash, msi_source
from akslite_ps.cli.output import Json

if TYPE_CHECKING:
    from akslite_ps.operations.plan import Plan

app = typer.Typer(help="More nodes and machines for a cluster, or fewer.", no_args_is_help=True)

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one field of the config that the cluster's machine writes, by its path as errors name it.",
    ),
]
ControlPlane = Annotated[bool, typer.Option("--control-plane", help="The Linux node becomes part of the control plane.")]
Kind = Annotated[str, typer.Option("--node-type", metavar="Linux|Windows", help="Kind of the node.")]


@app.command("add-node")
def add_node(
    name: Name,
    node_type: Kind,
    ip: Annotated[str | None, typer.Option("--ip", help="The node's IPv4 address; needed in a scalable cluster.")] = None,
    control_plane: ControlPlane = False,
    changes: Changes = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Add a Linux or Windows node to a machine that has a deployment.

    The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.operations import scale_node

    device, kind, values = load_device(name), scale_node.require_kind(node_type), override_values(changes)

    def same(begun: Plan) -> bool:
        wanted = {"kind": kind, "address": ip, "control_plane": control_plane, "values": values}
        return _has_parameters(begun, scale_node.ADD, wanted)

    carry_out(
        scale_node.ADD_OPERATION,
        device,
        lambda ask: scale_node.plan_add(device, kind, address=ip, control_plane=control_plane, values=values, ask=ask),
        same=same,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
    )


@app.command("join")
def join(
    primary: Annotated[str, typer.Argument(metavar="PRIMARY", help="A machine of the cluster's control plane.")],
    name: Annotated[str, typer.Argument(metavar="DEVICE", help="The machine that joins.")],
    linux_ip: Annotated[str | None, typer.Option("--linux-ip", help="IPv4 address of its Linux node.")] = None,
    windows_ip: Annotated[str | None, typer.Option("--windows-ip", help="IPv4 address of its Windows node.")] = None,
    control_plane: ControlPlane = False,
    adapter: Annotated[
        str | None, typer.Option("--adapter", help="Its network adapter; default: called like the first machine's.")
    ] = None,
    changes: Changes = None,
    msi: Msi = None,
    msi_file: MsiFile = None,
    msi_sha256: MsiHash = None,
    accept_eula: AcceptEula = False,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Let another machine join a cluster: prepare and install it where that is needed, then join, then see its nodes Ready.

    The same command again goes on where an interrupted run stopped; a join config is made anew then where it is needed.
    """
    from akslite_ps.operations import scale_join

    first, device = load_device(primary), load_device(name)
    installer = msi_source(msi, msi_sha256, None, file=msi_file)
    values = override_values(changes)
    if adapter is not None:
        values["Machines[0].NetworkConnection.AdapterName"] = adapter
    addresses = {kind: address for kind, address in (("Linux", linux_ip), ("Windows", windows_ip)) if address is not None}

    def same(begun: Plan) -> bool:
        wanted = {"addresses": addresses, "control_plane": control_plane, "values": values}
        return _has_parameters(begun, scale_join.JOIN, wanted | {"primary": first.model_dump(mode="json")})

    carry_out(
        scale_join.OPERATION,
        device,
        lambda ask: scale_join.plan_join(
            first,
            device,
            linux_address=linux_ip,
            windows_address=windows_ip,
            control_plane=control_plane,
            values=values,
            accept_eula=accept_eula or None,
            msi=installer,
            ask=ask,
        ),
        same=same,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )


@app.command("remove-node")
def remove_node(
    name: Name,
    node_type: Kind,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="DEVICE", help="The device's name once more: the node's data will be lost."),
    ] = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Move the pods away from one node of a machine and remove it. To take a whole machine out: akslite remove.

    Needs the device's name typed once more; --yes alone does not confirm it.
    """
    from akslite_ps.operations import remove, scale_node

    device, kind = load_device(name), scale_node.require_kind(node_type)

    def require(the_plan: Plan) -> None:
        typed = confirm
        if typed is None and the_plan.has_changes and not as_json and sys.stdin.isatty():
            typed = typer.prompt(f"all data in the {kind} node of {device.name} will be lost; type the device's name", err=True)
        remove.require_confirmation(the_plan, typed)

    carry_out(
        scale_node.REMOVE_OPERATION,
        device,
        lambda ask: scale_node.plan_remove(device, kind, ask=ask),
        same=lambda begun: _has_parameters(begun, scale_node.REMOVE, {"kind": kind}),
        confirm=require,
        yes=yes or confirm is not None,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
    )


def _has_parameters(begun: Plan, step_id: str, wanted: dict[str, Any]) -> bool:
    """Whether the step of an unfinished run's plan is for the same."""
    found = next((step.parameters for step in begun.steps if step.id == step_id), {})
    return all(found.get(name) == value for name, value in wanted.items())
