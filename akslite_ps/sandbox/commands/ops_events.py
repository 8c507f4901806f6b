"""Get-AksLiteEvent of AksLiteOps as a command of the simulated device. Registered by ``commands.ops``."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from akslite_ps.sandbox.device.event_log import LEVEL_NUMBERS
from akslite_ps.sandbox.embedded.cmdlet import Call
from akslite_ps.sandbox.engine import PsValue


async def get_event(call: Call) -> AsyncIterator[PsValue]:
    """The newest entries of the product's log, newest first."""
    product = call.device.state.product
    if product is None:
        return
    for entry in reversed(deque(call.device.events.entries(product.display_name), maxlen=call["Newest"])):
        yield PsValue(
            {
                "Time": entry.at,
                "Level": LEVEL_NUMBERS[entry.level],
                "Id": entry.event_id,
                "Source": entry.source,
                "Log": entry.log,
                "Message": entry.message,
            }
        )
