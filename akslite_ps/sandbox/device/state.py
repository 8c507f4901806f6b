"""What a simulated device is and what has become of it, as frozen data with a JSON form.

``DeviceSpec`` is chosen when the device is made; ``DeviceState`` changes while it runs. ``device.store`` keeps both on disk. Used
by ``device.simulated`` and ``sandbox.supervisor``; knows nothing of behaviour.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from akslite_ps.aksedge.host_requirements import CLIENT_ONLY_FEATURES, HOST_FEATURES
from akslite_ps.sandbox.engine import ChannelBinding, LogonScheme

FeatureState = Literal["Enabled", "Disabled", "EnablePending"]
Distribution = Literal["K3s", "K8s"]
DeploymentType = Literal["SingleMachineCluster", "ScalableCluster"]
NodeKind = Literal["Linux", "Windows"]
Power = Literal["on", "restarting", "off"]
EngineName = Literal["embedded", "pwsh"]
EndpointHost = Literal["64-bit", "32-bit", "PowerShell 7"]
Moment = Annotated[dt.datetime, AfterValidator(lambda moment: moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC))]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hardware(_Frozen):
    """The Windows host as bought: what a preflight reads. Memory in MB, disk in GB.

    Args:
        base_memory_mb: Memory that Windows itself uses; the rest of ``total_memory_mb`` is free until a node runs.
        nested_virtualization_missing: The host is itself a virtual machine without virtualization extensions.
        openssh_outdated: The OpenSSH client is older than the product wants.
        internet: The host reaches the internet.
        network_service_disabled: Windows' Host Network Service (HNS), on which the VM agent depends, is switched off.
        other_networks: Networks that an adapter or a VPN reaches besides the one of ``ip4_addresses``.
        network_adapters: Physical adapters by name; one whose name begins with Wi-Fi is wireless.
        endpoint_host: What runs behind the default WinRM endpoint.
    """

    os_caption: str = "Microsoft Windows 10 IoT Enterprise LTSC"
    os_edition: str = "IoTEnterpriseS"
    os_build: int = 19045
    os_installation_type: Literal["Client", "Server"] = "Client"
    ui_language: str = "en-US"
    architecture: str = "AMD64"
    logical_processors: int = 8
    total_memory_mb: int = 16384
    base_memory_mb: int = 4096
    free_disk_gb: float = 180.0
    virtualization_firmware_enabled: bool = True
    nested_virtualization_missing: bool = False
    default_gateway: str | None = "10.20.0.1"
    ip4_addresses: tuple[str, ...] = ("10.20.0.21",)
    activated: bool | None = True
    openssh_client: Literal["Installed", "NotPresent"] = "Installed"
    openssh_outdated: bool = False
    internet: bool = True
    network_service_disabled: bool = False
    other_networks: tuple[str, ...] = ()
    network_adapters: tuple[str, ...] = ("Ethernet", "Ethernet 2", "Wi-Fi")
    endpoint_host: EndpointHost = "64-bit"

    @property
    def os_version(self) -> str:
        """e.g. ``10.0.19045``."""
        return f"10.0.{self.os_build}"


class WinRMService(_Frozen):
    """How the WinRM service and the accounts' policy are set up.

    Args:
        basic, negotiate, kerberos, certificate, credssp: The schemes by which clients may log on. Windows itself starts with
            Negotiate and Kerberos alone; Basic works over HTTPS only, Kerberos where the device's folder has a keytab.
        channel_binding: CbtHardeningLevel; Relaxed is Windows' default.
        lockout_threshold: Failed log-ons that lock a local account; 0: never.
        lockout_minutes: How long it stays locked, and after how long a failure is forgotten, in device time.
    """

    basic: bool = True
    negotiate: bool = True
    kerberos: bool = True
    certificate: bool = True
    credssp: bool = True
    channel_binding: ChannelBinding = "Relaxed"
    lockout_threshold: Annotated[int, Field(ge=0, le=999)] = 10
    lockout_minutes: Annotated[float, Field(gt=0)] = 10.0

    @property
    def schemes(self) -> frozenset[LogonScheme]:
        """The schemes that are allowed."""
        allowed: dict[LogonScheme, bool] = {
            "Basic": self.basic,
            "Negotiate": self.negotiate,
            "Kerberos": self.kerberos,
            "Certificate": self.certificate,
            "CredSSP": self.credssp,
        }
        return frozenset(scheme for scheme, is_allowed in allowed.items() if is_allowed)


class DeviceSpec(_Frozen):
    """A device: its names, where it listens, and the host it is.

    Args:
        name: The device's id, e.g. ``press-01``.
        computer_name: Windows' name of it, upper case.
        address: Where it listens: a loopback address, 127.x.y.z, unless ``exposed_on`` says the same other one.
        exposed_on: The address outside 127.0.0.0/8 that somebody confirmed for it (``sandbox.exposure``).
        http_port, https_port: WinRM; 0 lets the system choose at the first start.
        kubernetes_port: Kubernetes API of a deployed device; 0 likewise.
        user: The one local administrator.
        operator_user, viewer_user: Local users who may only open the restricted endpoint of that role.
        engine: What runs pipelines: ``embedded``, or ``pwsh`` for the PowerShell of this machine.
    """

    name: str
    computer_name: str
    address: str
    exposed_on: str | None = None
    http_port: int = 5985
    https_port: int = 5986
    kubernetes_port: int = 6443
    user: str = "aksadmin"
    operator_user: str = "aksoperator"
    viewer_user: str = "aksviewer"
    engine: EngineName = "embedded"
    winrm: WinRMService = WinRMService()
    hardware: Hardware = Hardware()


class InstalledProduct(_Frozen):
    """AKS Edge Essentials as the uninstall key shows it."""

    distribution: Distribution
    version: str
    kubernetes_version: str
    install_dir: str
    vhdx_dir: str
    features: tuple[str, ...]
    installed_at: Moment

    @property
    def display_name(self) -> str:
        return f"AKS Edge Essentials - {self.distribution}"


class StagedUpdate(_Frozen):
    """An update whose files lie on the device.

    Args:
        version: Product version it brings.
        kubernetes_version: Kubernetes version it brings to this device's nodes.
        staged_at: When the files arrived.
    """

    version: str
    kubernetes_version: str
    staged_at: Moment


class ProductUpdate(_Frozen):
    """An update that Start-AksEdgeUpdate has begun and that is not over.

    Args:
        version: Product version it leads to.
        kubernetes_version: Kubernetes version it leads to.
        due: What comes next: ``product`` while the first phase was not completed, then the node phases.
        began_at: When the first phase began.
    """

    version: str
    kubernetes_version: str
    due: Literal["product", "control-plane", "workers"]
    began_at: Moment


class PortProxy(_Frozen):
    """A port of the host that leads elsewhere, as ``netsh interface portproxy`` keeps it."""

    listen_address: str
    listen_port: int
    connect_address: str
    connect_port: int


class FirewallRule(_Frozen):
    """An inbound rule of Windows' firewall that somebody has added."""

    name: str
    group: str
    port: int
    remote_addresses: tuple[str, ...] = ()


class ArcConnection(_Frozen):
    """The Azure Arc connection of a cluster, as the cluster knows it.

    Args:
        resource_id: The connected-cluster resource in Azure.
        connected_at: When the agents were installed.
    """

    resource_id: str
    connected_at: Moment


class Node(_Frozen):
    """A node VM of this machine.

    Args:
        kind: What it runs.
        name: Its host name; Kubernetes shows it in lower case.
        address: Its address on the cluster's switch.
        mac: Of its primary interface, as Windows writes it.
        cpu_count: Virtual processors.
        memory_mb: Memory in MB.
        data_size_gb: The Linux node's data disk, or the Windows node's one disk, in GB.
        log_size_gb: The Linux node's log disk in GB, 0 for a Windows node.
        control_plane: It carries the control plane of its cluster.
        running: What wssdagent was last asked for; survives a restart of the host.
        booted_at: When it last booted.
        reachable_by_ssh: Cmdlets can run commands in it and copy files (Set-AksEdgeNodeConnectivityMode).
    """

    kind: NodeKind
    name: str
    address: str
    mac: str
    cpu_count: int
    memory_mb: int
    data_size_gb: int
    log_size_gb: int = 0
    control_plane: bool = False
    running: bool = True
    booted_at: Moment | None = None
    reachable_by_ssh: bool = True


class Deployment(_Frozen):
    """A deployment, or what an interrupted one left behind.

    Args:
        phase: ``creating`` while New-AksEdgeDeployment works, ``complete`` when it answered OK, ``broken`` where it
            was interrupted after a node VM had been made.
        config: The config as sent, secrets removed.
        deployment_type: A cluster of this machine alone, or one that other machines can join.
        network: Subnet of the nodes.
        switch: The virtual switch that the nodes are on.
        adapter: The physical adapter of an external switch.
        control_plane_address: ControlPlaneEndpointIp, None for a single machine.
        nodes: The node VMs of this machine, Linux first.
        cluster_id: The cluster that the nodes belong to; see ``device.cluster_record``.
        cluster_name: The cluster's name, in Azure too.
        joined: The cluster was there before this machine.
        service_addresses: Addresses for LoadBalancer services; empty on a machine that joined.
        encrypts_secrets: The KMS plugin was chosen.
        arc: The Azure Arc connection of the cluster, None where there is none.
    """

    phase: Literal["creating", "complete", "broken"]
    config: dict[str, Any]
    deployment_type: DeploymentType = "SingleMachineCluster"
    network: str
    switch: str = "aksedgesw-int"
    adapter: str | None = None
    control_plane_address: str | None = None
    nodes: tuple[Node, ...]
    cluster_id: str
    cluster_name: str
    joined: bool = False
    service_addresses: tuple[str, ...] = ()
    encrypts_secrets: bool = False
    arc: ArcConnection | None = None
    started_at: Moment

    def find_node(self, kind: str) -> Node | None:
        """The node of this kind (``Linux``, ``Windows``), None where this machine has none."""
        return next((node for node in self.nodes if node.kind == kind), None)

    def with_node(self, node: Node) -> Deployment:
        """The deployment with this node in place of the one of its kind, or added."""
        others = [other for other in self.nodes if other.kind != node.kind]
        return self.model_copy(update={"nodes": tuple(sorted([*others, node], key=lambda each: each.kind))})

    def without_node(self, kind: str) -> Deployment:
        """The deployment without its node of this kind."""
        return self.model_copy(update={"nodes": tuple(node for node in self.nodes if node.kind != kind)})


class Fault(_Frozen):
    """A named fault switched on for a device.

    Args:
        name: The kind's name.
        parameters: The kind's parameters.
        at: The moment at which it strikes; None: at each moment that the kind knows.
        after: How many of its moments pass first.
        remaining: How often it still strikes; None: until it is cleared.
        probability: Chance to strike at each of its moments.
        seed: Decides, with the number of the moment, whether it strikes where that is left to chance.
        chances: How many of its moments have come.
        lasts_s: How long it is on from its beginning, in device seconds; None: until it is cleared.
        until: When it is over by itself, by the true time.
    """

    name: str
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    at: str | None = None
    after: int = 0
    remaining: int | None = None
    probability: float = 1.0
    seed: int = 0
    chances: int = 0
    lasts_s: float | None = None
    until: Moment | None = None

    def strikes_now(self) -> bool:
        """Whether it strikes at the moment that follows ``chances`` others; the same at every asking."""
        if self.chances < self.after:
            return False
        # Not for secrets: the same seed must give the same faults.
        return self.probability >= 1 or random.Random(f"{self.seed}:{self.chances}").random() < self.probability  # noqa: S311


class FailedLogons(_Frozen):
    """Wrong credentials for a local account, since the last right ones; by the true time."""

    count: int
    last: Moment
    locked: bool = False


class DeviceState(_Frozen):
    """Everything about a device that survives a restart of the sandbox."""

    boot_time: Moment
    power: Power = "on"
    features: dict[str, FeatureState]
    openssh_client: Literal["Installed", "NotPresent"] = "Installed"
    pending_reboot: tuple[str, ...] = ()
    product: InstalledProduct | None = None
    deployment: Deployment | None = None
    accepts_upgrade: bool = False
    staged_update: StagedUpdate | None = None
    product_update: ProductUpdate | None = None
    faults: tuple[Fault, ...] = ()
    failed_logons: dict[str, FailedLogons] = Field(default_factory=dict)
    left_switches: tuple[str, ...] = ()
    port_proxies: tuple[PortProxy, ...] = ()
    firewall_rules: tuple[FirewallRule, ...] = ()

    @property
    def features_enabled(self) -> bool:
        """True where every host feature the product needs is on and started."""
        return all(state == "Enabled" for state in self.features.values())

    @property
    def summary(self) -> str:
        """Where the device is on its way, in one word, as ``akslite sandbox status`` shows it."""
        if self.power != "on":
            return "rebooting" if self.power == "restarting" else "off"
        if self.deployment is not None:
            return {"creating": "deploying", "complete": "deployed", "broken": "half-deployed"}[self.deployment.phase]
        if self.product is not None:
            return "installed"
        if self.pending_reboot:
            return "features-pending-reboot"
        return "prepared" if self.features_enabled else "bare"


def bare_windows(hardware: Hardware, now: dt.datetime) -> DeviceState:
    """The state of a host on which Windows has just been installed and started."""
    server = hardware.os_installation_type == "Server"
    features = [name for name in HOST_FEATURES if not (server and name in CLIENT_ONLY_FEATURES)]
    return DeviceState(boot_time=now, features=dict.fromkeys(features, "Disabled"), openssh_client=hardware.openssh_client)
