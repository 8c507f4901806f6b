"""The cmdlets for the nodes of a deployment: state, address, start and stop, draining, kubeconfig, tokens."""

from __future__ import annotations

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import deployment_of, full_path, is_confirmed, node_kinds, node_of, write_file
from akslite_ps.sandbox.device.node_drain import DrainFailed, drain
from akslite_ps.sandbox.device.product_log import ProductLog, note
from akslite_ps.sandbox.device.reported_failures import why_no_start
from akslite_ps.sandbox.device.state import Node
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.engine import PsValue


async def test_node(call: Call) -> bool:
    deployment = call.device.state.deployment
    if deployment is None or deployment.phase != "complete":
        return False
    return all(deployment.find_node(kind) is not None for kind in node_kinds(call["NodeType"]))


async def get_node_address(call: Call) -> PsValue:
    node = node_of(call, call["NodeType"])
    return PsValue({"Ip4Address": node.address, "MacAddress": node.mac})


async def get_node_name(call: Call) -> str:
    return node_of(call, call["NodeType"]).name


async def start_node(call: Call) -> None:
    """Does nothing to a node that runs; returns before the others are up."""
    nodes = [node_of(call, kind) for kind in node_kinds(call["NodeType"])]
    for node in nodes:
        if node.running and call.device.cluster.is_node_up(node.kind):
            continue
        refused = why_no_start(call.device, node.name)
        if refused is not None:
            call.throw(refused)
        _set_running(call, node, running=True)
        call.device.cluster.begin_start_node([node.kind])


async def stop_node(call: Call) -> None:
    """Does nothing to a node that is stopped; returns before the others are down."""
    nodes = [node_of(call, kind) for kind in reversed(node_kinds(call["NodeType"]))]
    for node in nodes:
        if node.running:
            _set_running(call, node, running=False)
            call.device.cluster.begin_stop_node([node.kind])


async def set_node_to_drain(call: Call) -> None:
    """Both: Windows first, then Linux."""
    nodes = [node_of(call, kind) for kind in reversed(node_kinds(call["NodeType"]))]
    for node in nodes:
        if not await is_confirmed(call, node.name, "Drain the node"):
            continue
        try:
            await drain(call.device, node, call, timeout_s=call["TimeoutSeconds"], forced=bool(call["Force"]))
        except DrainFailed as failed:
            note(call.device, str(failed), level="Error", stack=("Set-AksEdgeNodeToDrain",))
            call.throw(str(failed))


async def get_connectivity_mode(call: Call) -> str:
    return "On" if node_of(call, "Linux").reachable_by_ssh else "Off"


async def set_connectivity_mode(call: Call) -> None:
    node = node_of(call, "Linux")
    if call["mode"] is not None:
        _update(call, node.model_copy(update={"reachable_by_ssh": call["mode"].casefold() == "on"}))


async def get_kube_config(call: Call) -> None:
    given = call["KubeConfigPath"] if call.is_bound("KubeConfigPath") else ""
    folder = full_path(call, given or f"C:\\Users\\{call.device.spec.user}\\.kube")
    path = folder.rstrip("\\") + "\\config"
    if not await call.should_process(path, "Overwrite the kubeconfig"):
        return
    if call["NodeType"] == "Windows":
        node_of(call, "Windows")
    if call["ignoreError"] and call.device.cluster.cluster is None:
        return
    write_file(call, path, kubeconfig_text(call))
    call.device.clear_faults("no-kubeconfig")


async def get_managed_service_token(call: Call) -> str:
    cluster = call.device.cluster.cluster
    if cluster is None:
        call.throw(assumptions.NO_DEPLOYMENT if call.device.state.deployment is None else assumptions.NODE_NOT_RUNNING)
    if not any(node.control_plane for node in deployment_of(call).nodes):
        call.throw(assumptions.NOT_CONTROL_PLANE)
    return cluster.service_account_token()


async def repair_kms(call: Call) -> None:
    deployment = deployment_of(call)
    if not deployment.encrypts_secrets:
        call.throw(assumptions.KMS_NOT_ENABLED)
    if not call.device.cluster.is_node_up("Linux"):
        call.throw(assumptions.NODE_NOT_RUNNING)
    await call.device.clock.sleep(assumptions.KMS_REPAIR_SECONDS)
    ProductLog(call.device, call).say(assumptions.KMS_REPAIRED)


def kubeconfig_text(call: Call) -> str:
    """The admin kubeconfig, which is fetched from the running node."""
    deployment_of(call)
    cluster = call.device.cluster.cluster
    if cluster is None:
        call.throw(assumptions.NODE_NOT_RUNNING)
    return cluster.kubeconfig(call.device.cluster.server_url)


def _set_running(call: Call, node: Node, *, running: bool) -> None:
    _update(call, node.model_copy(update={"running": running}))


def _update(call: Call, node: Node) -> None:
    call.device.update(deployment=deployment_of(call).with_node(node))


RUN: dict[str, Implementation] = {
    "Get-AksEdgeKubeConfig": get_kube_config,
    "Get-AksEdgeManagedServiceToken": get_managed_service_token,
    "Get-AksEdgeNodeAddr": get_node_address,
    "Get-AksEdgeNodeConnectivityMode": get_connectivity_mode,
    "Get-AksEdgeNodeName": get_node_name,
    "Repair-AksEdgeKms": repair_kms,
    "Set-AksEdgeNodeConnectivityMode": set_connectivity_mode,
    "Set-AksEdgeNodeToDrain": set_node_to_drain,
    "Start-AksEdgeNode": start_node,
    "Stop-AksEdgeNode": stop_node,
    "Test-AksEdgeNode": test_node,
}
