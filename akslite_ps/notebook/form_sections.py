"""The parts a form is made of: rows, sections, sections that may be left out, lists of sections.

Built by ``notebook.form`` from a model's fields; each part knows its rows, its data, and how to take data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import ipywidgets as w
from pydantic import BaseModel

from akslite_ps.notebook import style
from akslite_ps.notebook.form_controls import Row
from akslite_ps.notebook.form_fields import NOTHING, FormField, form_fields

Hide = Callable[[str, FormField], bool]


class Part(Protocol):
    """What every part of a form offers.

    Args:
        widget: What is displayed.
        advanced: True where it holds nothing but what most people leave alone.
    """

    widget: Any
    advanced: bool

    def rows(self) -> Iterator[Row]:
        """The rows shown now."""

    def data(self) -> Any:
        """What was set, or :data:`NOTHING`."""

    def set(self, value: Any) -> None:
        """Fill in a value, or go back to the default with :data:`NOTHING`."""


class Builder:
    """What all sections of one form share."""

    def __init__(self, hide: Hide, single: frozenset[str], touched: Callable[[], None]) -> None:
        self.hide = hide
        self.single = single
        self.touched = touched
        self.buttons: list[Any] = []

    def part(self, field: FormField, path: str) -> Part:
        """The widgets of one field."""
        if field.shape == "section" and field.model is not None:
            return _Optional(field, path, self) if field.optional else Section(field.model, path, self, stays=False)
        if field.shape == "sections" and field.model is not None:
            return _Sections(field, path, self)
        return _Single(Row(field, path, self.touched))

    def button(self, text: str, icon: str, action: Callable[[], None]) -> Any:
        """A small button."""
        made = w.Button(description=text, icon=icon, layout=w.Layout(width="auto"))
        made.on_click(lambda _: action())
        self.buttons.append(made)
        return made


class _Single:
    """One row."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.advanced = row.field.advanced
        self.widget = row.widget

    def rows(self) -> Iterator[Row]:
        yield self._row

    def data(self) -> Any:
        return self._row.value

    def set(self, value: Any) -> None:
        self._row.set(value)


class Section:
    """The fields of one model: its own rows, sections below as an accordion (at the top) or with a heading.

    Args:
        stays: Give an empty mapping where nothing is set, instead of nothing.
    """

    def __init__(
        self,
        model: type[BaseModel],
        path: str,
        builder: Builder,
        *,
        top: bool = False,
        stays: bool = True,
        first: Sequence[str] = (),
    ) -> None:
        self._stays = stays
        self._parts: dict[str, Part] = {}
        self._kept: dict[str, Any] = {}
        place = {key: number for number, key in enumerate(first)}
        self._fields = sorted(form_fields(model), key=lambda field: place.get(field.key, len(place)))
        plain: list[Any] = []
        folded: list[Any] = []
        below: list[tuple[str, Any]] = []
        for field in self._fields:
            where = f"{path}.{field.key}" if path else field.key
            if builder.hide(where, field):
                continue
            part = self._parts[field.key] = builder.part(field, where)
            if isinstance(part, _Single):
                (folded if field.advanced else plain).append(part.widget)
            elif top:
                below.append((field.title, part))
            else:
                (folded if field.advanced or part.advanced else plain).append(w.VBox([_heading(field), part.widget]))
        self.advanced = not plain
        self._accordion: tuple[Any, list[tuple[str, Any]]] | None = None
        if below:
            accordion = w.Accordion([part.widget for _, part in below], titles=tuple(title for title, _ in below), selected_index=0)
            self._accordion = (accordion, below)
            plain.append(accordion)
        if folded:
            more = w.Accordion([w.VBox(folded)], titles=(f"More settings ({len(folded)})",), selected_index=None)
            more.add_class("akslite-more")
            plain.append(more)
        self.widget = w.VBox(plain)

    def rows(self) -> Iterator[Row]:
        for part in self._parts.values():
            yield from part.rows()

    def data(self) -> Any:
        found = {key: value for key, part in self._parts.items() if (value := part.data()) is not NOTHING}
        return {**self._kept, **found} or ({} if self._stays else NOTHING)

    def set(self, value: Any) -> None:
        given = dict(value) if isinstance(value, Mapping) else {}
        by_name = {name.casefold(): field for field in self._fields for name in (field.key, field.name)}
        filled_in: dict[str, Any] = {}
        self._kept = {}
        for name, item in given.items():
            field = by_name.get(name.casefold())
            if field is not None and field.key in self._parts:
                filled_in[field.key] = item
            else:
                self._kept[field.key if field else name] = item
        for key, part in self._parts.items():
            part.set(filled_in.get(key, NOTHING))

    def mark(self, *, reveal: bool = False) -> None:
        """Say at the folded sections how many of their fields are to be corrected; with ``reveal`` open the first of them."""
        if self._accordion is None:
            return
        accordion, below = self._accordion
        counts = [sum(bool(row.message) for row in part.rows()) for _, part in below]
        accordion.titles = tuple(
            f"{title} - {count} to correct" if count else title for (title, _), count in zip(below, counts, strict=True)
        )
        opened = accordion.selected_index
        if reveal and any(counts) and (opened is None or not counts[opened]):
            accordion.selected_index = next(place for place, count in enumerate(counts) if count)


class _Optional:
    """A section that may be left out as a whole."""

    def __init__(self, field: FormField, path: str, builder: Builder) -> None:
        assert field.model is not None
        self.advanced = field.advanced
        self._section = Section(field.model, path, builder)
        self._switch = w.Checkbox(value=False, description=f"with {field.title}", indent=False)
        self._switch.observe(lambda change: self._show(builder), "value")
        self.widget = w.VBox([self._switch])

    def _show(self, builder: Builder) -> None:
        self.widget.children = [self._switch, self._section.widget] if self._switch.value else [self._switch]
        builder.touched()

    def rows(self) -> Iterator[Row]:
        if self._switch.value:
            yield from self._section.rows()

    def data(self) -> Any:
        return self._section.data() if self._switch.value else NOTHING

    def set(self, value: Any) -> None:
        self._switch.value = isinstance(value, Mapping)
        self._section.set(value)


class _Sections:
    """A list of sections."""

    def __init__(self, field: FormField, path: str, builder: Builder) -> None:
        self.advanced = field.advanced
        self._field = field
        self._path = path
        self._builder = builder
        self._fixed = path in builder.single
        self._entries: list[Section] = []
        self._add = builder.button(f"Add to {field.title}", "plus", self._added)
        self.widget = w.VBox()
        self._resize(1 if self._fixed else 0)

    def _added(self) -> None:
        self._resize(len(self._entries) + 1)
        self._builder.touched()

    def _removed(self, entry: Section) -> None:
        left = [item.data() for item in self._entries if item is not entry]
        self._resize(len(left))
        for item, data in zip(self._entries, left, strict=True):
            item.set(data)
        self._builder.touched()

    def _resize(self, count: int) -> None:
        assert self._field.model is not None
        del self._entries[count:]
        while len(self._entries) < count:
            self._entries.append(Section(self._field.model, f"{self._path}[{len(self._entries)}]", self._builder))
        if self._fixed:
            self.widget.children = [entry.widget for entry in self._entries]
            return
        boxes = [w.VBox([self._head(number, entry), entry.widget]) for number, entry in enumerate(self._entries, start=1)]
        self.widget.children = [*boxes, self._add]

    def _head(self, number: int, entry: Section) -> Any:
        remove = self._builder.button("Remove", "trash", lambda: self._removed(entry))
        return w.HBox([w.HTML(style.frame(f"<h4>{style.escape(self._field.title)} {number}</h4>")), remove])

    def rows(self) -> Iterator[Row]:
        for entry in self._entries:
            yield from entry.rows()

    def data(self) -> Any:
        return [entry.data() for entry in self._entries] if self._entries else NOTHING

    def set(self, value: Any) -> None:
        given = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
        given = given or ([{}] if self._fixed else [])
        self._resize(len(given))
        for entry, item in zip(self._entries, given, strict=True):
            entry.set(item)


def _heading(field: FormField) -> Any:
    body = f"<h4>{style.escape(field.title)}</h4>"
    if field.help and field.help.rstrip(".") != field.title:
        body += f'<p class="akslite-soft">{style.escape(field.help)}</p>'
    return w.HTML(style.frame(body))
