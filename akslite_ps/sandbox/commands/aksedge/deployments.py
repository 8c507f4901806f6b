"""The cmdlets that check a config, make a deployment, describe it and remove it."""

from __future__ import annotations

import json
from typing import Any, cast

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import as_object, chosen, config_text, deployment_of, is_confirmed, write_file
from akslite_ps.sandbox.device import scaling
from akslite_ps.sandbox.device.arc import connectivity
from akslite_ps.sandbox.device.deployment import NewDeployment
from akslite_ps.sandbox.device.deployment_config import network_faults
from akslite_ps.sandbox.device.state import Deployment, DeploymentType, Node
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.embedded.prompts import ask_to_confirm
from akslite_ps.sandbox.engine import PsValue


async def new_deployment(call: Call) -> str:
    text = config_text(call)
    confirmed = call["Force"] or call.binding.values.get("Confirm") is False
    question = 'Performing the operation "TPM pass-through" on target "AksEdge Deployment".'
    if _asks_for_tpm(text) and not confirmed and not (await ask_to_confirm(call.streams, question)).yes:
        return assumptions.TPM_DECLINED
    return await NewDeployment(call.device, text, call).run()


async def test_deployment(call: Call) -> bool:
    deployment = call.device.state.deployment
    return deployment is not None and deployment.phase == "complete"


async def remove_deployment(call: Call) -> bool | None:
    device = call.device
    if device.state.deployment is None and device.fault("already-deployed") is None:
        call.throw(assumptions.NO_DEPLOYMENT)
    if not await is_confirmed(call, "AksEdge Deployment", "Remove the deployment"):
        return None
    if device.state.deployment is not None:
        refused = scaling.why_not_removed_all(device, forced=bool(call["Force"]))
        if refused is not None:
            call.throw(refused)
    call.host("Removing AksEdge deployment")
    await scaling.remove_deployment(device)
    return True


async def get_deployment_info(call: Call) -> PsValue:
    """Only LinuxNodeConfig.ServiceIpRange and Arc.Status are known (from scripts); the rest is assumed to be named likewise."""
    deployment = deployment_of(call)
    connected = connectivity(call.device) == "Connected"
    nodes = {f"{node.kind}NodeConfig": _node_info(node, deployment) for node in deployment.nodes}
    return PsValue(
        {
            "DeploymentType": deployment.deployment_type,
            "ClusterName": deployment.cluster_name,
            "ClusterId": deployment.cluster_id,
            "Network": PsValue(
                {
                    "Ip4AddressPrefix": deployment.network,
                    "VSwitchName": deployment.switch,
                    "ControlPlaneEndpointIp": deployment.control_plane_address,
                }
            ),
            **nodes,
            "Arc": PsValue({"Status": "Connected" if connected else "Disconnected"}),
        }
    )


def _node_info(node: Node, deployment: Deployment) -> PsValue:
    common = {
        "NodeName": node.name,
        "Ip4Address": node.address,
        "MacAddress": node.mac,
        "CpuCount": node.cpu_count,
        "MemoryInMB": node.memory_mb,
    }
    if node.kind == "Windows":
        return PsValue(common)
    addresses = deployment.service_addresses
    return PsValue(
        {
            **common,
            "DataSizeInGB": node.data_size_gb,
            "LogSizeInGB": node.log_size_gb,
            "ControlPlane": node.control_plane,
            "ServiceIpRange": f"{addresses[0]}-{addresses[-1]}" if addresses else None,
        }
    )


async def new_config(call: Call) -> Any:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.config.deployment_config import NodeType
    from akslite_ps.aksedge.releases import LATEST_SCHEMA, schema_for

    product = call.device.state.product
    assert product is not None
    template = DeploymentConfig.template(
        cast(DeploymentType, chosen(call, "DeploymentType")),
        product.distribution,
        node_type=cast(NodeType, chosen(call, "NodeType")),
        schema_version=schema_for(product.version) or LATEST_SCHEMA,
    )
    data = template.as_data()
    if call["outFile"]:
        write_file(call, call["outFile"], json.dumps(data, indent=4))
    return as_object(data)


async def test_network_parameters(call: Call) -> bool:
    call.host("Validating AksEdge network parameters...")
    faults = network_faults(call.device, config_text(call))
    await call.device.clock.sleep(assumptions.DEPLOYMENT_SECONDS["network"])
    call.host(f"*** {len(faults)} errors found in the deployment configuration.")
    for fault in faults:
        call.host(f" - {fault}")
    return not faults


def _asks_for_tpm(text: str) -> bool:
    try:
        machines = json.loads(text)["Machines"]
        return any(bool(machine.get("LinuxNode", {}).get("TpmPassthrough")) for machine in machines)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


RUN: dict[str, Implementation] = {
    "Get-AksEdgeDeploymentInfo": get_deployment_info,
    "New-AksEdgeConfig": new_config,
    "New-AksEdgeDeployment": new_deployment,
    "Remove-AksEdgeDeployment": remove_deployment,
    "Test-AksEdgeDeployment": test_deployment,
    "Test-AksEdgeNetworkParameters": test_network_parameters,
}
