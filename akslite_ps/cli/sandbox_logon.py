"""``akslite sandbox password``, ``certificate`` and ``join``: ways to log on to simulated devices besides the inventory's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from akslite_ps.cli.output import Json, emit, facts, say
from akslite_ps.home import sandbox_dir

_Name = Annotated[str, typer.Argument(metavar="DEVICE", help="Name of a simulated device.")]


def certificate(
    name: _Name,
    user: Annotated[str | None, typer.Option(help="A local user of the device; default: the administrator.")] = None,
    as_json: Json = False,
) -> None:
    """Tell where the client certificate of a local account lies, for --auth certificate; made when there is none."""
    from akslite_ps import sandbox

    made = sandbox.client_certificate(sandbox_dir(), name, user)
    device = next(d for d in sandbox.status(sandbox_dir()).devices if d.name == name)
    data = {
        "device": name,
        "user": made.user,
        "certificate_file": str(made.certificate_file),
        "certificate_key_file": str(made.key_file),
        "ca_file": str(device.ca_file),
    }

    def show() -> None:
        facts(data)
        options = {
            "--host": device.address,
            "--port": device.https_port,
            "--certificate-file": made.certificate_file,
            "--certificate-key-file": made.key_file,
            "--ca-file": device.ca_file,
            "--label": "sandbox=true",
        }
        written = " ".join(f"{option} {value}" for option, value in options.items())
        say(f"put it into the inventory: akslite device add {name} --replace --https --auth certificate {written}")

    emit(data, as_json=as_json, show=show)


def password(
    name: _Name,
    user: Annotated[str | None, typer.Option(help="A local user of the device; default: the administrator.")] = None,
    as_json: Json = False,
) -> None:
    """Tell where the password of a local account lies, e.g. of the one for a restricted endpoint; made when there is none."""
    from akslite_ps import sandbox

    known = sandbox.local_password(sandbox_dir(), name, user)
    data = {"device": name, "user": known.user, "password": f"file:{known.file}"}

    def show() -> None:
        facts(data)
        say(f"as an endpoint: akslite device add ... --username '{known.user}' --password {data['password']}")

    emit(data, as_json=as_json, show=show)


def join(
    name: _Name,
    keytab: Annotated[
        Path, typer.Option(help="Keytab with the keys of the device's service principals, e.g. host/press-01.plant.example.")
    ],
    as_json: Json = False,
) -> None:
    """Make a simulated device a computer of a Kerberos realm: it accepts tickets for the keys of a keytab."""
    from akslite_ps import sandbox

    kept = sandbox.join_realm(sandbox_dir(), name, keytab)
    emit(
        {"device": name, "keytab": str(kept)},
        as_json=as_json,
        show=lambda: say(
            f"{name} accepts Kerberos tickets now; reach it with --auth kerberos and --spn-host NAME, the name after 'host/' in "
            "the keytab"
        ),
    )
