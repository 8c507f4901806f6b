"""The command that updates a device with what is staged on it: update."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, WindowsExitCodes, Yes, carry_out
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.output import Json


class Part(StrEnum):
    """Which phases of an update; as ``operations.update.Part``."""

    ALL = "all"
    PRODUCT = "product"
    NODES = "nodes"


class ControlPlane(StrEnum):
    """Which control plane of its cluster a machine has, in the order of an update."""

    FIRST = "first"
    OTHER = "other"


def register(app: typer.Typer) -> None:
    """Put the command of this module at the top level of ``akslite``."""
    app.command("update")(update)


def update(
    name: Name,
    part: Annotated[
        Part,
        typer.Option(
            metavar="PART",
            help="all, product or nodes. For a cluster of several machines: product on every machine first, then nodes on one "
            "machine after the other, control planes first. nodes also goes on where the product was updated in another way.",
        ),
    ] = Part.ALL,
    accept_upgrade: Annotated[
        bool, typer.Option("--accept-upgrade", help="Take a new minor version of Kubernetes where one is coming.")
    ] = False,
    control_plane: Annotated[
        ControlPlane | None,
        typer.Option(
            "--control-plane",
            metavar="first|other",
            help="Whether this machine's is updated before the cluster's others; default: read from their versions.",
        ),
    ] = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Update the product and its nodes with what Microsoft Update or a person staged on the device; say how where nothing is.

    The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.operations import update as updating

    device = load_device(name)
    carry_out(
        updating.OPERATION,
        device,
        lambda ask: updating.plan(
            device,
            part=part.value,
            accept_upgrade=accept_upgrade,
            first_control_plane=None if control_plane is None else control_plane is ControlPlane.FIRST,
            ask=ask,
        ),
        same=lambda begun: updating.part_of(begun) == part.value,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )
