"""What the simulated Azure side knows, as frozen data with a JSON form.

Made and kept by ``sandbox.azure.cloud``. Holds no secret: of a service principal's secret only a salted digest is kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from typing import Literal

from pydantic import BaseModel, ConfigDict

from akslite_ps.sandbox.device.state import Moment

_ROUNDS = 20_000

Action = Literal["read", "write", "delete"]

ONBOARDING_ROLE = "Kubernetes Cluster - Azure Arc Onboarding"
ROLES: dict[str, frozenset[Action]] = {
    ONBOARDING_ROLE: frozenset({"read", "write"}),
    "Azure Kubernetes Service Arc Contributor Role": frozenset({"read", "write", "delete"}),
    "Contributor": frozenset({"read", "write", "delete"}),
    "Owner": frozenset({"read", "write", "delete"}),
    "Reader": frozenset({"read"}),
}
"""What a role lets a service principal do with connected clusters, as the product's documentation says of each."""

Connectivity = Literal["Connecting", "Connected", "Offline", "Expired"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tenant(_Frozen):
    """A Microsoft Entra tenant.

    Args:
        id: Its GUID, lower case.
        learns: Nobody has set it up: what a device says of it for the first time is taken as right.
    """

    id: str
    learns: bool = False


class Subscription(_Frozen):
    """An Azure subscription of a tenant."""

    id: str
    tenant: str


class ResourceGroup(_Frozen):
    """A resource group; its name keeps the spelling of the one who made it."""

    subscription: str
    name: str
    location: str

    @property
    def scope(self) -> str:
        """Its resource id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"


class SecretDigest(_Frozen):
    """Enough of a secret to recognize it."""

    salt: str
    digest: str

    @classmethod
    def of(cls, secret: str) -> SecretDigest:
        """The digest of a secret, with a salt of its own."""
        salt = secrets.token_hex(8)
        return cls(salt=salt, digest=_digest(secret, salt))

    def fits(self, secret: str) -> bool:
        """Whether this is the secret."""
        return hmac.compare_digest(self.digest, _digest(secret, self.salt))


class ServicePrincipal(_Frozen):
    """An application that may sign in with a secret.

    Args:
        client_id: Application id.
        object_id: Id of the principal in its tenant.
        tenant: Its tenant.
        secret: Recognizes its secret.
        expires_at: When the secret stops to work; None: never.
    """

    client_id: str
    object_id: str
    tenant: str
    secret: SecretDigest
    expires_at: Moment | None = None


class RoleAssignment(_Frozen):
    """A role of a service principal on a scope and all below it."""

    client_id: str
    role: str
    scope: str


class ConnectedCluster(_Frozen):
    """An Arc-enabled Kubernetes cluster as Azure lists it.

    Args:
        subscription, group, name: Where it stands.
        location: Azure region.
        cluster: Which cluster it is: the uid of its kube-system namespace.
        distribution, kubernetes_version: What the agents report.
        tags: As the product sets them.
        created_at: When it was made.
        last_seen: When the agents reported last; None: never yet.
    """

    subscription: str
    group: str
    name: str
    location: str
    cluster: str
    distribution: str
    kubernetes_version: str
    tags: dict[str, str]
    created_at: Moment
    last_seen: Moment | None = None

    @property
    def id(self) -> str:
        """Its resource id."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.Kubernetes/connectedClusters/{self.name}"

    def connectivity(self, now: dt.datetime, *, offline_after: dt.timedelta, expired_after: dt.timedelta) -> Connectivity:
        """What Azure shows as the state of the connection."""
        if self.last_seen is None:
            return "Connecting"
        silent = now - self.last_seen
        if silent >= expired_after:
            return "Expired"
        return "Offline" if silent >= offline_after else "Connected"


class AzureRecords(_Frozen):
    """Everything that a sandbox's Azure side knows."""

    tenants: tuple[Tenant, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    groups: tuple[ResourceGroup, ...] = ()
    principals: tuple[ServicePrincipal, ...] = ()
    assignments: tuple[RoleAssignment, ...] = ()
    clusters: tuple[ConnectedCluster, ...] = ()


def _digest(secret: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt.encode(), _ROUNDS).hex()
