"""Label and field selectors: parsing what clients send in a query and matching objects.

Also matches the ``LabelSelector`` structure that workloads, services and disruption budgets carry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes.objects import Object, labels_of
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.status import bad_request

Matcher = Callable[[Object], bool]

_SET_TERM = re.compile(r"^(?P<key>[^\s=!,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUALITY_TERM = re.compile(r"^(?P<key>[^\s=!,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s=!,()]*)$")
_EXISTS_TERM = re.compile(r"^(?P<not>!?)\s*(?P<key>[^\s=!,()]+)$")

# Fields that a selector may name beside metadata.name and metadata.namespace, per resource, with the path in the object.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicasets.apps": ("status.replicas",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


@dataclass(frozen=True, slots=True)
class _Requirement:
    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def allows(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        match self.operator:
            case "Exists":
                return present
            case "DoesNotExist":
                return not present
            case "In":
                return present and labels[self.key] in self.values
            case _:
                return not present or labels[self.key] not in self.values


def parse_label_selector(text: str) -> Matcher:
    """A matcher for a ``labelSelector`` query value.

    Raises:
        ApiError: 400, where the text is no selector.
    """
    requirements = [_parse_term(term.strip()) for term in _split_terms(text) if term.strip()]
    return lambda obj: all(requirement.allows(labels_of(obj)) for requirement in requirements)


def parse_field_selector(text: str, kind: ResourceType) -> Matcher:
    """A matcher for a ``fieldSelector`` query value of this resource.

    Raises:
        ApiError: 400, where the text is no selector or the field cannot be selected by.
    """
    terms: list[tuple[str, bool, str]] = []
    allowed = ("metadata.name", "metadata.namespace", *_FIELDS.get(kind.resource, ()))
    for term in filter(None, (part.strip() for part in text.split(","))):
        found = _EQUALITY_TERM.match(term)
        if not found:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        if found["key"] not in allowed:
            where = f'Unable to find "{kind.api_version.rjust(3, "/")}, Resource={kind.plural}" that match'
            raise bad_request(f'{where} label selector "", field selector "{text}": field label not supported: {found["key"]}')
        terms.append((found["key"], found["op"] != "!=", found["value"]))
    return lambda obj: all((_field(obj, path) == value) is equal for path, equal, value in terms)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a ``LabelSelector`` structure selects these labels. None selects nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or ():
        requirement = _Requirement(expression["key"], expression["operator"], frozenset(expression.get("values") or ()))
        if not requirement.allows(labels):
            return False
    return True


def _split_terms(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    return re.split(r",(?![^(]*\))", text)


def _parse_term(term: str) -> _Requirement:
    if found := _SET_TERM.match(term):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return _Requirement(found["key"], "In" if found["op"] == "in" else "NotIn", values)
    if found := _EQUALITY_TERM.match(term):
        return _Requirement(found["key"], "NotIn" if found["op"] == "!=" else "In", frozenset([found["value"]]))
    if found := _EXISTS_TERM.match(term):
        return _Requirement(found["key"], "DoesNotExist" if found["not"] else "Exists")
    raise bad_request(f"unable to parse requirement: found '{term}', expected: a label requirement")


def _field(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
