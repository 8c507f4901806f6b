"""The rules between fields that a JSON Schema can express, and the shapes of texts. Used by ``config.json_schema`` only.

What it cannot say stays with ``config.rules``: whether addresses are in one subnet and different, sums, what is installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from akslite_ps.aksedge.config.fields import specs
from akslite_ps.aksedge.releases import FIRST_SCHEMA, LATEST_SCHEMA
from akslite_ps.aksedge.versions import version_key

Schema = dict[str, Any]

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
_NO_CONTROL = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*"
PATTERNS = {
    "ipv4": _IPV4,
    "subnet": rf"{_IPV4}/(3[0-2]|[12]?[0-9])",
    "guid": "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "mac": "([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}",
    "address": rf"[Hh][Tt][Tt][Pp][Ss]?://{_NO_CONTROL}",
    "secret": r"(?!\s*<[\s\S]*>\s*$)[\s\S]*",
    "text": rf"(?!\s*<[\s\S]*>\s*$){_NO_CONTROL}",
}
"""Shapes of texts by the kind of their field."""
_ARC = ("ClusterName", "Location", "ResourceGroupName", "SubscriptionId", "TenantId", "ClientId", "ClientSecret")
_ARC_MESSAGE = (
    f"From schema {LATEST_SCHEMA} the product refuses to deploy without Azure Arc: fill in Arc, or set Network.InternetDisabled, "
    "or fill in User.VolumeLicense."
)
"""Shown by editors that know ``errorMessage``; a JSON Schema has no words of its own for why."""
_SCALABLE = ("ControlPlaneEndpointIp", "Ip4GatewayAddress", "Ip4PrefixLength")


def pattern_of(kind: str, *, required: bool) -> str | None:
    """The pattern for texts of a kind of field. None where any text will do.

    Args:
        kind: Of the field.
        required: It must be there; else a blank text will do, which counts as absent.
    """
    if kind == "version":
        return f"^({'|'.join(schema.replace('.', '[.]') for schema in _known_schemas())})$"
    if kind not in PATTERNS:
        return None
    return rf"^(?=.*\S)({PATTERNS[kind]})$" if required else rf"^\s*$|^({PATTERNS[kind]})$"


def rules(root: type[BaseModel]) -> list[Schema]:
    """The rules between fields, for ``allOf``."""
    return [
        {"if": _type("ScalableCluster"), "then": {"allOf": list(_scalable())}},
        {"if": _type("SingleMachineCluster"), "then": {"allOf": [_none("Network", name) for name in _SCALABLE]}},
        {"properties": {"Machines": {"maxItems": 1, "items": {"anyOf": [_some("LinuxNode"), _some("WindowsNode")]}}}},
        {"if": {"not": _some("Join")}, "then": _each_machine(_some("LinuxNode"))},
        {"if": _some("Join"), "then": {"allOf": [_some("Join", name) for name in ("ClusterJoinToken", "ClusterId")]}},
        _arc_or_a_way_out(),
        {"if": _each_machine(_some("LinuxNode", "GpuPassthrough", "Name")), "then": _is_true("User", "AcceptGpuWarning")},
        *_since(root),
    ]


def _known_schemas() -> list[str]:
    (major, first, *_), (_, last, *_) = version_key(FIRST_SCHEMA), version_key(LATEST_SCHEMA)
    return [f"{major}.{minor}" for minor in range(first, last + 1)]


def _type(name: str) -> Schema:
    return {"properties": {"DeploymentType": {"const": name}}, "required": ["DeploymentType"]}


def _inside(path: tuple[str, ...], schema: Schema, *, required: bool) -> Schema:
    for name in reversed(path):
        schema = {"properties": {name: schema}}
        if required:
            schema = {"type": "object", "required": [name], **schema}
    return schema


def _some(*path: str) -> Schema:
    """Something stands there."""
    return _inside(path, {"not": {"type": "null"}, "pattern": r"\S"}, required=True)


def _none(*path: str) -> Schema:
    """Nothing stands there."""
    return _inside(path, {"anyOf": [{"type": "null"}, {"type": "string", "pattern": r"^\s*$"}]}, required=False)


def _is_true(*path: str) -> Schema:
    return _inside(path, {"const": True}, required=True)


def _each_machine(schema: Schema) -> Schema:
    return {"properties": {"Machines": {"items": schema}}}


def _scalable() -> Iterator[Schema]:
    for name in (*_SCALABLE, "DnsServers"):
        yield _some("Network", name)
    yield _inside(("Network", "DnsServers"), {"minItems": 1}, required=False)
    yield _none("Network", "Ip4AddressPrefix")
    yield _each_machine(_some("NetworkConnection", "AdapterName"))
    for node in ("LinuxNode", "WindowsNode"):
        yield _each_machine({"if": _some(node), "then": _some(node, "Ip4Address")})
    services = _inside(("Init", "ServiceIPRangeSize"), {"minimum": 1}, required=True)
    yield {"if": {"allOf": [services, {"not": _some("Join")}]}, "then": _some("Init", "ServiceIPRangeStart")}


def _arc_or_a_way_out() -> Schema:
    enforced = {"properties": {"SchemaVersion": {"const": LATEST_SCHEMA}}, "required": ["SchemaVersion"]}
    licence = {"allOf": [_some("User", "VolumeLicense", name) for name in ("EnrollmentId", "PartNumber")]}
    arc = {"allOf": [_some("Arc", name) for name in _ARC]}
    ways = {"anyOf": [_is_true("Network", "InternetDisabled"), licence, _some("Join"), arc], "errorMessage": _ARC_MESSAGE}
    return {"if": enforced, "then": ways}


def _since(root: type[BaseModel]) -> Iterator[Schema]:
    """Fields that came with a later schema than the config's."""
    by_schema: dict[str, list[tuple[str, ...]]] = {}
    for spec in specs(root):
        if spec.since_schema != FIRST_SCHEMA and spec.kind != "section":
            by_schema.setdefault(spec.since_schema, []).append(tuple(spec.path.split(".")))
    for schema, paths in sorted(by_schema.items(), key=lambda found: version_key(found[0])):
        older = [known for known in _known_schemas() if version_key(known) < version_key(schema)]
        is_older = {"properties": {"SchemaVersion": {"enum": older}}, "required": ["SchemaVersion"]}
        yield {"if": is_older, "then": {"allOf": [_absent(path) for path in paths]}}


def _absent(path: Iterable[str]) -> Schema:
    schema: Schema = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": r"^\s*$"}]}
    for name in reversed(tuple(path)):
        plain = name.removesuffix("[]")
        schema = {"properties": {plain: {"items": schema} if plain != name else schema}}
    return schema
