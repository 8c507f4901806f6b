"""What the fields of a pydantic model are, in the words of a form: shape, title, default, hints.

Read by ``notebook.form``; knows no widgets. Anything a form cannot show as a single control is a text that pydantic
itself reads, so that no field of a model is ever left out.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from akslite_ps.errors import SecretUnavailable
from akslite_ps.secrets import SCHEMES, SecretRef

Shape = Literal["flag", "choice", "whole", "decimal", "text", "secret", "items", "pairs", "section", "sections"]
_REFERENCE = "a reference to the secret: " + ", ".join(f"{scheme}:NAME" for scheme in SCHEMES)


class _Nothing(Enum):
    NOTHING = "nothing"


NOTHING = _Nothing.NOTHING
"""A control that a person left empty; not the same as None or an empty text."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a model.

    Args:
        name: Attribute in Python.
        key: Name in the data: the alias where there is one.
        title: Label.
        help: The description.
        shape: Which kind of control.
        optional: May be left empty.
        default: What the model takes for an empty control, :data:`NOTHING` where it must be given.
        choices: For ``choice``, label and value.
        model: For ``section`` and ``sections``.
        unit: Shown behind the control.
        allowed: What is allowed, in words.
        advanced: Folded away.
        extra: ``json_schema_extra`` of the field.
        annotation: Type with its constraints.
    """

    name: str
    key: str
    title: str
    help: str
    shape: Shape
    optional: bool
    default: Any
    annotation: Any
    choices: tuple[tuple[str, Any], ...] = ()
    model: type[BaseModel] | None = None
    unit: str = ""
    allowed: str = ""
    advanced: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def read(self, text: str) -> Any:
        """What a person typed as a value, or :data:`NOTHING` for an empty control.

        Raises:
            ValueError: With the sentence to show below the field.
        """
        text = text.strip()
        if not text:
            if self.optional or self.default is not NOTHING:
                return NOTHING
            raise ValueError(f"is needed: {self.allowed}" if self.allowed else "is needed")
        if self.shape == "secret":
            try:
                return str(SecretRef.parse(text))
            except SecretUnavailable:
                raise ValueError(f"was cleared because it may be a secret; give {_REFERENCE}") from None
        return self.check(_from_text(self, text))

    def check(self, value: Any) -> Any:
        """The value, if the model would take it in this field.

        Raises:
            ValueError: With the sentence to show below the field.
        """
        if self.shape == "secret":
            return value
        try:
            TypeAdapter(self.annotation).validate_python(value, strict=False)
        except ValidationError as error:
            raise ValueError(self._sentence(error)) from None
        return value

    def _sentence(self, error: ValidationError) -> str:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        reason = reason[:1].lower() + reason[1:]
        if not self.allowed:
            return reason
        return f"must be {self.allowed}" if reason.startswith("input should be") else f"must be {self.allowed} ({reason})"


def form_fields(model: type[BaseModel]) -> tuple[FormField, ...]:
    """The fields of a model, in its order."""
    return tuple(_field(name, info) for name, info in model.model_fields.items())


def shown(item: FormField, value: Any) -> str:
    """A value as text of its control."""
    if value is None or value is NOTHING:
        return ""
    if item.shape == "items":
        return ", ".join(str(part) for part in value)
    if item.shape == "pairs":
        return "\n".join(f"{key}={part}" for key, part in value.items())
    return str(value)


def _field(name: str, info: FieldInfo) -> FormField:
    annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    parts = _parts(info.annotation)
    bases = [part for part in parts if part is not type(None)]
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    shape, choices, model = _shape(bases, extra)
    default: Any = info.get_default(call_default_factory=True) if not info.is_required() else NOTHING
    return FormField(
        name=name,
        key=info.alias or name,
        title=info.title or name.replace("_", " ").capitalize(),
        help=info.description or "",
        shape=shape,
        optional=len(bases) < len(parts),
        default=NOTHING if default is PydanticUndefined else default,
        annotation=annotation,
        choices=choices,
        model=model,
        unit=str(extra.get("unit") or ""),
        allowed=str(extra.get("allowed") or _bounds(info)),
        advanced=bool(extra.get("advanced")),
        extra=extra,
    )


def _parts(annotation: Any) -> list[Any]:
    annotation = _plain(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for inner in get_args(annotation) for part in _parts(inner)]
    return [annotation]


def _plain(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _shape(bases: Sequence[Any], extra: Mapping[str, Any]) -> tuple[Shape, tuple[tuple[str, Any], ...], type[BaseModel] | None]:
    if extra.get("secret") or SecretRef in bases or SecretStr in bases:
        return "secret", (), None
    if len(bases) != 1:
        return "text", (), None
    base = bases[0]
    if get_origin(base) is Literal:
        return "choice", tuple((str(value), value) for value in get_args(base)), None
    if get_origin(base) in (list, tuple, set, frozenset, Sequence):
        inner = [_plain(part) for part in get_args(base) if part is not Ellipsis]
        if len(inner) == 1 and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
            return "sections", (), inner[0]
        return "items", (), None
    if base in (list, tuple, set, frozenset):
        return "items", (), None
    if base is dict or get_origin(base) in (dict, Mapping):
        return "pairs", (), None
    if not isinstance(base, type):
        return "text", (), None
    if issubclass(base, BaseModel):
        return "section", (), base
    if issubclass(base, Enum):
        return "choice", tuple((str(member.value), member.value) for member in base), None
    simple: dict[type, Shape] = {bool: "flag", int: "whole", float: "decimal"}
    return simple.get(base, "text"), (), None


def _bounds(info: FieldInfo) -> str:
    limits = {
        name: getattr(part, name)
        for part in info.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(part, name, None) is not None
    }
    low, high = limits.get("ge"), limits.get("le")
    if low is not None and high is not None:
        return f"{low} to {high}"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return " and ".join(f"{words[name]} {value}" for name, value in limits.items())


def _from_text(item: FormField, text: str) -> Any:
    match item.shape:
        case "whole" | "decimal":
            try:
                return int(text) if item.shape == "whole" else float(text)
            except ValueError:
                kind = "a whole number" if item.shape == "whole" else "a number"
                raise ValueError(f"must be {item.allowed or kind}") from None
        case "items":
            return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
        case "pairs":
            pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
            if any(not equals or not key.strip() for key, equals, _ in pairs):
                raise ValueError("must be one NAME=VALUE per line")
            return {key.strip(): value.strip() for key, _, value in pairs}
        case _:
            return text
