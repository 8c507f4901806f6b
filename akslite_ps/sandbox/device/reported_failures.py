"""How the product's known failures show themselves while a deployment runs: what they write where, and what the cmdlet answers.

Asked by the deployment at each of its stages, and by Start-AksEdgeNode. The texts are those that users report
(``reference/operations.md`` section 18); whether a failure happens is decided by the host's state and the faults switched on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.device.product_log import ProductLog, note

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

OVERLAP = "All potential subnets '192.168.0.0' to '192.168.255.0' overlap with existing subnets of the local interfaces."
AGENT_NOT_STARTED = "Failed to start service 'WSSD Agent Service (wssdagent)'."
TIMED_OUT = "Time out has expired and the operation has not been completed."
NOT_READY = "Error: Linux node not in Ready state, or cluster could not be reached from host side"
VM_CONNECTION = "error during ConnectToVirtualMachine"
ENDPOINT_LOST = "Endpoint Name Interface not found"
VM_ACCESS = "hcsshim::GrantVmAccess failed: Access is denied."
NVML = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
    "container process: error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: "
    "Auto-detected mode as 'legacy' nvidia-container-cli: initialization error: nvml error: unable to load the nvml library: "
    "unknown"
)
NO_EVENT_LOGGER = "Not able to initialize Event logger"
BITS = "Error: Run this in 64bit Powershell session"
CLASS_NOT_REGISTERED = "Class not registered"
_STACK = ("Invoke-AksEdgeDeploymentStage", "New-AksEdgeDeployment")


class DeploymentFailed(Exception):
    """Ends a deployment with the text that the cmdlet answers instead of OK.

    Args:
        answer: That text.
        logged: What the product's event log says of it; the answer where None.
        stack: Functions of the module, innermost first.
    """

    def __init__(self, answer: str, *, logged: str | None = None, stack: Sequence[str] = _STACK) -> None:
        super().__init__(answer)
        self.logged = logged or answer
        self.stack = tuple(stack)


def runtime_failed(line: int) -> str:
    """Kubernetes did not start in the node."""
    return f"Starting Kubernetes runtime in Linux node failed, see details in the event log at line {line}"


def error_handler_failed(line: int) -> str:
    """The module's own error handling failed, in release 1.10."""
    return (
        "Cannot process argument transformation on parameter 'ErrString'. Cannot convert value to type System.String. "
        f"(AksEdge.psm1: line {line})"
    )


def other_product(installed: str, requested: str) -> str:
    """One distribution is installed where the other is wanted."""
    return f"Error: Installed product {installed} does not match requested product {requested}."


def addresses_taken(address: str) -> str:
    """Something answers for an address of the config."""
    return f"One or more specified IPs do not seem to be available: IP address '{address}' is not free"


def nodectl_failed(arguments: str, reason: str) -> str:
    """A call of the VM agent's command line failed, as the module words it."""
    return (
        f"C:\\Program Files\\AksEdge\\nodectl.exe  {arguments} failed to execute [Error: rpc error: code = Unknown desc = {reason}]"
    )


def check_before(device: SimulatedDevice, console: Console) -> None:
    """What stops a deployment before it begins.

    Raises:
        DeploymentFailed: With the text that the cmdlet answers.
    """
    product = device.state.product
    assert product is not None
    if device.hardware.endpoint_host == "PowerShell 7":
        raise DeploymentFailed(CLASS_NOT_REGISTERED, stack=("Test-HostFeatures", "New-AksEdgeDeployment"))
    if device.take_fault("product-mismatch", at="features") is not None:
        other = "K8s" if product.distribution == "K3s" else "K3s"
        raise DeploymentFailed(other_product(product.display_name, f"AKS Edge Essentials - {other}"))
    if device.take_fault("event-logger", at="deploy") is not None:
        console.warning(NO_EVENT_LOGGER)
    if device.state.deployment is not None or device.fault("already-deployed") is not None:
        raise DeploymentFailed(assumptions.ALREADY_DEPLOYED)


def start_agent(device: SimulatedDevice, console: Console) -> None:
    """The stage in which the module starts the VM agent and registers with it.

    Raises:
        DeploymentFailed: The agent does not start, or gives no certificate.
    """
    hangs = device.take_fault("wssdagent-start-timeout", at="wssdagent") is not None
    if hangs or device.hardware.network_service_disabled:
        console.error(
            AGENT_NOT_STARTED,
            "StartServiceFailed",
            "OpenError",
            exception="Microsoft.PowerShell.Commands.ServiceCommandException",
            target="wssdagent",
        )
        product = device.state.product
        assert product is not None
        log = ProductLog(device, console)
        log.caught(TIMED_OUT, logged=f"{AGENT_NOT_STARTED} {TIMED_OUT}", stack=("Start-WssdAgent", "Initialize-HostServices"))
        log.say(f"In order to attempt another deployment, please uninstall {product.display_name} and start from fresh")
        log.detail("Initialization of host services failed:")
        raise DeploymentFailed(TIMED_OUT, logged=f"{AGENT_NOT_STARTED} {TIMED_OUT}", stack=("Initialize-HostServices", *_STACK))
    if not host.agent_runs(device):
        raise DeploymentFailed(assumptions.NO_GATEWAY, stack=("Get-NodeAgentCertificate", "Initialize-HostServices"))


def create_node(device: SimulatedDevice) -> None:
    """The stage in which the VM is made.

    Raises:
        DeploymentFailed: A VM of an earlier deployment is not quite gone.
    """
    if device.take_fault("connect-to-vm", at="node") is not None:
        raise DeploymentFailed(nodectl_failed("compute vm create", VM_CONNECTION), stack=("New-LinuxNode", *_STACK))


def reach_node(device: SimulatedDevice) -> None:
    """The stage in which the module waits for ssh into the node.

    Raises:
        DeploymentFailed: Nothing answers.
    """
    if device.take_fault("node-ssh", at="node-ssh") is not None:
        raise DeploymentFailed(assumptions.NODE_CREATION_FAILED, stack=("Test-SshConnection", "New-LinuxNode"))


def start_runtime(device: SimulatedDevice) -> None:
    """The stage in which Kubernetes starts in the node.

    Raises:
        DeploymentFailed: It does not.
    """
    masked = device.fault("err-string-transformation") is not None
    if masked or device.take_fault("kubernetes-runtime", at="kubernetes") is not None:
        product = device.state.product
        assert product is not None
        line = assumptions.module_line(product.version, "Start-KubernetesRuntime")
        reason = "k3s.service: Main process exited, code=exited, status=1/FAILURE"
        if product.distribution == "K8s":
            reason = "[kubelet-check] The HTTP call equal to 'curl -sSL http://localhost:10248/healthz' failed: connection refused"
        raise DeploymentFailed(
            runtime_failed(line), logged=f"{runtime_failed(line)}\r\n{reason}", stack=("Start-KubernetesRuntime", *_STACK)
        )


def wait_for_ready(device: SimulatedDevice, console: Console, node: str) -> None:
    """The stage in which the module waits for the node to be Ready.

    Raises:
        DeploymentFailed: The time was over before.
    """
    if device.take_fault("node-not-ready", at="ready") is None:
        return
    product = device.state.product
    assert product is not None
    console.warning(f"Waiting for node ({node}) timed out.")
    line = assumptions.module_line(product.version, "Wait-KubernetesNodeReady")
    raise DeploymentFailed(f"{NOT_READY} at line {line}", stack=("Wait-KubernetesNodeReady", *_STACK))


def told(device: SimulatedDevice, console: Console, failed: DeploymentFailed) -> str:
    """Tell of a failed deployment and return what the cmdlet answers.

    Release 1.10 can fail in its own error handling: then only the event log says what was wrong.
    """
    answer = str(failed)
    if device.take_fault("err-string-transformation", at="deploy") is not None:
        product = device.state.product
        assert product is not None
        answer = error_handler_failed(assumptions.module_line(product.version, "Write-ErrorLog"))
    note(device, f"AksEdge - Deployment failed: {failed.logged}", level="Error", stack=failed.stack)
    log = ProductLog(device, console)
    log.say("Exception Caught!!!")
    log.detail(answer)
    return answer


def why_no_start(device: SimulatedDevice, node: str) -> str | None:
    """Why the VM of a node cannot be started, in the text that Start-AksEdgeNode throws; None where it can."""
    arguments = f"compute vm start --name {node}"
    if not host.agent_runs(device):
        return assumptions.AGENT_UNREACHABLE
    for fault, reason in (("endpoint-name-interface", ENDPOINT_LOST), ("vm-access", VM_ACCESS)):
        if device.fault(fault) is not None:
            return nodectl_failed(arguments, reason)
    return None
