"""The cmdlets of the product and of our device-side module, as data.

Read by the typed calls, the simulated device's parameter binder, the kernel's completion and the role
capabilities. Loads ``data/cmdlets.json`` and ``data/ops.json`` on first use; sends nothing to a device.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Status = Literal["current", "internal", "superseded"]
CmdletClass = Literal["read-only", "mutating", "destructive"]
Risk = Literal["read", "routine", "build", "destroy", "power"]


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter of a cmdlet.

    Args:
        name: In the product's spelling; PowerShell ignores case.
        type: PowerShell type name, e.g. ``String`` or ``SwitchParameter``.
        mandatory: Whether it must be given within its parameter sets.
        position: The documented position (most pages count from 1), or None for a named parameter.
        switch: True for a switch.
        default: The documented default, or None.
        allowed: Allowed values; empty where anything of the type is taken.
        parameter_sets: The sets it belongs to; empty means all.
        aliases: Other names, e.g. ``cf`` for ``Confirm``.
        unit: Unit of a number, e.g. ``s``.
        note: What else a caller must know.
    """

    name: str
    type: str = "String"
    mandatory: bool = False
    position: int | None = None
    switch: bool = False
    default: Any = None
    allowed: tuple[str, ...] = ()
    parameter_sets: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unit: str | None = None
    note: str = ""

    def answers_to(self, name: str) -> bool:
        """Whether this is the parameter's name or one of its aliases, ignoring case."""
        wanted = name.casefold()
        return wanted == self.name.casefold() or any(wanted == alias.casefold() for alias in self.aliases)


@dataclass(frozen=True, slots=True)
class CmdletSpec:
    """One cmdlet (or function) as documented.

    Args:
        name: In the product's spelling.
        module: The module that exports it.
        status: ``superseded`` ones are gone from today's module; ``internal`` is documented but not exported.
        cls: What it does to the device. ``read-only`` may still write a file there.
        risk: Whom a role should allow it: read, routine, build, destroy, or power (hands out control of the
            cluster or the node).
        parameter_sets: Names of the sets; empty where there is only one without a name.
        default_parameter_set: The set PowerShell takes when the arguments do not decide, or None.
        output: What comes back, in words; ``output_type`` in one of PowerShell's type names, None if undocumented.
        quiet: Parameters that keep it from asking a question nobody could answer over a session.
        may_require_reboot: Whether the machine may restart because of it.
        secret_output: True where the output must never be logged.
        min_version: First release known to have it, or None.
        notes: What sources disagree on, and traps.
    """

    name: str
    module: str
    status: Status
    cls: CmdletClass
    risk: Risk
    synopsis: str
    parameters: tuple[ParameterSpec, ...] = ()
    parameter_sets: tuple[str, ...] = ()
    default_parameter_set: str | None = None
    output: str = ""
    output_type: str | None = None
    quiet: Mapping[str, bool] = field(default_factory=dict)
    supports_shouldprocess: bool = False
    may_require_reboot: bool = False
    secret_output: bool = False
    writes_files: bool = False
    min_version: str | None = None
    preview_name: str | None = None
    superseded_by: str | None = None
    preconditions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def parameter(self, name: str) -> ParameterSpec | None:
        """The parameter of this name or alias; common parameters are not included."""
        return next((p for p in self.parameters if p.answers_to(name)), None)


@dataclass(frozen=True, slots=True, eq=False)
class Catalog(Mapping[str, CmdletSpec]):
    """The cmdlets of one module, by name; look-up ignores case.

    Args:
        module: The module's name.
        cmdlets: In the order of the data file.
        common_parameters: What PowerShell adds to every cmdlet.
    """

    module: str
    cmdlets: tuple[CmdletSpec, ...]
    common_parameters: tuple[ParameterSpec, ...] = ()
    _by_name: Mapping[str, CmdletSpec] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {spec.name.casefold(): spec for spec in self.cmdlets})

    def __getitem__(self, name: str) -> CmdletSpec:
        return self._by_name[name.casefold()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._by_name

    def __iter__(self) -> Iterator[str]:
        return (spec.name for spec in self.cmdlets)

    def __len__(self) -> int:
        return len(self.cmdlets)

    @property
    def current(self) -> tuple[CmdletSpec, ...]:
        """The cmdlets today's module exports."""
        return tuple(spec for spec in self.cmdlets if spec.status == "current")

    def by_risk(self, *risks: Risk) -> tuple[CmdletSpec, ...]:
        """The current cmdlets of these risk classes."""
        return tuple(spec for spec in self.current if spec.risk in risks)

    def similar(self, name: str) -> str | None:
        """The cmdlet most like a mistyped name, or None."""
        close = difflib.get_close_matches(name.casefold(), self._by_name, n=1)
        return self._by_name[close[0]].name if close else None


@cache
def load_catalog() -> Catalog:
    """The catalog of the product's module ``AksEdge``, superseded cmdlets included (and flagged)."""
    return _load("cmdlets.json")


@cache
def load_ops_catalog() -> Catalog:
    """The catalog of our device-side module ``AksLiteOps``."""
    return _load("ops.json")


def _load(file_name: str) -> Catalog:
    data = json.loads(files(__package__).joinpath("data", file_name).read_text(encoding="utf-8"))
    return Catalog(
        module=data["module"],
        cmdlets=tuple(_cmdlet(item, data["module"]) for item in data["cmdlets"]),
        common_parameters=tuple(_parameter(item) for item in data.get("common_parameters", ())),
    )


def _cmdlet(item: dict[str, Any], module: str) -> CmdletSpec:
    fields = _frozen(item)
    fields["cls"] = fields.pop("class")
    fields["parameters"] = tuple(_parameter(parameter) for parameter in item.get("parameters", ()))
    return CmdletSpec(module=module, **fields)


def _parameter(item: dict[str, Any]) -> ParameterSpec:
    fields = _frozen(item)
    fields["parameter_sets"] = fields.pop("sets", ())
    return ParameterSpec(**fields)


def _frozen(item: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
