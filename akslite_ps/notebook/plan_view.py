"""A plan as a person reads it before saying yes: findings, what changes, what is disturbed, how long it takes.

Displayed by runbooks, headless and in JupyterLab alike. Shows one frozen plan; applies nothing.
"""

from __future__ import annotations

from typing import Any

from akslite_ps.notebook import style
from akslite_ps.notebook.tables import Column, Table, duration, findings_table
from akslite_ps.operations.plan import Plan, Step

HASH_SHOWN = 12


class PlanView:
    """The plan for display; the last expression of a cell, or given to ``display``."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        wrong = [finding for finding in plan.findings if finding.severity != "ok"]
        self._wrong = findings_table(wrong, title="Findings")
        fine = [finding for finding in plan.findings if finding.severity == "ok"]
        self._fine = findings_table(fine)
        self._steps = _steps_table(plan)

    @property
    def summary(self) -> str:
        """What applying means, in a sentence or two."""
        plan = self.plan
        if plan.blocked:
            count = sum(finding.severity == "error" for finding in plan.findings)
            return f"Cannot be applied: {_count(count, 'finding')} must be mended first. Nothing has been changed."
        todo = [step for step in plan.steps if step.needed]
        if not plan.has_changes:
            return f"{plan.device} is already as wanted: nothing would be changed."
        typical = sum(step.typical_s or 0 for step in todo)
        parts = [f"{_count(len(todo), 'step')} of {len(plan.steps)} to do"]
        if any(step.reboots for step in todo):
            parts.append(f"{plan.device} restarts")
        if any(step.forces_redeploy for step in todo):
            parts.append("the deployment is removed and made again, its data is lost")
        if typical:
            parts.append(f"usually about {duration(typical)} on a real device")
        return "; ".join(parts) + "."

    def text(self) -> str:
        """The plan as plain text."""
        parts = [f"Plan to {self.plan.operation} on {self.plan.device}", self.summary, *self.plan.notes, "", self._steps.text(), ""]
        if self._wrong.rows:
            parts += [self._wrong.text(), ""]
        if self._fine.rows:
            parts += [f"{_count(len(self._fine), 'check')} as needed", self._fine.without_title().text(), ""]
        return "\n".join([*parts, f"Plan {self.plan.hash[:HASH_SHOWN]}"])

    def inner_html(self) -> str:
        """The plan as HTML without the style."""
        plan = self.plan
        tone: style.Tone = "bad" if plan.blocked else "busy" if plan.has_changes else "good"
        parts = [f"<h4>Plan to {style.escape(plan.operation)} on {style.escape(plan.device)}</h4>", style.note(self.summary, tone)]
        if plan.notes:
            parts.append(style.note("\n".join(plan.notes), "warn"))
        if self._wrong.rows:
            parts.append(self._wrong.inner_html())
        parts.append(self._steps.inner_html())
        if self._fine.rows:
            title = f"{_count(len(self._fine), 'check')} as needed"
            parts.append(f"<details><summary>{title}</summary>{self._fine.without_title().inner_html()}</details>")
        parts.append(f'<p class="akslite-soft">Plan {plan.hash[:HASH_SHOWN]}</p>')
        return "".join(parts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": style.block(self.inner_html())}


def _steps_table(plan: Plan) -> Table:
    rows = []
    for number, step in enumerate(plan.steps, start=1):
        typical = duration(step.typical_s) if step.typical_s is not None and step.needed else ""
        rows.append(
            (
                number,
                "to do" if step.needed else "already so",
                step.title,
                step.change if step.needed else "",
                _effect(step),
                typical,
            )
        )
    return Table(
        (
            Column("Step", right=True),
            Column("State", state=True, tight=True),
            "What",
            "Changes",
            "Disturbs",
            Column("Usually", right=True, tight=True),
        ),
        rows,
        title="Steps",
        empty="the plan has no steps",
    )


def _effect(step: Step) -> str:
    if not step.needed:
        return ""
    if step.forces_redeploy:
        return "removes the deployment"
    return "restarts the device" if step.reboots else "yes" if step.disturbs else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
