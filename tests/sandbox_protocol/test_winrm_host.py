"""Questions to the client's host, secrets by key exchange, and calls about the runspace pool."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pypsrp.complex_objects import GenericComplexObject, ObjectMeta, PSCredential, PSInvocationState
from pypsrp.exceptions import InvalidPSRPOperation
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell

from akslite_ps.sandbox.engine import PipelineFailed, PsValue, SecureText


class AnsweringUi(PSHostUserInterface):
    """Answers every question and remembers what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def PromptForChoice(  # noqa: N802
        self, runspace: Any, pipeline: Any, caption: str, message: str, choices: list[Any], default_choice: int
    ) -> int:
        labels = [choice.extended_properties["label"] for choice in choices]
        self.asked.append((caption, message, labels, default_choice))
        return 1

    def Prompt(self, runspace: Any, pipeline: Any, caption: str, message: str, description: list[Any]) -> dict[str, str]:  # noqa: N802
        names = [field.extended_properties["name"] for field in description]
        self.asked.append((caption, message, names))
        return dict.fromkeys(names, "answer")

    def ReadLine(self, runspace: Any, pipeline: Any) -> str:  # noqa: N802
        return "a line"

    def ReadLineAsSecureString(self, runspace: Any, pipeline: Any) -> Any:  # noqa: N802
        return runspace.serialize("a secret line", ObjectMeta("SS"))

    def WriteLine2(self, runspace: Any, pipeline: Any, value: str) -> None:  # noqa: N802
        self.asked.append(value)


@pytest.fixture
def ui() -> AnsweringUi:
    return AnsweringUi()


@pytest.fixture
def host(ui: AnsweringUi) -> PSHost:
    return PSHost(None, None, False, "test", None, ui, "1.0")


def _runs(served, name, behaviour):
    served.device.commands[name] = behaviour
    return name


def test_questions_are_answered_by_the_clients_host(served, host, ui, run_command):
    async def ask(call, request, streams):
        choice = await streams.host_call(
            "PromptForChoice", ["Confirm", "Are you sure?", [("&Yes", "do it"), ("&No", "leave it")], 0]
        )
        fields = await streams.host_call("Prompt", ["Supply values", "", ["DiskSize"]])
        line = await streams.host_call("ReadLine", [])
        for answer in (choice, fields, line, await streams.host_call("WriteLine", ["noted"])):
            streams.output(answer)

    with served.pool(host=host) as pool:
        output = run_command(pool, _runs(served, "Ask", ask)).output
    # pypsrp takes null, a message without content, for an empty text.
    assert output == [1, {"DiskSize": "answer"}, "a line", ""]
    assert ui.asked == [("Confirm", "Are you sure?", ["&Yes", "&No"], 0), ("Supply values", "", ["DiskSize"]), "noted"]


def test_a_question_without_a_host_fails_the_pipeline_at_once(served, run_command):
    async def ask(call, request, streams):
        await streams.host_call("WriteLine", ["nobody reads this"])
        await streams.host_call("ReadLine", [])

    with served.pool() as pool:
        failed = run_command(pool, _runs(served, "Ask", ask))
    assert failed.state == PSInvocationState.FAILED
    assert "does not support user interaction" in str(failed.streams.error[0])


def test_a_runspace_can_handle_a_question_that_nobody_answers(served, run_command):
    async def ask(call, request, streams):
        try:
            await streams.host_call("ReadLine", [])
        except PipelineFailed as failure:
            streams.output(failure.error.error_id)

    with served.pool() as pool:
        assert run_command(pool, _runs(served, "Ask", ask)).output == ["HostFunctionNotImplemented"]


def test_secure_strings_travel_both_ways_after_key_exchange(served, host, run_command):
    async def secrets(call, request, streams):
        (parameter,) = call.parameters
        assert parameter.value == SecureText("P@ss wörd")
        line = await streams.host_call("ReadLineAsSecureString", [])
        assert line == SecureText("a secret line")
        streams.output(SecureText("from the device"))

    with served.pool(host=host) as pool:
        pool.exchange_keys()
        done = run_command(pool, _runs(served, "Secrets", secrets), pool.serialize("P@ss wörd", ObjectMeta("SS")))
    assert done.state == PSInvocationState.COMPLETED, [str(error) for error in done.streams.error]
    assert done.output == ["from the device"]


def test_a_credential_arrives_with_its_password_as_a_secret(served, run_command):
    with served.pool() as pool:
        pool.exchange_keys()
        credential = PSCredential(username="PRESS\\admin", password="hunter2")
        run_command(pool, _runs(served, "Take", _nothing), credential)
    (parameter,) = served.device.requests[0].commands[0].parameters
    assert isinstance(parameter.value, PsValue)
    assert parameter.value.properties == {"UserName": "PRESS\\admin", "Password": SecureText("hunter2")}
    assert "hunter2" not in repr(served.device.requests)


def test_a_secret_is_not_sent_before_key_exchange(served, run_command):
    async def leak(call, request, streams):
        streams.output(SecureText("not without a key"))

    with served.pool() as pool:
        failed = run_command(pool, _runs(served, "Leak", leak))
    assert failed.state == PSInvocationState.FAILED
    assert failed.output == []


def test_objects_a_client_sends_arrive_with_their_properties(served, run_command):
    value = GenericComplexObject()
    value.extended_properties = {"Name": "n", "Count": 3}
    with served.pool() as pool:
        run_command(pool, _runs(served, "Take", _nothing), value, [1, "two"], {"k": "v"})
    sent, items, table = (parameter.value for parameter in served.device.requests[0].commands[0].parameters)
    assert sent == PsValue({"Name": "n", "Count": 3}, (), None)
    assert (items, table) == ([1, "two"], {"k": "v"})


def test_runspace_limits_are_answered_truly(served):
    with served.pool() as pool:
        assert pool.get_available_runspaces() == 1
        pool.max_runspaces = 5
        assert pool.get_available_runspaces() == 5
        pool.min_runspaces = 2
        with pytest.raises(InvalidPSRPOperation, match="minimum"):
            pool.min_runspaces = -1
        with pytest.raises(InvalidPSRPOperation, match="maximum"):
            pool.max_runspaces = 1


def test_reset_gives_a_fresh_runspace(served, run_command):
    with served.pool() as pool:
        run_command(pool, "Echo", 1)
        pool.reset_runspace_state()
        assert run_command(pool, "Echo", 2).output == [2]
    assert [runspace.closed for runspace in served.device.runspaces] == [True, True]


def test_reset_is_refused_while_a_pipeline_runs(served):
    release = asyncio.Event()
    running = threading.Event()

    async def hold(call, request, streams):
        running.set()
        await release.wait()

    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet(_runs(served, "Hold", hold))
        shell.begin_invoke()
        assert running.wait(5)
        with pytest.raises(InvalidPSRPOperation, match="reset"):
            pool.reset_runspace_state()
        served.post(release.set)
        shell.end_invoke()
        shell.close()


def test_pipelines_of_one_runspace_take_turns(served):
    order: list[str] = []
    release = asyncio.Event()

    async def first(call, request, streams):
        order.append("first begins")
        await release.wait()
        order.append("first ends")

    async def second(call, request, streams):
        order.append("second begins")

    served.device.commands |= {"First": first, "Second": second}
    with served.pool() as pool:
        shells = []
        for name in ("First", "Second"):
            shells.append(PowerShell(pool).add_cmdlet(name))
            shells[-1].begin_invoke()
        served.post(release.set)
        for shell in shells:
            shell.end_invoke()
            shell.close()
    assert order == ["first begins", "first ends", "second begins"]


def test_two_runspaces_run_two_pipelines_at_once(served):
    met = asyncio.Event()

    async def waits(call, request, streams):
        await met.wait()

    async def comes(call, request, streams):
        met.set()

    served.device.commands |= {"Waits": waits, "Comes": comes}
    with served.pool(max_runspaces=2) as pool:
        shells = []
        for name in ("Waits", "Comes"):
            shells.append(PowerShell(pool).add_cmdlet(name))
            shells[-1].begin_invoke()
        for shell in shells:
            shell.end_invoke()
            shell.close()
    assert len(served.device.runspaces) == 2


async def _nothing(call, request, streams):
    return None
