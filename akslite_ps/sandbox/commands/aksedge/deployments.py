"""The cmdlets that check a config, make a deployment, describe it and remove it."""

from __future__ import annotations

import json
from typing import Any

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import FORCED, as_object, config_text, deployment_of
from akslite_ps.sandbox.device.deployment import NewDeployment, network_faults
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.engine import PsValue


async def new_deployment(call: Call) -> str:
    text = config_text(call)
    confirmed = call[FORCED] or call.binding.values.get("Confirm") is False
    question = 'Performing the operation "TPM pass-through" on target "AksEdge Deployment".'
    if _asks_for_tpm(text) and not confirmed and not await call.runspace.confirm(call, question):
        return assumptions.TPM_DECLINED
    return await NewDeployment(call.device, text, call.host).run()


async def test_deployment(call: Call) -> bool:
    deployment = call.device.state.deployment
    return deployment is not None and deployment.phase == "complete"


async def remove_deployment(call: Call) -> bool | None:
    device = call.device
    if device.state.deployment is None:
        call.throw(assumptions.NO_DEPLOYMENT)
    if not call[FORCED] and not await call.should_process("AksEdge Deployment", "Remove the deployment"):
        return None
    call.host("Removing AksEdge deployment")
    await device.cluster.remove()
    await device.clock.sleep(assumptions.REMOVAL_SECONDS)
    device.update(deployment=None)
    return True


async def get_deployment_info(call: Call) -> PsValue:
    deployment = deployment_of(call)
    addresses = deployment.service_addresses
    node = deployment.node
    return PsValue(
        {
            "DeploymentType": "SingleMachineCluster",
            "ClusterName": deployment.cluster_name,
            "Network": PsValue({"Ip4AddressPrefix": deployment.network, "VSwitchName": "aksedgesw-int"}),
            "LinuxNodeConfig": PsValue(
                {
                    "NodeName": node.name,
                    "Ip4Address": node.address,
                    "MacAddress": node.mac,
                    "CpuCount": node.cpu_count,
                    "MemoryInMB": node.memory_mb,
                    "DataSizeInGB": node.data_size_gb,
                    "ServiceIpRange": f"{addresses[0]}-{addresses[-1]}" if addresses else None,
                }
            ),
            "Arc": PsValue({"Status": "Connected" if deployment.arc_connected else "Disconnected"}),
        }
    )


async def test_arc_connection(call: Call) -> bool:
    deployment = call.device.state.deployment
    return deployment is not None and deployment.arc_connected


async def new_config(call: Call) -> Any:
    from akslite_ps.aksedge.config import DeploymentConfig

    product = call.device.state.product
    assert product is not None
    data = DeploymentConfig.template(call["DeploymentType"], product.distribution, node_type=call["NodeType"]).as_data()
    if call["outFile"]:
        call.device.keep_file(call["outFile"], json.dumps(data, indent=4))
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
    "Test-AksEdgeArcConnection": test_arc_connection,
    "Test-AksEdgeDeployment": test_deployment,
    "Test-AksEdgeNetworkParameters": test_network_parameters,
}
