"""What the faults of the transport look like to a client of the listener: resets, halves of replies, 400s and a silent network."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


class Faults:
    """Plays the device's fault switch: what strikes at the next request of a kind."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._next: dict[str, Mapping[str, Mapping[str, Any]]] = {}

    def at(self, moment: str, fault: str, **parameters: Any) -> None:
        self._next[moment] = {fault: parameters}

    def strike(self, at: str) -> Mapping[str, Mapping[str, Any]]:
        self.asked.append(at)
        return self._next.pop(at, {})


@pytest.fixture
def faults(served: Any) -> Faults:
    faults = Faults()
    served.device.strike = faults.strike
    return faults


@pytest.fixture(params=["over HTTPS", "encrypted"])
def pool(served: Any, faults: Faults, request: pytest.FixtureRequest) -> RunspacePool:
    """An open pool of a client that is as its author made it."""
    over_tls = request.param == "over HTTPS"
    return served.pool(served.client(ssl=True, auth="basic") if over_tls else served.client())


def echo(pool: RunspacePool, value: str) -> list[Any]:
    shell = PowerShell(pool)
    shell.add_cmdlet("Echo").add_argument(value)
    output = shell.invoke()
    shell.close()
    return list(output)


def test_the_device_is_asked_once_for_each_request(faults: Faults, served: Any) -> None:
    pool = served.pool(served.client(ssl=True, auth="basic"))
    echo(pool, "a")
    pool.close()

    assert faults.asked[0] == "create"
    assert [moment for moment in faults.asked if moment != "receive"] == ["create", "command", "signal", "delete"]


def test_a_request_that_is_cut_off_is_not_carried_out(faults: Faults, pool: RunspacePool, served: Any) -> None:
    faults.at("command", "tcp-reset", where="request")

    with pytest.raises(BROKEN):
        echo(pool, "a")
    assert served.device.requests == []


@pytest.mark.parametrize(
    ("fault", "parameters"), [("tcp-reset", {"where": "reply"}), ("half-reply", {}), ("lost-reply", {"how": "reset"})]
)
def test_a_request_whose_reply_is_cut_off_is_carried_out(
    faults: Faults, pool: RunspacePool, served: Any, fault: str, parameters: dict[str, Any]
) -> None:
    faults.at("command", fault, **parameters)

    with pytest.raises(BROKEN):
        echo(pool, "a")
    deadline = time.monotonic() + 20
    while not served.device.requests:  # the pipeline begins beside the reply
        assert time.monotonic() < deadline, "the command was not carried out"
        time.sleep(0.01)
    assert len(served.device.requests) == 1


def test_a_silent_device_keeps_the_connection_until_the_client_gives_up(faults: Faults, served: Any) -> None:
    client = served.client(ssl=True, auth="basic", read_timeout=1)
    pool = served.pool(client)
    faults.at("command", "lost-reply", how="silent")

    with pytest.raises(requests.ReadTimeout):
        echo(pool, "a")
    assert len(served.device.requests) == 1


def test_a_slow_reply_is_late_and_whole(faults: Faults, pool: RunspacePool) -> None:
    faults.at("command", "slow-reply", seconds=0.05)

    assert echo(pool, "a") == ["a"]


def test_a_dropped_idle_connection_is_http_400_and_the_shell_is_disconnected(
    faults: Faults, pool: RunspacePool, served: Any
) -> None:
    faults.at("command", "idle-drop")

    with pytest.raises(WinRMTransportError) as caught:
        echo(pool, "a")
    assert caught.value.code == 400
    (shell,) = served.listener.shells._shells.values()
    assert not shell.connected


def test_a_shell_that_is_gone_is_not_known(faults: Faults, pool: RunspacePool, served: Any) -> None:
    faults.at("command", "shell-gone")

    with pytest.raises(WSManFaultError) as caught:
        echo(pool, "a")
    assert caught.value.code == 2150858843
    assert served.shell_count == 0


def test_a_used_up_quota_of_commands_is_the_fault_of_a_real_host(faults: Faults, pool: RunspacePool) -> None:
    faults.at("command", "command-quota")

    with pytest.raises(WSManFaultError, match="maximum number of concurrent commands per shell"):
        echo(pool, "a")
    assert echo(pool, "b") == ["b"]


def test_a_log_on_can_be_cut_off(faults: Faults, served: Any) -> None:
    faults.at("log-on", "tcp-reset", where="request")

    with pytest.raises(BROKEN):
        served.pool()
    assert faults.asked == ["log-on"]
    assert served.shell_count == 0


def test_a_device_away_from_the_network_refuses_and_keeps_its_shells(served: Any, pool: RunspacePool) -> None:
    port = served.listener.http_port
    served.call(served.listener.follow_network("refused"))

    with pytest.raises(BROKEN):
        echo(pool, "a")
    with pytest.raises(requests.ConnectionError):
        served.pool()
    served.call(served.listener.follow_network(None))
    assert served.listener.http_port == port
    assert served.shell_count == 1
    served.pool(served.client()).close()


@pytest.mark.parametrize("way", [{"ssl": True, "auth": "basic"}, {}], ids=["over HTTPS", "encrypted"])
def test_a_silent_network_lets_through_later_what_was_sent_meanwhile(served: Any, way: dict[str, Any]) -> None:
    pool = served.pool(served.client(**way))
    served.call(served.listener.follow_network("silent"))
    answers: list[Any] = []
    old = threading.Thread(target=lambda: answers.append(echo(pool, "old connection")))
    new = threading.Thread(target=lambda: answers.append(echo(served.pool(served.client(**way)), "new connection")))
    old.start()
    new.start()
    old.join(0.3)
    assert old.is_alive()
    assert new.is_alive()
    assert served.device.requests == []

    served.call(served.listener.follow_network(None))
    old.join(15)
    new.join(15)
    assert sorted(answers) == [["new connection"], ["old connection"]]


def test_a_listener_that_is_away_can_be_stopped_and_started(served: Any) -> None:
    served.call(served.listener.follow_network("refused"))
    served.call(served.listener.stop())
    served.call(served.listener.follow_network(None))
    served.call(served.listener.start())

    served.pool().close()
