"""The small part of JSONPath that CustomResourceDefinitions use: fields, positions in lists, all items, filters by equality."""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>[A-Za-z0-9_$-]+(?:\\\.[A-Za-z0-9_$/-]+)*)      # .name, with dots behind a backslash
      | \[['"](?P<quoted>[^'"]+)['"]\]                             # ['name']
      | \[(?P<index>-?\d+)\]                                       # [0]
      | (?P<all>\[\*\]|\.\*)                                       # [*]
      | \[\?\(@\.(?P<key>[A-Za-z0-9_.-]+)\s*==\s*['"](?P<value>[^'"]*)['"]\)\]   # [?(@.type=="Ready")]
    """,
    re.VERBOSE,
)


def values_at(data: Any, path: str) -> list[Any]:
    """Everything that a path leads to; nothing where the path leads nowhere or cannot be read.

    Args:
        data: A JSON-ready value.
        path: e.g. ``.status.conditions[?(@.type=="Ready")].status``; braces around it do not matter.
    """
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    found, position = [data], 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            return []
        position = step.end()
        found = [value for item in found for value in _below(item, step)]
    return [value for value in found if value is not None]


def _below(item: Any, step: re.Match[str]) -> list[Any]:
    name = step["quoted"] or (step["field"] or "").replace("\\.", ".")
    if name:
        return [item[name]] if isinstance(item, dict) and name in item else []
    if step["all"]:
        return list(item.values()) if isinstance(item, dict) else list(item) if isinstance(item, list) else []
    if not isinstance(item, list):
        return []
    if step["index"]:
        index = int(step["index"])
        return item[index : index + 1 or None]
    return [each for each in item if isinstance(each, dict) and str(_deep(each, step["key"])) == step["value"]]


def _deep(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item
