"""Commands about Windows itself: Get-Date, Start-Sleep, Get-Service, Clear-Host."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import replace

from akslite_ps.sandbox.device import host
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo, cmdlet
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter
from akslite_ps.sandbox.embedded.values import wildcard
from akslite_ps.sandbox.engine import EnumValue, PsValue

_UTILITY = "Microsoft.PowerShell.Utility"
_MANAGEMENT = "Microsoft.PowerShell.Management"
_STATUS_NUMBERS = {"Stopped": 1, "Running": 4}
_START_NUMBERS = {"Automatic": 2, "Manual": 3, "Disabled": 4}
_STATUS_TYPE = "System.ServiceProcess.ServiceControllerStatus"
_START_TYPE = "System.ServiceProcess.ServiceStartMode"
_STANDARD_FORMATS = {
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
}
_LOCAL = dt.timezone(dt.timedelta(0), "local")
"""The device's time zone. Its times are local ones, as Windows' are, and not told as those of UTC."""
_TOKEN = re.compile(r"yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|fff|tt|zzz|'[^']*'|\\.")


async def get_date(call: Call) -> AsyncIterator[dt.datetime | str]:
    async for values in call.each():
        moment: dt.datetime = values.get("Date") or call.device.now().astimezone(_LOCAL)
        changes = {part.lower(): values[part] for part in ("Year", "Month", "Day", "Hour", "Minute", "Second") if part in values}
        try:
            moment = moment.replace(**changes)
        except ValueError:
            call.fail(
                "Year, Month, and Day parameters describe an un-representable DateTime.",
                "ArgumentOutOfRange",
                "InvalidArgument",
                exception="System.ArgumentOutOfRangeException",
            )
        form = values.get("Format")
        yield moment if form is None else _formatted(moment, form)


def _formatted(moment: dt.datetime, form: str) -> str:
    if form in {"o", "O"}:
        ticks = moment.microsecond * 10 + int(getattr(moment, "tick", 0))
        zone = "Z" if moment.tzinfo is dt.UTC else "" if moment.tzinfo is None else moment.isoformat()[-6:]
        return f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}.{ticks:07d}{zone}"
    return _TOKEN.sub(lambda match: _part(moment, match[0]), _STANDARD_FORMATS.get(form, form))


def _part(moment: dt.datetime, token: str) -> str:
    if token[0] in "'\\":
        return token.strip("'") if token[0] == "'" else token[1:]
    twelve = (moment.hour - 1) % 12 + 1
    return {
        "yyyy": f"{moment.year:04d}",
        "yy": f"{moment.year % 100:02d}",
        "MMMM": moment.strftime("%B"),
        "MMM": moment.strftime("%b"),
        "MM": f"{moment.month:02d}",
        "M": str(moment.month),
        "dddd": moment.strftime("%A"),
        "ddd": moment.strftime("%a"),
        "dd": f"{moment.day:02d}",
        "d": str(moment.day),
        "HH": f"{moment.hour:02d}",
        "H": str(moment.hour),
        "hh": f"{twelve:02d}",
        "h": str(twelve),
        "mm": f"{moment.minute:02d}",
        "m": str(moment.minute),
        "ss": f"{moment.second:02d}",
        "s": str(moment.second),
        "fff": f"{moment.microsecond // 1000:03d}",
        "tt": "AM" if moment.hour < 12 else "PM",
        "zzz": "+00:00",
    }[token]


async def start_sleep(call: Call) -> None:
    """Real seconds, whatever the sandbox's speed: it is how somebody tries out waiting and stopping."""
    async for values in call.each():
        await asyncio.sleep(values["Seconds"] if "Seconds" in values else values["Milliseconds"] / 1000)


async def get_service(call: Call) -> AsyncIterator[PsValue]:
    known = host.services(call.device)
    async for values in call.each():
        names, displays = values.get("Name"), values.get("DisplayName")
        wanted: list[str] = names or displays or ["*"]
        for text in wanted:
            pattern = wildcard(text)
            found = [s for s in known if pattern.fullmatch(s.display_name if displays else s.name)]
            if not found and not re.search(r"[*?\[]", text):
                call.error(
                    f"Cannot find any service with service name '{text}'.",
                    "NoServiceFoundForGivenName",
                    "ObjectNotFound",
                    exception="Microsoft.PowerShell.Commands.ServiceCommandException",
                    target=text,
                )
            for service in found:
                # A service that is named, not sought, is called as it was named (recorded).
                is_named = not displays and service.name.casefold() == text.casefold()
                yield _service_object(replace(service, name=text) if is_named else service)


def _service_object(service: host.Service) -> PsValue:
    return PsValue(
        {
            "Name": service.name,
            "DisplayName": service.display_name,
            "ServiceName": service.name,
            "MachineName": ".",
            "ServicesDependedOn": [],
            "Status": EnumValue(_STATUS_TYPE, _STATUS_NUMBERS[service.status], service.status),
            "StartType": EnumValue(_START_TYPE, _START_NUMBERS[service.start_type], service.start_type),
        },
        (
            "System.ServiceProcess.ServiceController",
            "System.ComponentModel.Component",
            "System.MarshalByRefObject",
            "System.Object",
        ),
        service.name,
    )


async def clear_host(_call: Call) -> None:
    """There is no screen on the device's side to clear."""


_SECONDS, _MILLISECONDS = "Seconds", "Milliseconds"
COMMANDS: tuple[CommandInfo, ...] = (
    cmdlet(
        "Get-Date",
        get_date,
        parameter("Date", "DateTime", position=0, from_pipeline=True, from_property=True, aliases=("LastWriteTime",)),
        parameter("Year", "Int32", minimum=1, maximum=9999),
        parameter("Month", "Int32", minimum=1, maximum=12),
        parameter("Day", "Int32", minimum=1, maximum=31),
        parameter("Hour", "Int32", minimum=0, maximum=23),
        parameter("Minute", "Int32", minimum=0, maximum=59),
        parameter("Second", "Int32", minimum=0, maximum=59),
        parameter("Format", "String"),
        module=_UTILITY,
        class_name="GetDateCommand",
        synopsis="Tells the device's date and time.",
        read_only=True,
    ),
    cmdlet(
        "Start-Sleep",
        start_sleep,
        parameter(
            "Seconds",
            "Int32",
            mandatory=True,
            position=0,
            from_pipeline=True,
            from_property=True,
            sets=[_SECONDS],
            minimum=0,
            maximum=2147483,
        ),
        parameter("Milliseconds", "Int32", mandatory=True, from_property=True, sets=[_MILLISECONDS], minimum=0),
        module=_UTILITY,
        class_name="StartSleepCommand",
        default_set=_SECONDS,
        synopsis="Waits.",
        read_only=True,
    ),
    cmdlet(
        "Get-Service",
        get_service,
        parameter(
            "Name",
            "String[]",
            position=0,
            from_pipeline=True,
            from_property=True,
            sets=["Default"],
            aliases=("ServiceName",),
        ),
        parameter("DisplayName", "String[]", mandatory=True, sets=["DisplayName"]),
        module=_MANAGEMENT,
        class_name="GetServiceCommand",
        default_set="Default",
        synopsis="Tells the state of Windows services.",
        read_only=True,
    ),
    CommandInfo(
        CommandSyntax("Clear-Host", error_source="Clear-Host"),
        clear_host,
        "",
        synopsis="Clears the screen.",
        read_only=True,
    ),
)
