"""Plans, runs and clusters as tables in a terminal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from akslite_ps.cli.output import facts, say, table
from akslite_ps.home import journal_file

if TYPE_CHECKING:
    from akslite_ps.cluster import ClusterHealth
    from akslite_ps.operations import DeviceStatus
    from akslite_ps.operations.plan import Plan, Run, Step


def plan(the_plan: Plan, *, all_findings: bool = True) -> None:
    """The plan as tables: the findings, or only those that ask for attention, then the steps."""
    shown = [f for f in the_plan.findings if all_findings or f.severity in ("warning", "error")]
    title: str | None = f"{the_plan.operation} {the_plan.device}"
    if shown:
        table(
            ("CHECK", "RESULT", "READ", "NEEDED", "WHAT TO DO"),
            ((f.title, f.severity, f.read, f.needed, f.action if f.severity != "ok" else "") for f in shown),
            title=title,
        )
        title = None
    if passed := len(the_plan.findings) - len(shown):
        checks = "1 further check" if passed == 1 else f"{passed} further checks"
        say(f"{checks} passed; --what-if shows {'it' if passed == 1 else 'them'}", style="dim")
    if the_plan.steps:
        say("")
        table(
            ("#", "STEP", "WHAT", "CHANGES", "NOTE", "USUALLY"),
            (
                (number, step.id, step.title, step.change if step.needed else "nothing: already so", _note(step), _duration(step))
                for number, step in enumerate(the_plan.steps, start=1)
            ),
            title=title,
        )
    for note in the_plan.notes:
        say(f"note: {note}")
    say(f"plan {the_plan.hash[:12]}: " + ("blocked by the errors above" if the_plan.blocked else _summary(the_plan)))


def _note(step: Step) -> str:
    if not step.needed:
        return ""
    words = ["restarts the device"] if step.reboots else (["disturbs the device"] if step.disturbs else [])
    return ", ".join([*words, *(["forces a redeploy"] if step.forces_redeploy else [])])


def _duration(step: Step) -> str:
    if not step.needed or not step.typical_s:
        return ""
    return f"{step.typical_s} s" if step.typical_s < 90 else f"{round(step.typical_s / 60)} min"


def _summary(the_plan: Plan) -> str:
    if not the_plan.has_changes:
        return "the device is as wanted; the checks only read"
    needed = [step for step in the_plan.steps if step.needed]
    to_do = f"{len(needed)} of {len(the_plan.steps)} steps to do"
    if not all(step.typical_s for step in needed):
        return f"{to_do}; how long they take on a real device is not known"
    minutes = max(1, round(sum(step.typical_s or 0 for step in needed) / 60))
    return f"{to_do}, usually about {minutes} minute{'s' if minutes > 1 else ''} on a real device"


def run(done: Run) -> None:
    """What a run did: a line per step, what the cluster looks like, where the record lies, how to go on."""
    titles = {step.id: step.title for step in done.plan.steps}
    table(
        ("STEP", "WHAT", "OUTCOME", "DETAIL"),
        ((r.step_id, titles.get(r.step_id, ""), r.outcome.value, r.detail) for r in done.results),
    )
    for result in done.results:
        if result.error and (action := result.error.get("next_action")):
            say(f"{result.step_id}: {result.error.get('cause') or result.error.get('message')}\n  next: {action}", style="yellow")
    say(f"run {done.run_id} on {done.plan.device}: {done.outcome.value}; journal {journal_file()}")
    if not done.finished:
        say(how_to_go_on(done), style="cyan")


def how_to_go_on(done: Run) -> str:
    """The next command for a run that is not finished.

    The same command again makes a new plan where the run has ended: an update whose second phase failed finds nothing staged then.
    """
    if done.ended:
        return f"when that is mended: akslite resume {done.run_id}"
    return f"to go on: akslite resume {done.run_id}   (or the same command again)"


def status(found: DeviceStatus) -> None:
    """What a device is right now."""
    facts(
        {
            "computer": found.computer_name,
            "state": found.state,
            "Windows": found.os,
            "started": found.boot_time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if found.boot_time else "",
            "restart due": ", ".join(found.pending_reboot),
            "product": f"{found.product} {found.product_version}" if found.product else "not installed",
            "node": f"{found.node_name}  {found.node_address}" if found.node_name else "",
        },
        title=found.device,
    )
    for problem in found.problems:
        say(problem, style="yellow")


def health(found: ClusterHealth) -> None:
    """Nodes and system pods as the Kubernetes API reports them, in kubectl's columns."""
    say("")
    table(
        ("NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "OS-IMAGE", "CONTAINER-RUNTIME"),
        (
            (n.name, n.status, ",".join(n.roles), _age(n.created), n.version, n.internal_ip, n.os_image, n.container_runtime)
            for n in found.nodes
        ),
    )
    say("")
    table(
        ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"),
        ((p.namespace, p.name, f"{p.ready}/{p.containers}", p.status, p.restarts, _age(p.created)) for p in found.pods),
    )
    if found.way == "device":
        say("read on the device: its Kubernetes API cannot be reached from here", style="dim")
    for finding in found.findings:
        if finding.severity in ("warning", "error"):
            say(f"{finding.title}: {finding.read}; {finding.action}", style="yellow")


def _age(created: dt.datetime | None) -> str:
    if created is None:
        return ""
    seconds = max(0, int((dt.datetime.now(dt.UTC) - created).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
