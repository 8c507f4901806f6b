"""Choosing one device of the inventory: a list to pick from, or a name as parameter.

Used at the start of a runbook. Reads the inventory file only; nothing is sent to a device.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import ipywidgets as w

from akslite_ps.errors import UsageError
from akslite_ps.fleet.inventory import Inventory
from akslite_ps.notebook import style
from akslite_ps.notebook.tables import Table, facts_table
from akslite_ps.remoting.endpoint import Device

SANDBOX_LABEL = "sandbox"


def is_simulated(device: Device) -> bool:
    """True for a simulated device: labelled so by ``akslite sandbox up`` and on a loopback address."""
    try:
        loopback = ipaddress.ip_address(device.endpoint.host).is_loopback
    except ValueError:
        return False
    return loopback and device.labels.get(SANDBOX_LABEL) == "true"


def pick_device(name: str = "", *, inventory: Inventory | None = None) -> Device:
    """The device of that name, for runs without a person.

    Args:
        name: Empty means: the first simulated device, so that a runbook can be rehearsed without a parameter. A real
            device is never chosen by default.
        inventory: Default: the user's.

    Raises:
        UsageError: There is no such device, or no name was given and no device is simulated.
    """
    inventory = inventory or Inventory.load()
    if name:
        return inventory.get(name)
    for device in inventory.list():
        if is_simulated(device):
            return device
    raise UsageError(
        "no device was given",
        attempted="choose a device",
        next_action="give the parameter device (see: akslite device list), or rehearse on a simulated one: akslite sandbox up",
    )


def device_table(device: Device, *, title: str = "Device") -> Table:
    """What the inventory knows of a device."""
    endpoint = device.endpoint
    facts = {
        "Device": device.name,
        "Endpoint": endpoint.url,
        "Authentication": endpoint.auth,
        "User": endpoint.username,
        "Session configuration": endpoint.configuration_name,
        "Labels": ", ".join(f"{key}={value}" for key, value in sorted(device.labels.items())),
    }
    return facts_table(facts, title=title)


class DevicePicker:
    """A list of the inventory's devices.

    Args:
        chosen: Name of the device to start with.
        inventory: Loads the inventory, again whenever the list is refreshed.
        on_change: Called with the device after a person chose one.
    """

    def __init__(
        self,
        chosen: str = "",
        *,
        inventory: Callable[[], Inventory] = Inventory.load,
        on_change: Callable[[Device | None], None] | None = None,
    ) -> None:
        self._load = inventory
        self._on_change = on_change or (lambda device: None)
        self._devices: dict[str, Device] = {}
        self._list = w.Dropdown(description="Device", layout=w.Layout(width="380px"), style={"description_width": "60px"})
        self._again = w.Button(icon="refresh", tooltip="Read the inventory again", layout=w.Layout(width="36px"))
        self._again.on_click(lambda _: self.refresh())
        self._facts = w.HTML()
        self.widget = w.VBox([w.HTML(style.sheet()), w.HBox([self._list, self._again]), self._facts])
        self.widget.add_class("akslite-app")
        self.refresh(chosen)
        self._list.observe(self._picked, "value")

    @property
    def device(self) -> Device | None:
        """The device chosen, or None."""
        return self._devices.get(self._list.value or "")

    def refresh(self, chosen: str | None = None) -> None:
        """Read the inventory again and keep the choice where it still exists."""
        wanted = (chosen if chosen is not None else self._list.value or "").casefold()
        self._devices = {device.name: device for device in self._load().list()}
        options = [(self._label(device), name) for name, device in self._devices.items()]
        first = [("choose a device", "")] if options else [("the inventory is empty", "")]
        self._list.options = [*first, *options]
        self._list.value = next((name for name in self._devices if name.casefold() == wanted), "")
        self._show()

    def disable(self, off: bool = True) -> None:
        """Let nobody choose another one, while something works with it."""
        self._list.disabled = self._again.disabled = off

    def _picked(self, change: Any) -> None:
        self._show()
        self._on_change(self.device)

    def _show(self) -> None:
        device = self.device
        if device is not None:
            self._facts.value = style.frame(device_table(device, title="").inner_html())
        elif self._devices:
            self._facts.value = ""
        else:
            hint = "Add a device with: akslite device add NAME --host HOST ..., or start simulated ones with: akslite sandbox up"
            self._facts.value = style.frame(style.note(hint))

    def _label(self, device: Device) -> str:
        return f"{device.name} (simulated)" if is_simulated(device) else device.name

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.widget._repr_mimebundle_(include=include, exclude=exclude)
