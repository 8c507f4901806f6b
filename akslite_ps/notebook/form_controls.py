"""The controls of a form: one row per field, with label, input, unit, help and a message of its own.

Used by ``notebook.form``. A row knows whether it was touched; what is typed into a secret's row and is no reference is
cleared at once, because a notebook keeps what its widgets hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
from traitlets import TraitError

from akslite_ps.notebook import style
from akslite_ps.notebook.form_fields import NOTHING, FormField, shown

_UNSET = "not set"
_LABEL_WIDTH = "170px"
_WIDTH = "430px"
_LONG = frozenset({"pairs"})


class Row:
    """One field as widgets.

    Args:
        field: What it is.
        path: Where in the data, e.g. ``Machines[0].LinuxNode.CpuCount``.
        on_change: Called after a person changed it.
    """

    def __init__(self, field: FormField, path: str, on_change: Callable[[], None]) -> None:
        self.field = field
        self.path = path
        self.message = ""
        self._on_change = on_change
        self._given = False
        self._control = _control(field)
        self._control.add_class("akslite-input")
        unit = f"<b>{style.escape(field.unit)}</b> " if field.unit else ""
        self._help = f"{unit}{style.escape(field.help)}"
        self._aside = w.HTML(self._help)
        self._aside.add_class("akslite-help")
        self.widget = w.HBox([self._control, self._aside])
        self.widget.add_class("akslite-row")
        self._start = self._control.value
        self._control.observe(self._changed, "value")

    @property
    def value(self) -> Any:
        """The value set here, or :data:`NOTHING` where the model's default is left alone.

        Raises:
            ValueError: With the sentence to show below the field.
        """
        shown_now = self._control.value
        value = self.field.read(shown_now) if isinstance(self._control, w.Textarea | w.Text) else shown_now
        if value is NOTHING:
            return NOTHING
        untouched = shown_now == self._start and not self._given
        return NOTHING if untouched and self.field.default is not NOTHING else value

    def set(self, value: Any) -> None:
        """Show a value that was given from elsewhere; it counts as set."""
        self._given = value is not None and value is not NOTHING
        self._control.unobserve(self._changed, "value")
        try:
            if isinstance(self._control, w.Textarea | w.Text):
                self._control.value = shown(self.field, value) if self._given else self._start
            else:
                self._control.value = getattr(value, "value", value) if self._given else self._start
        except TraitError:
            self.show(f"must be one of: {', '.join(label for label, _ in self.field.choices)}")
            return
        finally:
            self._control.observe(self._changed, "value")
        self.show("")
        if self._given:
            self.check()

    def check(self) -> bool:
        """Look at the value and show or clear the field's own message."""
        try:
            _ = self.value
        except ValueError as error:
            if self.field.shape == "secret" and self._control.value:
                self._clear()
            self.show(str(error))
            return False
        self.show("")
        return True

    def show(self, message: str) -> None:
        """Show a message beside the field; an empty one clears it."""
        self.message = message
        # In the place of the help: a form that grew below a pointer about to click would make the click miss.
        wrong = f'<span class="akslite-message">{style.escape(message)}</span>'
        self._aside.value = wrong if message else self._help
        (self.widget.add_class if message else self.widget.remove_class)("akslite-wrong")

    def disable(self, off: bool) -> None:
        """Let nobody change it."""
        self._control.disabled = off

    def _clear(self) -> None:
        self._control.unobserve(self._changed, "value")
        self._control.value = ""
        self._control.observe(self._changed, "value")

    def _changed(self, change: Any) -> None:
        self.check()
        self._on_change()


def _control(field: FormField) -> Any:
    default = None if field.default is NOTHING else field.default
    needed = not field.optional and field.default is NOTHING
    look: dict[str, Any] = {
        "description": f"{field.title} *" if needed else field.title,
        "style": {"description_width": _LABEL_WIDTH},
        "layout": w.Layout(width=_WIDTH),
    }
    match field.shape:
        case "flag" if not field.optional:
            return w.Checkbox(value=bool(default), **look)
        case "flag":
            return w.Dropdown(options=[(_UNSET, NOTHING), ("yes", True), ("no", False)], value=_or_nothing(default), **look)
        case "choice":
            empty = [(_UNSET, NOTHING)] if field.optional or field.default is NOTHING else []
            plain = getattr(default, "value", default)
            return w.Dropdown(options=[*empty, *field.choices], value=_or_nothing(plain) if empty else plain, **look)
        case _:
            kind = w.Textarea if field.shape in _LONG else w.Text
            control = kind(value=shown(field, default), placeholder=_placeholder(field), **look)
            control.continuous_update = False
            return control


def _or_nothing(value: Any) -> Any:
    return NOTHING if value is None else value


def _placeholder(field: FormField) -> str:
    match field.shape:
        case "secret":
            return "keyring:SERVICE/USER or env:NAME"
        case "items":
            return "one, two, ..."
        case "pairs":
            return "NAME=VALUE, one per line"
        case _:
            return _UNSET if field.optional else ""
