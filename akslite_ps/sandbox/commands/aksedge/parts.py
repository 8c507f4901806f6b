"""What several AksEdge cmdlets need."""

from __future__ import annotations

from typing import Any, NoReturn

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.drive import BadPath
from akslite_ps.sandbox.device.fault_kind import moment_of
from akslite_ps.sandbox.device.state import Deployment, Node, NodeKind
from akslite_ps.sandbox.embedded.cmdlet import Call
from akslite_ps.sandbox.engine import PsValue

FORCED = "Force"


def as_object(data: Any) -> Any:
    """JSON-ready data as objects with properties, the way ConvertFrom-Json makes them."""
    if isinstance(data, dict):
        return PsValue({key: as_object(value) for key, value in data.items()})
    return [as_object(item) for item in data] if isinstance(data, list) else data


def deployment_of(call: Call) -> Deployment:
    deployment = call.device.state.deployment
    missing = deployment is None or deployment.phase != "complete"
    if missing or call.device.take_fault("deployment-not-found", at=moment_of(call.info.name)) is not None:
        call.throw(assumptions.NO_DEPLOYMENT)
    assert deployment is not None
    return deployment


def node_kinds(node_type: str) -> tuple[NodeKind, ...]:
    """The kinds that a parameter NodeType means, Linux first."""
    kinds: tuple[NodeKind, ...] = ("Linux", "Windows")
    return kinds if node_type.casefold() == "linuxandwindows" else tuple(k for k in kinds if k.casefold() == node_type.casefold())


def chosen(call: Call, parameter: str) -> str:
    """The value of a parameter with allowed values, as they are spelled; PowerShell lets people write them in any case."""
    value = str(call[parameter])
    info = next(p for p in call.info.syntax.parameters if p.name == parameter)
    return next((allowed for allowed in info.allowed if allowed.casefold() == value.casefold()), value)


def node_of(call: Call, kind: str) -> Node:
    """The node of a kind; without one, the command fails."""
    node = next((node for node in deployment_of(call).nodes if node.kind.casefold() == kind.casefold()), None)
    if node is None:
        call.throw(assumptions.no_node(kind))
    return node


async def is_confirmed(call: Call, target: str, action: str) -> bool:
    """Whether an operation may go on: -Force answers yes, but not against -WhatIf; else ShouldProcess decides."""
    if call[FORCED] and not call.binding.values.get("WhatIf"):
        return True
    return await call.should_process(target, action)


def config_text(call: Call) -> str:
    if call.is_bound("JsonConfigString"):
        text: str = call["JsonConfigString"]
        return text
    path = call["JsonConfigFilePath"]
    found = call.device.read_file(full_path(call, path)) if path else None
    if found is None:
        _no_such_file(call, full_path(call, path) if path else "")
    return found


def full_path(call: Call, path: str) -> str:
    """A path as the session takes it: one without a drive begins in the profile of the session's account."""
    if ":" in path or path.startswith("\\\\"):
        return path
    start = "C:" if path[:1] in {"\\", "/"} else f"C:\\Users\\{call.device.spec.user}\\Documents"
    return f"{start}\\{path}"


def write_file(call: Call, path: str, content: str | bytes) -> str:
    """Write a file on the device's drive and return its path; where Windows would not take the path, the command fails."""
    data = content.encode() if isinstance(content, str) else content
    path = full_path(call, path)
    try:
        return call.device.drive.write(path, data)
    except BadPath as bad:
        call.fail(
            str(bad),
            "FileOpenFailure",
            "OpenError",
            exception="System.Management.Automation.PSInvalidOperationException",
            target=path,
        )


def _no_such_file(call: Call, path: str) -> NoReturn:
    call.fail(
        f"Cannot find path '{path}' because it does not exist.",
        "PathNotFound",
        "ObjectNotFound",
        exception="System.Management.Automation.ItemNotFoundException",
        target=path,
    )
