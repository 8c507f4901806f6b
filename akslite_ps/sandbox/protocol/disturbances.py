"""What the faults of the transport do to one request: cut it off, drop its session, hold back or lose its reply.

Asked by ``protocol.winrm`` around each request. Which faults strike, and when, the device decides (``engine.HostedDevice.strike``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from akslite_ps.sandbox.engine import HostedDevice
from akslite_ps.sandbox.protocol import wsman
from akslite_ps.sandbox.protocol import wsman_faults as faults
from akslite_ps.sandbox.protocol.connection_reset import reset
from akslite_ps.sandbox.protocol.shell_service import ShellService

_Parameters = Mapping[str, str | int | float | bool]

_MOMENTS: Mapping[type, str] = MappingProxyType(
    {
        wsman.Create: "create",
        wsman.Command: "command",
        wsman.Send: "send",
        wsman.Receive: "receive",
        wsman.Signal: "signal",
        wsman.Delete: "delete",
        wsman.Disconnect: "disconnect",
        wsman.Reconnect: "reconnect",
        wsman.Connect: "connect",
        wsman.EnumerateShells: "enumerate",
        wsman.EnumerateCommands: "enumerate",
    }
)
_LOG_ON = "log-on"
_CUT_WHILE_WAITING_S = 0.05
_LOOK_AGAIN_S = 0.05


class ConnectionCut(Exception):
    """The connection was cut: there is no way for a reply."""


class RequestDropped(Exception):
    """The request is answered with this HTTP status and nothing else."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def moment_of(operation: wsman.Operation | None) -> str:
    """An operation in the words of the fault switch; None stands for a log-on."""
    return _LOG_ON if operation is None else _MOMENTS.get(type(operation), "get")


class Disturbance:
    """The faults that strike one request.

    Args:
        device: Decides what strikes.
        shells: Its shells.
        request: The request; its connection is what gets cut.
    """

    def __init__(self, device: HostedDevice, shells: ShellService, request: web.BaseRequest) -> None:
        self._device = device
        self._shells = shells
        self._request = request
        self._struck: Mapping[str, _Parameters] = {}
        self._cut: asyncio.TimerHandle | None = None

    def before_work(self, operation: wsman.Operation | None) -> None:
        """Let strike what strikes before anything is done for the request.

        Args:
            operation: What the request asks for; None for a log-on.

        Raises:
            ConnectionCut: The connection is gone.
            RequestDropped: The request is not looked at.
            WSManFault: It is refused.
        """
        self._struck = self._device.strike(moment_of(operation))
        if not self._struck:
            return
        shell_id = getattr(operation, "shell_id", None)
        where = self._parameter("tcp-reset", "where")
        if where == "request":
            self._reset()
            raise ConnectionCut
        if "idle-drop" in self._struck:
            if shell_id is not None:
                self._shells.put_aside(shell_id)
            raise RequestDropped(400)
        if "shell-gone" in self._struck and shell_id is not None:
            self._shells.drop(shell_id)
        if "command-quota" in self._struck:
            raise faults.too_many_commands()
        if where == "wait":
            self._cut = asyncio.get_running_loop().call_later(_CUT_WHILE_WAITING_S, self._reset)

    async def send(self, response: web.Response) -> web.StreamResponse:
        """Send the reply of a request that was worked on, or what the faults leave of it.

        Raises:
            ConnectionCut: It was lost with the connection.
        """
        if self._cut is not None:
            self._cut.cancel()
        if not self._struck:
            return response
        seconds = self._parameter("slow-reply", "seconds")
        if seconds is not None:
            await asyncio.sleep(float(seconds))
        how = self._parameter("lost-reply", "how")
        if how == "silent":
            await self._silence()
        if how is not None:
            self._reset()
            raise ConnectionCut
        if "half-reply" in self._struck:
            return await self._send_half(response, resets=False)
        if self._parameter("tcp-reset", "where") == "reply":
            return await self._send_half(response, resets=True)
        return response

    def _parameter(self, fault: str, name: str) -> str | int | float | bool | None:
        return self._struck[fault][name] if fault in self._struck else None

    async def _silence(self) -> None:
        """Until the client gives up."""
        # aiohttp tells nobody that a client left.
        while (transport := self._request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _send_half(self, response: web.Response, *, resets: bool) -> web.StreamResponse:
        body = response.body if isinstance(response.body, bytes) else b""
        if not body:
            self._reset()
            raise ConnectionCut
        half = web.StreamResponse(status=response.status, headers=response.headers)
        half.content_length = len(body)
        await half.prepare(self._request)
        await half.write(body[: len(body) // 2])
        transport = self._request.transport
        if resets:
            self._reset()
        elif transport is not None:
            transport.close()
        raise ConnectionCut

    def _reset(self) -> None:
        if self._request.transport is not None:
            reset([self._request.transport])
