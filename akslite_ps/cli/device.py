"""``akslite device``: the inventory of devices and whether each can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.exit_codes import for_error
from akslite_ps.cli.output import Json, emit, facts, name_values, put_text, refuse_to_replace, say, table
from akslite_ps.errors import UsageError

if TYPE_CHECKING:
    from akslite_ps.aksedge.config.aide_user_config import UserConfig
    from akslite_ps.remoting import Device

app = typer.Typer(help="The inventory: which devices there are and how to reach them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="DEVICE", help="Name of a device in the inventory.")]


NewName = Annotated[str, typer.Argument(metavar="NAME", help="Stable name, e.g. press-01.")]
Host = Annotated[str, typer.Option(help="Host name or IP address.")]
Username = Annotated[str | None, typer.Option(help="user, DOMAIN\\user or user@realm.")]
Password = Annotated[
    str | None,
    typer.Option(
        help="Reference to the password (never the password): keyring:SERVICE/USER, env:VARIABLE, prompt:LABEL or file:PATH."
    ),
]
Https = Annotated[bool, typer.Option("--https", help="WinRM over HTTPS (port 5986) instead of HTTP with message encryption.")]
Port = Annotated[int | None, typer.Option(metavar="PORT", help="TCP port; default 5985 or 5986.")]
Auth = Annotated[
    str,
    typer.Option(
        help="negotiate, ntlm, kerberos (needs the extra kerberos), basic and certificate (--https only) or credssp (needs the "
        "extra credssp, and hands the password to the device)."
    ),
]
CaFile = Annotated[Path | None, typer.Option(help="CA certificates to trust for HTTPS, PEM.")]
CertificateFile = Annotated[Path | None, typer.Option(help="Client certificate, PEM.")]
CertificateKeyFile = Annotated[
    Path | None, typer.Option(help="Key of the client certificate, PEM; --password refers to its passphrase, if it has one.")
]
SpnHost = Annotated[
    str | None, typer.Option(help="Kerberos: the device's name in its service principal, where it is not the host.")
]
Proxy = Annotated[
    str | None, typer.Option(help="URL of an HTTP proxy to go through; without it the device is reached straight, as Windows does.")
]
ConfigurationName = Annotated[str, typer.Option(help="PowerShell session configuration.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="LABEL", help="KEY=VALUE, may be given several times.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a device of that name.")]


@app.command("add")
def add(
    name: NewName,
    host: Host,
    username: Username = None,
    password: Password = None,
    https: Https = False,
    port: Port = None,
    auth: Auth = "negotiate",
    ca_file: CaFile = None,
    certificate_file: CertificateFile = None,
    certificate_key_file: CertificateKeyFile = None,
    spn_host: SpnHost = None,
    proxy: Proxy = None,
    configuration_name: ConfigurationName = "Microsoft.PowerShell",
    label: Labels = None,
    replace: Replace = False,
    as_json: Json = False,
) -> None:
    """Add a device to the inventory. Nothing is sent to it; see ``akslite device test``."""
    from akslite_ps.fleet import Inventory

    device = _made(
        name,
        host,
        username=username,
        password=password,
        https=https,
        port=port,
        auth=auth,
        files={"ca_file": ca_file, "certificate_file": certificate_file, "certificate_key_file": certificate_key_file},
        spn_host=spn_host,
        proxy=proxy,
        configuration_name=configuration_name,
        labels=name_values(label or (), "--label"),
    )
    Inventory.load().add(device, replace=replace)
    emit(
        device.model_dump(mode="json"),
        as_json=as_json,
        show=lambda: say(f"{device.name} added; check it with: akslite device test {name}"),
    )


def _made(
    name: str,
    host: str,
    *,
    username: str | None,
    password: str | None,
    https: bool,
    port: int | None,
    auth: str,
    files: Mapping[str, Path | None],
    spn_host: str | None,
    proxy: str | None,
    configuration_name: str,
    labels: Mapping[str, str],
) -> Device:
    """A device of the options of a command.

    Raises:
        UsageError: An option is not allowed, or a file is not there.
        SecretUnavailable: The password is no reference.
    """
    from pydantic import ValidationError

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
        "proxy": proxy,
    }
    for key, path in files.items():
        if path is not None:
            if not path.is_file():
                raise UsageError(
                    f"--{key.replace('_', '-')} {path}: there is no such file", next_action="give the path of a PEM file"
                )
            endpoint[key] = path.resolve()
    try:
        return Device.model_validate({"name": name, "endpoint": endpoint, "labels": dict(labels)})
    except ValidationError as error:
        raise UsageError(
            f"the device cannot be added:{validation_lines(error)}", next_action="see: akslite device add --help"
        ) from None


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="aide-userconfig.json of Microsoft's module AksEdgeDeploy.")],
    name: NewName,
    host: Host,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where the deployment config goes; default: named after the device."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="The config it names, where that lies elsewhere now.")
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(
            help="Where the service principal's secret is kept from now on: keyring:SERVICE/USER and file:PATH are written, "
            "env:VARIABLE and prompt:LABEL are yours to set. Default: it stays in FILE and is referred to."
        ),
    ] = None,
    username: Username = None,
    password: Password = None,
    https: Https = False,
    port: Port = None,
    auth: Auth = "negotiate",
    ca_file: CaFile = None,
    configuration_name: ConfigurationName = "Microsoft.PowerShell",
    label: Labels = None,
    replace: Replace = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the output file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Take a device over from Microsoft's helper scripts: an entry in the inventory, and a config without secrets in it.

    The file itself stays as it is, and nothing is sent to the device. The licence terms count as not accepted.
    """
    from akslite_ps.aksedge.config.aide_user_config import UserConfig, moved
    from akslite_ps.fleet import Inventory
    from akslite_ps.secrets import SecretRef

    target = output or Path(f"{name}-aksedge-config.json")
    device = _made(
        name,
        host,
        username=username,
        password=password,
        https=https,
        port=port,
        auth=auth,
        files={"ca_file": ca_file},
        spn_host=None,
        proxy=None,
        configuration_name=configuration_name,
        labels=name_values(label or (), "--label"),
    )
    to = SecretRef.parse(client_secret) if client_secret is not None else None
    found = UserConfig.load(file, config_file=config)
    inventory = Inventory.load()
    if device.name in inventory and not replace:
        raise UsageError(
            f"a device {device.name!r} is already in the inventory", next_action="choose another name, or give --replace"
        )
    refuse_to_replace(target, force=force)
    desired, notes = moved(found.config, to) if to is not None else (found.config, ())
    desired.as_data()  # refuses a secret that cannot be referred to
    put_text(desired.to_json() + "\n", target, force=force)
    inventory.add(device, replace=replace)
    deploy = _deploy_command(device.name, target, found)
    emit(
        {
            "device": device.model_dump(mode="json"),
            "config": str(target),
            "distribution": found.distribution,
            "install_dir": found.install_dir,
            "vhdx_dir": found.vhdx_dir,
            "notes": [*found.notes, *notes],
            "deploy": deploy,
        },
        as_json=as_json,
        show=lambda: say(f"{device.name} added; what it would do: {deploy} --what-if"),
    )
    for note in (*found.notes, *notes):
        say(f"note: {note}", style="yellow")


def _deploy_command(name: str, config: Path, found: UserConfig) -> str:
    """The command that deploys what the file asks for."""
    words = ["akslite", "deploy", name, "--config", str(config)]
    if found.distribution is not None:
        words += ["--distribution", found.distribution]
    if found.installer is not None:
        words += ["--msi", found.installer]
    return " ".join(f'"{word}"' if " " in word else word for word in [*words, "--accept-eula"])


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
