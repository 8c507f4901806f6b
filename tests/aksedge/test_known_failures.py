from __future__ import annotations

import re
from typing import get_args

import pytest

from akslite_ps.aksedge.failures import Phase, all_known_failures, failure_by_id, known_failure, known_failures

SEEN = [
    ("Azure Arc parameters not set or invalid", "arc-parameters"),
    (
        "All potential subnets '192.168.0.0' to '192.168.255.0' overlap with existing subnets of the local interfaces.",
        "no-free-subnet",
    ),
    ("One or more specified IPs do not seem to be available", "address-taken"),
    ("IP address '192.168.1.20' is not free", "address-taken"),
    ("Failed to get nodeagent certificate: Not Found", "no-default-gateway"),
    ("Failed to start service 'WSSD Agent Service (wssdagent)'", "wssdagent-not-started"),
    ("Time out has expired and the operation has not been completed.", "wssdagent-not-started"),
    ("New-Node failed with error Creation of Linux node failed", "node-not-created"),
    ("Waiting for node (press-01-ledge) timed out.", "node-not-ready"),
    ("Error: Linux node not in Ready state, or cluster could not be reached from host side", "node-not-ready"),
    (
        "Starting Kubernetes runtime in Linux node failed, see details in the event log at line 12",
        "runtime-not-started",
    ),
    ("error during ConnectToVirtualMachine", "vm-connect"),
    ("Error: rpc error: code = Unknown desc = Endpoint Name Interface not found]", "endpoint-lost"),
    ("nodectl.exe compute vm start: hcsshim::GrantVmAccess", "vm-access"),
    ("Please create a deployment before using this commandlet.", "no-deployment"),
    ("An update is currently in progress or in an unsafe state. Please check status", "update-in-progress"),
    (
        "Cannot process argument transformation on parameter 'ErrString'. Cannot convert value to type System.String.",
        "error-handler",
    ),
    ('Exception calling "Add": "An item with the same key has already been added."', "arc-duplicate-key"),
    ('Exception calling "ProcessCustomAttributesAtRuntime" with "4" argument(s)', "az-modules"),
    ("< was unexpected at this time.", "placeholder-left"),
    ("The term 'az' is not recognized as the name of a cmdlet", "az-not-found"),
    (r"The term 'AksEdge\Get-AksEdgeKubeConfig' is not recognized as the name of a cmdlet", "product-not-found"),
    ("Error: Run this in 64bit Powershell session", "32-bit"),
    ("Error: AksEdge VM already deployed", "already-deployed"),
    ("Unable to connect to the server: dial tcp [::1]:8080: connectex", "no-kubeconfig"),
    ("Error: Installed product K3s does not match requested product K8s.", "other-distribution"),
    ("unable to load the nvml library", "gpu-library"),
    ("Class not registered", "powershell-7"),
    ("OpenSSH.Client version does not meet the version compatible. Please manually upgrade", "openssh-version"),
    ("wssdagent is unreachable, please retry...", "wssdagent-unreachable"),
    ("Do you want to run software from this untrusted publisher?", "untrusted-publisher"),
    ("AksEdge.psm1 cannot be loaded because running scripts is disabled on this system.", "scripts-disabled"),
    ("Get-Content: Cannot find path 'C:\\Windows\\System32\\akswindows-manifest.json' because", "update-noise"),
    ("Warning: Not able to initialize Event logger", "event-logger"),
    ("Please accept the EULA by setting AcceptEula to true", "licence-terms"),
    ("There is not enough space on the disk.", "disk-full"),
    ("The service 'hns' cannot be started because it is disabled", "hns-disabled"),
    ("Virtual machine could not be started because the hypervisor is not running", "no-virtualization"),
    ("Not enough memory in the system to start the virtual machine", "low-memory"),
    ("write /var/log/pods/x/0.log: no space left on device", "node-disk-full"),
    ("The node was low on resource: ephemeral-storage.", "node-disk-full"),
    ("etcdserver: request timed out", "disk-slow"),
    ("apply request took too long", "disk-slow"),
    ("The disk latency of 25 ms is above the recommended 10 ms", "disk-slow"),
    ("etcdserver: leader changed", "disk-slow"),
    ("MemoryPressure False DiskPressure True", "node-disk-full"),
    ("Normal NodeHasDiskPressure kubelet Node press-01-ledge status is now: NodeHasDiskPressure", "node-disk-full"),
    ("AcceptEula must be true", "licence-terms"),
    ("The EULA was not accepted", "licence-terms"),
    ("The remote name could not be resolved: 'mcr.microsoft.com'", "no-internet"),
    ("dial tcp: lookup mcr.microsoft.com on 10.0.0.1:53: no such host", "no-internet"),
    ("A certificate chain could not be built to a trusted root authority.", "offline-certificates"),
    ("The client 'x' does not have authorization to perform action 'Microsoft.Kubernetes/write'", "arc-authorization"),
    (
        "(AuthorizationFailed) The client 'x' does not have authorization to perform action "
        "'Microsoft.Kubernetes/connectedClusters/delete' over scope",
        "arc-delete-authorization",
    ),
    ("AADSTS7000222: The provided client secret keys are expired.", "arc-credentials"),
    ("The subscription is not registered to use namespace 'Microsoft.Kubernetes'.", "arc-providers"),
    ("The agent is running on an Azure Virtual Machine is not supported", "arc-azure-vm"),
    ("Attention - Azure Arc properties are specified. These will not be used.", "arc-not-used"),
    ("failed to validate token: token CA hash does not match", "join-token"),
    ("Virtual switch 'aksedgesw-ext' was not found", "switch-missing"),
    ("HNS failed with error : The object already exists.", "leftovers"),
    ("please uninstall AKS Edge Essentials - K3s and start from fresh", "fresh-start"),
    ("AksEdgeWindows-v1.vhdx is corrupt", "windows-node-disk"),
    ("The Linux node fell back to the old system", "update-fell-back"),
    ("No AKS Edge Essentials updates are available on this machine.", "update-not-staged"),
    ("kms-plugin is not ready: connection refused", "kms"),
    ('Failed to pull image "nginx": ErrImagePull', "image-not-pulled"),
    ("no persistent volumes available for this claim and no storage class is set", "storage-class"),
    ("CrashLoopBackOff: back-off 5m0s restarting failed container", "container-restarts"),
    ("Cannot invoke method. Method invocation is supported only on core types in this language mode.", "constrained-language"),
    ("Schema version 1.3 is not supported by this release", "schema-version"),
    ("Another installation is already in progress.", "installer-busy"),
    ("This user is allowed a maximum number of 30 concurrent shells", "shell-quota"),
    ("The Linux node is not running.", "node-stopped"),
]


@pytest.mark.parametrize(("text", "expected"), SEEN, ids=[f"{expected}-{i}" for i, (_, expected) in enumerate(SEEN)])
def test_a_text_seen_in_the_field_is_recognised(text: str, expected: str) -> None:
    failure = known_failure(f"[11/22/2026 10:00:00] {text} (AksEdge.psm1: line 1234)")
    assert failure is not None
    assert failure.id == expected


def test_line_breaks_of_a_console_do_not_hide_a_failure() -> None:
    failure = known_failure("Please create a deployment\r\n   before using this   commandlet.")
    assert failure is not None
    assert failure.id == "no-deployment"


def test_an_ordinary_text_is_no_failure() -> None:
    assert known_failure("OK") is None
    assert known_failure("All required host features are installed") is None


def test_a_transcript_shows_all_its_failures() -> None:
    transcript = "wssdagent is unreachable, please retry...\nerror during ConnectToVirtualMachine"
    assert {failure.id for failure in all_known_failures(transcript)} == {"wssdagent-unreachable", "vm-connect"}


def test_every_pattern_has_been_seen_in_a_text() -> None:
    assert {failure.id for failure in known_failures() if failure.pattern} == {expected for _, expected in SEEN}


@pytest.mark.parametrize(
    "text",
    [
        "Checking for virtual switch with name 'aksedgesw-int'",
        "Validating AksEdge network parameters...",
        "*** 0 errors found in the deployment configuration.",
        "Preparing to install kms-plugin as encryption provider...",
        "Testing SSH connection",
        "Waiting for Kubernetes node (press-01-ledge) to reach condition Ready, timeout = 900 seconds",
        '"User": { "AcceptEula": true, "AcceptOptionalTelemetry": false }',
        "DiskPressure  False  Mon, 01 Jan 2026 10:00:00 +0000  KubeletHasNoDiskPressure  kubelet has no disk pressure",
        "Tolerations: node.kubernetes.io/disk-pressure:NoSchedule op=Exists",
        "Checking disk latency ... passed",
        "Disk latency (fdatasync) is 3 ms",
        "Virtual switch 'aksedgesw-ext' already exists, using it",
        "No updates are available for other products",
        "kms-plugin: 0 failed",
        "The service 'hns' is not disabled",
        "raft: leader changed from 0 to 1, etcdserver: leader changed from 0 to 1",
    ],
)
def test_lines_of_a_device_where_all_goes_well_are_no_failure(text: str) -> None:
    assert known_failure(text) is None


def test_a_failure_of_state_alone_is_found_by_its_id_and_in_no_text() -> None:
    failure = failure_by_id("agent-stopped")
    assert failure.pattern is None
    assert not failure.matches("agent-stopped")
    with pytest.raises(KeyError):
        failure_by_id("no such failure")


def test_every_entry_says_cause_remedy_and_source() -> None:
    failures = known_failures()
    assert len({failure.id for failure in failures}) == len(failures)
    for failure in failures:
        assert failure.pattern is None or re.compile(failure.pattern)
        assert failure.cause.endswith(".")
        assert failure.remedy.endswith(".")
        assert failure.source
        assert failure.certainty in ("documented", "reported", "inferred")
        assert failure.kind in ("cause", "symptom", "noise")
        assert failure.phase in get_args(Phase)
        assert failure.next.startswith(("akslite ", "kubectl ", "az ", "on the device: "))
