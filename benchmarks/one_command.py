"""One command through our session against bare pypsrp: both sides in one run, in turn, on one simulated device.

Prints the median of each side, the ratio of the medians with its spread over rounds, and the number of
HTTP calls. The bar is a ratio of at most 1.10 and the same number of calls.

    python benchmarks/one_command.py [--rounds 30] [--commands 20]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan, _TransportHTTP

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.remoting import Device, Session
from akslite_ps.sandbox import LocalSandbox

COMMAND = "Get-AksLiteFacts"


class _CallCounter:
    """Counts the HTTP requests that leave through pypsrp's transport."""

    def __init__(self) -> None:
        self.calls = 0
        self._send = _TransportHTTP._send_request

    def __enter__(self) -> _CallCounter:
        counter = self

        def send(transport: _TransportHTTP, *args: object, **kwargs: object) -> bytes:
            counter.calls += 1
            return counter._send(transport, *args, **kwargs)  # type: ignore[arg-type]

        _TransportHTTP._send_request = send  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *exc: object) -> None:
        _TransportHTTP._send_request = self._send  # type: ignore[method-assign]


def bare_pool(device: Device) -> RunspacePool:
    """A runspace pool opened with pypsrp alone."""
    endpoint = device.endpoint
    assert endpoint.password is not None
    connection = WSMan(
        endpoint.host,
        port=endpoint.port,
        ssl=False,
        auth=endpoint.auth,
        username=endpoint.username,
        password=endpoint.password.resolve(),
        no_proxy=True,
    )
    pool = RunspacePool(connection)
    pool.open()
    return pool


def bare_command(pool: RunspacePool) -> None:
    """One command with pypsrp alone, released as it must be on a real host."""
    shell = PowerShell(pool).add_cmdlet(COMMAND)
    output = shell.invoke()
    assert len(output) == 1
    shell.close()


def measure(run: Callable[[], object], commands: int) -> float:
    """Seconds per command."""
    start = time.perf_counter()
    for _ in range(commands):
        run()
    return (time.perf_counter() - start) / commands


def main() -> int:
    """Run the comparison and print it; exit code 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--commands", type=int, default=20)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, LocalSandbox(Path(folder), devices=1, speed=1000) as sandbox:
        device = as_inventory_device(sandbox.devices[0])
        pool = bare_pool(device)
        with Session.open(device) as session:

            def ours() -> None:
                assert len(session.invoke(COMMAND).output) == 1

            def bare() -> None:
                bare_command(pool)

            calls = []
            for run in (bare, ours):
                run()
                with _CallCounter() as counter:
                    run()
                calls.append(counter.calls)
            pairs = []
            for number in range(options.rounds):
                first, second = (bare, ours) if number % 2 else (ours, bare)
                a, b = measure(first, options.commands), measure(second, options.commands)
                pairs.append((a, b) if number % 2 else (b, a))
        pool.close()
    bare_s, ours_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(o / b for b, o in pairs)
    ratio = statistics.median(ratios)
    print(f"bare pypsrp   {bare_s * 1000:7.2f} ms per command   {calls[0]} HTTP calls")
    print(f"our session   {ours_s * 1000:7.2f} ms per command   {calls[1]} HTTP calls")
    print(f"ratio         {ratio:.3f} (median of {options.rounds} paired rounds; {ratios[0]:.3f} to {ratios[-1]:.3f}); bar 1.10")
    return 0 if ratio <= 1.10 and calls[1] <= calls[0] else 1


if __name__ == "__main__":
    sys.exit(main())
