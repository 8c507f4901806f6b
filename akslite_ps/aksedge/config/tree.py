"""The config's models and the tree of plain data behind them: paths, leaves, changes, faults of values.

Used by ``config`` only. A tree is nested dictionaries and lists in the product's spelling, holding nothing but
what is set.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from akslite_ps.aksedge.config.fields import FieldSpec, Place, places, specs
from akslite_ps.aksedge.config.reading import Shown, safe_name, shown_value
from akslite_ps.aksedge.config.secret_values import HeldSecret, Secret
from akslite_ps.errors import ConfigIssue, UsageError
from akslite_ps.secrets import SecretRef

_PATH_PART = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<index>\d*)\])?")
_FAULTS = {
    "missing": "it is missing",
    "bool_type": "it is no boolean",
    "int_type": "it is no whole number",
    "int_from_float": "it is no whole number",
    "string_type": "it is no text",
    "string_unicode": "it holds characters that are no text",
    "too_short": "it is empty",
    "greater_than_equal": "it is too small",
    "less_than_equal": "it is too large",
    "multiple_of": "it is no multiple of what the product counts in",
}


@cache
def all_specs(root: type[BaseModel]) -> tuple[FieldSpec, ...]:
    """Every field and section below a model, in order."""
    return tuple(specs(root))


@cache
def _specs_by_path(root: type[BaseModel]) -> dict[str, FieldSpec]:
    return {_plain(spec.path): spec for spec in all_specs(root)}


def _plain(path: str) -> str:
    """A path without list positions and in one case, for comparing."""
    return re.sub(r"\[\d*\]", "", path).casefold()


def spec_for(root: type[BaseModel], path: str) -> FieldSpec:
    """The field or section of a path; a last name alone is enough where it is unique.

    Raises:
        UsageError: There is no such field, or several have that name.
    """
    wanted, known = _plain(path), _specs_by_path(root)
    if wanted in known:
        return known[wanted]
    namesakes = [spec for name, spec in known.items() if name.rpartition(".")[2] == wanted]
    if len(namesakes) == 1:
        return namesakes[0]
    if namesakes:
        paths = ", ".join(spec.path for spec in namesakes)
        raise UsageError(f"{path} is the name of several fields", next_action=f"use one of {paths}")
    by_last_name = {name.rpartition(".")[2]: spec for name, spec in known.items()}
    spellings = known if "." in wanted else by_last_name
    close = difflib.get_close_matches(wanted, spellings, n=1)
    hint = f"{spellings[close[0]].path} (did you mean that?)" if close else "a path such as Network.InternetDisabled"
    raise UsageError(f"there is no field {safe_name(path)}", next_action=f"use {hint}")


def _set_places(section: BaseModel) -> Iterator[tuple[Place, Any]]:
    for place in places(type(section)):
        value = getattr(section, place.attribute)
        if place.attribute in section.model_fields_set and value is not None:
            yield place, value


def leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of everything that is set."""
    for place, value in _set_places(section):
        path = f"{prefix}{place.name}"
        if place.model and place.is_list:
            for index, entry in enumerate(value):
                yield from leaves(entry, f"{path}[{index}].")
        elif place.model:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def to_tree(section: BaseModel, write_secret: Callable[[str, Secret], Any], prefix: str = "") -> dict[str, Any]:
    """Everything that is set as a new tree.

    Args:
        write_secret: Gets path and secret, returns what stands in the tree for it.
    """
    tree: dict[str, Any] = {}
    for place, value in _set_places(section):
        path = f"{prefix}{place.name}"
        if place.model and place.is_list:
            tree[place.name] = [to_tree(entry, write_secret, f"{path}[{index}].") for index, entry in enumerate(value)]
        elif place.model:
            tree[place.name] = to_tree(value, write_secret, f"{path}.")
        elif isinstance(value, SecretRef | HeldSecret):
            tree[place.name] = write_secret(path, value)
        else:
            tree[place.name] = list(value) if isinstance(value, tuple) else value
    return tree


def put(root: type[BaseModel], tree: dict[str, Any], path: str, value: Any) -> ConfigIssue | None:
    """Set one value in a tree; None takes it out. Returns an issue where the path leads nowhere."""
    try:
        spec = spec_for(root, path)
    except UsageError as error:
        allowed = (error.next_action or "a known path").removeprefix("use ")
        return ConfigIssue(safe_name(path), shown_value(value), allowed, error.message)
    parts = list(_PATH_PART.finditer(path if "." in path else spec.path))
    model, here = root, tree
    for number, part in enumerate(parts, start=1):
        place = next(place for place in places(model) if place.name.casefold() == part["name"].casefold())
        is_end = number == len(parts)
        if is_end and part["index"] is None:
            here[place.name] = value
            return None
        if value is None and place.name not in here:
            return None
        if place.model is None:
            return ConfigIssue(path, shown_value(value), "a path without a position there", "it is not a list of objects")
        model = place.model
        if not place.is_list:
            here = here.setdefault(place.name, {})
            continue
        entries: list[Any] = here.setdefault(place.name, [])
        index = int(part["index"] or 0)
        if index > len(entries):
            return ConfigIssue(path, shown_value(value), f"a position from 0 to {len(entries)}", "positions follow each other")
        if index == len(entries):
            entries.append({})
        if is_end:
            entries[index] = value
            return None
        here = entries[index]
    return None


def _joined(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def value_issues(error: ValidationError, root: type[BaseModel], *, already: set[str]) -> Iterator[ConfigIssue]:
    """The faults of values that validation found, in the product's words.

    Args:
        already: Paths with a fault found while reading; what follows from these is not said twice.
    """
    known = _specs_by_path(root)
    found = {_joined(fault["loc"]): fault for fault in error.errors(include_url=False)}
    for path, fault in found.items():
        if path in already or any(other.startswith((f"{path}.", f"{path}[")) for other in (*already, *found)):
            continue
        reason = _FAULTS.get(fault["type"]) or str(fault.get("ctx", {}).get("error", "")) or "it is not one of the allowed values"
        if fault["type"] == "string_type" and path == "SchemaVersion":
            reason = "as a number 1.10 would be 1.1, so a schema version is a text"
        value = Shown("nothing") if fault["type"] == "missing" else shown_value(fault["input"])
        yield ConfigIssue(path, value, known[_plain(path)].allowed, reason)
