"""The cmdlets with which a cluster grows and shrinks: join configs, a second node on a machine, nodes that leave."""

from __future__ import annotations

import json

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import chosen, config_text, deployment_of, is_confirmed, node_kinds, write_file
from akslite_ps.sandbox.device import scaling
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.embedded.prompts import ask_to_confirm


async def new_scale_config(call: Call) -> str:
    deployment_of(call)
    try:
        data = scaling.scale_config(
            call.device,
            adds_machine=chosen(call, "ScaleType") == "AddMachine",
            kinds=node_kinds(call["NodeType"]),
            addresses={"Linux": call["LinuxNodeIp"] or None, "Windows": call["WindowsNodeIp"] or None},
            control_plane=bool(call["ControlPlane"]),
        )
    except scaling.ScalingRefused as refused:
        call.throw(str(refused))
    text = json.dumps(data, indent=4)
    if call["outFile"]:
        write_file(call, call["outFile"], text)
    return text


async def add_node(call: Call) -> str:
    text = config_text(call)
    deployment_of(call)
    return await scaling.AddedNode(call.device, text, call).run()


async def remove_node(call: Call) -> bool | None:
    """Asks a second time where the node cannot leave in order; only -Force answers that."""
    device, kind = call.device, node_kinds(call["NodeType"])[0]
    deployment = deployment_of(call)
    forced = bool(call["Force"])
    refused = scaling.why_not_removed(device, kind, forced=forced)
    if refused is not None:
        call.throw(refused)
    node = deployment.find_node(kind)
    assert node is not None
    if not await is_confirmed(call, node.name, "Remove the node"):
        return None
    question = assumptions.SECOND_REMOVAL_QUESTION.format(node=node.name)
    if not forced and not scaling.leaves_in_order(device, kind) and not (await ask_to_confirm(call.streams, question)).yes:
        return None
    call.host(f"Removing {kind} node {node.name}")
    await scaling.remove_node(device, kind)
    return True


RUN: dict[str, Implementation] = {
    "Add-AksEdgeNode": add_node,
    "New-AksEdgeScaleConfig": new_scale_config,
    "Remove-AksEdgeNode": remove_node,
}
