"""Choosing a device: from the list, by name, or the first simulated one; never a real one by default."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import pytest

from akslite_ps.errors import UsageError
from akslite_ps.fleet import Inventory
from akslite_ps.notebook import DevicePicker, pick_device
from akslite_ps.notebook.device_picker import is_simulated
from akslite_ps.remoting.endpoint import Device, Endpoint


def device(name: str, host: str = "10.1.2.3", **labels: str) -> Device:
    return Device(name=name, endpoint=Endpoint(host=host, username="admin", password="env:PW"), labels=labels)


@pytest.fixture(autouse=True)
def close_widgets() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


@pytest.fixture
def inventory() -> Inventory:
    inventory = Inventory.load()
    inventory.add(
        device("press-01"), device("saw-01", "127.77.0.1", sandbox="true"), device("saw-02", "127.77.0.2", sandbox="true")
    )
    return inventory


def test_without_a_name_the_first_simulated_device_is_taken(inventory: Inventory) -> None:
    assert pick_device(inventory=inventory).name == "saw-01"
    assert pick_device("press-01").name == "press-01"


def test_a_real_device_is_never_taken_by_default() -> None:
    Inventory.load().add(device("press-01"), device("press-02", sandbox="true"))
    with pytest.raises(UsageError, match="no device was given"):
        pick_device()


@pytest.mark.parametrize(
    ("candidate", "simulated"),
    [
        (device("a", "127.77.0.1", sandbox="true"), True),
        (device("a", "127.77.0.1"), False),
        (device("a", "10.0.0.1", sandbox="true"), False),
        (device("a", "press-01.example", sandbox="true"), False),
    ],
)
def test_simulated_means_labelled_and_on_loopback(candidate: Device, simulated: bool) -> None:
    assert is_simulated(candidate) is simulated


def test_the_list_starts_with_no_device_chosen(inventory: Inventory) -> None:
    chosen: list[str | None] = []
    picker = DevicePicker(on_change=lambda device: chosen.append(device.name if device else None))
    assert picker.device is None
    picker._list.value = "press-01"
    assert picker.device is not None
    assert chosen == ["press-01"]
    assert "http://10.1.2.3:5985/wsman" in picker._facts.value
    assert "env:PW" not in picker._facts.value


def test_refreshing_keeps_the_choice_and_shows_new_devices(inventory: Inventory) -> None:
    picker = DevicePicker("PRESS-01")
    assert picker.device is not None
    inventory.add(device("press-09"))
    picker._again.click()
    assert picker.device.name == "press-01"
    assert "press-09" in [value for _, value in picker._list.options]


def test_an_empty_inventory_says_what_to_do() -> None:
    picker = DevicePicker()
    assert picker.device is None
    assert "akslite device add" in picker._facts.value
