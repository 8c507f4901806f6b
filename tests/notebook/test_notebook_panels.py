"""The panels of the deployment runbook, worked by hand: everything after "Run all" happens without running a cell again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.fleet import Inventory
from akslite_ps.home import journal_file
from akslite_ps.journal import Journal
from akslite_ps.notebook.deployment import DeploymentOptions
from akslite_ps.notebook.deployment_panels import DeploymentPanels
from akslite_ps.notebook.form_controls import Row
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.secrets import SecretRef

WAIT_S = 120


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    with LocalSandbox(tmp_path / "sandbox", devices=1, speed=2000) as running:
        Inventory.load().add(*(as_inventory_device(device) for device in running.devices))
        yield running
    ipywidgets.Widget.close_all()


class Person:
    """Works the panels as a person does, and waits for what they show."""

    def __init__(self, panels: DeploymentPanels) -> None:
        self.panels = panels

    def row(self, path: str) -> Row:
        return next(row for row in self.panels._form._root.rows() if row.path == path)

    def choose(self, device: str) -> None:
        self.panels._picker._list.value = device

    def fill(self, path: str, value: Any) -> None:
        self.row(path)._control.value = value

    def press_plan(self) -> None:
        """Press Plan and wait for what comes of it."""
        self.panels._plan_button.click()
        self.wait()

    def approval(self) -> Any:
        (box,) = self.panels._approval_box.children
        return box

    def approve(self, name: str) -> None:
        """Accept the licence where it is asked for, type the name and press Apply."""
        *licence, _, line = self.approval().children
        for box in licence:
            box.value = True
        line.children[0].value = name
        line.children[1].click()

    def text(self, slot: Any) -> str:
        return str(slot._value._repr_mimebundle_()["text/plain"])

    def wait(self) -> None:
        """Wait until what the panels do in the background is done."""
        for thread in threading.enumerate():
            if thread.name == "akslite-panel":
                thread.join(WAIT_S)
                assert not thread.is_alive()


@pytest.fixture
def person(sandbox: LocalSandbox) -> Person:
    return Person(DeploymentPanels(DeploymentOptions()))


def test_nothing_is_planned_without_a_device_and_a_whole_config(person: Person) -> None:
    person.press_plan()
    assert "Choose a device first" in person.panels._plan_note.value
    person.choose("press-01")
    person.fill("Machines[0].LinuxNode.CpuCount", "99")
    person.press_plan()
    assert "To be corrected first, in section 2: Machines[0].LinuxNode.CpuCount" in person.panels._plan_note.value
    person.fill("Machines[0].LinuxNode.CpuCount", "4")
    person.press_plan()
    assert "in section 2: Arc" in person.panels._plan_note.value
    assert "appears here after you press Plan" in person.text(person.panels._plan_slot)


def test_a_config_file_fills_the_form_and_a_missing_one_is_told(person: Person, tmp_path: Path) -> None:
    from akslite_ps.aksedge.config import DeploymentConfig

    config = DeploymentConfig.template().with_values({"Machines[0].LinuxNode.MemoryInMB": 6144})
    (tmp_path / "config.json").write_text(config.to_json(), encoding="utf-8")
    person.panels._file.value = str(tmp_path / "config.json")
    person.panels._load()
    assert person.row("Machines[0].LinuxNode.MemoryInMB")._control.value == "6144"
    person.panels._file.value = "missing.json"
    person.panels._load()
    assert "missing.json cannot be read" in person.panels._config_note.value
    assert person.row("Machines[0].LinuxNode.MemoryInMB")._control.value == "6144"


def test_the_distribution_brings_its_network_plugin(person: Person) -> None:
    person.panels._distribution.value = "K8s"
    assert person.row("Network.NetworkPlugin")._control.value == "calico"


def test_a_device_that_refuses_is_told_and_the_panels_stay_usable(
    person: Person, sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKSLITE_TEST_PASSWORD", "canary-0b77")
    device = Inventory.load().get("press-01")
    endpoint = device.endpoint.model_copy(update={"password": SecretRef("env", "AKSLITE_TEST_PASSWORD")})
    Inventory.load().add(device.model_copy(update={"endpoint": endpoint}), replace=True)
    person.panels._picker.refresh("press-01")
    person.fill("Network.InternetDisabled", True)
    person.press_plan()
    note = person.panels._plan_note.value
    assert "press-01" in note
    assert "canary-0b77" not in note
    assert not person.panels._plan_button.disabled


@pytest.mark.slow
def test_from_choosing_the_device_to_ready_nodes(person: Person, sandbox: LocalSandbox) -> None:
    panels = person.panels
    person.choose("press-01")
    person.fill("Network.InternetDisabled", True)
    person.press_plan()
    assert "Plan to deploy on press-01" in person.text(panels._plan_slot)

    person.fill("Machines[0].LinuxNode.LogSizeInGB", "2")
    assert "Device or config changed: plan again." in person.text(panels._plan_slot)
    assert panels._approval_box.children == ()
    person.press_plan()
    assert len(person.approval().children) == 3

    person.approve("press-01")
    person.wait()
    record = person.text(panels._record_slot)

    assert sandbox.devices[0].state == "deployed", panels._apply_note.value
    with Journal.open(journal_file()) as journal:
        (run,) = journal.runs()
    assert run.run_id in record
    assert "Waiting for Kubernetes node" in record
    cluster = person.text(panels._cluster_slot)
    assert "press-01-ledge Ready" in cluster
    assert "System pods" in cluster
    for slot in (panels._device_slot, panels._config_slot, panels._plan_controls, panels._apply_slot):
        assert "widget-view" not in str(slot._value._repr_mimebundle_())
    assert "Machines[0].LinuxNode.LogSizeInGB  2" in person.text(panels._config_slot)

    again = Person(DeploymentPanels(DeploymentOptions(device="press-01", offline=True)))
    again.fill("Machines[0].LinuxNode.LogSizeInGB", "2")
    again.press_plan()
    assert "press-01 is already as wanted" in again.text(again.panels._plan_slot)


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_stopped(person: Person, sandbox: LocalSandbox) -> None:
    panels = person.panels
    person.choose("press-01")
    person.fill("Network.InternetDisabled", True)
    person.press_plan()
    person.approve("press-01")
    panels._stop_button.click()
    person.wait()
    assert "did not reach its end" in panels._apply_note.value
    assert "akslite resume" in panels._apply_note.value
    assert "not finished" in person.text(panels._record_slot)

    person.press_plan()
    assert "did not end; applying goes on with it" in panels._apply_note.value
    person.approve("press-01")
    person.wait()
    assert sandbox.devices[0].state == "deployed"
    with Journal.open(journal_file()) as journal:
        assert len(journal.runs()) == 1
