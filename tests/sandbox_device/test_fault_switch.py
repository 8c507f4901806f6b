"""The fault switch of a simulated device: what can be asked for, when a fault strikes, and what it does to the machine."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from akslite_ps.cli.app import app
from akslite_ps.errors import UsageError
from akslite_ps.sandbox import FAULT_KINDS, OPERATIONS, WSMAN_MOMENTS, LocalSandbox
from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.device.faults import make_fault


def strikes(device: Any, fault: str, moments: int, at: str = "receive") -> list[int]:
    """Which of so many moments the fault strikes."""
    return [number for number in range(moments) if fault in device.strike(at)]


async def test_a_fault_strikes_at_its_moment_as_often_as_asked(bench: Any) -> None:
    bench.device.add_fault("lost-reply", at="command", times=2)

    assert strikes(bench.device, "lost-reply", 5, at="receive") == []
    assert strikes(bench.device, "lost-reply", 5, at="command") == [0, 1]
    assert bench.device.fault("lost-reply") is None


async def test_moments_can_pass_before_a_fault_strikes(bench: Any) -> None:
    bench.device.add_fault("lost-reply", after=3)

    assert strikes(bench.device, "lost-reply", 6) == [3]


async def test_chance_chooses_the_same_with_the_same_seed(bench: Any) -> None:
    chosen = []
    for seed in (7, 7, 8):
        bench.device.add_fault("tcp-reset", probability=0.3, seed=seed, times=0)
        chosen.append(strikes(bench.device, "tcp-reset", 40))

    assert chosen[0] == chosen[1] != chosen[2]
    assert 4 <= len(chosen[0]) <= 20


async def test_a_fault_asked_for_at_an_operation_strikes_while_its_cmdlet_runs(bench: Any) -> None:
    bench.device.add_fault("tcp-reset", at="deploy")

    assert strikes(bench.device, "tcp-reset", 2) == []
    with bench.device.carrying_out("New-AksEdgeDeployment"):
        assert strikes(bench.device, "tcp-reset", 3) == [0]


async def test_a_product_fault_can_wait_for_an_operation_too(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.device.add_fault("deployment-fails", at="network")

    assert bench.device.take_fault("deployment-fails", at="node") is None
    assert bench.device.take_fault("deployment-fails", at="network") is not None


async def test_a_state_begins_at_its_moment_and_ends_by_itself(bench: Any) -> None:
    bench.device.add_fault("disk-full", at="receive", lasts_s=100)
    assert host.free_disk_gb(bench.device) > 100

    assert bench.device.strike("receive") == {}
    assert host.free_disk_gb(bench.device) == 0.2
    async with asyncio.timeout(10):
        while bench.device.state.faults:  # noqa: ASYNC110 - the device tells nobody that a fault is over
            await asyncio.sleep(0.01)
    assert host.free_disk_gb(bench.device) > 100


async def test_states_change_what_the_device_tells_and_clearing_them_mends_it(bench: Any) -> None:
    device = bench.device
    for name in ("clock-skew", "no-gateway", "slow"):
        device.add_fault(name)

    assert device.now() - dt.datetime.now(dt.UTC) > dt.timedelta(minutes=9)
    assert device.hardware.default_gateway is None
    assert device.clock.slowness == 4.0
    device.clear_faults()
    assert abs(device.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert device.hardware.default_gateway is not None
    assert device.clock.slowness == 1.0


async def test_a_changed_hardware_does_not_keep_what_a_fault_lent_it(bench: Any) -> None:
    bench.device.add_fault("no-gateway")
    bench.device.change_hardware(total_memory_mb=4096)
    bench.device.clear_faults("no-gateway")

    assert bench.device.hardware.default_gateway is not None
    assert bench.device.hardware.total_memory_mb == 4096


def test_faults_outlive_a_restart_of_the_sandbox_and_go_on_counting(tmp_path: Path) -> None:
    with LocalSandbox(tmp_path) as sandbox:
        (shown,) = sandbox.devices
        device = sandbox.device(shown.name)
        sandbox.add_fault(shown.name, "tcp-reset", probability=0.3, seed=7, times=0)
        sandbox.add_fault(shown.name, "no-gateway")
        sandbox.add_fault(shown.name, "network-away", lasts_s=10**9)
        before = strikes(device, "tcp-reset", 20)
    with LocalSandbox(tmp_path) as sandbox:
        device = sandbox.device(shown.name)
        after = [20 + number for number in strikes(device, "tcp-reset", 20)]
        assert device.hardware.default_gateway is None
        assert device.fault("network-away") is not None
        sandbox.clear_faults(shown.name)
    with LocalSandbox(tmp_path) as sandbox:
        assert sandbox.devices[0].faults == ()
        device = sandbox.device(shown.name)
        sandbox.add_fault(shown.name, "tcp-reset", probability=0.3, seed=7, times=0)
        assert strikes(device, "tcp-reset", 40) == before + after


@pytest.mark.parametrize("keeps", [False, True])
def test_a_reboot_ends_what_runs_and_tells_its_boot_time_or_the_old_one(tmp_path: Path, keeps: bool) -> None:
    with LocalSandbox(tmp_path, speed=10_000) as sandbox:
        (shown,) = sandbox.devices
        device = sandbox.device(shown.name)
        before = device.state.boot_time
        sandbox.add_fault(shown.name, "reboot", boot_time="unchanged" if keeps else "changed")
        reboot = device._planned_reboot
        assert reboot is not None
        sandbox.run(asyncio.wait_for(asyncio.shield(reboot), 10))

        assert (device.state.boot_time == before) is keeps
        assert device.state.power == "on"
        assert sandbox.devices[0].faults == ()


@pytest.mark.parametrize(
    ("name", "how", "message", "allowed"),
    [
        ("typo", {}, "no fault 'typo'", "tcp-reset"),
        ("tcp-reset", {"at": "lunch"}, "does not strike at 'lunch'", "deploy"),
        ("low-memory", {"at": "deploy"}, "does not strike at 'deploy'", "leave --at out"),
        ("tcp-reset", {"colour": "red"}, "no parameter 'colour'", "where"),
        ("tcp-reset", {"where": "nowhere"}, "cannot be 'nowhere'", "request, wait, reply"),
        ("reboot", {"announced": "perhaps"}, "announced='perhaps'", "False"),
        ("slow-reply", {"seconds": "soon"}, "seconds='soon'", "30.0"),
        ("tcp-reset", {"times": -1}, "-1 times", "a count"),
        ("tcp-reset", {"after": -1}, "-1 moments", "a count"),
        ("tcp-reset", {"probability": 0}, "0 is no probability", "0.2"),
        ("network-away", {"lasts_s": 0}, "cannot last 0 s", "above 0"),
        ("reboot", {"probability": 0.5}, "would begin at once", "--at"),
        ("low-memory", {"after": 2}, "would begin at once", "leave --after"),
    ],
)
def test_what_cannot_be_asked_for_is_answered_with_what_can(name: str, how: dict[str, Any], message: str, allowed: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_fault(name, **how)

    assert message in refused.value.message
    assert allowed in str(refused.value.next_action)


async def test_a_fault_that_is_not_one_cannot_be_cleared(bench: Any) -> None:
    with pytest.raises(UsageError, match="no fault 'typo'"):
        bench.device.clear_faults("typo")


def test_truth_is_read_as_people_write_it() -> None:
    assert make_fault("reboot", announced="yes").parameters["announced"] is True
    assert make_fault("reboot", announced="false").parameters["announced"] is False


def test_every_fault_of_the_transport_can_be_asked_for_at_requests_and_operations() -> None:
    for kind in FAULT_KINDS.values():
        if set(kind.moments).issuperset(WSMAN_MOMENTS):
            assert set(kind.moments) == {*WSMAN_MOMENTS, *OPERATIONS}
        assert kind.at is None or kind.at in kind.moments


def test_the_kinds_are_shown_as_a_table_and_as_data() -> None:
    shown = CliRunner().invoke(app, ["sandbox", "fault", "kinds"])
    told = CliRunner().invoke(app, ["sandbox", "fault", "kinds", "--json"])

    assert shown.exit_code == told.exit_code == 0
    assert all(name in shown.output for name in FAULT_KINDS)
    assert "requests: log-on, create" in shown.output
    data = {kind["fault"]: kind for kind in json.loads(told.output)}
    assert data.keys() == FAULT_KINDS.keys()
    assert data["network-away"]["lasts_s"] == 240
    assert data["tcp-reset"]["choices"] == {"where": ["request", "wait", "reply"]}
