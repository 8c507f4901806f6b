"""Tables: plain text in Format-Table style, HTML that is escaped and tells states by word and dot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from akslite_ps.cluster import ClusterFinding, NodeHealth, PodHealth
from akslite_ps.notebook import Column, Table, facts_table, findings_table, nodes_table, pods_table, run_table
from akslite_ps.notebook.tables import duration
from akslite_ps.operations.plan import Plan, Run, StepResult
from akslite_ps.outcome import Outcome
from akslite_ps.secrets import REDACTOR

NOW = dt.datetime(2026, 5, 4, 3, 0, tzinfo=dt.UTC)


def test_plain_text_is_aligned_with_dashes_as_long_as_the_headings() -> None:
    table = Table(["Name", Column("Cores", right=True)], [("press-01", 8), ("saw", 16)], title="Devices", note="Two devices.")
    assert table.text() == "Devices\n\nName     Cores\n----     -----\npress-01     8\nsaw         16\n\nTwo devices."


def test_what_a_cell_shows_is_the_same_text_and_html() -> None:
    bundle = Table(["A"], [("1",)])._repr_mimebundle_()
    assert bundle["text/plain"] == "A\n-\n1"
    assert '<table class="akslite-table">' in bundle["text/html"]


def test_html_is_escaped() -> None:
    html = Table(["<b>"], [("<script>alert(1)</script>",)], title="a & b").html()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a &amp; b" in html


def test_line_breaks_in_a_cell_do_not_break_the_plain_table() -> None:
    assert Table(["A", "B"], [("one\ntwo", "x")]).text().splitlines()[-1] == "one two x"


def test_a_state_keeps_its_word_beside_the_dot() -> None:
    html = Table([Column("State", state=True)], [("Ready",), ("NotReady",), ("Ready,SchedulingDisabled",), ("odd",)]).inner_html()
    assert '<span class="akslite-dot akslite-good">Ready</span>' in html
    assert '<span class="akslite-dot akslite-bad">NotReady</span>' in html
    assert '<span class="akslite-dot akslite-warn">Ready,SchedulingDisabled</span>' in html
    assert '<td class="akslite-tight">odd</td>' not in html
    assert ">odd</td>" in html


def test_no_rows_is_said_in_words() -> None:
    assert nodes_table([]).text() == "Nodes\nthe cluster has no nodes"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells"):
        Table(["A", "B"], [("1",)])


def test_secrets_are_redacted() -> None:
    REDACTOR.add("canary-5f1c")
    table = Table(["A"], [("the canary-5f1c sings",)], title="canary-5f1c")
    assert "canary-5f1c" not in table.html()
    assert "the <redacted> sings" in table.text()


def test_nodes_show_a_message_only_where_there_is_one() -> None:
    well = NodeHealth(
        "edge", "Ready", True, ("control-plane", "master"), "v1.33.5+k3s1", "192.168.0.2", "Azure Linux", "6.6", "containerd://2"
    )
    ill = NodeHealth("edge-2", "NotReady", False, message="the kubelet has not reported yet")
    assert "Message" not in nodes_table([well]).text()
    assert "control-plane, master" in nodes_table([well]).text()
    assert "the kubelet has not reported yet" in nodes_table([well, ill]).text()


def test_pods_show_ready_as_kubectl_does() -> None:
    assert "1/2" in pods_table([PodHealth("kube-system", "coredns", "Running", 1, 2)]).text()


def test_findings_put_first_what_is_to_be_mended() -> None:
    findings = [
        ClusterFinding("a", "API server", "ok", "answers", "an answer"),
        ClusterFinding("b", "Nodes", "error", "0 of 1", "all", "wait"),
        ClusterFinding("c", "Pressure", "warning", "disk", "none", "free disk"),
    ]
    lines = findings_table(findings).text().splitlines()
    assert [line.split()[0] for line in lines[4:]] == ["error", "warning", "ok"]
    assert "What to do" not in findings_table(findings[:1]).text()


def test_a_run_says_which_steps_it_did_not_reach(make_plan: Callable[..., Plan]) -> None:
    results = (
        StepResult(step_id="read", outcome=Outcome.OK, started=NOW, ended=NOW + dt.timedelta(seconds=4)),
        StepResult(step_id="features", outcome=Outcome.FAILED, detail="Hyper-V cannot be enabled"),
    )
    text = run_table(Run(run_id="r-1", plan=make_plan(), results=results, started=NOW)).text()
    assert "4 s" in text
    assert "Hyper-V cannot be enabled" in text
    assert text.count("not run") == 2
    assert text.endswith("Run r-1 on press-01: not finished.")


def test_facts_leave_out_what_is_unknown() -> None:
    text = facts_table(
        {"Name": "press-01", "User": None, "Elevated": True, "Addresses": ["10.0.0.1", "10.0.0.2"], "Labels": ""}
    ).text()
    assert "User" not in text
    assert "Labels" not in text
    assert "10.0.0.1, 10.0.0.2" in text
    assert "yes" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (89, "89 s"), (100, "2 min"), (720, "12 min"), (3900, "65 min"), (7500, "2 h 05 min")]
)
def test_durations_read_like_speech(seconds: float, text: str) -> None:
    assert duration(seconds) == text
