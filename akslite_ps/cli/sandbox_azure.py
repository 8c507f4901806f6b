"""``akslite sandbox azure``: the simulated Azure side, with which simulated devices connect their clusters."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from akslite_ps.cli.output import Json, emit, facts, say, table
from akslite_ps.home import sandbox_dir

app = typer.Typer(help="The simulated Azure side: service principals, resource groups, connected clusters.", no_args_is_help=True)


@app.command("status")
def status(as_json: Json = False) -> None:
    """Show tenants, service principals and connected clusters."""
    from akslite_ps import sandbox

    data = sandbox.azure_overview(sandbox_dir())
    emit(data, as_json=as_json, show=lambda: _show(data))


@app.command("grant")
def grant(
    resource_group: Annotated[str, typer.Option("--resource-group", "-g", help="Made where it does not exist.")] = "edge",
    location: Annotated[str, typer.Option(help="Region of a resource group that is made.")] = "westeurope",
    role: Annotated[
        list[str] | None, typer.Option("--role", help="A role on the resource group; default: the one for onboarding clusters.")
    ] = None,
    no_role: Annotated[bool, typer.Option("--no-role", help="Give it no role: it can sign in and nothing else.")] = False,
    as_json: Json = False,
) -> None:
    """Make a service principal and show what belongs into a config's Arc section; its secret goes to a file."""
    from akslite_ps import sandbox

    roles = () if no_role else tuple(role or ("Kubernetes Cluster - Azure Arc Onboarding",))
    access = sandbox.grant_azure_access(sandbox_dir(), resource_group=resource_group, location=location, roles=roles)
    shown = {
        "TenantId": access["tenant_id"],
        "SubscriptionId": access["subscription_id"],
        "ResourceGroupName": access["resource_group"],
        "Location": access["location"],
        "ClientId": access["client_id"],
        "ClientSecret": f"file:{access['secret_file']}",
    }
    emit(shown, as_json=as_json, show=lambda: facts({"roles": ", ".join(access["roles"]) or "none", **shown}))


@app.command("delete")
def delete(
    resource_id: Annotated[str, typer.Argument(metavar="RESOURCE", help="Resource id of a connected cluster; see: status.")],
    as_json: Json = False,
) -> None:
    """Delete a connected cluster as somebody with the portal would; its device is not told."""
    from akslite_ps import sandbox

    data = sandbox.delete_azure_cluster(sandbox_dir(), resource_id)
    emit(data, as_json=as_json, show=lambda: _show(data))


def _show(data: dict[str, Any]) -> None:
    if not data["tenants"]:
        say("nothing is known there yet; make a service principal: akslite sandbox azure grant")
        return
    table(
        ("SERVICE PRINCIPAL", "TENANT", "ROLES", "EXPIRES"),
        ((p["client_id"], p["tenant"], ", ".join(p["roles"]), p["expires_at"] or "") for p in data["service_principals"]),
    )
    table(
        ("CLUSTER", "RESOURCE GROUP", "CONNECTIVITY", "KUBERNETES", "DEVICE", "RESOURCE"),
        (
            (c["name"], c["resource_group"], c["connectivity"], c["kubernetes_version"], c["device"] or "", c["id"])
            for c in data["clusters"]
        ),
    )
