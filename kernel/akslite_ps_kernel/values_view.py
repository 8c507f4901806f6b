"""How values of a device read in a notebook: Format-Table and Format-List as text, tables as HTML.

Called by ``screen`` and by the result of a cell; never reads or computes anything but its arguments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from akslite_ps.command_line import text_form
from akslite_ps.secrets import redact

WIDTH = 120
_LIST_FROM = 5
_SHOWN = 500
_NARROWEST = 14

# What PowerShell's own format data shows of types that everybody meets; a session sends no format data.
_DEFAULT_PROPERTIES = {
    "System.Management.Automation.CommandInfo": ("CommandType", "Name", "Version", "Source"),
    "System.ServiceProcess.ServiceController": ("Status", "Name", "DisplayName"),
}


@dataclass(frozen=True, slots=True)
class View:
    """How objects are to be shown: ``auto`` as PowerShell decides, or what Format-Table or Format-List asked for."""

    form: Literal["auto", "table", "list"] = "auto"
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Group:
    """Values shown together: texts line by line, or objects with the same properties."""

    names: tuple[str, ...]
    values: tuple[Any, ...]
    as_list: bool = False


def mime_bundle(values: Sequence[Any], view: View | None = None) -> dict[str, str]:
    """The values for a notebook: always ``text/plain``, and ``text/html`` where there is a table or list among them."""
    view = view or View()
    shown = values[:_SHOWN]
    groups = list(_groups(shown, view))
    note = f"{_SHOWN} of {len(values)} objects are shown" if len(values) > _SHOWN else ""
    texts = [_text(group) for group in groups] + ([note] if note else [])
    bundle = {"text/plain": redact("\n\n".join(text for text in texts if text))}
    if any(group.names for group in groups):
        from akslite_ps.notebook import style

        pieces = [_html(group) for group in groups] + ([f'<p class="akslite-soft">{style.escape(note)}</p>'] if note else [])
        bundle["text/html"] = style.block("".join(pieces))
    return bundle


def cell_text(value: Any) -> str:
    """A value inside a table, as PowerShell writes it there: lists in braces, nothing for null."""
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S") + ("Z" if value.tzinfo is not None and not value.utcoffset() else "")
    if type(value) is dict:
        return "{" + ", ".join(f"{key}={cell_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "{" + ", ".join(cell_text(item) for item in value) + "}"
    return text_form(value)


def _groups(values: Sequence[Any], view: View) -> Iterator[_Group]:
    def names_of(value: Any) -> tuple[str, ...]:
        if type(value) is dict:
            return ("Name", "Value")
        return tuple(value) if isinstance(value, Mapping) else ()

    for names, members in groupby(values, key=names_of):
        items = tuple(members)
        if not names:
            yield _Group((), items)
            continue
        if names == ("Name", "Value") and type(items[0]) is dict:
            rows = tuple({"Name": key, "Value": value} for item in items for key, value in item.items())
            yield _Group(names, rows, as_list=view.form == "list")
            continue
        usual = _usual(items[0], names) if view.form != "list" else ()
        chosen = _chosen(names, view.properties or usual)
        as_list = view.form == "list" or (view.form == "auto" and len(items) == 1 and len(chosen) >= _LIST_FROM)
        yield _Group(chosen, items, as_list)


def _usual(item: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    types = {name.removeprefix("Deserialized.") for name in getattr(item, "type_names", ())}
    usual = next((properties for kind, properties in _DEFAULT_PROPERTIES.items() if kind in types), ())
    return usual if set(usual) <= set(names) else ()


def _chosen(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    from fnmatch import fnmatchcase

    if not wanted:
        return names
    chosen: list[str] = []
    for pattern in wanted:
        matching = [name for name in names if fnmatchcase(name.casefold(), pattern.casefold())]
        chosen += [name for name in matching or [pattern] if name not in chosen]
    return tuple(chosen)


def _get(item: Any, name: str) -> Any:
    try:
        return item[name]
    except KeyError:
        return None


def _text(group: _Group) -> str:
    if not group.names:
        return "\n".join(text_form(value) for value in group.values)
    if group.as_list:
        return "\n\n".join(_list_text(item, group.names) for item in group.values)
    return _table_text(group)


def _list_text(item: Any, names: tuple[str, ...]) -> str:
    width = max(len(name) for name in names)
    lines: list[str] = []
    for name in names:
        first, *rest = cell_text(_get(item, name)).splitlines() or [""]
        lines.append(f"{name.ljust(width)} : {first}".rstrip())
        lines += [f"{' ' * width}   {line}" for line in rest]
    return "\n".join(lines)


def _table_text(group: _Group) -> str:
    columns = []
    for name in group.names:
        values = [_get(item, name) for item in group.values]
        cells = [" ".join(cell_text(value).split()) for value in values]
        columns.append((name, cells, _is_numeric(values)))
    widths = _widths([(len(name), max(len(name), *map(len, cells))) for name, cells, _ in columns])
    fitting = columns[: len(widths)]
    rows = [[name for name, _, _ in fitting], ["-" * len(name) for name, _, _ in fitting]]
    rows += [list(row) for row in zip(*(cells for _, cells, _ in fitting), strict=True)]
    lines = [
        " ".join(
            _cut(cell, width).rjust(width) if right else _cut(cell, width).ljust(width)
            for cell, width, (_, _, right) in zip(row, widths, fitting, strict=True)
        ).rstrip()
        for row in rows
    ]
    if left_out := [name for name, _, _ in columns[len(widths) :]]:
        lines.append(f"(not shown here: {', '.join(left_out)}; | Format-List shows all)")
    return "\n".join(lines)


def _widths(wanted: Sequence[tuple[int, int]]) -> list[int]:
    """Widths within the line: the widest column is narrowed first, then columns at the end are left out."""
    widths = [full for _, full in wanted]
    floors = [min(full, max(_NARROWEST, title)) for title, full in wanted]
    while widths and sum(widths) + len(widths) - 1 > WIDTH:
        excess = sum(widths) + len(widths) - 1 - WIDTH
        spare, index = max((width - floor, index) for index, (width, floor) in enumerate(zip(widths, floors, strict=False)))
        if spare <= 0:
            if len(widths) == 1:
                break
            widths.pop()
        else:
            widths[index] -= min(spare, max(1, excess if spare > excess * 2 else (excess + 1) // 2))
    return widths


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: max(0, width - 3)] + "..."


def _is_numeric(values: Sequence[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in present)


def _html(group: _Group) -> str:
    from akslite_ps.notebook import style

    if not group.names:
        return f'<pre class="akslite-text">{style.escape(_text(group))}</pre>'
    if group.as_list:
        return "".join(
            _html_table(("", ""), [(name, _get(item, name)) for name in group.names], head=False) for item in group.values
        )
    rows = [tuple(_get(item, name) for name in group.names) for item in group.values]
    return _html_table(group.names, rows)


def _html_table(names: Sequence[str], rows: Sequence[Sequence[Any]], *, head: bool = True) -> str:
    from akslite_ps.notebook import style

    right = [head and _is_numeric([row[place] for row in rows]) for place in range(len(names))]
    mark = [' class="akslite-right"' if numeric else "" for numeric in right]
    title = "".join(f"<th{m}>{style.escape(name)}</th>" for m, name in zip(mark, names, strict=True))
    body = "".join(f"<tr>{_html_row(row, mark, head=head)}</tr>" for row in rows)
    top = f"<thead><tr>{title}</tr></thead>" if head else ""
    return f'<div class="akslite-scroll"><table class="akslite-table">{top}<tbody>{body}</tbody></table></div>'


def _html_row(row: Sequence[Any], mark: Sequence[str], *, head: bool) -> str:
    from akslite_ps.notebook import style

    cells = [style.escape(cell_text(value)).replace("\n", "<br>") for value in row]
    if not head:
        return f"<th>{cells[0]}</th><td>{cells[1]}</td>"
    return "".join(f"<td{m}>{cell}</td>" for m, cell in zip(mark, cells, strict=True))
