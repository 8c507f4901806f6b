"""The same work on many devices: results as they come, errors as results, memory that does not grow."""

from __future__ import annotations

import functools
import gc
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.errors import (
    AksLiteError,
    AuthenticationFailed,
    CmdletFailed,
    NotPermitted,
    SecretUnavailable,
    SessionLost,
    UsageError,
)
from akslite_ps.remoting import Device, DeviceResult, ManyProgress, Session, run_on_many
from akslite_ps.secrets import REDACTOR, SecretRef

PATIENCE_S = 20.0


def greet(session: Session, *, word: str = "hello") -> str:
    """Work that can be passed to another process."""
    return f"{word} {session.invoke('Get-Greeting').output[0]} in {os.getpid()}"


def give_no_data(session: Session) -> Any:
    return threading.Lock()


def fail_in_own_way(session: Session) -> None:
    raise OwnError("a", "b")


def do_all_kinds(session: Session) -> Any:
    kinds: dict[str, Any] = {"press-02": fail_in_cmdlet, "press-03": fail_in_own_way, "press-04": give_no_data}
    return kinds.get(session.device.name, greet)(session)


def fail_in_cmdlet(session: Session) -> None:
    session.invoke("Get-Nothing")


def die(session: Session) -> None:
    if session.device.name == "press-03":
        os._exit(7)


def wait_for_ever(session: Session) -> None:
    session.invoke("Wait-Forever")


class OwnError(Exception):
    """Cannot be read back from a pickle."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def named(device: Device, number: int) -> Device:
    return device.model_copy(update={"name": f"press-{number:02}"})


@pytest.fixture
def devices(lab: Any) -> list[Device]:
    """Ten names of one device."""

    @lab.device.command("Get-Greeting")
    async def greeting(call: Any, streams: Any, request: Any) -> None:
        streams.output("hello")

    @lab.device.command("Wait-Forever")
    async def wait(call: Any, streams: Any, request: Any) -> None:
        import asyncio

        await asyncio.Event().wait()

    return [named(lab.target(), number) for number in range(1, 11)]


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def shells(lab: Any) -> int:
    return len(lab.listener.shells._shells)


@pytest.mark.parametrize("shards", [0, 2])
def test_every_device_has_its_result(lab: Any, devices: list[Device], shards: int) -> None:
    told: list[ManyProgress] = []
    work = functools.partial(greet, word="oh")

    results = {result.device: result for result in run_on_many(devices, work, threads=2, shards=shards, on_progress=told.append)}

    assert sorted(results) == [device.name for device in devices]
    assert all(result.ok and result.value is not None and result.value.startswith("oh hello") for result in results.values())
    processes = {str(result.value).rpartition(" ")[2] for result in results.values()}
    assert (processes == {str(os.getpid())}) == (shards == 0)
    assert told[-1] == ManyProgress(started=10, done=10, failed=0, total=10)
    assert shells(lab) == 0
    password = devices[0].endpoint.password
    assert password is not None
    known = REDACTOR.learned(0)  # whoever shows the results redacts them, whichever process asked for the secret
    assert password.resolve() in known


def test_what_goes_wrong_on_one_device_is_its_result(lab: Any, devices: list[Device], tmp_path: Path) -> None:
    devices[0] = with_password(devices[0], wrong_password(tmp_path))

    results = {result.device: result for result in run_on_many(devices, greet, threads=2)}

    error = results["press-01"].error
    assert isinstance(error, AuthenticationFailed)
    assert (error.device, bool(error.next_action)) == ("press-01", True)
    assert sum(result.ok for result in results.values()) == 9


def test_whatever_happens_in_another_process_is_a_result_here(lab: Any, devices: list[Device], tmp_path: Path) -> None:
    devices[0] = with_password(devices[0], wrong_password(tmp_path))
    devices[4] = with_password(devices[4], SecretRef("prompt", "password"))

    found = run_on_many(devices[:6], do_all_kinds, threads=2, shards=1, ask=lambda label: str(lab.password))
    results = {result.device: result for result in found}

    texts = {name: str(result.error) for name, result in results.items()}
    assert isinstance(results["press-01"].error, AuthenticationFailed)
    assert isinstance(results["press-02"].error, NotPermitted)
    assert "Get-Nothing" in texts["press-02"]
    assert results["press-02"].error.device == "press-02"
    assert "a and b" in texts["press-03"]
    assert "lock" in texts["press-04"]
    assert all("cannot be passed between processes" in texts[name] for name in ("press-03", "press-04"))
    assert results["press-05"].ok
    assert results["press-06"].ok


def wrong_password(tmp_path: Path) -> SecretRef:
    (tmp_path / "wrong").write_text("not-it", encoding="utf-8")
    return SecretRef("file", str(tmp_path / "wrong"))


def with_password(device: Device, password: SecretRef) -> Device:
    return device.model_copy(update={"endpoint": device.endpoint.model_copy(update={"password": password})})


def test_the_works_own_error_is_a_result_with_its_traceback(devices: list[Device]) -> None:
    (result,) = run_on_many(devices[:1], fail_in_own_way, threads=1)

    assert isinstance(result.error, OwnError)
    assert "fail_in_own_way" in result.error.__notes__[0]
    assert result.error.__traceback__ is None


def test_a_process_that_dies_costs_the_devices_it_had_and_no_more(devices: list[Device]) -> None:
    results = list(run_on_many(devices, die, threads=1, shards=1))

    lost = [result for result in results if not result.ok]
    assert len(results) == 10
    assert "press-03" in {result.device for result in lost}
    assert 1 <= len(lost) <= 2
    assert all(isinstance(result.error, SessionLost) and "exit code 7" in str(result.error) for result in lost)


def test_work_that_cannot_leave_this_process_is_refused_before_anything_is_opened(devices: list[Device]) -> None:
    with pytest.raises(UsageError, match="cannot be passed to another process"):
        next(run_on_many(devices, lambda session: None, shards=1))


@pytest.mark.parametrize(("threads", "shards"), [(0, 0), (1, -1)])
def test_numbers_that_make_no_sense_are_refused(devices: list[Device], threads: int, shards: int) -> None:
    with pytest.raises(UsageError, match="cannot work"):
        run_on_many(devices, greet, threads=threads, shards=shards)


def test_devices_are_taken_and_sessions_held_only_as_far_as_there_are_threads(lab: Any, devices: list[Device]) -> None:
    taken: list[int] = []
    most = 0

    def endless() -> Iterator[Device]:
        for number in range(1, 10_000):
            taken.append(number)
            yield named(devices[0], number)

    results = run_on_many(endless(), greet, threads=3)
    for count in range(1, 41):
        assert next(results).ok
        most = max(most, shells(lab))
        assert len(taken) <= count + 6
    results.close()

    assert most <= 3
    assert shells(lab) == 0


def test_no_result_is_kept_after_it_was_taken(devices: list[Device]) -> None:
    class Value:
        pass

    made: list[weakref.ref[Value]] = []

    def make(session: Session) -> Value:
        value = Value()
        made.append(weakref.ref(value))
        return value

    for _ in run_on_many(devices, make, threads=2):
        pass
    del _
    gc.collect()
    assert len(made) == 10
    assert all(reference() is None for reference in made)


@pytest.mark.parametrize("shards", [0, 1])
def test_cancelling_begins_nothing_more_and_ends_what_runs(lab: Any, devices: list[Device], shards: int) -> None:
    stop = threading.Event()
    results = run_on_many(devices, wait_for_ever, threads=2, shards=shards, stop=stop, stop_grace_s=0)
    found: list[DeviceResult[None]] = []
    reading = threading.Thread(target=lambda: found.extend(results))
    reading.start()
    wait_until(lambda: len(lab.device.requests) == 2)

    stop.set()
    reading.join(PATIENCE_S)

    assert not reading.is_alive()
    assert len(lab.device.requests) == 2
    assert 2 <= len(found) <= 4
    assert all(isinstance(result.error, AksLiteError) for result in found)
    wait_until(lambda: shells(lab) == 0)


def test_leaving_the_iteration_ends_everything(lab: Any, devices: list[Device]) -> None:
    before = threading.active_count()
    for result in run_on_many(devices, greet, threads=2):
        assert result.ok
        break
    gc.collect()
    wait_until(lambda: shells(lab) == 0 and threading.active_count() <= before)


def test_a_password_that_a_person_knows_is_asked_for_once(lab: Any, devices: list[Device]) -> None:
    asked: list[str] = []

    def ask(label: str) -> str:
        asked.append(label)
        return str(lab.password)

    asking = [with_password(device, SecretRef("prompt", "password of the plant")) for device in devices[:3]]
    results = list(run_on_many(asking, greet, threads=2, ask=ask))

    assert [result.error for result in results] == [None] * 3
    assert asked == ["password of the plant"]


def test_a_password_that_nobody_knows_is_the_devices_result(devices: list[Device]) -> None:
    devices[0] = with_password(devices[0], SecretRef("prompt", "password"))

    def nobody(label: str) -> str:
        raise SecretUnavailable("nobody is here")

    results = {result.device: result for result in run_on_many(devices[:2], greet, threads=1, ask=nobody)}
    assert isinstance(results["press-01"].error, SecretUnavailable)
    assert results["press-02"].ok


def test_errors_of_every_kind_pass_between_processes_whole() -> None:
    import pickle

    error = CmdletFailed("no", command="New-Thing", device="press-01", error_id="X", next_action="mend it")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this line
    assert (str(again), again.to_dict()) == (str(error), error.to_dict())
