"""In what an existing deployment differs from a config, as far as the product tells. Only reads.

Called by ``operations.deploy``. The layout of Get-AksEdgeDeploymentInfo is not documented: what is not found there is
not compared, and a config's field that is not set counts as equal.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.remoting import Session

_SAME_IN_INFO = {
    "DeploymentType": ("DeploymentType",),
    "Network.Ip4AddressPrefix": ("Network", "Ip4AddressPrefix"),
    "Machines[0].LinuxNode.CpuCount": ("LinuxNodeConfig", "CpuCount"),
    "Machines[0].LinuxNode.MemoryInMB": ("LinuxNodeConfig", "MemoryInMB"),
    "Machines[0].LinuxNode.DataSizeInGB": ("LinuxNodeConfig", "DataSizeInGB"),
}
_RANGE_SIZE = "Init.ServiceIPRangeSize"
_RANGE = ("LinuxNodeConfig", "ServiceIpRange")


def is_complete(session: Session) -> bool:
    """Whether the deployment whose nodes are on the device is one for the product, too."""
    from akslite_ps.aksedge.calls import AksEdge

    return AksEdge(session).test_deployment()


def differences_of(session: Session, config: DeploymentConfig) -> list[str]:
    """One sentence per difference; empty where nothing that can be read differs.

    Args:
        session: A session on a device with a complete deployment.
        config: The wanted deployment.
    """
    from akslite_ps.aksedge.calls import AksEdge

    wanted = config.values()
    return [
        f"{path} is {value} on the device, {wanted[path]} in the config"
        for path, value in told_values(AksEdge(session).get_deployment_info()).items()
        if path in wanted and str(value).casefold() != str(wanted[path]).casefold()
    ]


def told_values(info: Mapping[str, Any]) -> dict[str, Any]:
    """The config's fields that the product tells of a deployment, by path.

    Args:
        info: What Get-AksEdgeDeploymentInfo gave.
    """
    found = {path: _at(info, place) for path, place in _SAME_IN_INFO.items()}
    found[_RANGE_SIZE] = _range_size(info)
    return {path: value for path, value in found.items() if value is not None}


def _at(info: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    value: Any = info
    for name in place:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _range_size(info: Mapping[str, Any]) -> int | None:
    """How many service addresses there are, from the form ``first-last``; None where it is not told."""
    section = _at(info, _RANGE[:1])
    if not isinstance(section, Mapping) or _RANGE[1] not in section:
        return None
    text = section[_RANGE[1]]
    if not text:
        return 0
    try:
        first, last = (ipaddress.ip_address(part.strip()) for part in str(text).split("-"))
    except ValueError:
        return None
    return int(last) - int(first) + 1
