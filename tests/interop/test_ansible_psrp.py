"""ansible-core's psrp connection, unmodified: ``ansible.builtin.raw`` sends script text, which the device runs or refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

CONFIG = "New-AksEdgeConfig -DeploymentType SingleMachineCluster -NodeType Linux | ConvertTo-Json -Depth 8"
NAME = "Get-Command -Name New-AksEdgeDeployment | Select-Object -ExpandProperty Name"
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "{{ command }}"
      register: result
      ignore_errors: true
      ignore_unreachable: true
    - ansible.builtin.debug:
        msg: "OUTCOME {{ {'host': inventory_hostname, 'result': result} | to_json }}"
"""


def inventory(folder: Path, interop: Any, hosts: Mapping[str, Mapping[str, Any]]) -> Path:
    """The device under several names, each with what is different about it."""
    device = interop.device
    common = {
        "ansible_connection": "ansible.builtin.psrp",
        "ansible_host": device.address,
        "ansible_port": device.http_port,
        "ansible_user": device.username,
        "ansible_password": interop.password,
        "ansible_psrp_protocol": "http",
        "ansible_psrp_auth": "negotiate",
    }
    path = folder / "inventory.json"
    path.write_text(json.dumps({"all": {"vars": common, "hosts": hosts}}), encoding="utf-8")
    return path


def test_a_cmdlet_of_the_product_runs(interop: Any, tmp_path: Path) -> None:
    hosts = inventory(tmp_path, interop, {"press-01": {}})
    done = interop.run("ansible", "press-01", "-i", str(hosts), "-m", "ansible.builtin.raw", "-a", CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, body = done.stdout.partition(">>")
    assert head.startswith("press-01 | CHANGED | rc=0")
    assert json.loads(body)["DeploymentType"] == "SingleMachineCluster"


@pytest.fixture(scope="module")
def outcomes(shared_interop: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What came of one play: the program starts slowly, so all other questions are asked at once."""
    folder = tmp_path_factory.mktemp("ansible")
    interop = shared_interop
    files = interop.sandbox.client_certificate("press-01")
    https = {
        "ansible_port": interop.device.https_port,
        "ansible_psrp_protocol": "https",
        "ansible_psrp_ca_cert": str(interop.device.ca_file),
    }
    certificate = {
        "ansible_psrp_auth": "certificate",
        "ansible_psrp_certificate_pem": str(files.certificate_file),
        "ansible_psrp_certificate_key_pem": str(files.key_file),
    }
    hosts = {
        "certificate": {"command": NAME, **https, **certificate},
        "basic": {"command": NAME, **https, "ansible_psrp_auth": "basic"},
        "restricted": {"command": NAME, "ansible_psrp_configuration_name": "AksLite.Viewer"},
        "failing": {"command": "Get-AksEdgeNodeName"},
        "language": {"command": "if ($true) { Get-AksEdgeNodeName }"},
        "password": {"command": NAME, "ansible_password": "wrong"},
    }
    play = folder / "play.yml"
    play.write_text(PLAY, encoding="utf-8")
    done = interop.run("ansible-playbook", "-i", str(inventory(folder, interop, hosts)), "-f", "8", str(play))
    assert done.returncode == 0, done.stdout + done.stderr
    messages = [json.loads(f"{{{line}}}")["msg"] for line in done.stdout.splitlines() if "OUTCOME " in line]
    told = [json.loads(message.removeprefix("OUTCOME ")) for message in messages]
    assert len(told) == len(hosts)
    return {each["host"]: each["result"] for each in told}


@pytest.mark.parametrize("way", ["certificate", "basic"])
def test_other_ways_to_log_on_work_as_well(outcomes: Mapping[str, Any], way: str) -> None:
    assert (outcomes[way]["rc"], outcomes[way]["stdout_lines"]) == (0, ["New-AksEdgeDeployment"])


def test_an_error_of_a_cmdlet_is_a_failed_task(outcomes: Mapping[str, Any]) -> None:
    failing = outcomes["failing"]
    assert (failing["failed"], failing["rc"]) == (True, 1)
    assert "FullyQualifiedErrorId" in failing["stderr"]


@pytest.mark.parametrize("where", ["language", "restricted"])
def test_more_language_than_there_is_is_refused_in_powershells_words(outcomes: Mapping[str, Any], where: str) -> None:
    assert outcomes[where]["rc"] == 1
    assert "The syntax is not supported by this runspace" in outcomes[where]["stderr"]


def test_wrong_credentials_make_the_host_unreachable(outcomes: Mapping[str, Any]) -> None:
    assert outcomes["password"]["unreachable"]
    assert "Failed to authenticate the user" in outcomes["password"]["msg"]
