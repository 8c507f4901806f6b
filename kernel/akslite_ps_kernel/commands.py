"""What is known of the commands a person may type: names, parameters, which are switches, help.

Three sources: PowerShell's core cmdlets (``command_line``), the product's catalog, and what the connected device
lists. Serves the parser, completion and inspection; asks nobody: ``connection`` and ``runner`` bring what a device says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.aksedge.catalog import CmdletSpec, ParameterSpec, load_catalog, load_ops_catalog
from akslite_ps.command_line import common_parameters, full_name, matching, parameters_of

_DONE_HERE = ("Format-List", "Format-Table")
_CORE = (
    *("ForEach-Object", "Get-Command", "Get-Help"),
    *("Group-Object", "Measure-Object", "Select-Object", "Sort-Object", "Where-Object"),
)


@dataclass(frozen=True, slots=True)
class KnownParameter:
    """A parameter as completion shows it. ``allowed`` holds its possible values where they are known."""

    name: str
    is_switch: bool = False
    type: str = ""
    allowed: tuple[str, ...] = ()


class CommandTable:
    """The commands of the connected device, or of the catalog while there is none."""

    def __init__(self) -> None:
        self._device: dict[str, str] = {}
        self._parameters: dict[str, tuple[KnownParameter, ...]] = {}

    def learn(self, commands: Iterable[Any]) -> None:
        """Take what ``Get-Command`` lists on the device: objects with a Name, or names."""
        self._device = {}
        self._parameters = {}
        for name in filter(None, map(_name_of, commands)):
            self._device[name.casefold()] = name

    def learn_details(self, commands: Iterable[Any], asked: Iterable[str]) -> None:
        """Take what ``Get-Command`` tells of the commands ``asked`` for: objects with Name and Parameters."""
        self._parameters.update((name.casefold(), ()) for name in asked)
        for item in commands:
            name, parameters = _name_of(item), item.get("Parameters") if isinstance(item, Mapping) else None
            if name and isinstance(parameters, Mapping):
                self._parameters[name.casefold()] = tuple(_parameter_of(key, value) for key, value in parameters.items())

    def unknown_parameters(self, names: Iterable[str]) -> list[str]:
        """Those of the names whose parameters only the device can tell, and has not been asked for."""
        wanted = {full_name(name).casefold(): full_name(name) for name in names}
        return [
            name
            for folded, name in wanted.items()
            if folded in self._device and folded not in self._parameters and not self.spec(name) and parameters_of(name) is None
        ]

    def forget(self) -> None:
        """Go back to the catalog: there is no device any more."""
        self.learn(())

    def names(self) -> list[str]:
        """The names of all commands, in alphabetical order."""
        if self._device:
            known = set(self._device.values())
        else:
            known = {spec.name for catalog in (load_catalog(), load_ops_catalog()) for spec in catalog.current} | set(_CORE)
        return sorted(known | set(_DONE_HERE), key=str.casefold)

    def parameters(self, command: str, *, with_common: bool = True) -> list[KnownParameter]:
        """The parameters of a command; the common ones alone where it is unknown."""
        name = full_name(command)
        own = self._own_parameters(name)
        taken = {parameter.name.casefold() for parameter in own}
        common = [KnownParameter(p, switch) for p, switch in common_parameters().items() if p.casefold() not in taken]
        return [*own, *common] if with_common else own

    def is_switch(self, command: str, parameter: str) -> bool:
        """True where the parameter, as written, takes no value."""
        found = self.parameter(command, parameter)
        return found is not None and found.is_switch

    def wants_text(self, command: str, parameter: str) -> bool:
        """True where the parameter is of type String."""
        found = self.parameter(command, parameter)
        return found is not None and found.type.removesuffix("[]").rpartition(".")[2].casefold() == "string"

    def parameter(self, command: str, written: str) -> KnownParameter | None:
        """The parameter that a name or an unambiguous abbreviation means."""
        spec = self.spec(command)
        if spec is not None and (exact := spec.parameter(written)) is not None:
            return _from_catalog(exact)
        known = {parameter.name: parameter for parameter in self.parameters(command)}
        name = matching(written, dict.fromkeys(known, True))
        if name is None or (len(name) != len(written) and not self._own_parameters(full_name(command))):
            return None  # an abbreviation might mean a parameter that is not known here
        return known[name]

    def spec(self, command: str) -> CmdletSpec | None:
        """The catalog's entry of a product or AksLiteOps command."""
        for catalog in (load_catalog(), load_ops_catalog()):
            if command in catalog:
                return catalog[command]
        return None

    def similar(self, command: str) -> str | None:
        """A command most like a mistyped one."""
        import difflib

        names = {name.casefold(): name for name in self.names() if name.casefold() != command.casefold()}
        close = difflib.get_close_matches(command.casefold(), names, n=1, cutoff=0.7)
        return names[close[0]] if close else None

    def _own_parameters(self, name: str) -> list[KnownParameter]:
        spec = self.spec(name)
        if spec is not None:
            return [_from_catalog(parameter) for parameter in spec.parameters]
        if self._parameters.get(name.casefold()):
            return list(self._parameters[name.casefold()])
        return [KnownParameter(parameter, switch) for parameter, switch in (parameters_of(name) or {}).items()]


def _name_of(item: Any) -> str:
    name = item.get("Name") if isinstance(item, Mapping) else item
    return name if isinstance(name, str) else ""


def _from_catalog(parameter: ParameterSpec) -> KnownParameter:
    return KnownParameter(parameter.name, parameter.switch, parameter.type, parameter.allowed)


def _parameter_of(name: Any, details: Any) -> KnownParameter:
    """A parameter as a device tells it: its type's name, or metadata with ParameterType and SwitchParameter."""
    if isinstance(details, Mapping):
        kind = str(details.get("ParameterType", ""))
        return KnownParameter(str(name), bool(details.get("SwitchParameter")) or "SwitchParameter" in kind, kind)
    kind = "" if "ParameterMetadata" in str(details) else str(details or "")
    return KnownParameter(str(name), "SwitchParameter" in kind, kind)
