"""The command that brings a deployed device to another config: change."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, WindowsExitCodes, Yes, carry_out
from akslite_ps.cli.config import ConfigFile, Overrides
from akslite_ps.cli.config import load as load_config
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.operate import AcceptEula
from akslite_ps.cli.output import Json
from akslite_ps.home import backups_dir, journal_file

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.operations.plan import Plan


def register(app: typer.Typer) -> None:
    """Put the command of this module at the top level of ``akslite``."""
    app.command("change")(change)


def change(
    name: Name,
    config: ConfigFile,
    overrides: Overrides = None,
    deployed: Annotated[
        Path | None,
        typer.Option("--deployed", metavar="FILE", help="Config it was deployed with; default: the one in this user's journal."),
    ] = None,
    backup_folder: Annotated[
        Path | None,
        typer.Option("--backup-folder", metavar="FOLDER", help="Where manifests are saved before deploying anew; new or empty."),
    ] = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Save the cluster's secrets, too: the folder is then as secret as they are.")
    ] = False,
    accept_eula: AcceptEula = False,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="DEVICE", help="The device's name once more, where it must be deployed anew."),
    ] = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Bring a deployed device to another config: in place where the product can, else deployed anew with the workloads kept.

    --what-if tells field by field what differs and how it can be changed. Data in volumes does not survive a new deployment.
    The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.journal import Journal
    from akslite_ps.operations import change as changing
    from akslite_ps.operations import remove

    device, desired = load_device(name), load_config(config, overrides)
    data = desired.as_data()
    before: DeploymentConfig | None
    if deployed is not None:
        before = load_config(deployed, None)
    else:
        with Journal.open(journal_file()) as journal:
            before = changing.last_deployed(journal, device.name)
    folder = (backup_folder or _free_folder(device.name)).resolve()

    def require(the_plan: Plan) -> None:
        if not changing.redeploys(the_plan):
            return
        typed = confirm
        if typed is None and not as_json and sys.stdin.isatty():
            typed = typer.prompt(f"{device.name} will be deployed anew, volumes will be empty; type the device's name", err=True)
        remove.require_confirmation(the_plan, typed)

    carry_out(
        changing.OPERATION,
        device,
        lambda ask: changing.plan(
            device,
            desired,
            folder=folder,
            deployed=before,
            with_secrets=with_secrets,
            accept_eula=accept_eula or None,
            ask=ask,
        ),
        same=lambda begun: begun.config == data,
        confirm=require,
        yes=yes or confirm is not None,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )


def _free_folder(device: str) -> Path:
    """The first folder of this device that no backup has taken: the same until there is one."""
    return next(path for number in count(1) if not (path := backups_dir() / f"{device}-{number}").exists())
