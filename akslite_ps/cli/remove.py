"""The command that removes a deployment, and the product: remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, Yes, carry_out
from akslite_ps.cli.config import Overrides
from akslite_ps.cli.config import load as load_config
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.output import Json
from akslite_ps.errors import UsageError

if TYPE_CHECKING:
    from akslite_ps.operations.plan import Plan


def register(app: typer.Typer) -> None:
    """Put the command of this module at the top level of ``akslite``."""
    app.command("remove")(remove)


def remove(
    name: Name,
    product: Annotated[bool, typer.Option("--product", help="Uninstall the product, too.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="Config with the Arc section, to delete the cluster's resource in Azure first."
        ),
    ] = None,
    overrides: Overrides = None,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="DEVICE", help="The device's name once more: you know that its data will be lost."),
    ] = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    windows_exit_codes: Annotated[
        bool, typer.Option("--windows-exit-codes", help="Exit code 3010 or 1641 where a reboot is due.")
    ] = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Remove a device's deployment with all data in its nodes, and say what is left. Needs the device's name typed once more.

    --yes alone does not confirm it. The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.operations import remove as removal

    if overrides and config is None:
        raise UsageError("--set is given without --config", next_action="name the config that it changes")
    device = load_device(name)
    desired = load_config(config, overrides) if config is not None else None
    data = desired.as_data() if desired is not None else None

    def require(the_plan: Plan) -> None:
        typed = confirm
        if typed is None and the_plan.has_changes and not as_json and sys.stdin.isatty():
            typed = typer.prompt(f"all data in the nodes of {device.name} will be lost; type the device's name", err=True)
        removal.require_confirmation(the_plan, typed)

    def same(begun: Plan) -> bool:
        return begun.config == data and removal.removes_product(begun) == product

    carry_out(
        removal.OPERATION,
        device,
        lambda ask: removal.plan(device, product=product, config=desired, ask=ask),
        same=same,
        confirm=require,
        yes=yes or confirm is not None,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )
