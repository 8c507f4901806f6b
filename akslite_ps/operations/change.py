"""Brings a deployed device to another config: in place where the product can, else by deploying anew with the workloads kept.

What differs is told field by field (``operations.change_findings``). Most fields are fixed at deployment. Then, with a person's
approval and the device's name typed: the workloads' manifests are saved on this machine, the cluster leaves Azure Arc, pods end in
order, the deployment is removed, the device restarts, the new deployment is made and verified, the manifests are applied, Arc is
connected again. The data in volumes is not kept. The steps are those of the other operations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import AksLiteError, NotPermitted, UsageError
from akslite_ps.journal import owner_name
from akslite_ps.operations import arc, deploy, prepare, remove, verify
from akslite_ps.operations.change_findings import Way, compared, findings, last_deployed, notes
from akslite_ps.operations.comparison import told_values
from akslite_ps.operations.controller import Ask, OpenCluster, OpenSession, open_cluster, open_session
from akslite_ps.operations.plan import Plan, Step
from akslite_ps.operations.reading import reading
from akslite_ps.operations.reboot import REBOOT_LIMIT_S
from akslite_ps.operations.scale_findings import read_member
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.cluster import Cluster
    from akslite_ps.remoting import Device, Session

OPERATION = "change"
BACKUP = "change.backup"
RESTART = "change.restart"
RESTORE = "change.restore"


def plan(
    device: Device,
    config: DeploymentConfig,
    *,
    folder: Path,
    deployed: DeploymentConfig | None = None,
    with_secrets: bool = False,
    accept_eula: bool | None = None,
    open_session: OpenSession = open_session,
    open_cluster: OpenCluster = open_cluster,
    ask: Ask | None = None,
) -> Plan:
    """Read the device and say what differs from a config, and what it takes to change that.

    Args:
        device: The device; it has a deployment.
        config: The wanted deployment.
        folder: Where the manifests are saved if it must be deployed anew; new or empty.
        deployed: The config that it was deployed with, for the fields that the product does not tell (:func:`last_deployed`).
        with_secrets: Save the cluster's secrets, too.
        accept_eula: As for :func:`akslite_ps.operations.deploy.plan`; needed only to deploy anew.
        open_session, open_cluster: Open what is read.
        ask: Answers ``prompt:`` secret references.

    Raises:
        ConfirmationRequired: The licence terms are refused.
        RemotingError: The device cannot be read.
        SecretUnavailable: The config holds a secret that cannot be written as a reference.
    """
    if accept_eula is False:
        raise deploy.eula_refusal(device.name)
    data = config.as_data()
    with reading(device, open_session=open_session, ask=ask) as session:
        member = read_member(session)
        state = arc.read_arc(session) if member.complete else None
        found = compared(config, deployed, told_values(member.info)) if member.complete else ()
        redeploys = any(difference.redeploys for difference in found)
        volumes = _volumes(session, open_cluster) if redeploys and member.nodes else None
    way = Way(member, state, found, deployed, redeploys, volumes, folder, with_secrets)
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=member.facts.computer_name,
        config=data,
        findings=tuple(findings(way, config)),
        steps=tuple(_steps(way, config)) if member.complete else (),
        notes=tuple(notes(way)),
        eula_accepted_by=owner_name() if accept_eula else None,
    )


def redeploys(the_plan: Plan) -> bool:
    """Whether a plan of this module removes the deployment and makes another one."""
    return any(step.id == remove.DEPLOYMENT for step in the_plan.steps)


def _steps(way: Way, config: DeploymentConfig) -> Iterator[Step]:
    complete = not arc.missing_fields(config)
    if not way.redeploys:
        if way.connected and way.former and complete:
            yield from arc.disconnect_steps(config, former=way.former)
            yield from arc.connect_steps(config)
        elif complete and way.state is not None and not way.state.connected:
            yield from arc.connect_steps(config)
        yield from verify.steps()
        return
    yield Step(
        id=BACKUP,
        title="Save the workloads' manifests on this machine",
        change=f"writes them to {way.folder}",
        typical_s=30,
        max_run_s=900,
        parameters={"folder": str(way.folder), "with_secrets": way.with_secrets},
    )
    if way.connected and complete:
        yield from arc.disconnect_steps(config, former=way.former)
    windows = any(node.name.endswith("-wedge") for node in way.member.own)
    yield remove.drain_step("LinuxAndWindows" if windows else "Linux")
    yield remove.deployment_step()
    yield Step(
        id=RESTART,
        title="Restart the device",
        command="Request-AksLiteReboot",
        change="restarts Windows, as the product wants it before anything is deployed again",
        disturbs=True,
        reboots=True,
        typical_s=90,
        max_run_s=REBOOT_LIMIT_S,
    )
    yield from deploy.steps(config, deploy.Existing())
    yield from verify.steps()
    yield Step(
        id=RESTORE,
        title="Apply the saved manifests",
        change=f"applies what was saved to {way.folder}",
        typical_s=30,
        max_run_s=900,
        parameters={"folder": str(way.folder)},
    )
    if complete and (way.connected or not config.network.internet_disabled):
        yield from arc.connect_steps(config)


def _volumes(session: Session, open_cluster: OpenCluster) -> list[str] | NotPermitted | None:
    """Claims in the cluster; None where its API cannot be asked from here, the refusal where this role may not ask it."""
    from akslite_ps.aksedge.ops import kube_config

    try:
        with open_cluster(session.device, kube_config(session)) as cluster:
            found = cluster.get_json("/api/v1/persistentvolumeclaims").get("items") or ()
    except NotPermitted as error:
        return error
    except AksLiteError:
        return None
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in found]


# -- steps --------------------------------------------------------------------------------------------------------


@contextmanager
def _cluster(work: Work) -> Iterator[Cluster]:
    """The device's cluster, asked from here."""
    from akslite_ps.aksedge.ops import kube_config

    with work.controller.open_cluster(work.device, kube_config(work.session())) as cluster:
        yield cluster


class _Backup(StepCode):
    repeatable = True

    def check(self, work: Work) -> Check:
        from akslite_ps.cluster.backup import Backup

        folder = Path(work.parameters["folder"])
        try:
            saved = Backup.load(folder)
        except UsageError:
            return Check(Verdict.NOT_SO, "nothing is saved yet")
        if saved.device != work.device.name:
            raise work.failure(f"{folder} holds the backup of {saved.device}", next_action="make a new plan with another folder")
        return Check(Verdict.SO, f"{len(saved.files)} objects are saved in {folder}", _evidence(saved, folder))

    def act(self, work: Work) -> Done:
        from akslite_ps.cluster.backup import clear_unfinished, save

        folder = Path(work.parameters["folder"])
        clear_unfinished(folder)
        with _cluster(work) as cluster:
            saved = save(
                cluster,
                folder,
                device=work.device.name,
                with_secrets=work.parameters["with_secrets"],
                on_kind=lambda kind: work.tell(f"Saving {kind}"),
            )
        left = f"; {len(saved.left_out)} secrets were not saved" if saved.left_out else ""
        return Done(Outcome.CHANGED, f"{len(saved.files)} objects are saved in {folder}{left}", _evidence(saved, folder))

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure("the backup is not whole", next_action="make room or name another folder, then make a new plan")
        return done


def _evidence(saved: Any, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "objects": len(saved.files),
        "volumes_without_data": list(saved.volumes),
        "secrets_left_out": list(saved.left_out),
    }


class _Restart(prepare.Reboot):
    """The restart that the product wants between two deployments, whether Windows wants one or not."""

    def check(self, work: Work) -> Check:
        return Check(Verdict.NOT_SO, "the device restarts before anything is deployed on it again")


class _Restore(StepCode):
    repeatable = True  # applied twice, an object is the same

    def act(self, work: Work) -> Done:
        from akslite_ps.cluster.backup import Backup, restore

        folder = Path(work.parameters["folder"])
        saved = Backup.load(folder)
        with _cluster(work) as cluster:
            done = restore(cluster, saved, folder, on_object=lambda name: work.tell(f"Applying {name}"))
        evidence = {"folder": str(folder), "applied": len(done.applied), "failed": dict(done.failed)}
        if done.failed:
            first = next(iter(done.failed.items()))
            raise work.failure(
                f"{len(done.failed)} of {len(saved.files)} objects could not be applied, such as {first[0]}: {first[1]}",
                next_action=f"mend the files in {folder} and apply them (kubectl apply --server-side -f FILE), or resume the run",
            )
        empty = f"; EMPTY volumes: {', '.join(saved.volumes)}" if saved.volumes else ""
        return Done(Outcome.CHANGED, f"{len(done.applied)} objects are applied{empty}", evidence)


CODE: Mapping[str, StepCode] = {BACKUP: _Backup(), RESTART: _Restart(), RESTORE: _Restore()}

__all__ = ["BACKUP", "CODE", "OPERATION", "RESTART", "RESTORE", "last_deployed", "plan", "redeploys"]
