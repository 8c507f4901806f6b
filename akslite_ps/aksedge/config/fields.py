"""What is known of every field of a deployment config, beside its type.

``setting`` declares a field of the models in ``config.sections`` and ``config.machines``; :class:`FieldSpec`
is what forms, ``explain`` and the rules read. The facts come from Microsoft's config table (March 2025), its
schema diagram and samples at Azure/AKS-Edge a1c409cd, and its how-to pages; a ``note`` says where these disagree.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

DeploymentType = Literal["SingleMachineCluster", "ScalableCluster"]
Kind = Literal[
    "text",
    "integer",
    "boolean",
    "choice",
    "ipv4",
    "ipv4 list",
    "subnet",
    "guid",
    "address",
    "mac",
    "secret",
    "version",
    "list",
    "section",
]

_ALLOWED: dict[str, str] = {
    "text": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "ipv4": "an IPv4 address such as 192.168.1.10",
    "ipv4 list": 'a list of IPv4 addresses such as ["192.168.1.1"]',
    "subnet": "an IPv4 subnet such as 192.168.1.0/24",
    "guid": "a GUID such as 00000000-0000-0000-0000-000000000000",
    "address": "an address such as http://proxy.example:8080",
    "mac": "six pairs of hexadecimal digits such as 00:15:5D:01:02:03",
    "secret": "a secret reference such as env:NAME or keyring:SERVICE/USER",
    "list": "a list",
    "section": "an object with named fields",
}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of the config, as a person or a form needs it.

    Args:
        path: In the product's spelling; ``[]`` stands for any entry of a list.
        title: Short name for a form.
        description: What it means.
        kind: What sort of value it takes.
        allowed: What is allowed, in words.
        choices: The allowed values where they are few.
        default: What the product takes where the field is absent, None where it has none.
        unit: Unit of a number, e.g. ``MB``.
        secret: True where the value must never be shown.
        since_schema: First config schema that has it.
        group: Heading under which a form shows it.
        required: ``always``, ``no``, or the condition in words.
        deployment_types: Where it has a meaning.
        distributions: Where it has a meaning.
        node: ``Linux``, ``Windows`` or ``any``.
        fixed: True where the product cannot change it after deployment without deploying anew.
        advanced: True where most people leave it alone.
        note: Where sources disagree, and traps.
    """

    path: str
    title: str
    description: str
    kind: Kind
    allowed: str
    choices: tuple[str | int, ...] = ()
    default: Any = None
    unit: str | None = None
    secret: bool = False
    since_schema: str = "1.5"
    group: str = ""
    required: str = "no"
    deployment_types: tuple[str, ...] = ("SingleMachineCluster", "ScalableCluster")
    distributions: tuple[str, ...] = ("K3s", "K8s")
    node: str = "any"
    fixed: bool = True
    advanced: bool = False
    note: str = ""


def setting(
    name: str,
    title: str,
    description: str,
    *,
    kind: Kind,
    default: Any = None,
    required_field: bool = False,
    factory: Any = None,
    allowed: str | None = None,
    unit: str | None = None,
    since: str = "1.5",
    group: str = "",
    required: str = "no",
    only_in: DeploymentType | None = None,
    distributions: tuple[str, ...] = ("K3s", "K8s"),
    node: str = "any",
    fixed: bool = True,
    advanced: bool = False,
    note: str = "",
    product_default: Any = None,
    **constraints: Any,
) -> Any:
    """Declare a field: ``name`` is the product's spelling, the rest as in :class:`FieldSpec`.

    Args:
        factory: Makes the default of a section.
        required_field: True where a config without it cannot be read at all.
        only_in: The one deployment type where it has a meaning.
        product_default: Where the product's default differs from the model's, e.g. depends on the host.
        constraints: ``ge``, ``le``, ``multiple_of``, ``min_length`` as for :func:`pydantic.Field`.
    """
    extra: dict[str, Any] = {
        "kind": kind,
        "allowed": allowed or _ALLOWED[kind],
        "product_default": default if product_default is None else product_default,
        "unit": unit,
        "secret": kind == "secret",
        "since_schema": since,
        "group": group,
        "required": required,
        "deployment_types": [only_in] if only_in else ["SingleMachineCluster", "ScalableCluster"],
        "distributions": list(distributions),
        "node": node,
        "fixed": fixed,
        "advanced": advanced,
        "note": note,
    }
    shared: dict[str, Any] = {"alias": name, "title": title, "description": description, "json_schema_extra": extra, **constraints}
    if required_field:
        return Field(**shared)
    return Field(default_factory=factory, **shared) if factory else Field(default=default, **shared)


@dataclass(frozen=True, slots=True)
class Place:
    """One field of one model: its Python name, its specification (path relative to the model), the model below it."""

    attribute: str
    name: str
    spec: FieldSpec
    model: type[BaseModel] | None
    is_list: bool


@cache
def places(model: type[BaseModel]) -> tuple[Place, ...]:
    """The fields of one model in order."""
    found = []
    for attribute, info in model.model_fields.items():
        name = info.alias or attribute
        below, is_list = _below(info.annotation)
        found.append(Place(attribute, name, _spec(info, name), below, is_list))
    return tuple(found)


def specs(model: type[BaseModel], prefix: str = "") -> Iterator[FieldSpec]:
    """All field specifications of a model and the models below it, sections included, in order, with full paths."""
    for place in places(model):
        path = f"{prefix}{place.name}"
        yield replace(place.spec, path=path)
        if place.model:
            yield from specs(place.model, f"{path}{'[]' if place.is_list else ''}.")


def _spec(info: FieldInfo, path: str) -> FieldSpec:
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    data: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in extra.items()}
    return FieldSpec(
        path=path,
        title=info.title or path,
        description=info.description or "",
        choices=_choices(info.annotation),
        default=data.pop("product_default"),
        **data,
    )


def _inner(annotation: Any) -> list[Any]:
    """The annotation's parts without None and without Annotated's metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [part for arg in get_args(annotation) if arg is not type(None) for part in _inner(arg)]
    return [annotation]


def _below(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    for part in _inner(annotation):
        if get_origin(part) is tuple:
            return _below(get_args(part)[0])[0], True
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, False
    return None, False


def _choices(annotation: Any) -> tuple[str | int, ...]:
    for part in _inner(annotation):
        if get_origin(part) is Literal:
            return get_args(part)
    return ()
