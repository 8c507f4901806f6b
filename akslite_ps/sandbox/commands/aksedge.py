"""The cmdlets of the product's module AksEdge, as commands of the simulated device.

Parameters come from the catalog (``akslite_ps.aksedge``). A device has them once the product is installed. Those that
have no behaviour yet answer one clear error, from :func:`not_simulated`.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from akslite_ps.aksedge import load_catalog
from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.catalog import command_from_spec
from akslite_ps.sandbox.device.deployment import NewDeployment, network_faults
from akslite_ps.sandbox.device.state import Deployment
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, Implementation
from akslite_ps.sandbox.engine import PsValue

_FORCED = "Force"


async def not_simulated(call: Call) -> None:
    """The cmdlet exists on a real device; here it has no behaviour yet."""
    call.fail(
        assumptions.not_simulated(call.info.name),
        "NotSimulated",
        "NotImplemented",
        exception="System.NotImplementedException",
        target=call.info.name,
    )


# -- deployment ---------------------------------------------------------------------------------------------------


async def new_deployment(call: Call) -> str:
    text = _config_text(call)
    confirmed = call[_FORCED] or call.binding.values.get("Confirm") is False
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
    if not call[_FORCED] and not await call.should_process("AksEdge Deployment", "Remove the deployment"):
        return None
    call.host("Removing AksEdge deployment")
    await device.cluster.remove()
    await device.clock.sleep(assumptions.REMOVAL_SECONDS)
    device.update(deployment=None)
    return True


async def get_deployment_info(call: Call) -> PsValue:
    deployment = _deployment(call)
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


# -- config -------------------------------------------------------------------------------------------------------


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
    faults = network_faults(call.device, _config_text(call))
    await call.device.clock.sleep(assumptions.DEPLOYMENT_SECONDS["network"])
    call.host(f"*** {len(faults)} errors found in the deployment configuration.")
    for fault in faults:
        call.host(f" - {fault}")
    return not faults


# -- nodes --------------------------------------------------------------------------------------------------------


async def test_node(call: Call) -> bool:
    deployment = call.device.state.deployment
    return deployment is not None and deployment.phase == "complete" and call["NodeType"] == "Linux"


async def get_node_address(call: Call) -> PsValue:
    node = _deployment(call).node
    return PsValue({"Ip4Address": node.address, "MacAddress": node.mac})


async def get_node_name(call: Call) -> str:
    return _deployment(call).node.name


async def start_node(call: Call) -> None:
    deployment = _deployment(call)
    if not deployment.node.running:
        _set_running(call, deployment, running=True)
        call.device.cluster.begin_start_node()


async def stop_node(call: Call) -> None:
    deployment = _deployment(call)
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
    _deployment(call)
    cluster = call.device.cluster.cluster
    if cluster is None:
        call.throw(assumptions.NODE_NOT_RUNNING)
    return cluster.kubeconfig(call.device.cluster.server_url)


# -- host ---------------------------------------------------------------------------------------------------------


async def install_host_features(call: Call) -> bool:
    """Checks and switches on; complains about an old OpenSSH client and answers True all the same, as the product does."""
    device = call.device
    if not call[_FORCED] and not await call.should_process("AksEdge Deployment", "Install the required features"):
        return False
    call.host(" - Checking host for required features")
    for name in (*device.state.features, "OpenSSH.Client*"):
        call.host(f" - Checking the status of '{name}'")
        await device.clock.sleep(assumptions.FEATURE_CHECK_SECONDS)
        if device.state.features.get(name) == "Disabled":
            await device.clock.sleep(assumptions.FEATURE_SECONDS)
            device.switch_on(name)
    device.update(openssh_client="Installed")
    for line in ("power management settings", "HNS version", "OpenSSH version", "Nested Virtualization"):
        call.host(f" - Checking {line} of the Host")
        await device.clock.sleep(assumptions.FEATURE_CHECK_SECONDS)
        if line == "OpenSSH version" and device.hardware.openssh_outdated:
            call.host("OpenSSH.Client version does not meet the version compatible. Please manually upgrade to the latest version")
    if "EnablePending" in device.state.features.values():
        device.begin_reboot(assumptions.HOST_FEATURES_REBOOT_DELAY_SECONDS)
    return True


# -- parts --------------------------------------------------------------------------------------------------------


def as_object(data: Any) -> Any:
    """JSON-ready data as objects with properties, the way ConvertFrom-Json makes them."""
    if isinstance(data, dict):
        return PsValue({key: as_object(value) for key, value in data.items()})
    return [as_object(item) for item in data] if isinstance(data, list) else data


def _deployment(call: Call) -> Deployment:
    deployment = call.device.state.deployment
    if deployment is None or deployment.phase != "complete":
        call.throw(assumptions.NO_DEPLOYMENT)
    return deployment


def _set_running(call: Call, deployment: Deployment, *, running: bool) -> None:
    node = deployment.node.model_copy(update={"running": running})
    call.device.update(deployment=deployment.model_copy(update={"node": node}))


def _config_text(call: Call) -> str:
    if call.is_bound("JsonConfigString"):
        text: str = call["JsonConfigString"]
        return text
    path = call["JsonConfigFilePath"]
    found = call.device.read_file(path) if path else None
    if found is None:
        _no_such_file(call, path or "")
    return found


def _no_such_file(call: Call, path: str) -> NoReturn:
    call.fail(
        f"Cannot find path '{path}' because it does not exist.",
        "PathNotFound",
        "ObjectNotFound",
        exception="System.Management.Automation.ItemNotFoundException",
        target=path,
    )


def _asks_for_tpm(text: str) -> bool:
    try:
        machines = json.loads(text)["Machines"]
        return any(bool(machine.get("LinuxNode", {}).get("TpmPassthrough")) for machine in machines)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


_RUN: dict[str, Implementation] = {
    "Get-AksEdgeDeploymentInfo": get_deployment_info,
    "Get-AksEdgeKubeConfig": get_kube_config,
    "Get-AksEdgeManagedServiceToken": get_managed_service_token,
    "Get-AksEdgeNodeAddr": get_node_address,
    "Get-AksEdgeNodeName": get_node_name,
    "Install-AksEdgeHostFeatures": install_host_features,
    "New-AksEdgeConfig": new_config,
    "New-AksEdgeDeployment": new_deployment,
    "Remove-AksEdgeDeployment": remove_deployment,
    "Start-AksEdgeNode": start_node,
    "Stop-AksEdgeNode": stop_node,
    "Test-AksEdgeArcConnection": test_arc_connection,
    "Test-AksEdgeDeployment": test_deployment,
    "Test-AksEdgeNetworkParameters": test_network_parameters,
    "Test-AksEdgeNode": test_node,
}


def commands(version: str) -> list[CommandInfo]:
    """The cmdlets that the installed version of the module exports."""
    return [command_from_spec(spec, _RUN.get(spec.name, not_simulated), version=version) for spec in load_catalog().current]
