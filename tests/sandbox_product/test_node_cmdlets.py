"""The cmdlets about nodes on one machine: draining, commands, files, connectivity, kubeconfig, tokens, KMS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from akslite_ps.aksedge import load_catalog
from akslite_ps.sandbox.kubernetes import resources

Machines = Callable[..., Awaitable[list[Any]]]


async def lines(bench: Any, command: str, **parameters: Any) -> list[str]:
    """What a command in the node prints."""
    recorded = await bench.run(("Invoke-AksEdgeNodeCommand", {"command": command, **parameters}))
    assert recorded.failed is None, recorded.failed
    return list(recorded.output)


async def test_commands_in_the_linux_node_tell_of_its_state(deployed: Any) -> None:
    assert await lines(deployed, "hostname") == ["press-01-ledge"]
    assert (await lines(deployed, "uname -a"))[0].startswith("Linux press-01-ledge 6.6")
    assert "ID=azurelinux" in await lines(deployed, "cat /etc/os-release")
    assert await lines(deployed, "whoami; sudo whoami") == ["aksedge-user", "root"]
    assert await lines(deployed, "nproc") == ["4"]
    assert any("inet 192.168.0.2/24" in line for line in await lines(deployed, "ip addr show eth0"))
    assert (await lines(deployed, "free -m"))[1].split()[1] == "4096"
    assert (await lines(deployed, "df -h /var"))[1].split()[1] == "20.0G"
    assert "load average" in (await lines(deployed, "uptime"))[0]
    assert "Active: active (running)" in " ".join(await lines(deployed, "systemctl status k3s"))
    assert await lines(deployed, "cat /proc/meminfo | grep MemTotal | wc -l") == ["1"]
    assert await lines(deployed, "test -d /etc && echo $HOSTNAME $(nproc) || echo no") == ["press-01-ledge 4"]


async def test_commands_in_the_linux_node_tell_of_its_cluster(deployed: Any) -> None:
    await deployed.wait_until(deployed.device.cluster.cluster.is_ready)
    nodes = await lines(deployed, "sudo kubectl get nodes")
    assert nodes[0].split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert nodes[1].split()[:2] == ["press-01-ledge", "Ready"]
    pods = await lines(deployed, "sudo k3s kubectl get pods -A --no-headers")
    containers = await lines(deployed, "sudo crictl ps")
    assert len(pods) == len(containers) - 1 == 3
    assert any("coredns" in line for line in containers)
    assert any("Started container" in line for line in await lines(deployed, "sudo journalctl -u k3s --no-pager -n 50"))


FAILING = [
    ("frobnicate", 127, "bash: line 1: frobnicate: command not found"),
    ("sudo frobnicate", 1, "sudo: frobnicate: command not found"),
    ("cat /nope", 1, "cat: /nope: No such file or directory"),
    ("cat /var/.eflow/config/k3s/k3s-config.yml", 1, "Permission denied"),
    ("ls /nope", 2, "ls: cannot access '/nope': No such file or directory"),
    ("echo x > /opt/x", 1, "bash: line 1: /opt/x: Read-only file system"),
    ("systemctl status nothing", 4, "Unit nothing.service could not be found."),
    ("kubectl get nodes", 1, "permission denied"),
    ("grep x /etc/hostname", 1, ""),
    ("echo 'open", 2, "unexpected EOF while looking for matching"),
    ("| wc", 2, "syntax error near unexpected token `|'"),
    ("top", 1, "TERM environment variable not set."),
]


async def test_a_failing_command_throws_unless_told_to_ignore_it(deployed: Any) -> None:
    runspace = deployed.open()
    for command, code, message in FAILING:
        recorded = await deployed.run_in(runspace, ("Invoke-AksEdgeNodeCommand", {"command": command}))
        ignored = await deployed.run_in(runspace, ("Invoke-AksEdgeNodeCommand", {"command": command, "ignoreError": True}))

        assert recorded.failed is not None, command
        assert message in recorded.failed.message, command
        assert f"exit code {code}" in recorded.failed.message, command
        assert ignored.failed is None, command
        assert message in "\n".join(ignored.output), command
        assert runspace.variables.get("LASTEXITCODE") == code, command


async def test_an_endless_command_goes_on_until_it_is_stopped(deployed: Any) -> None:
    running = asyncio.ensure_future(deployed.run(("Invoke-AksEdgeNodeCommand", {"command": "sudo journalctl -f"})))
    done, _ = await asyncio.wait([running], timeout=0.05)
    assert not done
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_files_are_copied_both_ways(deployed: Any) -> None:
    deployed.device.drive.write("C:\\Temp\\data.bin", bytes(range(256)))
    push = {"FromFile": "C:\\Temp\\data.bin", "ToFile": "/home/aksedge-user/data.bin", "PushFile": True}
    assert (await deployed.run(("Copy-AksEdgeNodeFile", push))).failed is None
    assert (await deployed.run(("Copy-AksEdgeNodeFile", "~/data.bin", "C:\\Back\\"))).failed is None
    assert (await deployed.run(("Copy-AksEdgeNodeFile", "/etc/hostname", "C:\\Back\\name.txt"))).failed is None

    assert deployed.device.drive.read("C:\\Back\\data.bin") == bytes(range(256))
    assert deployed.device.read_file("C:\\back\\NAME.txt") == "press-01-ledge\n"
    assert "data.bin" in await lines(deployed, "ls")
    assert (await lines(deployed, "cat data.bin | wc -c"))[0]
    await deployed.device.reboot()
    await deployed.wait_until(lambda: deployed.device.cluster.is_node_up("Linux"))
    assert "data.bin" in await lines(deployed, "ls ~")
    await lines(deployed, "rm data.bin")
    assert await lines(deployed, "ls") == []


REFUSED_COPIES: list[tuple[dict[str, Any], str]] = [
    ({"FromFile": "C:\\none", "ToFile": "/tmp/x", "PushFile": True}, "C:\\none: No such file or directory"),  # noqa: S108
    ({"FromFile": "C:\\f", "ToFile": "/opt/x", "PushFile": True}, "/opt/x: Read-only file system"),
    ({"FromFile": "C:\\f", "ToFile": "/var/lib/x", "PushFile": True}, "/var/lib/x: Permission denied"),
    ({"FromFile": "/none", "ToFile": "C:\\x"}, "/none: No such file or directory"),
    ({"FromFile": "/etc/rancher/k3s/k3s.yaml", "ToFile": "Q:\\x"}, "Q"),
]


async def test_a_copy_that_cannot_be_made_says_why(deployed: Any) -> None:
    deployed.device.drive.write("C:\\f", b"x")
    for parameters, message in REFUSED_COPIES:
        recorded = await deployed.run(("Copy-AksEdgeNodeFile", parameters))

        assert recorded.failed is not None, message
        assert message in recorded.failed.message


async def test_commands_and_files_need_a_running_node_and_ssh(deployed: Any) -> None:
    assert await deployed.one("Get-AksEdgeNodeConnectivityMode") == "On"
    await deployed.run(("Set-AksEdgeNodeConnectivityMode", "off"))
    assert await deployed.one("Get-AksEdgeNodeConnectivityMode") == "Off"
    assert (await deployed.run(("Invoke-AksEdgeNodeCommand", "uname"))).failed is not None
    await deployed.run(("Set-AksEdgeNodeConnectivityMode", "on"))
    assert await lines(deployed, "uname") == ["Linux"]
    await deployed.run("Stop-AksEdgeNode")
    await deployed.wait_until(lambda: not deployed.device.cluster.is_node_up("Linux"))
    assert (await deployed.run(("Invoke-AksEdgeNodeCommand", "uname"))).failed is not None
    windows = await deployed.run(("Invoke-AksEdgeNodeCommand", {"command": "ver", "NodeType": "Windows"}))
    assert windows.failed is not None
    assert "No Windows node" in windows.failed.message


async def test_a_drain_cordons_the_node_and_evicts_what_can_go(deployed: Any) -> None:
    cluster = deployed.device.cluster.cluster
    await deployed.wait_until(cluster.is_ready)
    assert (await deployed.run(("Set-AksEdgeNodeToDrain", {"Confirm": False}))).failed is None

    node = next(iter(cluster.state.store.objects("nodes")))
    assert node["spec"]["unschedulable"] is True
    phases = {pod["metadata"]["name"].rpartition("-")[0]: pod["status"]["phase"] for pod in cluster.state.store.objects("pods")}
    assert phases["kube-vip-ds"] == "Running"
    assert [phase for name, phase in phases.items() if name.startswith("coredns")] == ["Pending"]


async def test_a_pod_that_nothing_makes_anew_or_a_budget_holds_a_drain_up(deployed: Any) -> None:
    cluster = deployed.device.cluster.cluster
    await deployed.wait_until(cluster.is_ready)
    budget = {
        "metadata": {"name": "dns", "namespace": "kube-system"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}},
    }
    cluster.state.add(resources.DISRUPTION_BUDGETS, budget)
    cluster.control_plane.advance()
    held = await deployed.run(("Set-AksEdgeNodeToDrain", {"Confirm": False, "TimeoutSeconds": 20}))
    assert held.failed is not None
    assert "disruption budget" in held.failed.message
    cluster.state.remove(resources.DISRUPTION_BUDGETS, budget)
    pod = {
        "metadata": {"name": "lone", "namespace": "default"},
        "spec": {"nodeName": "press-01-ledge", "containers": [{"name": "c", "image": "i"}]},
        "status": {"phase": "Pending"},
    }
    cluster.state.add(resources.PODS, pod)
    lone = await deployed.run(("Set-AksEdgeNodeToDrain", {"Confirm": False}))
    assert lone.failed is not None
    assert "declare no controller" in lone.failed.message
    assert (await deployed.run(("Set-AksEdgeNodeToDrain", {"Force": True}))).failed is None
    assert "lone" not in {pod["metadata"]["name"] for pod in cluster.state.store.objects("pods")}


async def test_the_kubeconfig_overwrites_the_callers(deployed: Any) -> None:
    default = f"C:\\Users\\{deployed.device.spec.user}\\.kube\\config"
    fetched = deployed.device.read_file(default)
    assert f"https://{deployed.device.address}:" in fetched
    deployed.device.keep_file(default, "mine")
    deployed.device.keep_file("C:\\other\\config", "mine")
    assert (await deployed.run(("Get-AksEdgeKubeConfig", {"KubeConfigPath": "C:\\other", "Confirm": False}))).failed is None
    assert (deployed.device.read_file(default), deployed.device.read_file("C:\\other\\config")) == ("mine", fetched)
    assert (await deployed.run(("Get-AksEdgeKubeConfig", {"Confirm": False}))).failed is None
    assert deployed.device.read_file(default) == fetched
    assert (await deployed.one("Get-AksEdgeManagedServiceToken")).count(".") == 2


async def test_kms_is_repaired_where_it_was_chosen(machines: Machines) -> None:
    with_kms, without = await machines(2)
    assert await with_kms.deploy(SchemaVersion="1.15", Init__KmsPlugin={"Enable": True}) == "OK"
    assert await without.deploy(SchemaVersion="1.15") == "OK"

    assert (await with_kms.run("Repair-AksEdgeKms")).failed is None
    refused = await without.run("Repair-AksEdgeKms")
    assert refused.failed is not None
    assert "KMS plugin is not enabled" in refused.failed.message


async def test_every_current_cmdlet_is_there_and_superseded_ones_are_unknown(deployed: Any) -> None:
    for spec in load_catalog().current:
        assert deployed.open().find(spec.name).name == spec.name
    for name in ("Set-AksEdgeArcConnection", "Export-AksEdgeWorkerNodeConfig", "New-AksEdgeDeploymentConfig"):
        refused = await deployed.run(name)
        assert refused.failed is not None
        assert refused.failed.error_id.startswith("CommandNotFoundException")
