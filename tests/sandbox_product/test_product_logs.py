"""Get-AksEdgeLogs and Get-AksEdgeEventLog: real archives on the device's drive, told from what happened to the device."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from conftest import Bench

_NAMESPACE = {"ps": "http://schemas.microsoft.com/powershell/2004/04"}


async def _archive(bench: Bench, name: str = "Get-AksEdgeLogs", **parameters: str) -> zipfile.ZipFile:
    path = await bench.one(name, **parameters)
    data = bench.device.drive.read(path)
    assert data is not None
    return zipfile.ZipFile(io.BytesIO(data))


def _messages(xml: bytes) -> list[str]:
    found = etree.fromstring(xml).xpath("ps:Obj/ps:MS/ps:S[@N='Message']/text()", namespaces=_NAMESPACE)
    return [re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), str(text)) for text in found]


async def test_the_logs_of_a_deployed_device_are_a_zip_on_its_drive(deployed: Bench) -> None:
    recorded = await deployed.run("Get-AksEdgeLogs")
    path = recorded.output[0]

    assert re.fullmatch(r"C:\\ProgramData\\AksEdge\\logs\\aksedgelogs-\d{6}-\d{4}\.zip", path)
    assert f" - {path}" in recorded.host
    archive = await _archive(deployed)
    names = set(archive.namelist())
    assert {
        "aksedgeevents.xml",
        "systemevents.xml",
        "applicationevents.xml",
        "aksedgehost-systeminfo.txt",
        "wssdagent/agent-log-0",
        "press-01-ledge_cloudinit.log",
        "press-01-ledge_systemd.log",
        "press-01-ledge_k3s.log",
        "config/aksedge-config.json",
        "aksedgeconfig.txt",
        "hcsdiag_list.txt",
        "hnsdiag_list_all.txt",
        "kubectl_pods.txt",
        "kubectl_describe.txt",
        "aksedgelogs-summary.txt",
    } <= names
    assert any(name.startswith("linux-containers/kube-system_coredns-") for name in names)
    pods = archive.read("kubectl_pods.txt").decode()
    assert "press-01-ledge" in pods
    assert "failed:" not in archive.read("aksedgelogs-summary.txt").decode()


async def test_the_event_log_is_the_products_and_newest_first(deployed: Bench) -> None:
    archive = await _archive(deployed, "Get-AksEdgeEventLog", OutputPath="C:\\Temp\\")

    assert archive.namelist() == ["aksedgeevents.xml"]
    messages = _messages(archive.read("aksedgeevents.xml"))
    assert "Testing SSH connection" in messages
    assert messages.index("Testing SSH connection") < messages.index("Checking host for required features")
    written = next(deployed.device.drive.entries("C:\\temp"))
    assert written.name.startswith("aksedgeevents-")


async def test_a_failure_can_be_read_from_the_archive(prepared: Bench) -> None:
    prepared.device.add_fault("err-string-transformation")
    answer = await prepared.deploy()
    archive = await _archive(prepared)

    assert "ErrString" in answer
    messages = _messages(archive.read("aksedgeevents.xml"))
    assert any("Starting Kubernetes runtime in Linux node failed" in message for message in messages)
    assert "kubectl_pods.txt" not in archive.namelist()


async def test_what_cannot_be_collected_is_named(deployed: Bench) -> None:
    deployed.device.change_hardware(network_service_disabled=True)
    await deployed.device.reboot()
    recorded = await deployed.run("Get-AksEdgeLogs")
    archive = await _archive(deployed)

    assert " - wssdagent is unreachable, please retry..." in recorded.host
    assert "hcsdiag_list.txt" not in archive.namelist()
    assert "wssdagent is unreachable" in archive.read("aksedgelogs-summary.txt").decode()
    agent = archive.read("wssdagent/agent-log-0").decode()
    assert "depends on the Host Network Service" in agent


async def test_a_full_disk_takes_no_archive(deployed: Bench) -> None:
    deployed.device.add_fault("disk-full", free_gb=0.1)
    refused = (await deployed.run("Get-AksEdgeLogs")).failed

    assert refused is not None
    assert refused.message == "There is not enough space on the disk."
    assert list(deployed.device.drive.entries("C:\\ProgramData\\AksEdge\\logs")) == []


async def test_a_folder_that_cannot_be_is_refused(deployed: Bench) -> None:
    refused = (await deployed.run(("Get-AksEdgeLogs", {"OutputPath": "X:\\logs"}))).failed

    assert refused is not None
    assert "does not exist" in refused.message
