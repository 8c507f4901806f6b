"""Faults of the product and of the machine it runs on, as ``reference/operations.md`` section 18 reports them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from akslite_ps.sandbox.assumptions import DEPLOYMENT_SECONDS, NODE_CREATION_FAILED, UPDATE_SECONDS
from akslite_ps.sandbox.device.fault_kind import OPERATIONS, FaultKind

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_DEPLOYMENT_STAGES = tuple(DEPLOYMENT_SECONDS)
_OPERATIONS = tuple(OPERATIONS)

HOST_STATES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "no-gateway": {"default_gateway": None},
        "wssdagent-no-gateway": {"default_gateway": None},
        "hns-disabled": {"network_service_disabled": True},
        "no-nested-virtualization": {"nested_virtualization_missing": True},
        "no-internet": {"internet": False},
        "subnets-overlap": {"other_networks": ("192.168.0.0/16",)},
        "class-not-registered": {"endpoint_host": "PowerShell 7"},
        "32-bit-session": {"endpoint_host": "32-bit"},
        "nvml": {"os_build": 26100},
        "openssh-outdated": {"openssh_outdated": True},
    }
)
"""Faults that are a state of the host: what of it they change while they hold. The product then fails by itself."""

_CURED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reboot": ("connect-to-vm", "vm-access"),
        "removal": ("already-deployed", "endpoint-name-interface", "update-unsafe-state"),
        "installation": ("wssdagent-start-timeout", "update-unsafe-state"),
    }
)


def cure(device: SimulatedDevice, by: Literal["reboot", "removal", "installation"]) -> None:
    """End the faults that this ends on a real device.

    Args:
        device: The device.
        by: A restart of the host, the removal of the deployment, or a new installation of the product.
    """
    for name in _CURED_BY[by]:
        if any(fault.name == name for fault in device.state.faults):
            device.clear_faults(name)


KINDS: tuple[FaultKind, ...] = (
    FaultKind(
        "deployment-fails",
        "New-AksEdgeDeployment gives up at a stage and answers this text instead of OK",
        {"answer": NODE_CREATION_FAILED},
        moments=_DEPLOYMENT_STAGES,
        at="node-ssh",
    ),
    FaultKind(
        "reboot-during",
        "the device restarts without notice in the middle of a stage of the deployment, of the installation or of an update",
        moments=(*_DEPLOYMENT_STAGES, "msi", *UPDATE_SECONDS),
        at="kubernetes",
        times=1,
    ),
    FaultKind(
        "wssdagent-no-gateway",
        "the adapter has no default gateway: the VM agent gives no certificate and does not start again",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind(
        "hns-disabled",
        "the Host Network Service is disabled, as after some Windows updates: the VM agent does not start",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind(
        "no-nested-virtualization",
        "the host is a virtual machine without virtualization extensions: the node's VM does not start",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind("no-internet", "nothing outside the site can be reached", moments=_OPERATIONS, form="state"),
    FaultKind(
        "subnets-overlap",
        "a VPN reaches all of 192.168.0.0/16: no subnet is free for the internal switch",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind(
        "address-not-free",
        "something answers for every address: the check of free addresses fails, unless the config skips it",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind(
        "class-not-registered",
        "PowerShell 7 runs behind the endpoint: cmdlets that need Windows' servicing fail",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind("32-bit-session", "a 32-bit PowerShell runs behind the endpoint", moments=_OPERATIONS, form="state"),
    FaultKind(
        "nvml",
        "Windows 11 24H2 breaks GPU sharing before release 1.11: containers that use a GPU do not start",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind(
        "openssh-outdated",
        "the OpenSSH client is older than the product wants: the check of the host says so and answers True all the same",
        moments=_OPERATIONS,
        form="state",
    ),
    FaultKind(
        "deployment-not-found",
        "the product does not find its deployment, as when it is asked too early",
        moments=_OPERATIONS,
        times=1,
    ),
    FaultKind(
        "event-logger",
        "the product cannot write to its event log, as after a new installation without a restart: a warning, no harm",
        moments=("deploy",),
        times=1,
    ),
    FaultKind(
        "already-deployed",
        "virtual disks of an earlier deployment lie on the machine, until a removal takes them away",
        moments=("deploy",),
        form="state",
    ),
    FaultKind(
        "product-mismatch",
        "New-AksEdgeDeployment finds the other distribution installed",
        moments=("deploy",),
        times=1,
    ),
    FaultKind(
        "wssdagent-start-timeout",
        "the VM agent does not start in time, until the product is installed anew",
        moments=("deploy",),
    ),
    FaultKind("connect-to-vm", "the VM of an earlier deployment is not quite gone, until a restart", moments=("deploy",)),
    FaultKind("node-ssh", "the node's VM is made and cannot be reached", moments=("deploy", "scale")),
    FaultKind("kubernetes-runtime", "Kubernetes does not start in the node", moments=("deploy", "scale")),
    FaultKind("node-not-ready", "the node does not become Ready in time", moments=("deploy", "scale")),
    FaultKind(
        "err-string-transformation",
        "the deployment fails, and the module's error handling too (release 1.10): only the event log says why",
        moments=("deploy",),
        times=1,
    ),
    FaultKind(
        "endpoint-name-interface",
        "the node's network endpoint is lost: it does not start any more, until the deployment is made anew",
        moments=("start",),
    ),
    FaultKind("vm-access", "the node's VM may not open its disk and does not start, until a restart", moments=("start",)),
    FaultKind(
        "update-unsafe-state",
        "the product believes in an unfinished update and takes no other node, until an update has run to its end",
        moments=("scale", "update"),
        form="state",
    ),
    FaultKind(
        "update-fails", "the node does not come up with its new system and falls back to the old one", moments=("update",), times=1
    ),
    FaultKind(
        "arc-parameters-invalid",
        "the Arc parameters are called invalid, as without an Azure log-on context",
        moments=("arc", "deploy"),
        times=1,
    ),
    FaultKind(
        "same-key", "the connectivity test of the Arc connection fails with a duplicate key", moments=("arc", "deploy"), times=1
    ),
    FaultKind("az-module-mismatch", "the installed Az modules do not fit each other", moments=("arc", "deploy")),
    FaultKind("placeholder-left", "a placeholder in angle brackets reaches the Azure CLI", moments=("arc", "deploy"), times=1),
    FaultKind("az-not-recognized", "the session does not know the path of the Azure CLI yet", moments=("arc", "deploy"), times=1),
    FaultKind(
        "arc-stays-connecting",
        "the Arc connection is called OK, and the agents never get their certificate",
        moments=("arc", "deploy"),
        times=1,
    ),
    FaultKind("arc-pods-left", "disconnecting leaves the agents' namespace in the cluster", moments=("arc",), times=1),
    FaultKind("no-kubeconfig", "the account has no kubeconfig: kubectl asks this machine itself", form="state"),
    FaultKind("msi-exit-code", "the installer ends with this exit code", {"code": 1603}),
    FaultKind("low-memory", "only so much memory is free", {"free_mb": 1024}, form="state"),
    FaultKind(
        "api-unreachable", "the Kubernetes API refuses connections from outside the device; the cluster itself runs", form="state"
    ),
    FaultKind("slow", "everything takes this many times as long", {"factor": 4.0}, form="state"),
)
