"""Watches, at the level of the stream: what a client sees of changes, and when it has to start over."""

from __future__ import annotations

import asyncio
import json

import pytest

from akslite_ps.sandbox.kubernetes.answers import WatchOrder
from akslite_ps.sandbox.kubernetes.watching import WatchStream

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


class Watcher:
    """Follows a watch of config maps and collects what comes."""

    def __init__(self, caller, path=MAPS, **query):
        self.caller = caller
        order = caller.ask("GET", path, watch="true", **query)
        assert isinstance(order, WatchOrder), order
        self.ended = asyncio.Event()
        self.events = []
        self.arrived = asyncio.Event()
        self.task = asyncio.ensure_future(WatchStream(caller.cluster.state, order, self.write, self.ended).run())

    async def write(self, data):
        self.events += [json.loads(line) for line in data.splitlines()]
        self.arrived.set()

    async def until(self, count):
        while len(self.events) < count:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 5)
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in self.events]

    async def close(self):
        self.ended.set()
        await asyncio.wait_for(self.task, 5)


@pytest.fixture
async def watch(caller):
    open_watches = []

    def start(*args, **query):
        open_watches.append(Watcher(caller, *args, **query))
        return open_watches[-1]

    yield start
    for item in open_watches:
        await item.close()


def put(caller, name, **labels):
    return caller.create(MAPS, {"metadata": {"name": name, "labels": labels}})


def revision(caller):
    return caller.get(MAPS)["metadata"]["resourceVersion"]


async def test_a_watch_from_a_version_sees_what_comes_after(caller, watch):
    put(caller, "before")
    watcher = watch(resourceVersion=revision(caller))
    put(caller, "one")
    caller.call("PATCH", f"{MAPS}/one", {"data": {"k": "v"}}, content_type=MERGE)
    caller.call("DELETE", f"{MAPS}/one")
    assert await watcher.until(3) == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


async def test_a_watch_without_a_version_begins_with_what_is_there(caller, watch):
    put(caller, "before")
    watcher = watch()
    assert await watcher.until(2) == [("ADDED", "before"), ("ADDED", "kube-root-ca.crt")]


async def test_an_object_that_starts_or_stops_matching_is_added_or_deleted(caller, watch):
    put(caller, "one", tier="back")
    watcher = watch(resourceVersion=revision(caller), labelSelector="tier=front")
    for tier in ("front", "back"):
        caller.call("PATCH", f"{MAPS}/one", {"metadata": {"labels": {"tier": tier}}}, content_type=MERGE)
    put(caller, "two", tier="front")
    assert await watcher.until(3) == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "two")]


async def test_a_watch_of_one_object_sees_only_that(caller, watch):
    watcher = watch(resourceVersion=revision(caller), fieldSelector="metadata.name=two")
    put(caller, "one")
    put(caller, "two")
    assert await watcher.until(1) == [("ADDED", "two")]


async def test_the_end_of_the_initial_objects_is_marked_on_request(caller, watch):
    put(caller, "before")
    watcher = watch(sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true")
    await watcher.until(3)
    assert watcher.events[-1]["type"] == "BOOKMARK"
    assert watcher.events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_can_come_as_a_table(caller, watch):
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    watcher = watch(headers=accept, resourceVersion=revision(caller))
    put(caller, "one")
    put(caller, "two")
    await watcher.until(2)
    first, second = (event["object"] for event in watcher.events)
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"] == ["two", 0, "0s"]


async def test_a_version_before_the_history_is_gone(caller):
    old = revision(caller)
    put(caller, "one")
    caller.cluster.state.store.forget_history()
    status = caller.get(MAPS, watch="true", resourceVersion=old, expect=410)
    assert status["reason"] == "Expired"
    assert "too old resource version" in status["message"]


async def test_history_is_kept_for_five_minutes_of_device_time(caller):
    old = revision(caller)
    put(caller, "one")
    caller.clock.tick(299)
    put(caller, "two")
    assert isinstance(caller.ask("GET", MAPS, watch="true", resourceVersion=old), WatchOrder)
    caller.clock.tick(299)
    put(caller, "three")
    caller.get(MAPS, watch="true", resourceVersion=old, expect=410)


async def test_an_open_watch_that_falls_behind_ends_with_an_error(caller, watch):
    watcher = watch(resourceVersion=revision(caller))
    put(caller, "one")
    caller.cluster.state.store.forget_history()
    await asyncio.wait_for(watcher.task, 5)
    assert watcher.events[-1]["type"] == "ERROR"
    assert watcher.events[-1]["object"]["code"] == 410


async def test_a_time_limit_ends_the_watch(caller, watch):
    watcher = watch(resourceVersion=revision(caller), timeoutSeconds="1")
    await asyncio.wait_for(watcher.task, 10)
    assert watcher.events == []
