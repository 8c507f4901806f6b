"""Config files as text, and how the secrets in one are referred to. Used by ``config`` only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from akslite_ps.aksedge.config.reading import LARGEST, decode
from akslite_ps.errors import ConfigError, UsageError

NEXT_ACTION = "correct the values listed; each line says where and what is allowed"
_LOOKED_UP = ("utf-8", "utf-8-sig", "utf-16")
"""Encodings of files in which ``file:`` references find a field again at send time."""


class FileText(NamedTuple):
    """A config file's text.

    Args:
        text: The text.
        refer_to: Absolute path for references to secrets that stand in the file; None where none could be looked up again, so
            that they are held in memory.
    """

    text: str
    refer_to: str | None


def text_of(file: Path) -> FileText:
    """Read a config file: UTF-8, or UTF-16 with a byte-order mark as PowerShell writes it.

    Raises:
        UsageError: The file cannot be read.
        ConfigError: It is no text.
    """
    try:
        with file.open("rb") as opened:  # not more than that: it may be a device without end
            data = opened.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(
            f"the config file {file} cannot be read: {error.strerror or type(error).__name__}",
            next_action="name an existing deployment config (JSON)",
        ) from None
    text, encoding, issues = decode(data)
    if text is None:
        raise ConfigError(issues, source=str(file), next_action=NEXT_ACTION)
    return FileText(text, str(file.resolve()) if encoding in _LOOKED_UP and file.is_file() else None)
