"""Stand-ins for programs of Windows that our device-side module starts: files on the device's drive that ask the sandbox.

:func:`place` is called by ``pwsh.device_engine``; :func:`main` is what such a file runs. It imports nothing but the
standard library, since it is started anew for every program.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn, TypedDict

_LAUNCHER = "akslite-simulated-program"
_NO_ANSWER = 1


class _Answer(TypedDict):
    exit_code: int
    output: str
    error: str


def place(folder: Path, programs: Iterable[str]) -> None:
    """Put stand-ins into a folder, where they are not there yet.

    On Windows a stand-in is a copy of the launcher that was installed with this package; without one there is none, and a
    script that starts it is told that the file does not exist.

    Args:
        folder: Made where it is missing.
        programs: Names such as ``shutdown.exe``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in programs:
        target = folder / name
        if target.exists():
            continue
        if sys.platform == "win32":
            launcher = Path(sysconfig.get_path("scripts"), f"{_LAUNCHER}.exe")
            if launcher.is_file():
                shutil.copyfile(launcher, target)
        else:
            beside = folder / f"{name}.new"
            beside.write_text(f"#!{sys.executable}\nfrom {__name__} import main\n\nmain()\n", encoding="utf-8")
            beside.chmod(0o700)
            beside.replace(target)


def main() -> NoReturn:
    """Run as a program of the device: have the sandbox answer, print that, and end with its exit code."""
    name = Path(sys.argv[0]).name
    if not name.lower().endswith(".exe"):
        name += ".exe"
    answer = _ask(name, sys.argv[1:])
    sys.stdout.buffer.write(answer["output"].encode())
    sys.stdout.flush()
    sys.stderr.write(answer["error"])
    sys.exit(answer["exit_code"])


def _ask(name: str, arguments: list[str]) -> _Answer:
    request = {"program": name, "arguments": arguments}
    try:
        place_of_calls = (os.environ["AKSLITE_SANDBOX_HOST"], int(os.environ["AKSLITE_SANDBOX_PORT"]))
        with socket.create_connection(place_of_calls) as connection, connection.makefile("rwb") as line:
            line.write(f"{os.environ['AKSLITE_SANDBOX_TOKEN']} {json.dumps(request)}\n".encode())
            line.flush()
            found = line.readline()
    except (OSError, LookupError, ValueError) as error:
        return {"exit_code": _NO_ANSWER, "output": "", "error": f"{name}: the simulated device does not answer: {error}\n"}
    if not found:
        return {"exit_code": _NO_ANSWER, "output": "", "error": f"{name}: the simulated device went down\n"}
    answer: _Answer = json.loads(found)
    return answer
