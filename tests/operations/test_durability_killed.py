"""A controller killed at any boundary of its journal: the next one goes on, and nothing is lost or sent twice.

The boundaries are those of a run that nobody disturbs: the moment before every commit of the journal, and the moment after it.
Every one is tried. Stories that share their beginning start from a copy of it: device and journal as a controller left them that
was killed before an earlier step.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.journal import Journal, Row, RowKind
from akslite_ps.operations import Plan, deploy, install, remove, update
from akslite_ps.operations.engine import CODE
from akslite_ps.operations.evidence import verify_runs
from akslite_ps.remoting import Session
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.commands import ops
from akslite_ps.sandbox.device import updates

CONTROLLER = Path(__file__).with_name("controller_process.py")
LIMITS = {"first_poll_s": 0.02, "longest_poll_s": 0.1, "back_within_s": 900, "tick_s": 0.5}
FASTER = 60.0
KILLED = -signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM
AT_ONCE = 6
DEVICES = 330
SPEED = 3000.0


# -- the operations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """What is done to a device: what it is like before, the plan, and how it must be afterwards.

    ``copied_before`` are steps before which stories may begin, where nothing in the plan names the device's node.
    """

    prepare: Callable[[Any, DeploymentConfig], None]
    plan: Callable[[Any, DeploymentConfig], Plan]
    as_desired: Callable[[Any], bool]
    copied_before: tuple[str, ...] = ()


def leave_bare(host: Any, config: DeploymentConfig) -> None:
    """Neither Windows features nor product: a deployment does everything."""


def install_and_deploy(host: Any, config: DeploymentConfig) -> None:
    host.install("1.10.868.0", "1.30.6")
    with Session.open(host.device) as session:
        assert AksEdge(session).new_deployment(config.to_json(eula_accepted=True)) == "OK"


def deploy_and_stage(host: Any, config: DeploymentConfig) -> None:
    install_and_deploy(host, config)

    async def stage() -> None:
        updates.stage(host.sandbox.device(host.name))

    host.sandbox.run(stage())


OPERATIONS = {
    "deployment": Operation(
        leave_bare,
        lambda host, config: deploy.plan(host.device, config, accept_eula=True),
        lambda host: host.state.deployment is not None and host.state.deployment.phase == "complete",
        copied_before=(install.MSI, install.HOST_CHECK, deploy.CREATE),
    ),
    "update": Operation(
        deploy_and_stage,
        lambda host, config: update.plan(host.device),
        lambda host: host.state.product.version == "1.11.230.0" and host.state.product_update is None,
    ),
    "remove": Operation(
        install_and_deploy,
        lambda host, config: remove.plan(host.device),
        lambda host: host.state.deployment is None,
    ),
}


# -- devices and controllers --------------------------------------------------------------------------------------


class Controllers:
    """Starts controllers, each in a process of its own."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None
        if hasattr(os, "fork"):
            self._server = self._start("serve")

    def run(self, told: Mapping[str, Any]) -> int:
        """Run one to its end, or to its death; returns how it ended, as :attr:`subprocess.Popen.returncode`."""
        line = json.dumps(told)
        if self._server is None:
            process = self._start()
            process.communicate(line, timeout=60)
            return process.returncode
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def close(self) -> None:
        if self._server is not None:
            self._server.communicate(timeout=30)

    @staticmethod
    def _start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(CONTROLLER), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


@dataclass
class Story:
    """What a run came to on its device: what was carried out there, and what the journal holds."""

    host: Any
    plan: Plan
    carried_out: Counter[str]
    before: Counter[str] = field(default_factory=Counter)
    """What had been carried out where the story begins with a copy."""
    exits: list[int] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    intact: bool = False
    outcome: str | None = None

    def output(self) -> dict[str, list[str]]:
        """What the device said in each step's last attempt, without what differs from run to run."""
        said: dict[str, list[str]] = {}
        last = {row.step_id: row.attempt for row in self.rows if row.kind is RowKind.INTENT}
        for row in self.rows:
            if row.kind is RowKind.RECORD and row.step_id and row.attempt == last[row.step_id] and row.data["stream"] != "progress":
                said.setdefault(row.step_id, []).append(plain(row.data, self.host.name))
        return said

    def record_numbers(self) -> dict[tuple[str, int], list[int]]:
        """The numbers of the records in each attempt, as the device counted them."""
        numbers: dict[tuple[str, int], list[int]] = {}
        for row in self.rows:
            if row.kind is RowKind.RECORD and row.step_id:
                numbers.setdefault((row.step_id, row.attempt), []).append(row.data["seq"])
        return numbers


def plain(data: Mapping[str, Any], name: str) -> str:
    text = str(data.get("message") or data.get("value"))
    return re.sub(r"\S*\d\S*", "#", text.replace(name, "DEVICE"))


@dataclass(frozen=True)
class Copy:
    """A device and its journal amid an operation, to begin stories with."""

    plan: Plan
    journal: Path
    state: Mapping[str, Any]
    carried_out: Counter[str]


@dataclass(frozen=True)
class Scene:
    """A story that has not begun, and what its controllers are told."""

    story: Story
    told: dict[str, Any]


class Bench:
    """Devices as many as are needed, in one sandbox, and controllers for them."""

    def __init__(self, folder: Path, sandbox: LocalSandbox, host_in: Callable[[LocalSandbox, int], Any]) -> None:
        self._folder, self._sandbox, self._host_in = folder, sandbox, host_in
        template = DeploymentConfig.template("SingleMachineCluster", "K3s").with_values({"Network.InternetDisabled": True})
        self._config = DeploymentConfig.parse({**template.as_data(), "SchemaVersion": "1.15"})
        self._numbers = itertools.count()
        self._free: queue.SimpleQueue[Controllers] = queue.SimpleQueue()
        for _ in range(AT_ONCE):
            self._free.put(Controllers())
        self._whole: dict[str, Story] = {}
        self._copies: dict[tuple[str, str], Copy] = {}

    def whole(self, name: str) -> Story:
        """The story that nobody disturbs."""
        if name not in self._whole:
            self._whole[name] = self.story(name)
            for step_id in OPERATIONS[name].copied_before:
                self._copies[name, step_id] = self._copy(name, step_id)
        return self._whole[name]

    def stories(self, name: str, deaths: Sequence[Sequence[str]], *, by_ctrl_c: bool = False) -> list[Story]:
        """A story for each of these moments of death, several at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda moments: self.story(name, *moments, by_ctrl_c=by_ctrl_c), deaths))

    def story(self, name: str, *deaths: str, by_ctrl_c: bool = False) -> Story:
        """Carry an operation out on a fresh device; where the controller died, another one goes on.

        Args:
            name: The operation.
            deaths: At which moment the first controller kills itself, the second, and so on.
            by_ctrl_c: They are interrupted there, not killed.
        """
        scene = self._scene(name, deaths[0] if deaths else None)
        story = scene.story
        controllers = self._free.get()
        try:
            passed = self._folder / f"{story.host.name}.json"
            told = scene.told | {"passed": str(passed), "by_ctrl_c": by_ctrl_c}
            for death in (*deaths, None):
                with Journal.open(Path(told["journal"])) as journal:
                    runs = journal.runs()
                if runs and runs[0].state == "ended":
                    break
                assert [run.state for run in runs] in ([], ["interrupted"])
                begun = {"resume": runs[0].run_id} if runs else {"plan": story.plan.model_dump(mode="json")}
                story.exits.append(controllers.run({**told, **begun, "die_at": death}))
        finally:
            self._free.put(controllers)
        if passed.exists():
            story.moments = json.loads(passed.read_text(encoding="utf-8"))
        with Journal.open(Path(told["journal"])) as journal:
            (run,) = journal.runs()
            story.outcome, story.rows = run.outcome, journal.rows(run.run_id)
            story.intact = verify_runs(journal).ok
        return story

    def _scene(self, name: str, death: str | None) -> Scene:
        """A fresh device where the story begins: at the beginning of the operation, or of a copy that serves."""
        host = self._host_in(self._sandbox, next(self._numbers))
        journal_file = self._folder / host.name / "journal.sqlite"
        told: dict[str, Any] = {"journal": str(journal_file), "limits": LIMITS, "faster": FASTER}
        copied = self._copy_for(name, death) if death else None
        if copied is None:
            OPERATIONS[name].prepare(host, self._config)
            plan = OPERATIONS[name].plan(host, self._config)
            if OPERATIONS[name].copied_before:
                plan = plan.model_copy(update={"computer": None})  # copies go on with it on other devices
            return Scene(Story(host, plan, count_cmdlets(host)), told | {"device": host.device.model_dump(mode="json")})
        host.update(**copied.state)
        shutil.copytree(copied.journal.parent, journal_file.parent)
        device = host.device.model_copy(update={"name": copied.plan.device})
        story = Story(host, copied.plan, count_cmdlets(host), before=copied.carried_out)
        return Scene(story, told | {"device": device.model_dump(mode="json")})

    def _copy(self, name: str, step_id: str) -> Copy:
        """What a controller leaves that is killed before a step; the whole story is known by then."""
        scene = self._scene(name, None)
        controllers = self._free.get()
        try:
            plan = scene.story.plan.model_dump(mode="json")
            assert controllers.run({**scene.told, "plan": plan, "die_at": f"before {step_id} intent 1"}) == KILLED
        finally:
            self._free.put(controllers)
        state = scene.story.host.state
        kept = {field: getattr(state, field) for field in type(state).model_fields if field != "boot_time"}
        return Copy(scene.story.plan, Path(scene.told["journal"]), kept, scene.story.carried_out.copy())

    def _copy_for(self, name: str, death: str) -> Copy | None:
        """The latest copy that was made before the step of this moment."""
        _, step_id, kind, _ = death.split()
        order = [step.id for step in self._whole[name].plan.steps]
        place = order.index(step_id) if step_id in order else (len(order) if kind == "run-ended" else -1)
        serving = [step for step in OPERATIONS[name].copied_before if order.index(step) <= place]
        return self._copies[name, serving[-1]] if serving else None

    def close(self) -> None:
        while not self._free.empty():
            self._free.get().close()


def count_cmdlets(host: Any) -> Counter[str]:
    """Count every cmdlet that the simulated device carries out from now on."""
    counted: Counter[str] = Counter()
    device = host.sandbox.device(host.name)
    carrying_out = device.carrying_out

    def count(cmdlet: str) -> Any:
        counted[cmdlet] += 1
        return carrying_out(cmdlet)

    device.carrying_out = count
    return counted


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, host_in: Callable[[LocalSandbox, int], Any]) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("killed")
    with (
        pytest.MonkeyPatch.context() as patched,
        LocalSandbox(folder / "sandbox", devices=DEVICES, speed=SPEED, wait_s=300) as sandbox,
    ):
        # a device that tells its progress less often has fewer boundaries, and all of them can be tried
        patched.setattr(ops, "_PROGRESS_STEPS", 3)
        opened = Bench(folder, sandbox, host_in)
        yield opened
        opened.close()


# -- the tests ----------------------------------------------------------------------------------------------------


KINDS = ("run-started", "approved", "intent", "sent", "record", "place", "result", "run-ended")


def moments_of(story: Story, kind: str) -> list[str]:
    """The moments before and after every commit of one kind."""
    return [moment for moment in story.moments if moment.split()[2] == kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_whoever_goes_on_after_a_kill_loses_nothing_and_sends_nothing_twice(name: str, kind: str, bench: Bench) -> None:
    whole = bench.whole(name)
    moments = moments_of(whole, kind)
    assert moments
    for moment, story in zip(moments, bench.stories(name, [[moment] for moment in moments]), strict=True):
        assert faults(story, whole, OPERATIONS[name]) == [], f"killed {moment}"
        # how records are put together to a commit differs from run to run, and with it how often the place is written
        assert story.exits[0] == KILLED or kind == "place", f"not killed {moment}"


def test_there_is_no_boundary_of_another_kind(bench: Bench) -> None:
    for name in OPERATIONS:
        assert {moment.split()[2] for moment in bench.whole(name).moments} == set(KINDS)


@pytest.mark.parametrize("name", ["update", "remove"])
def test_a_controller_that_goes_on_may_be_killed_as_well(name: str, bench: Bench) -> None:
    whole = bench.whole(name)
    steps = [row.step_id for row in whole.rows if row.kind is RowKind.SENT]
    deaths = [
        [f"after {step_id} sent 1", f"{when} run resumed 1", f"{when} {step_id} result 1"]
        for step_id in steps
        for when in ("before", "after")
    ]
    for moments, story in zip(deaths, bench.stories(name, deaths), strict=True):
        assert faults(story, whole, OPERATIONS[name]) == [], f"killed {moments}"
        assert story.exits[:3] == [KILLED] * 3, f"not killed {moments}: {story.exits}"


def faults(story: Story, whole: Story, operation: Operation) -> list[str]:
    """What is not as in the run that nobody disturbed. Only what is safe to repeat may have been sent once more."""
    found = []
    if any(code not in (0, KILLED) for code in story.exits) or (story.exits[-1] and story.outcome is None):
        found.append(f"a controller failed: {story.exits}")
    if not operation.as_desired(story.host):
        found.append("the device is not as desired")
    if story.outcome != whole.outcome:
        found.append(f"the run ended {story.outcome}, not {whole.outcome}")
    if not story.intact:
        found.append("the journal is not intact")
    acting = {row.step_id: row.data["command"] for row in whole.rows if row.kind is RowKind.INTENT and row.step_id}
    for step_id, command in acting.items():
        times, least = story.carried_out[command], whole.carried_out[command] - story.before[command]
        if not min(least, 1) <= times <= least + CODE[step_id].repeatable * (least > 0):
            found.append(f"{command} was carried out {times} times, not {least}")
    found += [
        f"{step}: {said} instead of {whole.output()[step]}" for step, said in story.output().items() if said != whole.output()[step]
    ]
    # what a command said that restarts the device goes with the device's memory, where nobody fetched it in time
    kept = {step.id for step in story.plan.steps if not step.reboots}
    found += [f"{step} is missing" for step in (whole.output().keys() - story.output().keys()) & kept]
    found += [f"{step}: records {numbers}" for step, numbers in story.record_numbers().items() if numbers != sorted(set(numbers))]
    return found


def test_ctrl_c_at_any_boundary_leaves_a_run_that_goes_on(bench: Bench) -> None:
    whole = bench.whole("remove")
    stories = bench.stories("remove", [[moment] for moment in whole.moments], by_ctrl_c=True)
    for moment, story in zip(whole.moments, stories, strict=True):
        assert faults(story, whole, OPERATIONS["remove"]) == [], f"interrupted {moment}"
        assert len(story.exits) == 2 or moment.split()[2] in ("place", "run-ended"), f"not interrupted {moment}"


WHOLE_OUTPUT = [
    "Checking host for required features",
    "All required host features are installed",
    "Validating AksEdge network parameters...",
    "*** 0 errors found in the deployment configuration.",
    "AksEdge - deploying a new Linux single machine k3s cluster",
    "Step 1: Preparing host for AKS Edge Essentials - K3s",
    "Enabling Microsoft Update. ...",
    "Associating wssdagent service with nodectl",
    "Creating vnet (name: aksedgesw-int)",
    "Creating single machine cluster hcs network",
    "AksEdge - private network carved:",
    " - 192.168.0.0/24",
    "Checking for virtual switch with name 'aksedgesw-int'",
    "Deploying AKS Edge Essentials - K3s",
    "Testing SSH connection",
    "Initializing kubernetes runtime in Linux node",
    "Waiting for Kubernetes node (press-01-ledge) to reach condition Ready, timeout = 300 seconds",
]


def test_the_output_to_compare_with_is_all_that_the_device_says(bench: Bench) -> None:
    story = bench.whole("deployment")
    records = [row.data for row in story.rows if row.kind is RowKind.RECORD and row.step_id == deploy.CREATE]
    lines = [data["message"].replace(story.host.name, "press-01") for data in records if data["stream"] == "information"]
    assert [line.partition("] ")[2] or line for line in lines] == WHOLE_OUTPUT


def test_every_operation_changes_its_device_with_cmdlets_that_are_counted(bench: Bench) -> None:
    counted = {name: bench.whole(name).carried_out for name in OPERATIONS}
    assert counted["deployment"]["New-AksEdgeDeployment"] == 1
    assert counted["update"]["Start-AksEdgeUpdate"] == counted["update"]["Start-AksEdgeControlPlaneUpdate"] == 1
    assert counted["remove"]["Remove-AksEdgeDeployment"] == 1
    assert all(bench.whole(name).exits == [0] for name in OPERATIONS)
