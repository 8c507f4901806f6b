"""Reviews: who am I, may I, whose token is this. Answered and not stored."""

from __future__ import annotations

from typing import Any

from akslite_ps.sandbox.kubernetes.authentication import AUTHENTICATED, User
from akslite_ps.sandbox.kubernetes.authorization import Attributes, allows, rules_of
from akslite_ps.sandbox.kubernetes.objects import Object, timestamp
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import unknown_path
from akslite_ps.sandbox.kubernetes.tokens import account_of_token


def answer_review(state: ClusterState, user: User, kind: str, review: Object, namespace: str) -> Object:
    """The review with its status.

    Args:
        user: Who asks.
        kind: e.g. ``SelfSubjectAccessReview``.
        review: What was sent.
        namespace: The path's namespace, "" without one.
    """
    spec: dict[str, Any] = review.get("spec") or {}
    review.setdefault("metadata", {})
    match kind:
        case "SelfSubjectReview":
            review["metadata"]["creationTimestamp"] = timestamp(state.now)
            review["status"] = {"userInfo": user.as_data()}
        case "SelfSubjectAccessReview":
            review["status"] = _access(state, user, spec, namespace)
        case "SubjectAccessReview" | "LocalSubjectAccessReview":
            other = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
            review["status"] = _access(state, other, spec, namespace)
        case "SelfSubjectRulesReview":
            review["status"] = _rules(state, user, spec.get("namespace", ""))
        case "TokenReview":
            review["status"] = _token(state, spec.get("token", ""))
        case _:
            raise unknown_path()
    return review


def _access(state: ClusterState, user: User, spec: dict[str, Any], namespace: str) -> dict[str, Any]:
    if path := spec.get("nonResourceAttributes"):
        wanted = Attributes(path.get("verb", ""), path=path.get("path", ""))
    else:
        asked = spec.get("resourceAttributes") or {}
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource = f"{resource}/{asked['subresource']}"
        wanted = Attributes(
            asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace") or namespace, asked.get("name", "")
        )
    reason = allows(state, user, wanted)
    if reason is None:
        return {"allowed": False}
    return {"allowed": True, "reason": reason} if reason else {"allowed": True}


def _rules(state: ClusterState, user: User, namespace: str) -> dict[str, Any]:
    rules = rules_of(state, user, namespace)
    return {
        "resourceRules": [rule for rule in rules if "resources" in rule],
        "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
        "incomplete": False,
    }


def _token(state: ClusterState, token: str) -> dict[str, Any]:
    account = account_of_token(state, token)
    if account is None:
        return {"authenticated": False, "error": "invalid bearer token", "user": {}}
    namespace, name, uid = account
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED]
    return {"authenticated": True, "user": {"username": f"system:serviceaccount:{namespace}:{name}", "uid": uid, "groups": groups}}
