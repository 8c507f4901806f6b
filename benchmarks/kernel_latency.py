"""From the device to the cell: how long after the device wrote a line it is in the notebook, and how long an interrupt takes.

A simulated device writes the time again and again; a front end of the PowerShell kernel, which has a process of its own, notes when
each line arrives. Then a command that writes without end is interrupted. The bars: 250 ms for nine lines of ten, and 2 s for the
interrupt.

    python benchmarks/kernel_latency.py [--lines 40] [--pause-ms 100] [--interrupts 5]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.fleet.inventory import Inventory
from akslite_ps.sandbox import LocalSandbox
from akslite_ps_kernel import kernelspecs

LINE_BAR_S = 0.25
INTERRUPT_BAR_S = 2.0
_PATIENCE_S = 60


class _Clock:
    """A runspace of the device that knows one command more: Write-Time writes the time, for ever where no count is given."""

    def __init__(self, runspace: Any) -> None:
        self._runspace = runspace

    async def run(self, request: Any, streams: Any) -> None:
        call = request.commands[0]
        if call.text != "Write-Time":
            await self._runspace.run(request, streams)
            return
        given = {parameter.name: parameter.value for parameter in call.parameters}
        left = given.get("Count", sys.maxsize)
        while left:
            left -= 1
            streams.output(repr(time.time()))
            await asyncio.sleep(given["PauseMs"] / 1000)

    def close(self) -> None:
        self._runspace.close()


def teach(sandbox: LocalSandbox) -> None:
    """Give the sandbox's device the command."""
    device: Any = sandbox.device(sandbox.devices[0].name)
    open_runspace = device.open_runspace
    device.open_runspace = lambda configuration, user: _Clock(open_runspace(configuration, user))


def start_kernel(folder: Path, sandbox: LocalSandbox) -> KernelManager:
    """The PowerShell kernel with an inventory that names the device."""
    Inventory.load(folder / "home" / "inventory.json").add(as_inventory_device(sandbox.devices[0]))
    kernelspecs.install(prefix=folder / "prefix")
    specs = KernelSpecManager(kernel_dirs=[str(folder / "prefix" / "share" / "jupyter" / "kernels")])
    manager = KernelManager(kernel_name="akslite-powershell", kernel_spec_manager=specs)
    manager.start_kernel(env={**os.environ, "AKSLITE_HOME": str(folder / "home"), "IPYTHONDIR": str(folder / "ipython")})
    return manager


def arrivals(client: Any, request: str) -> list[tuple[float, str]]:
    """What a cell writes, line by line with the time of its arrival, until the cell is over."""
    found: list[tuple[float, str]] = []
    while True:
        message = client.get_iopub_msg(timeout=_PATIENCE_S)
        now = time.time()
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return found
        text = content.get("text") or content.get("data", {}).get("text/plain", "")
        found += [(now, line) for line in text.splitlines() if line.strip()]


def delays(client: Any, lines: int, pause_ms: int) -> list[float]:
    """Seconds between writing and arrival, for each line."""
    seen = arrivals(client, client.execute(f"Write-Time -Count {lines} -PauseMs {pause_ms}"))
    by_line = {line: at for at, line in reversed(seen)}
    written = [line for line in by_line if line.replace(".", "").isdigit()]
    if len(written) != lines:
        raise SystemExit(f"{len(written)} of {lines} lines arrived: {list(by_line)[:3]}")
    return [by_line[line] - float(line) for line in written]


def interrupted(manager: KernelManager, client: Any) -> float:
    """Seconds from an interrupt to the end of the cell while the device writes."""
    request = client.execute("Write-Time -PauseMs 5")
    while client.get_iopub_msg(timeout=_PATIENCE_S)["msg_type"] not in ("stream", "display_data"):
        pass
    begin = time.perf_counter()
    manager.interrupt_kernel()
    arrivals(client, request)
    return time.perf_counter() - begin


def main() -> int:
    """Measure and print; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=40)
    parser.add_argument("--pause-ms", type=int, default=100)
    parser.add_argument("--interrupts", type=int, default=5)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name, LocalSandbox(Path(name) / "sandbox", devices=1, speed=1000) as sandbox:
        teach(sandbox)
        manager = start_kernel(Path(name), sandbox)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=_PATIENCE_S)
            arrivals(client, client.execute(f"%connect {sandbox.devices[0].name}"))
            delays(client, 3, options.pause_ms)
            measured = sorted(delays(client, options.lines, options.pause_ms))
            ends = [interrupted(manager, client) for _ in range(options.interrupts)]
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    ninth = measured[int(len(measured) * 0.9) - 1]
    middle, middle_end = statistics.median(measured) * 1000, statistics.median(ends) * 1000
    print(f"line in the cell after  {middle:6.0f} ms (median), {ninth * 1000:.0f} ms (nine of ten); bar 250")
    print(f"interrupt takes         {middle_end:6.0f} ms (median), {max(ends) * 1000:.0f} ms (longest); bar 2000")
    return 0 if ninth <= LINE_BAR_S and max(ends) <= INTERRUPT_BAR_S else 1


if __name__ == "__main__":
    sys.exit(main())
