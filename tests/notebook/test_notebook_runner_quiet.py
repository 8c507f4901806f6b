"""The kernel's process does not write into the output of the command that runs a runbook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from akslite_ps.notebook import run_runbook


def test_a_kernel_that_is_ended_in_a_cell_prints_nothing_beside_the_record(
    make_notebook: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    path = make_notebook("import os\nos.write(1, b'to the process')\nos.write(2, b'to the process')\nimport time\ntime.sleep(60)")

    record = run_runbook(path, cell_timeout_s=1)

    assert record.failure is not None
    assert "longer than allowed" in record.failure
    said = capfd.readouterr()
    assert said.out + said.err == ""
