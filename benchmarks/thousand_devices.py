"""A sandbox of 1,000 simulated devices against the same number of listening sockets with nothing behind them.

Both sides start as a fresh process, in turn, in one run. Measured from the start of the process until every device is
listening: once with new devices, once with devices that are on disk already; then the resident memory while idle. Prints
the figures, the ratio to the bare listeners and the bars: up in 2 s, under 150 MB.

    python benchmarks/thousand_devices.py [--devices 1000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from akslite_ps import sandbox

UP_S = 2.0
IDLE_MB = 150.0
ADDRESS_BASE = "127.90.0.0"

BARE_LISTENERS = """
import asyncio, ipaddress, sys

async def main(count, base):
    loop = asyncio.get_running_loop()
    for number in range(1, count + 1):
        address = str(ipaddress.IPv4Address(base) + number)
        for port in (5985, 5986):
            await loop.create_server(asyncio.Protocol, address, port, backlog=64)
    print("listening", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)

if sys.platform != "win32":
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


@dataclass(frozen=True)
class Figures:
    """Seconds until everything listens, megabytes while idle."""

    seconds: float
    megabytes: float


def bare(devices: int) -> Figures:
    """A process that listens on as many sockets as that many devices do."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", BARE_LISTENERS, str(devices), ADDRESS_BASE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "listening"
        seconds = time.perf_counter() - start
        return Figures(seconds, _megabytes(process.pid))


def ours(folder: Path, devices: int) -> Figures:
    """The sandbox's own process, as ``akslite sandbox up`` starts it."""
    start = time.perf_counter()
    status = sandbox.up(folder, devices=devices, address_base=ADDRESS_BASE, wait_s=120)
    seconds = time.perf_counter() - start
    assert status.pid is not None
    assert len(status.devices) == devices
    figures = Figures(seconds, _megabytes(status.pid))
    sandbox.down(folder, wait_s=60)
    return figures


def _megabytes(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def show(name: str, rounds: Sequence[Figures], against: Sequence[Figures]) -> Figures:
    """Print one side's medians and their ratio to the other's, and return the medians."""
    seconds = statistics.median(figures.seconds for figures in rounds)
    megabytes = statistics.median(figures.megabytes for figures in rounds)
    time_ratio = statistics.median(a.seconds / b.seconds for a, b in zip(rounds, against, strict=True))
    memory_ratio = statistics.median(a.megabytes / b.megabytes for a, b in zip(rounds, against, strict=True))
    ratios = f"ratio {time_ratio:4.1f} (time) {memory_ratio:4.1f} (memory)"
    print(f"{name:<16} up in {seconds:5.2f} s   {megabytes:6.1f} MB idle   {ratios}")
    return Figures(seconds, megabytes)


def main() -> int:
    """Run the comparison and print it; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sides: dict[str, list[Figures]] = {"bare listeners": [], "new devices": [], "stored devices": []}
    for _ in range(options.rounds):
        sides["bare listeners"].append(bare(options.devices))
        with tempfile.TemporaryDirectory() as folder:
            sides["new devices"].append(ours(Path(folder), options.devices))
            sides["stored devices"].append(ours(Path(folder), options.devices))
    medians = [show(name, rounds, sides["bare listeners"]) for name, rounds in sides.items()][1:]
    print(f"bars             up in {UP_S:5.2f} s   {IDLE_MB:6.1f} MB idle   ({options.devices} devices, {options.rounds} rounds)")
    return 0 if all(side.seconds <= UP_S and side.megabytes <= IDLE_MB for side in medians) else 1


if __name__ == "__main__":
    sys.exit(main())
