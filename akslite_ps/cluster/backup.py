"""Saves what people put into a cluster as manifests in a folder, and applies them to another cluster.

    saved = save(cluster, folder)
    ...
    restore(cluster, Backup.load(folder))

Saved is what a person or their tools made: no system namespaces, nothing that a controller makes from something else, nothing that
belongs to the distribution, none of the fields that a server sets. Data in volumes is not saved. Secrets of the cluster only if the
caller says so; the folder is then a secret itself. Every file is listed with its SHA-256. Used by ``operations.change``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.whole_file import write_whole

FORMAT = 1
MANIFEST = "backup.json"
FIELD_MANAGER = "akslite-restore"
_PAGE = "200"

_SYSTEM_NAMESPACES = re.compile(r"(kube-.*|azure-arc.*|gatekeeper-system|aksedge(-.*)?)")
_NEVER = frozenset(
    {
        "bindings",
        "componentstatuses",
        "controllerrevisions.apps",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "events",
        "events.events.k8s.io",
        "leases.coordination.k8s.io",
        "nodes",
        "persistentvolumes",
        "podtemplates",
        "apiservices.apiregistration.k8s.io",
        "certificatesigningrequests.certificates.k8s.io",
        "csinodes.storage.k8s.io",
        "csidrivers.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "ipaddresses.networking.k8s.io",
        "servicecidrs.networking.k8s.io",
        "runtimeclasses.node.k8s.io",
        "nodes.metrics.k8s.io",
        "pods.metrics.k8s.io",
        "addons.k3s.cattle.io",
        "etcdsnapshotfiles.k3s.cattle.io",
        "helmcharts.helm.cattle.io",
        "helmchartconfigs.helm.cattle.io",
    }
)
"""Kinds that the system makes, or that mean nothing in another cluster."""
_DISTRIBUTION_LABELS = ("objectset.rio.cattle.io/hash", "kubernetes.io/bootstrapping", "kubernetes.io/cluster-service")
_DISTRIBUTION_GROUPS = re.compile(r".*\.(cattle\.io|clusterconfig\.azure\.com|arc\.azure\.com)")
_SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink")
_SERVER_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "control-plane.alpha.kubernetes.io/leader",
)
_ORDER = (
    "customresourcedefinitions.apiextensions.k8s.io",
    "namespaces",
    "priorityclasses.scheduling.k8s.io",
    "storageclasses.storage.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "serviceaccounts",
    "roles.rbac.authorization.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services",
)
"""What others need comes first; everything else after these, by kind."""


class Api(Protocol):
    """What saving and restoring need of a cluster; :class:`akslite_ps.cluster.Cluster` has it."""

    def get_json(self, path: str, **query: str) -> dict[str, Any]: ...
    def apply_json(self, path: str, data: Mapping[str, Any], *, manager: str, force: bool = False) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of objects: where the API has it."""

    plural: str
    group: str
    version: str
    kind: str
    namespaced: bool

    @property
    def name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def base(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path_of(self, item: Mapping[str, Any]) -> str:
        metadata = item["metadata"]
        space = f"/namespaces/{metadata['namespace']}" if self.namespaced else ""
        return f"{self.base}{space}/{self.plural}/{metadata['name']}"


class SavedFile(BaseModel):
    """One file of a backup: its name in the folder, its SHA-256 (hex), and which object it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    path: str
    kind: str
    namespace: str | None
    name: str


class Backup(BaseModel):
    """What was saved. ``volumes`` are claims whose data was not saved, as ``namespace/name``.

    Args:
        format: Of the folder.
        device: Name of the device.
        created: UTC.
        server_version: Of the API server.
        with_secrets: Secrets are among the files.
        files: In the order in which they are applied.
        volumes: Claims with data that is not in the backup.
        left_out: Secrets that were not saved, as ``namespace/name``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    device: str
    created: dt.datetime
    server_version: str
    with_secrets: bool = False
    files: tuple[SavedFile, ...] = ()
    volumes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Backup:
        """Read a backup and make sure that it is whole.

        Raises:
            UsageError: There is none, a file is missing or was changed, or a newer akslite wrote it.
        """
        try:
            found = cls.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"there is no backup in {folder}: {error.strerror or error}", next_action="name its folder") from None
        except (ValidationError, ValueError) as error:
            raise UsageError(f"{folder / MANIFEST} is no list of a backup: {type(error).__name__}") from None
        if found.format > FORMAT:
            raise UsageError(f"the backup in {folder} has format {found.format}", next_action="update akslite on this machine")
        for saved in found.files:
            try:
                data = (folder / saved.file).read_bytes()
            except OSError as error:
                raise UsageError(f"the backup in {folder} is not whole: {saved.file}: {error.strerror or error}") from None
            if hashlib.sha256(data).hexdigest() != saved.sha256:
                raise UsageError(f"the backup in {folder} is not as it was saved: {saved.file} was changed")
        return found


@dataclass(frozen=True, slots=True)
class Restored:
    """What applying a backup came to.

    Args:
        applied: Paths of the objects.
        failed: Why, by path.
    """

    applied: tuple[str, ...]
    failed: Mapping[str, str]


def save(
    api: Api,
    folder: Path,
    *,
    device: str,
    with_secrets: bool = False,
    on_kind: Callable[[str], None] | None = None,
) -> Backup:
    """Save a cluster's objects.

    Args:
        api: The cluster.
        folder: Where the files go; made where it is missing, must be empty otherwise.
        device: Name of the device.
        with_secrets: Save secrets, too; the folder is then as secret as they are.
        on_kind: Told of each kind before it is read.

    Returns:
        The backup; it is complete once this returns.

    Raises:
        UsageError: The folder holds something, or cannot be written.
        AksLiteError: The cluster cannot be read.
    """
    version = str(api.get_json("/version").get("gitVersion", ""))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", next_action="name a new folder")
        files: list[SavedFile] = []
        volumes, left_out = [], []
        for kind in _in_order(_kinds(api)):
            if on_kind is not None:
                on_kind(kind.name)
            for item in _items(api, kind):
                if not _is_made_by_people(kind, item):
                    continue
                name = f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
                if kind.name == "secrets" and not with_secrets:
                    left_out.append(name)
                    continue
                if kind.name == "persistentvolumeclaims":
                    volumes.append(name)
                files.append(_write(folder, len(files), kind, _portable(kind, item)))
        saved = Backup(
            device=device,
            created=dt.datetime.now(dt.UTC),
            server_version=version,
            with_secrets=with_secrets,
            files=tuple(files),
            volumes=tuple(volumes),
            left_out=tuple(left_out),
        )
        write_whole(folder / MANIFEST, saved.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"the backup cannot be written to {folder}: {error.strerror or error}", next_action="name another folder, or make room"
        ) from None
    return Backup.load(folder)


def restore(api: Api, backup: Backup, folder: Path, *, on_object: Callable[[str], None] | None = None) -> Restored:
    """Apply a backup's objects on the server side, in its order. What fails is told and does not stop the rest.

    What failed is tried once more at the end: the kinds that a definition brings are served a moment after it.

    Args:
        api: The cluster.
        backup: From :meth:`Backup.load`.
        folder: Its folder.
        on_object: Told of each object before it is applied.

    Raises:
        Unreachable: The cluster does not answer.
        OSError: A file cannot be read.
    """
    from akslite_ps.errors import Unreachable

    applied: list[str] = []
    failed: dict[str, str] = {}
    for left in (lambda: backup.files, lambda: tuple(saved for saved in backup.files if saved.path in failed)):
        for saved in left():
            if on_object is not None:
                on_object(f"{saved.kind} {saved.name}")
            data = json.loads((folder / saved.file).read_text(encoding="utf-8"))
            try:
                api.apply_json(saved.path, data, manager=FIELD_MANAGER)
            except Unreachable:
                raise
            except AksLiteError as error:
                failed[saved.path] = error.message
            else:
                failed.pop(saved.path, None)
                applied.append(saved.path)
    return Restored(tuple(applied), failed)


# -- what is saved ------------------------------------------------------------------------------------------------


def _kinds(api: Api) -> Iterator[_Kind]:
    """Every kind that can be listed, at the version that the API server prefers."""
    yield from _kinds_of(api, "", "v1", "/api/v1")
    for group in api.get_json("/apis").get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("version")
        if preferred:
            yield from _kinds_of(api, group["name"], preferred, f"/apis/{group['name']}/{preferred}")


def _kinds_of(api: Api, group: str, version: str, path: str) -> Iterator[_Kind]:
    for found in api.get_json(path).get("resources") or ():
        if "/" not in found["name"] and {"list", "patch"} <= set(found.get("verbs") or ()):
            kind = _Kind(found["name"], group, version, found["kind"], bool(found.get("namespaced")))
            if kind.name not in _NEVER and not _DISTRIBUTION_GROUPS.fullmatch(f".{group}"):
                yield kind


def _in_order(kinds: Iterator[_Kind]) -> list[_Kind]:
    place = {name: number for number, name in enumerate(_ORDER)}
    return sorted(kinds, key=lambda kind: (place.get(kind.name, len(_ORDER)), kind.name))


def _items(api: Api, kind: _Kind) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        more = {"continue": token} if token else {}
        page = api.get_json(f"{kind.base}/{kind.plural}", limit=_PAGE, **more)
        yield from page.get("items") or ()
        token = (page.get("metadata") or {}).get("continue") or ""
        if not token:
            return


def _is_made_by_people(kind: _Kind, item: Mapping[str, Any]) -> bool:
    metadata = item["metadata"]
    name, space = metadata["name"], metadata.get("namespace")
    labels = metadata.get("labels") or {}
    if (
        metadata.get("ownerReferences")
        or metadata.get("deletionTimestamp")
        or any(label in labels for label in _DISTRIBUTION_LABELS)
    ):
        return False
    if space is not None and _SYSTEM_NAMESPACES.fullmatch(space):
        return False
    match kind.name:
        case "namespaces":
            return name != "default" and not _SYSTEM_NAMESPACES.fullmatch(name)
        case "serviceaccounts":
            return bool(name != "default")
        case "configmaps":
            return bool(name != "kube-root-ca.crt")
        case "services":
            return (space, name) != ("default", "kubernetes")
        case "secrets":
            return not str(item.get("type", "")).startswith(("kubernetes.io/service-account-token", "bootstrap.kubernetes.io"))
        case "customresourcedefinitions.apiextensions.k8s.io":
            return not _DISTRIBUTION_GROUPS.fullmatch(f".{item['spec']['group']}")
        case "priorityclasses.scheduling.k8s.io":
            return not name.startswith("system-")
    if kind.namespaced:
        return True
    return not name.startswith(
        ("system:", "kube-", "k3s", "kubeadm:", "cluster-admin", "local-path", "azure-arc", "aksedge")
    ) and name not in (
        "admin",
        "edit",
        "view",
    )


def _portable(kind: _Kind, item: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what only its own cluster knows."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _SERVER_FIELDS}
    annotations = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in _SERVER_ANNOTATIONS and not key.startswith(("pv.kubernetes.io/", "volume."))
    }
    if annotations:
        metadata["annotations"] = annotations
    rest = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    version = f"{kind.group}/{kind.version}" if kind.group else kind.version
    spec = rest.get("spec")
    if isinstance(spec, Mapping):
        dropped: Sequence[str] = ()
        if kind.name == "services":
            # A headless service says so in clusterIP; every other address is the cluster's own choice.
            headless = spec.get("clusterIP") == "None"
            dropped = ("healthCheckNodePort",) if headless else ("clusterIP", "clusterIPs", "healthCheckNodePort")
        elif kind.name == "persistentvolumeclaims":
            dropped = ("volumeName",)
        elif kind.name == "pods":
            dropped = ("nodeName", "serviceAccount")
        elif kind.name == "namespaces":
            dropped = ("finalizers",)
        rest["spec"] = {key: value for key, value in spec.items() if key not in dropped}
        if kind.name == "jobs.batch":
            _forget_the_uid(rest["spec"])
    if kind.name == "namespaces":
        (metadata.get("labels") or {}).pop("kubernetes.io/metadata.name", None)
    return {"apiVersion": version, "kind": kind.kind, "metadata": metadata, **rest}


def _forget_the_uid(spec: dict[str, Any]) -> None:
    """A job's selector and labels name its old self, unless somebody chose them."""
    if spec.get("manualSelector"):
        return
    spec.pop("selector", None)
    template = json.loads(json.dumps(spec.get("template") or {}))
    labels = (template.get("metadata") or {}).get("labels") or {}
    for label in ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"):
        labels.pop(label, None)
    spec["template"] = template


def _write(folder: Path, number: int, kind: _Kind, data: dict[str, Any]) -> SavedFile:
    metadata = data["metadata"]
    parts = [kind.plural, metadata.get("namespace"), metadata["name"]]
    name = f"{number:04}-{re.sub(r'[^A-Za-z0-9.-]', '_', '-'.join(part for part in parts if part))[:120]}.json"
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / name, text)
    return SavedFile(
        file=name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        path=kind.path_of(data),
        kind=kind.kind,
        namespace=metadata.get("namespace"),
        name=metadata["name"],
    )
