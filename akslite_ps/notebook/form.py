"""A form for any pydantic model, on ipywidgets alone.

Used by runbooks to ask for a deployment config or parameters. Each field has its own message, shown when it is
changed; sections fold; what most people leave alone is folded further. A form gives the data a person set, not the
model's defaults. Without a browser there is :func:`filled`: the same model from values, without a widget.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import ipywidgets as w
from pydantic import BaseModel, ValidationError

from akslite_ps.errors import ConfigError, ConfigIssue
from akslite_ps.notebook import style
from akslite_ps.notebook.form_sections import Builder, Hide, Section

Parse = Callable[[dict[str, Any]], Any]


def filled(model: type[BaseModel], values: Mapping[str, Any], *, parse: Parse | None = None) -> Any:
    """The model from values and its defaults, for runs without a person.

    Args:
        model: The pydantic model.
        values: Data by field name or alias.
        parse: What makes the model; default: pydantic's validation.

    Raises:
        ConfigError: One issue per field that is not usable.
    """
    try:
        return (parse or model.model_validate)(dict(values))
    except ValidationError as error:
        raise ConfigError(_issues(model, error), source=model.__name__, next_action="correct the values") from None


def form_for(
    model: type[BaseModel],
    values: Mapping[str, Any] | None = None,
    *,
    parse: Parse | None = None,
    hide: Hide | None = None,
    single: Collection[str] = (),
    first: Sequence[str] = (),
    on_change: Callable[[], None] | None = None,
) -> Form:
    """A form for a model.

    Args:
        model: The pydantic model. ``title``, ``description``, the alias, and ``unit``, ``allowed``, ``advanced`` and
            ``secret`` of ``json_schema_extra`` are shown.
        values: What is filled in already; counts as set.
        parse: What makes the model from the data; default: pydantic's validation. May raise ConfigError.
        hide: True for a path and field that is not to be shown; values given for it are kept.
        single: Paths of lists of sections that hold exactly one entry, shown without buttons to add and remove.
        first: Keys of the fields that come first, in this order; the others follow in the model's order.
        on_change: Called after a person changed anything.
    """
    return Form(model, values or {}, parse=parse, hide=hide, single=single, first=first, on_change=on_change)


class Form:
    """See :func:`form_for`. ``widget`` is what is displayed."""

    def __init__(
        self,
        model: type[BaseModel],
        values: Mapping[str, Any],
        *,
        parse: Parse | None,
        hide: Hide | None,
        single: Collection[str],
        first: Sequence[str],
        on_change: Callable[[], None] | None,
    ) -> None:
        self._model = model
        self._parse = parse or model.model_validate
        self._changed = on_change or (lambda: None)
        self._builder = Builder(hide or (lambda path, field: False), frozenset(single), self._touched)
        self._message = w.HTML()
        self._root = Section(model, "", self._builder, top=True, first=first)
        self.widget = w.VBox([w.HTML(style.sheet()), self._root.widget, self._message])
        self.widget.add_class("akslite-app")
        self.widget.add_class("akslite-form")
        self.set(values)

    @property
    def value(self) -> dict[str, Any]:
        """The fields a person (or ``values``) set, under their aliases; JSON-ready.

        Raises:
            ConfigError: A field holds something unusable.
        """
        issues = [ConfigIssue(row.path, "", row.message) for row in self._root.rows() if not row.check()]
        if issues:
            self._root.mark(reveal=True)
            raise ConfigError(issues, source="the form", next_action="correct the fields marked")
        data: dict[str, Any] = self._root.data()
        return data

    @property
    def errors(self) -> dict[str, str]:
        """The messages shown now, by path."""
        return {row.path: row.message for row in self._root.rows() if row.message}

    def set(self, values: Mapping[str, Any]) -> None:
        """Fill in values given from elsewhere; everything else goes back to the defaults."""
        self._root.set(values)
        self._message.value = ""
        self._root.mark()

    def parse(self) -> Any:
        """The model made from the form. Faults are shown at their fields.

        Raises:
            ConfigError: One issue per fault.
        """
        self._message.value = ""
        data = self.value
        try:
            made = self._parse(data)
        except ValidationError as error:
            fault = ConfigError(_issues(self._model, error), source="the form", next_action="correct the fields marked")
            self.show(fault.issues)
            raise fault from None
        except ConfigError as error:
            self.show(error.issues)
            raise
        return made

    def show(self, issues: Sequence[ConfigIssue]) -> None:
        """Show faults found elsewhere at their fields, and those without a field below the form."""
        rows = {row.path.casefold(): row for row in self._root.rows()}
        rest = []
        for issue in issues:
            row = rows.get(issue.path.casefold())
            if row is None:
                rest.append(str(issue))
            else:
                row.show(f"must be {issue.allowed}{f' ({issue.reason})' if issue.reason else ''}")
        self._message.value = style.frame("".join(style.note(text, "bad") for text in rest))
        self._root.mark(reveal=True)

    def disable(self, off: bool = True) -> None:
        """Let nobody change it, while something works with it."""
        for row in self._root.rows():
            row.disable(off)
        for button in self._builder.buttons:
            button.disabled = off

    def _touched(self) -> None:
        self._root.mark()
        self._changed()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.widget._repr_mimebundle_(include=include, exclude=exclude)


def _issues(model: type[BaseModel], error: ValidationError) -> list[ConfigIssue]:
    issues = []
    for item in error.errors(include_url=False):
        path = ""
        for part in item["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
        reason = item["msg"].removeprefix("Value error, ")
        plain = item["input"] if isinstance(item["input"], str | int | float | bool | None) else type(item["input"]).__name__
        issues.append(ConfigIssue(path, plain, reason[:1].lower() + reason[1:]))
    return issues
