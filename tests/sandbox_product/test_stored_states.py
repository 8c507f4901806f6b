"""Device and cluster files of earlier versions are read and brought up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from akslite_ps.sandbox.device.cluster_record import ClusterFile
from akslite_ps.sandbox.supervisor import Sandbox


async def test_a_device_file_of_the_first_version_is_read(deployed: Any, sandbox_on: Callable[..., Sandbox]) -> None:
    uid = next(iter(deployed.device.cluster.cluster.state.store.objects("nodes")))["metadata"]["uid"]
    await deployed.sandbox.stop()
    store = deployed.device.store
    stored = json.loads((store.folder / "device.json").read_text(encoding="utf-8"))
    deployment = stored["state"]["deployment"]
    (node,) = deployment.pop("nodes")
    kept = ("name", "address", "mac", "cpu_count", "memory_mb", "data_size_gb", "running")
    earlier = {key: deployment[key] for key in ("phase", "config", "network", "cluster_name", "service_addresses", "started_at")}
    earlier |= {"node": {key: node[key] for key in kept}, "arc_connected": True}
    state = {key: stored["state"][key] for key in ("boot_time", "power", "features", "openssh_client", "pending_reboot", "product")}
    state |= {"deployment": earlier, "files": {"c:\\a\\b.txt": "text"}}
    state["faults"] = [{"name": "reboot-during", "parameters": {"stage": "kubernetes"}, "remaining": 1}]
    (store.folder / "device.json").write_text(json.dumps({"version": 1, "spec": stored["spec"], "state": state}), encoding="utf-8")
    _, snapshot = ClusterFile(store.cluster_path).load()
    store.cluster_path.write_text(json.dumps(snapshot), encoding="utf-8")

    again = sandbox_on()
    await again.start()
    try:
        device = again.devices["press-01"]
        assert device.state.summary == "deployed"
        assert [(node.kind, node.control_plane) for node in device.state.deployment.nodes] == [("Linux", True)]
        assert device.state.deployment.arc is not None
        assert device.state.faults[0].at == "kubernetes"
        assert device.read_file("C:\\A\\B.txt") == "text"
        cluster = device.cluster.cluster
        assert cluster is not None
        assert next(iter(cluster.state.store.objects("nodes")))["metadata"]["uid"] == uid
    finally:
        await again.stop()
