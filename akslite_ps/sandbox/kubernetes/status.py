"""Refusals of the API as Kubernetes ``Status`` objects, with the codes, reasons and details clients branch on.

Raised anywhere below the server and turned into a response there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause in a Status: a field and what is wrong with it."""

    reason: str
    message: str
    field: str = ""

    def as_data(self) -> dict[str, Any]:
        """The cause as it is sent."""
        data = {"reason": self.reason, "message": self.message}
        return {**data, "field": self.field} if self.field else data


def invalid_value(value: object, message: str, path: str) -> Cause:
    """The cause for a value that breaks a rule."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {message}", path)


class ApiError(Exception):
    """A request that the API answers with a failure Status.

    Args:
        code: HTTP status code.
        reason: Kubernetes' reason, e.g. ``NotFound``.
        message: The sentence a client shows.
        details: Kind, group, name of what the request was about.
    """

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def as_status(self) -> dict[str, Any]:
        """The Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        # The code comes last, as the real server writes it: there are clients whose users compare the text.
        return {**status, **({"details": self.details} if self.details else {}), "code": self.code}


def success(details: dict[str, Any]) -> dict[str, Any]:
    """The Status of a request that leaves no object behind."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def bad_request(message: str) -> ApiError:
    """400: the request cannot be read."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: the credentials are missing, wrong or expired; says no more than the real server."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, resource: str, group: str, namespace: str, name: str) -> ApiError:
    """403 for a resource request, worded as the RBAC authorizer's refusal. ``resource`` may be ``plural/subresource``."""
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    plural = resource.partition("/")[0]
    target = f'{qualified(plural, group)} "{name}"' if name else qualified(plural, group)
    message = f'{target} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}"{where}'
    return ApiError(403, "Forbidden", message, _details(plural, group, name))


def forbidden_path(user: str, verb: str, path: str) -> ApiError:
    """403 for a path that is no resource."""
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def forbidden_object(resource: str, group: str, name: str, why: str) -> ApiError:
    """403 from admission: the user may, the object may not."""
    return ApiError(403, "Forbidden", f'{qualified(resource, group)} "{name}" is forbidden: {why}', _details(resource, group, name))


def not_found(resource: str, group: str, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, "NotFound", f'{qualified(resource, group)} "{name}" not found', _details(resource, group, name))


def unknown_path() -> ApiError:
    """404 for a path that leads to no resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    """405: the resource knows no such verb."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def already_exists(resource: str, group: str, name: str) -> ApiError:
    """409 for a create of a name that is taken."""
    return ApiError(409, "AlreadyExists", f'{qualified(resource, group)} "{name}" already exists', _details(resource, group, name))


def conflict(resource: str, group: str, name: str, why: str) -> ApiError:
    """409 for a write based on an old version."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, group, name))


def apply_conflict(causes: Sequence[Cause], managers: Sequence[str]) -> ApiError:
    """409 of a server-side apply: other managers own the fields. Managers as they are named in the causes."""
    count = len(causes)
    if count == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        each = "\n".join(
            f"conflicts with {manager}:\n" + "\n".join(f"- {cause.field}" for cause in causes if cause.message.endswith(manager))
            for manager in managers
        )
        message = f"Apply failed with {count} conflicts: {each}"
    return ApiError(409, "Conflict", message, {"causes": [cause.as_data() for cause in causes]})


def expired(revision: int, floor: int) -> ApiError:
    """410: the version asked for is no longer in the event history."""
    return ApiError(410, "Expired", f"too old resource version: {revision} ({floor})")


def unsupported_media_type(content_type: str, supported: Sequence[str]) -> ApiError:
    """415: a body this server cannot read."""
    accepted = ", ".join(supported)
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(415, "UnsupportedMediaType", f"{message} (sent: {content_type or 'none'})", {})


def not_acceptable(supported: Sequence[str]) -> ApiError:
    """406: the client wants an encoding this server does not write."""
    message = f"only the following media types are accepted: {', '.join(supported)}"
    return ApiError(406, "NotAcceptable", message, {})


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object breaks a rule of its kind."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    body = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {"name": name, "kind": kind, "causes": [cause.as_data() for cause in causes]}
    if group:
        details["group"] = group
    return ApiError(422, "Invalid", f'{qualified(kind, group)} "{name}" is invalid: {body}', details)


def eviction_refused(cause: Cause) -> ApiError:
    """429: a disruption budget does not let a pod go now."""
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return ApiError(429, "TooManyRequests", message, {"causes": [cause.as_data()]})


def qualified(resource: str, group: str) -> str:
    """``deployments.apps``, or the plain name for the core group."""
    return f"{resource}.{group}" if group else resource


def _details(resource: str, group: str, name: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": resource}
    return {key: value for key, value in details.items() if value}
