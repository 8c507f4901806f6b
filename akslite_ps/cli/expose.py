"""``akslite expose``: ports of a device's host that lead into its cluster, declared in the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from akslite_ps.cli.carrying_out import DetailedExitCode, PlanHash, Unlock, WhatIf, Yes, carry_out, reading_display
from akslite_ps.cli.device import Name
from akslite_ps.cli.device import load as load_device
from akslite_ps.cli.output import Json, emit, say, table
from akslite_ps.cli.questions import Questions
from akslite_ps.errors import UsageError

if TYPE_CHECKING:
    from akslite_ps.aksedge.exposure import Exposure

app = typer.Typer(help="Ports of a device that lead into its cluster.", no_args_is_help=True)

Port = Annotated[int, typer.Argument(metavar="PORT", min=1, max=65535, help="Port of the host.")]
Listen = Annotated[str, typer.Option("--listen", metavar="ADDRESS", help="Address of the host; default: all.")]
_EVERY = "0.0.0.0"  # noqa: S104 - of the device's host


@app.command("add")
def add(
    name: Name,
    port: Port,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS:PORT", help="Where it leads: address and port of a service or node.")],
    listen: Listen = _EVERY,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="WHO", help="Address or subnet that may connect; may be repeated. Default: LocalSubnet."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Declare a port for a device. Nothing is sent to it: akslite expose apply does that."""
    from pydantic import ValidationError

    from akslite_ps.aksedge.exposure import Exposure
    from akslite_ps.fleet import Inventory
    from akslite_ps.fleet.inventory import validation_lines

    address, _, to_port = to.rpartition(":")
    given: dict[str, Any] = {"port": port, "to_address": address, "to_port": to_port, "listen": listen}
    try:
        wanted = Exposure.model_validate({**given, **({"allowed": allow} if allow else {})})
    except ValidationError as error:
        raise UsageError(
            f"the port cannot be declared:{validation_lines(error)}", next_action="see: akslite expose add --help"
        ) from None
    Inventory.load().expose(name, wanted)
    emit(
        wanted.model_dump(mode="json"),
        as_json=as_json,
        show=lambda: say(f"{wanted} is declared; make it so with: akslite expose apply {name}"),
    )


@app.command("remove")
def remove(name: Name, port: Port, listen: Listen = _EVERY, as_json: Json = False) -> None:
    """Take a port's declaration away. Nothing is sent to the device: akslite expose apply does that."""
    from akslite_ps.fleet import Inventory

    Inventory.load().unexpose(name, port, listen)
    emit(
        {"device": name, "port": port, "listen": listen},
        as_json=as_json,
        show=lambda: say(f"port {port} is no longer declared; make it so with: akslite expose apply {name}"),
    )


@app.command("list")
def list_command(
    name: Name,
    declared: Annotated[bool, typer.Option("--declared", help="Only what is declared; the device is not asked.")] = False,
    as_json: Json = False,
) -> None:
    """List the ports that are declared, and the port proxies that the device has, ours and others'."""
    from akslite_ps.fleet import Inventory

    wanted = Inventory.load().exposed(name)
    rows = [_row(item, "declared") for item in wanted]
    if not declared:
        from akslite_ps.aksedge.exposure import host_ports
        from akslite_ps.operations.controller import open_session
        from akslite_ps.operations.reading import reading

        device = load_device(name)
        with (
            reading_display(device) as live,
            reading(device, open_session=open_session, ask=Questions().over(live)) as session,
        ):
            found = host_ports(session)
        there = {(p.listen, p.port): p for p in found.proxies or ()}
        rows = [
            _row(item, "there" if (p := there.get((item.listen, item.port))) and p.ours and p.is_for(item) else "missing")
            for item in wanted
        ]
        places = {(item.listen, item.port) for item in wanted}
        for p in found.proxies or ():
            if (p.listen, p.port) not in places or not p.ours:
                target = f"{p.to_address}:{p.to_port}"
                rows.append((p.listen, p.port, target, "", "ours, no longer declared" if p.ours else "not ours"))
    names = ("listen", "port", "to", "allowed", "state")
    emit(
        [dict(zip(names, row, strict=True)) for row in rows],
        as_json=as_json,
        show=lambda: table(("LISTEN", "PORT", "LEADS TO", "ALLOWED", "STATE"), rows) if rows else say("there are none"),
    )


def _row(item: Exposure, state: str) -> tuple[object, ...]:
    return item.listen, item.port, f"{item.to_address}:{item.to_port}", ", ".join(item.allowed), state


@app.command("apply")
def apply(
    name: Name,
    yes: Yes = False,
    plan_hash: PlanHash = None,
    what_if: WhatIf = False,
    detailed_exitcode: DetailedExitCode = False,
    unlock: Unlock = None,
    as_json: Json = False,
) -> None:
    """Make the device's ports as they are declared: add, change, and take away ours that are no longer declared."""
    from akslite_ps.fleet import Inventory
    from akslite_ps.operations import expose

    device, wanted = load_device(name), Inventory.load().exposed(name)
    data = [item.model_dump(mode="json") for item in wanted]
    carry_out(
        expose.OPERATION,
        device,
        lambda ask: expose.plan(device, wanted, ask=ask),
        same=lambda begun: [step.parameters["exposure"] for step in begun.steps if step.kind == expose.ADD] == data,
        yes=yes,
        plan_hash=plan_hash,
        what_if=what_if,
        detailed_exitcode=detailed_exitcode,
        unlock=unlock,
        as_json=as_json,
    )
