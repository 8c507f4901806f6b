"""Service account tokens: issuing them and reading who presents one."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.credentials import TOKEN_ISSUER
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import not_found

AUDIENCES = {"K3s": [TOKEN_ISSUER, "k3s"], "K8s": [TOKEN_ISSUER]}


def issue_token(state: ClusterState, namespace: str, name: str, seconds: int | None) -> tuple[str, dt.datetime | None]:
    """A token for a service account and the moment it ends.

    Args:
        seconds: Lifetime in device seconds; None makes one that does not end (a token in a Secret).

    Raises:
        ApiError: 404, where the account does not exist.
    """
    account = state.get(resources.SERVICE_ACCOUNTS, name, namespace)
    if account is None:
        raise not_found("serviceaccounts", "", name)
    now = state.clock()
    claims: dict[str, Any] = {
        "aud": AUDIENCES[state.facts.distribution],
        "iat": int(now.timestamp()),
        "iss": TOKEN_ISSUER,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]}},
        "nbf": int(now.timestamp()),
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }
    if seconds is None:
        return state.credentials.sign_token(claims), None
    ends = now + dt.timedelta(seconds=seconds)
    return state.credentials.sign_token({**claims, "exp": int(ends.timestamp())}), ends


def account_of_token(state: ClusterState, token: str) -> tuple[str, str, str] | None:
    """Namespace, name and uid of the service account a token stands for; None where the token is not good any more."""
    claims = state.credentials.read_token(token)
    if claims is None:
        return None
    now = state.clock().timestamp()
    if "exp" in claims and now >= claims["exp"]:
        return None
    try:
        namespace = claims["kubernetes.io"]["namespace"]
        reference = claims["kubernetes.io"]["serviceaccount"]
        account = state.get(resources.SERVICE_ACCOUNTS, reference["name"], namespace)
    except (KeyError, TypeError):
        return None
    if account is None or account["metadata"]["uid"] != reference["uid"]:
        return None
    return namespace, reference["name"], reference["uid"]
