"""What a client can ask of a pool beside running commands: metadata, calls to its host, nested pipelines, many runspaces."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pypsrp.complex_objects import CommandType, PSInvocationState
from pypsrp.exceptions import WSManFaultError
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.messages import GetCommandMetadata
from pypsrp.powershell import PowerShell, RunspacePool

from akslite_ps.sandbox.engine import CommandDescription, ErrorInfo, ParameterDescription, PipelineFailed, Pool
from akslite_ps.sandbox.protocol import pipelines

COMMANDS = [
    CommandDescription(
        "Get-AksEdgeNodeAddr",
        "Function",
        "AksEdge",
        (
            ParameterDescription("NodeType", "System.String"),
            ParameterDescription("Force", "System.Management.Automation.SwitchParameter", is_switch=True),
            ParameterDescription("ErrorAction", "System.Management.Automation.ActionPreference", ("ea",)),
        ),
        output_types=("System.String",),
    ),
    CommandDescription("Get-Service", "Cmdlet", "Microsoft.PowerShell.Management", help_uri="https://example.invalid/help"),
    CommandDescription("gsv", "Alias", "", resolved_name="Get-Service"),
]


class TalkingUi(PSHostUserInterface):
    """Answers a question and keeps what was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def ReadLine(self, runspace: Any, pipeline: Any) -> str:  # noqa: N802
        return "a line"

    def WriteLine2(self, runspace: Any, pipeline: Any, value: str) -> None:  # noqa: N802
        self.shown.append(value)


@pytest.fixture
def ui() -> TalkingUi:
    return TalkingUi()


@pytest.fixture
def host(ui: TalkingUi) -> PSHost:
    return PSHost(None, None, False, "test", None, ui, "1.0")


def begin(pool: RunspacePool, name: str) -> PowerShell:
    shell = PowerShell(pool)
    shell.add_cmdlet(name)
    shell.begin_invoke()
    return shell


# ---- metadata


def test_command_metadata_says_what_a_proxy_needs(served):
    served.device.descriptions = COMMANDS
    with served.pool() as pool:
        node, service = pool.get_command_metadata("get-*")
    assert (node.name, node.namespace, str(node.command_type), node.output_type) == (
        "Get-AksEdgeNodeAddr",
        "AksEdge",
        "Function",
        ["System.String"],
    )
    assert list(node.parameters) == ["NodeType", "Force", "ErrorAction"]
    force, action = node.parameters["Force"], node.parameters["ErrorAction"]
    assert (force.name, force.parameter_type.rpartition(".")[2], force.switch_parameter) == ("Force", "SwitchParameter", True)
    assert (action.parameter_type, action.aliases) == ("System.Management.Automation.ActionPreference", ["ea"])
    assert (service.name, service.help_uri, service.parameters) == ("Get-Service", "https://example.invalid/help", {})


def test_command_metadata_is_chosen_by_name_kind_and_module(served):
    served.device.descriptions = COMMANDS
    with served.pool() as pool:

        def names(*args: Any, **kwargs: Any) -> list[str]:
            return [command.name for command in pool.get_command_metadata(*args, **kwargs)]

        assert names("*") == ["Get-AksEdgeNodeAddr", "Get-Service", "gsv"]
        assert names("*", command_types=CommandType.FUNCTION) == ["Get-AksEdgeNodeAddr"]
        assert names("*", namespace=["Microsoft.*"]) == ["Get-Service"]
        assert names(["gsv", "Get-Aks*"]) == ["Get-AksEdgeNodeAddr", "gsv"]
        assert names("Nothing-*") == []


def test_the_metadata_of_a_command_that_is_not_there_is_an_error_record(served):
    served.device.descriptions = COMMANDS
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell._invoke(GetCommandMetadata(["Get-Nothing", "Got-*"], CommandType.ALL, None, None))
        (count,) = shell.end_invoke()
        shell.close()
    assert count.count == 0
    (error,) = shell.streams.error
    assert error.fq_error == "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"
    assert "'Get-Nothing' is not recognized" in str(error)


# ---- the host of the pool


def test_a_device_asks_the_host_of_the_pool_when_no_pipeline_runs(served, host, ui):
    pools: list[Pool] = []
    answers: list[str] = []

    async def remember(call, request, streams):
        pools.append(request.pool)

    async def ask() -> None:
        await pools[0].host_call("WriteLine", ["the cluster was updated"])
        answers.append(await pools[0].host_call("ReadLine", []))

    served.device.commands["Remember"] = remember
    with served.pool(host=host) as pool:
        begin(pool, "Remember").end_invoke()
        asking = threading.Thread(target=lambda: served.call(ask()))
        asking.start()
        while asking.is_alive():
            # A client reads what is for its pool when it asks something about the pool.
            pool.get_available_runspaces()
        asking.join()
    assert (answers, ui.shown) == (["a line"], ["the cluster was updated"])


def test_a_pool_without_a_host_fails_a_question_and_leaves_out_what_only_shows(served):
    pools: list[Pool] = []

    async def remember(call, request, streams):
        pools.append(request.pool)

    served.device.commands["Remember"] = remember
    with served.pool() as pool:
        begin(pool, "Remember").end_invoke()
        assert served.call(pools[0].host_call("WriteLine", ["nobody reads this"])) is None
        with pytest.raises(PipelineFailed, match="user interaction"):
            served.call(pools[0].host_call("ReadLine", []))


# ---- who is there


def test_a_device_sees_who_opened_the_pool_and_what_the_client_says_of_itself(served, run_command):
    async def nothing(call, request, streams):
        return None

    served.device.commands["Nothing"] = nothing
    pool = RunspacePool(served.client())
    pool.open(application_arguments={"Operator": "shift-2", "Ticket": 4711})
    run_command(pool, "Nothing")
    pool.close()
    sender = served.device.requests[0].pool.sender
    assert sender.application_arguments == {"Operator": "shift-2", "Ticket": 4711}
    assert (sender.user, sender.configuration, sender.client_address) == ("PRESS-01\\aksadmin", "Microsoft.PowerShell", "127.0.0.1")
    assert sender.connection.endswith("/wsman")


def test_the_wish_for_history_reaches_the_device(served):
    with served.pool() as pool:
        for wish in (True, False):
            shell = PowerShell(pool)
            shell.add_cmdlet("Echo")
            shell.invoke(add_to_history=wish)
            shell.close()
    assert [request.add_to_history for request in served.device.requests] == [True, False]


# ---- pipelines in pipelines, and next to each other


def test_a_nested_pipeline_runs_in_the_runspace_of_the_one_that_is_busy(served):
    release = asyncio.Event()
    seen: list[str] = []

    async def outer(call, request, streams):
        seen.append("outer begins")
        await release.wait()
        streams.output("outer")

    async def inner(call, request, streams):
        seen.append("inner")
        streams.output("inner")

    served.device.commands |= {"Outer": outer, "Inner": inner}
    with served.pool() as pool:
        first = begin(pool, "Outer")
        nested = PowerShell(pool)
        nested.is_nested = True
        nested.add_cmdlet("Inner")
        assert nested.invoke() == ["inner"]
        served.post(release.set)
        first.end_invoke()
    assert first.output == ["outer"]
    assert seen == ["outer begins", "inner"]
    assert len(served.device.runspaces) == 1


def test_a_nested_pipeline_with_nothing_around_it_runs_like_any_other(served):
    with served.pool() as pool:
        nested = PowerShell(pool)
        nested.is_nested = True
        nested.add_cmdlet("Echo").add_argument("alone")
        assert nested.invoke() == ["alone"]


def test_stopping_a_nested_pipeline_leaves_the_one_around_it_alone(served):
    release = asyncio.Event()

    async def outer(call, request, streams):
        await release.wait()
        streams.output("outer")

    async def forever(call, request, streams):
        await asyncio.Event().wait()

    served.device.commands |= {"Outer": outer, "Forever": forever}
    with served.pool() as pool:
        first = begin(pool, "Outer")
        nested = PowerShell(pool)
        nested.is_nested = True
        nested.add_cmdlet("Forever")
        nested.begin_invoke()
        nested.stop()
        served.post(release.set)
        first.end_invoke()
    assert (nested.state, first.state, first.output) == (PSInvocationState.STOPPED, PSInvocationState.COMPLETED, ["outer"])


def test_more_pipelines_than_runspaces_wait_in_order_and_a_raised_limit_lets_them_run(served):
    running: list[str] = []
    release = asyncio.Event()

    async def wait(call, request, streams):
        running.append(call.parameters[0].value)
        await release.wait()

    served.device.commands["Wait"] = wait
    with served.pool(max_runspaces=2) as pool:
        shells = []
        for name in "abcd":
            shell = PowerShell(pool)
            shell.add_cmdlet("Wait").add_argument(name)
            shell.begin_invoke()
            shells.append(shell)
        assert pool.get_available_runspaces() == 0
        assert running == ["a", "b"]
        pool.max_runspaces = 3
        assert pool.get_available_runspaces() == 0
        assert running == ["a", "b", "c"]
        served.post(release.set)
        for shell in shells:
            shell.end_invoke()
            shell.close()
        assert pool.get_available_runspaces() == 3
    assert running == ["a", "b", "c", "d"]
    assert len(served.device.runspaces) == 3


def test_only_the_one_runspace_of_a_pool_can_be_reset(served):
    with served.pool(max_runspaces=2) as pool, pytest.raises(Exception, match="reset"):
        pool.reset_runspace_state()


# ---- input


def test_input_that_comes_for_a_command_that_has_failed_is_let_go(served):
    async def fail(call, request, streams):
        raise PipelineFailed(ErrorInfo("no", "No"))

    served.device.commands["Fail"] = fail
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Fail")
        shell.invoke(input=list(range(500)))
        assert shell.state == PSInvocationState.FAILED
        shell.close()


def test_too_much_input_for_one_command_is_refused(served, monkeypatch):
    monkeypatch.setattr(pipelines, "INPUT_LIMIT", 50_000)
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Echo")
        with pytest.raises(WSManFaultError, match="exceeded the allowed maximum"):
            shell.invoke(input=["x" * 1_000] * 100)
        fresh = PowerShell(pool)
        fresh.add_cmdlet("Echo").add_argument("the pool goes on")
        shell.stop()
        assert fresh.invoke() == ["the pool goes on"]
