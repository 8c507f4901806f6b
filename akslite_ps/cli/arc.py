"""The commands for Azure Arc: connect, disconnect."""

from __future__ import annotations

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, Yes, carry_out
from akslite_ps.cli.config import ConfigFile, Overrides
from akslite_ps.cli.config import load as load_config
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.output import Json


def register(app: typer.Typer) -> None:
    """Put the commands of this module at the top level of ``akslite``."""
    app.command("connect")(connect)
    app.command("disconnect")(disconnect)


def connect(
    name: Name,
    config: ConfigFile,
    overrides: Overrides = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Connect a device's cluster to Azure Arc, and wait until Azure shows it as connected.

    The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.operations import arc

    device, desired = load_device(name), load_config(config, overrides)
    data = desired.as_data()
    carry_out(
        "connect",
        device,
        lambda ask: arc.plan_connect(device, desired, ask=ask),
        same=lambda begun: begun.config == data,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
    )


def disconnect(
    name: Name,
    config: ConfigFile,
    overrides: Overrides = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Take a device's cluster out of Azure Arc and delete its resource in Azure; the cluster itself stays.

    The service principal of the config needs more than the onboarding role: Contributor on the resource group.
    """
    from akslite_ps.operations import arc

    device, desired = load_device(name), load_config(config, overrides)
    data = desired.as_data()
    carry_out(
        "disconnect",
        device,
        lambda ask: arc.plan_disconnect(device, desired, ask=ask),
        same=lambda begun: begun.config == data,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
    )
