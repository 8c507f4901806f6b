"""Progress: from the device's own lines to stage, fraction and time left; never backwards, never done too early."""

from __future__ import annotations

import pytest

from akslite_ps.operations.stages import DEPLOYMENT, OverallTracker, StageTracker

TRANSCRIPT = [
    " - Checking host for required features",
    " - All required host features are installed",
    "Validating AksEdge network parameters...",
    "*** 0 errors found in the deployment configuration.",
    "AksEdge - deploying a new Linux single machine k3s cluster",
    "Step 1: Preparing host for AKS Edge Essentials - K3s",
    "Enabling Microsoft Update. This may take a few minutes.",
    "Associating wssdagent service with nodectl",
    "Creating vnet (name: aksedgesw-int)",
    "Creating single machine cluster hcs network",
    "AksEdge - private network carved:",
    "Checking for virtual switch with name 'aksedgesw-int'",
    "Deploying AKS Edge Essentials - K3s",
    "Testing SSH connection...",
    "Preparing to install kms-plugin as encryption provider...",
    "Initializing kubernetes runtime in Linux node",
    "Waiting for Kubernetes node (press-01-ledge) to reach condition Ready, timeout = 900 seconds",
]


def test_every_known_line_is_a_stage_of_its_own() -> None:
    tracker = StageTracker("Create", DEPLOYMENT, typical_s=750)
    titles = []
    for number, line in enumerate(TRANSCRIPT):
        assert tracker.line(line, elapsed_s=number * 40.0), line
        titles.append(tracker.standing(number * 40.0).stage)
    assert len(set(titles)) == len(TRANSCRIPT)
    assert titles[-1] == "Waiting for the node to be Ready"


def test_the_fraction_never_goes_back_and_never_reaches_the_next_stage_by_time_alone() -> None:
    tracker = StageTracker("Create", DEPLOYMENT, typical_s=750)
    last = 0.0
    for second in range(3000):
        if second % 60 == 0 and second // 60 < len(TRANSCRIPT):
            tracker.line(TRANSCRIPT[second // 60], second)
        fraction = tracker.standing(second).fraction
        assert fraction is not None
        assert last <= fraction < 1.0
        last = fraction


def test_a_line_of_an_earlier_stage_renames_but_does_not_set_back() -> None:
    tracker = StageTracker("Create", DEPLOYMENT, typical_s=750)
    tracker.line("Initializing kubernetes runtime in Linux node", 400)
    before = tracker.standing(400).fraction
    tracker.line("Creating vnet (name: x)", 401)
    standing = tracker.standing(401)
    assert standing.stage == "Creating the virtual network"
    assert before is not None
    assert standing.fraction is not None
    assert standing.fraction >= before


def test_unknown_lines_say_nothing() -> None:
    tracker = StageTracker("Create", DEPLOYMENT)
    assert not tracker.line("Some other text", 3)
    assert tracker.standing(3).stage == "Create"


def test_time_left_follows_the_pace_of_this_device() -> None:
    usual = StageTracker("Create", DEPLOYMENT, typical_s=750)
    assert usual.standing(0).seconds_left == 750
    fast = StageTracker("Create", DEPLOYMENT, typical_s=750)
    fast.line("Initializing kubernetes runtime in Linux node", 6.0)
    assert fast.standing(6.0).seconds_left == 4
    slow = StageTracker("Create", DEPLOYMENT, typical_s=750)
    slow.line("Initializing kubernetes runtime in Linux node", 1200.0)
    left = slow.standing(1200.0).seconds_left
    assert left is not None
    assert left > 700


def test_progress_records_move_a_step_without_stages() -> None:
    tracker = StageTracker("Install", typical_s=None)
    assert tracker.standing(1).fraction is None
    tracker.percent(40, "Downloading", 10)
    standing = tracker.standing(10)
    assert (standing.stage, standing.fraction) == ("Downloading", 0.4)
    tracker.percent(None, "", 11)
    tracker.percent(10, "Installing", 12)
    assert tracker.standing(12).stage == "Installing"
    assert (tracker.standing(12).fraction or 0) >= 0.4


@pytest.mark.parametrize("fraction", [None, 0.0, 0.5, 1.0])
def test_the_whole_weighs_steps_by_their_usual_duration(fraction: float | None) -> None:
    overall = OverallTracker({"a": 100.0, "b": 300.0, "c": None})
    assert overall.overall("a", fraction) == pytest.approx(100 * (fraction or 0) / 415)
    overall.step_done("a")
    assert overall.overall("b", 0.5) == pytest.approx(250 / 415)
    overall.step_done("b")
    overall.step_done("c")
    assert overall.overall("c", None) == 1.0
    assert OverallTracker({}).overall("x", 0.2) == 1.0
