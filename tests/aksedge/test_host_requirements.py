from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import DeploymentConfig, needs_of
from akslite_ps.aksedge.host_requirements import LOCAL, PROFILES, edition_verdict


def test_the_samples_needs_follow_from_its_node(sample_file: Path) -> None:
    needs = needs_of(DeploymentConfig.load(sample_file))
    assert needs.free_memory_mb == 4096 + 512
    assert needs.processors == 4
    assert needs.free_disk_gb == 14
    assert needs.comfortable_disk_gb == 20 + 1 + 3


def test_the_smallest_node_needs_what_microsoft_documents() -> None:
    config = DeploymentConfig.template().with_values({"Machines": [{"LinuxNode": {}}]})
    needs = needs_of(config)
    assert (needs.free_memory_mb, needs.processors) == (LOCAL.free_memory_mb, LOCAL.processors)
    assert needs.comfortable_disk_gb == LOCAL.free_disk_gb


def test_both_nodes_count(scalable: dict[str, Any]) -> None:
    needs = needs_of(DeploymentConfig.parse(scalable))
    assert needs.free_memory_mb == 8192 + 4096 + 512
    assert needs.processors == 4


@pytest.mark.parametrize(
    ("edition", "kind", "build", "verdict"),
    [
        ("IoTEnterpriseS", "Client", 19045, "supported"),
        ("Professional", "Client", 22631, "supported"),
        ("EnterpriseN", "Client", 19044, "supported"),
        ("ServerStandard", "Server", 20348, "supported"),
        ("ServerDatacenterEval", "Server Core", 17763, "supported"),
        ("ServerStandard", "Server", 26100, "unlisted"),
        ("Education", "Client", 19045, "unlisted"),
        ("Core", "Client", 19045, "unsupported"),
        ("CoreSingleLanguage", "Client", 22631, "unsupported"),
        ("Enterprise", "Client", 14393, "unsupported"),
    ],
)
def test_editions_are_judged_as_microsoft_lists_them(edition: str, kind: str, build: int, verdict: str) -> None:
    assert edition_verdict(edition, kind, build) == verdict


def test_every_profile_names_its_source() -> None:
    assert all(profile.source and profile.free_memory_mb <= profile.total_memory_mb for profile in PROFILES)
