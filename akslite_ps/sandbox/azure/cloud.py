"""The simulated Azure side: who may sign in, what he may do, and which clusters are connected.

One per sandbox, owned by ``sandbox.supervisor``; devices reach it through ``device.arc`` as far as they have internet. Set up by
``sandbox.control``. A tenant that nobody has set up is taken as it is told: the first secret of a client is its right one, and
it may do everything. Inside a tenant that was set up everything must fit.
"""

from __future__ import annotations

import datetime as dt
import secrets
import string
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.azure.records import (
    ONBOARDING_ROLE,
    ROLES,
    Action,
    AzureRecords,
    ConnectedCluster,
    ResourceGroup,
    RoleAssignment,
    SecretDigest,
    ServicePrincipal,
    Subscription,
    Tenant,
)
from akslite_ps.sandbox.device.store import damaged, write_private, write_whole

_ACTION_WORDS: dict[Action, str] = {
    "read": "Microsoft.Kubernetes/connectedClusters/read",
    "write": "Microsoft.Kubernetes/connectedClusters/write",
    "delete": "Microsoft.Kubernetes/connectedClusters/delete",
}


class AzureError(Exception):
    """Azure's refusal.

    Args:
        code: Azure's error code, e.g. ``AADSTS7000215`` or ``AuthorizationFailed``.
        message: Azure's text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class AzureAccess:
    """What somebody needs to connect clusters: everything of a config's Arc section but the cluster's name.

    Args:
        secret_file: Private file with the secret alone.
    """

    tenant_id: str
    subscription_id: str
    resource_group: str
    location: str
    client_id: str
    roles: tuple[str, ...]
    expires_at: dt.datetime | None
    secret_file: Path
    secret: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data, without the secret."""
        names = ("tenant_id", "subscription_id", "resource_group", "location", "client_id")
        data: dict[str, Any] = {name: getattr(self, name) for name in names}
        expires = self.expires_at.isoformat() if self.expires_at else None
        return {**data, "roles": list(self.roles), "expires_at": expires, "secret_file": str(self.secret_file)}


class SimulatedAzure:
    """The Azure side of one sandbox.

    Args:
        folder: Where it is kept, as ``azure.json``; written at the first change.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "azure.json"
        self._records: AzureRecords | None = None

    @property
    def records(self) -> AzureRecords:
        """Everything it knows."""
        if self._records is None:
            self._records = _read(self._file)
        return self._records

    # -- set-up -----------------------------------------------------------------------------------------------

    def grant_access(
        self,
        *,
        resource_group: str = "edge",
        location: str = "westeurope",
        roles: Sequence[str] = (ONBOARDING_ROLE,),
        expires_at: dt.datetime | None = None,
    ) -> AzureAccess:
        """Make a service principal with roles on a resource group; the first one also makes the tenant and the subscription.

        Args:
            resource_group: Made where it does not exist.
            location: Region of a group that is made.
            roles: Names of ``records.ROLES``; none: the principal can sign in and nothing else.
            expires_at: When its secret stops to work.

        Raises:
            UsageError: There is no such role.
        """
        unknown = next((role for role in roles if role not in ROLES), None)
        if unknown is not None:
            raise UsageError(f"there is no role {unknown!r}", next_action=f"use one of: {', '.join(ROLES)}")
        tenant = next((tenant for tenant in self.records.tenants if not tenant.learns), None) or self._add_tenant(learns=False)
        subscription = next((s for s in self.records.subscriptions if s.tenant == tenant.id), None)
        subscription = subscription or self._add_subscription(str(uuid.uuid4()), tenant.id)
        group = self._group(subscription.id, resource_group) or self._add_group(subscription.id, resource_group, location)
        secret = _random_secret()
        principal = self._add_principal(str(uuid.uuid4()), tenant.id, secret, expires_at=expires_at)
        granted = tuple(RoleAssignment(client_id=principal.client_id, role=role, scope=group.scope) for role in roles)
        self._change(assignments=(*self.records.assignments, *granted))
        secret_file = self._folder / f"azure-{principal.client_id}.secret"
        write_private(secret_file, secret)
        return AzureAccess(
            tenant.id,
            subscription.id,
            group.name,
            group.location,
            principal.client_id,
            tuple(roles),
            expires_at,
            secret_file,
            secret,
        )

    # -- what clients do ----------------------------------------------------------------------------------------

    def sign_in(self, tenant: str, client_id: str, secret: str, now: dt.datetime) -> ServicePrincipal:
        """Sign in as a service principal.

        Raises:
            AzureError: Wrong tenant, client or secret, with Microsoft Entra's code and text.
        """
        tenant, client_id = tenant.lower(), client_id.lower()
        known_tenant = next((known for known in self.records.tenants if known.id == tenant), None)
        if known_tenant is None:
            known_tenant = self._add_tenant(tenant, learns=True)
        principal = next((p for p in self.records.principals if (p.tenant, p.client_id) == (tenant, client_id)), None)
        if principal is None and known_tenant.learns:
            principal = self._add_principal(client_id, tenant, secret)
        if principal is None:
            raise AzureError(
                "AADSTS700016",
                f"AADSTS700016: Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can "
                "happen if the application has not been installed by the administrator of the tenant or consented to by any user "
                "in the tenant. You may have sent your authentication request to the wrong tenant.",
            )
        if not principal.secret.fits(secret):
            raise AzureError(
                "AADSTS7000215",
                "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client_id}'.",
            )
        if principal.expires_at is not None and now >= principal.expires_at:
            raise AzureError("AADSTS7000222", f"AADSTS7000222: The provided client secret keys for app '{client_id}' are expired.")
        return principal

    def find_group(self, principal: ServicePrincipal, subscription: str, group: str, location: str) -> ResourceGroup:
        """The resource group in which a cluster is to stand.

        Raises:
            AzureError: There is no such subscription in the principal's tenant, or no such group in it.
        """
        subscription = subscription.lower()
        learns = any(tenant.learns for tenant in self.records.tenants if tenant.id == principal.tenant)
        known = next((s for s in self.records.subscriptions if (s.id, s.tenant) == (subscription, principal.tenant)), None)
        if known is None:
            if not learns:
                raise AzureError("SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
            self._add_subscription(subscription, principal.tenant)
        found = self._group(subscription, group)
        if found is None and learns:
            found = self._add_group(subscription, group, location)
        if found is None:
            raise AzureError("ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        return found

    def may(self, principal: ServicePrincipal, action: Action, group: ResourceGroup) -> bool:
        """Whether the principal's roles let it do this to connected clusters of the group."""
        if any(tenant.learns for tenant in self.records.tenants if tenant.id == principal.tenant):
            return True
        scope = group.scope.casefold()
        return any(
            action in ROLES[assignment.role]
            for assignment in self.records.assignments
            if assignment.client_id == principal.client_id and f"{scope}/".startswith(f"{assignment.scope.casefold()}/")
        )

    def find_cluster(self, group: ResourceGroup, name: str) -> ConnectedCluster | None:
        """The connected cluster of this name; Azure ignores case."""
        return next(
            (
                cluster
                for cluster in self.records.clusters
                if cluster.subscription == group.subscription
                and cluster.group.casefold() == group.name.casefold()
                and cluster.name.casefold() == name.casefold()
            ),
            None,
        )

    def cluster_of(self, resource_id: str) -> ConnectedCluster | None:
        """The connected cluster of this resource id, None where there is none (any more)."""
        return next((c for c in self.records.clusters if c.id.casefold() == resource_id.casefold()), None)

    def put_cluster(self, cluster: ConnectedCluster) -> None:
        """Create a connected cluster, or write it anew."""
        others = tuple(known for known in self.records.clusters if known.id.casefold() != cluster.id.casefold())
        self._change(clusters=(*others, cluster))

    def delete_cluster(self, principal: ServicePrincipal, cluster: ConnectedCluster) -> None:
        """Delete a connected cluster for a client.

        Raises:
            AzureError: The principal's roles do not allow it.
        """
        group = self._group(cluster.subscription, cluster.group)
        if group is None or not self.may(principal, "delete", group):
            raise AzureError(
                "AuthorizationFailed",
                f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have authorization to perform "
                f"action '{_ACTION_WORDS['delete']}' over scope '{cluster.id}' or the scope is invalid. If access was recently "
                "granted, please refresh your credentials.",
            )
        self.forget_cluster(cluster.id)

    def forget_cluster(self, resource_id: str) -> None:
        """Delete a connected cluster as its subscription's owner would.

        Raises:
            UsageError: There is none of this id.
        """
        if self.cluster_of(resource_id) is None:
            known = ", ".join(cluster.id for cluster in self.records.clusters) or "none"
            raise UsageError(f"Azure has no connected cluster {resource_id!r}", next_action=f"there are: {known}")
        self._change(clusters=tuple(c for c in self.records.clusters if c.id.casefold() != resource_id.casefold()))

    # -- records ------------------------------------------------------------------------------------------------

    def _group(self, subscription: str, name: str) -> ResourceGroup | None:
        return next(
            (g for g in self.records.groups if g.subscription == subscription and g.name.casefold() == name.casefold()), None
        )

    def _add_tenant(self, tenant: str | None = None, *, learns: bool) -> Tenant:
        made = Tenant(id=tenant or str(uuid.uuid4()), learns=learns)
        self._change(tenants=(*self.records.tenants, made))
        return made

    def _add_subscription(self, subscription: str, tenant: str) -> Subscription:
        made = Subscription(id=subscription, tenant=tenant)
        self._change(subscriptions=(*self.records.subscriptions, made))
        return made

    def _add_group(self, subscription: str, name: str, location: str) -> ResourceGroup:
        made = ResourceGroup(subscription=subscription, name=name, location=location)
        self._change(groups=(*self.records.groups, made))
        return made

    def _add_principal(
        self, client_id: str, tenant: str, secret: str, *, expires_at: dt.datetime | None = None
    ) -> ServicePrincipal:
        made = ServicePrincipal(
            client_id=client_id,
            object_id=str(uuid.uuid4()),
            tenant=tenant,
            secret=SecretDigest.of(secret),
            expires_at=expires_at,
        )
        self._change(principals=(*self.records.principals, made))
        return made

    def _change(self, **changes: Any) -> None:
        self._records = self.records.model_copy(update=changes)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._file, self._records.model_dump_json(indent=1).encode())


def _read(file: Path) -> AzureRecords:
    if not file.is_file():
        return AzureRecords()
    try:
        return AzureRecords.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise damaged(file) from None


def _random_secret() -> str:
    """Forty characters of the kind that Microsoft Entra gives out."""
    alphabet = string.ascii_letters + string.digits + "~._-"
    return "".join(secrets.choice(alphabet) for _ in range(40))
