"""The real command in a subprocess, with a home and simulated devices of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.cli.app import main

SAMPLE = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json"
OFFLINE = ("--config", str(SAMPLE), "--set", "Network.InternetDisabled=true")


class Akslite:
    """Runs ``akslite`` in a subprocess with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "AKSLITE_HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """The command running in the background, its messages on ``stderr`` to be read line by line."""
        return subprocess.Popen(
            [sys.executable, "-m", "akslite_ps.cli", *(str(a) for a in arguments)],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it to its end; the exit code must be this one and there must be no traceback."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=240)
        assert process.returncode == code, f"exit code {process.returncode}\n{stdout}\n{stderr}"
        assert "Traceback" not in stdout + stderr
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """The JSON document the command prints."""
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def akslite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Akslite]:
    """Three simulated devices started by the command itself, stopped at the end."""
    command = Akslite(tmp_path_factory.mktemp("home"))
    own_addresses = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}.0"
    command("sandbox", "up", "--devices", "3", "--speed", "240", "--free-ports", "--address-base", own_addresses)
    try:
        yield command
    finally:
        command("sandbox", "down", "--delete")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("AKSLITE_HOME", str(folder))
    return folder


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line in this process; returns its exit code, standard output and standard error."""

    def run(*line: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in line])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert "unexpected" not in said.out + said.err
        return int(left.value.code or 0), said.out, said.err

    return run
