"""The yes of a person to one plan: the device's name typed in, or given as a parameter.

Used by runbooks before anything is changed. An approval is for the plan's hash, so a plan that was made again needs
a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w

from akslite_ps.errors import ConfirmationRequired, PreflightFailed
from akslite_ps.notebook import style
from akslite_ps.notebook.plan_view import PlanView
from akslite_ps.operations.plan import Plan

_LICENCE = "I have read Microsoft's licence terms of AKS Edge Essentials and accept them for this device"


def approve(plan: Plan, *, confirm: str) -> str:
    """Approve a plan without a person at the notebook.

    Args:
        plan: What is to be applied.
        confirm: The device's name, as a person would type it. Not needed where the plan changes nothing.

    Returns:
        The hash approved, for ``apply``.

    Raises:
        PreflightFailed: A finding forbids applying.
        ConfirmationRequired: The name was not given, or is another device's.
    """
    if plan.blocked:
        reasons = "; ".join(f"{f.title}: {f.read}, needed is {f.needed}" for f in plan.findings if f.severity == "error")
        actions = " ".join(f.action for f in plan.findings if f.severity == "error" and f.action)
        raise PreflightFailed(
            reasons,
            device=plan.device,
            attempted=plan.operation,
            next_action=actions or "mend what the plan's findings say, then plan again",
        )
    if plan.has_changes and confirm.strip().casefold() != plan.device.casefold():
        given = f"confirm={confirm!r} was given" if confirm.strip() else "nobody has confirmed it"
        raise ConfirmationRequired(
            f"{given}. {PlanView(plan).summary}",
            device=plan.device,
            attempted=f"apply the plan to {plan.operation}",
            next_action=f"read the plan, then give the parameter confirm={plan.device}",
        )
    return plan.hash


class Approval:
    """Asks for the device's name and offers the button that applies.

    Args:
        plan: What is to be applied; not blocked.
        on_approved: Called with the approved hash after the button was pressed.
        licence: True where the product's licence terms have to be accepted too.
    """

    def __init__(self, plan: Plan, on_approved: Callable[[str], None], *, licence: bool = False) -> None:
        self.plan = plan
        self._on_approved = on_approved
        question = f"To apply this plan, type the device's name: {plan.device}"
        self._licence = w.Checkbox(value=not licence, description=_LICENCE, indent=False, layout=w.Layout(width="auto"))
        self._licence.add_class("akslite-licence")
        self._name = w.Text(placeholder=plan.device, layout=w.Layout(width="250px"))
        self._name.add_class("akslite-confirm")
        self._button = w.Button(
            description="Apply", icon="play", button_style="danger", disabled=True, layout=w.Layout(width="140px")
        )
        self._button.add_class("akslite-apply")
        self._name.observe(lambda change: self._typed(), "value")
        self._licence.observe(lambda change: self._typed(), "value")
        self._button.on_click(lambda _: self._pressed())
        asked = [self._licence] if licence else []
        self.widget = w.VBox([*asked, w.HTML(style.frame(f"<p>{style.escape(question)}</p>")), w.HBox([self._name, self._button])])

    def disable(self) -> None:
        """The question is settled."""
        self._name.disabled = self._button.disabled = self._licence.disabled = True

    def _typed(self) -> None:
        named = self._name.value.strip().casefold() == self.plan.device.casefold()
        self._button.disabled = not (named and self._licence.value)

    def _pressed(self) -> None:
        approved = approve(self.plan, confirm=self._name.value)
        self.disable()
        self._on_approved(approved)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.widget._repr_mimebundle_(include=include, exclude=exclude)
