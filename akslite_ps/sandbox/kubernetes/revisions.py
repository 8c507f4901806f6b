"""ControllerRevisions: the templates that a DaemonSet or StatefulSet has had, for roll-outs and roll-backs."""

from __future__ import annotations

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.deployments import template_hash
from akslite_ps.sandbox.kubernetes.objects import Object, controller_of, labels_of, name_of, namespace_of, owner_reference
from akslite_ps.sandbox.kubernetes.state import ClusterState

REVISION_LABEL = "controller-revision-hash"


def note_revision(owner: Object, state: ClusterState) -> str:
    """Record the owner's template as its newest revision, if it is not recorded yet.

    Returns:
        The template's hash.
    """
    template = owner["spec"]["template"]
    hashed = template_hash(template)
    name = f"{name_of(owner)}-{hashed}"
    known = revisions_of(owner, state)
    highest = max((item["revision"] for item in known), default=0)
    present = next((item for item in known if name_of(item) == name), None)
    if present is None:
        state.add(
            resources.CONTROLLER_REVISIONS,
            {
                "metadata": {
                    "name": name,
                    "namespace": namespace_of(owner),
                    "labels": {**labels_of({"metadata": template.get("metadata") or {}}), REVISION_LABEL: hashed},
                    "ownerReferences": [owner_reference(owner)],
                },
                "data": {"spec": {"template": {"$patch": "replace", **template}}},
                "revision": highest + 1,
            },
        )
    elif present["revision"] < highest:
        present["revision"] = highest + 1
        state.put(resources.CONTROLLER_REVISIONS, present)
    return hashed


def revisions_of(owner: Object, state: ClusterState) -> list[Object]:
    """The recorded revisions of an owner."""
    uid = owner["metadata"]["uid"]
    found = state.store.objects("controllerrevisions.apps", namespace_of(owner))
    return [item for item in found if (controller_of(item) or {}).get("uid") == uid]


def forget_revisions(owner: Object, used: set[str], state: ClusterState) -> None:
    """Drop the oldest revisions that no pod is of, down to the owner's limit."""
    idle = [item for item in revisions_of(owner, state) if labels_of(item).get(REVISION_LABEL) not in used]
    idle.sort(key=lambda item: int(item["revision"]))
    for item in idle[: max(0, len(idle) - owner["spec"].get("revisionHistoryLimit", 10))]:
        state.remove(resources.CONTROLLER_REVISIONS, item)
