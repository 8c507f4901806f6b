"""The journal against a bare SQLite loop: both in one run, in turn, on the same disk, with the same durability.

A step is four rows: intent, sent, result, each on the disk before it goes on, and one record of output. 40 devices at once work
through 2,000 steps in all. The bare side writes the same text with one connection and commits every row, as a loop without
group commit does; WAL and synchronous FULL on both sides. Prints seconds, rows per second and the ratio; the bar is a ratio of
at most 1.5, redaction, hash chain and waiting threads included. The longer a disk takes for a commit, the smaller the ratio:
on one that answers at once, as those of many virtual machines do, there is nothing for a group to share.

    python benchmarks/journal.py [--steps 2000] [--devices 40] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from akslite_ps.journal import Journal, RowKind

INTENT: dict[str, Any] = {"command": "Get-AksLiteFacts", "parameters": ["Name"], "shell_id": "0" * 36}
SENT: dict[str, Any] = {**INTENT, "command_id": "1" * 36, "reference": "r" * 300}
RECORD: dict[str, Any] = {"stream": "information", "message": "[09:00:00] Checking host for required features", "seq": 1}
RESULT: dict[str, Any] = {"step_id": "bench.step", "outcome": "changed", "detail": "as wanted", "evidence": {"version": "1.0"}}
ROWS_OF_A_STEP = 4


def journaled(folder: Path, steps: int, devices: int) -> float:
    """Seconds for all steps through the journal, each device in a thread of its own."""
    with Journal.open(folder / "journal.sqlite") as journal:
        runs = [
            journal.begin_run(operation="bench", device=f"d-{number}", plan={"findings": []}, plan_hash="0" * 64)
            for number in range(devices)
        ]

        def work(run_id: str) -> None:
            for number in range(steps // devices):
                step_id = f"bench.{number}"
                journal.append(run_id, RowKind.INTENT, step_id=step_id, attempt=1, data=INTENT)
                journal.append(run_id, RowKind.SENT, step_id=step_id, attempt=1, data=SENT)
                journal.append(run_id, RowKind.RECORD, step_id=step_id, attempt=1, data=RECORD)
                journal.append(run_id, RowKind.RESULT, step_id=step_id, attempt=1, data=RESULT)

        start = time.perf_counter()
        with ThreadPoolExecutor(devices) as pool:
            list(pool.map(work, runs))
        journal.flush()
        elapsed = time.perf_counter() - start
        report = journal.verify()
        assert report.ok
        assert report.rows == devices + ROWS_OF_A_STEP * (steps // devices) * devices
    return elapsed


def bare(folder: Path, steps: int) -> float:
    """Seconds for the same rows with nothing but SQLite, one commit a row."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, step_id TEXT, kind TEXT, time REAL, data TEXT)")
    start = time.perf_counter()
    for number in range(steps):
        for kind, data in (("intent", INTENT), ("sent", SENT), ("record", RECORD), ("result", RESULT)):
            values = (f"bench.{number}", kind, time.time(), json.dumps(data))
            connection.execute("INSERT INTO rows (step_id, kind, time, data) VALUES (?, ?, ?, ?)", values)
    elapsed = time.perf_counter() - start
    connection.close()
    return elapsed


def main() -> int:
    """Run the comparison and print it; exit code 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files lie, for another disk than that of temporary files")
    options = parser.parse_args()
    steps = options.steps // options.devices * options.devices

    pairs = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            if number % 2:
                ours_s = journaled(folder, steps, options.devices)
                bare_s = bare(folder, steps)
            else:
                bare_s = bare(folder, steps)
                ours_s = journaled(folder, steps, options.devices)
        pairs.append((bare_s, ours_s))
    bare_s, ours_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(ours / plain for plain, ours in pairs)
    rows = ROWS_OF_A_STEP * steps
    print(f"{steps} steps, {rows} rows; {options.devices} devices at once")
    print(f"bare SQLite loop  {bare_s:7.2f} s  {rows / bare_s:8.0f} rows/s  one commit a row")
    print(f"our journal       {ours_s:7.2f} s  {rows / ours_s:8.0f} rows/s  group commit, hash chain, redaction")
    ratio = statistics.median(ratios)
    print(f"ratio             {ratio:.3f} (median of {options.rounds}; {ratios[0]:.3f} to {ratios[-1]:.3f}); bar 1.5")
    return 0 if ratio <= 1.5 else 1


if __name__ == "__main__":
    sys.exit(main())
