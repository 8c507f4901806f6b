"""What several AksEdge cmdlets need."""

from __future__ import annotations

from typing import Any, NoReturn

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.state import Deployment
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
    if deployment is None or deployment.phase != "complete":
        call.throw(assumptions.NO_DEPLOYMENT)
    return deployment


def config_text(call: Call) -> str:
    if call.is_bound("JsonConfigString"):
        text: str = call["JsonConfigString"]
        return text
    path = call["JsonConfigFilePath"]
    found = call.device.read_file(path) if path else None
    if found is None:
        _no_such_file(call, path or "")
    return found


def _no_such_file(call: Call, path: str) -> NoReturn:
    call.fail(
        f"Cannot find path '{path}' because it does not exist.",
        "PathNotFound",
        "ObjectNotFound",
        exception="System.Management.Automation.ItemNotFoundException",
        target=path,
    )
