"""What the notebook tests share: a plan, and notebooks made of a few cells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from akslite_ps.operations.plan import Finding, Plan, Step
from akslite_ps.secrets import REDACTOR, Known

NOW = dt.datetime(2026, 5, 4, 3, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def own_ipython(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REDACTOR, "known", Known())


@pytest.fixture
def steps() -> tuple[Step, ...]:
    return (
        Step(id="read", title="Read the host", needed=True, typical_s=5),
        Step(
            id="features",
            title="Enable host features",
            change="Hyper-V: Disabled -> Enabled",
            reboots=True,
            disturbs=True,
            typical_s=300,
        ),
        Step(id="install", title="Install the product", change="AKS Edge Essentials - K3s", needed=False, typical_s=180),
        Step(id="deploy", title="Deploy the cluster", change="new single machine cluster", disturbs=True, typical_s=720),
    )


@pytest.fixture
def make_plan(steps: tuple[Step, ...]) -> Callable[..., Plan]:
    def make(**changes: Any) -> Plan:
        base: dict[str, Any] = {
            "operation": "deploy",
            "device": "press-01",
            "created": NOW,
            "steps": steps,
            "findings": (
                Finding(check="cores", title="Cores", severity="ok", read="8", needed="4"),
                Finding(check="gateway", title="Gateway", severity="warning", read="none", needed="one", action="set a gateway"),
            ),
        }
        return Plan(**{**base, **changes})

    return make


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan()


@pytest.fixture
def make_notebook(tmp_path: Path) -> Callable[..., Path]:
    def make(*sources: str, parameters: str | None = None, kernel: str = "akslite-ps", name: str = "50-example.ipynb") -> Path:
        cells = []
        if parameters is not None:
            cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        for source in sources:
            is_text = source.startswith("#")
            cells.append(nbformat.v4.new_markdown_cell(source) if is_text else nbformat.v4.new_code_cell(source))
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        path = tmp_path / name
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
        return path

    return make
