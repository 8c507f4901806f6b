"""Whatever a client sends, the answer is a Status: mutated objects and patches never break the cluster."""

from __future__ import annotations

import copy
import random

import pytest

from akslite_ps.sandbox.kubernetes.answers import Answer

JUNK = (None, 0, -1, 10**12, "", "x", "50%", "abc%", True, [], {}, ["x"], {"a": "b"}, "2020-01-01T00:00:00Z", 1.5, [None], [{}])
LABELS = {"app": "w"}
POD = {
    "volumes": [{"name": "v", "configMap": {"name": "x"}}],
    "tolerations": [{"operator": "Exists"}],
    "containers": [
        {
            "name": "c",
            "image": "i:1",
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}}],
            "resources": {"requests": {"cpu": "1m"}},
            "readinessProbe": {"httpGet": {"port": 80}},
            "ports": [{"containerPort": 80}],
            "volumeMounts": [{"name": "v", "mountPath": "/"}],
        }
    ],
}
WORKLOAD = {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": POD}}
SAMPLES = (
    (
        "/apis/apps/v1/namespaces/default/deployments",
        {"metadata": {"name": "w", "labels": LABELS}, "spec": {"replicas": 2, **WORKLOAD}},
    ),
    ("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "w"}, "spec": WORKLOAD}),
    ("/api/v1/namespaces/default/pods", {"metadata": {"name": "w", "labels": LABELS}, "spec": POD}),
    (
        "/api/v1/namespaces/default/services",
        {"metadata": {"name": "w"}, "spec": {"ports": [{"port": 80, "targetPort": "http"}], "selector": LABELS}},
    ),
    ("/api/v1/nodes", {"metadata": {"name": "w"}, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}),
    (
        "/api/v1/namespaces/default/persistentvolumeclaims",
        {"metadata": {"name": "w"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    ),
    (
        "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
        {"metadata": {"name": "w"}, "spec": {"minAvailable": "50%", "selector": {}}},
    ),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
        {"metadata": {"name": "w"}, "roleRef": {"kind": "Role", "name": "x"}, "subjects": [{"kind": "User", "name": "u"}]},
    ),
)
RUN_ONCE = {"template": {"spec": {**POD, "restartPolicy": "Never"}}, "completions": 2, "parallelism": 2}
CLAIM = {"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}}}
MORE_SAMPLES = (
    (
        "/api/v1/namespaces/default/replicationcontrollers",
        {"metadata": {"name": "w"}, "spec": {"replicas": 2, "selector": LABELS, "template": WORKLOAD["template"]}},
    ),
    (
        "/apis/apps/v1/namespaces/default/statefulsets",
        {"metadata": {"name": "w"}, "spec": {"replicas": 2, **WORKLOAD, "volumeClaimTemplates": [CLAIM]}},
    ),
    ("/apis/batch/v1/namespaces/default/jobs", {"metadata": {"name": "w"}, "spec": RUN_ONCE}),
    (
        "/apis/batch/v1/namespaces/default/cronjobs",
        {"metadata": {"name": "w"}, "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": RUN_ONCE}}},
    ),
    (
        "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
        {"metadata": {"name": "w"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "w"}, "maxReplicas": 3}},
    ),
    (
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        {
            "metadata": {"name": "w"},
            "spec": {"rules": [{"host": "a.b", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {}}]}}]},
        },
    ),
    (
        "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
        {"metadata": {"name": "w"}, "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}},
    ),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        {
            "metadata": {"name": "w.a.b"},
            "spec": {
                "group": "a.b",
                "scope": "Namespaced",
                "names": {"plural": "w", "kind": "W"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
            },
        },
    ),
    ("/apis/a.b/v1/namespaces/default/w", {"metadata": {"name": "w"}, "spec": {"size": 2}}),
)
PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml")
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def mutated(chance, sample):
    obj = copy.deepcopy(sample)
    for _ in range(chance.randrange(4)):
        node = obj
        while isinstance(node, dict | list) and node:
            key = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
            if not isinstance(node[key], dict | list) or not node[key] or chance.random() < 0.3:
                if chance.random() < 0.3:
                    del node[key]
                else:
                    node[key] = copy.deepcopy(chance.choice(JUNK))
                break
            node = node[key]
    return obj


@pytest.mark.parametrize("samples", [SAMPLES, MORE_SAMPLES], ids=["basic", "more"])
@pytest.mark.parametrize("seed", range(6))
def test_mutated_requests_are_answered_and_leave_the_cluster_working(caller, samples, seed):
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
    codes = set()
    for _ in range(60):
        path, sample = chance.choice(samples)
        body = mutated(chance, sample)
        method = chance.choice(("POST", "PUT", "PATCH", "PATCH", "DELETE"))
        options = {"content_type": chance.choice(PATCHES)} if method == "PATCH" else {}
        at = path if method == "POST" else f"{path}/{sample['metadata']['name']}{chance.choice(('', '', '/status'))}"
        answer = caller.ask(method, at, None if method == "DELETE" else body, fieldManager="ops", **options)
        assert isinstance(answer, Answer)
        codes.add(answer.code)
        caller.clock.tick(chance.choice((0, 1, 30)))
    assert 500 not in codes
    for path, _ in SAMPLES + MORE_SAMPLES[:-1]:
        caller.get(path, headers=TABLE)
    assert caller.cluster.is_ready()
