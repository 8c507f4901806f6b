"""What the product's module writes while it works: lines for the host with a time stamp, and its own event log.

Used by the deployments, updates and Arc connections of a simulated device. The event log keeps what the host was told, and of
failures also where in the module they arose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device.event_log import Level

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.console import Console
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

MODULE_FOLDER = "C:\\Program Files\\WindowsPowerShell\\Modules\\AksEdge"


def note(device: SimulatedDevice, text: str, *, level: Level = "Information", stack: Sequence[str] = ()) -> None:
    """Write to the product's event log.

    Args:
        device: The device; without the product there is no such log, and nothing happens.
        text: The message.
        level: Its severity.
        stack: Functions of the module, innermost first, where it is about a failure.
    """
    product = device.state.product
    if product is None:
        return
    module = f"{MODULE_FOLDER}\\{product.version}\\AksEdge.psm1"
    lines = [f"at {function}, {module}: line {assumptions.module_line(product.version, function)}" for function in stack]
    device.events.write(
        product.display_name,
        assumptions.EVENT_SOURCE,
        assumptions.EVENT_IDS[level],
        "\r\n".join([text, *lines]),
        device.now(),
        level=level,
    )


class ProductLog:
    """Tells the host and the event log what the module does.

    Args:
        device: The device.
        console: The streams of the running cmdlet.
    """

    def __init__(self, device: SimulatedDevice, console: Console) -> None:
        self._device = device
        self._console = console

    def say(self, text: str) -> None:
        """A step: with a time stamp on the host, and in the event log."""
        self._console.host(f"[{self._device.now():%m/%d/%Y %H:%M:%S}] {text}")
        note(self._device, text)

    def detail(self, text: str) -> None:
        """What belongs to a step: a line on the host, without a time stamp."""
        self._console.host(f" - {text}")

    def caught(self, text: str, *, logged: str | None = None, stack: Sequence[str]) -> None:
        """A failure that the module caught, as it shows them: on the host with the line of the module, in the log with the stack.

        Args:
            text: What went wrong.
            logged: What the event log says of it; the text where None.
            stack: Functions of the module, innermost first.
        """
        product = self._device.state.product
        assert product is not None
        line = assumptions.module_line(product.version, stack[0])
        self.say("Exception Caught!!!")
        self.detail(f"{text} (AksEdge.psm1: line {line})")
        note(self._device, logged or text, level="Error", stack=stack)
