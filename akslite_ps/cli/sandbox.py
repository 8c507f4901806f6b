"""``akslite sandbox``: simulated devices on this machine, put into the inventory so that every command works on them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.output import Json, emit, facts, name_values, say, table
from akslite_ps.errors import UsageError
from akslite_ps.home import sandbox_dir
from akslite_ps.secrets import SecretRef

if TYPE_CHECKING:
    from akslite_ps.fleet import Inventory
    from akslite_ps.remoting import Device
    from akslite_ps.sandbox import SandboxDevice, SandboxStatus

app = typer.Typer(help="Simulated devices on this machine, behind the real protocols.", no_args_is_help=True)

SANDBOX_LABEL = "sandbox"
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
    as_json: Json = False,
) -> None:
    """Start the simulated devices (once; more are added) and put them into the inventory."""
    from akslite_ps import sandbox
    from akslite_ps.fleet import Inventory

    inventory = Inventory.load()
    _refuse_names_of_real_devices(inventory, prefix)
    status = sandbox.up(
        sandbox_dir(), devices=devices, speed=speed, name_prefix=prefix, address_base=address_base, free_ports=free_ports
    )
    inventory.add(*(as_inventory_device(d) for d in status.devices), replace=True)
    _show(status, as_json=as_json)
    if not as_json and status.devices:
        first = status.devices[0].name
        say(f"the devices are in the inventory; try: akslite device test {first}   or: akslite status {first}")


@app.command("status")
def status_command(as_json: Json = False) -> None:
    """Show the simulated devices and what state they are in."""
    from akslite_ps import sandbox

    _show(sandbox.status(sandbox_dir()), as_json=as_json)


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


faults = typer.Typer(help="Faults of simulated devices, by name.", no_args_is_help=True)
app.add_typer(faults, name="fault")


@faults.command("kinds")
def fault_kinds(as_json: Json = False) -> None:
    """List the faults there are, with their parameters."""
    from akslite_ps.sandbox import FAULT_KINDS

    kinds = FAULT_KINDS.values()
    emit(
        [{"fault": k.name, "summary": k.summary, "parameters": dict(k.parameters), "stages": list(k.stages)} for k in kinds],
        as_json=as_json,
        show=lambda: table(
            ("FAULT", "WHAT THE DEVICE DOES", "PARAMETERS", "STAGES FOR --at"),
            ((k.name, k.summary, " ".join(f"{n}={v}" for n, v in k.parameters.items()), " ".join(k.stages)) for k in kinds),
        ),
    )


@faults.command("add")
def fault_add(
    name: SimulatedName,
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="A fault's name; see: akslite sandbox fault kinds.")],
    at: Annotated[str | None, typer.Option(help="The stage at which it strikes.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter of the fault.")
    ] = None,
    times: Annotated[int | None, typer.Option(min=0, help="How often it strikes; 0: until it is cleared.")] = None,
    as_json: Json = False,
) -> None:
    """Switch a fault on for a simulated device."""
    from akslite_ps import sandbox

    values = name_values(parameter or (), "-p")
    if at is not None:
        values["stage"] = at
    _show(sandbox.add_fault(sandbox_dir(), name, fault, times=times, **values), as_json=as_json)


@faults.command("clear")
def fault_clear(
    name: SimulatedName,
    fault: Annotated[str | None, typer.Argument(metavar="[FAULT]", help="Default: all of the device.")] = None,
    as_json: Json = False,
) -> None:
    """Switch a fault of a simulated device off, or all of them."""
    from akslite_ps import sandbox

    _show(sandbox.clear_faults(sandbox_dir(), name, fault), as_json=as_json)


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
            ("DEVICE", "COMPUTER", "ADDRESS", "WINRM", "KUBERNETES", "STATE", "POWER", "FAULTS"),
            (
                (
                    d.name,
                    d.computer_name,
                    d.address,
                    f"{d.http_port}/{d.https_port}",
                    d.kubernetes_port or "",
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
                "http_port": d.http_port,
                "https_port": d.https_port,
                "kubernetes_port": d.kubernetes_port,
                "username": d.username,
                "password": f"file:{d.password_file}",
                "ca_file": str(d.ca_file),
                "state": d.state,
                "power": d.power,
                "faults": list(d.faults),
            }
            for d in status.devices
        ],
    }
