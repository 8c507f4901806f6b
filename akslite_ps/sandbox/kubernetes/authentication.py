"""Who is asking: client certificate, bearer token, impersonation, or nobody."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akslite_ps.sandbox.kubernetes.assumptions import ANONYMOUS_REQUESTS
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import unauthorized
from akslite_ps.sandbox.kubernetes.tokens import account_of_token

AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user, or the anonymous one."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""

    def as_data(self) -> dict[str, Any]:
        """The ``UserInfo`` structure of reviews."""
        data: dict[str, Any] = {"username": self.name, "groups": list(self.groups)}
        return {**data, "uid": self.uid} if self.uid else data


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def authenticate(state: ClusterState, certificate: Mapping[str, Any] | None, authorization: str) -> User:
    """The user behind a request.

    Args:
        certificate: The peer's certificate as :meth:`ssl.SSLObject.getpeercert` gives it. Its signature has been
            checked, its dates have not.
        authorization: The Authorization header, "" where absent.

    Raises:
        ApiError: 401, where credentials are wrong, or missing while the cluster takes no anonymous requests.
    """
    if certificate:
        return _user_of_certificate(certificate)
    if authorization:
        scheme, _, token = authorization.partition(" ")
        account = account_of_token(state, token.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise unauthorized()
        namespace, name, uid = account
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return User(f"system:serviceaccount:{namespace}:{name}", groups, uid)
    if ANONYMOUS_REQUESTS.value[state.facts.distribution]:
        return ANONYMOUS
    raise unauthorized()


def impersonated(headers: Mapping[str, str], groups: list[str]) -> User | None:
    """The user named by the impersonation headers, or None."""
    name = headers.get("Impersonate-User")
    if not name:
        return None
    return User(name, (*groups, AUTHENTICATED), headers.get("Impersonate-Uid", ""))


def _user_of_certificate(certificate: Mapping[str, Any]) -> User:
    now = time.time()
    if not ssl.cert_time_to_seconds(certificate["notBefore"]) <= now <= ssl.cert_time_to_seconds(certificate["notAfter"]):
        raise unauthorized()
    names: dict[str, list[str]] = {}
    for entry in certificate["subject"]:
        for key, value in entry:
            names.setdefault(key, []).append(value)
    if "commonName" not in names:
        raise unauthorized()
    return User(names["commonName"][0], (*names.get("organizationName", ()), AUTHENTICATED))
