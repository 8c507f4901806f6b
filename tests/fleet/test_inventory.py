"""The inventory keeps devices, loses none, and says which field of which device is wrong."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from akslite_ps.aksedge.exposure import Exposure
from akslite_ps.errors import UsageError
from akslite_ps.fleet import Inventory
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.secrets import SecretRef


def make_device(name: str = "press-01", **endpoint: object) -> Device:
    values = {"host": "127.0.0.9", "username": "PRESS\\admin", "password": "env:PRESS_PASSWORD", **endpoint}
    return Device(name=name, endpoint=Endpoint.model_validate(values), labels={"site": "hall 3"})


def test_a_missing_file_is_an_empty_inventory(tmp_path: Path) -> None:
    assert Inventory.load(tmp_path / "none.json").list() == ()


def test_devices_survive_and_keep_only_a_reference_to_the_password(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "inventory.json"
    Inventory.load(path).add(make_device("press-02"), make_device("Press-01"))

    again = Inventory.load(path)

    assert [d.name for d in again.list()] == ["Press-01", "press-02"]
    assert again.get("PRESS-02").endpoint.password == SecretRef("env", "PRESS_PASSWORD")
    assert json.loads(path.read_text(encoding="utf-8"))["devices"][0]["endpoint"]["password"] == "env:PRESS_PASSWORD"


def test_adding_twice_needs_replace_and_writes_nothing_else(tmp_path: Path) -> None:
    inventory = Inventory.load(tmp_path / "i.json")
    inventory.add(make_device())

    with pytest.raises(UsageError, match="already"):
        inventory.add(make_device("press-09"), make_device("PRESS-01"))
    assert [d.name for d in Inventory.load(inventory.path).list()] == ["press-01"]

    inventory.add(make_device(host="127.0.0.10"), replace=True)
    assert Inventory.load(inventory.path).get("press-01").endpoint.host == "127.0.0.10"


def test_an_unknown_device_suggests_the_close_one(tmp_path: Path) -> None:
    inventory = Inventory.load(tmp_path / "i.json")
    inventory.add(make_device())

    with pytest.raises(UsageError) as caught:
        inventory.get("pres-01")
    assert "press-01" in str(caught.value.next_action)


def test_removing_is_all_or_nothing(tmp_path: Path) -> None:
    inventory = Inventory.load(tmp_path / "i.json")
    inventory.add(make_device("a1"), make_device("a2"))

    with pytest.raises(UsageError):
        inventory.remove("a1", "a3")
    assert len(Inventory.load(inventory.path)) == 2
    inventory.remove("a1")
    assert [d.name for d in Inventory.load(inventory.path).list()] == ["a2"]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    threads = [threading.Thread(target=lambda n=n: Inventory.load(path).add(make_device(f"d{n:02}"))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(Inventory.load(path)) == 12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "faults"),
        ('{"schema_version": 99, "devices": []}', "schema version 99"),
        ('{"devices": [{"name": "x", "endpoint": {"host": "h", "username": "u", "password": "env:P", "port": 70000}}]}', "port"),
        ('{"devices": [{"name": "x", "endpoint": {"host": "http://h", "username": "u", "password": "env:P"}}]}', "host"),
    ],
)
def test_a_faulty_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "i.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match=says):
        Inventory.load(path)


GOOD = {"host": "h", "username": "u", "password": "env:P"}
TWO = [{"name": "press-01", "endpoint": GOOD}, {"name": "PRESS-01", "endpoint": {**GOOD, "host": "other"}}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is nothing in it"),
        ("null", "object with named fields"),
        ('{"devices": ' * 5000 + "1" + "}" * 5000, "a nesting that no inventory has"),
        ('{"schema_version": ' + "9" * 5000 + "}", "a number"),
        ('{"schema_version": 0, "devices": []}', "schema_version = 0"),
        ('{"schema_version": true, "devices": []}', "schema_version = True"),
        (json.dumps({"devices": TWO}), r"devices\.1\.name = 'PRESS-01': devices\.0 has this name"),
        ('{"devices": [], "devices": []}', "devices: given twice"),
        ('{"devices": [], "exposed": {"gone": [{"port": 80, "to_address": "10.0.0.1", "to_port": 80}]}}', r"exposed\.gone"),
        (json.dumps({"devices": [{"name": "x", "endpoint": {**GOOD, "hots": 1}}]}), r"endpoint\.hots: there is no such field"),
        (json.dumps({"devices": [{"name": "x", "endpoint": {"username": "u"}}]}), r"endpoint\.host: is missing"),
    ],
)
def test_what_would_be_lost_or_is_no_inventory_is_refused_and_left_as_it_is(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "i.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as told:
        Inventory.load(path)
    assert str(path) in str(told.value)
    with pytest.raises(UsageError):
        Inventory(path).add(make_device())
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", bytes(range(256)), b"\x80"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "i.json"
    path.write_bytes(raw)
    with pytest.raises(UsageError, match="no text in UTF-8"):
        Inventory.load(path)


def test_a_file_that_powershell_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(json.dumps({"devices": [{"name": "x", "endpoint": GOOD}]}), encoding="utf-16")
    inventory = Inventory.load(path)
    inventory.add(make_device())
    assert [device.name for device in Inventory.load(path).list()] == ["press-01", "x"]


def test_a_password_in_a_misspelt_field_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(
        json.dumps({"devices": [{"name": "x", "endpoint": {**GOOD, "pasword": "clear-text-canary"}}]}), encoding="utf-8"
    )
    with pytest.raises(UsageError, match="pasword") as told:
        Inventory.load(path)
    assert "clear-text-canary" not in str(told.value)


def test_a_clear_text_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(
        '{"devices": [{"name": "x", "endpoint": {"host": "h", "username": "u", "password": "clear-text-canary"}}]}',
        encoding="utf-8",
    )

    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the error, the value must not be in it
        Inventory.load(path)
    assert "clear-text-canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ({"auth": "basic"}, "https"),
        ({"auth": "certificate", "transport": "https"}, "certificate_file"),
        ({"username": None}, "username"),
        ({"host": "bad host"}, "host name"),
        ({"auth": "digest"}, "auth"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(endpoint: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_device(**endpoint)


@pytest.mark.parametrize("name", ["CON", "nul.txt", "com1", "ends.", "", "a/b", "x" * 64, "-x", "press 01", "press-01\n"])
def test_a_name_that_cannot_be_a_file_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        make_device(name)


@pytest.mark.parametrize("name", ["a", "console-1", "press_01.hall3", "x" * 63])
def test_an_ordinary_name_is_taken(name: str) -> None:
    assert make_device(name).name == name


def test_ports_follow_the_transport() -> None:
    assert make_device().endpoint.port == 5985
    assert make_device(transport="https").endpoint.url == "https://127.0.0.9:5986/wsman"


def test_an_inventory_that_another_program_keeps_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akslite_ps.fleet.inventory._LOCK_WAIT_S", 0.05)
    path = tmp_path / "inventory.json"

    with FileLock(f"{path}.lock"), pytest.raises(UsageError, match="another program") as told:
        Inventory(path).add(make_device())

    assert f"{path}.lock" in str(told.value)
    assert not path.exists()


def test_an_inventory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be", encoding="utf-8")

    with pytest.raises(UsageError, match="cannot be written"):
        Inventory(tmp_path / "home" / "inventory.json").add(make_device())


def test_declared_ports_are_kept_with_their_device_and_go_with_it(tmp_path: Path) -> None:
    path = tmp_path / "inventory.json"
    inventory = Inventory(path)
    inventory.add(make_device("press-01"), make_device("press-02"))
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 1
    web = Exposure(port=8080, to_address="192.168.0.4", to_port=80)
    inventory.expose("PRESS-01", web)
    inventory.expose("press-01", web.model_copy(update={"to_port": 81}))
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 2
    assert [item.to_port for item in Inventory.load(path).exposed("press-01")] == [81]
    assert Inventory.load(path).exposed("press-02") == ()
    with pytest.raises(UsageError, match="no port 9"):
        inventory.unexpose("press-01", 9, "0.0.0.0")  # noqa: S104
    with pytest.raises(UsageError, match="no device"):
        inventory.expose("press-03", web)
    inventory.remove("press-01")
    inventory.add(make_device("press-01"))
    assert Inventory.load(path).exposed("press-01") == ()
