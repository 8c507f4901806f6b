"""Fills Secrets of type ``kubernetes.io/service-account-token`` with a token that does not end."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterable

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.objects import Object, ObjectKey, annotations_of
from akslite_ps.sandbox.kubernetes.state import ClusterState
from akslite_ps.sandbox.kubernetes.status import ApiError
from akslite_ps.sandbox.kubernetes.store import Change
from akslite_ps.sandbox.kubernetes.tokens import issue_token

_TYPE = "kubernetes.io/service-account-token"
_ACCOUNT = "kubernetes.io/service-account.name"
_UID = "kubernetes.io/service-account.uid"


class AccountTokenController:
    """Issues the tokens that people keep in Secrets."""

    watches = frozenset({"secrets"})

    def concerns(self, change: Change, obj: Object, state: ClusterState) -> Iterable[ObjectKey]:
        """A token Secret without its token."""
        wanted = obj.get("type") == _TYPE and "token" not in (obj.get("data") or {})
        return (change.key,) if wanted and change.kind != "DELETED" else ()

    def reconcile(self, key: ObjectKey, state: ClusterState) -> dt.datetime | None:
        """Put the token in; a Secret whose account does not exist is removed, as the real controller does."""
        secret = state.store.get(key)
        if secret is None:
            return None
        account = annotations_of(secret).get(_ACCOUNT, "")
        try:
            token, _ = issue_token(state, key.namespace, account, None)
        except ApiError:
            state.remove(resources.SECRETS, secret)
            return None
        found = state.get(resources.SERVICE_ACCOUNTS, account, key.namespace)
        assert found is not None
        secret["metadata"]["annotations"][_UID] = found["metadata"]["uid"]
        contents = {"ca.crt": state.credentials.authority_certificate, "namespace": key.namespace.encode(), "token": token.encode()}
        secret["data"] = (secret.get("data") or {}) | {name: base64.b64encode(value).decode() for name, value in contents.items()}
        state.put(resources.SECRETS, secret)
        return None
