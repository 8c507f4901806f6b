"""The simulated Azure side: who may sign in and do what, and that no secret is kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.azure.cloud import AzureError, SimulatedAzure
from akslite_ps.sandbox.azure.records import ConnectedCluster

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
TENANT = "22222222-2222-2222-2222-222222222222"
CLIENT = "33333333-3333-3333-3333-333333333333"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"


def _code(refused: pytest.ExceptionInfo[AzureError]) -> str:
    return refused.value.code


def test_a_principal_that_was_set_up_signs_in_with_its_secret_only(tmp_path: Path) -> None:
    azure = SimulatedAzure(tmp_path)
    access = azure.grant_access(expires_at=NOW + dt.timedelta(days=1))

    assert azure.sign_in(access.tenant_id.upper(), access.client_id, access.secret, NOW).client_id == access.client_id
    with pytest.raises(AzureError) as wrong:
        azure.sign_in(access.tenant_id, access.client_id, "not it", NOW)
    with pytest.raises(AzureError) as unknown:
        azure.sign_in(access.tenant_id, CLIENT, "anything", NOW)
    with pytest.raises(AzureError) as expired:
        azure.sign_in(access.tenant_id, access.client_id, access.secret, NOW + dt.timedelta(days=2))
    assert [_code(wrong), _code(unknown), _code(expired)] == ["AADSTS7000215", "AADSTS700016", "AADSTS7000222"]


def test_the_secret_stands_in_its_own_file_and_nowhere_else(tmp_path: Path) -> None:
    access = SimulatedAzure(tmp_path).grant_access()

    assert access.secret_file.read_text(encoding="utf-8") == access.secret
    others = [file for file in tmp_path.rglob("*") if file.is_file() and file != access.secret_file]
    assert others
    for file in others:
        assert access.secret.encode() not in file.read_bytes()
    assert access.secret not in repr(access)
    assert access.secret not in str(access.to_dict())


def test_a_tenant_nobody_set_up_takes_what_it_is_told_first(tmp_path: Path) -> None:
    azure = SimulatedAzure(tmp_path)
    principal = azure.sign_in(TENANT, CLIENT, "the first", NOW)
    group = azure.find_group(principal, SUBSCRIPTION, "edge", "westeurope")

    assert azure.may(principal, "delete", group)
    with pytest.raises(AzureError) as wrong:
        azure.sign_in(TENANT, CLIENT, "another", NOW)
    assert _code(wrong) == "AADSTS7000215"


def test_a_group_must_be_there_in_a_tenant_that_was_set_up(tmp_path: Path) -> None:
    azure = SimulatedAzure(tmp_path)
    access = azure.grant_access(resource_group="Edge", location="northeurope")
    principal = azure.sign_in(access.tenant_id, access.client_id, access.secret, NOW)

    assert azure.find_group(principal, access.subscription_id, "EDGE", "westeurope").location == "northeurope"
    with pytest.raises(AzureError) as no_group:
        azure.find_group(principal, access.subscription_id, "other", "westeurope")
    with pytest.raises(AzureError) as no_subscription:
        azure.find_group(principal, SUBSCRIPTION, "edge", "westeurope")
    assert [_code(no_group), _code(no_subscription)] == ["ResourceGroupNotFound", "SubscriptionNotFound"]


@pytest.mark.parametrize(
    ("roles", "may"),
    [
        ((), set()),
        (("Reader",), {"read"}),
        (("Kubernetes Cluster - Azure Arc Onboarding",), {"read", "write"}),
        (("Contributor",), {"read", "write", "delete"}),
    ],
)
def test_roles_decide(tmp_path: Path, roles: tuple[str, ...], may: set[str]) -> None:
    azure = SimulatedAzure(tmp_path)
    access = azure.grant_access(roles=roles)
    principal = azure.sign_in(access.tenant_id, access.client_id, access.secret, NOW)
    group = azure.find_group(principal, access.subscription_id, access.resource_group, access.location)

    assert {action for action in ("read", "write", "delete") if azure.may(principal, action, group)} == may
    other = azure.grant_access(resource_group="other", roles=())
    elsewhere = azure.find_group(principal, other.subscription_id, "other", "")
    assert not azure.may(principal, "read", elsewhere)


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no role 'King'"):
        SimulatedAzure(tmp_path).grant_access(roles=("King",))


def test_everything_is_kept(tmp_path: Path) -> None:
    azure = SimulatedAzure(tmp_path)
    access = azure.grant_access()
    cluster = ConnectedCluster(
        subscription=access.subscription_id,
        group=access.resource_group,
        name="press",
        location=access.location,
        cluster="uid",
        distribution="k3s",
        kubernetes_version="v1.33.5+k3s1",
        tags={},
        created_at=NOW,
    )
    azure.put_cluster(cluster)

    again = SimulatedAzure(tmp_path)
    assert again.cluster_of(cluster.id.upper()) == cluster
    assert again.sign_in(access.tenant_id, access.client_id, access.secret, NOW)
    again.forget_cluster(cluster.id)
    assert SimulatedAzure(tmp_path).records.clusters == ()
    with pytest.raises(UsageError, match="no connected cluster"):
        again.forget_cluster(cluster.id)


@pytest.mark.parametrize(
    ("silent_for", "shown"),
    [(None, "Connecting"), (0, "Connected"), (899, "Connected"), (900, "Offline"), (8000, "Expired")],
)
def test_connectivity_follows_from_when_the_agents_were_heard(silent_for: int | None, shown: str) -> None:
    cluster = ConnectedCluster(
        subscription=SUBSCRIPTION,
        group="edge",
        name="press",
        location="westeurope",
        cluster="uid",
        distribution="k3s",
        kubernetes_version="v1.33.5+k3s1",
        tags={},
        created_at=NOW,
        last_seen=None if silent_for is None else NOW - dt.timedelta(seconds=silent_for),
    )

    limits = {"offline_after": dt.timedelta(seconds=900), "expired_after": dt.timedelta(seconds=8000)}
    assert cluster.connectivity(NOW, **limits) == shown
