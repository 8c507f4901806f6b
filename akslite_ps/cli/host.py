"""The commands for one part of a deployment at a time: prepare, install, verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, WindowsExitCodes, Yes, carry_out
from akslite_ps.cli.config import Distribution, checked_distribution
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.operate import Msi, MsiFile, MsiHash, msi_source
from akslite_ps.cli.output import Json

if TYPE_CHECKING:
    from akslite_ps.operations.plan import Plan


def register(app: typer.Typer) -> None:
    """Put the commands of this module at the top level of ``akslite``."""
    app.command("prepare")(prepare)
    app.command("install")(install)
    app.command("verify")(verify)


def prepare(
    name: Name,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Prepare a Windows host for the product: features, power settings, and a restart where one is due. deploy does this, too.

    The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.operations import prepare as preparation

    device = load_device(name)
    carry_out(
        preparation.OPERATION,
        device,
        lambda ask: preparation.plan(device, ask=ask),
        same=lambda begun: True,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )


def install(
    name: Name,
    msi: Msi = None,
    msi_file: MsiFile = None,
    msi_sha256: MsiHash = None,
    distribution: Distribution = None,
    install_dir: Annotated[
        str | None, typer.Option("--install-dir", metavar="FOLDER", help="Folder of the product on the device.")
    ] = None,
    vhdx_dir: Annotated[
        str | None, typer.Option("--vhdx-dir", metavar="FOLDER", help="Folder of the nodes' disks on the device.")
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="NAME", help="Feature of the installer, e.g. WindowsNodeFeature; may be repeated."),
    ] = None,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Install the product quietly from its MSI, and let it check the host. deploy does this, too, into the default folders.

    Without --msi and --distribution: the newest K3s. The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.operations import MsiSource
    from akslite_ps.operations import install as installation

    device, kind = load_device(name), checked_distribution(distribution)
    installer = msi_source(msi, msi_sha256, kind, file=msi_file) or MsiSource.default(kind or "K3s")
    source = installer.placed(install_dir=install_dir, vhdx_dir=vhdx_dir, features=tuple(feature or ()))

    def same(begun: Plan) -> bool:
        wanted = installation.msi_parameters(source)
        return any(step.id == installation.MSI and step.parameters == wanted for step in begun.steps)

    carry_out(
        installation.OPERATION,
        device,
        lambda ask: installation.plan(device, source, ask=ask),
        same=same,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )


def verify(
    name: Name,
    what_if: WhatIf = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Check a deployed device: product, nodes, system pods, name resolution, disk and certificates. Changes nothing.

    Exit code 0: all is well; 4: a check did not pass; 5: the device did not answer.
    """
    from akslite_ps.operations import verify as verification

    device = load_device(name)
    carry_out(
        verification.OPERATION,
        device,
        lambda ask: verification.plan(device, ask=ask),
        same=lambda begun: True,
        yes=True,
        plan_hash=None,
        what_if=what_if,
        detailed_exitcode=False,
        unlock=unlock,
        as_json=as_json,
    )
