"""The place where the devices of one sandbox stand: one network, with the clusters that several machines share.

Made by ``sandbox.supervisor``; asked by the deployments of its devices. Clusters of single machines are none of its business.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from akslite_ps.sandbox.device.cluster_record import ClusterFile
from akslite_ps.sandbox.device.served_cluster import ServedCluster

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice


class Site:
    """One network and the clusters on it.

    Args:
        folder: Where the shared clusters are kept; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._devices: dict[str, SimulatedDevice] = {}
        self._clusters: dict[str, ServedCluster] = {}

    def add_device(self, device: SimulatedDevice) -> None:
        """A device has been put up here."""
        self._devices[device.name] = device

    def file_of(self, cluster_id: str) -> ClusterFile:
        """Where a shared cluster is kept."""
        return ClusterFile(self._folder / f"{cluster_id}.json")

    def add_cluster(self, cluster: ServedCluster) -> None:
        """A shared cluster has been made."""
        self._clusters[cluster.record.cluster_id] = cluster

    def find_cluster(self, cluster_id: str, device: SimulatedDevice) -> ServedCluster | None:
        """The shared cluster that a device is a machine of, read from its file where nobody has asked before; None: it is gone."""
        known = self._clusters.get(cluster_id)
        if known is None and self.file_of(cluster_id).exists:
            known = ServedCluster.open(self.file_of(cluster_id), device)
            self.add_cluster(known)
        return known

    def forget_cluster(self, cluster_id: str) -> None:
        """A shared cluster is no more."""
        self._clusters.pop(cluster_id, None)

    def clusters_at(self, control_plane_address: str) -> list[ServedCluster]:
        """The clusters that answer at a control-plane address now."""
        return [
            cluster
            for cluster in self._clusters.values()
            if cluster.record.control_plane_address == control_plane_address and cluster.is_reachable
        ]

    def is_endpoint_taken(self, address: str, port: int) -> bool:
        """Whether a shared cluster has its API at this loopback address and port."""
        taken = {(cluster.record.endpoint_address, cluster.record.endpoint_port) for cluster in self._clusters.values()}
        return (address, port) in taken

    def host_at(self, address: str) -> str | None:
        """The name of the Windows host with this address. Node VMs do not answer a ping, so a look at the network finds none."""
        return next((device.name for device in self._devices.values() if address in device.hardware.ip4_addresses), None)

    def node_at(self, address: str, *, but: SimulatedDevice) -> str | None:
        """The name of another machine's node VM that runs at this address of the external network."""
        for device in self._devices.values():
            deployment = device.state.deployment
            if device is but or deployment is None or deployment.deployment_type != "ScalableCluster":
                continue
            for node in deployment.nodes:
                if node.address == address and device.cluster.is_node_up(node.kind):
                    return node.name
        return None
