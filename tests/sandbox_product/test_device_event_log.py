"""The event logs of a device: kept, bounded, and written as the device works."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from akslite_ps.sandbox.device.event_log import EventLog

if TYPE_CHECKING:
    from conftest import Bench

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def test_entries_survive_and_count_on(tmp_path: Path) -> None:
    first = EventLog(tmp_path / "events.jsonl")
    first.write("System", "EventLog", 6005, "started", NOW)
    first.write("Application", "MsiInstaller", 11707, "two\r\nlines", NOW, level="Warning")
    second = EventLog(tmp_path / "events.jsonl")
    second.write("System", "EventLog", 6006, "stopped", NOW)

    assert [(entry.record_id, entry.event_id) for entry in second.entries()] == [(1, 6005), (2, 11707), (3, 6006)]
    assert [entry.message for entry in second.entries("Application")] == ["two\r\nlines"]


def test_the_oldest_entries_go(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", kept=40)
    for number in range(200):
        log.write("System", "source", number, "x", NOW)

    kept = [entry.event_id for entry in log.entries()]
    assert 40 <= len(kept) <= 50
    assert kept[-1] == 199
    assert kept == list(range(kept[0], 200))


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log.write("System", "source", 1, "whole", NOW)
    with file.open("a", encoding="utf-8") as half:
        half.write('{"record_id": 2, "log": "Sys')
    again = EventLog(file)
    again.write("System", "source", 3, "after", NOW)

    assert [(entry.record_id, entry.message) for entry in again.entries()] == [(1, "whole"), (2, "after")]


async def test_a_restart_tells_whether_it_was_announced(bench: Bench) -> None:
    await bench.device.reboot()
    unannounced = [(entry.source, entry.event_id) for entry in bench.device.events.entries("System")]
    await bench.device.begin_reboot(is_announced=True)
    announced = [(entry.source, entry.event_id) for entry in bench.device.events.entries("System")][len(unannounced) :]

    assert ("Microsoft-Windows-Kernel-Power", 41) in unannounced
    assert ("EventLog", 6008) in unannounced
    assert announced[0] == ("User32", 1074)
    assert ("Microsoft-Windows-Kernel-Power", 41) not in announced


@pytest.mark.parametrize(("code", "event_id"), [(3010, 11707), (1603, 11708)])
async def test_an_installation_leaves_its_entries(bench: Bench, code: int, event_id: int) -> None:
    bench.device.add_fault("msi-exit-code", code=code)
    await bench.one("Install-AksLiteMsi", Source="https://aka.ms/aks-edge/k3s-msi")

    entries = list(bench.device.events.entries("Application"))
    assert [entry.event_id for entry in entries] == [1033, event_id]
    assert f"error status: {code}." in entries[0].message


async def test_a_deployment_is_told_in_the_products_log(deployed: Bench) -> None:
    messages = [entry.message for entry in deployed.device.events.entries("AKS Edge Essentials - K3s")]

    assert "Testing SSH connection" in messages
    assert all(entry.level == "Information" for entry in deployed.device.events.entries("AKS Edge Essentials - K3s"))


async def test_a_failure_is_told_with_its_place_in_the_module(prepared: Bench) -> None:
    prepared.device.add_fault("node-ssh", times=1)
    answer = await prepared.deploy()

    failed = [entry for entry in prepared.device.events.entries("AKS Edge Essentials - K3s") if entry.level == "Error"]
    assert answer in failed[-1].message
    assert "at Test-SshConnection, C:\\Program Files\\WindowsPowerShell\\Modules\\AksEdge\\1.12.269.0\\AksEdge.psm1: line " in (
        failed[-1].message
    )
