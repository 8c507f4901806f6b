"""A controller in a process of its own that kills itself at a moment it is told; run by the tests of durability.

One JSON document on standard input says what to do. Where the system can, one such process that has loaded everything
starts the others (``serve``): that saves the second that loading takes.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.cluster.health import NodeHealth, PodHealth
from akslite_ps.cluster.reading import ClusterReading
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import Controller, Limits, Plan, apply, resume
from akslite_ps.operations.controller import SystemClock
from akslite_ps.remoting import Session
from akslite_ps.remoting.endpoint import Device

LOADED = (AksEdge, DeploymentConfig, Session)


class Moments:
    """The journal's boundaries: the moment before every commit and the moment after it, named.

    A commit of records is named by the first and the last of them, since how many share one differs from run to run.

    Args:
        journal: The journal; its appending methods are replaced.
        die_at: The name of the moment at which this process kills itself; None: never.
        by_ctrl_c: Not killed there, but interrupted as by a person.
    """

    def __init__(self, journal: Journal, die_at: str | None, *, by_ctrl_c: bool = False) -> None:
        self.passed: list[str] = []
        self._die_at = die_at
        self._by_ctrl_c = by_ctrl_c
        self._counts: dict[str, int] = {}
        self._begin, self._append, self._append_records = journal.begin_run, journal.append, journal.append_records
        journal.begin_run, journal.append, journal.append_records = self.begin_run, self.append, self.append_records  # type: ignore[method-assign]

    def begin_run(self, **what: Any) -> str:
        self._moment("before", "run", "run-started")
        run_id = self._begin(**what)
        self._moment("after", "run", "run-started")
        return run_id

    def append(self, run_id: str, kind: RowKind | str, *, step_id: str | None = None, **what: Any) -> None:
        self._moment("before", step_id or "run", str(kind))
        self._append(run_id, kind, step_id=step_id, **what)
        self._moment("after", step_id or "run", str(kind))

    def append_records(self, run_id: str, step_id: str, attempt: int, records: Sequence[Mapping[str, Any]]) -> None:
        for number in range(len(records)):
            self._moment("before", step_id, "record", told=number == 0)
        self._append_records(run_id, step_id, attempt, records)
        for number in range(1, len(records) + 1):
            self._moment("after", step_id, "record", told=number == len(records))

    def _moment(self, when: str, step_id: str, kind: str, *, told: bool = True) -> None:
        name = f"{when} {step_id} {kind}"
        self._counts[name] = self._counts.get(name, 0) + 1
        name = f"{name} {self._counts[name]}"
        if told:
            self.passed.append(name)
        if name == self._die_at:
            if self._by_ctrl_c:
                raise KeyboardInterrupt
            die()


def die() -> None:
    """End at once, as the power button does; nothing is written, closed or told."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    time.sleep(60)


class FastClock(SystemClock):
    """As many times as fast as this machine's: a controller whose patience is over sooner."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def monotonic(self) -> float:
        return super().monotonic() * self._factor


class HealthyCluster(ClusterReading):
    """Stands in for the cluster, which is not what these tests are about."""

    server = "https://127.0.0.1:6443"

    def __init__(self, device: str) -> None:
        self.device = device

    def version(self) -> str:
        return "v1.33.5+k3s1"

    def nodes(self) -> list[NodeHealth]:
        return [NodeHealth(f"{self.device}-ledge", "Ready", ready=True)]

    def pods(self, namespace: str | None = None) -> list[PodHealth]:
        return [PodHealth("kube-system", "coredns", "Running", ready=1, containers=1)]

    def __enter__(self) -> HealthyCluster:
        return self

    def __exit__(self, *details: object) -> None:
        return None


def work(told: Mapping[str, Any]) -> list[str]:
    """Apply a plan, or go on with a run; returns the moments that passed."""
    device, journal = Device.model_validate(told["device"]), Journal.open(Path(told["journal"]))
    moments = Moments(journal, told.get("die_at"), by_ctrl_c=told.get("by_ctrl_c", False))
    limits = Limits(**told["limits"])
    controller = Controller(
        journal,
        limits=limits,
        clock=FastClock(told.get("faster", 1.0)),
        open_cluster=lambda device, _: HealthyCluster(device.name),  # type: ignore[arg-type,return-value]
    )
    with suppress(KeyboardInterrupt):
        if told.get("resume"):
            resume(device, journal=journal, run_id=told["resume"], controller=controller)
        else:
            plan = Plan.model_validate(told["plan"])
            apply(plan, device, approved_hash=plan.hash, journal=journal, controller=controller)
    journal.close()
    return moments.passed


def done(told: Mapping[str, Any]) -> None:
    """Work, and leave the moments in a file where that is wanted."""
    passed = work(told)
    if "passed" in told:
        Path(told["passed"]).write_text(json.dumps(passed), encoding="utf-8")


def serve() -> None:
    """Start a process for every line on standard input, one after the other; tell how each ended."""
    gc.freeze()  # what was loaded stays shared between the processes
    for line in sys.stdin:
        told = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                done(told)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        to_do = json.loads(sys.stdin.read())
        done(to_do)
