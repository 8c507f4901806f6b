from __future__ import annotations

import re

import pytest

from akslite_ps.aksedge.failures import all_known_failures, known_failure, known_failures

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


def test_every_entry_says_cause_remedy_and_source() -> None:
    failures = known_failures()
    assert len({failure.id for failure in failures}) == len(failures)
    for failure in failures:
        re.compile(failure.pattern)
        assert failure.cause.endswith(".")
        assert failure.remedy.endswith(".")
        assert failure.source
        assert failure.certainty in ("documented", "reported", "inferred")
