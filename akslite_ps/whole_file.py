"""Replaces a file whole or not at all; used for the inventory, kubeconfigs and records. Imports nothing of ours."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Give a file a new content: whoever reads it sees the old one or the new one, also after a power failure.

    The file is this user's alone (mode 0600; on Windows the access list of its folder).

    Args:
        path: The file, in a folder that exists.
        text: Its content, written as UTF-8 with the line ends it has.

    Raises:
        OSError: It cannot be written; the old content is still there.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
