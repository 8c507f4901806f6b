"""The cmdlets for the nodes of a deployment: state, address, kubeconfig, tokens."""

from __future__ import annotations

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import deployment_of
from akslite_ps.sandbox.device.state import Deployment
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.engine import PsValue


async def test_node(call: Call) -> bool:
    deployment = call.device.state.deployment
    return deployment is not None and deployment.phase == "complete" and call["NodeType"] == "Linux"


async def get_node_address(call: Call) -> PsValue:
    node = deployment_of(call).node
    return PsValue({"Ip4Address": node.address, "MacAddress": node.mac})


async def get_node_name(call: Call) -> str:
    return deployment_of(call).node.name


async def start_node(call: Call) -> None:
    deployment = deployment_of(call)
    if not deployment.node.running:
        _set_running(call, deployment, running=True)
        call.device.cluster.begin_start_node()


async def stop_node(call: Call) -> None:
    deployment = deployment_of(call)
    if deployment.node.running:
        _set_running(call, deployment, running=False)
        await call.device.cluster.stop_node()


async def get_kube_config(call: Call) -> None:
    folder = call["KubeConfigPath"] if call.is_bound("KubeConfigPath") else f"C:\\Users\\{call.device.spec.user}\\.kube"
    path = folder.rstrip("\\") + "\\config"
    if await call.should_process(path, "Overwrite the kubeconfig"):
        kubeconfig_text(call)
        call.device.keep_file(path, "kubeconfig")


async def get_managed_service_token(call: Call) -> str:
    cluster = call.device.cluster.cluster
    if cluster is None:
        call.throw(assumptions.NO_DEPLOYMENT if call.device.state.deployment is None else assumptions.NODE_NOT_RUNNING)
    return cluster.service_account_token()


def kubeconfig_text(call: Call) -> str:
    """The admin kubeconfig, which is fetched from the running node."""
    deployment_of(call)
    cluster = call.device.cluster.cluster
    if cluster is None:
        call.throw(assumptions.NODE_NOT_RUNNING)
    return cluster.kubeconfig(call.device.cluster.server_url)


def _set_running(call: Call, deployment: Deployment, *, running: bool) -> None:
    node = deployment.node.model_copy(update={"running": running})
    call.device.update(deployment=deployment.model_copy(update={"node": node}))


RUN: dict[str, Implementation] = {
    "Get-AksEdgeKubeConfig": get_kube_config,
    "Get-AksEdgeManagedServiceToken": get_managed_service_token,
    "Get-AksEdgeNodeAddr": get_node_address,
    "Get-AksEdgeNodeName": get_node_name,
    "Start-AksEdgeNode": start_node,
    "Stop-AksEdgeNode": stop_node,
    "Test-AksEdgeNode": test_node,
}
