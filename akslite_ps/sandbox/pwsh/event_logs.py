"""Get-WinEvent of a simulated device with a real PowerShell: its event logs, as far as our own module reads them.

Registered by ``pwsh.windows_commands``; the entries are those of ``device.event_log``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from akslite_ps.sandbox.device.event_log import LEVEL_NUMBERS, EventEntry
from akslite_ps.sandbox.embedded.cmdlet import Call, cmdlet
from akslite_ps.sandbox.embedded.parameters import parameter
from akslite_ps.sandbox.embedded.values import wildcard
from akslite_ps.sandbox.engine import PsValue

MODULE = "Microsoft.PowerShell.Diagnostics"
_READER = "System.Diagnostics.Eventing.Reader"


async def get_win_event(call: Call) -> AsyncIterator[PsValue]:
    """Logs by their names, or entries of a log, the newest first."""
    counts = Counter(entry.log for entry in call.device.events.entries())
    wanted = call["ListLog"] or call["LogName"]
    found = [log for log in sorted(counts) if any(wildcard(name).fullmatch(log) for name in wanted)]
    if not found:
        call.error(
            "No events were found that match the specified selection criteria.",
            "NoMatchingEventsFound",
            "ObjectNotFound",
            exception="System.Exception",
        )
        return
    if call["ListLog"]:
        for log in found:
            yield PsValue({"LogName": log, "RecordCount": counts[log]}, (f"{_READER}.EventLogConfiguration", "System.Object"), log)
        return
    entries = [entry for entry in call.device.events.entries() if entry.log in found]
    most = call["MaxEvents"]
    for entry in list(reversed(entries))[: most if most else None]:
        yield _record(entry, call.device.computer_name)


def _record(entry: EventEntry, computer: str) -> PsValue:
    values = {
        "Id": entry.event_id,
        "Level": LEVEL_NUMBERS[entry.level],
        "RecordId": entry.record_id,
        "ProviderName": entry.source,
        "LogName": entry.log,
        "MachineName": computer,
        "TimeCreated": entry.at,
        "LevelDisplayName": entry.level,
        "Message": entry.message,
    }
    return PsValue(values, (f"{_READER}.EventLogRecord", f"{_READER}.EventRecord", "System.Object"))


COMMAND = cmdlet(
    "Get-WinEvent",
    get_win_event,
    parameter("LogName", "String[]", position=0, sets=["GetLogSet"]),
    parameter("ListLog", "String[]", mandatory=True, sets=["ListLogSet"]),
    parameter("MaxEvents", "Int64"),
    module=MODULE,
    class_name="GetWinEventCommand",
    default_set="GetLogSet",
    synopsis="Reads event logs of Windows.",
    read_only=True,
)
