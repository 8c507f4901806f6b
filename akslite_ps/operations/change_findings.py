"""In what a device differs from a config, how that can be changed, and what a person should know before. Only reads and judges.

Used by ``operations.change``. Which fields are fixed at deployment is data of the config's fields (``FieldSpec.fixed``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.releases import distribution_of
from akslite_ps.errors import ConfigError, NotPermitted
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations import arc, deploy
from akslite_ps.operations.plan import Finding
from akslite_ps.operations.preflight import config_findings, host_findings, product_findings
from akslite_ps.operations.scale_findings import Member, cluster_findings
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.aksedge.config.differences import Difference

_RESOURCE = ("ClusterName", "ResourceGroupName", "SubscriptionId", "TenantId", "Location")
"""Fields of the Arc section that name the resource in Azure; the others are credentials, used only when they are needed."""
_FROM_DEPLOYMENT = ("change", "deploy")


def last_deployed(journal: Journal, device: str) -> DeploymentConfig | None:
    """The config that this controller last deployed on a device, None where its journal has none."""
    for run in journal.runs(device=device, limit=1000):
        if run.operation not in _FROM_DEPLOYMENT:
            continue
        rows = journal.rows(run.run_id, kinds=[RowKind.RUN_STARTED, RowKind.RESULT])
        made = any(row.step_id == deploy.CREATE and row.data.get("outcome") == Outcome.CHANGED for row in rows)
        if made and rows[0].data["plan"].get("config"):
            return DeploymentConfig.parse(rows[0].data["plan"]["config"], source=f"run {run.run_id}")
    return None


def compared(config: DeploymentConfig, deployed: DeploymentConfig | None, told: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What differs, in the order of the fields. What the device tells counts more than what was deployed.

    Args:
        config: The wanted deployment.
        deployed: What was deployed, None where that is not known: then only the fields that are told are compared.
        told: Fields that the device tells, by path.
    """
    base = deployed if deployed is not None else config
    there = base.values()
    known = {path: value for path, value in told.items() if path in there or path in config.values()}
    same = {
        path: there[path] for path, value in known.items() if path in there and str(there[path]).casefold() == str(value).casefold()
    }
    try:
        before = base.with_values({**known, **same})
    except ConfigError:
        before = base
    return tuple(found for found in before.differences(config) if found.path not in ("SchemaVersion", "User.AcceptEula"))


@dataclass(frozen=True, slots=True)
class Way:
    """What was read, and what follows from it.

    Args:
        member: The machine and its cluster.
        state: How it stands to Azure Arc.
        found: What differs.
        deployed: The config that it was deployed with, where that is known.
        redeploys: A field differs that is fixed at deployment.
        volumes: Claims whose data would be lost; None where the Kubernetes API was not asked, or does not answer here; the
            refusal where this session's role hands out no kubeconfig.
        folder: Where the manifests are saved.
        with_secrets: Secrets, too.
    """

    member: Member
    state: arc.ArcState | None
    found: Sequence[Difference]
    deployed: DeploymentConfig | None
    redeploys: bool
    volumes: Sequence[str] | NotPermitted | None
    folder: Path
    with_secrets: bool

    @property
    def connected(self) -> bool:
        """Azure knows the cluster, or may."""
        return self.state is not None and self.state.registered is not False

    @property
    def former(self) -> Mapping[str, Any] | None:
        """What the cluster is connected as, where the new config says something else."""
        names = [f"Arc.{name}" for name in _RESOURCE]
        if self.deployed is None or not any(difference.path in names for difference in self.found):
            return None
        values = self.deployed.values()
        return {path: values[path] for path in names if path in values} or None


def findings(way: Way, config: DeploymentConfig) -> Iterator[Finding]:
    yield from cluster_findings(way.member)
    if not way.member.complete:
        return
    for difference in way.found:
        how = "deployed anew: the product cannot change this in place" if difference.redeploys else _how(difference, way)
        yield Finding(
            check=f"change:{difference.path}",
            title=f"Config field {difference.path}",
            severity="warning" if difference.redeploys else "info",
            read=_shown(difference.before),
            needed=_shown(difference.after),
            action=how,
        )
    if not way.found:
        yield Finding(check="change", title="Config", severity="ok", read="as the device was deployed", needed="the same")
    if way.connected:
        yield arc.section_finding(config)
    if not way.redeploys:
        return
    facts = way.member.facts
    release = facts.product_version
    distribution = distribution_of(facts.product_name or "") or deploy.distribution_for(config)
    used = sum(_memory(way.member.info.get(f"{kind}NodeConfig")) for kind in ("Linux", "Windows"))
    freed = facts.model_copy(update={"free_memory_mb": facts.free_memory_mb + used}) if facts.free_memory_mb is not None else facts
    yield from host_findings(freed, config=config, restart_planned=True)
    yield from product_findings(facts, distribution=distribution, version=None)
    yield from config_findings(config, distribution=distribution, release=release)
    yield from _redeploy_findings(way)


def _redeploy_findings(way: Way) -> Iterator[Finding]:
    if way.member.others:
        yield Finding(
            check="machines",
            title="Other machines of the cluster",
            severity="error",
            read=f"nodes {', '.join(node.name for node in way.member.others)}",
            needed="none",
            action="take this machine out (akslite remove) and let it join again with the new sizes (akslite scale join)",
        )
    if isinstance(way.volumes, NotPermitted):
        yield Finding(
            check="backup",
            title="Kubernetes API",
            severity="error",
            read="this session's role hands out no kubeconfig",
            needed="one, so that the manifests can be saved and applied",
            action=way.volumes.next_action or "use an administrator's account",
        )
        return
    if way.volumes is None:
        yield Finding(
            check="backup",
            title="Kubernetes API",
            severity="error",
            read="does not answer here",
            needed="it answers here, so that the manifests can be saved and applied",
            action="make it reachable from this machine, e.g. with a port proxy on the device",
        )
        return
    if way.volumes:
        yield Finding(
            check="volumes",
            title="Data in volumes",
            severity="warning",
            read=f"claims {', '.join(way.volumes)}",
            needed="none, or a copy of the data elsewhere",
            action="THE DATA IN THEM IS LOST: copy it away first; only the claims come back, empty",
        )
    if way.folder.exists() and any(way.folder.iterdir()):
        yield Finding(
            check="folder",
            title="Folder for the manifests",
            severity="error",
            read=f"{way.folder} holds files",
            needed="a new or empty folder",
            action="name another one: --backup-folder",
        )


def _how(difference: Difference, way: Way) -> str:
    if not difference.path.startswith("Arc."):
        return "taken over at the next deployment; nothing is changed now"
    if difference.path.removeprefix("Arc.") in _RESOURCE:
        return "in place: disconnected, and connected as the new one" if way.connected else "in place, when it is connected"
    return "in place: used when the cluster is connected or disconnected the next time"


def notes(way: Way) -> Iterator[str]:
    if not way.member.complete:
        return
    if way.deployed is None:
        yield (
            "With which config the device was deployed is not known here: only what the product tells of it is compared, sizes and "
            "type above all. Give that config to compare every field: --deployed FILE"
        )
    if way.redeploys:
        yield "Everything on the device's nodes is removed and deployed anew; the cluster is away for about half an hour."
        yield "Data in volumes is lost, and so is what was made by controllers only; the manifests that people applied come back."
        if not way.with_secrets:
            yield "Secrets of the cluster are not saved: give --with-secrets, or make them again afterwards."
        yield "Deploying accepts the licence terms of AKS Edge Essentials for this device."


def _memory(section: object) -> int:
    value = section.get("MemoryInMB") if isinstance(section, Mapping) else None
    return value if isinstance(value, int) else 0


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
