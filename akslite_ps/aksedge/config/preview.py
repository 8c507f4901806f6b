"""A config of the 2022 public preview (schema 1.0 and 1.1) carried over into today's layout.

The old layout, and what became of its fields, is to be read in the history of Microsoft's sample configs and helper
module (github.com/Azure/AKS-Edge). Where that module loses an address of the service range by counting its end as
outside, this does not. The licence terms are never carried over: a person accepts them anew.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from akslite_ps.aksedge.config.reading import Shown, as_plain, safe_name, shown_value
from akslite_ps.errors import ConfigIssue

_LEFT_OUT = {
    "DeployOptions.ControlPlane": "a machine is a control plane unless its Join section says otherwise",
    "DeployOptions.Headless": "it has no successor; akslite answers the product's questions itself",
    "DeployOptions.ServerTLSBootstrap": "it has no successor",
    "Network.VSwitch.Name": "the product names its switch itself",
    "Network.VSwitch.Type": "the deployment type decides it: internal for a single machine, external for a scalable cluster",
}
_SCALABLE_NETWORK = ("ControlPlaneEndpointIp", "Ip4GatewayAddress", "Ip4PrefixLength", "DnsServers", "SkipAddressFreeCheck")
_SINGLE_MACHINE = "a single machine's addresses are the product's own choice"


class CarriedOver(NamedTuple):
    """A config in today's layout, not yet checked, and what a person should know of how it came about."""

    data: dict[str, Any]
    notes: tuple[str, ...]
    issues: tuple[ConfigIssue, ...]


class _Old:
    """The old config: every field is taken once; what is left at the end is what has no place any more."""

    def __init__(self, data: Any) -> None:
        self._fields = dict(_leaves(as_plain(data)))

    def take(self, path: str) -> Any:
        """The value of a field, ignoring case; None where it is absent, empty or null."""
        for known in list(self._fields):
            if known.casefold() == path.casefold():
                value = self._fields.pop(known)
                return None if value == "" else value
        return None

    def take_section(self, name: str) -> dict[str, Any]:
        """All fields directly in a section that are set."""
        prefix = f"{name}.".casefold()
        found = [path for path in self._fields if path.casefold().startswith(prefix)]
        section = {path[len(prefix) :]: self._fields.pop(path) for path in found}
        return {key: value for key, value in section.items() if value not in (None, "")}

    @property
    def left(self) -> dict[str, Any]:
        return {path: value for path, value in self._fields.items() if value not in (None, "", False)}


def carry_over(data: Any, *, schema_version: str) -> CarriedOver:
    """The old config in today's layout.

    Args:
        data: The old config as read from JSON.
        schema_version: The schema of the result.
    """
    old = _Old(data)
    notes: list[str] = []
    issues: list[ConfigIssue] = []
    single = bool(old.take("DeployOptions.SingleMachineCluster"))
    if old.take("DeployOptions.JoinCluster"):
        issues.append(
            ConfigIssue(
                "DeployOptions.JoinCluster",
                Shown("true"),
                "false",
                "how to join is told by today's New-AksEdgeScaleConfig on the cluster's first machine, not by an old config",
            )
        )
    for name in ("SchemaVersion", "Version"):
        old.take(name)
    if old.take("EndUser.AcceptEula"):
        notes.append("User.AcceptEula: left at false; a person accepts the licence terms anew")
    made: dict[str, Any] = {
        "SchemaVersion": schema_version,
        "Version": "1.0",
        "DeploymentType": "SingleMachineCluster" if single else "ScalableCluster",
        "Init": _init(old, single=single, notes=notes, issues=issues),
        "Network": _network(old, single=single, notes=notes),
        "User": {"AcceptEula": False, "AcceptOptionalTelemetry": bool(old.take("EndUser.AcceptOptionalTelemetry"))},
        "Machines": [_machine(old, single=single, notes=notes)],
    }
    for path, reason in _LEFT_OUT.items():
        if old.take(path):
            notes.append(f"{path}: left out; {reason}")
    issues += [
        ConfigIssue(safe_name(path), shown_value(value), "a field of the preview's layout", "it is not known what became of it")
        for path, value in old.left.items()
    ]
    return CarriedOver(made, tuple(notes), tuple(issues))


def _init(old: _Old, *, single: bool, notes: list[str], issues: list[ConfigIssue]) -> dict[str, Any]:
    size, start, end = (old.take(f"Network.ServiceIPRange{part}") for part in ("Size", "Start", "End"))
    if single:
        if start or end:
            notes.append(f"Network.ServiceIPRangeStart, ServiceIPRangeEnd: left out; {_SINGLE_MACHINE}")
        return {"ServiceIPRangeSize": size or 0}
    if not start:
        return {"ServiceIPRangeSize": size or 0}
    if not end:
        return {"ServiceIPRangeStart": start, "ServiceIPRangeSize": size or 0}
    try:
        count = int(ipaddress.IPv4Address(end)) - int(ipaddress.IPv4Address(start)) + 1
    except ValueError:
        count = 0
    if count < 1:
        issues.append(
            ConfigIssue(
                "Network.ServiceIPRangeEnd",
                shown_value(end),
                "an IPv4 address not below Network.ServiceIPRangeStart",
                "today's config says the first address and how many there are",
            )
        )
    return {"ServiceIPRangeStart": start, "ServiceIPRangeSize": max(count, 0)}


def _network(old: _Old, *, single: bool, notes: list[str]) -> dict[str, Any]:
    network: dict[str, Any] = {"InternetDisabled": bool(old.take("Network.InternetDisabled"))}
    if plugin := old.take("DeployOptions.NetworkPlugin"):
        network["NetworkPlugin"] = plugin
    parts = {part: old.take(f"Network.Proxy.{part}") for part in ("Http", "Https", "No")}
    if proxy := {part: value for part, value in parts.items() if value is not None}:
        network["Proxy"] = proxy
    for name in _SCALABLE_NETWORK:
        value = old.take(f"Network.{name}")
        if not value:
            continue
        if single:
            notes.append(f"Network.{name}: left out; {_SINGLE_MACHINE}")
        else:
            network[name] = value
    return network


def _machine(old: _Old, *, single: bool, notes: list[str]) -> dict[str, Any]:
    adapter = old.take("Network.VSwitch.AdapterName")
    wanted = str(old.take("DeployOptions.NodeType") or "Linux").casefold()
    timeout = old.take("DeployOptions.TimeoutSeconds")
    machine: dict[str, Any] = {}
    for section, node in (("LinuxVm", "LinuxNode"), ("WindowsVm", "WindowsNode")):
        fields = old.take_section(section)
        if wanted not in (node.removesuffix("Node").casefold(), "linuxandwindows"):
            if fields:
                notes.append(f"{section}: left out; DeployOptions.NodeType does not ask for it")
            continue
        for name in [name for name in fields if single and name.casefold() == "ip4address"]:
            del fields[name]
            notes.append(f"{section}.{safe_name(name)}: left out; {_SINGLE_MACHINE}")
        machine[node] = fields
    if timeout and "LinuxNode" in machine:
        machine["LinuxNode"].setdefault("TimeoutSeconds", timeout)
    if adapter and single:
        notes.append("Network.VSwitch.AdapterName: left out; a single machine has an internal switch")
    elif adapter:
        machine["NetworkConnection"] = {"AdapterName": adapter}
    return machine


def _leaves(data: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if not isinstance(data, Mapping):
        return []
    found: list[tuple[str, Any]] = []
    for key, value in data.items():
        path = f"{prefix}{key}"
        found += _leaves(value, f"{path}.") if isinstance(value, Mapping) else [(path, value)]
    return found
