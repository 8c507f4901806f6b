"""A plan is read before it is approved, and approved by the device's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ipywidgets
import pytest

from akslite_ps.errors import ConfirmationRequired, PreflightFailed
from akslite_ps.notebook import Approval, PlanView, approve
from akslite_ps.operations.plan import Finding, Plan, Step

Make = Callable[..., Plan]
BLOCKING = Finding(check="memory", title="Free memory", severity="error", read="2048 MB", needed="4608 MB", action="close programs")


@pytest.fixture(autouse=True)
def close_widgets() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def test_the_plan_says_what_changes_what_is_disturbed_and_how_long(plan: Plan) -> None:
    text = PlanView(plan).text()
    assert text.startswith(
        "Plan to deploy on press-01\n3 steps of 4 to do; press-01 restarts; usually about 17 min on a real device."
    )
    assert "Hyper-V: Disabled -> Enabled" in text
    assert "restarts the device" in text
    assert "already so Install the product" in text
    assert "set a gateway" in text
    assert text.endswith(f"Plan {plan.hash[:12]}")


def test_html_folds_the_checks_that_are_as_needed(plan: Plan) -> None:
    html = PlanView(plan)._repr_mimebundle_()["text/html"]
    assert "<details><summary>1 check as needed</summary>" in html
    assert "set a gateway" in html.partition("<details>")[0]


def test_a_blocked_plan_says_so_first(make_plan: Make) -> None:
    view = PlanView(make_plan(findings=(BLOCKING,)))
    assert view.summary == "Cannot be applied: 1 finding must be mended first. Nothing has been changed."


def test_a_plan_without_changes_says_so(make_plan: Make) -> None:
    view = PlanView(make_plan(steps=(Step(id="verify", title="Verify"),)))
    assert view.summary == "press-01 is already as wanted: nothing would be changed."


def test_losing_a_deployment_is_said_in_plain_words(make_plan: Make) -> None:
    step = Step(id="again", title="Deploy anew", change="memory: 4096 -> 8192 MB", disturbs=True, forces_redeploy=True)
    assert "its data is lost" in PlanView(make_plan(steps=(step,))).summary


def test_the_name_of_the_device_approves_the_hash(plan: Plan) -> None:
    assert approve(plan, confirm=" Press-01 ") == plan.hash


@pytest.mark.parametrize("confirm", ["", "press-02", "yes"])
def test_anything_else_is_asked_for_with_what_would_happen(plan: Plan, confirm: str) -> None:
    with pytest.raises(ConfirmationRequired) as caught:
        approve(plan, confirm=confirm)
    assert "press-01 restarts" in str(caught.value)
    assert "confirm=press-01" in str(caught.value)


def test_a_plan_without_changes_needs_no_confirmation(make_plan: Make) -> None:
    plan = make_plan(steps=(Step(id="verify", title="Verify"),))
    assert approve(plan, confirm="") == plan.hash


def test_a_blocked_plan_cannot_be_approved(make_plan: Make) -> None:
    with pytest.raises(PreflightFailed, match="Free memory: 2048 MB, needed is 4608 MB") as caught:
        approve(make_plan(findings=(BLOCKING,)), confirm="press-01")
    assert caught.value.next_action == "close programs"


def test_the_button_waits_for_name_and_licence(plan: Plan) -> None:
    approved: list[str] = []
    approval = Approval(plan, approved.append, licence=True)
    assert approval._button.disabled
    approval._name.value = "press-01"
    assert approval._button.disabled
    approval._licence.value = True
    assert not approval._button.disabled
    approval._name.value = "press-02"
    assert approval._button.disabled
    approval._name.value = "PRESS-01"
    approval._button.click()
    assert approved == [plan.hash]
    assert approval._name.disabled
    assert approval._button.disabled


def test_no_licence_is_asked_for_where_none_is_needed(plan: Plan) -> None:
    approval = Approval(plan, lambda approved: None)
    approval._name.value = "press-01"
    assert not approval._button.disabled
