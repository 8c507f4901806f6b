"""Ports of a device's host that lead into its cluster: as declared, only ours touched, gone with the deployment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from akslite_ps.aksedge.exposure import Exposure, add_exposure, host_ports, remove_exposure
from akslite_ps.aksedge.ops import ensure_ops
from akslite_ps.errors import CmdletFailed, PreflightFailed
from akslite_ps.operations import Plan, Run, expose, remove
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.sandbox.device import port_proxies
from akslite_ps.sandbox.device.state import PortProxy

if TYPE_CHECKING:
    from conftest import SimulatedHost

Walk = Callable[[Plan], Run]
WEB = Exposure(port=8080, to_address="192.168.0.4", to_port=80)
API = Exposure(port=6443, to_address="192.168.0.2", to_port=6443, allowed=("10.1.0.0/16",))


def changes(plan: Plan) -> list[str]:
    return [step.id for step in plan.steps if step.needed and step.change]


def severity(plan: Plan, check: str) -> str:
    return next(finding.severity for finding in plan.findings if finding.check == check)


def theirs(host: SimulatedHost, port: int) -> None:
    """A port proxy that somebody else has made."""

    async def work() -> None:
        proxy = PortProxy(listen_address="0.0.0.0", listen_port=port, connect_address="10.9.9.9", connect_port=1)  # noqa: S104
        port_proxies.set_proxy(host.sandbox.device(host.name), proxy)

    host.sandbox.run(work())


def test_ports_become_as_declared_and_stay_so(simulated: SimulatedHost, walk: Walk) -> None:
    plan = expose.plan(simulated.device, [WEB, API])
    assert changes(plan) == ["expose.add:0.0.0.0:8080", "expose.add:0.0.0.0:6443"]
    assert walk(plan).outcome is Outcome.CHANGED
    assert not expose.plan(simulated.device, [WEB, API]).has_changes
    moved = WEB.model_copy(update={"to_address": "192.168.0.5"})
    plan = expose.plan(simulated.device, [moved])
    assert changes(plan) == ["expose.remove:0.0.0.0:6443", "expose.add:0.0.0.0:8080"]
    assert walk(plan).outcome is Outcome.CHANGED
    state = simulated.state
    assert [(p.listen_port, p.connect_address) for p in state.port_proxies] == [(8080, "192.168.0.5")]
    assert [rule.name for rule in state.firewall_rules] == ["AksLite-Expose-0.0.0.0-8080"]


def test_what_is_not_ours_is_told_and_left_alone(simulated: SimulatedHost, walk: Walk) -> None:
    theirs(simulated, 9000)
    plan = expose.plan(simulated.device, [WEB])
    assert next(f for f in plan.findings if f.check == "others").read == "0.0.0.0:9000 -> 10.9.9.9:1"
    assert walk(plan).outcome is Outcome.CHANGED
    assert walk(expose.plan(simulated.device, [])).outcome is Outcome.CHANGED
    assert [p.listen_port for p in simulated.state.port_proxies] == [9000]
    theirs(simulated, 8080)
    taken = expose.plan(simulated.device, [WEB])
    assert severity(taken, "port:0.0.0.0:8080") == "error"
    with pytest.raises(PreflightFailed, match="not by us"):
        walk(taken)
    with Session.open(simulated.device) as session:
        ensure_ops(session)
        with pytest.raises(CmdletFailed, match="not by us"):
            add_exposure(session, WEB)
        assert remove_exposure(session, "0.0.0.0", 8080) is False  # noqa: S104


def test_a_port_that_a_program_uses_is_refused(simulated: SimulatedHost) -> None:
    assert severity(expose.plan(simulated.device, [WEB.model_copy(update={"port": 5040})]), "port:0.0.0.0:5040") == "error"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"port": 5986}, "remote access"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"to_address": "fe80::1"}, "IPv4 address"),
        ({"to_address": "service"}, "IPv4 address"),
        ({"allowed": ("everybody",)}, "LocalSubnet"),
        ({"allowed": ()}, "at least 1"),
    ],
)
def test_what_cannot_be_declared_is_named(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Exposure.model_validate({**WEB.model_dump(), **wrong})


def test_ports_of_ours_go_with_the_deployment_and_others_are_told(deployed: SimulatedHost, walk: Walk) -> None:
    walk(expose.plan(deployed.device, [WEB]))
    theirs(deployed, 9000)
    plan = remove.plan(deployed.device)
    assert changes(plan) == ["expose.remove:0.0.0.0:8080", remove.DEPLOYMENT]
    run = walk(plan)
    assert run.outcome is Outcome.CHANGED
    assert [p.listen_port for p in deployed.state.port_proxies] == [9000]
    assert "port proxies 0.0.0.0:9000 -> 10.9.9.9:1" in run.results[-1].detail


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH")
def test_the_real_module_does_the_same(simulated_in_powershell: SimulatedHost) -> None:
    host = simulated_in_powershell
    theirs(host, 9000)
    with Session.open(host.device) as session:
        ensure_ops(session)
        add_exposure(session, API)
        found = host_ports(session)
        assert found.proxies is not None
        assert {(p.port, p.ours) for p in found.proxies} == {(6443, True), (9000, False)}
        with pytest.raises(CmdletFailed, match="not by us"):
            add_exposure(session, WEB.model_copy(update={"port": 9000}))
        assert [rule.remote_addresses for rule in host.state.firewall_rules] == [("10.1.0.0/16",)]
        assert remove_exposure(session, API.listen, API.port) is True
        assert remove_exposure(session, API.listen, API.port) is False
    assert [p.listen_port for p in host.state.port_proxies] == [9000]
    assert host.state.firewall_rules == ()
