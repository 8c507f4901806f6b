"""Staging updates and setting up the Azure side of a running sandbox, by its control channel and by the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from akslite_ps import sandbox as public
from akslite_ps.cli.sandbox import app
from akslite_ps.errors import UsageError
from akslite_ps.home import sandbox_dir
from akslite_ps.sandbox.control import ControlServer

if TYPE_CHECKING:
    from conftest import Bench


@pytest.fixture
async def controlled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A device in a sandbox that listens to commands, which is this user's."""
    monkeypatch.setattr("akslite_ps.cli.sandbox.sandbox_dir", lambda: bench.sandbox.directory)
    monkeypatch.setattr("akslite_ps.cli.sandbox_azure.sandbox_dir", lambda: bench.sandbox.directory)
    server = ControlServer(bench.sandbox, pid=1, stop=lambda: None)
    await server.start()
    try:
        yield bench
    finally:
        await server.stop()


async def akslite(*arguments: str) -> Result:
    """The command in another thread, while the sandbox goes on in this one."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def told(*arguments: str) -> Any:
    """The JSON document that a command prints."""
    result = await akslite(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_an_update_is_staged_by_command(controlled: Bench, with_release: Callable[..., Awaitable[None]]) -> None:
    await with_release(controlled, "AksEdge-K3s-1.30.6-1.10.868.0.msi")
    await told("stage-update", "press-01")
    by_version = await asyncio.to_thread(public.stage_update, controlled.sandbox.directory, "press-01", "1.11")

    staged = controlled.device.state.staged_update
    assert staged is not None
    assert staged.version == "1.11.230.0"
    assert by_version.devices[0].name == "press-01"


async def test_what_microsoft_update_would_not_offer_is_refused_with_the_way_out(
    controlled: Bench, with_release: Callable[..., Awaitable[None]]
) -> None:
    await with_release(controlled, "AksEdge-K3s-1.30.6-1.10.868.0.msi")
    with pytest.raises(UsageError, match=r"does not offer 1\.12\.269\.0") as refused:
        await asyncio.to_thread(public.stage_update, controlled.sandbox.directory, "press-01", "1.12")

    assert "--by-hand" in str(refused.value.next_action)
    await told("stage-update", "press-01", "1.12", "--by-hand")
    assert controlled.device.state.staged_update is not None


async def test_access_is_granted_and_its_secret_stays_in_a_file(controlled: Bench) -> None:
    section = await told("azure", "grant", "--resource-group", "plant", "--role", "Contributor")
    overview = await told("azure", "status")

    secret = _secret_of(section)
    assert len(secret) == 40
    assert secret not in json.dumps(section) + json.dumps(overview)
    assert overview["service_principals"] == [
        {"client_id": section["ClientId"], "tenant": section["TenantId"], "roles": ["Contributor"], "expires_at": None}
    ]
    assert overview["resource_groups"][0]["name"] == "plant"
    shown = await akslite("azure", "status")
    assert section["ClientId"] in shown.output


async def test_a_connected_cluster_is_shown_and_can_be_deleted_behind_the_devices_back(controlled: Bench) -> None:
    await controlled.prepare()
    assert await controlled.deploy() == "OK"
    section = await told("azure", "grant")
    secret = _secret_of(section)
    config = json.dumps({"Arc": {**section, "ClientSecret": secret, "ClusterName": "press"}})
    assert await controlled.one("Connect-AksEdgeArc", JsonConfigString=config) == "OK"

    overview = await told("azure", "status")
    shown = overview["clusters"][0]
    assert (shown["name"], shown["device"], shown["resource_group"]) == ("press", "press-01", "edge")
    after = await told("azure", "delete", shown["id"])
    assert after["clusters"] == []
    assert await controlled.one("Test-AksEdgeArcConnection") is False


async def test_a_role_that_does_not_exist_is_refused(controlled: Bench) -> None:
    result = await akslite("azure", "grant", "--role", "King")

    assert result.exit_code != 0
    assert isinstance(result.exception, UsageError)


def test_without_a_sandbox_the_commands_say_how_to_start_one() -> None:
    with pytest.raises(UsageError, match="does not run"):
        public.azure_overview(sandbox_dir())


def _secret_of(section: dict[str, str]) -> str:
    return Path(section["ClientSecret"].removeprefix("file:")).read_text(encoding="utf-8")
