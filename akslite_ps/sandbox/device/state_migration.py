"""Device files of earlier versions of this project, brought into today's form when they are read.

Called by ``device.state`` with the decoded JSON, before it is checked; knows nothing of today's classes.

Version 1 had one Linux node per deployment, the Arc connection as a truth value, the files of the drive among the state, and
faults with a ``stage``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from akslite_ps.sandbox.device.drive import BadPath, Drive

FILE_VERSION = 2
FIRST_CLUSTER_ID = "00000000-0000-0000-0000-000000000000"
"""Identity of a cluster that was made before clusters had one."""


def migrated(data: Any, folder: Path) -> Any:
    """The content of a device file in today's form.

    Args:
        data: Decoded JSON of a device file.
        folder: The device's folder; files that stood in the state go to its drive.
    """
    if not isinstance(data, dict) or data.get("version") != 1:
        return data
    state = dict(data.get("state") or {})
    drive = Drive(folder / "drive")
    for path, text in (state.pop("files", None) or {}).items():
        with contextlib.suppress(BadPath):
            drive.write(path, text.encode())
    if state.get("deployment"):
        state["deployment"] = _deployment(state["deployment"])
    state["faults"] = [_fault(fault) for fault in state.get("faults") or ()]
    return {**data, "version": FILE_VERSION, "state": state}


def _deployment(deployment: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in deployment.items() if key not in {"node", "arc_connected"}}
    if "node" in deployment:
        rest["nodes"] = [{"kind": "Linux", "control_plane": True, "log_size_gb": 1, **deployment["node"]}]
    if deployment.get("arc_connected"):
        # Which resource it was is not in the file; it is found anew by the cluster's name.
        rest["arc"] = {"resource_id": "", "connected_at": deployment["started_at"]}
    return {"cluster_id": FIRST_CLUSTER_ID, **rest}


def _fault(fault: dict[str, Any]) -> dict[str, Any]:
    """The stage became a moment."""
    parameters = dict(fault.get("parameters") or {})
    stage = parameters.pop("stage", None)
    return {**fault, "parameters": parameters, **({"at": stage} if stage else {})}
