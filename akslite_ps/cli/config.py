"""``akslite config``: deployment configs on this machine; no device is asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from akslite_ps.cli.exit_codes import CHANGES, USAGE
from akslite_ps.cli.output import Json, emit, facts, name_values, put_text, say, table, write
from akslite_ps.errors import ConfigIssue, UsageError

if TYPE_CHECKING:
    from akslite_ps.aksedge.config import DeploymentConfig, DeploymentType, NodeType
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
OutputFile = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here; default: standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")]

STDIN = "-"
"""Instead of a file's name: the config comes on standard input."""
_Choice = TypeVar("_Choice")
_TYPES: Mapping[str, DeploymentType] = {"single": "SingleMachineCluster", "scalable": "ScalableCluster"}
_NODES: Mapping[str, NodeType] = {"linux": "Linux", "windows": "Windows", "both": "LinuxAndWindows"}


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Deployment config (aksedge-config.json); - for standard input.")],
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

    if str(file) == STDIN:
        return with_overrides(DeploymentConfig.parse(_standard_input(), source="standard input"), overrides)
    if file.is_dir():
        raise UsageError(f"{file} is a folder", next_action="name a deployment config in it, e.g. aksedge-config.json")
    return with_overrides(DeploymentConfig.load(file), overrides)


def _standard_input() -> bytes:
    from akslite_ps.aksedge.config.reading import LARGEST

    return sys.stdin.buffer.read(LARGEST + 1)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@app.command("new")
def new(
    output: OutputFile = None,
    deployment_type: Annotated[str, typer.Option("--type", metavar="single|scalable", help="Kind of cluster.")] = "single",
    distribution: Annotated[str, typer.Option(metavar="K3s|K8s", help="Kubernetes distribution.")] = "K3s",
    nodes: Annotated[str, typer.Option(metavar="linux|windows|both", help="Nodes on the machine.")] = "linux",
    schema: Annotated[str | None, typer.Option(help="Schema version; default: the newest known.")] = None,
    overrides: Overrides = None,
    force: Force = False,
) -> None:
    """Write a config to start from.

    What only a person can know (Azure Arc, addresses, the licence terms) is left out; `akslite config check` tells.
    """
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.releases import LATEST_SCHEMA

    config = DeploymentConfig.template(
        _one_of(_TYPES, deployment_type, "--type"),
        checked_distribution(distribution) or "K3s",
        node_type=_one_of(_NODES, nodes, "--nodes"),
        schema_version=schema or LATEST_SCHEMA,
    )
    _put(with_overrides(config, overrides).to_json() + "\n", output, force=force)


@app.command("explain")
def explain(
    field: Annotated[
        str | None, typer.Argument(metavar="[FIELD]", help="A field's path or last name; default: all fields.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a field means, what is allowed in it, and what sources disagree about."""
    from akslite_ps.aksedge.config import DeploymentConfig

    if field is None:
        specs = DeploymentConfig.fields()
        emit(
            [asdict(spec) for spec in specs],
            as_json=as_json,
            show=lambda: table(("FIELD", "ALLOWED", "REQUIRED"), ((s.path, s.allowed, s.required) for s in specs)),
        )
        return
    spec = DeploymentConfig.explain(field)
    shown = {
        "means": spec.description,
        "allowed": spec.allowed,
        "unit": spec.unit,
        "default": "" if spec.default is None else json.dumps(spec.default),
        "required": spec.required,
        "deployments": ", ".join(spec.deployment_types),
        "distributions": ", ".join(spec.distributions),
        "from schema": spec.since_schema,
        "after deployment": "a change needs a new deployment" if spec.fixed else "can be changed",
        "note": spec.note,
    }
    emit(asdict(spec), as_json=as_json, show=lambda: facts(shown, title=spec.path))


@app.command("diff")
def diff(
    first: Annotated[Path, typer.Argument(metavar="FILE")],
    second: Annotated[Path, typer.Argument(metavar="FILE")],
    detailed_exitcode: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit code 3 where they differ.")] = False,
    as_json: Json = False,
) -> None:
    """Compare two configs field by field, and say what the product can change in place. Absent fields count as defaults."""
    found = load(first, None).differences(load(second, None))

    def show() -> None:
        if not found:
            say("no differences", style="green")
            return
        table(
            ("FIELD", str(first), str(second), "TO CHANGE IT"),
            ((d.path, repr(d.before), repr(d.after), "deploy anew" if d.redeploys else "in place") for d in found),
        )

    data = [{"path": d.path, "before": _plain(d.before), "after": _plain(d.after), "redeploys": d.redeploys} for d in found]
    emit(data, as_json=as_json, show=show)
    if found and detailed_exitcode:
        raise typer.Exit(CHANGES)


@app.command("migrate")
def migrate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A config of any age; the 2022 preview's layout, too.")],
    output: OutputFile = None,
    schema: Annotated[str | None, typer.Option(help="Schema version of the result; default: the newest known.")] = None,
    force: Force = False,
) -> None:
    """Write an old config in today's layout and say what was changed or left out. The file itself stays as it is."""
    from akslite_ps.aksedge.config import DeploymentConfig
    from akslite_ps.aksedge.releases import LATEST_SCHEMA

    wanted = schema or LATEST_SCHEMA
    if str(file) == STDIN:
        config, notes = DeploymentConfig.migrate_text(_standard_input(), source="standard input", schema_version=wanted)
    else:
        config, notes = DeploymentConfig.migrate(file, schema_version=wanted)
    _put(config.to_json() + "\n", output, force=force)
    for note in notes:
        say(note, style="yellow")
    issues = config.check()
    if issues:
        count = f"{len(issues)} fault{'s' if len(issues) != 1 else ''}"
        say(f"{count} left to correct: {', '.join(issue.path for issue in issues)}; see: akslite config check", style="yellow")


@app.command("schema")
def schema_command(output: OutputFile = None, force: Force = False) -> None:
    """Write the JSON Schema of a config, for editors that complete and check while one types."""
    from akslite_ps.aksedge.config import DeploymentConfig

    _put(json.dumps(DeploymentConfig.json_schema(), indent=2) + "\n", output, force=force)


def with_overrides(config: DeploymentConfig, overrides: Sequence[str] | None) -> DeploymentConfig:
    """A config with ``--set`` changes applied.

    Raises:
        UsageError: A change is not PATH=VALUE.
        ConfigError: A changed field has faults.
    """
    changes = override_values(overrides)
    return config.with_values(changes) if changes else config


def override_values(overrides: Sequence[str] | None) -> dict[str, Any]:
    """The ``--set`` changes by path, each value as JSON where it is any, else as text.

    Raises:
        UsageError: A change is not PATH=VALUE.
    """
    return {path: _value(value) for path, value in name_values(overrides or (), "--set").items()}


def _one_of(choices: Mapping[str, _Choice], given: str, option: str) -> _Choice:
    """The choice of a word; the product's own word for it will do."""
    own = {str(value).casefold(): value for value in choices.values()}
    try:
        return {**own, **choices}[given.strip().casefold()]
    except KeyError:
        raise UsageError(f"{option} {given}: allowed are {', '.join(choices)}") from None


def _put(text: str, file: Path | None, *, force: bool) -> None:
    """The text into a file, or onto standard output where none is named."""
    if file is None:
        write(text)
    else:
        put_text(text, file, force=force)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)
