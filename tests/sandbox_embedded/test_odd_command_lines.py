"""Command lines that nobody would write: they end with an error that PowerShell knows, never with one of the simulator's own."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from akslite_ps.sandbox.commands import commands_for
from akslite_ps.sandbox.device import installer
from akslite_ps.sandbox.embedded.cmdlet import CommandInfo

if TYPE_CHECKING:
    from conftest import Desk

_LINES = 700
_KEPT_OUT = {"Start-Sleep", "Request-AksLiteReboot"}
_VALUES = (
    *("1", "-1", "2147483648", "99999999999999999999", "1e400", "'1e99999999999'", "''", "$null", "$true", "@()", "@(1,'b',$null)"),
    *("@{}", "@{a=1}", "@{n='q';e='Size'},Name", "@{e=5}", "'*'", "'['", "'[z-a]'", "$items", "$command", "$services", "Name,Size"),
    *("1.5", "5d", "-5", "--x", "S*", "'(a'", "@{a=@{b=@{c=1}}}", "$help", "$nothing"),
)
_INPUT = (
    *(
        "1,'x',$null,2.5",
        "$items",
        "$null",
        "@{a=1}",
        "$command",
        "$services",
        "Get-Command",
        "Get-Date",
        "$PSVersionTable",
        "$help",
    ),
    *("5d,1e400", "@(@{a=1},@{b=2})", "Get-Command -Syntax", "$items,$services", "Get-History", "'x' | Write-Error"),
)
_SHOWN = ("Out-String", "Format-Table", "Format-List", "ConvertTo-Json", "ft * -Wrap", "fl *", "ft -AutoSize", "Get-Member")


def commands() -> tuple[CommandInfo, ...]:
    package = installer.find_package("https://aka.ms/aks-edge/k3s-msi")
    assert package is not None
    return tuple(info for info in commands_for(package) if info.name not in _KEPT_OUT)


def line_of(dice: random.Random, known: tuple[CommandInfo, ...]) -> str:
    core = tuple(info for info in known if "Aks" not in info.name)
    if dice.random() < 0.25:
        return call_of(dice, known)
    stages = [dice.choice(_INPUT), *(call_of(dice, core) for _ in range(dice.randint(1, 2)))]
    stages += [dice.choice(_SHOWN)] if dice.random() < 0.5 else []
    stages += ["Out-String"] if dice.random() < 0.5 else []
    return " | ".join(stages)


def call_of(dice: random.Random, known: tuple[CommandInfo, ...]) -> str:
    info = dice.choice(known)
    words = [info.name]
    for _ in range(dice.randint(0, 3)):
        parameter = dice.choice(info.syntax.all_parameters())
        name = parameter.name if dice.random() < 0.8 else parameter.name[: dice.randint(1, len(parameter.name))]
        value = dice.choice(parameter.allowed) if parameter.allowed and dice.random() < 0.6 else dice.choice(_VALUES)
        words.append(f"-{name}" if parameter.is_switch and dice.random() < 0.8 else f"-{name}{dice.choice(' :')}{value}")
    words += [dice.choice(_VALUES) for _ in range(dice.choice((0, 0, 1, 2)))]
    return " ".join(words)


@pytest.mark.filterwarnings("error")
async def test_no_line_ends_in_an_error_of_the_simulator(installed: Desk) -> None:
    await installed.text(
        "$items = Get-Command *-AksEdgeNode | Select-Object Name, @{n='Size';e='Version'}, Parameters;"
        "$command = Get-Command Get-Date; $services = Get-Service; $help = Get-Help Stop-AksEdgeNode"
    )
    dice, known = random.Random(5), commands()  # noqa: S311
    failures = []
    for _ in range(_LINES):
        line = line_of(dice, known)
        try:
            await installed.text(line)
        except Exception as error:  # noqa: BLE001 - any at all is a failure
            failures.append(f"{line}\n   {type(error).__name__}: {error}")

    assert failures == []
