"""Fixtures of the command line's tests: the real PowerShell parser, where there is one on PATH."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ORACLE = Path(__file__).with_name("oracle.ps1")
Oracle = Callable[[Sequence[str]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def powershell_parser(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """Asks PowerShell's own parser what lines mean: one answer per line, as ``oracle.ps1`` writes it."""
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("PowerShell 7 (pwsh) is not on PATH")
    folder = tmp_path_factory.mktemp("oracle")

    def ask(lines: Sequence[str]) -> list[dict[str, Any]]:
        questions, answers = folder / "lines.json", folder / "answers.json"
        questions.write_text(json.dumps(list(lines)), encoding="utf-8")
        done = subprocess.run(
            [pwsh, "-NoLogo", "-NoProfile", "-File", str(ORACLE), str(questions), str(answers)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answered: list[dict[str, Any]] = json.loads(answers.read_text(encoding="utf-8-sig"))
        assert len(answered) == len(lines)
        return answered

    return ask
