"""What every test shares: no test sees this user's akslite data, keyring or proxy settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from akslite_ps.secrets import REDACTOR


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test registered for redaction must not redact words of another."""
    monkeypatch.setattr(REDACTOR, "_needles", set())


@pytest.fixture(autouse=True)
def akslite_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own for every test."""
    home = tmp_path_factory.mktemp("akslite-home")
    monkeypatch.setenv("AKSLITE_HOME", str(home))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AKSLITE_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return home
