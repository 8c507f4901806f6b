"""What the product's own kubectl prints on a simulated device for ``get --all-namespaces -o json`` and ``get --raw /version``.

Called by ``commands.ops``. Reads the simulated cluster's objects as its API does; changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

VERSION = "Version"
NO_KUBECONFIG = (
    "Unable to connect to the server: dial tcp [::1]:8080: connectex: No connection could be made because the target machine "
    "actively refused it."
)


def complaint(device: SimulatedDevice) -> str | None:
    """Why kubectl cannot ask the cluster for the device's account without being told a kubeconfig; None where it can."""
    if device.fault("no-kubeconfig") is not None or device.drive.read(kubeconfig_path(device)) is None:
        return NO_KUBECONFIG
    if device.cluster.cluster is None:
        return f"Unable to connect to the server: dial tcp {device.address}:6443: connectex: No connection could be made."
    return None


def kubeconfig_path(device: SimulatedDevice) -> str:
    """Where the kubeconfig of the device's account is kept."""
    return f"C:\\Users\\{device.spec.user}\\.kube\\config"


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
