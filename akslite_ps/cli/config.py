"""``akslite config``: deployment configs on this machine; no device is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.exit_codes import USAGE
from akslite_ps.cli.output import Json, emit, name_values, say, table
from akslite_ps.errors import ConfigIssue, UsageError

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.releases import Distribution as KubernetesDistribution

app = typer.Typer(help="Deployment configs (aksedge-config.json).", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="Deployment config (aksedge-config.json).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change one field, e.g. --set Network.InternetDisabled=true."),
]
Distribution = Annotated[
    str | None, typer.Option(metavar="K3s|K8s", help="Kubernetes distribution; default: the one that fits the network plugin.")
]


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Deployment config (aksedge-config.json).")],
    overrides: Overrides = None,
    distribution: Distribution = None,
    release: Annotated[
        str | None, typer.Option(help="Product release the config is for, e.g. 1.12.269.0; default: the newest known.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a config against every field and rule of the product; all faults at once. Exit code 2 if there are any."""
    from akslite_ps.aksedge import releases
    from akslite_ps.errors import ConfigError

    issues: Sequence[ConfigIssue] = ()
    try:
        config = load(file, overrides)
        issues = config.check(distribution=checked_distribution(distribution), release=release or releases.latest().product)
    except ConfigError as error:
        issues = error.issues

    def show() -> None:
        if not issues:
            say(f"{file}: no faults found", style="green")
            return
        table(("FIELD", "VALUE", "ALLOWED", "REASON"), ((i.path, repr(i.value), i.allowed, i.reason) for i in issues))
        say(f"{file}: {len(issues)} fault{'s' if len(issues) != 1 else ''}", style="red")

    data = {
        "file": str(file),
        "ok": not issues,
        "issues": [{"path": i.path, "value": repr(i.value), "allowed": i.allowed, "reason": i.reason} for i in issues],
    }
    emit(data, as_json=as_json, show=show)
    if issues:
        raise typer.Exit(USAGE)


def checked_distribution(name: str | None) -> KubernetesDistribution | None:
    """The product's spelling of a distribution's name.

    Raises:
        UsageError: It is neither K3s nor K8s.
    """
    from akslite_ps.aksedge.releases import DISTRIBUTIONS

    for known in DISTRIBUTIONS:
        if name is not None and name.casefold() == known.casefold():
            return known
    if name is None:
        return None
    raise UsageError(f"--distribution {name}: allowed are {' and '.join(DISTRIBUTIONS)}")


def load(file: Path, overrides: Sequence[str] | None) -> DeploymentConfig:
    """The config of a file with ``--set`` changes applied.

    Raises:
        UsageError: A change is not PATH=VALUE, or the file cannot be read.
        ConfigError: The file or a changed field has faults.
    """
    from akslite_ps.aksedge.config import DeploymentConfig

    if file.is_dir():
        raise UsageError(f"{file} is a folder", next_action="name a deployment config in it, e.g. aksedge-config.json")
    config = DeploymentConfig.load(file)
    changes = {path: _value(value) for path, value in name_values(overrides or (), "--set").items()}
    return config.with_values(changes) if changes else config


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
