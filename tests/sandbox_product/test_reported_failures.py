"""Every failure of the product that users report, switched on by its name: its text arrives as the product gives it, our table of
known failures recognizes it, and the device is left as the product would leave it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from akslite_ps.aksedge import known_failure
from akslite_ps.sandbox.device import kubectl
from akslite_ps.sandbox.device.faults import FAULT_KINDS, TRANSPORT_FAULTS
from akslite_ps.sandbox.device.product_faults import KINDS

if TYPE_CHECKING:
    from conftest import Bench

LOG = "AKS Edge Essentials - K3s"
ARC = {
    "ClusterName": "press",
    "Location": "westeurope",
    "ResourceGroupName": "edge",
    "SubscriptionId": "11111111-1111-1111-1111-111111111111",
    "TenantId": "22222222-2222-2222-2222-222222222222",
    "ClientId": "33333333-3333-3333-3333-333333333333",
    "ClientSecret": "canary-4711-secret",
}


@dataclass(frozen=True)
class Reported:
    """A failure of New-AksEdgeDeployment: the fault, how it is recognized, and what the answer holds."""

    fault: str
    known_as: str
    answer: str


DEPLOYMENT_FAILURES = [
    Reported("wssdagent-no-gateway", "no-default-gateway", "Failed to get nodeagent certificate: Not Found"),
    Reported("no-gateway", "no-default-gateway", "Failed to get nodeagent certificate: Not Found"),
    Reported("hns-disabled", "wssdagent-not-started", "Time out has expired and the operation has not been completed."),
    Reported("wssdagent-start-timeout", "wssdagent-not-started", "Time out has expired and the operation has not been completed."),
    Reported("no-nested-virtualization", "node-not-created", "New-Node failed with error Creation of Linux node failed"),
    Reported("low-memory", "node-not-created", "New-Node failed with error Creation of Linux node failed"),
    Reported("node-ssh", "node-not-created", "New-Node failed with error Creation of Linux node failed"),
    Reported("disk-full", "disk-full", "There is not enough space on the disk."),
    Reported("subnets-overlap", "no-free-subnet", "All potential subnets '192.168.0.0' to '192.168.255.0' overlap"),
    Reported("address-not-free", "address-taken", "IP address '192.168.0.2' is not free"),
    Reported("connect-to-vm", "vm-connect", "error during ConnectToVirtualMachine"),
    Reported("kubernetes-runtime", "runtime-not-started", "Starting Kubernetes runtime in Linux node failed, see details in the"),
    Reported("node-not-ready", "node-not-ready", "Error: Linux node not in Ready state, or cluster could not be reached"),
    Reported("err-string-transformation", "error-handler", "Cannot process argument transformation on parameter 'ErrString'."),
    Reported("class-not-registered", "powershell-7", "Class not registered"),
    Reported("already-deployed", "already-deployed", "AksEdge VM already deployed"),
    Reported("product-mismatch", "other-distribution", "Error: Installed product AKS Edge Essentials - K3s does not match"),
]


@pytest.mark.parametrize("reported", DEPLOYMENT_FAILURES, ids=lambda reported: reported.fault)
async def test_a_deployment_fails_as_reported_and_works_when_the_cause_is_gone(prepared: Bench, reported: Reported) -> None:
    at_once = reported.fault in TRANSPORT_FAULTS or "deploy" not in FAULT_KINDS[reported.fault].moments
    prepared.device.add_fault(reported.fault, at=None if at_once else "deploy")
    recorded = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": prepared.config()}))

    assert recorded.failed is None
    assert len(recorded.output) == 1
    assert reported.answer in recorded.output[0]
    found = known_failure(recorded.output[0])
    assert found is not None
    assert found.id == reported.known_as
    assert any(reported.answer in line for line in recorded.host)
    assert any(entry.level == "Error" for entry in prepared.device.events.entries(LOG))
    assert prepared.device.state.deployment is None
    assert prepared.device.state.summary == "installed"
    assert prepared.device.cluster.cluster is None

    prepared.device.clear_faults()
    assert await prepared.deploy() == "OK"


async def test_an_agent_that_does_not_start_is_an_error_record_too(prepared: Bench) -> None:
    prepared.device.add_fault("wssdagent-start-timeout")
    recorded = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": prepared.config()}))

    assert [error.error_id.partition(",")[0] for error in recorded.errors] == ["StartServiceFailed"]
    assert recorded.errors[0].message == "Failed to start service 'WSSD Agent Service (wssdagent)'."
    assert recorded.errors[0].category == "OpenError"
    assert any("please uninstall AKS Edge Essentials - K3s and start from fresh" in line for line in recorded.host)


async def test_a_new_installation_ends_what_it_is_the_remedy_for(prepared: Bench) -> None:
    prepared.device.add_fault("wssdagent-start-timeout")
    for _ in range(2):
        assert await _answer(prepared) == "Time out has expired and the operation has not been completed."
    await prepared.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")

    assert await prepared.deploy() == "OK"


async def test_a_restart_ends_what_it_is_the_remedy_for(prepared: Bench) -> None:
    prepared.device.add_fault("connect-to-vm")
    assert await prepared.deploy() != "OK"
    await prepared.device.reboot()

    assert await prepared.deploy() == "OK"


async def test_a_node_that_is_not_ready_in_time_is_a_warning_first(prepared: Bench) -> None:
    prepared.device.add_fault("node-not-ready", times=1)
    recorded = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": prepared.config()}))

    assert recorded.warnings == ["Waiting for node (press-01-ledge) timed out."]
    assert await prepared.deploy() == "OK"


async def test_the_error_handler_of_1_10_leaves_the_cause_to_the_event_log(prepared: Bench) -> None:
    prepared.device.add_fault("err-string-transformation")
    answer = await prepared.deploy()

    assert "Starting Kubernetes runtime" not in answer
    errors = [entry.message for entry in prepared.device.events.entries(LOG) if entry.level == "Error"]
    assert any("Starting Kubernetes runtime in Linux node failed" in message for message in errors)


async def test_a_check_of_addresses_can_be_skipped(prepared: Bench) -> None:
    prepared.device.add_fault("address-not-free")
    tested = await prepared.run(("Test-AksEdgeNetworkParameters", {"JsonConfigString": prepared.config()}))

    assert tested.output == [False]
    assert any("is not free" in line for line in tested.host)
    assert await prepared.deploy(Network__SkipAddressFreeCheck=True) == "OK"


async def test_a_subnet_of_ones_own_goes_past_an_overlap(prepared: Bench) -> None:
    prepared.device.add_fault("subnets-overlap")

    assert await prepared.deploy(Network__Ip4AddressPrefix="172.20.1.0/24") == "OK"


async def test_leftover_disks_go_with_a_removal(prepared: Bench) -> None:
    prepared.device.add_fault("already-deployed")
    assert await prepared.deploy() == "AksEdge VM already deployed"
    await prepared.one("Remove-AksEdgeDeployment", Force=True)

    assert await prepared.deploy() == "OK"


async def test_powershell_7_cannot_read_windows_features(prepared: Bench) -> None:
    prepared.device.add_fault("class-not-registered")
    refused = (await prepared.run(("Install-AksEdgeHostFeatures", {"Force": True}))).failed

    assert refused is not None
    assert refused.message == "Class not registered"
    assert refused.exception_type == "System.Runtime.InteropServices.COMException"


async def test_the_module_does_not_work_in_32_bits(prepared: Bench) -> None:
    prepared.device.add_fault("32-bit-session")
    refused = (await prepared.run("Test-AksEdgeDeployment")).failed

    assert refused is not None
    assert refused.message == "Error: Run this in 64bit Powershell session"
    assert _id(refused.message) == "32-bit"
    assert (await prepared.run("Get-AksLiteFacts")).failed is None
    prepared.device.clear_faults()
    assert await prepared.one("Test-AksEdgeDeployment") is False


# -- nodes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "known_as", "text"),
    [
        ("endpoint-name-interface", "endpoint-lost", "Endpoint Name Interface not found]"),
        ("vm-access", "vm-access", "hcsshim::GrantVmA"),
        ("hns-disabled", "wssdagent-unreachable", "wssdagent is unreachable, please retry..."),
    ],
)
async def test_a_node_that_does_not_start(deployed: Bench, fault: str, known_as: str, text: str) -> None:
    await deployed.run("Stop-AksEdgeNode")
    await deployed.wait_until(lambda: not deployed.device.cluster.is_node_up("Linux"))
    deployed.device.add_fault(fault)
    refused = (await deployed.run("Start-AksEdgeNode")).failed

    assert refused is not None
    assert text in refused.message
    assert _id(refused.message) == known_as
    assert not deployed.device.cluster.is_node_up("Linux")
    deployed.device.clear_faults()
    assert (await deployed.run("Start-AksEdgeNode")).failed is None
    await deployed.wait_until(lambda: deployed.device.cluster.is_node_up("Linux"))


async def test_a_lost_endpoint_keeps_the_node_down_after_a_restart_until_it_is_deployed_anew(deployed: Bench) -> None:
    deployed.device.add_fault("endpoint-name-interface")
    await deployed.device.reboot()

    assert deployed.device.cluster.cluster is None
    assert await deployed.one("Test-AksEdgeDeployment") is True
    refused = (await deployed.run("Start-AksEdgeNode")).failed
    assert refused is not None
    assert _id(refused.message) == "endpoint-lost"
    errors = [entry.message for entry in deployed.device.events.entries(LOG) if entry.level == "Error"]
    assert "nodectl.exe  compute vm start --name press-01-ledge failed to execute" in errors[-1]
    await deployed.one("Remove-AksEdgeDeployment", Force=True)
    assert await deployed.deploy() == "OK"


async def test_a_disk_that_may_not_be_opened_is_mended_by_a_restart(deployed: Bench) -> None:
    deployed.device.add_fault("vm-access")
    await deployed.device.reboot()

    await deployed.wait_until(lambda: deployed.device.cluster.is_node_up("Linux"))


async def test_a_disabled_network_service_shows_in_services_and_system_log(deployed: Bench) -> None:
    deployed.device.add_fault("hns-disabled")
    await deployed.device.reboot()
    services = (await deployed.run("Get-Service")).output
    states = {service.properties["Name"]: service.properties["Status"].name for service in services}

    assert states["hns"] == "Stopped"
    assert states["wssdagent"] == "Stopped"
    assert deployed.device.cluster.cluster is None
    system = [entry for entry in deployed.device.events.entries("System") if entry.source == "Service Control Manager"]
    assert [entry.event_id for entry in system] == [7001]
    deployed.device.clear_faults()
    await deployed.device.reboot()
    await deployed.wait_until(lambda: deployed.device.cluster.is_node_up("Linux"))


async def test_an_unsafe_update_state_takes_no_other_node(deployed: Bench) -> None:
    deployed.device.add_fault("update-unsafe-state")
    recorded = await deployed.run(("Add-AksEdgeNode", {"JsonConfigString": "{}"}))
    shown = " ".join([*recorded.output, *recorded.host, recorded.failed.message if recorded.failed else ""])

    assert "An update is currently in progress or in an unsafe state." in shown
    assert _id(shown) == "update-in-progress"


async def test_without_a_kubeconfig_kubectl_asks_this_machine(deployed: Bench) -> None:
    assert kubectl.complaint(deployed.device) is None
    deployed.device.add_fault("no-kubeconfig")
    complaint = kubectl.complaint(deployed.device)

    assert complaint is not None
    assert _id(complaint) == "no-kubeconfig"
    await deployed.run(("Get-AksEdgeKubeConfig", {"Confirm": False}))
    assert kubectl.complaint(deployed.device) is None


async def test_without_a_deployment_cmdlets_say_so(prepared: Bench) -> None:
    for name in ("Get-AksEdgeDeploymentInfo", "Start-AksEdgeNode", "Get-AksEdgeNodeAddr"):
        refused = (await prepared.run(name)).failed
        assert refused is not None
        assert refused.message == "Please create a deployment before using this commandlet."
        assert _id(refused.message) == "no-deployment"


async def test_a_deployment_can_be_asked_for_too_early(deployed: Bench) -> None:
    deployed.device.add_fault("deployment-not-found", at="scale")
    assert (await deployed.run("Get-AksEdgeNodeName")).failed is None
    refused = (await deployed.run(("New-AksEdgeScaleConfig", {"ScaleType": "AddNode", "NodeType": "Windows"}))).failed

    assert refused is not None
    assert _id(refused.message) == "no-deployment"
    again = await deployed.run(("New-AksEdgeScaleConfig", {"ScaleType": "AddNode", "NodeType": "Windows"}))
    assert again.failed is None


async def test_an_old_openssh_is_told_and_called_true_all_the_same(prepared: Bench) -> None:
    prepared.device.add_fault("openssh-outdated")
    recorded = await prepared.run(("Install-AksEdgeHostFeatures", {"Force": True}))

    assert recorded.output == [True]
    assert [line for line in recorded.host if _id(line) == "openssh-version"]


async def test_an_event_log_that_cannot_be_written_is_only_a_warning(prepared: Bench) -> None:
    prepared.device.add_fault("event-logger")
    recorded = await prepared.run(("New-AksEdgeDeployment", {"JsonConfigString": prepared.config()}))

    assert recorded.output == ["OK"]
    assert [_id(text) for text in recorded.warnings] == ["event-logger"]


async def test_a_gpu_is_not_found_on_24h2_before_1_11(
    bench: Bench, with_release: Callable[..., Awaitable[None]], deploy_schema: Callable[..., Awaitable[str]]
) -> None:
    await with_release(bench, "AksEdge-K3s-1.29.6-1.9.262.0.msi")
    gpu = {"Name": "NVIDIA RTX A2000", "Type": "ParaVirtualization", "Count": 1}
    changes = {"Machines__0__LinuxNode__GpuPassthrough": gpu, "User__AcceptGpuWarning": True}
    assert await deploy_schema(bench, "1.14", **changes) == "OK"
    bench.device.add_fault("nvml")
    await bench.device.follow_faults()
    cluster = bench.device.cluster.cluster
    assert cluster is not None
    _run_pod(cluster, "nvcr.io/nvidia/k8s-device-plugin:v0.14.1")

    await bench.wait_until(lambda: _waits(cluster) != [])
    assert _waits(cluster)[0]["reason"] == "RunContainerError"
    assert _id(_waits(cluster)[0]["message"]) == "gpu-library"


# -- Azure Arc --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "known_as", "text"),
    [
        ("arc-parameters-invalid", "arc-parameters", "Azure Arc parameters not set or invalid"),
        ("same-key", "arc-duplicate-key", "An item with the same key has already been added."),
        ("az-module-mismatch", "az-modules", "ProcessCustomAttributesAtRuntime"),
        ("placeholder-left", "placeholder-left", "< was unexpected at this time"),
        ("az-not-recognized", "az-not-found", "The term 'az' is not recognized"),
    ],
)
async def test_a_connection_fails_as_reported(deployed: Bench, fault: str, known_as: str, text: str) -> None:
    deployed.device.add_fault(fault, at="arc", times=1)
    config = json.dumps({"Arc": ARC})
    recorded = await deployed.run(("Connect-AksEdgeArc", {"JsonConfigString": config}))

    assert text in recorded.output[0]
    assert _id(recorded.output[0]) == known_as
    assert [error.error_id.partition(",")[0] for error in recorded.errors] == (
        ["CommandNotFoundException"] if fault == "az-not-recognized" else []
    )
    assert deployed.device.azure.records.clusters == ()
    assert (await deployed.run(("Connect-AksEdgeArc", {"JsonConfigString": config}))).output == ["OK"]


async def test_a_deployment_that_cannot_connect_answers_that_and_leaves_the_cluster(prepared: Bench) -> None:
    prepared.device.add_fault("same-key")
    answer = await prepared.deploy(Network__InternetDisabled=False, Arc=ARC)

    assert "An item with the same key has already been added." in answer
    assert prepared.device.state.summary == "deployed"
    assert await prepared.one("Test-AksEdgeArcConnection") is False
    assert await prepared.one("Connect-AksEdgeArc", JsonConfigString=json.dumps({"Arc": ARC})) == "OK"


async def test_a_connection_can_be_ok_and_stay_connecting(deployed: Bench) -> None:
    deployed.device.add_fault("arc-stays-connecting")

    assert await deployed.one("Connect-AksEdgeArc", JsonConfigString=json.dumps({"Arc": ARC})) == "OK"
    assert [cluster.last_seen for cluster in deployed.device.azure.records.clusters] == [None]
    assert await deployed.one("Test-AksEdgeArcConnection") is False


async def test_a_disconnection_can_leave_the_agents_pods(deployed: Bench) -> None:
    config = json.dumps({"Arc": ARC})
    await deployed.one("Connect-AksEdgeArc", JsonConfigString=config)
    deployed.device.add_fault("arc-pods-left")
    assert await deployed.one("Disconnect-AksEdgeArc", JsonConfigString=config) == "OK"

    cluster = deployed.device.cluster.cluster
    assert cluster is not None
    assert "azure-arc" in [item["metadata"]["name"] for item in cluster.state.store.objects("namespaces")]
    assert deployed.device.azure.records.clusters == ()


# -- the faults themselves ----------------------------------------------------------------------------------------------


async def test_a_state_asked_for_at_an_operation_begins_with_it(prepared: Bench) -> None:
    prepared.device.add_fault("hns-disabled", at="deploy")
    before = (await prepared.run(("Get-Service", "hns"))).output[0].properties["Status"].name

    assert before == "Running"
    assert await _answer(prepared) == "Time out has expired and the operation has not been completed."
    assert (await prepared.run(("Get-Service", "hns"))).output[0].properties["Status"].name == "Stopped"


def test_every_fault_has_a_name_of_its_own_and_says_what_the_device_does() -> None:
    names = [kind.name for kind in KINDS]

    assert len(names) == len(set(names))
    assert all(kind.summary for kind in KINDS)


async def _answer(bench: Bench) -> Any:
    recorded = await bench.run(("New-AksEdgeDeployment", {"JsonConfigString": bench.config()}))
    return recorded.output[0]


def _id(text: str) -> str | None:
    found = known_failure(text)
    return found.id if found else None


def _run_pod(cluster: Any, image: str) -> None:
    from akslite_ps.sandbox.kubernetes import resources
    from akslite_ps.sandbox.kubernetes.pods import admit_pod

    pod = {
        "kind": "Pod",
        "metadata": {"name": "gpu", "namespace": "default"},
        "spec": {"containers": [{"name": "plugin", "image": image}]},
    }
    admit_pod(pod)
    cluster.control_plane.advance()
    cluster.state.add(resources.PODS, pod)
    cluster.control_plane.advance()


def _waits(cluster: Any) -> list[Any]:
    cluster.control_plane.advance()
    pods = cluster.state.store.objects("pods", "default")
    states = [status["state"].get("waiting") for pod in pods for status in pod["status"].get("containerStatuses") or ()]
    return [state for state in states if state and state.get("message")]
