"""The PowerShell that is installed on this machine, where there is one.

Asked by ``pwsh.device_engine`` and, before devices are made, by ``sandbox.supervisor``. PowerShell 7 is looked for on PATH;
Windows also has Windows PowerShell 5.1, whose ``-s`` speaks the same out-of-process form of PSRP (it is what its Start-Job
runs).
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import Literal

MISSING = "there is no pwsh on PATH"
INSTALL = "install PowerShell 7 (https://aka.ms/powershell) so that pwsh is on PATH, or use the engine 'embedded'"


@dataclass(frozen=True, slots=True)
class EngineProgram:
    """A PowerShell program; ``edition`` is ``Core`` for PowerShell 7 and ``Desktop`` for Windows PowerShell."""

    path: str
    edition: Literal["Core", "Desktop"] = "Core"


def find_program() -> EngineProgram | None:
    """``pwsh`` on PATH, else Windows' own ``powershell.exe``; None where there is neither."""
    if (found := shutil.which("pwsh")) is not None:
        return EngineProgram(found)
    if sys.platform == "win32" and (found := shutil.which("powershell")) is not None:
        return EngineProgram(found, "Desktop")
    return None
