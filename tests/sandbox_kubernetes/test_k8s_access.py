"""Who may do what: certificates, tokens, roles, reviews."""

from __future__ import annotations

import pytest

ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def as_viewer(caller):
    """Asks as a person who may view the default namespace."""
    binding = {
        "metadata": {"name": "viewers"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "vera"}],
    }
    caller.create("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", binding)
    return {"user": "vera", "groups": ()}


def test_masters_may_do_everything(caller):
    review = caller.create(ACCESS, {"spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}}})
    assert review["status"]["allowed"] is True


def test_a_stranger_is_refused_with_what_he_wanted(caller):
    status = caller.get(PODS, user="eve", groups=(), expect=403)
    assert status["reason"] == "Forbidden"
    assert (
        status["message"] == 'pods is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert status["details"] == {"kind": "pods"}
    status = caller.get("/apis/apps/v1/namespaces/default/deployments/web", user="eve", groups=(), expect=403)
    assert status["message"].startswith(
        'deployments.apps "web" is forbidden: User "eve" cannot get resource "deployments" in API group "apps"'
    )


def test_a_viewer_reads_here_and_neither_writes_nor_reads_elsewhere(caller, as_viewer):
    caller.get(PODS, **as_viewer)
    caller.call("DELETE", f"{PODS}/x", expect=403, **as_viewer)
    caller.get("/api/v1/namespaces/default/secrets", expect=403, **as_viewer)
    caller.get("/api/v1/namespaces/kube-system/pods", expect=403, **as_viewer)
    caller.get("/api/v1/nodes", expect=403, **as_viewer)


def test_everybody_authenticated_may_discover_and_ask_about_himself(caller):
    stranger = {"user": "eve", "groups": ("crew",)}
    caller.get("/version", **stranger)
    caller.get("/apis", **stranger)
    who = caller.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **stranger)
    assert who["status"]["userInfo"] == {"username": "eve", "groups": ["crew", "system:authenticated"]}
    review = caller.create(ACCESS, {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}, **stranger)
    assert review["status"] == {"allowed": False}
    assert caller.get("/metrics", expect=403, **stranger)["reason"] == "Forbidden"


def test_the_rules_of_a_viewer_are_listed(caller, as_viewer):
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    rules = caller.create(path, {"spec": {"namespace": "default"}}, **as_viewer)["status"]["resourceRules"]
    assert any("pods" in rule["resources"] and "list" in rule["verbs"] for rule in rules)


def test_an_admin_may_act_as_another(caller):
    status = caller.get(PODS, headers={"Impersonate-User": "eve"}, expect=403)
    assert 'User "eve"' in status["message"]
    status = caller.get(PODS, headers={"Impersonate-User": "admin"}, user="eve", groups=(), expect=403)
    assert "cannot impersonate" in status["message"]


def test_kubeadms_admin_is_bound_by_a_role(make_caller):
    caller = make_caller(distribution="K8s")
    admin = {"user": "kubernetes-admin", "groups": ("kubeadm:cluster-admins",)}
    caller.get("/api/v1/nodes", **admin)
    caller.call("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster-admins", **admin)
    caller.get("/api/v1/nodes", expect=403, **admin)


def test_a_token_stands_for_its_account_until_it_ends_or_the_account_goes(caller):
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    caller.create(accounts, {"metadata": {"name": "robot"}})
    request = caller.create(f"{accounts}/robot/token", {"spec": {"expirationSeconds": 600}})
    review = {"spec": {"token": request["status"]["token"]}}
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    status = caller.create(path, review)["status"]
    assert status["user"]["username"] == "system:serviceaccount:default:robot"
    caller.clock.tick(601)
    assert caller.create(path, review)["status"]["authenticated"] is False
    fresh = {"spec": {"token": caller.create(f"{accounts}/robot/token", {})["status"]["token"]}}
    caller.call("DELETE", f"{accounts}/robot")
    assert caller.create(path, fresh)["status"]["authenticated"] is False


def test_a_token_of_another_cluster_is_worth_nothing(caller, make_caller):
    token = make_caller().cluster.service_account_token()
    status = caller.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})["status"]
    assert status["authenticated"] is False


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.AAAA", "é.é.é"])
def test_what_is_no_token_is_worth_nothing(caller, token):
    status = caller.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})["status"]
    assert status["authenticated"] is False


def test_a_token_secret_is_filled_for_its_account(caller):
    secret = {
        "metadata": {"name": "robot-token", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    }
    caller.create("/api/v1/namespaces/default/secrets", secret)
    data = caller.get("/api/v1/namespaces/default/secrets/robot-token")["data"]
    assert set(data) == {"ca.crt", "namespace", "token"}


def test_the_products_token_may_do_everything(caller):
    token = caller.cluster.service_account_token()
    user = caller.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})["status"]["user"]
    spec = {"user": user["username"], "groups": user["groups"], "resourceAttributes": {"verb": "delete", "resource": "nodes"}}
    review = caller.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
    assert review["status"]["allowed"] is True
