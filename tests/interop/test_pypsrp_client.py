"""pypsrp's own ``Client``, unmodified: script text, a program of the command shell, and files, each with an honest answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pypsrp.client import Client
from pypsrp.exceptions import WSManFaultError


@pytest.fixture
def client(interop: Any) -> Any:
    device = interop.device
    with Client(
        device.address, port=device.http_port, ssl=False, username=device.username, password=interop.password, auth="negotiate"
    ) as client:
        yield client


def test_script_text_of_simple_commands_runs(client: Client) -> None:
    output, streams, had_errors = client.execute_ps("Get-Command -Name New-AksEdgeDeployment | Select-Object -ExpandProperty Name")
    assert (output, had_errors) == ("New-AksEdgeDeployment", False)
    assert not streams.error


def test_script_text_beyond_that_is_refused_in_powershells_words(client: Client) -> None:
    _, streams, had_errors = client.execute_ps("foreach ($i in 1..3) { $i }")
    assert had_errors
    assert "The syntax is not supported by this runspace" in str(streams.error[0])


def test_a_program_of_the_command_shell_is_a_fault_not_a_silence(client: Client) -> None:
    with pytest.raises(WSManFaultError) as caught:
        client.execute_cmd("hostname")
    assert caught.value.code is not None


def test_copying_a_file_by_script_is_refused(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "file.txt"
    source.write_text("content", encoding="utf-8")
    with pytest.raises(Exception, match="The syntax is not supported by this runspace"):
        client.copy(str(source), "C:\\temp\\file.txt")
