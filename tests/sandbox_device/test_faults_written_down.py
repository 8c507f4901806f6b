"""docs/simulated-devices.md has every fault of the registry, as the registry has it."""

from __future__ import annotations

import os
from pathlib import Path

from akslite_ps.sandbox import FAULT_KINDS, OPERATIONS, WSMAN_MOMENTS, FaultKind

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "simulated-devices.md"
BEGIN, END = "<!-- made from the registry of faults -->\n", "<!-- end -->\n"
HOW = "docs/simulated-devices.md does not list the faults there are: run this test with AKSLITE_SAVE_FAULT_TABLE=1"


def parameters(kind: FaultKind) -> str:
    told = [f"`{name}={'|'.join(map(str, kind.choices.get(name, (value,))))}`" for name, value in kind.parameters.items()]
    return " ".join([*told, *([f"`--for {kind.lasts_s:g}`"] if kind.lasts_s else [])])


def moments(kind: FaultKind) -> str:
    if not kind.moments:
        return "holds at once"
    known = {
        frozenset(OPERATIONS): "operations",
        frozenset({*WSMAN_MOMENTS, *OPERATIONS}): "requests, operations",
    }.get(frozenset(kind.moments), ", ".join(kind.moments))
    return known + (f"; usually {kind.at}" if kind.at and len(kind.moments) > 1 else "")


def lasts(kind: FaultKind) -> str:
    return {None: "until cleared or mended", 1: "once"}.get(kind.times, f"{kind.times} times") if not kind.lasts_s else "for a time"


def table() -> str:
    rows = [
        f"| `{kind.name}` | {kind.summary} | {parameters(kind)} | {moments(kind)} | {lasts(kind)} |"
        for kind in FAULT_KINDS.values()
    ]
    return "\n".join(
        [
            f"Requests: {', '.join(WSMAN_MOMENTS)}.",
            f"Operations: {', '.join(OPERATIONS)}.",
            "",
            "| Fault | What the device does | Parameters (default) | Moments for `--at` | Strikes |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def test_the_table_of_faults_is_the_registrys() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("AKSLITE_SAVE_FAULT_TABLE"):
        DOCUMENT.write_text(f"{before}{BEGIN}{table()}{END}{after}", encoding="utf-8", newline="\n")
        written = table()

    assert written == table(), HOW
