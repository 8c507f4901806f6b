"""evil-winrm-py, unmodified: an interactive shell over PSRP, on the administrators' endpoint and on a restricted one."""

from __future__ import annotations

import subprocess
from typing import Any


def shell(
    interop: Any, *lines: str, options: tuple[str, ...] = (), password: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Type lines into it and leave."""
    device = interop.device
    return interop.run(
        "evil-winrm-py",
        *("-i", device.address, "--port", str(device.http_port), "-u", device.username, "-p", password or interop.password),
        "--no-colors",
        *options,
        given="".join(f"{line}\n" for line in (*lines, "exit")),
    )


def test_a_cmdlet_of_the_product_runs_from_text(interop: Any) -> None:
    done = shell(interop, "New-AksEdgeConfig -DeploymentType SingleMachineCluster -NodeType Linux | ConvertTo-Json -Depth 8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"SingleMachineCluster"' in done.stdout


def test_its_prompt_shows_the_folder_of_the_session(interop: Any) -> None:
    done = shell(interop, "Get-Command -Name New-AksEdgeDeployment | Select-Object -ExpandProperty Name")
    assert "New-AksEdgeDeployment" in done.stdout
    assert "PS C:\\" in done.stdout


def test_on_a_restricted_endpoint_it_sends_commands_instead_of_text(interop: Any) -> None:
    done = shell(interop, "Get-Command -Name Get-AksEdgeNodeName", options=("-c", "AksLite.Viewer"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "JEA mode" in done.stdout
    assert "Get-AksEdgeNodeName" in done.stdout.partition("JEA mode")[2]


def test_a_restricted_endpoint_refuses_what_the_role_has_not(interop: Any) -> None:
    done = shell(interop, "Remove-AksEdgeDeployment -Force", options=("-c", "AksLite.Viewer"))
    assert "is not recognized" in done.stdout


def test_a_client_certificate_logs_it_on(interop: Any) -> None:
    files = interop.sandbox.client_certificate("press-01")
    device = interop.device
    done = interop.run(
        "evil-winrm-py",
        *("-i", device.address, "--port", str(device.https_port), "--ssl", "--no-colors"),
        *("--cert-pem", str(files.certificate_file), "--priv-key-pem", str(files.key_file)),
        given="Get-Command -Name New-AksEdgeDeployment | Select-Object -ExpandProperty Name\nexit\n",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "New-AksEdgeDeployment" in done.stdout


def test_wrong_credentials_end_it(interop: Any) -> None:
    done = shell(interop, password="wrong")
    assert done.returncode == 1
    assert "Failed to authenticate the user" in done.stdout
