"""What the product's own kubectl prints on a simulated device for ``get --all-namespaces -o json`` and ``get --raw /version``.

Called by ``commands.ops``. Reads the simulated cluster's objects as its API does; changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

VERSION = "Version"


def get(cluster: SimulatedCluster, kind: str, namespace: str = "") -> str:
    """The objects of a kind as JSON, without managed fields, or the answer of ``/version``.

    Args:
        cluster: The running cluster.
        kind: A plural such as ``Pods`` or ``DaemonSets``, or ``Version``; case does not matter.
        namespace: Only what is in this namespace; empty: everything.

    Raises:
        LookupError: The cluster has no such kind.
    """
    from akslite_ps.sandbox.kubernetes.discovery import version_info
    from akslite_ps.sandbox.kubernetes.resources import find_type

    state = cluster.state
    if kind.casefold() == VERSION.casefold():
        return json.dumps(version_info(state.facts.version), ensure_ascii=False)
    found = find_type("", "v1", kind.lower()) or find_type("apps", "v1", kind.lower())
    if found is None:
        raise LookupError(f"the server doesn't have a resource type {kind.lower()!r}")
    cluster.control_plane.advance()
    items = list(state.store.objects(found.resource, namespace if found.namespaced else ""))
    for item in items:
        item["metadata"].pop("managedFields", None)
    listed = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    return json.dumps(listed, indent=4, sort_keys=True, ensure_ascii=False)
