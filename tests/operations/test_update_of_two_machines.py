"""Updating a cluster of two machines: the product on both, then the nodes of one machine after the other."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Plan, apply, update
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device import updates
from akslite_ps.sandbox.device.state import InstalledProduct
from akslite_ps.secrets import SecretRef

SCALABLE = {
    "SchemaVersion": "1.15",
    "Version": "1.0",
    "DeploymentType": "ScalableCluster",
    "Init": {"ServiceIPRangeStart": "10.20.0.200", "ServiceIPRangeSize": 2},
    "Network": {
        "NetworkPlugin": "flannel",
        "ControlPlaneEndpointIp": "10.20.0.190",
        "Ip4GatewayAddress": "10.20.0.1",
        "Ip4PrefixLength": 24,
        "DnsServers": ["10.20.0.1"],
        "InternetDisabled": True,
    },
    "User": {"AcceptEula": True, "AcceptOptionalTelemetry": False},
    "Machines": [
        {
            "NetworkConnection": {"AdapterName": "Ethernet"},
            "LinuxNode": {"CpuCount": 4, "MemoryInMB": 4096, "DataSizeInGB": 20, "Ip4Address": "10.20.0.191"},
        }
    ],
}


def findings(plan: Plan) -> dict[str, str]:
    return {finding.check: finding.severity for finding in plan.findings}


def test_machines_are_updated_in_rounds(tmp_path: Path, journal: Journal, operator: Controller) -> None:
    with LocalSandbox(tmp_path / "sandbox", devices=2, speed=3000.0) as sandbox:
        product = InstalledProduct(
            distribution="K3s",
            version="1.10.868.0",
            kubernetes_version="1.30.6",
            install_dir="C:\\Program Files\\AksEdge",
            vhdx_dir="C:\\Program Files\\AksEdge",
            features=("CoreFeature",),
            installed_at=dt.datetime.now(dt.UTC),
        )

        async def install() -> None:
            for name in names:
                device = sandbox.device(name)
                device.update(product=product, features=dict.fromkeys(device.state.features, "Enabled"))

        async def stage() -> None:
            for name in names:
                sandbox.device(name).update(accepts_upgrade=True)
                updates.stage(sandbox.device(name))

        first, second = (
            Device(
                name=told.name,
                endpoint=Endpoint(
                    host=told.address,
                    port=told.http_port,
                    username=told.username,
                    password=SecretRef("file", str(told.password_file)),
                ),
            )
            for told in sandbox.devices
        )
        names = (first.name, second.name)
        sandbox.run(install())
        with Session.open(first) as one, Session.open(second) as other:
            assert AksEdge(one).new_deployment(json.dumps(SCALABLE)) == "OK"
            scale = AksEdge(one).new_scale_config("AddMachine", linux_node_ip="10.20.0.192").config
            assert AksEdge(other).new_deployment(scale.to_json(resolve=True, eula_accepted=True)) == "OK"
        sandbox.run(stage())

        def go(plan: Plan, device: Device) -> Outcome:
            return apply(plan, device, approved_hash=plan.hash, journal=journal, controller=operator).outcome

        assert findings(update.plan(first))["machines"] == "error"
        for device in (first, second):
            assert go(update.plan(device, part="product"), device) is Outcome.CHANGED
        assert findings(update.plan(second, part="nodes"))["cluster"] == "ok"
        for device, phase in ((first, update.CONTROL_PLANE), (second, update.WORKERS)):
            plan = update.plan(device, part="nodes")
            assert [step.id for step in plan.steps if step.needed and step.change] == [phase]
            assert go(plan, device) is Outcome.CHANGED

        assert all(sandbox.device(name).state.product_update is None for name in names)
        cluster = sandbox.device(names[0]).cluster.cluster
        assert cluster is not None
        versions = {node["status"]["nodeInfo"]["kubeletVersion"] for node in cluster.state.store.objects("nodes")}
        assert versions == {"v1.31.6+k3s1"}
