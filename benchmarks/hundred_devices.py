"""100 simulated devices x 5 commands: our client against ansible-core's psrp connection, both in one run on one sandbox process.

Ours is one ``run_on_many`` whose work runs the command five times in one session. Ansible's is one playbook with five ``raw``
tasks, with the best of the given numbers of forks and strategies. Same devices, same account, NTLM with message encryption over
HTTP on both sides; every answer is checked. The sides take turns. The bar is a ratio of at least 5.

    python benchmarks/hundred_devices.py [--rounds 2] [--devices 100] [--forks 5 10 20] [--threads 8] [--shards 0]

Needs ansible-core beside akslite-ps (``pip install ansible-core``); it does not run on Windows.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from akslite_ps.remoting import Device, Session, run_on_many

COMMAND = "Get-AksLiteFacts"
COMMANDS = 5
BAR = 5.0
_RECAP = re.compile(r"^(\S+)\s*:\s*ok=(\d+)\s+changed=\d+\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def five_commands(session: Session, *, count: int = COMMANDS) -> int:
    """The work of our side: gives the number of answers."""
    return sum(len(session.invoke(COMMAND).output) for _ in range(count))


def ours(devices: Sequence[Device], *, threads: int, shards: int) -> float:
    """Seconds for all devices, starting the processes included."""
    begin = time.perf_counter()
    results = list(run_on_many(devices, functools.partial(five_commands, count=COMMANDS), threads=threads, shards=shards))
    seconds = time.perf_counter() - begin
    failed = [result for result in results if result.value != COMMANDS]
    if failed or len(results) != len(devices):
        raise SystemExit(f"our side: {len(failed)} of {len(devices)} devices failed, e.g. {failed[:1]}")
    return seconds


def write_playbook(folder: Path, devices: Sequence[Device]) -> None:
    """Inventory and playbook of the other side."""
    hosts: dict[str, Any] = {}
    for device in devices:
        endpoint = device.endpoint
        assert endpoint.password is not None
        hosts[device.name] = {
            "ansible_host": endpoint.host,
            "ansible_port": endpoint.port,
            "ansible_user": endpoint.username,
            "ansible_password": endpoint.password.resolve(),
        }
    common = {
        "ansible_connection": "psrp",
        "ansible_shell_type": "powershell",
        "ansible_psrp_protocol": "http",
        "ansible_psrp_auth": "ntlm",
        "ansible_psrp_ignore_proxy": True,
        "ansible_python_interpreter": sys.executable,
    }
    inventory = {"all": {"hosts": hosts, "vars": common}}
    (folder / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    tasks = [{"name": f"command {number + 1}", "ansible.builtin.raw": COMMAND} for number in range(COMMANDS)]
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (folder / "playbook.json").write_text(json.dumps(play), encoding="utf-8")


def ansible(folder: Path, devices: Sequence[Device], *, forks: int, strategy: str) -> float:
    """Seconds for one ansible-playbook, starting it included."""
    program = shutil.which("ansible-playbook", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if program is None:
        raise SystemExit("ansible-playbook is not there: pip install ansible-core")
    environment = {
        **os.environ,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_STRATEGY": strategy,
        "ANSIBLE_HOME": str(folder / "ansible"),
        "LC_ALL": "C.UTF-8",
    }
    command = [program, "-i", str(folder / "inventory.json"), "-f", str(forks), str(folder / "playbook.json")]
    begin = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    recap = {name: (int(ok), int(away), int(failed)) for name, ok, away, failed in _RECAP.findall(done.stdout)}
    wrong = [device.name for device in devices if recap.get(device.name) != (COMMANDS, 0, 0)]
    if wrong:
        raise SystemExit(f"ansible: {len(wrong)} devices failed, e.g. {wrong[:3]}\n{done.stdout[:3000]}\n{done.stderr[-2000:]}")
    return seconds


def main() -> int:
    """Run the comparison and print it; exit code 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--forks", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--strategies", nargs="+", default=["linear", "free"])
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--shards", type=int, default=0)
    options = parser.parse_args()

    # Here, so that the processes that share our side's work do not load them.
    from akslite_ps.cli.sandbox import as_inventory_device
    from akslite_ps.sandbox import process

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sandbox = folder / "sandbox"
        state = process.up(sandbox, devices=options.devices, speed=1000, free_ports=True, wait_s=120)
        try:
            devices = [_with_ntlm(as_inventory_device(simulated)) for simulated in state.devices]
            write_playbook(folder, devices)
            ways = [(forks, strategy) for strategy in options.strategies for forks in options.forks]
            theirs: dict[tuple[int, str], list[float]] = {way: [] for way in ways}
            mine: list[float] = []
            for _ in range(options.rounds):
                mine.append(ours(devices, threads=options.threads, shards=options.shards))
                for forks, strategy in ways:
                    theirs[forks, strategy].append(ansible(folder, devices, forks=forks, strategy=strategy))
                mine.append(ours(devices, threads=options.threads, shards=options.shards))
        finally:
            process.down(sandbox, delete=True)
    best = min(theirs, key=lambda way: statistics.median(theirs[way]))
    best_s, ours_s = statistics.median(theirs[best]), statistics.median(mine)
    work = options.devices * COMMANDS
    for way in ways:
        seconds = statistics.median(theirs[way])
        print(f"ansible-core, {way[0]:3} forks, {way[1]:6} {seconds:7.2f} s   {work / seconds:6.1f} commands/s")
    shards = f"{options.shards} x " if options.shards else ""
    print(f"akslite-ps, {shards + str(options.threads) + ' threads':18}  {ours_s:7.2f} s   {work / ours_s:6.1f} commands/s")
    print(f"ratio       {best_s / ours_s:.2f} against the best of ansible-core (median of {options.rounds} rounds); bar {BAR:g}")
    return 0 if best_s / ours_s >= BAR else 1


def _with_ntlm(device: Device) -> Device:
    endpoint = device.endpoint.model_copy(update={"auth": "ntlm"})
    return device.model_copy(update={"endpoint": endpoint})


if __name__ == "__main__":
    sys.exit(main())
