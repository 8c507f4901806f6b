"""Every known failure of the product can be met on a simulated device: by a fault of this name, by a state that brings it, or not,
for a reason that is written down here. And every fault of the product shows a known failure, or says why it shows none."""

from __future__ import annotations

from akslite_ps.aksedge.failures import known_failures
from akslite_ps.sandbox.device.faults import FAULT_KINDS
from akslite_ps.sandbox.device.product_faults import KINDS

BY_FAULT: dict[str, tuple[str, ...]] = {
    "address-taken": ("address-not-free",),
    "agent-stopped": ("hns-disabled", "wssdagent-no-gateway"),
    "already-deployed": ("already-deployed",),
    "api-not-from-here": ("api-unreachable",),
    "api-silent": ("api-unreachable",),
    "arc-connecting": ("arc-stays-connecting",),
    "arc-duplicate-key": ("same-key",),
    "arc-parameters": ("arc-parameters-invalid",),
    "az-modules": ("az-module-mismatch",),
    "az-not-found": ("az-not-recognized",),
    "disk-full": ("disk-full",),
    "endpoint-lost": ("endpoint-name-interface",),
    "error-handler": ("err-string-transformation",),
    "event-logger": ("event-logger",),
    "fresh-start": ("wssdagent-start-timeout",),
    "gpu-library": ("nvml",),
    "hns-disabled": ("hns-disabled",),
    "incomplete-deployment": ("reboot-during",),
    "installer-busy": ("msi-exit-code",),
    "32-bit": ("32-bit-session",),
    "low-memory": ("low-memory",),
    "no-default-gateway": ("wssdagent-no-gateway", "no-gateway"),
    "no-deployment": ("deployment-not-found",),
    "no-free-subnet": ("subnets-overlap",),
    "no-internet": ("no-internet",),
    "no-kubeconfig": ("no-kubeconfig",),
    "no-virtualization": ("no-nested-virtualization",),
    "node-not-created": ("node-ssh", "no-nested-virtualization", "low-memory", "deployment-fails"),
    "node-not-ready": ("node-not-ready",),
    "openssh-version": ("openssh-outdated",),
    "other-distribution": ("product-mismatch",),
    "placeholder-left": ("placeholder-left",),
    "powershell-7": ("class-not-registered",),
    "runtime-not-started": ("kubernetes-runtime",),
    "shell-quota": ("command-quota",),
    "slow-device": ("slow",),
    "update-fell-back": ("update-fails",),
    "update-in-progress": ("update-unsafe-state",),
    "vm-access": ("vm-access",),
    "vm-connect": ("connect-to-vm",),
    "wssdagent-not-started": ("wssdagent-start-timeout", "hns-disabled"),
    "wssdagent-unreachable": ("hns-disabled", "no-gateway"),
}

BY_STATE: dict[str, str] = {
    "arc-authorization": "connect with a service principal that has no role",
    "arc-credentials": "connect with a wrong client secret",
    "arc-delete-authorization": "disconnect with the onboarding role",
    "arc-not-used": "deploy a release before 1.10 with an Arc section",
    "arc-providers": "connect in a subscription without the resource providers",
    "container-restarts": "run a Job whose command fails and restarts",
    "hypervisor-off": "a device on which the features were not switched on",
    "image-not-pulled": "run a pod with an image from a host that does not exist",
    "join-token": "join with the token of an earlier scale config, or after a day",
    "licence-terms": "deploy a config that does not accept the licence terms",
    "node-down": "stop a node of a cluster of several machines",
    "node-stopped": "stop the node and ask it for something",
    "not-deployed": "a device with the product alone",
    "not-installed": "a bare device",
    "pods-down": "a restart, until the system pods run again",
    "product-not-found": "call a cmdlet on a bare device",
    "restart-due": "switch the features on",
    "schema-version": "deploy a config of a schema that the release does not know",
    "storage-class": "claim a volume in a cluster without a storage class",
    "update-noise": "update from 1.5 to 1.6",
    "update-not-staged": "start an update where nothing was staged",
    "windows-node-disk": "deploy a Windows node where it was not installed",
    "display-language": "a device whose hardware has another ui_language",
}

NOT_HERE: dict[str, str] = {
    "arc-azure-vm": "the machine agent of Arc-enabled servers is no part of the product; no simulated host is an Azure VM",
    "constrained-language": "an application control policy of Windows, which a simulated Windows does not have",
    "disk-slow": "shows in the logs of etcd, which does not run here",
    "kms": "the encryption provider's plugin does not run here; only its repair is simulated",
    "leftovers": "a removal leaves the external switch, and the next deployment takes it up again without a complaint",
    "node-disk-full": "nothing is written to the disks of simulated nodes",
    "offline-certificates": "the signature of the installer is not checked here",
    "scripts-disabled": "the execution policy of Windows, which a simulated Windows does not have",
    "switch-missing": "switches are made by the product here; a config cannot name one of somebody else's",
    "untrusted-publisher": "the execution policy of Windows, which a simulated Windows does not have",
}

WITHOUT_A_TEXT: dict[str, str] = {
    "arc-pods-left": "the disconnection answers OK; the namespace stays",
}


def test_every_known_failure_is_met_somehow_or_has_its_reason() -> None:
    known = {failure.id for failure in known_failures()}
    told = [*BY_FAULT, *BY_STATE, *NOT_HERE]

    assert len(told) == len(set(told))
    assert set(told) == known


def test_the_faults_named_here_are_faults_that_a_device_has() -> None:
    named = {name for names in BY_FAULT.values() for name in names}

    assert named <= set(FAULT_KINDS)


def test_every_fault_of_the_product_shows_a_known_failure_or_says_why_not() -> None:
    named = {name for names in BY_FAULT.values() for name in names}

    assert {kind.name for kind in KINDS} == {*(name for name in named if name in {kind.name for kind in KINDS}), *WITHOUT_A_TEXT}
