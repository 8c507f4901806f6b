"""The three ways to patch an object: JSON merge patch, strategic merge patch, JSON patch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch

from akslite_ps.sandbox.kubernetes.definitions import Definitions, Schema
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.status import ApiError, bad_request

_DIRECTIVE = "$patch"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVE = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Object, operations: Any) -> Object:
    """RFC 6902.

    Raises:
        ApiError: 400 for something that is no patch, 422 where it does not fit the object.
    """
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        patched: Object = jsonpatch.JsonPatch(operations).apply(target)
    except jsonpatch.JsonPatchTestFailed as error:
        raise ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {error}", {}) from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {error}", {}) from None
    except (TypeError, KeyError) as error:
        raise bad_request(f"error decoding patch: {error}") from None
    return patched


def strategic_merge(target: Any, patch: Any, schema: Schema, definitions: Definitions) -> Any:
    """Kubernetes' own merge: lists with a merge key merge by it, directives delete, replace and order.

    Args:
        target: What is there.
        patch: The patch, with directives such as ``$patch`` and ``$setElementOrder/...``.
        schema: The definition of ``target``.
        definitions: The definitions that ``schema`` refers to.
    """
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return _without_directives(patch)
    if directive == "delete":
        return {}
    result = dict(target) if isinstance(target, Mapping) else {}
    retained = patch.get(_RETAIN)
    if retained is not None:
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key.startswith("$"):
            _apply_field_directive(result, key, value)
            continue
        if value is None:
            result.pop(key, None)
            continue
        field = definitions.field(schema, key) or {}
        if isinstance(value, list):
            result[key] = _merge_list(result.get(key) or [], value, field, definitions)
        else:
            result[key] = strategic_merge(result.get(key), value, field, definitions)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            field = definitions.field(schema, name) or {}
            if name in result:
                result[name] = _ordered(result[name], order, field.get("x-kubernetes-patch-merge-key"))
    return result


def _merge_list(target: list[Any], patch: list[Any], schema: Schema, definitions: Definitions) -> list[Any]:
    strategy = str(schema.get("x-kubernetes-patch-strategy", "")).split(",")
    if "merge" not in strategy:
        return [_without_directives(item) for item in patch]
    key = schema.get("x-kubernetes-patch-merge-key")
    if key is None:
        return [*target, *(item for item in patch if item not in target)]
    if any(isinstance(item, Mapping) and item.get(_DIRECTIVE) == "replace" and key not in item for item in patch):
        return [_without_directives(item) for item in patch if key in item]
    items = definitions.items(schema)
    result = list(target)
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        at = next((index for index, present in enumerate(result) if present.get(key) == item[key]), None)
        if item.get(_DIRECTIVE) == "delete":
            result = [present for present in result if present.get(key) != item[key]]
        elif at is None:
            result.append(_without_directives(item))
        else:
            result[at] = strategic_merge(result[at], item, items, definitions)
    return result


def _apply_field_directive(result: dict[str, Any], key: str, value: Any) -> None:
    if key.startswith(_DELETE_PRIMITIVE):
        name = key.removeprefix(_DELETE_PRIMITIVE)
        if name in result:
            result[name] = [item for item in result[name] if item not in value]


def _ordered(present: list[Any], order: list[Any], key: str | None) -> list[Any]:
    """The list in the patch's order; what the patch does not name keeps its place after its old predecessor."""
    wanted = [item[key] if key and isinstance(item, Mapping) else item for item in order]
    identity = [item.get(key) if key and isinstance(item, Mapping) else item for item in present]
    named = sorted(
        (item for item in zip(identity, present, strict=True) if item[0] in wanted), key=lambda pair: wanted.index(pair[0])
    )
    result = [item for _, item in named]
    for index, name in enumerate(identity):
        if name not in wanted:
            before = [present[other] for other in range(index)]
            at = max((result.index(item) + 1 for item in before if item in result), default=0)
            result.insert(at, present[index])
    return result


def _without_directives(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_directives(item) for key, item in value.items() if not key.startswith("$") and item is not None}
    if isinstance(value, list):
        return [_without_directives(item) for item in value]
    return value
