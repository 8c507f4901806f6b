"""From what was read to the likely cause: known failures in the texts, the device's state, and what is past. Pure judgement.

Called by ``operations.diagnose``. The failures themselves, their causes and remedies, are data of ``aksedge.failures``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from akslite_ps.aksedge.failures import KnownFailure, known_failures
from akslite_ps.aksedge.host_requirements import LOCAL
from akslite_ps.operations.diagnosis import Cause, Evidence, Sure
from akslite_ps.operations.diagnosis_readings import Seen
from akslite_ps.operations.preflight import features_wait_for_restart, missing_features

_BATCH = dt.timedelta(minutes=2)
"""Entries this close to the newest failure tell of the same one."""

_FULL_DISK_GB = 2.0
_SLOW_S = 20.0
_QUICK = ("session", "functions", "facts", "deployment", "service-wssdagent")
_EXCERPT = 240
_SHOWN = 5
_ENDED_BY_DEPLOYING = frozenset({"prepare", "install", "deploy"})
_ENDED_BY_RESTARTING = frozenset({"vm-connect", "vm-access", "event-logger"})
_KINDS = {"cause": 0, "symptom": 1, "noise": 2}
_Weight = Literal[0, 1, 2, 3]


@dataclass(slots=True)
class _Candidate:
    """A known failure with what speaks for it on this device."""

    failure: KnownFailure
    state: list[Evidence] = field(default_factory=list)
    newest: list[Evidence] = field(default_factory=list)
    older: list[Evidence] = field(default_factory=list)

    @property
    def weight(self) -> _Weight:
        """3: state and newest failure agree; 2: the newest failure; 1: the state; 0: some log."""
        if self.newest:
            return 3 if self.state else 2
        return 1 if self.state else 0

    @property
    def evidence(self) -> list[Evidence]:
        return [*self.state, *self.newest, *self.older]

    @property
    def last(self) -> dt.datetime | None:
        return max((found.time for found in self.evidence if found.time), default=None)


def judge(seen: Seen, *, device: str) -> tuple[tuple[Cause, ...], tuple[Evidence, ...]]:
    """Find the likely causes.

    Args:
        seen: What was read.
        device: Name of the device, for the commands to type.

    Returns:
        The causes, the likeliest first, and the newest failures that no known failure explains.
    """
    candidates = {failure.id: _Candidate(failure) for failure in known_failures()}
    for failure_id, evidence in _states(seen):
        candidates[failure_id].state.append(evidence)
    newest = max((text.time for text in seen.texts if text.failure and text.time), default=None)
    unknown = []
    for text in seen.texts:
        is_newest = text.failure and (text.now or (newest is not None and text.time is not None and text.time >= newest - _BATCH))
        known = False
        for failure in known_failures():
            match = failure.found_in(text.text)
            if match is None:
                continue
            known = True
            found = Evidence(where=text.where, text=_around(match.string, match.start(), match.end()), time=text.time)
            candidate = candidates[failure.id]
            (candidate.state if text.now else candidate.newest if is_newest else candidate.older).append(found)
        if is_newest and not known and text.text.strip():
            unknown.append(Evidence(where=text.where, text=_around(" ".join(text.text.split()), 0, _EXCERPT), time=text.time))
    found_causes = [(candidate, _why_past(candidate, seen)) for candidate in candidates.values() if candidate.evidence]
    _drop_explained(found_causes)
    found_causes.sort(key=lambda pair: _rank(*pair))
    return tuple(_cause(candidate, past, device) for candidate, past in found_causes), tuple(unknown[:_SHOWN])


def _rank(candidate: _Candidate, past: str) -> tuple[bool, int, int, float, int]:
    when = candidate.last.timestamp() if candidate.last else 0.0
    sure = ("documented", "reported", "inferred").index(candidate.failure.certainty)
    return bool(past), _KINDS[candidate.failure.kind], -candidate.weight, -when, sure


def _cause(candidate: _Candidate, past: str, device: str) -> Cause:
    failure, sure = candidate.failure, _sure(candidate, past)
    # The archives hold the same entries as the event log.
    evidence = list({found.text: found for found in reversed(candidate.evidence)}.values())[::-1]
    return Cause(
        id=failure.id,
        kind=failure.kind,
        cause=failure.cause,
        remedy=failure.remedy,
        next=failure.next.replace("{device}", device),
        sure=sure,
        certainty=failure.certainty,
        source=failure.source,
        evidence=tuple(evidence[:_SHOWN]),
        note=past,
    )


def _sure(candidate: _Candidate, past: str) -> Sure:
    if past:
        return "earlier"
    if candidate.state:
        return "seen now"
    return "likely" if candidate.newest else "possible"


def _why_past(candidate: _Candidate, seen: Seen) -> str:
    """Why a failure that only logs tell of is over; empty where it is not, or where it shows now."""
    failure, facts = candidate.failure, seen.facts
    if candidate.state:
        return ""
    boot, last = (facts.boot_time if facts else None), candidate.last
    if failure.id in _ENDED_BY_RESTARTING and boot and last and boot > last:
        return "the device was restarted since"
    if failure.phase in _ENDED_BY_DEPLOYING and seen.deployed:
        return "there is a deployment now"
    works = seen.health is not None and seen.health.ready
    if works and failure.phase in ("host", "start", "cluster", "access"):
        return "the cluster works now"
    if failure.phase == "arc" and seen.azure_arc is not None and seen.azure_arc[0] == seen.azure_arc[1]:
        return "the Azure Arc agents run now"
    if facts is None:
        return ""
    hns = seen.services.get("hns")
    over = {
        "no-default-gateway": bool(facts.default_gateway),
        "disk-full": facts.free_disk_gb is not None and facts.free_disk_gb >= _FULL_DISK_GB,
        "product-not-found": facts.product_name is not None,
        "hns-disabled": hns is not None and hns[1] not in ("", "Disabled"),
    }
    return "the device does not show it any more" if over.get(failure.id) else ""


def _drop_explained(found: list[tuple[_Candidate, str]]) -> None:
    """Leave out what only repeats something more exact."""
    there = {candidate.failure.id for candidate, past in found if not past}
    repeats = {
        "agent-stopped": {"hns-disabled", "no-default-gateway"},
        "not-deployed": {"not-installed"},
        "no-deployment": {"not-deployed", "incomplete-deployment", "not-installed"},
        "product-not-found": {"not-installed"},
        "api-silent": {"node-stopped"},
        "pods-down": {"node-down"},
    }
    found[:] = [pair for pair in found if not (repeats.get(pair[0].failure.id, set()) & there)]


def _around(text: str, start: int, end: int) -> str:
    """The words, with some of what stands around them."""
    spare = max(0, _EXCERPT - (end - start)) // 2
    left, right = max(0, start - spare), min(len(text), start + _EXCERPT if end - start > _EXCERPT else end + spare)
    return ("... " if left else "") + text[left:right] + (" ..." if right < len(text) else "")


def _states(seen: Seen) -> Iterator[tuple[str, Evidence]]:
    """Failures that the device's state shows, with what shows them."""
    yield from _host_states(seen)
    yield from _product_states(seen)
    slow = [done for done in seen.readings if done.id in _QUICK and done.ok is not None and done.duration_s > _SLOW_S]
    for done in slow:
        yield "slow-device", Evidence(where=done.title.lower(), text=f"it took {done.duration_s:.0f} s")


def _host_states(seen: Seen) -> Iterator[tuple[str, Evidence]]:
    facts = seen.facts
    if facts is not None:
        if not facts.default_gateway:
            yield "no-default-gateway", _fact("no enabled adapter has a default gateway")
        if facts.free_disk_gb is not None and facts.free_disk_gb < _FULL_DISK_GB:
            yield "disk-full", _fact(f"{facts.free_disk_gb:g} GB are free on {facts.system_drive or 'the system drive'}")
        runs = seen.health is not None and bool(seen.health.nodes)
        if not runs and facts.free_memory_mb is not None and facts.free_memory_mb < LOCAL.free_memory_mb:
            yield (
                "low-memory",
                _fact(f"{facts.free_memory_mb} MB of memory are free; the least that is documented is {LOCAL.free_memory_mb} MB"),
            )
        if facts.hypervisor_present is False and facts.product_name is not None:
            if missing := missing_features(facts):
                yield "hypervisor-off", _fact(f"not switched on: {', '.join(missing)}")
            elif features_wait_for_restart(facts):
                yield "hypervisor-off", _fact("switched on, and waiting for a restart")
            elif facts.virtualization_firmware_enabled is False:
                yield "no-virtualization", _fact("virtualization is off in the firmware")
        if facts.power_shell_version and not facts.power_shell_version.startswith("5.1"):
            yield "powershell-7", _fact(f"the session runs PowerShell {facts.power_shell_version}")
        if (facts.language_mode or "").casefold() == "constrainedlanguage":
            yield "constrained-language", _fact("the session's language mode is ConstrainedLanguage")
        if facts.ui_language and not facts.ui_language.casefold().startswith("en"):
            yield "display-language", _fact(f"the display language is {facts.ui_language}")
        if facts.pending_reboot:
            yield "restart-due", _fact(", ".join(facts.pending_reboot_reasons) or "a restart is due")
    status, start = seen.services.get("hns", ("", ""))
    if start == "Disabled":
        yield "hns-disabled", Evidence(where="service hns", text=f"{status}, start type Disabled")
    status, start = seen.services.get("wssdagent", ("", ""))
    if status == "Stopped":
        yield "agent-stopped", Evidence(where="service wssdagent", text=f"{status}, start type {start or 'not told'}")


def _product_states(seen: Seen) -> Iterator[tuple[str, Evidence]]:
    facts = seen.facts
    if facts is not None and facts.product_name is None:
        yield "not-installed", _fact("Windows lists no AKS Edge Essentials")
    elif seen.deployed is False:
        broken_off = facts is not None and facts.deployment_exists
        said = "the product says that there is no deployment"
        yield (
            ("incomplete-deployment", Evidence(where="deployment", text=f"{said}, and nodes' disks are there"))
            if broken_off
            else ("not-deployed", Evidence(where="deployment", text=said))
        )
    health = seen.health
    if health is None:
        if seen.has_node and seen.failed("cluster"):
            said = next(done.found for done in seen.readings if done.id == "cluster")
            yield "api-silent", Evidence(where="cluster", text=said)
        return
    for node in health.nodes:
        if not node.ready:
            yield "node-down", Evidence(where=f"node {node.name}", text=f"{node.status} {node.message}".strip())
    for pod in health.pods:
        if not pod.healthy:
            what = "arc-connecting" if pod.namespace == "azure-arc" else "pods-down"
            yield what, Evidence(where=f"pod {pod.namespace}/{pod.name}", text=f"{pod.status} {pod.message}".strip())
    if health.way == "device":
        yield "api-not-from-here", Evidence(where="cluster", text="it answers on the device, and not from here")


def _fact(text: str) -> Evidence:
    return Evidence(where="host", text=text)
