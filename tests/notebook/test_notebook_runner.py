"""The runner: parameters in, record out; a run that failed or was stopped never looks completed."""

from __future__ import annotations

import _thread
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from akslite_ps.errors import UsageError
from akslite_ps.home import records_dir
from akslite_ps.notebook import CellEvent, RunbookRecord, run_runbook
from akslite_ps.notebook.kernels import EnvironmentKernels

Make = Callable[..., Path]
Forms = Callable[[str], list[tuple[str, str]]]

CANARY = """c'An"ary é%2F <&> $(x)` /+=="""


def texts(record: RunbookRecord) -> str:
    """Everything that the record's files hold."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(record.folder.iterdir()))


@pytest.fixture
def completed(make_notebook: Make, monkeypatch: pytest.MonkeyPatch, forms_of: Forms) -> tuple[RunbookRecord, list[CellEvent]]:
    monkeypatch.setenv("AKSLITE_TEST_SECRET", CANARY)
    monkeypatch.setenv("AKSLITE_TEST_FORMS", json.dumps([shown for shown, _ in forms_of(CANARY)]))
    path = make_notebook(
        "# Work",
        "import os, sys\nprint(device, offline, sys.executable, os.environ['AKSLITE_INTERACTIVE'], os.getcwd(), sep='\\n')",
        "## Show",
        "from akslite_ps.secrets import SecretRef\nsecret = SecretRef.parse('env:AKSLITE_TEST_SECRET').resolve()\n"
        "print(secret)\nimport ipywidgets\nipywidgets.Password(value=secret)",
        "import json\nforms = json.loads(os.environ['AKSLITE_TEST_FORMS'])\nprint(*forms, sep='\\n')\n"
        "print(*forms, sep='\\n', file=sys.stderr)\n"
        "for character in secret:\n    print(character, end='', flush=True)",
        "import logging\nlogging.getLogger('x').error('it said %s', secret)\n"
        "display({'text/plain': secret, 'text/html': '<b>' + forms[7] + '</b>'}, raw=True)\n[secret, {secret: forms}]",
        "from akslite_ps.notebook import Table\nTable(['Secret'], [(secret,)])",
        parameters="device = ''\noffline = False",
    )
    events: list[CellEvent] = []
    return run_runbook(path, {"device": "press-01", "offline": "true"}, on_cell=events.append), events


def test_a_run_from_parameters_to_record(completed: tuple[RunbookRecord, list[CellEvent]], forms_of: Forms) -> None:
    record, events = completed

    assert record.ok
    assert record.state == "completed"
    assert record.failure is None
    assert record.folder.parent == records_dir()
    assert record.folder.name.endswith("-50-example-press-01")

    notebook = nbformat.read(record.notebook, as_version=4)
    nbformat.validate(notebook)
    assert "**Completed.** All 7 code cells ran" in notebook.cells[0].source
    assert "`device='press-01'`, `offline=True`" in notebook.cells[0].source
    lines = notebook.cells[4].outputs[0].text.splitlines()
    assert lines == ["press-01", "True", sys.executable, "0", str(Path.cwd())]
    assert notebook.metadata.akslite.state == "completed"
    assert "widgets" not in notebook.metadata

    assert record.html is not None
    assert "press-01" in record.html.read_text(encoding="utf-8")
    assert json.loads((record.folder / "record.json").read_text(encoding="utf-8")) == record.as_data()

    states = [(event.state, event.number, event.title) for event in events if event.state != "output"]
    assert states[:4] == [
        ("started", 1, "device = ''"),
        ("completed", 1, "device = ''"),
        ("started", 2, "# Parameters of this run"),
        ("completed", 2, "# Parameters of this run"),
    ]
    assert states[-1] == ("completed", 7, "Show")
    assert any(event.state == "output" and "press-01" in event.line() for event in events)

    everything = texts(record) + "".join(event.line() for event in events)
    assert [inner for _, inner in forms_of(CANARY) if inner in everything] == []
    assert everything.count("<redacted>") > 50


def test_a_failure_is_a_record_that_says_where_and_why(
    make_notebook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forms_of: Forms
) -> None:
    monkeypatch.setenv("AKSLITE_TEST_SECRET", CANARY)
    path = make_notebook(
        "print('before')\nfrom akslite_ps.secrets import SecretRef\nsecret = SecretRef.parse('env:AKSLITE_TEST_SECRET').resolve()",
        "## Deploy\n\nNow.",
        "from akslite_ps.errors import ConfirmationRequired\n"
        "raise ConfirmationRequired(f'nobody said yes to {secret}', device='press-01', next_action='say yes')",
        "print('after')",
    )
    record = run_runbook(path, output_dir=tmp_path / "out")

    assert not record.ok
    assert record.state == "failed"
    assert record.cells_run == 1
    assert record.failure is not None
    assert record.failure.startswith("cell 2 of 3 (Deploy): ConfirmationRequired: press-01: nobody said yes to <redacted>")
    assert [inner for _, inner in forms_of(CANARY) if inner in texts(record)] == []
    assert "raise ConfirmationRequired" in record.failure
    notebook = nbformat.read(record.notebook, as_version=4)
    assert notebook.cells[0].source.startswith("> **Failed.**")
    assert notebook.cells[3].outputs[0].output_type == "error"
    assert "Traceback" not in "".join(notebook.cells[3].outputs[0].traceback)
    assert notebook.cells[4].outputs == []
    assert "ompleted" not in notebook.cells[0].source
    assert json.loads((record.folder / "record.json").read_text(encoding="utf-8"))["state"] == "failed"
    assert record.html is not None
    assert "Failed." in record.html.read_text(encoding="utf-8")


def test_a_cell_that_takes_too_long_fails_the_run(make_notebook: Make) -> None:
    record = run_runbook(make_notebook("import time\ntime.sleep(60)"), cell_timeout_s=1)
    assert record.state == "failed"
    assert record.failure is not None
    assert "took longer than allowed" in record.failure


def test_a_kernel_that_dies_fails_the_run(make_notebook: Make) -> None:
    record = run_runbook(make_notebook("import os\nos._exit(3)"))
    assert record.state == "failed"
    assert record.failure is not None
    assert "the kernel died" in record.failure


def test_an_interrupt_stops_the_cell_and_leaves_the_record(make_notebook: Make, tmp_path: Path) -> None:
    path = make_notebook(
        "1",
        "import time\n"
        "try:\n    print('working', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('left in order')\n    raise",
        "2",
    )

    def press_ctrl_c(event: CellEvent) -> None:
        if event.state == "output" and "working" in event.text:
            _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        run_runbook(path, output_dir=tmp_path / "out", on_cell=press_ctrl_c)

    (folder,) = (tmp_path / "out").iterdir()
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["state"] == "interrupted"
    assert record["cells_run"] == 1
    assert record["failure"].startswith("interrupted in cell 2 of 3 (")
    notebook = nbformat.read(folder / path.name, as_version=4)
    assert notebook.cells[0].source.startswith("> **Interrupted.**")
    assert "left in order" in notebook.cells[2].outputs[0].text


def test_while_it_runs_the_record_says_that_it_is_not_complete(make_notebook: Make, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(event: CellEvent) -> None:
        if event.state == "started" and event.number == 2:
            (folder,) = (tmp_path / "out").iterdir()
            seen.append(nbformat.read(folder / "50-example.ipynb", as_version=4).cells[0].source)
            assert sorted(path.name for path in folder.iterdir()) == ["50-example.ipynb", "record.json"]

    assert run_runbook(make_notebook("1", "2"), output_dir=tmp_path / "out", on_cell=look).ok
    assert seen[0].startswith("> **Not complete.**")
    assert "1 of 2 code cells have run so far" in seen[0]


def test_two_runs_in_one_second_keep_two_records(make_notebook: Make, tmp_path: Path) -> None:
    path = make_notebook("1")
    folders = {run_runbook(path, output_dir=tmp_path / "out").folder for _ in range(2)}
    assert len(folders) == 2


def test_nothing_is_run_or_written_for_a_wrong_parameter(make_notebook: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no parameter"):
        run_runbook(make_notebook("1", parameters="device = ''"), {"devise": "x"}, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_kernel_is_refused(make_notebook: Make) -> None:
    with pytest.raises(UsageError, match="'cobol'"):
        run_runbook(make_notebook("1", kernel="cobol"))


def test_the_kernel_is_always_one_of_this_environment() -> None:
    for name in ("akslite-ps", "python3"):
        assert EnvironmentKernels().get_kernel_spec(name).argv[0] == sys.executable


def test_a_record_can_be_run_again(make_notebook: Make, tmp_path: Path) -> None:
    first = run_runbook(make_notebook("print(device)", parameters="device = ''"), {"device": "a"}, output_dir=tmp_path / "1")
    second = run_runbook(first.notebook, {"device": "b"}, output_dir=tmp_path / "2")
    notebook = nbformat.read(second.notebook, as_version=4)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code", "code"]
    assert notebook.cells[-1].outputs[0].text == "b\n"
    assert os.path.commonpath([second.folder, tmp_path / "2"]) == str(tmp_path / "2")
