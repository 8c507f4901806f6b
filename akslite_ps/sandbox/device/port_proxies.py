"""Port proxies and firewall rules of a simulated host: what netsh and the firewall's cmdlets change.

Called by the commands that stand for them, in both engines. A port proxy survives a restart, as on Windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from akslite_ps.sandbox.device.state import FirewallRule, PortProxy

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice


def find_proxy(device: SimulatedDevice, address: str, port: int) -> PortProxy | None:
    """The port proxy that listens there."""
    return next((p for p in device.state.port_proxies if (p.listen_address, p.listen_port) == (address, port)), None)


def set_proxy(device: SimulatedDevice, proxy: PortProxy) -> None:
    """Add a port proxy, in the place of one that listens there already."""
    delete_proxy(device, proxy.listen_address, proxy.listen_port)
    device.update(port_proxies=(*device.state.port_proxies, proxy))


def delete_proxy(device: SimulatedDevice, address: str, port: int) -> bool:
    """Delete the port proxy that listens there; False where there is none."""
    found = find_proxy(device, address, port)
    if found is not None:
        device.update(port_proxies=tuple(p for p in device.state.port_proxies if p != found))
    return found is not None


def find_rules(device: SimulatedDevice, *, group: str | None = None, name: str | None = None) -> list[FirewallRule]:
    """The firewall rules of a group, or of a name."""
    return [
        rule
        for rule in device.state.firewall_rules
        if (group is None or rule.group == group) and (name is None or rule.name.casefold() == name.casefold())
    ]


def add_rule(device: SimulatedDevice, name: str, group: str, port: int, remote_addresses: Sequence[str]) -> FirewallRule:
    """Add a firewall rule. Windows takes several of one name only from different stores, so a former one goes."""
    remove_rules(device, name)
    rule = FirewallRule(name=name, group=group, port=port, remote_addresses=tuple(remote_addresses))
    device.update(firewall_rules=(*device.state.firewall_rules, rule))
    return rule


def remove_rules(device: SimulatedDevice, name: str) -> bool:
    """Remove the rules of a name; False where there is none."""
    gone = find_rules(device, name=name)
    if gone:
        device.update(firewall_rules=tuple(rule for rule in device.state.firewall_rules if rule not in gone))
    return bool(gone)
