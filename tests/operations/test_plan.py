"""Plans and runs as data: the hash a person approves, and how outcomes combine."""

from __future__ import annotations

import datetime as dt

from akslite_ps.operations.plan import Finding, Plan, Run, Step, StepResult, plan_hash
from akslite_ps.outcome import Outcome

NOW = dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC)


def make_plan(**changes: object) -> Plan:
    values: dict[str, object] = {
        "operation": "deploy",
        "device": "press-01",
        "created": NOW,
        "config": {"SchemaVersion": "1.15", "Arc": {"ClientSecret": "env:ARC_SECRET"}},
        "findings": (Finding(check="memory", title="Memory", severity="ok", read="9 GB", needed="4 GB"),),
        "steps": (Step(id="a", title="A", change="x"), Step(id="b", title="B")),
    }
    return Plan.model_validate({**values, **changes})


def test_the_hash_covers_what_is_approved() -> None:
    plan = make_plan()
    assert plan.hash != make_plan(device="press-02").hash
    assert plan.hash != make_plan(computer="PRESS-01").hash
    assert make_plan(computer="LATHE-07").hash != make_plan(computer="PRESS-01").hash
    assert plan.hash != make_plan(config={"SchemaVersion": "1.16"}).hash
    assert plan.hash != make_plan(steps=(Step(id="a", title="A", change="y"),)).hash
    assert plan.hash != make_plan(notes=("read me",)).hash
    worse = Finding(check="memory", title="Memory", severity="error", read="1 GB", needed="4 GB")
    assert plan.hash != make_plan(findings=(worse,)).hash


def test_a_plan_of_an_earlier_version_keeps_its_hash() -> None:
    earlier = make_plan().model_dump(mode="json")
    del earlier["computer"]
    assert plan_hash(earlier) == Plan.model_validate(earlier).hash


def test_the_hash_leaves_out_what_changes_by_itself() -> None:
    plan = make_plan()
    other = Finding(check="memory", title="Memory", severity="ok", read="8.9 GB", needed="4 GB")
    assert plan.hash == make_plan(created=NOW + dt.timedelta(hours=1)).hash
    assert plan.hash == make_plan(findings=(other,)).hash
    assert plan.hash == make_plan(eula_accepted_by="kim@desk").hash
    assert plan.hash == Plan.model_validate_json(plan.model_dump_json()).hash


def test_a_plan_is_blocked_by_an_error_only() -> None:
    warning = Finding(check="os", title="OS", severity="warning", read="x", needed="y")
    assert not make_plan(findings=(warning,)).blocked
    assert make_plan(findings=(warning, warning.model_copy(update={"severity": "error"}))).blocked


def test_a_plan_has_changes_where_a_needed_step_changes_something() -> None:
    assert make_plan().has_changes
    assert not make_plan(steps=(Step(id="a", title="A", change="x", needed=False), Step(id="b", title="B"))).has_changes


def run_of(*outcomes: Outcome, interrupted: bool = False) -> Run:
    results = tuple(StepResult(step_id=id_, outcome=outcome) for id_, outcome in zip("ab", outcomes, strict=False))
    return Run(run_id="r", plan=make_plan(), results=results, started=NOW, interrupted=interrupted)


def test_a_run_is_as_good_as_its_worst_step() -> None:
    assert run_of().outcome is Outcome.OK
    assert run_of(Outcome.SKIPPED_CONDITION, Outcome.OK).outcome is Outcome.OK
    assert run_of(Outcome.CHANGED, Outcome.OK).outcome is Outcome.CHANGED
    assert run_of(Outcome.OK_REBOOT_SOFT, Outcome.CHANGED).outcome is Outcome.OK_REBOOT_SOFT
    assert run_of(Outcome.CHANGED, Outcome.UNREACHABLE).outcome is Outcome.UNREACHABLE
    assert run_of(Outcome.CHANGED, Outcome.UNKNOWN, interrupted=True).outcome is Outcome.CANCELLED


def test_a_run_is_finished_when_every_step_succeeded() -> None:
    assert run_of(Outcome.SKIPPED_CONDITION, Outcome.CHANGED).finished
    assert not run_of(Outcome.CHANGED).finished
    assert not run_of(Outcome.CHANGED, Outcome.FAILED).finished
