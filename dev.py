"""One script for everything a developer or a first-time user runs: ``python3 dev.py demo|test|check|lab``.

Needs nothing but Python 3.11 or later. Makes ``.venv`` beside this file on first use and installs the
project into it; later runs install again only when pyproject.toml changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PEERS_VENV = ROOT / ".venv-peers"
PEERS = ROOT / "tests" / "interop" / "requirements.txt"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
EXTRAS = {"demo": (), "test": ("test", "lab"), "check": ("check", "test"), "lab": ("lab",)}
SAMPLE_CONFIG = ROOT / "tests" / "recorded" / "azure-aks-edge" / "aksedge-config.json"
RUNBOOK = ROOT / "runbooks" / "40-deploy-single-machine.ipynb"


def install(extras: tuple[str, ...], *, is_needed: bool = True) -> None:
    """Make the virtual environment and install the project with these extras, once per pyproject.toml.

    Ends the program where that fails and the extras are needed; otherwise says so and goes on.
    """
    stamp = VENV / ".installed"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    known = stamp.read_text(encoding="utf-8").split() if stamp.is_file() else []
    have = set(known[1:]) if known and known[0] == wanted else set()
    if PYTHON.is_file() and set(extras) | {"core"} <= have:
        return
    print(f"installing into {VENV} ...", flush=True)
    if not PYTHON.is_file():
        venv.create(VENV, with_pip=True)
    target = str(ROOT) + (f"[{','.join(extras)}]" if extras else "")
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", target]
    if subprocess.run(command, check=False).returncode:
        if is_needed:
            sys.exit("the installation failed; what pip said is above")
        print(f"{target} could not be installed, so tests that need it will skip; what pip said is above", flush=True)
        return
    stamp.write_text(" ".join([wanted, *sorted(have | set(extras) | {"core"})]), encoding="utf-8")


def run(*command: str | Path, env: dict[str, str] | None = None) -> int:
    """Run a program of the virtual environment and return its exit code."""
    full = {**os.environ, "PATH": str(BIN) + os.pathsep + os.environ.get("PATH", ""), **(env or {})}
    try:
        return subprocess.run([str(part) for part in command], check=False, env=full, cwd=ROOT).returncode
    except KeyboardInterrupt:
        return 130


def akslite(*arguments: str | Path, env: dict[str, str]) -> int:
    """Show an akslite command as a person would type it, then run it."""
    print("\n$ akslite " + " ".join(str(a) for a in arguments), flush=True)
    return run(PYTHON, "-m", "akslite_ps.cli", *arguments, env=env)


def demo(rest: list[str]) -> int:
    """Three simulated devices, Microsoft's sample config, the deploy runbook headless, and where the record lies."""
    parser = argparse.ArgumentParser(prog="dev.py demo")
    parser.add_argument("--keep", action="store_true", help="leave the simulated devices running")
    options = parser.parse_args(rest)
    home = Path(tempfile.mkdtemp(prefix="akslite-demo-"))
    env = {"AKSLITE_HOME": str(home)}
    try:
        return _demo(env, home)
    finally:
        if options.keep:
            print(f"\nthe devices go on running; use them with AKSLITE_HOME={home}")
        else:
            akslite("sandbox", "down", env=env)


def _demo(env: dict[str, str], home: Path) -> int:
    steps: list[tuple[str | Path, ...]] = [
        ("sandbox", "up", "--devices", "3", "--free-ports"),
        ("device", "test", "press-01"),
        ("plan", "press-01", "--config", SAMPLE_CONFIG, "--set", "Network.InternetDisabled=true", "--accept-eula"),
        ("runbook", "run", RUNBOOK, "--output-dir", home / "records", *_parameters(config_file=SAMPLE_CONFIG)),
        ("status", "press-01"),
        ("runs", "list"),
    ]
    for step in steps:
        code = akslite(*step, env=env)
        if code:
            print(f"\nthe demo stopped: the command above ended with exit code {code}")
            return code
    records = sorted((home / "records").rglob("*.html"))
    print("\nThe cluster runs. The record of what was done:")
    for page in records:
        print(f"  executed notebook  {page.with_suffix('.ipynb')}\n  as a page          {page}")
    print(f"  journal            {home / 'journal' / 'journal.sqlite'}")
    return 0


def _parameters(config_file: Path) -> list[str]:
    values = {"device": "press-01", "config_file": config_file, "offline": "true", "accept_eula": "true", "confirm": "press-01"}
    return [part for name, value in values.items() for part in ("-p", f"{name}={value}")]


def _install_kerberos() -> None:
    """What the Kerberos tests need compiles against MIT Kerberos' headers, which not every machine has."""
    if os.name == "nt" or shutil.which("krb5-config"):
        install((*EXTRAS["test"], "kerberos"), is_needed=False)
    else:
        print("krb5-config is not on PATH (Debian: libkrb5-dev), so the Kerberos tests will skip", flush=True)


def _install_peers() -> None:
    """The clients of other projects that tests/interop runs, in an environment of their own."""
    stamp, wanted = PEERS_VENV / ".installed", hashlib.sha256(PEERS.read_bytes()).hexdigest()
    if os.name == "nt" or (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        return
    print(f"installing into {PEERS_VENV} ...", flush=True)
    venv.create(PEERS_VENV, with_pip=True, clear=True)
    command = [PEERS_VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", PEERS]
    if subprocess.run(command, check=False).returncode:
        print("they could not be installed, so their tests will skip; what pip said is above", flush=True)
    else:
        stamp.write_text(wanted, encoding="utf-8")


def test(rest: list[str]) -> int:
    """All tests, a file at a time on up to four cores; with further arguments, pytest with these."""
    _install_kerberos()
    _install_peers()
    return run(PYTHON, "-m", "pytest", *(rest or ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")))


def check(rest: list[str]) -> int:
    """ruff, mypy --strict and the import contracts; every one runs, the first failure decides the exit code."""
    commands: list[tuple[str | Path, ...]] = [
        (PYTHON, "-m", "ruff", "check", "."),
        (PYTHON, "-m", "ruff", "format", "--check", "."),
        (PYTHON, "-m", "mypy", "-p", "akslite_ps"),
        (PYTHON, "-m", "mypy", "-p", "akslite_ps_kernel"),
        (BIN / ("lint-imports.exe" if os.name == "nt" else "lint-imports"),),
    ]
    codes = []
    for command in commands:
        print("\n$ " + " ".join(Path(part).name if i == 0 else str(part) for i, part in enumerate(command)), flush=True)
        codes.append(run(*command))
    return next((code for code in codes if code), 0)


def lab(rest: list[str]) -> int:
    """JupyterLab with the runbooks, the lessons, the kernels and three simulated devices; Ctrl-C ends it."""
    code = akslite("sandbox", "up", "--devices", "3", "--free-ports", env={})
    if code:
        return code
    try:
        return run(PYTHON, "-m", "jupyter", "lab", "--ServerApp.root_dir", ROOT, "--LabApp.default_url=/lab/tree/runbooks", *rest)
    finally:
        akslite("sandbox", "down", env={})


def main() -> int:
    """Parse the command, install what it needs, run it."""
    commands = {"demo": demo, "test": test, "check": check, "lab": lab}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=commands)
    arguments, rest = parser.parse_known_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this script also has to say so on an older Python
        sys.exit(f"akslite-ps needs Python 3.11 or later; this is {sys.version.split()[0]}")
    install(EXTRAS[arguments.command])
    return commands[arguments.command](rest)


if __name__ == "__main__":
    sys.exit(main())
