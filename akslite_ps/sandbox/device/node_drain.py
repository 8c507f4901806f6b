"""Draining the nodes of a machine, as Set-AksEdgeNodeToDrain does: cordon, then evict until nothing is left or the time is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.product_log import ProductLog
from akslite_ps.sandbox.device.state import Node

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.kubernetes.cluster import SimulatedCluster

_CLUSTER_POLL_S = 0.05


class DrainFailed(Exception):
    """Ends the drain with this text; the node stays cordoned."""


async def drain(device: SimulatedDevice, node: Node, console: Console, *, timeout_s: float, forced: bool) -> None:
    """Drain one node.

    Args:
        device: Its machine.
        node: The node.
        console: The streams of the running cmdlet.
        timeout_s: How long to wait for the pods to go, in device seconds.
        forced: Also delete pods that nothing makes anew, and those with local data.

    Raises:
        DrainFailed: The cluster does not answer, pods hold the drain up, or the time was over before they were gone.
    """
    log = ProductLog(device, console)
    cluster = _running(device)
    log.say(f"Draining node {node.name}")
    if node.name not in cluster.node_names():
        raise DrainFailed(f'nodes "{node.name}" not found')
    cluster.cordon(node.name)
    log.detail(f"node/{node.name} cordoned")
    obstacles = [] if forced else cluster.drain_obstacles(node.name)
    if obstacles:
        raise DrainFailed(f"{assumptions.NOT_DRAINED} {node.name}: " + "; ".join(obstacles))
    waited = 0.0
    while True:
        progress = _running(device).drain_step(node.name)
        for pod in progress.evicted:
            log.detail(f"evicting pod {pod}")
        if not progress.left:
            break
        if len(progress.left) == progress.ending and device.cluster.is_node_up(node.kind):
            # These end by themselves, and by the cluster's calendar, which no speed shortens.
            await asyncio.sleep(_CLUSTER_POLL_S)
            continue
        if waited >= timeout_s:
            refused = "; ".join(f"{pod}: {why}" for pod, why in progress.refused) or ", ".join(progress.left)
            raise DrainFailed(f"{assumptions.NOT_DRAINED} {node.name}: {refused}")
        pause = min(assumptions.DRAIN_POLL_SECONDS, timeout_s - waited)
        await device.clock.sleep(pause)
        waited += pause
    log.detail(f"node/{node.name} drained")
    device.cluster.save()


def _running(device: SimulatedDevice) -> SimulatedCluster:
    cluster = device.cluster.cluster
    if cluster is None:
        raise DrainFailed(assumptions.CLUSTER_UNREACHABLE)
    return cluster
