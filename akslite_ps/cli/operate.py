"""The commands that read or change a device: plan, deploy, resume, status, kubeconfig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from akslite_ps.cli import views
from akslite_ps.cli.carrying_out import (
    DetailedExitCode,
    PlanHash,
    Unlock,
    WhatIf,
    WindowsExitCodes,
    Yes,
    carry_out,
    finish,
    plan_data,
    reading_display,
)
from akslite_ps.cli.config import ConfigFile, Distribution, Overrides, checked_distribution
from akslite_ps.cli.config import load as load_config
from akslite_ps.cli.device import Name, known_name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.exit_codes import CHANGES, FAILED, OK, USAGE
from akslite_ps.cli.output import Json, emit, say, write
from akslite_ps.cli.questions import Questions
from akslite_ps.cli.runs import names_file
from akslite_ps.errors import AksLiteError, ConfigError, ConfigIssue, UsageError
from akslite_ps.home import journal_file

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.releases import Distribution as KubernetesDistribution
    from akslite_ps.cluster import ClusterHealth
    from akslite_ps.operations import MsiSource
    from akslite_ps.operations.controller import Ask
    from akslite_ps.operations.plan import Plan
    from akslite_ps.remoting import Device, Session

CONFIG_FAULT = "config:"

AcceptEula = Annotated[
    bool,
    typer.Option("--accept-eula", help="You accept the license terms of AKS Edge Essentials; no config file can do that for you."),
]
Msi = Annotated[
    str | None,
    typer.Option(
        "--msi", metavar="URL|PATH", help="Installer to use: https URL, share or path on the device; default: the newest."
    ),
]
MsiFile = Annotated[
    Path | None,
    typer.Option(
        "--msi-file",
        metavar="FILE",
        help="Installer on this machine: it is copied to the device first; needs an endpoint that takes scripts.",
    ),
]
RemoveIncomplete = Annotated[
    bool, typer.Option("--remove-incomplete", help="First remove what a deployment that broke off has left; its data is lost.")
]
MsiHash = Annotated[str | None, typer.Option("--msi-sha256", metavar="HEX", help="SHA-256 the installer must have.")]


def register(app: typer.Typer) -> None:
    """Put the commands of this module at the top level of ``akslite``."""
    app.command("plan")(plan)
    app.command("deploy")(deploy)
    app.command("resume")(resume)
    app.command("status")(status)
    app.command("kubeconfig")(kubeconfig)


def plan(
    name: Name,
    config: ConfigFile,
    overrides: Overrides = None,
    distribution: Distribution = None,
    msi: Msi = None,
    msi_file: MsiFile = None,
    msi_sha256: MsiHash = None,
    accept_eula: AcceptEula = False,
    remove_incomplete: RemoveIncomplete = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit code 3 where the plan has changes, 0 where the device is as wanted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what a deployment would do on a device. Only reads; changes nothing."""
    device, desired = load_device(name), load_config(config, overrides)
    kind = checked_distribution(distribution)
    installer = msi_source(msi, msi_sha256, kind, file=msi_file)
    with reading_display(device) as live:
        the_plan = _make_plan(
            device,
            desired,
            kind,
            installer,
            accept_eula=accept_eula or None,
            remove_incomplete=remove_incomplete,
            ask=Questions().over(live),
        )
    emit(plan_data(the_plan), as_json=as_json, show=lambda: views.plan(the_plan))
    if the_plan.blocked:
        raise typer.Exit(_blocked_code(the_plan))
    raise typer.Exit(CHANGES if detailed_exitcode and the_plan.has_changes else OK)


def deploy(
    name: Name,
    config: ConfigFile,
    overrides: Overrides = None,
    distribution: Distribution = None,
    msi: Msi = None,
    msi_file: MsiFile = None,
    msi_sha256: MsiHash = None,
    accept_eula: AcceptEula = False,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    remove_incomplete: RemoveIncomplete = False,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Bring a device to a running single-machine cluster: features, reboot, product, deployment, checks.

    The same command again goes on where an interrupted run stopped.
    """
    device, desired = load_device(name), load_config(config, overrides)
    kind = checked_distribution(distribution)
    installer = msi_source(msi, msi_sha256, kind, file=msi_file)

    def make_plan(ask: Ask) -> Plan:
        return _make_plan(
            device,
            desired,
            kind,
            installer,
            accept_eula=accept_eula,
            remove_incomplete=remove_incomplete,
            ask=ask,
        )

    def refuse(the_plan: Plan) -> None:
        if faults := _config_faults(the_plan):
            raise ConfigError(faults, source=str(config), device=device.name, next_action="mend the config; nothing was changed")

    carry_out(
        "deploy",
        device,
        make_plan,
        same=lambda begun: begun.config == desired.as_data() and same_installer(begun, installer),
        refuse=refuse,
        blocked_code=_blocked_code,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
        windows_exit_codes=windows_exit_codes,
    )


def resume(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The run; default: the newest one that did not end.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Go on with the newest unfinished run of this device.")] = None,
    windows_exit_codes: WindowsExitCodes = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted; what already ran on the device is collected, not sent again."""
    from akslite_ps import operations
    from akslite_ps.cli.progress import TerminalView
    from akslite_ps.journal import Journal

    if run_id is not None and names_file(run_id):
        raise _no_run_to_resume(Path(run_id))
    with Journal.open(journal_file()) as journal:
        if run_id is not None:
            summary = journal.find_run(run_id)
        else:
            waiting = [r for r in journal.runs(device=known_name(device), limit=1000) if r.state != "ended"]
            if not waiting:
                raise UsageError("there is no run that could go on", next_action="see: akslite runs list")
            summary = waiting[0]
        with TerminalView(quiet=as_json) as view:
            run = operations.resume(
                load_device(summary.device),
                journal=journal,
                run_id=summary.run_id,
                listener=view,
                ask=Questions().over(view.live),
                force_token=unlock,
            )
    finish(run, windows_exit_codes=windows_exit_codes, as_json=as_json)


def _no_run_to_resume(file: Path) -> UsageError:
    from akslite_ps.journal import read_export

    run = read_export(file).summary
    return UsageError(
        f"{file} is a record of run {run.run_id}; only its journal can go on with it",
        device=run.device,
        attempted="resume the run",
        next_action=f"where {run.owner} started it: akslite resume {run.run_id}; elsewhere give the command ({run.operation}) "
        "anew: what is done is found so",
    )


def status(
    name: Name,
    cluster: Annotated[bool, typer.Option("--cluster/--no-cluster", help="Also read the cluster.")] = True,
    as_json: Json = False,
) -> None:
    """Read a device: Windows, product, deployment, nodes and system pods. Changes nothing."""
    from akslite_ps.operations.controller import open_session
    from akslite_ps.operations.reading import reading
    from akslite_ps.operations.status import read_through

    device = load_device(name)
    with reading_display(device) as live, reading(device, open_session=open_session, ask=Questions().over(live)) as session:
        found = read_through(session)
        health, trouble = _cluster_health(session) if cluster and found.state == "deployed" else (None, None)

    def show() -> None:
        views.status(found)
        if health is not None:
            views.health(health)
        if trouble is not None:
            say(f"the cluster could not be read: {trouble}", style="yellow")

    data = {**found.model_dump(mode="json"), "cluster": health.to_dict() if health else None}
    if trouble is not None:
        data["cluster_error"] = trouble.to_dict()
    emit(data, as_json=as_json, show=show)


def _cluster_health(session: Session) -> tuple[ClusterHealth | None, AksLiteError | None]:
    from akslite_ps.operations.device_cluster import cluster_of

    try:
        with cluster_of(session) as found:
            return found.health(), None
    except AksLiteError as error:
        return None, error


def kubeconfig(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; default: standard output.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add the cluster to the kubeconfig that FILE already holds.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE where it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch the admin kubeconfig of a device's cluster. It is a secret: anybody who has it owns the cluster.

    With --json and without --output it is printed as JSON, which kubectl reads as well.
    """
    import yaml

    from akslite_ps.cluster import write_kubeconfig
    from akslite_ps.operations.reading import read_kubeconfig

    if output == Path("-"):
        output = None
    if output is not None:
        _check_replacing(output, merge=merge, force=force)
    device = load_device(name)
    with reading_display(device) as live:
        text = read_kubeconfig(device, ask=Questions().over(live))
    if output is None:
        write(json.dumps(yaml.safe_load(text), indent=2) + "\n" if as_json else text)
        return
    write_kubeconfig(output, text, merge=merge, context_name=device.name)
    data = {"device": device.name, "kubeconfig": str(output)}
    emit(data, as_json=as_json, show=lambda: say(f"written to {output}; try: kubectl --kubeconfig {output} get nodes -o wide"))


def _check_replacing(output: Path, *, merge: bool, force: bool) -> None:
    if output.is_dir():
        raise UsageError(f"{output} is a folder", next_action="name a file in it")
    if output.exists() and not (merge or force):
        raise UsageError(f"{output} exists", next_action="give --merge to add the cluster to it, or --force to replace it")


def _make_plan(
    device: Device,
    desired: DeploymentConfig,
    kind: KubernetesDistribution | None,
    installer: MsiSource | None,
    *,
    accept_eula: bool | None,
    remove_incomplete: bool,
    ask: Ask,
) -> Plan:
    from akslite_ps.operations import deploy as deployment

    return deployment.plan(
        device,
        desired,
        accept_eula=accept_eula,
        distribution=kind,
        msi=installer,
        remove_incomplete=remove_incomplete,
        ask=ask,
    )


def same_installer(begun: Plan, installer: MsiSource | None) -> bool:
    """Whether an unfinished plan takes the installer of this command; without one, whichever it takes."""
    from akslite_ps.operations import install

    if installer is None:
        return True
    taken = next((step.parameters for step in begun.steps if step.id == install.MSI), {})
    return taken.get("source") == installer.source and taken.get("sha256") == installer.sha256


def _config_faults(the_plan: Plan) -> list[ConfigIssue]:
    faults = [f for f in the_plan.findings if f.severity == "error" and f.check.startswith(CONFIG_FAULT)]
    return [ConfigIssue(f.check.removeprefix(CONFIG_FAULT), f.read, f.needed, f.action) for f in faults]


def msi_source(
    msi: str | None,
    msi_sha256: str | None,
    distribution: KubernetesDistribution | None,
    *,
    file: Path | None = None,
) -> MsiSource | None:
    """The installer of the options, None where none is named.

    Raises:
        UsageError: A checksum without an installer, two installers, or one that cannot be used.
    """
    from akslite_ps.operations import MsiSource

    if file is not None:
        if msi is not None:
            raise UsageError("--msi and --msi-file name two installers", next_action="give one of them")
        return MsiSource.pushed(file, sha256=msi_sha256, distribution=distribution)
    if msi is None:
        if msi_sha256 is not None:
            raise UsageError("--msi-sha256 is given without --msi", next_action="name the installer that must have this hash")
        return None
    return MsiSource.of(msi, sha256=msi_sha256, distribution=distribution)


def _blocked_code(the_plan: Plan) -> int:
    """A config that cannot be right is the caller's mistake; anything else the device's state."""
    return USAGE if _config_faults(the_plan) else FAILED
