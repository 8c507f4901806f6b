"""What of a deployment stays in the notebook as its record: the config wanted, how the run ended, where the journal lies.

Used by ``notebook.deployment_runbook`` headless and by ``notebook.deployment_panels`` in JupyterLab.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.home import journal_file
from akslite_ps.notebook.tables import Table, facts_table, run_table
from akslite_ps.operations.plan import Run


def config_table(config: DeploymentConfig) -> Table:
    """What a deployment config says, one line per value; secrets as references.

    Whether the licence terms are accepted is not a matter of the config, whatever it says, and is left out.
    """
    values = dict(_flat(config.as_data()))
    values.pop("User.AcceptEula", None)
    return facts_table(values, title="Wanted deployment")


def record_of(run: Run) -> tuple[Table, Table]:
    """How a run ended and where to find everything about it."""
    found = {
        "Run": run.run_id,
        "Device": run.plan.device,
        "Outcome": run.outcome.value if run.finished else f"not finished ({run.outcome.value})",
        "Approved plan": run.plan.hash,
        "Licence terms accepted by": run.plan.eula_accepted_by,
        "Started": f"{run.started:%Y-%m-%d %H:%M:%S} UTC",
        "Ended": f"{run.ended:%Y-%m-%d %H:%M:%S} UTC" if run.ended else "",
        "Journal": _below_home(journal_file()),
        "All rows of the run": f"akslite runs show {run.run_id}",
        "Go on": "" if run.finished else f"akslite resume {run.run_id}",
    }
    return run_table(run), facts_table(found, title="Record")


def _below_home(path: Path) -> str:
    """A path as a record should show it: without the name of the user where it lies in the user's folder."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)


def _flat(data: Any, path: str = "") -> list[tuple[str, object]]:
    if isinstance(data, dict):
        return [pair for key, value in data.items() for pair in _flat(value, f"{path}.{key}" if path else str(key))]
    if isinstance(data, list) and any(isinstance(item, dict) for item in data):
        return [pair for number, item in enumerate(data) for pair in _flat(item, f"{path}[{number}]")]
    return [(path, data)]
