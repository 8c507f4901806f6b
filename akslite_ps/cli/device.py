"""``akslite device``: the inventory of devices and whether each can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.exit_codes import for_error
from akslite_ps.cli.output import Json, emit, facts, name_values, say, table
from akslite_ps.errors import UsageError

if TYPE_CHECKING:
    from akslite_ps.remoting import Device

app = typer.Typer(help="The inventory: which devices there are and how to reach them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="DEVICE", help="Name of a device in the inventory.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Stable name, e.g. press-01.")],
    host: Annotated[str, typer.Option(help="Host name or IP address.")],
    username: Annotated[str | None, typer.Option(help="user, DOMAIN\\user or user@realm.")] = None,
    password: Annotated[
        str | None,
        typer.Option(
            help="Reference to the password (never the password): keyring:SERVICE/USER, env:VARIABLE, prompt:LABEL or file:PATH."
        ),
    ] = None,
    https: Annotated[
        bool, typer.Option("--https", help="WinRM over HTTPS (port 5986) instead of HTTP with message encryption.")
    ] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port; default 5985 or 5986.")] = None,
    auth: Annotated[
        str,
        typer.Option(
            help="negotiate, ntlm, kerberos (needs the extra kerberos), basic and certificate (--https only) or credssp (needs the "
            "extra credssp, and hands the password to the device)."
        ),
    ] = "negotiate",
    ca_file: Annotated[Path | None, typer.Option(help="CA certificates to trust for HTTPS, PEM.")] = None,
    certificate_file: Annotated[Path | None, typer.Option(help="Client certificate, PEM.")] = None,
    certificate_key_file: Annotated[
        Path | None, typer.Option(help="Key of the client certificate, PEM; --password refers to its passphrase, if it has one.")
    ] = None,
    spn_host: Annotated[
        str | None, typer.Option(help="Kerberos: the device's name in its service principal, where it is not the host.")
    ] = None,
    configuration_name: Annotated[str, typer.Option(help="PowerShell session configuration.")] = "Microsoft.PowerShell",
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, may be given several times.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a device of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Add a device to the inventory. Nothing is sent to it; see ``akslite device test``."""
    from pydantic import ValidationError

    from akslite_ps.fleet import Inventory
    from akslite_ps.fleet.inventory import validation_lines
    from akslite_ps.remoting import Device
    from akslite_ps.secrets import SecretRef

    endpoint: dict[str, Any] = {
        "host": host,
        "transport": "https" if https else "http",
        "port": port or 0,
        "auth": auth,
        "username": username,
        "password": SecretRef.parse(password) if password else None,
        "configuration_name": configuration_name,
        "spn_host": spn_host,
    }
    for key, path in (("ca_file", ca_file), ("certificate_file", certificate_file), ("certificate_key_file", certificate_key_file)):
        if path is not None:
            if not path.is_file():
                raise UsageError(
                    f"--{key.replace('_', '-')} {path}: there is no such file", next_action="give the path of a PEM file"
                )
            endpoint[key] = path.resolve()
    try:
        device = Device.model_validate({"name": name, "endpoint": endpoint, "labels": name_values(label or (), "--label")})
    except ValidationError as error:
        raise UsageError(
            f"the device cannot be added:{validation_lines(error)}", next_action="see: akslite device add --help"
        ) from None
    inventory = Inventory.load()
    inventory.add(device, replace=replace)
    emit(
        device.model_dump(mode="json"),
        as_json=as_json,
        show=lambda: say(f"{device.name} added; check it with: akslite device test {name}"),
    )


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """List the devices of the inventory."""
    from akslite_ps.fleet import Inventory

    inventory = Inventory.load()
    devices = inventory.list()

    def show() -> None:
        if not devices:
            say(f"the inventory ({inventory.path}) is empty; add a device with: akslite device add NAME --host HOST ...")
            return
        table(
            ("DEVICE", "ENDPOINT", "AUTHENTICATION", "USER", "CONFIGURATION", "LABELS"),
            (
                (
                    d.name,
                    d.endpoint.url,
                    d.endpoint.auth,
                    d.endpoint.username,
                    d.endpoint.configuration_name,
                    " ".join(f"{k}={v}" for k, v in sorted(d.labels.items())),
                )
                for d in devices
            ),
        )

    emit([d.model_dump(mode="json") for d in devices], as_json=as_json, show=show)


@app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """Show one device of the inventory."""
    device = load(name)
    endpoint = device.endpoint
    emit(
        device.model_dump(mode="json"),
        as_json=as_json,
        show=lambda: facts(
            {
                "device": device.name,
                "endpoint": endpoint.url,
                "authentication": endpoint.auth,
                "user": endpoint.username,
                "password": endpoint.password,
                "configuration": endpoint.configuration_name,
                "CA file": endpoint.ca_file,
                "client certificate": endpoint.certificate_file,
                "name in the service principal": endpoint.spn_host,
                "labels": " ".join(f"{k}={v}" for k, v in sorted(device.labels.items())),
            }
        ),
    )


@app.command("remove")
def remove(name: Name, as_json: Json = False) -> None:
    """Take a device out of the inventory. Nothing is changed on the device."""
    from akslite_ps.fleet import Inventory

    inventory = Inventory.load()
    device = inventory.get(name)
    inventory.remove(name)
    emit(device.model_dump(mode="json"), as_json=as_json, show=lambda: say(f"{device.name} is no longer in the inventory"))


@app.command("test")
def check_command(name: Name, as_json: Json = False) -> None:
    """Check the way to a device step by step: name, port, certificate, credentials, session."""
    from akslite_ps.remoting import probe

    report = probe(load(name))
    word = {True: "ok", False: "error", None: "not tried"}

    def show() -> None:
        table(
            ("CHECK", "RESULT", "FOUND", "NEXT"),
            ((c.title, word[c.ok], c.finding, c.next_action) for c in report.checks),
            title=f"{report.device}  {report.url}",
        )

    emit(report.to_dict(), as_json=as_json, show=show)
    if report.error is not None:
        raise typer.Exit(for_error(report.error))


def known_name(name: str | None) -> str | None:
    """The inventory's spelling of a device's name; a name that it does not have stays as it is."""
    from akslite_ps.fleet import Inventory

    inventory = Inventory.load()
    return inventory.get(name).name if name is not None and name in inventory else name


def load(name: str) -> Device:
    """The device of this name from the inventory."""
    from akslite_ps.fleet import Inventory

    return Inventory.load().get(name)
