"""The fault matrix in the documentation says what the tests of this folder saw. Stands last among them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "fault-matrix.md"
HOW = "docs/fault-matrix.md does not say what the tests saw: run tests/remoting with AKSLITE_SAVE_FAULT_MATRIX=1, read what changes"


def all_ran(session: pytest.Session) -> bool:
    """Whether every test that notes something for the matrix was in this run."""
    config = session.config
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    noting = {file for file in HERE.glob("test_survival_*.py") if "matrix.note(" in file.read_text(encoding="utf-8")}
    return not chosen and noting <= {item.path for item in session.items}


def test_the_fault_matrix_says_what_the_tests_saw(matrix: Any, request: pytest.FixtureRequest) -> None:
    complete = all_ran(request.session)
    if os.environ.get("AKSLITE_SAVE_FAULT_MATRIX"):
        assert complete, "run all tests of this folder to write the fault matrix"
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(matrix.text(), encoding="utf-8", newline="\n")
    written = DOCUMENT.read_text(encoding="utf-8")

    assert matrix.seen <= matrix.read(written), HOW
    if complete:
        assert written == matrix.text(), HOW
