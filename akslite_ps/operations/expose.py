"""Makes the ports of a device's host lead into its cluster as it is declared, and takes away what is no longer declared.

What is declared is in the inventory, by device; ours on the device is what has a firewall rule of ours. Port proxies of others are
told and never changed. ``operations.remove`` takes ours away with the deployment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from akslite_ps.aksedge.exposure import Exposure, HostPorts, PortProxy
from akslite_ps.operations.controller import Ask, OpenSession, open_session
from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.operations.reading import reading
from akslite_ps.operations.steps import Check, Done, StepCode, Verdict
from akslite_ps.operations.work import Work
from akslite_ps.outcome import Outcome

if TYPE_CHECKING:
    from akslite_ps.remoting import Device

OPERATION = "expose"
ADD = "expose.add"
REMOVE = "expose.remove"
_TYPICAL_S = 5
_LIMIT_S = 120
_LOOK = "look at it on the device: netsh interface portproxy show all"


def plan(device: Device, wanted: Sequence[Exposure], *, open_session: OpenSession = open_session, ask: Ask | None = None) -> Plan:
    """Read the device and say which ports would be added, changed and taken away.

    Args:
        device: The device.
        wanted: Everything that is declared for it.
        open_session: Opens the session to read with.
        ask: Answers ``prompt:`` secret references.

    Raises:
        RemotingError: The device cannot be read.
    """
    from akslite_ps.aksedge.exposure import host_ports
    from akslite_ps.aksedge.ops import host_facts

    with reading(device, open_session=open_session, ask=ask) as session:
        found, computer = host_ports(session), host_facts(session).computer_name
    return Plan(
        operation=OPERATION,
        device=device.name,
        created=dt.datetime.now(dt.UTC),
        computer=computer,
        findings=tuple(_findings(found, wanted)),
        steps=(*removal_steps(_no_longer(found, wanted)), *(_add_step(item, found) for item in wanted)),
        notes=("Port proxies carry TCP over IPv4 only.",) if wanted else (),
    )


def removal_steps(proxies: Sequence[PortProxy]) -> Iterator[Step]:
    """A step for each port of ours that is taken away; used by ``operations.remove``, too."""
    for proxy in proxies:
        yield Step(
            id=f"{REMOVE}:{proxy.listen}:{proxy.port}",
            title=f"Take port {proxy.port} away",
            command="Remove-AksLiteExposure",
            change=f"removes {proxy} and its firewall rule",
            disturbs=True,
            typical_s=_TYPICAL_S,
            max_run_s=_LIMIT_S,
            parameters={"listen": proxy.listen, "port": proxy.port},
        )


def _add_step(wanted: Exposure, found: HostPorts) -> Step:
    there = _there(found, wanted)
    done = there is not None and there.ours and there.is_for(wanted)
    return Step(
        id=f"{ADD}:{wanted.listen}:{wanted.port}",
        title=f"Have port {wanted.port} lead to {wanted.to_address}:{wanted.to_port}",
        command="Add-AksLiteExposure",
        change="" if done else f"adds {wanted}, open for {', '.join(wanted.allowed)}",
        needed=not done,
        typical_s=_TYPICAL_S,
        max_run_s=_LIMIT_S,
        parameters={"exposure": wanted.model_dump(mode="json")},
    )


def _there(found: HostPorts, wanted: Exposure) -> PortProxy | None:
    return next((p for p in found.proxies or () if (p.listen, p.port) == (wanted.listen, wanted.port)), None)


def _no_longer(found: HostPorts, wanted: Sequence[Exposure]) -> list[PortProxy]:
    places = {(item.listen, item.port) for item in wanted}
    return [proxy for proxy in found.proxies or () if proxy.ours and (proxy.listen, proxy.port) not in places]


def _findings(found: HostPorts, wanted: Sequence[Exposure]) -> Iterator[Finding]:
    if found.proxies is None:
        yield Finding(
            check="proxies",
            title="Port proxies",
            severity="error",
            read="cannot be read",
            needed="readable",
            action="use an endpoint whose role may read them",
        )
        return
    others = [str(proxy) for proxy in found.proxies if not proxy.ours]
    yield Finding(
        check="others",
        title="Port proxies of others",
        severity="info",
        read="; ".join(others) or "none",
        needed="",
    )
    if wanted and found.helper_service not in (None, "Running", "4"):
        yield Finding(
            check="helper",
            title="Service iphlpsvc",
            severity="error",
            read=found.helper_service or "",
            needed="Running: it forwards",
            action="start it on the device: Start-Service iphlpsvc",
        )
    for item in wanted:
        there = _there(found, item)
        if there is not None and not there.ours:
            read, action = (
                f"leads to {there.to_address}:{there.to_port}, and not by us",
                "choose another port, or have it taken away",
            )
        elif there is None and found.listening is not None and item.port in found.listening:
            read, action = "in use by a program of the host", "choose another port"
        else:
            read, action = "free" if there is None else "ours", ""
        yield Finding(
            check=f"port:{item.listen}:{item.port}",
            title=f"Port {item.port}",
            severity="error" if action else "ok",
            read=read,
            needed="free, or ours",
            action=action,
        )


# -- steps --------------------------------------------------------------------------------------------------------


class _Add(StepCode):
    repeatable = True  # one of ours there is replaced by the same

    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.exposure import host_ports

        wanted = Exposure.model_validate(work.parameters["exposure"])
        there = _there(host_ports(work.session()), wanted)
        so = there is not None and there.ours and there.is_for(wanted)
        return Check(
            Verdict.SO if so else Verdict.NOT_SO, f"port {wanted.port} leads to {there}" if so else "it does not lead there"
        )

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.exposure import add_exposure

        wanted = Exposure.model_validate(work.parameters["exposure"])
        add_exposure(work.sender, wanted, timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, f"{wanted}, open for {', '.join(wanted.allowed)}", work.parameters["exposure"])

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(
                f"netsh answered well, but {check.detail}", next_action="look at it: netsh interface portproxy show all"
            )
        return done


class _Remove(StepCode):
    repeatable = True  # what is gone is gone

    def check(self, work: Work) -> Check:
        from akslite_ps.aksedge.exposure import host_ports

        listen, port = work.parameters["listen"], work.parameters["port"]
        ours = [p for p in host_ports(work.session()).proxies or () if p.ours and (p.listen, p.port) == (listen, port)]
        return Check(
            Verdict.NOT_SO if ours else Verdict.SO, f"port {port} is ours" if ours else f"port {port} is not ours any more"
        )

    def act(self, work: Work) -> Done:
        from akslite_ps.aksedge.exposure import remove_exposure

        port = work.parameters["port"]
        remove_exposure(work.sender, work.parameters["listen"], port, timeout_s=work.step.max_run_s)
        return Done(Outcome.CHANGED, f"port {port} and its firewall rule are removed")

    def verify(self, work: Work, done: Done) -> Done:
        check = self.check(work)
        if check.verdict is not Verdict.SO:
            raise work.failure(f"the device answered well, but {check.detail}", next_action=_LOOK)
        return done


CODE: Mapping[str, StepCode] = {ADD: _Add(), REMOVE: _Remove()}
