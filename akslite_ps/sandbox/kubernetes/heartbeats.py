"""The life signs of nodes: leases and condition heartbeats; and the end of old events.

Written when somebody looks, never in between, so that an idle cluster costs nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.nodes import address_of, beat
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, micro_timestamp, parse_timestamp
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.store import Change

_LEASE_NAMESPACE = "kube-node-lease"
_LEASE_INTERVAL = dt.timedelta(seconds=10)
_STATUS_INTERVAL = dt.timedelta(minutes=5)
_EVENT_LIFE = dt.timedelta(hours=1)


class HeartbeatController:
    """The kubelets' life signs."""

    watches = frozenset({"nodes"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """A node that joined or left."""
        return (change.key,) if change.kind != "MODIFIED" or change.before is None else ()

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Renew the node's lease and, less often, its conditions."""
        node = state.store.get(key)
        if node is None:
            state.store.remove(ObjectKey(resources.LEASES.resource, _LEASE_NAMESPACE, key.name))
            return None
        if not address_of(node) or key.name in state.silent_nodes:
            return None
        # A long sleep is caught up in one step, not in one step per interval slept through.
        moment = state.horizon
        self._renew(node, moment, state)
        conditions = node["status"].get("conditions") or ()
        beats = [parse_timestamp(item["lastHeartbeatTime"]) for item in conditions if "lastHeartbeatTime" in item]
        if not beats or moment - min(beats) >= _STATUS_INTERVAL:
            beat(node, moment)
            state.put(resources.NODES, node)
        self._forget_events(moment, state)
        return moment + _LEASE_INTERVAL

    def _renew(self, node: Object, moment: dt.datetime, state: ClusterState) -> None:
        name = node["metadata"]["name"]
        lease = state.get(resources.LEASES, name, _LEASE_NAMESPACE)
        if lease is not None:
            lease["spec"]["renewTime"] = micro_timestamp(moment)
            state.put(resources.LEASES, lease)
            return
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
        state.add(
            resources.LEASES,
            {
                "metadata": {"name": name, "namespace": _LEASE_NAMESPACE, "ownerReferences": [owner]},
                "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": micro_timestamp(moment)},
            },
        )

    def _forget_events(self, moment: dt.datetime, state: ClusterState) -> None:
        for event in list(state.store.objects("events")):
            last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if moment - parse_timestamp(last) > _EVENT_LIFE:
                state.remove(resources.EVENTS, event)
