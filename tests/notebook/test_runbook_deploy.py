"""The deployment runbook on a simulated device: headless with parameters, by nbval, and as it is saved.

With AKSLITE_SAVE_NOTEBOOKS=1 the nbval test first executes the runbook and saves it with its new outputs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.errors import AksLiteError, ConfirmationRequired, PreflightFailed, UsageError
from akslite_ps.fleet import Inventory
from akslite_ps.home import journal_file
from akslite_ps.journal import Journal
from akslite_ps.notebook import CellEvent, RunbookRecord, deploy_single_machine, run_runbook
from akslite_ps.sandbox import LocalSandbox

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "runbooks" / "40-deploy-single-machine.ipynb"
SANITIZE = ROOT / "tests" / "nbval-sanitize.cfg"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSandbox]:
    """One simulated device in the inventory of a user whose folder is empty."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("AKSLITE_HOME", str(tmp_path / "user" / ".local" / "share" / "akslite"))
    monkeypatch.delenv("AKSLITE_REHEARSAL", raising=False)
    with LocalSandbox(tmp_path / "sandbox", devices=1, speed=2000) as running:
        Inventory.load().add(*(as_inventory_device(device) for device in running.devices))
        yield running


def code_cells(record: RunbookRecord) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(record.notebook, as_version=4).cells if cell.cell_type == "code"]


def plain(record: RunbookRecord) -> str:
    """All text that the executed copy shows."""
    outputs = [output for cell in code_cells(record) for output in cell.outputs]
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)


def state_of(sandbox: LocalSandbox) -> str:
    return sandbox.devices[0].state


@pytest.mark.slow
def test_with_parameters_a_bare_device_becomes_a_cluster_and_the_copy_is_the_record(sandbox: LocalSandbox) -> None:
    printed: list[str] = []

    def listen(event: CellEvent) -> None:
        if event.state == "output":
            printed.append(event.text)

    record = run_runbook(
        RUNBOOK, {"device": "press-01", "confirm": "press-01", "offline": "true", "accept_eula": "yes"}, on_cell=listen
    )

    assert record.failure is None
    assert record.ok
    assert state_of(sandbox) == "deployed"
    text = plain(record)
    assert "Plan to deploy on press-01" in text
    assert re.search(r"press-01-ledge\s+Ready", text)
    assert "System pods" in text
    with Journal.open(journal_file()) as journal:
        (run,) = journal.runs()
    assert run.run_id in text
    assert str(Path("~") / ".local" / "share" / "akslite" / "journal" / "journal.sqlite") in text
    assert "Waiting for the node to be Ready" in "".join(printed)
    password = sandbox.devices[0].password_file.read_text(encoding="utf-8").strip()
    for path in record.folder.iterdir():
        assert password not in path.read_text(encoding="utf-8")


SECTIONS = ("choose_device", "describe", "make_plan", "apply", "show_cluster", "show_record")


@pytest.mark.parametrize(
    ("change", "kind", "reason", "section"),
    [
        ({"confirm": ""}, ConfirmationRequired, "could not apply the plan to deploy: nobody has confirmed it", "apply"),
        ({"confirm": "press-02"}, ConfirmationRequired, "confirm='press-02' was given", "apply"),
        ({"accept_eula": False}, ConfirmationRequired, "licence terms of AKS Edge Essentials are not accepted", "apply"),
        ({"offline": False}, PreflightFailed, "Arc", "apply"),
        ({"device": "press-77"}, UsageError, "press-77", "choose_device"),
        ({"config_file": "missing.json"}, UsageError, "missing.json cannot be read", "describe"),
        ({"distribution": "K4s"}, UsageError, "must be K3s or K8s", ""),
        ({"msi_sha256": "00"}, UsageError, "without msi", ""),
    ],
)
def test_what_is_missing_stops_it_before_anything_is_changed(
    sandbox: LocalSandbox, change: dict[str, Any], kind: type[AksLiteError], reason: str, section: str
) -> None:
    given = {"device": "press-01", "confirm": "press-01", "offline": True, "accept_eula": True, **change}
    reached = ""
    with pytest.raises(kind) as caught:  # noqa: PT012 - which section raises is part of what is tested
        runbook = deploy_single_machine(**given)
        for reached in SECTIONS:
            getattr(runbook, reached)()
    assert reason in str(caught.value)
    assert caught.value.next_action or section == ""
    assert reached == section
    assert state_of(sandbox) == "bare"


def test_without_a_device_only_a_rehearsal_answers_for_the_person(
    sandbox: LocalSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook = deploy_single_machine(offline=True)
    for section in SECTIONS[:3]:
        getattr(runbook, section)()
    with pytest.raises(ConfirmationRequired):
        runbook.apply()
    assert state_of(sandbox) == "bare"


def save(monkeypatch: pytest.MonkeyPatch) -> None:
    """Execute the runbook and save it with its outputs, without what is this machine's."""
    monkeypatch.setenv("AKSLITE_REHEARSAL", "1")
    record = run_runbook(RUNBOOK)
    assert record.ok, record.failure
    executed = nbformat.read(record.notebook, as_version=4)
    text = nbformat.writes(executed)
    text = re.sub(r"http://127\.\d+\.\d+\.\d+:\d+/wsman", "http://127.77.0.1:5985/wsman", text)
    text = re.sub(r"(accepted by[^@\n]*?)[\w.-]+@[\w.-]+", r"\1operator@workstation", text)
    notebook = nbformat.reads(text, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "akslite-record" not in cell.metadata.get("tags", ())]
    notebook.metadata.pop("akslite")
    for cell in notebook.cells:
        cell.metadata.pop("akslite", None)
    nbformat.write(notebook, RUNBOOK)


@pytest.mark.slow
def test_nbval_finds_the_saved_outputs_again(sandbox: LocalSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("AKSLITE_SAVE_NOTEBOOKS"):
        save(monkeypatch)
        pytest.skip("saved the runbook; run again without AKSLITE_SAVE_NOTEBOOKS")
    monkeypatch.setenv("AKSLITE_REHEARSAL", "1")
    copy = tmp_path / "work" / RUNBOOK.name
    copy.parent.mkdir()
    shutil.copy(RUNBOOK, copy)
    (copy.parent / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    options = ["--nbval", f"--nbval-sanitize-with={SANITIZE}", "--nbval-cell-timeout=240", "-p", "no:cacheprovider", "-q"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, copy.name], cwd=copy.parent, capture_output=True, text=True, encoding="utf-8"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed" in result.stdout
    assert state_of(sandbox) == "deployed"


def test_the_saved_runbook_is_executed_and_holds_nothing_of_this_machine() -> None:
    notebook = nbformat.read(RUNBOOK, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "akslite-ps"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    text = nbformat.writes(notebook)
    for word in (str(Path.home()), str(ROOT), "/tmp/", "widget-view"):  # noqa: S108 - looked for, not used
        assert word not in text
