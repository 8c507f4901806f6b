"""ansible-core's psrp connection, unmodified: ``ansible.builtin.raw`` sends script text, which the device runs or refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def raw(interop: Any, tmp_path: Path) -> Any:
    """Runs one ad-hoc task of ansible.builtin.raw."""

    def run(command: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        device = interop.device
        hosts = {
            "ansible_connection": "ansible.builtin.psrp",
            "ansible_host": device.address,
            "ansible_port": device.http_port,
            "ansible_user": device.username,
            "ansible_password": interop.password,
            "ansible_psrp_protocol": "http",
            "ansible_psrp_auth": "negotiate",
            **variables,
        }
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"press-01": hosts}}}), encoding="utf-8")
        return interop.run("ansible", "press-01", "-i", str(inventory), "-m", "ansible.builtin.raw", "-a", command)

    return run


def test_a_cmdlet_of_the_product_runs(raw: Any) -> None:
    done = raw("New-AksEdgeConfig -DeploymentType SingleMachineCluster -NodeType Linux | ConvertTo-Json -Depth 8")
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, body = done.stdout.partition(">>")
    assert head.startswith("press-01 | CHANGED | rc=0")
    assert json.loads(body)["DeploymentType"] == "SingleMachineCluster"


def test_https_and_a_client_certificate_work_as_well(raw: Any, interop: Any) -> None:
    files = interop.sandbox.client_certificate("press-01")
    done = raw(
        "Get-Command -Name New-AksEdgeDeployment | Select-Object -ExpandProperty Name",
        ansible_port=interop.device.https_port,
        ansible_psrp_protocol="https",
        ansible_psrp_ca_cert=str(interop.device.ca_file),
        ansible_psrp_auth="certificate",
        ansible_psrp_certificate_pem=str(files.certificate_file),
        ansible_psrp_certificate_key_pem=str(files.key_file),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[1:] == ["New-AksEdgeDeployment"]


def test_an_error_of_a_cmdlet_is_a_failed_task(raw: Any) -> None:
    done = raw("Get-AksEdgeNodeName")
    assert done.returncode == 2
    assert "FAILED | rc=1" in done.stdout
    assert "FullyQualifiedErrorId" in done.stdout


def test_more_language_than_the_device_has_is_refused_in_powershells_words(raw: Any) -> None:
    done = raw("if ($true) { Get-AksEdgeNodeName }")
    assert done.returncode == 2
    assert "The syntax is not supported by this runspace" in done.stdout


def test_wrong_credentials_make_the_host_unreachable(raw: Any) -> None:
    done = raw("Get-Command", ansible_password="wrong")
    assert done.returncode == 4
    assert "UNREACHABLE!" in done.stdout
    assert "Failed to authenticate the user" in done.stdout
