"""A cluster of two machines as a client meets it: typed calls over WinRM, kubectl's own way to the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import kubernetes
import pytest
import yaml

from akslite_ps.aksedge import AksEdge, ops
from akslite_ps.errors import CmdletFailed
from akslite_ps.remoting import Device, Endpoint, Session
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.secrets import SecretRef

if TYPE_CHECKING:
    from conftest import Kit


def endpoint_of(sandbox: LocalSandbox, name: str) -> Device:
    told = next(device for device in sandbox.devices if device.name == name)
    password = SecretRef("file", str(told.password_file))
    return Device(name=name, endpoint=Endpoint(host=told.address, port=told.http_port, username=told.username, password=password))


def test_two_machines_become_one_cluster_through_typed_calls(tmp_path: Path, kit: Kit) -> None:
    with LocalSandbox(tmp_path / "sandbox", devices=2, speed=5000) as sandbox:
        for name in ("press-01", "press-02"):
            sandbox.run(kit.install(sandbox.device(name)))
        with Session.open(endpoint_of(sandbox, "press-01")) as first, Session.open(endpoint_of(sandbox, "press-02")) as second:
            assert AksEdge(first).new_deployment(kit.scalable()) == "OK"
            config = AksEdge(first).new_scale_config("AddMachine", linux_node_ip="192.168.30.22").config
            with pytest.raises(CmdletFailed, match="EULA"):
                AksEdge(second).new_deployment(config.to_json(resolve=True))
            joining = json.loads(config.to_json(resolve=True, eula_accepted=True))
            assert AksEdge(second).new_deployment(json.dumps(joining)) == "OK"

            assert AksEdge(second).get_node_name() == "press-02-ledge"
            assert AksEdge(second).invoke_node_command("hostname -I") == ["192.168.30.22 "]
            kubeconfig = ops.kube_config(second)
            client = kubernetes.config.new_client_from_config_dict(yaml.safe_load(kubeconfig))
            nodes = kubernetes.client.CoreV1Api(client).list_node().items
            assert {node.metadata.name for node in nodes} == {"press-01-ledge", "press-02-ledge"}
            client.rest_client.pool_manager.clear()
            AksEdge(second).remove_deployment()
            AksEdge(first).remove_deployment()
