"""The commands that read or change a device: plan, deploy, resume, status, kubeconfig."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from akslite_ps.cli import views
from akslite_ps.cli.config import ConfigFile, Distribution, Overrides, checked_distribution
from akslite_ps.cli.config import load as load_config
from akslite_ps.cli.device import Name, known_name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.exit_codes import CHANGES, FAILED, OK, USAGE, for_outcome
from akslite_ps.cli.output import Json, console, emit, say, write
from akslite_ps.cli.questions import Questions
from akslite_ps.errors import AksLiteError, ConfigError, ConfigIssue, ConfirmationRequired, PlanOutdated, UsageError
from akslite_ps.home import journal_file

if TYPE_CHECKING:
    from rich.status import Status

    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.cluster import ClusterHealth
    from akslite_ps.operations.plan import Plan, Run
    from akslite_ps.remoting import Device, Session

_SHORTEST_HASH = 8
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
RemoveIncomplete = Annotated[
    bool, typer.Option("--remove-incomplete", help="First remove what a deployment that broke off has left; its data is lost.")
]
Unlock = Annotated[
    str | None,
    typer.Option("--force-unlock", metavar="TOKEN", help="Take the device's lock from the controller that holds this token."),
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
    the_plan = _make_plan(
        device,
        desired,
        distribution,
        msi,
        msi_sha256,
        accept_eula=accept_eula or None,
        remove_incomplete=remove_incomplete,
        questions=Questions(),
    )
    emit(_plan_data(the_plan), as_json=as_json, show=lambda: views.plan(the_plan))
    if the_plan.blocked:
        raise typer.Exit(USAGE if _config_faults(the_plan) else FAILED)
    raise typer.Exit(CHANGES if detailed_exitcode and the_plan.has_changes else OK)


def deploy(
    name: Name,
    config: ConfigFile,
    overrides: Overrides = None,
    distribution: Distribution = None,
    msi: Msi = None,
    msi_sha256: MsiHash = None,
    accept_eula: AcceptEula = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask at a terminal; this flag approves the plan.")] = False,
    plan_hash: Annotated[
        str | None, typer.Option("--plan-hash", metavar="HASH", help="Apply only if the plan has this hash, or begins with it.")
    ] = None,
    what_if: Annotated[bool, typer.Option("--what-if", help="Show the plan and change nothing.")] = False,
    remove_incomplete: RemoveIncomplete = False,
    windows_exit_codes: Annotated[
        bool, typer.Option("--windows-exit-codes", help="Exit code 3010 or 1641 where a reboot is due.")
    ] = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Bring a device to a running single-machine cluster: features, reboot, product, deployment, checks.

    The same command again goes on where an interrupted run stopped.
    """
    from akslite_ps.cli.progress import TerminalView
    from akslite_ps.journal import Journal
    from akslite_ps.operations import apply, find_resumable, resume

    device, desired = load_device(name), load_config(config, overrides)
    questions = Questions()
    with Journal.open(journal_file()) as journal:
        unfinished = None if what_if else find_resumable(journal, device.name, "deploy", config=desired.as_data())
        if unfinished is not None:
            _check_hash(unfinished.plan_hash, plan_hash, device)
            say(f"going on with run {unfinished.run_id}, which did not end")
            with TerminalView(quiet=as_json) as view:
                run = resume(
                    device,
                    journal=journal,
                    run_id=unfinished.run_id,
                    listener=view,
                    ask=questions.over(view.live),
                    force_token=unlock,
                )
            _finish(run, windows_exit_codes=windows_exit_codes, as_json=as_json)
        the_plan = _make_plan(
            device,
            desired,
            distribution,
            msi,
            msi_sha256,
            accept_eula=accept_eula,
            remove_incomplete=remove_incomplete,
            questions=questions,
        )
        if what_if:
            emit(_plan_data(the_plan), as_json=as_json, show=lambda: views.plan(the_plan))
            raise typer.Exit((USAGE if _config_faults(the_plan) else FAILED) if the_plan.blocked else OK)
        if not as_json:
            views.plan(the_plan, all_findings=False)
        if faults := _config_faults(the_plan):
            raise ConfigError(faults, source=str(config), device=device.name, next_action="mend the config; nothing was changed")
        _check_hash(the_plan.hash, plan_hash, device)
        _approve(the_plan, yes=yes or as_json or plan_hash is not None)
        with TerminalView(quiet=as_json) as view:
            run = apply(
                the_plan,
                device,
                approved_hash=the_plan.hash,
                journal=journal,
                listener=view,
                ask=questions.over(view.live),
                force_token=unlock,
            )
    _finish(run, windows_exit_codes=windows_exit_codes, as_json=as_json)


def resume(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The run; default: the newest one that did not end.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Go on with the newest unfinished run of this device.")] = None,
    windows_exit_codes: Annotated[
        bool, typer.Option("--windows-exit-codes", help="Exit code 3010 or 1641 where a reboot is due.")
    ] = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted; what already ran on the device is collected, not sent again."""
    from akslite_ps import operations
    from akslite_ps.cli.progress import TerminalView
    from akslite_ps.journal import Journal

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
    _finish(run, windows_exit_codes=windows_exit_codes, as_json=as_json)


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
    with _reading(device) as live, reading(device, open_session=open_session, ask=Questions().over(live)) as session:
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
    with _reading(device) as live:
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


def _reading(device: Device) -> Status:
    return console(stderr=True).status(f"reading {device.name} ...")


def _make_plan(
    device: Device,
    desired: DeploymentConfig,
    distribution: str | None,
    msi: str | None,
    msi_sha256: str | None,
    *,
    accept_eula: bool | None,
    remove_incomplete: bool,
    questions: Questions,
) -> Plan:
    from akslite_ps.operations import MsiSource
    from akslite_ps.operations import deploy as deployment

    if msi_sha256 is not None and msi is None:
        raise UsageError("--msi-sha256 is given without --msi", next_action="name the installer that must have this hash")
    kind = checked_distribution(distribution)
    source = MsiSource.of(msi, sha256=msi_sha256, distribution=kind) if msi is not None else None
    with _reading(device) as live:
        return deployment.plan(
            device,
            desired,
            accept_eula=accept_eula,
            distribution=kind,
            msi=source,
            remove_incomplete=remove_incomplete,
            ask=questions.over(live),
        )


def _config_faults(the_plan: Plan) -> list[ConfigIssue]:
    faults = [f for f in the_plan.findings if f.severity == "error" and f.check.startswith(CONFIG_FAULT)]
    return [ConfigIssue(f.check.removeprefix(CONFIG_FAULT), f.read, f.needed, f.action) for f in faults]


def _check_hash(actual: str, wanted: str | None, device: Device) -> None:
    """Refuse to apply a plan that is not the one approved with ``--plan-hash``."""
    if wanted is None:
        return
    if len(wanted) < _SHORTEST_HASH:
        raise UsageError(
            f"--plan-hash {wanted} is too short to name one plan", next_action=f"give at least {_SHORTEST_HASH} of its digits"
        )
    if not actual.startswith(wanted.casefold()):
        raise PlanOutdated(
            f"approved was {wanted}, the plan is {actual}",
            device=device.name,
            attempted="apply the plan",
            next_action="read the new plan and approve its hash",
        )


def _approve(the_plan: Plan, *, yes: bool) -> None:
    if yes or the_plan.blocked or not the_plan.has_changes or not sys.stdin.isatty():
        return
    if not typer.confirm(f"apply this plan to {the_plan.device}?", err=True):
        raise ConfirmationRequired("not applied", device=the_plan.device, next_action="give --yes to approve without being asked")


def _finish(run: Run, *, windows_exit_codes: bool, as_json: bool) -> NoReturn:
    emit(_run_data(run), as_json=as_json, show=lambda: views.run(run))
    raise typer.Exit(for_outcome(run.outcome, windows_exit_codes=windows_exit_codes))


def _plan_data(the_plan: Plan) -> dict[str, Any]:
    return {
        **the_plan.model_dump(mode="json"),
        "hash": the_plan.hash,
        "blocked": the_plan.blocked,
        "has_changes": the_plan.has_changes,
    }


def _run_data(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "device": run.plan.device,
        "operation": run.plan.operation,
        "outcome": run.outcome.value,
        "finished": run.finished,
        "plan_hash": run.plan.hash,
        "started": run.started.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "results": [result.model_dump(mode="json") for result in run.results],
        "journal": str(journal_file()),
    }
