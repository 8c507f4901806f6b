"""The functions of AksLiteOps for ports that lead into the cluster, as commands of the simulated device.

Registered by ``commands.ops``. The rules are those of the real module: a firewall rule of ours shows that a port is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.sandbox.device import port_proxies
from akslite_ps.sandbox.device.state import PortProxy
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation
from akslite_ps.sandbox.engine import PsValue

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

_GROUP = "akslite-ps"
_INVALID = "System.InvalidOperationException"


def rule_name(address: str, port: int) -> str:
    """The name of the firewall rule that belongs to a port of ours."""
    return f"AksLite-Expose-{address}-{port}"


async def get_exposure(call: Call) -> PsValue:
    device = call.device
    rules = [rule.name for rule in port_proxies.find_rules(device, group=_GROUP)]
    return PsValue(
        {
            "Proxies": [_proxy(proxy, ours=_name(proxy) in rules) for proxy in device.state.port_proxies],
            "Rules": rules,
            "Listening": sorted({135, 445, 5040, 5985, 5986, *(proxy.listen_port for proxy in device.state.port_proxies)}),
            "HelperService": "Running",
        }
    )


async def add_exposure(call: Call) -> PsValue:
    device: SimulatedDevice = call.device
    address, port = call["ListenAddress"] or "0.0.0.0", call["ListenPort"]  # noqa: S104 - of a simulated device
    name = rule_name(address, port)
    there = port_proxies.find_proxy(device, address, port)
    if there is not None and not port_proxies.find_rules(device, group=_GROUP, name=name):
        call.fail(
            f"port {port} leads to {there.connect_address}:{there.connect_port} already, and not by us",
            "PortTaken",
            "ResourceExists",
            exception=_INVALID,
            target=port,
        )
    proxy = PortProxy(
        listen_address=address, listen_port=port, connect_address=call["ConnectAddress"], connect_port=call["ConnectPort"]
    )
    port_proxies.add_rule(device, name, _GROUP, port, call["RemoteAddress"] or ["LocalSubnet"])
    port_proxies.set_proxy(device, proxy)
    return _proxy(proxy)


async def remove_exposure(call: Call) -> bool:
    address, port = call["ListenAddress"] or "0.0.0.0", call["ListenPort"]  # noqa: S104 - of a simulated device
    name = rule_name(address, port)
    if not port_proxies.find_rules(call.device, group=_GROUP, name=name):
        return False
    port_proxies.delete_proxy(call.device, address, port)
    return port_proxies.remove_rules(call.device, name)


def _name(proxy: PortProxy) -> str:
    return rule_name(proxy.listen_address, proxy.listen_port)


def _proxy(proxy: PortProxy, **more: bool) -> PsValue:
    return PsValue(
        {
            "ListenAddress": proxy.listen_address,
            "ListenPort": proxy.listen_port,
            "ConnectAddress": proxy.connect_address,
            "ConnectPort": proxy.connect_port,
            **{name.capitalize(): value for name, value in more.items()},
        }
    )


RUN: dict[str, Implementation] = {
    "Add-AksLiteExposure": add_exposure,
    "Get-AksLiteExposure": get_exposure,
    "Remove-AksLiteExposure": remove_exposure,
}
