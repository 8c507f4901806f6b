"""Whether a session's role allows what a plan changes, asked before the first change.

A role may allow the first steps of a plan and refuse a later one: pods would be moved away from a node that may not be removed.
Called by ``operations.engine``, once per passage over a plan's steps. Only restricted (JEA) endpoints are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.aksedge.calls import with_role
from akslite_ps.aksedge.catalog import load_catalog
from akslite_ps.aksedge.ops import visible_commands
from akslite_ps.aksedge.roles import endpoint_for
from akslite_ps.errors import NotPermitted
from akslite_ps.operations.plan import Plan

if TYPE_CHECKING:
    from akslite_ps.remoting import Session

_LIMIT_S = 60.0
_IN_EVERY_ROLE = "Test-AksEdgeDeployment"
"""Visible to every role where the product is installed; where it is not, its other commands may come with the installation."""


def require_permission(session: Session, plan: Plan) -> None:
    """Make sure that the role allows every command with which the plan changes something.

    Args:
        session: An open session.
        plan: The plan.

    Raises:
        NotPermitted: One is refused; says which endpoint would allow it.
        RemotingError: The device cannot be asked.
    """
    commands = dict.fromkeys(step.command for step in plan.steps if step.needed and step.change and step.command)
    if not commands or session.language != "none":
        return
    visible = visible_commands(session, [*commands, _IN_EVERY_ROLE], _LIMIT_S)
    if visible is None:  # the role hides Get-Command; each command is refused when it is sent
        return
    product, installed = load_catalog(), _IN_EVERY_ROLE.casefold() in visible
    refused = [command for command in commands if command.casefold() not in visible and (installed or product.get(command) is None)]
    if not refused:
        return
    # Who gets the role for the lesser command would be refused the other one next.
    command = next((command for command in refused if endpoint_for(command) is None), refused[0])
    raise with_role(
        NotPermitted(
            f"this session's role does not allow {command}, which the plan needs; nothing was changed",
            device=session.device.name,
            attempted=f"run {command}",
        ),
        command,
    )
