"""The rules between fields, and against schema, distribution and release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.errors import ConfigError, UsageError

OFFLINE = {"Network.InternetDisabled": True}


def issues(config: DeploymentConfig, **installed: str) -> dict[str, str]:
    """Path and allowed text of everything that check finds."""
    return {issue.path: issue.allowed for issue in config.check(**installed)}


@pytest.fixture
def sample(sample_file: Path) -> DeploymentConfig:
    return DeploymentConfig.load(sample_file)


@pytest.fixture
def cluster(scalable: dict[str, Any]) -> DeploymentConfig:
    return DeploymentConfig.parse(scalable)


# -- Azure Arc ------------------------------------------------------------------------------------------------


def test_the_sample_lacks_only_azure_arc_and_the_three_ways_out_are_named(sample: DeploymentConfig) -> None:
    found = sample.check(distribution="K3s", release="1.12.269.0")
    assert [issue.path for issue in found] == ["Arc"]
    for way_out in ("complete Arc section", "Network.InternetDisabled = true", "User.VolumeLicense"):
        assert way_out in found[0].allowed


@pytest.mark.parametrize(
    "way_out",
    [
        OFFLINE,
        {"User.VolumeLicense.EnrollmentId": "E", "User.VolumeLicense.PartNumber": "P"},
        {
            "Arc.ClusterName": "c",
            "Arc.Location": "westeurope",
            "Arc.ResourceGroupName": "rg",
            "Arc.SubscriptionId": "11111111-1111-1111-1111-111111111111",
            "Arc.TenantId": "22222222-2222-2222-2222-222222222222",
            "Arc.ClientId": "33333333-3333-3333-3333-333333333333",
            "Arc.ClientSecret": "env:SECRET",
        },
    ],
    ids=["offline", "licence", "arc"],
)
def test_each_way_out_makes_the_sample_clean(sample: DeploymentConfig, way_out: dict[str, Any]) -> None:
    assert sample.with_values(way_out).check(distribution="K3s", release="1.12.269.0") == []


def test_half_an_arc_section_names_what_is_missing(sample: DeploymentConfig) -> None:
    half = sample.with_values({"Arc.ClusterName": "c", "Arc.Location": "westeurope"})
    assert "without ResourceGroupName, SubscriptionId, TenantId, ClientId, ClientSecret" in repr(half.check()[0].value)


def test_half_a_licence_is_no_way_out(sample: DeploymentConfig) -> None:
    assert "Arc" in issues(sample.with_values({"User.VolumeLicense.EnrollmentId": "E"}))


@pytest.mark.parametrize(
    ("schema", "release", "enforced"),
    [
        ("1.15", None, False),
        ("1.15", "1.10.868.0", False),
        ("1.15", "1.11.230.0", True),
        ("1.16", None, True),
        ("1.9", None, False),
    ],
)
def test_azure_arc_is_enforced_from_schema_1_16_or_release_1_11(
    sample: DeploymentConfig, schema: str, release: str | None, enforced: bool
) -> None:
    config = sample.with_values({"SchemaVersion": schema, "Init.KmsPlugin": None})
    assert ("Arc" in {issue.path for issue in config.check(release=release)}) is enforced


# -- distribution and schema ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "plugin", "allowed"),
    [
        ("K3s", "calico", "flannel"),
        ("K8s", "flannel", "calico"),
        ("K8s", None, "calico"),
        ("K3s", None, None),
        ("K8s", "calico", None),
    ],
)
def test_the_network_plugin_must_fit_the_distribution(
    sample: DeploymentConfig, distribution: str, plugin: str | None, allowed: str | None
) -> None:
    config = sample.with_values({**OFFLINE, "Network.NetworkPlugin": plugin})
    assert issues(config, distribution=distribution).get("Network.NetworkPlugin") == allowed


def test_calico_on_k3s_is_left_alone_where_it_was_a_preview(sample: DeploymentConfig) -> None:
    config = sample.with_values({**OFFLINE, "Network.NetworkPlugin": "calico", "SchemaVersion": "1.14", "Init.KmsPlugin": None})
    assert issues(config, distribution="K3s", release="1.9.262.0") == {}
    assert "Network.NetworkPlugin" in issues(config, distribution="K3s", release="1.10.868.0")


def test_without_a_distribution_its_rules_do_not_run(sample: DeploymentConfig) -> None:
    assert issues(sample.with_values({**OFFLINE, "Network.NetworkPlugin": "calico"})) == {}


def test_fields_of_the_other_distribution_are_refused(cluster: DeploymentConfig) -> None:
    config = cluster.with_values({"Network.NetworkPlugin": "calico", "AioDeploy": True})
    assert {"Arc.EnableWorkloadIdentity", "AioDeploy"} <= issues(config, distribution="K8s").keys()
    off = config.with_values({"Arc.EnableWorkloadIdentity": False, "AioDeploy": None})
    assert issues(off, distribution="K8s") == {}


def test_an_unknown_distribution_or_release_is_a_usage_error(sample: DeploymentConfig) -> None:
    with pytest.raises(UsageError):
        sample.check(distribution="K9s")
    with pytest.raises(UsageError):
        sample.check(release="newest")
    assert "Network.NetworkPlugin" in issues(sample, distribution="k8S")


def test_a_field_newer_than_the_schema_is_a_fault(sample: DeploymentConfig) -> None:
    old = sample.with_values({"SchemaVersion": "1.9", "Machines[0].LinuxNode.TpmPassthrough": True})
    assert list(issues(old)) == ["Init.KmsPlugin.Enable"]
    older = old.with_values({"SchemaVersion": "1.5"})
    assert set(issues(older)) == {"Init.KmsPlugin.Enable", "Machines[0].LinuxNode.TpmPassthrough"}


@pytest.mark.parametrize("schema", ["1.4", "1.17", "2.0"])
def test_a_schema_no_release_is_known_to_take_is_a_fault(sample: DeploymentConfig, schema: str) -> None:
    assert "SchemaVersion" in issues(sample.with_values({"SchemaVersion": schema}))


def test_a_schema_newer_than_the_installed_release_is_a_fault(sample: DeploymentConfig) -> None:
    config = sample.with_values(OFFLINE)
    assert issues(config, release="1.11.230.0") == {"SchemaVersion": 'up to "1.15"'}
    assert issues(config, release="1.99.0.0") == {}


# -- machines -------------------------------------------------------------------------------------------------


def test_a_cluster_starts_with_a_linux_node(sample: DeploymentConfig) -> None:
    windows_only = sample.with_values({**OFFLINE, "Machines": [{"WindowsNode": {}}]})
    assert list(issues(windows_only)) == ["Machines[0].LinuxNode"]
    nothing = sample.with_values({**OFFLINE, "Machines": [{}]})
    assert list(issues(nothing)) == ["Machines[0]"]


def test_a_config_is_about_one_machine(sample: DeploymentConfig) -> None:
    assert "Machines" in issues(sample.with_values({**OFFLINE, "Machines": [{"LinuxNode": {}}, {"LinuxNode": {}}]}))


def test_all_nodes_of_a_host_share_16_processors(sample: DeploymentConfig) -> None:
    crowded = sample.with_values({**OFFLINE, "Machines[0].LinuxNode.CpuCount": 12, "Machines[0].WindowsNode": {"CpuCount": 6}})
    assert issues(crowded) == {"Machines[0]": "at most 16 vCPUs for all nodes of a host"}


def test_gateway_and_prefix_of_a_second_adapter_need_an_address(sample: DeploymentConfig) -> None:
    network = {"VMSwitchName": "plc", "Ip4GatewayAddress": "10.0.0.1", "Ip4PrefixLength": 24}
    path = "Machines[0].LinuxNode.SecondaryNetworks"
    found = issues(sample.with_values({**OFFLINE, path: [network]}))
    assert set(found) == {f"{path}[0].Ip4GatewayAddress", f"{path}[0].Ip4PrefixLength"}


def test_a_gpu_needs_the_answer_nobody_can_give_remotely(sample: DeploymentConfig) -> None:
    gpu = sample.with_values({**OFFLINE, "Machines[0].LinuxNode.GpuPassthrough": {"Name": "T4", "Count": 1}})
    assert issues(gpu) == {"User.AcceptGpuWarning": "true"}
    assert issues(gpu.with_values({"User.AcceptGpuWarning": True})) == {}


# -- addresses ------------------------------------------------------------------------------------------------


def test_a_complete_scalable_cluster_has_no_faults(cluster: DeploymentConfig) -> None:
    assert issues(cluster, distribution="K3s", release="1.12.269.0") == {}


@pytest.mark.parametrize(
    "path",
    [
        "Network.ControlPlaneEndpointIp",
        "Network.Ip4GatewayAddress",
        "Network.Ip4PrefixLength",
        "Network.DnsServers",
        "Init.ServiceIPRangeStart",
        "Machines[0].NetworkConnection.AdapterName",
        "Machines[0].LinuxNode.Ip4Address",
        "Machines[0].WindowsNode.Ip4Address",
    ],
)
def test_a_scalable_cluster_needs_each_of_its_addresses(cluster: DeploymentConfig, path: str) -> None:
    assert list(issues(cluster.with_values({path: None}))) == [path]


def test_without_service_addresses_no_start_is_needed(cluster: DeploymentConfig) -> None:
    assert issues(cluster.with_values({"Init.ServiceIPRangeStart": None, "Init.ServiceIPRangeSize": 0})) == {}


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("Network.ControlPlaneEndpointIp", "192.168.30.1", "Network.Ip4GatewayAddress"),
        ("Network.ControlPlaneEndpointIp", "192.168.30.105", "Network.ControlPlaneEndpointIp"),
        ("Network.ControlPlaneEndpointIp", "192.168.31.5", "Network.ControlPlaneEndpointIp"),
        ("Network.ControlPlaneEndpointIp", "192.168.30.255", "Network.ControlPlaneEndpointIp"),
        ("Machines[0].LinuxNode.Ip4Address", "192.168.30.22", "Machines[0].WindowsNode.Ip4Address"),
        ("Machines[0].LinuxNode.Ip4Address", "192.168.30.0", "Machines[0].LinuxNode.Ip4Address"),
        ("Init.ServiceIPRangeStart", "192.168.30.250", "Init.ServiceIPRangeStart"),
        ("Init.ServiceIPRangeStart", "192.168.29.240", "Init.ServiceIPRangeStart"),
    ],
)
def test_addresses_are_different_and_in_one_subnet(cluster: DeploymentConfig, path: str, value: str, at: str) -> None:
    assert list(issues(cluster.with_values({path: value}))) == [at]


def test_addresses_stay_out_of_the_clusters_own_networks(cluster: DeploymentConfig) -> None:
    moved = cluster.with_values(
        {
            "Init.ServiceIPRangeStart": "10.42.0.100",
            "Network.ControlPlaneEndpointIp": "10.42.0.20",
            "Network.Ip4GatewayAddress": "10.42.0.1",
            "Machines[0].LinuxNode.Ip4Address": "10.42.0.21",
            "Machines[0].WindowsNode.Ip4Address": "10.42.0.22",
        }
    )
    assert issues(moved) == {}
    assert len(issues(moved, distribution="K3s")) == 5


def test_a_single_machine_takes_no_addresses_but_its_subnet(sample: DeploymentConfig) -> None:
    config = sample.with_values(
        {**OFFLINE, "Network.ControlPlaneEndpointIp": "192.168.1.5", "Network.Ip4AddressPrefix": "192.168.1.0/24"}
    )
    assert list(issues(config)) == ["Network.ControlPlaneEndpointIp"]


def test_the_subnet_of_a_single_machine_does_not_suit_a_scalable_cluster(cluster: DeploymentConfig) -> None:
    assert list(issues(cluster.with_values({"Network.Ip4AddressPrefix": "192.168.1.0/24"}))) == ["Network.Ip4AddressPrefix"]


@pytest.mark.parametrize(("prefix", "fits"), [("192.168.1.0/24", True), ("192.168.1.0/28", True), ("192.168.1.0/29", False)])
def test_the_subnet_of_a_single_machine_holds_its_services(sample: DeploymentConfig, prefix: str, fits: bool) -> None:
    assert (issues(sample.with_values({**OFFLINE, "Network.Ip4AddressPrefix": prefix})) == {}) is fits


def test_the_subnet_of_a_single_machine_stays_out_of_the_clusters_networks(sample: DeploymentConfig) -> None:
    config = sample.with_values({**OFFLINE, "Network.Ip4AddressPrefix": "10.43.7.0/24"})
    assert list(issues(config, distribution="K3s")) == ["Network.Ip4AddressPrefix"]


# -- joining --------------------------------------------------------------------------------------------------


def test_a_join_needs_what_its_distribution_needs(cluster: DeploymentConfig) -> None:
    join = cluster.with_values({"Join.ClusterJoinToken": "env:TOKEN"})
    assert join.is_join
    assert list(issues(join, distribution="K3s")) == ["Join.ClusterId"]
    k8s = join.with_values({"Network.NetworkPlugin": "calico", "Arc.EnableWorkloadIdentity": None, "Join.ClusterId": "env:ID"})
    assert set(issues(k8s, distribution="K8s")) == {"Join.DiscoveryTokenHash", "Join.CertificateKey"}


def test_a_windows_machine_may_join(cluster: DeploymentConfig) -> None:
    join = cluster.with_values(
        {
            "Join.ClusterJoinToken": "env:TOKEN",
            "Join.ClusterId": "env:ID",
            "Machines[0].LinuxNode": None,
            "User.AcceptGpuWarning": None,
        }
    )
    assert issues(join, distribution="K3s") == {}


def test_join_data_of_k8s_does_not_belong_to_k3s(cluster: DeploymentConfig) -> None:
    join = cluster.with_values({f"Join.{n}": "env:X" for n in ("ClusterJoinToken", "ClusterId", "DiscoveryTokenHash")})
    assert list(issues(join, distribution="K3s")) == ["Join.DiscoveryTokenHash"]


# -- raising and advice ---------------------------------------------------------------------------------------


def test_faults_can_be_raised_with_the_device_they_concern(sample: DeploymentConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        sample.require_valid(distribution="K8s", device="press-01")
    assert caught.value.device == "press-01"
    assert len(caught.value.issues) == 2
    sample.with_values(OFFLINE).require_valid(distribution="K3s")


def test_advice_names_previews_and_sizes_without_being_a_fault(cluster: DeploymentConfig) -> None:
    small = cluster.with_values({"Machines[0].LinuxNode.LogSizeInGB": 1, "Machines[0].LinuxNode.CpuCount": 2})
    assert issues(small) == {}
    advised = {issue.path for issue in small.advice(distribution="K3s")}
    assert {
        "Machines[0].WindowsNode",
        "Machines[0].LinuxNode.GpuPassthrough",
        "Machines[0].LinuxNode.LogSizeInGB",
        "Machines[0].LinuxNode.CpuCount",
        "Network.Proxy.No",
    } == advised


def test_advice_on_a_single_machine_names_what_has_no_effect(sample: DeploymentConfig) -> None:
    config = sample.with_values({**OFFLINE, "Machines[0].LinuxNode.Ip4Address": "192.168.1.7", "AioDeploy": True})
    assert issues(config) == {}
    assert {issue.path for issue in config.advice()} == {
        "Machines[0].LinuxNode.Ip4Address",
        "Network.InternetDisabled",
        "AioDeploy",
    }


def test_the_sample_needs_no_advice(sample: DeploymentConfig) -> None:
    assert sample.advice(distribution="K3s", release="1.12.269.0") == []


def test_kms_on_several_nodes_is_advised_against(cluster: DeploymentConfig) -> None:
    config = cluster.with_values({"Init.KmsPlugin.Enable": True})
    assert "Init.KmsPlugin.Enable" in {issue.path for issue in config.advice()}
