"""What a freshly deployed cluster runs by itself: system namespaces, services and workloads of K3s and K8s.

Called once by the cluster when it is created. The workloads become pods through the ordinary controllers.
"""

from __future__ import annotations

from typing import Any

from akslite_ps.sandbox.kubernetes import resources
from akslite_ps.sandbox.kubernetes.assumptions import CALICO_PODS, KUBE_VIP_PODS, MANAGED_SERVICE_ACCOUNT, SYSTEM_IMAGES
from akslite_ps.sandbox.kubernetes.bootstrap_roles import add_bootstrap_roles
from akslite_ps.sandbox.kubernetes.defaults import fill_defaults
from akslite_ps.sandbox.kubernetes.objects import Object
from akslite_ps.sandbox.kubernetes.resources import ResourceType
from akslite_ps.sandbox.kubernetes.state import ClusterState

SYSTEM = "kube-system"
_EVERYWHERE = [{"operator": "Exists"}]
_CONTROL_PLANE_TOLERATIONS = [
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
    {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"},
]
_LINUX = {"kubernetes.io/os": "linux"}
_CORE_FILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
}
"""


def system_images(distribution: str, version: str) -> list[str]:
    """Images that the node's disk already carries."""
    images = SYSTEM_IMAGES.value
    names = [images["coredns"], images["kube-vip"], images["kube-vip-cloud-provider"]]
    if distribution == "K8s":
        names += [images["calico-node"], images["calico-kube-controllers"], images["etcd"], kube_proxy_image(version)]
        names += [_component_image(name, version) for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")]
    return names


def kube_proxy_image(version: str) -> str:
    """The image of kube-proxy for a Kubernetes version, e.g. ``v1.31.5``."""
    return _component_image("kube-proxy", version)


def add_system_workloads(state: ClusterState) -> None:
    """Create namespaces, roles, services and system workloads in an empty cluster."""
    for name in ("default", "kube-node-lease", "kube-public", SYSTEM, "aksedge"):
        _add(state, resources.NAMESPACES, {"metadata": {"name": name}})
    add_bootstrap_roles(state)
    facts = state.facts
    _add(
        state,
        resources.CONFIG_MAPS,
        {"metadata": _meta("aksedge", namespace="aksedge"), "data": {"clustername": facts.cluster_name}},
    )
    _add(
        state,
        resources.SERVICES,
        {
            "metadata": _meta("kubernetes", {"component": "apiserver", "provider": "kubernetes"}, namespace="default"),
            "spec": {
                **_cluster_ip(str(facts.service_network[1])),
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
        },
    )
    _add_dns(state)
    _add_kube_vip(state)
    if facts.distribution == "K8s":
        _add_kubeadm_workloads(state)
    _add_managed_service_account(state)


def static_pods(node_name: str, version: str) -> list[Object]:
    """The control plane of a kubeadm cluster, as the kubelet mirrors it."""
    etcd = SYSTEM_IMAGES.value["etcd"]
    parts = [("etcd", etcd)] + [
        (name, _component_image(name, version)) for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    return [
        {
            "metadata": {
                "name": f"{name}-{node_name}",
                "namespace": SYSTEM,
                "labels": {"component": name, "tier": "control-plane"},
                "annotations": {"kubernetes.io/config.source": "file", "kubernetes.io/config.mirror": "simulated"},
            },
            "spec": {
                "nodeName": node_name,
                "hostNetwork": True,
                "priorityClassName": "system-node-critical",
                "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
                "containers": [
                    _container(
                        name,
                        image,
                        cpu={"etcd": "100m", "kube-apiserver": "250m", "kube-controller-manager": "200m"}.get(name, "100m"),
                    )
                ],
            },
        }
        for name, image in parts
    ]


def _add_dns(state: ClusterState) -> None:
    k3s = state.facts.distribution == "K3s"
    labels = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"} if k3s else {"k8s-app": "kube-dns"}
    _add(state, resources.CONFIG_MAPS, {"metadata": _meta("coredns"), "data": {"Corefile": _CORE_FILE}})
    _add(state, resources.SERVICE_ACCOUNTS, {"metadata": _meta("coredns")})
    container = _container("coredns", SYSTEM_IMAGES.value["coredns"], cpu="100m", memory="70Mi")
    container["ports"] = [
        {"containerPort": 53, "name": "dns", "protocol": "UDP"},
        {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
        {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
    ]
    container["readinessProbe"] = {"httpGet": {"path": "/ready", "port": 8181}}
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": _LINUX,
        "tolerations": _CONTROL_PLANE_TOLERATIONS,
        "containers": [container],
    }
    _deployment(state, "coredns", labels, pod, replicas=1 if k3s else 2, select={"k8s-app": "kube-dns"})
    _add(
        state,
        resources.SERVICES,
        {
            "metadata": _meta("kube-dns", {**labels, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}),
            "spec": {
                **_cluster_ip(state.facts.dns_address),
                "selector": {"k8s-app": "kube-dns"},
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                    {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
                ],
            },
        },
    )


def _add_kube_vip(state: ClusterState) -> None:
    provider_name, vip_name = KUBE_VIP_PODS.value
    for account in ("kube-vip", "kube-vip-cloud-controller"):
        _add(state, resources.SERVICE_ACCOUNTS, {"metadata": _meta(account)})
    vip = {
        "serviceAccountName": "kube-vip",
        "hostNetwork": True,
        "nodeSelector": _LINUX,
        "tolerations": _EVERYWHERE,
        "containers": [_container("kube-vip", SYSTEM_IMAGES.value["kube-vip"])],
    }
    _daemon_set(state, vip_name, {"app.kubernetes.io/name": vip_name}, vip)
    provider = {
        "serviceAccountName": "kube-vip-cloud-controller",
        "nodeSelector": _LINUX,
        "tolerations": _CONTROL_PLANE_TOLERATIONS,
        "containers": [_container("kube-vip-cloud-provider", SYSTEM_IMAGES.value["kube-vip-cloud-provider"])],
    }
    _daemon_set(state, provider_name, {"app": "kube-vip", "component": "kube-vip-cloud-provider"}, provider)


def _add_kubeadm_workloads(state: ClusterState) -> None:
    controllers_name, node_name = CALICO_PODS.value
    for account in (node_name, controllers_name, "kube-proxy"):
        _add(state, resources.SERVICE_ACCOUNTS, {"metadata": _meta(account)})
    images = SYSTEM_IMAGES.value
    proxy = {
        "serviceAccountName": "kube-proxy",
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "nodeSelector": _LINUX,
        "tolerations": _EVERYWHERE,
        "containers": [_container("kube-proxy", kube_proxy_image(state.facts.version))],
    }
    _daemon_set(state, "kube-proxy", {"k8s-app": "kube-proxy"}, proxy)
    calico = {
        "serviceAccountName": node_name,
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "nodeSelector": _LINUX,
        "tolerations": _EVERYWHERE,
        "containers": [_container(node_name, images["calico-node"], cpu="250m")],
    }
    _daemon_set(state, node_name, {"k8s-app": node_name}, calico)
    controllers = {
        "serviceAccountName": controllers_name,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": _LINUX,
        "tolerations": _CONTROL_PLANE_TOLERATIONS,
        "containers": [_container(controllers_name, images["calico-kube-controllers"])],
    }
    _deployment(state, controllers_name, {"k8s-app": controllers_name}, controllers)


def _add_managed_service_account(state: ClusterState) -> None:
    namespace, name = MANAGED_SERVICE_ACCOUNT.value
    _add(state, resources.SERVICE_ACCOUNTS, {"metadata": _meta(name, namespace=namespace)})
    _add(
        state,
        resources.CLUSTER_ROLE_BINDINGS,
        {
            "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )


def _deployment(
    state: ClusterState,
    name: str,
    labels: dict[str, str],
    pod: dict[str, Any],
    *,
    replicas: int = 1,
    select: dict[str, str] | None = None,
) -> None:
    selector = select or labels
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}},
        "template": {"metadata": {"labels": selector}, "spec": pod},
    }
    _add(state, resources.DEPLOYMENTS, {"metadata": _meta(name, labels), "spec": spec})


def _daemon_set(state: ClusterState, name: str, labels: dict[str, str], pod: dict[str, Any]) -> None:
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    _add(state, resources.DAEMON_SETS, {"metadata": _meta(name, labels), "spec": spec})


def _add(state: ClusterState, kind: ResourceType, obj: Object) -> None:
    obj["kind"] = kind.kind
    fill_defaults(obj)
    state.add(kind, obj)


def _meta(name: str, labels: dict[str, str] | None = None, *, namespace: str = SYSTEM) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, **({"labels": dict(labels)} if labels else {})}


def _cluster_ip(address: str) -> dict[str, Any]:
    return {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address]}


def _container(name: str, image: str, *, cpu: str | None = None, memory: str | None = None) -> dict[str, Any]:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": name, "image": image, "resources": {"requests": requests} if requests else {}}


def _component_image(component: str, version: str) -> str:
    return f"{SYSTEM_IMAGES.value['kubernetes']}{component}:{version.partition('+')[0]}"
