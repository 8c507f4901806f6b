"""The two kernelspecs: one kernel class, Python or PowerShell as the language of a plain cell.

Installed by the wheel (shared data, leading ``python``) or by ``python -m akslite_ps_kernel install``, which writes
this interpreter's absolute path. Jupyter reads them; nothing here starts a kernel.
"""

from __future__ import annotations

import argparse
import json
import shutil
import site
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class KernelSpecData:
    """One kernelspec: the folder's name, what a person sees, the language and the kernel's own options."""

    name: str
    display_name: str
    language: str
    options: tuple[str, ...] = ()

    def content(self, python: str = "python") -> dict[str, Any]:
        """The content of ``kernel.json``.

        Args:
            python: The interpreter; jupyter_client replaces a plain ``python`` by its own.
        """
        return {
            "argv": [python, "-m", "akslite_ps_kernel", "-f", "{connection_file}", *self.options],
            "display_name": self.display_name,
            "language": self.language,
            "kernel_protocol_version": "5.5",
            "metadata": {"debugger": True, "supported_encryption": ["curve"]},
            "env": {"PYDEVD_DISABLE_FILE_VALIDATION": "1"},
        }


KERNELSPECS = (
    KernelSpecData("akslite-ps", "AKS Edge (Python + PowerShell)", "python"),
    KernelSpecData("akslite-powershell", "AKS Edge PowerShell", "powershell", ("--language", "powershell")),
)


def install(*, user: bool = False, prefix: Path | None = None) -> list[Path]:
    """Write both kernelspecs with this interpreter's path, replacing older ones.

    Args:
        user: For this user only.
        prefix: Below this prefix (``share/jupyter/kernels``); neither: for the whole machine.

    Returns:
        The folders written.

    Raises:
        OSError: A folder cannot be written.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    written = []
    for spec in KERNELSPECS:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / spec.name
            source.mkdir()
            write_kernel_json(source, spec.content(sys.executable))
            target = KernelSpecManager().install_kernel_spec(
                str(source), kernel_name=spec.name, user=user, prefix=str(prefix) if prefix else None
            )
        written.append(Path(target))
    return written


def uninstall(*, user: bool = False, prefix: Path | None = None) -> list[Path]:
    """Remove both kernelspecs from the place that :func:`install` with the same arguments writes to.

    Returns:
        The folders removed.
    """
    removed = []
    for spec in KERNELSPECS:
        folder = _kernels_dir(user=user, prefix=prefix) / spec.name
        if folder.is_dir():
            shutil.rmtree(folder)
            removed.append(folder)
    return removed


def write_kernel_json(folder: Path, content: Mapping[str, Any]) -> None:
    """Write ``kernel.json`` into a kernelspec folder."""
    (folder / "kernel.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _kernels_dir(*, user: bool, prefix: Path | None) -> Path:
    from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir

    if user:
        return Path(jupyter_data_dir()) / "kernels"
    if prefix:
        return prefix / "share" / "jupyter" / "kernels"
    return Path(SYSTEM_JUPYTER_PATH[0]) / "kernels"


def command(arguments: Sequence[str]) -> int:
    """``install`` or ``uninstall`` with ``--user``, ``--sys-prefix`` or ``--prefix DIR``.

    Returns:
        Exit code: 0, or 2 where a folder cannot be written.
    """
    parser = argparse.ArgumentParser(prog="python -m akslite_ps_kernel", description="Make the kernels known to Jupyter.")
    parser.add_argument("action", choices=("install", "uninstall"))
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for this user only")
    place.add_argument("--sys-prefix", action="store_true", help="in this Python environment (default)")
    place.add_argument("--prefix", type=Path, help="below this folder: share/jupyter/kernels")
    options = parser.parse_args(arguments)
    prefix = None if options.user else options.prefix or Path(sys.prefix)
    try:
        folders = (install if options.action == "install" else uninstall)(user=options.user, prefix=prefix)
    except OSError as error:
        hint = "" if options.user else f" (try --user, which writes below {site.getuserbase()})"
        print(f"{options.action} failed: {error}{hint}", file=sys.stderr)
        return 2
    for folder in folders:
        print(f"{options.action}ed {folder}")
    if not folders:
        print("nothing was installed there")
    return 0
