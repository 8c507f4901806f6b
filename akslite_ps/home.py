"""Where akslite keeps its files on this machine: inventory, journal, sandbox, run records.

One folder, ``AKSLITE_HOME`` or the platform's user data folder. Nothing else in the project decides
about paths of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The folder of this user's akslite data; made on first use by whoever writes there.

    Returns:
        ``$AKSLITE_HOME`` where set and not empty, else the platform's user data folder (on Windows
        below ``%LOCALAPPDATA%``).
    """
    chosen = os.environ.get("AKSLITE_HOME", "").strip()
    return Path(chosen).expanduser().resolve() if chosen else Path(platformdirs.user_data_dir("akslite", appauthor=False))


def inventory_file() -> Path:
    """The inventory of devices (JSON)."""
    return home() / "inventory.json"


def journal_file() -> Path:
    """The journal of runs (SQLite)."""
    return home() / "journal" / "journal.sqlite"


def records_dir() -> Path:
    """Executed notebooks and reports, one folder per run."""
    return home() / "records"


def backups_dir() -> Path:
    """Manifests that were saved before a device was deployed anew, one folder each."""
    return home() / "backups"


def sandbox_dir() -> Path:
    """State of the simulated devices."""
    return home() / "sandbox"
