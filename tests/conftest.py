"""What every test shares: no test sees this user's akslite data, keyring or proxy settings."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def akslite_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own for every test."""
    home = tmp_path_factory.mktemp("akslite-home")
    monkeypatch.setenv("AKSLITE_HOME", str(home))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "AKSLITE_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return home
