"""The kernelspecs: what the wheel ships is what the command writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from akslite_ps_kernel.__main__ import main
from akslite_ps_kernel.kernelspecs import KERNELSPECS

SHIPPED = Path(__file__).parents[2] / "kernel" / "kernelspec"


@pytest.mark.parametrize("spec", KERNELSPECS, ids=lambda spec: spec.name)
def test_the_shipped_kernel_json_is_what_the_program_knows(spec: object) -> None:
    data = json.loads((SHIPPED / spec.name / "kernel.json").read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    assert data == spec.content()  # type: ignore[attr-defined]


def test_there_is_one_folder_per_kernelspec() -> None:
    assert sorted(folder.name for folder in SHIPPED.iterdir()) == sorted(spec.name for spec in KERNELSPECS)


def test_install_writes_this_interpreter_and_uninstall_removes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--prefix", str(tmp_path)]) == 0
    kernels = tmp_path / "share" / "jupyter" / "kernels"
    data = json.loads((kernels / "akslite-powershell" / "kernel.json").read_text(encoding="utf-8"))
    assert data["argv"] == [sys.executable, "-m", "akslite_ps_kernel", "-f", "{connection_file}", "--language", "powershell"]
    assert (data["display_name"], data["language"]) == ("AKS Edge PowerShell", "powershell")
    assert main(["install", "--prefix", str(tmp_path)]) == 0
    assert main(["uninstall", "--prefix", str(tmp_path)]) == 0
    assert list(kernels.iterdir()) == []
    assert main(["uninstall", "--prefix", str(tmp_path)]) == 0
    assert "nothing was installed there" in capsys.readouterr().out


def test_for_this_user_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert main(["install", "--user"]) == 0
    assert {folder.name for folder in (tmp_path / "kernels").iterdir()} == {"akslite-ps", "akslite-powershell"}
    assert main(["uninstall", "--user"]) == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "share").write_text("in the way", encoding="utf-8")
    assert main(["install", "--prefix", str(tmp_path)]) == 2
    assert "install failed" in capsys.readouterr().err
