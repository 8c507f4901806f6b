"""A device that answers one command with rubbish: a clear error, no traceback, and never a success."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.errors import AksLiteError
from akslite_ps.journal import Journal
from akslite_ps.operations import Controller, Limits, Plan, apply, deploy, remove, update
from akslite_ps.operations.controller import SystemClock, open_session
from akslite_ps.outcome import Outcome
from akslite_ps.remoting import Session
from akslite_ps.remoting.records import OutputRecord, PsObject, Record
from akslite_ps.remoting.result import Result
from akslite_ps.sandbox import LocalSandbox
from akslite_ps.sandbox.device import updates

RUBBISH: Mapping[str, list[Any]] = {
    "nothing": [],
    "null": [None],
    "text": ["\u2588 garbage \x00"],
    "a number": [-1],
    "an empty object": [PsObject({})],
    "an object of something else": [PsObject({"Name": 7, "Version": [None], "Status": PsObject({})})],
    "a list in a list": [[[]]],
    "broken JSON": ['{"Version": '],
}


def _garbled(result: Result, rubbish: list[Any]) -> Result:
    others = [record for record in result.records if not isinstance(record, OutputRecord)]
    said = [OutputRecord(value, seq=len(others) + number) for number, value in enumerate(rubbish, start=1)]
    return replace(result, output=rubbish, records=[*others, *said])


class GarbledInvocation:
    """An invocation of the device whose output comes as rubbish."""

    def __init__(self, invocation: Any, rubbish: list[Any]) -> None:
        self._invocation, self._rubbish = invocation, rubbish

    def __getattr__(self, name: str) -> Any:
        return getattr(self._invocation, name)

    def records(self, timeout_s: float | None = None) -> Iterator[Record]:
        return (record for record in self._invocation.records(timeout_s=timeout_s) if not isinstance(record, OutputRecord))

    def result(self) -> Result:
        return _garbled(self._invocation.result(), self._rubbish if self._invocation.state.is_over else [])


class GarbledSession:
    """A session that gives rubbish for the output of one command; remembers which commands it was asked for."""

    def __init__(self, session: Any, command: str, rubbish: list[Any], asked: set[str]) -> None:
        self._session, self._command, self._rubbish, self._asked = session, command, rubbish, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __enter__(self) -> GarbledSession:
        return self

    def __exit__(self, *details: object) -> None:
        self._session.close()

    def invoke(self, command: Any, /, **how: Any) -> Result:
        result = self._session.invoke(command, **how)
        return _garbled(result, self._rubbish) if self._is_meant(command) else result

    def start(self, command: Any, /, **how: Any) -> Any:
        invocation = self._session.start(command, **how)
        return GarbledInvocation(invocation, self._rubbish) if self._is_meant(command) else invocation

    def _is_meant(self, command: Any) -> bool:
        name = command if isinstance(command, str) else command.name
        self._asked.add(name)
        return bool(name == self._command)


Opener = Callable[..., Any]


def opening(command: str, rubbish: list[Any], asked: set[str]) -> Opener:
    return lambda device, *, ask=None: GarbledSession(open_session(device, ask=ask), command, rubbish, asked)


# -- the operations -----------------------------------------------------------------------------------------------


LIMITS = Limits(0.02, 0.1, back_within_s=1, api_within_s=1, tick_s=0.5)
RESTS_ON = {
    "deploy": (
        "Get-AksLiteFacts",
        "Get-AksLiteBootTime",
        "Test-AksEdgeNetworkParameters",
        "New-AksEdgeDeployment",
        "Test-AksEdgeDeployment",
        "Get-AksLiteKubeConfig",
    ),
    "update": ("Get-AksLiteFacts", "Get-AksLiteBootTime", "Get-AksLiteWorkload"),
    "remove": ("Get-AksLiteFacts", "Get-AksLiteBootTime", "Remove-AksEdgeDeployment", "Get-AksLiteLeftover"),
}
"""The commands whose answers an operation rests on: what they say cannot be had from anywhere else."""


class Impatient(SystemClock):
    """An hour of waiting takes six seconds."""

    def monotonic(self) -> float:
        return super().monotonic() * 600


@pytest.fixture(scope="module")
def fresh_host(
    tmp_path_factory: pytest.TempPathFactory, host_in: Callable[[LocalSandbox, int], Any]
) -> Iterator[Callable[[], Any]]:
    numbers = itertools.count()
    with LocalSandbox(tmp_path_factory.mktemp("rubbish"), devices=50, speed=3000.0) as sandbox:
        yield lambda: host_in(sandbox, next(numbers))


@pytest.fixture
def older(config: DeploymentConfig) -> DeploymentConfig:
    return DeploymentConfig.parse({**config.as_data(), "SchemaVersion": "1.15"})


def ready_for(operation: str, host: Any, config: DeploymentConfig) -> Any:
    host.install("1.10.868.0", "1.30.6")
    if operation != "deploy":
        with Session.open(host.device) as session:
            assert AksEdge(session).new_deployment(config.to_json(eula_accepted=True)) == "OK"
    if operation == "update":

        async def stage() -> None:
            updates.stage(host.sandbox.device(host.name))

        host.sandbox.run(stage())
    return host


def make_plan(operation: str, host: Any, config: DeploymentConfig, opener: Opener) -> Plan:
    match operation:
        case "deploy":
            return deploy.plan(host.device, config, accept_eula=True, open_session=opener)
        case "update":
            return update.plan(host.device, open_session=opener)
    return remove.plan(host.device, open_session=opener)


@pytest.mark.parametrize("operation", RESTS_ON)
def test_a_plan_is_made_of_rubbish_or_refused_but_never_a_traceback(
    operation: str, fresh_host: Callable[[], Any], older: DeploymentConfig
) -> None:
    host, asked = ready_for(operation, fresh_host(), older), set[str]()
    make_plan(operation, host, older, opening("", [], asked))
    assert "Get-AksLiteFacts" in asked
    refused: dict[str, AksLiteError] = {}
    for command in sorted(asked):
        for rubbish in RUBBISH.values():
            try:
                make_plan(operation, host, older, opening(command, rubbish, set()))
            except AksLiteError as error:
                refused[command] = error
    assert {"Get-AksLiteFacts", "Get-Command"} <= refused.keys()
    assert all(error.device == host.name and error.next_action for error in refused.values())


@pytest.mark.parametrize("kind", ["nothing", "an empty object"])
@pytest.mark.parametrize(("operation", "command"), [(name, command) for name, commands in RESTS_ON.items() for command in commands])
def test_a_run_with_a_wrong_answer_ends_with_a_clear_error_and_never_as_a_success(
    operation: str,
    command: str,
    kind: str,
    fresh_host: Callable[[], Any],
    older: DeploymentConfig,
    journal: Journal,
    operator: Controller,
) -> None:
    host, asked = ready_for(operation, fresh_host(), older), set[str]()
    plan = make_plan(operation, host, older, open_session)
    controller = Controller(
        journal,
        open_session=opening(command, RUBBISH[kind], asked),
        limits=LIMITS,
        clock=Impatient(),
        open_cluster=operator.open_cluster,
    )
    run = apply(plan, host.device, approved_hash=plan.hash, journal=journal, controller=controller)
    assert command in asked
    assert run.outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNREACHABLE)
    assert not run.finished
    failed = run.results[-1]
    assert failed.detail
    assert "Traceback" not in failed.detail
    assert failed.error is None or failed.error["next_action"]
    assert journal.verify().ok
