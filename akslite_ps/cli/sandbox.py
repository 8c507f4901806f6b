"""``akslite sandbox``: simulated devices on this machine, put into the inventory so that every command works on them."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.output import Json, emit, facts, name_values, say, table
from akslite_ps.cli.sandbox_azure import app as azure
from akslite_ps.cli.sandbox_logon import certificate, join, password
from akslite_ps.errors import UsageError
from akslite_ps.home import sandbox_dir
from akslite_ps.secrets import SecretRef

if TYPE_CHECKING:
    from akslite_ps.fleet import Inventory
    from akslite_ps.remoting import Device
    from akslite_ps.sandbox import FaultKind, SandboxDevice, SandboxStatus

app = typer.Typer(help="Simulated devices on this machine, behind the real protocols.", no_args_is_help=True)


class Engine(StrEnum):
    """What runs PowerShell on a simulated device."""

    EMBEDDED = "embedded"
    PWSH = "pwsh"


SANDBOX_LABEL = "sandbox"
_NAMES_SHOWN = 5
SimulatedName = Annotated[str, typer.Argument(metavar="DEVICE", help="Name of a simulated device.")]


@app.command("up")
def up(
    devices: Annotated[int, typer.Option(min=1, max=1000, help="How many devices there should be.")] = 3,
    speed: Annotated[float, typer.Option(min=0.1, max=100000, help="How many device seconds pass in one real second.")] = 60.0,
    free_ports: Annotated[
        bool,
        typer.Option("--free-ports", help="Let the system choose ports instead of 5985, 5986 and 6443 on each device's address."),
    ] = False,
    prefix: Annotated[str, typer.Option(help="Devices are called PREFIX-01, PREFIX-02, ...")] = "press",
    address_base: Annotated[str, typer.Option(help="First loopback address; each device gets its own.")] = "127.77.0.0",
    engine: Annotated[
        Engine,
        typer.Option(
            help="What runs PowerShell on new devices: embedded (part of akslite), or pwsh: the PowerShell of this machine, with "
            "full language and with your rights on this machine's files and programs."
        ),
    ] = Engine.EMBEDDED,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Let new devices listen on this address of this machine, so that others reach them."),
    ] = None,
    confirm_exposure: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The address of --listen once more: you know who reaches it, and what that means."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the simulated devices (once; more are added) and put them into the inventory.

    They listen on loopback addresses, where only this machine reaches them, unless --listen names another address and it is
    confirmed: typed once more, or given with --confirm-exposure.
    """
    from akslite_ps import sandbox
    from akslite_ps.fleet import Inventory

    if confirm_exposure is not None and listen is None:
        raise UsageError("--confirm-exposure is given without --listen", next_action="leave it out: nothing is exposed")
    inventory = Inventory.load()
    _refuse_names_of_real_devices(inventory, prefix)
    confirmed = None if listen is None else confirmed_at_the_terminal(listen, confirm_exposure, as_json=as_json)
    status = sandbox.up(
        sandbox_dir(),
        devices=devices,
        speed=speed,
        name_prefix=prefix,
        address_base=address_base,
        free_ports=free_ports,
        engine="pwsh" if engine is Engine.PWSH else "embedded",
        listen=listen,
        confirmed_exposure=confirmed,
    )
    inventory.add(*(as_inventory_device(d) for d in status.devices), replace=True)
    _show(status, as_json=as_json)
    if not as_json and status.devices:
        _warn_of_exposure(status)
        first = status.devices[0].name
        say(f"the devices are in the inventory; try: akslite device test {first}   or: akslite status {first}")


@app.command("status")
def status_command(as_json: Json = False) -> None:
    """Show the simulated devices and what state they are in."""
    from akslite_ps import sandbox

    status = sandbox.status(sandbox_dir())
    _show(status, as_json=as_json)
    if not as_json and status.running:
        _warn_of_exposure(status)


@app.command("down")
def down(
    delete: Annotated[bool, typer.Option("--delete", help="Also forget the devices and their state.")] = False,
    as_json: Json = False,
) -> None:
    """Stop the simulated devices; their state is kept for the next ``up`` unless --delete is given."""
    from akslite_ps import sandbox
    from akslite_ps.fleet import Inventory

    inventory = Inventory.load()
    status = sandbox.down(sandbox_dir(), delete=delete)
    simulated = [device.name for device in inventory.list() if _is_simulated(device)]
    if delete and simulated:
        inventory.remove(*simulated)
    _show(status, as_json=as_json)


@app.command("reboot")
def reboot(name: SimulatedName, as_json: Json = False) -> None:
    """Restart a simulated device without notice to whoever works on it."""
    from akslite_ps import sandbox

    _show(sandbox.reboot(sandbox_dir(), name), as_json=as_json)


@app.command("stage-update")
def stage_update(
    name: SimulatedName,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="A release such as 1.11.230.0 or 1.11; default: the next one.")
    ] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="As the files of the Update Catalog, which nobody checks before they are applied.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let the files of an update arrive on a simulated device, as Microsoft Update brings them."""
    from akslite_ps import sandbox

    _show(sandbox.stage_update(sandbox_dir(), name, version, by_hand=by_hand), as_json=as_json)


app.command("certificate")(certificate)
app.command("password")(password)
app.command("join")(join)
app.add_typer(azure, name="azure")
faults = typer.Typer(help="Faults of simulated devices, by name.", no_args_is_help=True)
app.add_typer(faults, name="fault")


@faults.command("kinds")
def fault_kinds(as_json: Json = False) -> None:
    """List the faults there are, with their parameters and the moments at which they can strike."""
    from akslite_ps.sandbox import FAULT_KINDS

    emit([_kind_data(kind) for kind in FAULT_KINDS.values()], as_json=as_json, show=_show_kinds)


@faults.command("add")
def fault_add(
    name: SimulatedName,
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="A fault's name; see: akslite sandbox fault kinds.")],
    at: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="When it strikes: a request, an operation or a stage, as the kinds tell.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter of the fault.")
    ] = None,
    times: Annotated[int | None, typer.Option(min=0, help="How often it strikes; 0: until it is cleared.")] = None,
    after: Annotated[int, typer.Option(min=0, help="How many of its moments pass before it can strike.")] = 0,
    probability: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Chance that it strikes at one of its moments.", show_default=False)
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Makes chance choose the same again; without it, anew each time.")] = None,
    lasts_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="It is over after so many seconds of the device's time.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Switch a fault on for a simulated device."""
    from akslite_ps import sandbox

    chosen = {"at": at, "times": times, "after": after, "probability": probability, "seed": seed, "lasts_s": lasts_s}
    parameters = name_values(parameter or (), "-p")
    misplaced = sorted(chosen.keys() & parameters.keys())
    if misplaced:
        raise UsageError(
            f"{misplaced[0]} is no parameter of a fault", next_action="use the option: akslite sandbox fault add --help"
        )
    _show(sandbox.add_fault(sandbox_dir(), name, fault, **chosen, **parameters), as_json=as_json)


@faults.command("clear")
def fault_clear(
    name: SimulatedName,
    fault: Annotated[str | None, typer.Argument(metavar="[FAULT]", help="Default: all of the device.")] = None,
    as_json: Json = False,
) -> None:
    """Switch a fault of a simulated device off, or all of them."""
    from akslite_ps import sandbox

    _show(sandbox.clear_faults(sandbox_dir(), name, fault), as_json=as_json)


def _kind_data(kind: FaultKind) -> dict[str, Any]:
    return {
        "fault": kind.name,
        "summary": kind.summary,
        "parameters": dict(kind.parameters),
        "choices": {name: list(choices) for name, choices in kind.choices.items()},
        "moments": list(kind.moments),
        "at": kind.at,
        "times": kind.times,
        "lasts_s": kind.lasts_s,
        "form": kind.form,
    }


def _show_kinds() -> None:
    from akslite_ps.sandbox import FAULT_KINDS, OPERATIONS, WSMAN_MOMENTS

    def moments(kind: FaultKind) -> str:
        any_request = set(kind.moments).issuperset(WSMAN_MOMENTS)
        known = "any request, operation" if any_request else " ".join(kind.moments)
        return f"{known}; without --at: {kind.at}" if kind.at and len(kind.moments) > 1 else known

    def parameters(kind: FaultKind) -> str:
        told = (f"{name}={'|'.join(map(str, kind.choices.get(name, (value,))))}" for name, value in kind.parameters.items())
        return " ".join((*told, *((f"--for {kind.lasts_s:g}",) if kind.lasts_s else ())))

    table(
        ("FAULT", "WHAT THE DEVICE DOES", "PARAMETERS", "MOMENTS FOR --at"),
        ((kind.name, kind.summary, parameters(kind), moments(kind)) for kind in FAULT_KINDS.values()),
    )
    say(f"requests: {', '.join(WSMAN_MOMENTS)}")
    say(f"operations: {', '.join(OPERATIONS)}")


def confirmed_at_the_terminal(listen: str, given: str | None, *, as_json: bool) -> str | None:
    """The second word on an address that others reach: the option's, or that of the person at the terminal."""
    if given is not None or as_json or not sys.stdin.isatty():
        return given
    from akslite_ps.sandbox import EXPOSURE_MEANING

    say(f"warning: {EXPOSURE_MEANING.format(address=listen)}")
    typed: str = typer.prompt("if that is meant, type the address once more", err=True)
    return typed.strip()


def _warn_of_exposure(status: SandboxStatus) -> None:
    from akslite_ps.sandbox import EXPOSURE_MEANING

    for address in sorted({d.address for d in status.devices if d.exposed}):
        names = [d.name for d in status.devices if d.address == address]
        shown = ", ".join(names if len(names) <= _NAMES_SHOWN else [*names[:_NAMES_SHOWN], f"and {len(names) - _NAMES_SHOWN} more"])
        say(f"warning: {shown}: {EXPOSURE_MEANING.format(address=address)}")


def _refuse_names_of_real_devices(inventory: Inventory, prefix: str) -> None:
    taken = re.compile(re.escape(prefix) + r"-\d+", re.IGNORECASE)
    real = [device.name for device in inventory.list() if taken.fullmatch(device.name) and not _is_simulated(device)]
    if real:
        raise UsageError(
            f"{', '.join(real)} in the inventory is no simulated device, and a simulated one could get this name",
            attempted="start the sandbox",
            next_action="give the simulated devices other names, e.g. --prefix lab",
        )


def _is_simulated(device: Device) -> bool:
    return device.labels.get(SANDBOX_LABEL) == "true"


def as_inventory_device(simulated: SandboxDevice) -> Device:
    """The inventory entry of a simulated device: Negotiate with message encryption over HTTP, password by reference."""
    from akslite_ps.remoting import Device, Endpoint

    endpoint = Endpoint(
        host=simulated.address,
        port=simulated.http_port,
        username=simulated.username,
        password=SecretRef("file", str(simulated.password_file)),
        ca_file=simulated.ca_file,
    )
    return Device(name=simulated.name, endpoint=endpoint, labels={SANDBOX_LABEL: "true"})


def _show(status: SandboxStatus, *, as_json: bool) -> None:
    emit(_as_data(status), as_json=as_json, show=lambda: _show_tables(status))


def _show_tables(status: SandboxStatus) -> None:
    facts(
        {
            "sandbox": f"running, process {status.pid}, {status.speed:g} device seconds per second"
            if status.running
            else "not running",
            "state kept in": status.directory,
        }
    )
    if status.devices:
        table(
            ("DEVICE", "COMPUTER", "ADDRESS", "WINRM", "KUBERNETES", "ENGINE", "STATE", "POWER", "FAULTS"),
            (
                (
                    d.name,
                    d.computer_name,
                    d.address,
                    f"{d.http_port}/{d.https_port}",
                    d.kubernetes_port or "",
                    d.engine,
                    d.state,
                    d.power,
                    ", ".join(d.faults),
                )
                for d in status.devices
            ),
        )


def _as_data(status: SandboxStatus) -> dict[str, Any]:
    return {
        "running": status.running,
        "pid": status.pid,
        "speed": status.speed,
        "directory": str(status.directory),
        "devices": [
            {
                "name": d.name,
                "computer_name": d.computer_name,
                "address": d.address,
                "exposed": d.exposed,
                "http_port": d.http_port,
                "https_port": d.https_port,
                "kubernetes_port": d.kubernetes_port,
                "username": d.username,
                "password": f"file:{d.password_file}",
                "ca_file": str(d.ca_file),
                "state": d.state,
                "power": d.power,
                "engine": d.engine,
                "faults": list(d.faults),
            }
            for d in status.devices
        ],
    }
