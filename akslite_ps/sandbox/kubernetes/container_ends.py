"""Containers that come to an end by themselves: those of pods that are not to run for ever (Jobs, and pods run once).

Nothing runs in a simulated container; when it ends and how is read from its command, as far as that says so.
"""

from __future__ import annotations

import datetime as dt
import re
import shlex
import uuid
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes.assumptions import CONTAINER_RUN_SECONDS
from akslite_ps.sandbox.kubernetes.objects import Object, parse_timestamp, set_condition, timestamp

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
# An endless loop without a sleep would fill any log; and no log is kept for ever.
_SHORTEST_ROUND_S = 1.0
_ROUNDS_KEPT = 1000
_SHELLS = frozenset({"sh", "bash", "ash"})


@dataclass(frozen=True, slots=True)
class End:
    """How a container ends.

    Args:
        seconds: After how many device seconds; None: never.
        code: Its exit code.
    """

    seconds: float | None
    code: int = 0


def end_of(container: dict[str, Any]) -> End:
    """How a container of a pod that may end will end: what its command says of sleeping and of its exit code."""
    seconds: float = 0.0
    code, knows = 0, False
    for step in _steps(container):
        match step:
            case ["sleep", *durations]:
                length = _slept(durations)
                if length is None:
                    return End(None)
                seconds, knows = seconds + length, True
            case ["while", "true" | ":"]:
                return End(None)
            case ["exit", number, *_] if number.isdigit():
                return End(seconds if knows else CONTAINER_RUN_SECONDS.value, int(number) % 256)
            case ["false"]:
                code = 1
            case [_, *_]:
                code = 0
    return End(seconds if knows else CONTAINER_RUN_SECONDS.value, code)


def said_by(container: dict[str, Any], elapsed_s: float | None) -> list[tuple[float, str]]:
    """The lines that a container has written: those of its command's echoes.

    Args:
        container: The container.
        elapsed_s: Device seconds since it started, None for one that has ended.

    Returns:
        Each line with the seconds after the start at which it was written.
    """
    steps = _steps(container)
    loop = next((index for index, step in enumerate(steps) if step in (["while", "true"], ["while", ":"])), None)
    lines, at, ends = _said(steps[:loop])
    if loop is not None and not ends:
        again, period, _ = _said(steps[loop + 1 :])
        period = max(period, _SHORTEST_ROUND_S)
        rounds = int(((elapsed_s or 0.0) - at) // period) + 1
        first = max(0, rounds - _ROUNDS_KEPT)
        lines += [(at + number * period + moment, line) for number in range(first, rounds) for moment, line in again]
    return [(moment, line) for moment, line in lines if elapsed_s is None or moment <= elapsed_s]


def _said(steps: list[list[str]]) -> tuple[list[tuple[float, str]], float, bool]:
    """What some commands write and when, how long they take, and whether nothing comes after them."""
    lines: list[tuple[float, str]] = []
    at = 0.0
    for step in steps:
        match step:
            case ["sleep", *durations]:
                length = _slept(durations)
                if length is None:
                    return lines, at, True
                at += length
            case ["exit", *_]:
                return lines, at, True
            case ["echo", *words]:
                shown = [word for index, word in enumerate(words) if index or word not in {"-n", "-e"}]
                lines += [(at, line) for line in " ".join(shown).split("\n")]
    return lines, at, False


def _steps(container: dict[str, Any]) -> list[list[str]]:
    """The commands that a container runs, one after the other, as words; programs without their folders."""
    words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    steps = [words]
    if words and words[0].rpartition("/")[2] in _SHELLS:
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        parts = (_split(part) for part in re.split(r"[;\n]|&&", script))
        steps = [part[1:] if part[:1] == ["do"] else part for part in parts if part not in ([], ["done"])]
    return [[word.rpartition("/")[2] if index == 0 else word for index, word in enumerate(step)] for step in steps]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _slept(durations: list[str]) -> float | None:
    """The time that sleep takes; None for ever."""
    total = 0.0
    for text in durations:
        found = _DURATION.fullmatch(text)
        if found is None:
            return None
        total += float(found[1]) * _UNITS[found[2]]
    return total


def advance_ends(pod: Object, now: dt.datetime) -> dt.datetime | None:
    """End the containers of a running pod whose time is over, start those again whose back-off is; in place.

    Args:
        pod: A pod with a restart policy other than Always.
        now: The moment.

    Returns:
        When the next of it is due, None where nothing is.
    """
    containers = {item["name"]: item for item in pod["spec"]["containers"]}
    dues: list[dt.datetime] = []
    for status in pod["status"]["containerStatuses"]:
        due = _advance(status, containers[status["name"]], pod["spec"]["restartPolicy"], now)
        if due is not None:
            dues.append(due)
    states = [status["state"].get("terminated") for status in pod["status"]["containerStatuses"]]
    if all(states):
        failed = any(ended["exitCode"] for ended in states if ended)
        pod["status"]["phase"] = "Failed" if failed else "Succeeded"
        why = "PodFailed" if failed else "PodCompleted"
        for kind in ("Ready", "ContainersReady"):
            set_condition(pod, kind, "False", now, reason=why)
        set_condition(pod, "PodReadyToStartContainers", "False", now)
    return min(dues, default=None)


def _advance(status: dict[str, Any], container: dict[str, Any], policy: str, now: dt.datetime) -> dt.datetime | None:
    state = status["state"]
    if "waiting" in state:
        again = parse_timestamp(status["lastState"]["terminated"]["finishedAt"]) + _back_off(status["restartCount"])
        if now < again:
            return again
        status |= {"state": {"running": {"startedAt": timestamp(now)}}, "started": True}
        status["restartCount"] += 1
        status["containerID"] = f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}"
    if "running" not in status["state"]:
        return None
    end, begun = end_of(container), parse_timestamp(status["state"]["running"]["startedAt"])
    if end.seconds is None:
        return None
    due = begun + dt.timedelta(seconds=end.seconds)
    if now < due:
        return due
    ended = {
        "terminated": {
            "exitCode": end.code,
            "reason": "Error" if end.code else "Completed",
            "startedAt": timestamp(begun),
            "finishedAt": timestamp(now),
            "containerID": status["containerID"],
        }
    }
    status |= {"ready": False, "started": False}
    if end.code and policy == "OnFailure":
        again = now + _back_off(status["restartCount"])
        delay = int(_back_off(status["restartCount"]).total_seconds())
        text = f"back-off {delay}s restarting failed container={container['name']}"
        status |= {"lastState": ended, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": text}}}
        return again
    status["state"] = ended
    return None


def _back_off(restarts: int) -> dt.timedelta:
    """The kubelet's: 10 seconds after the first failure, doubled up to five minutes."""
    return dt.timedelta(seconds=min(10 * 2 ** min(restarts, 5), 300))
