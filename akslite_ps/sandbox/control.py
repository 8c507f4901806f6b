"""The control channel of a running sandbox: a small HTTP server on 127.0.0.1 and its client.

Served by the sandbox's process, used by ``sandbox.process`` for ``up``, ``status``, ``down`` and faults. The port
and a random token stand in a file of the sandbox's folder; whoever can read the folder may control the devices.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.sandbox.description import SandboxDevice, SandboxStatus
from akslite_ps.sandbox.device.arc import overview
from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.device.state import EngineName
from akslite_ps.sandbox.device.store import write_private
from akslite_ps.sandbox.device.updates import stage
from akslite_ps.sandbox.supervisor import Sandbox

CONTROL_FILE = "control.json"
_HOST = "127.0.0.1"


class ControlAddress(BaseModel):
    """Where a running sandbox listens; the content of the control file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    port: int
    token: str


def read_address(directory: Path) -> ControlAddress | None:
    """The control file of a folder, None where there is none (or only half of one)."""
    try:
        return ControlAddress.model_validate_json((directory / CONTROL_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


class ControlServer:
    """Serves the control channel of a sandbox.

    Args:
        sandbox: The running sandbox.
        pid: The process to name.
        stop: Called when somebody asks the sandbox to stop.
    """

    def __init__(self, sandbox: Sandbox, *, pid: int, stop: Callable[[], None]) -> None:
        self._sandbox = sandbox
        self._pid = pid
        self._stop = stop
        self._token = secrets.token_urlsafe(32)
        self._growing = asyncio.Lock()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen, then write the control file: who finds the file finds a sandbox that is ready."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/status", self._status),
                web.post("/grow", self._grow),
                web.post("/stop", self._stop_sandbox),
                web.post("/devices/{name}/faults", self._add_fault),
                web.delete("/devices/{name}/faults", self._clear_faults),
                web.post("/devices/{name}/reboot", self._reboot),
                web.post("/devices/{name}/hardware", self._change_hardware),
                web.post("/devices/{name}/update", self._stage_update),
                web.get("/azure", self._azure),
                web.post("/azure/access", self._grant_access),
                web.delete("/azure/clusters", self._delete_cluster),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, 0)
        await site.start()
        port = int(self._runner.addresses[0][1])
        address = ControlAddress(pid=self._pid, port=port, token=self._token)
        beside = self._file.with_name(CONTROL_FILE + ".new")
        write_private(beside, address.model_dump_json())
        beside.replace(self._file)

    async def stop(self) -> None:
        self._file.unlink(missing_ok=True)
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def _file(self) -> Path:
        return self._sandbox.directory / CONTROL_FILE

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            refusal = UsageError("the token is wrong", attempted="control the sandbox")
            return web.json_response(refusal.to_dict(), status=HTTPStatus.UNAUTHORIZED)
        try:
            response: web.StreamResponse = await handler(request)
        except AksLiteError as error:
            return web.json_response(error.to_dict(), status=HTTPStatus.BAD_REQUEST)
        return response

    def _device(self, request: web.Request) -> SimulatedDevice:
        name = request.match_info["name"]
        device = self._sandbox.devices.get(name)
        if device is None:
            known = ", ".join(self._sandbox.devices) or "none"
            raise UsageError(f"the sandbox has no device {name!r}", next_action=f"its devices are: {known}")
        return device

    def _answer(self) -> web.Response:
        devices = [device.to_dict() for device in self._sandbox.describe()]
        return web.json_response({"pid": self._pid, "speed": self._sandbox.pace.speed, "devices": devices})

    async def _status(self, _request: web.Request) -> web.Response:
        return self._answer()

    async def _grow(self, request: web.Request) -> web.Response:
        asked = await request.json()
        async with self._growing:
            self._sandbox.pace.speed = float(asked["speed"])
            self._sandbox.choose(
                name_prefix=asked["name_prefix"],
                address_base=asked["address_base"],
                free_ports=bool(asked["free_ports"]),
                engine=asked["engine"],
                listen=asked.get("listen"),
                confirmed_exposure=asked.get("confirmed_exposure"),
            )
            await self._sandbox.grow(int(asked["devices"]))
        return self._answer()

    async def _stop_sandbox(self, _request: web.Request) -> web.Response:
        self._stop()
        return self._answer()

    async def _add_fault(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self._device(request).add_fault(asked["name"], **asked.get("how", {}))
        return self._answer()

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._device(request).clear_faults(request.query.get("name"))
        return self._answer()

    async def _change_hardware(self, request: web.Request) -> web.Response:
        self._device(request).change_hardware(**await request.json())
        return self._answer()

    async def _stage_update(self, request: web.Request) -> web.Response:
        asked = await request.json()
        stage(self._device(request), asked.get("version"), by_hand=bool(asked.get("by_hand")))
        return self._answer()

    async def _azure(self, _request: web.Request) -> web.Response:
        return web.json_response(overview(self._sandbox.azure, self._sandbox.devices.values()))

    async def _grant_access(self, request: web.Request) -> web.Response:
        access = self._sandbox.azure.grant_access(**await request.json())
        return web.json_response(access.to_dict())

    async def _delete_cluster(self, request: web.Request) -> web.Response:
        self._sandbox.azure.forget_cluster(request.query["id"])
        return await self._azure(request)

    async def _reboot(self, request: web.Request) -> web.Response:
        self._device(request).begin_reboot()
        return self._answer()


class ControlClient:
    """Talks to a running sandbox.

    Args:
        directory: The sandbox's folder.
        address: From the folder's control file.
        timeout_s: Seconds to wait for an answer.
    """

    def __init__(self, directory: Path, address: ControlAddress, *, timeout_s: float = 10.0) -> None:
        self._directory = directory
        self._address = address
        self._timeout = timeout_s
        # A proxy of the environment must not see, or break, what goes to this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def pid(self) -> int:
        """The sandbox's process."""
        return self._address.pid

    def status(self) -> SandboxStatus:
        """The sandbox and its devices.

        Raises:
            OSError: Nobody answers there.
        """
        return self._call("GET", "/status")

    def grow(
        self,
        *,
        devices: int,
        speed: float,
        name_prefix: str,
        address_base: str,
        free_ports: bool,
        engine: EngineName,
        listen: str | None = None,
        confirmed_exposure: str | None = None,
    ) -> SandboxStatus:
        """Have at least this many devices, at this speed."""
        asked = {
            "devices": devices,
            "speed": speed,
            "name_prefix": name_prefix,
            "address_base": address_base,
            "free_ports": free_ports,
            "engine": engine,
            "listen": listen,
            "confirmed_exposure": confirmed_exposure,
        }
        return self._call("POST", "/grow", asked)

    def stop(self) -> SandboxStatus:
        """Ask the sandbox to stop; it answers before it does."""
        return self._call("POST", "/stop")

    def add_fault(self, device: str, fault: str, how: dict[str, Any]) -> SandboxStatus:
        """Switch a fault on."""
        return self._call("POST", f"/devices/{device}/faults", {"name": fault, "how": how})

    def clear_faults(self, device: str, fault: str | None) -> SandboxStatus:
        """Switch one fault off, or all."""
        return self._call("DELETE", f"/devices/{device}/faults" + (f"?name={fault}" if fault else ""))

    def reboot(self, device: str) -> SandboxStatus:
        """Restart a device unannounced; answers before it is down."""
        return self._call("POST", f"/devices/{device}/reboot")

    def change_hardware(self, device: str, changes: dict[str, Any]) -> SandboxStatus:
        """Make a device's host another one."""
        return self._call("POST", f"/devices/{device}/hardware", changes)

    def stage_update(self, device: str, version: str | None, *, by_hand: bool) -> SandboxStatus:
        """Let the files of an update arrive on a device."""
        return self._call("POST", f"/devices/{device}/update", {"version": version, "by_hand": by_hand})

    def azure_overview(self) -> dict[str, Any]:
        """What the simulated Azure side knows."""
        return self._ask("GET", "/azure")

    def grant_azure_access(self, resource_group: str, location: str, roles: Sequence[str]) -> dict[str, Any]:
        """Make a service principal; names the file with its secret."""
        asked = {"resource_group": resource_group, "location": location, "roles": list(roles)}
        return self._ask("POST", "/azure/access", asked)

    def delete_azure_cluster(self, resource_id: str) -> dict[str, Any]:
        """Delete a connected cluster in Azure, as its owner."""
        return self._ask("DELETE", f"/azure/clusters?id={urllib.parse.quote(resource_id, safe='')}")

    def _call(self, method: str, path: str, body: Any = None) -> SandboxStatus:
        data = self._ask(method, path, body)
        return SandboxStatus(
            True, data["pid"], data["speed"], self._directory, tuple(SandboxDevice.from_dict(device) for device in data["devices"])
        )

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://{_HOST}:{self._address.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._address.token}", "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                data: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error) from None
        return data


def _refusal(error: urllib.error.HTTPError) -> AksLiteError:
    try:
        data = json.loads(error.read())
        kind = UsageError if data.get("error") == UsageError.__name__ else AksLiteError
        return kind(
            data["message"], device=data.get("device"), attempted=data.get("attempted"), next_action=data.get("next_action")
        )
    except (ValueError, KeyError):
        return AksLiteError(
            f"the sandbox answered HTTP {error.code}",
            attempted="control the sandbox",
            next_action="look into sandbox.log in its folder, or stop and start it: akslite sandbox down, akslite sandbox up",
        )
