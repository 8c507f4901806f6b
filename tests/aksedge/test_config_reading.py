"""From files and texts to a config: syntax, encodings, spelling, values; every fault with its place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.errors import ConfigError, ConfigIssue, UsageError

MINIMAL: dict[str, Any] = {
    "SchemaVersion": "1.16",
    "Version": "1.0",
    "DeploymentType": "SingleMachineCluster",
    "Machines": [{"LinuxNode": {"CpuCount": 4}}],
}


def minimal(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(MINIMAL), **changes}


def faults(config: Any) -> dict[str, ConfigIssue]:
    with pytest.raises(ConfigError) as caught:
        DeploymentConfig.parse(config)
    return {issue.path: issue for issue in caught.value.issues}


def test_microsofts_sample_is_read_unchanged(sample_file: Path) -> None:
    config = DeploymentConfig.load(sample_file)
    assert config.schema_version == "1.16"
    assert config.machine.linux_node is not None
    assert config.machine.linux_node.memory_in_mb == 4096
    assert config.arc.client_secret is None
    written = json.loads(sample_file.read_text(encoding="utf-8"))
    for section in ("Init", "Machines"):
        assert config.as_data()[section] == written[section]


def test_absent_fields_read_as_the_products_defaults_and_are_not_written() -> None:
    config = DeploymentConfig.parse(minimal())
    assert config.network.network_plugin == "flannel"
    assert config.machine.linux_node is not None
    assert config.machine.linux_node.data_size_in_gb == 10
    assert config.as_data() == MINIMAL


def test_null_empty_text_and_empty_sections_mean_absent() -> None:
    config = DeploymentConfig.parse(
        minimal(Arc={"ClientId": None, "ClusterName": "  "}, Network={"Proxy": {}}, Join={"ClusterId": None})
    )
    assert config.as_data() == MINIMAL
    assert not config.is_join


def test_an_empty_node_still_asks_for_the_node() -> None:
    config = DeploymentConfig.parse(minimal(Machines=[{"LinuxNode": {}, "WindowsNode": None}]))
    assert config.machine.linux_node is not None
    assert config.machine.windows_node is None
    assert config.as_data()["Machines"] == [{"LinuxNode": {}}]


def test_keys_and_choices_are_read_in_any_case_and_written_in_the_products() -> None:
    config = DeploymentConfig.parse(
        {
            "schemaversion": "1.16",
            "VERSION": "1.0",
            "deploymentType": "singlemachinecluster",
            "init": {"ServiceIpRangeSize": 5},
            "NETWORK": {"networkplugin": "FLANNEL"},
            "machines": [{"linuxnode": {"DataSizeinGB": 20}}],
            "user": {"volumelicense": {"EnrollmentID": "E"}},
        }
    )
    assert config.as_data() == {
        "SchemaVersion": "1.16",
        "Version": "1.0",
        "DeploymentType": "SingleMachineCluster",
        "Init": {"ServiceIPRangeSize": 5},
        "Network": {"NetworkPlugin": "flannel"},
        "User": {"VolumeLicense": {"EnrollmentId": "E"}},
        "Machines": [{"LinuxNode": {"DataSizeInGB": 20}}],
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_as_windows_tools_write_them_are_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(json.dumps(minimal(Arc={"ClusterName": "Fräsmaschine"}), ensure_ascii=False).encode(encoding))
    assert DeploymentConfig.load(file).arc.cluster_name == "Fräsmaschine"


def test_utf_16_big_endian_with_a_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b"\xfe\xff" + json.dumps(MINIMAL).encode("utf-16-be"))
    assert DeploymentConfig.load(file).as_data() == MINIMAL


def test_bytes_that_are_no_text_are_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b'{"SchemaVersion": "\xff\xfe"}')
    with pytest.raises(ConfigError, match="byte 20"):
        DeploymentConfig.load(file)


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    for place in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read") as caught:
            DeploymentConfig.load(place)
        assert caught.value.next_action


def test_a_syntax_fault_has_line_and_column() -> None:
    issues = faults('{\n  "SchemaVersion": "1.16",\n  "Version" "1.0"\n}')
    assert list(issues) == ["line 3, column 13"]


@pytest.mark.parametrize(
    "text",
    ["", "   ", "{", '{"a": NaN}', '{"a": ' + "9" * 5000 + "}", "[" * 100_000, '{"a":' * 100_000, "// no\n{}", "\x00", '"\\ud800"'],
    ids=["empty", "blank", "cut", "nan", "digits", "lists", "objects", "comment", "null", "surrogate"],
)
def test_what_is_no_json_is_one_clear_fault(text: str) -> None:
    assert len(faults(text)) == 1


@pytest.mark.parametrize("text", ["[]", '"text"', "1", "null", "true"])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    assert faults(text)["(document)"].allowed == "a JSON object"


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(b" " * 1_000_001)
    with pytest.raises(ConfigError, match="at most 1000000 bytes"):
        DeploymentConfig.load(file)


def test_a_key_given_twice_is_a_fault_in_whatever_case() -> None:
    text = (
        json.dumps(MINIMAL).replace('"Version"', '"version": "1.0", "Version"').replace('"CpuCount"', '"cpucount": 6, "CpuCount"')
    )
    issues = faults(text)
    assert set(issues) == {"Version", "Machines[0].LinuxNode.CpuCount"}
    assert "as version and again as Version" in issues["Version"].reason


def test_the_preview_layout_is_recognised_as_such() -> None:
    for old in (minimal(SchemaVersion="1.1"), {"DeployOptions": {}, "EndUser": {}}, {"SchemaVersion": "1.0", "LinuxVm": {}}):
        issues = faults(old)
        assert list(issues) == ["SchemaVersion"]
        assert "2022 preview" in repr(issues["SchemaVersion"].value)


def test_all_faults_are_reported_at_once_each_with_path_value_allowed_and_reason() -> None:
    issues = faults(
        {
            "SchemaVersion": "1.16",
            "DeploymentType": "CapiCluster",
            "Netwrk": {},
            "Network": {"DnsServers": "192.168.1.1", "Ip4PrefixLength": 32, "Ip4AddressPrefix": "192.168.1.5/24"},
            "Init": {"ServiceIPRangeSize": "10", "KmsPlugin": True},
            "Machines": [{"LinuxNode": {"CpuCount": 1, "MemoryInMB": 2049, "DataSizeInGB": 10.5, "LogSizeInGB": 11, "Mtu": True}}],
        }
    )
    linux = "Machines[0].LinuxNode"
    assert {path: repr(issue.value) for path, issue in issues.items()} == {
        "Version": "nothing",
        "DeploymentType": "'CapiCluster'",
        "Netwrk": "an object",
        "Network.DnsServers": "a text",
        "Network.Ip4PrefixLength": "32",
        "Network.Ip4AddressPrefix": "'192.168.1.5/24'",
        "Init.ServiceIPRangeSize": "'10'",
        "Init.KmsPlugin": "true",
        f"{linux}.CpuCount": "1",
        f"{linux}.MemoryInMB": "2049",
        f"{linux}.DataSizeInGB": "10.5",
        f"{linux}.LogSizeInGB": "11",
        f"{linux}.Mtu": "true",
    }
    assert all(issue.allowed and issue.reason for issue in issues.values())
    assert issues["Netwrk"].allowed == "Network (did you mean that?)"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Network.ControlPlaneEndpointIp", "fe80::1"),
        ("Network.ControlPlaneEndpointIp", "192.168.001.1"),
        ("Network.Ip4AddressPrefix", "192.168.1.0"),
        ("Network.Proxy.Http", "proxy:8080"),
        ("Network.Proxy.Http", "ftp://proxy"),
        ("Network.Proxy.Https", "http://proxy:99999"),
        ("Arc.ClientId", "<application id>"),
        ("Arc.ClusterName", "<cluster>"),
        ("Arc.ClusterName", "two\nlines"),
        ("Arc.ClusterName", "\ud800"),
        ("Machines[0].LinuxNode.MacAddress", "00-15-5D-01-02-03"),
        ("Machines[0].LinuxNode.MemoryHugePages.Size", 4096),
        ("Machines[0].LinuxNode.GpuPassthrough.Type", "DDA"),
        ("Machines[0].LinuxNode.SecondaryNetworks", [{"Ip4Address": "10.0.0.1"}]),
        ("Machines", []),
        ("SchemaVersion", "1"),
        ("SchemaVersion", 1.16),
        ("Version", "2.0"),
    ],
)
def test_a_value_of_the_wrong_form_is_a_fault_at_its_path(path: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        DeploymentConfig.parse(minimal()).with_values({path: value})
    assert caught.value.issues[0].path.startswith(path)
    str(caught.value).encode("utf-8")


def test_numbers_for_the_schema_version_are_explained() -> None:
    assert "1.10 would be 1.1" in faults(minimal(SchemaVersion=1.16))["SchemaVersion"].reason


def test_guids_addresses_and_macs_are_taken_in_their_usual_forms() -> None:
    config = DeploymentConfig.parse(
        minimal(
            Arc={"TenantId": "AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE"},
            Network={"Ip4AddressPrefix": "192.168.40.0/24", "Proxy": {"Http": "http://proxy:3128"}},
        )
    )
    assert config.arc.tenant_id == "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def test_changing_values_gives_a_new_config_and_leaves_the_old_one() -> None:
    before = DeploymentConfig.parse(minimal())
    after = before.with_values(
        {
            "network.internetdisabled": True,
            "Machines[0].LinuxNode.CpuCount": 6,
            "ServiceIPRangeSize": 3,
            "User": {"VolumeLicense": {"PartNumber": "P"}},
            "Machines[0].WindowsNode.CpuCount": None,
        }
    )
    assert before.as_data() == MINIMAL
    assert after.values() == {
        "SchemaVersion": "1.16",
        "Version": "1.0",
        "DeploymentType": "SingleMachineCluster",
        "Init.ServiceIPRangeSize": 3,
        "Network.InternetDisabled": True,
        "User.VolumeLicense.PartNumber": "P",
        "Machines[0].LinuxNode.CpuCount": 6,
    }
    assert after.with_values({"Machines[0].LinuxNode.CpuCount": None}).values().get("Machines[0].LinuxNode.CpuCount") is None


@pytest.mark.parametrize(
    "path", ["", "Network.Nonsense", "Nonsense", "Machines[7].LinuxNode.CpuCount", "Network[0].Proxy", "CpuCount"]
)
def test_changing_at_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DeploymentConfig.parse(minimal()).with_values({path: 1})
    assert len(caught.value.issues) == 1


def test_an_unknown_path_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"Network\.InternetDisabled \(did you mean that\?\)"):
        DeploymentConfig.parse(minimal()).with_values({"Network.InternetDisable": True})


def test_a_config_with_every_field_survives_writing_and_reading(scalable: dict[str, Any]) -> None:
    config = DeploymentConfig.parse(scalable)
    assert config.as_data() == scalable
    assert DeploymentConfig.parse(config.as_data()) == config
    assert DeploymentConfig.parse(config.to_json()).values() == config.values()


def test_the_licence_terms_are_accepted_by_the_caller_only(sample_file: Path) -> None:
    config = DeploymentConfig.load(sample_file)
    assert config.user.accept_eula
    assert json.loads(config.to_json())["User"]["AcceptEula"] is False
    assert json.loads(config.to_json(eula_accepted=True))["User"]["AcceptEula"] is True
    assert json.loads(DeploymentConfig.parse(minimal()).to_json(eula_accepted=True))["User"] == {"AcceptEula": True}


@pytest.mark.parametrize("deployment_type", ["SingleMachineCluster", "ScalableCluster"])
@pytest.mark.parametrize(("distribution", "plugin"), [("K3s", "flannel"), ("K8s", "calico")])
def test_a_template_fits_its_distribution_and_accepts_nothing(deployment_type: Any, distribution: Any, plugin: str) -> None:
    config = DeploymentConfig.template(deployment_type, distribution, node_type="LinuxAndWindows")
    assert config.network.network_plugin == plugin
    assert not config.user.accept_eula
    assert not config.user.accept_optional_telemetry
    assert len(config.nodes) == 2
    assert not any(issue.path == "Network.NetworkPlugin" for issue in config.check(distribution=distribution))


def test_configs_that_say_the_same_are_equal_wherever_they_were_read_from() -> None:
    first, second = DeploymentConfig.parse(minimal()), DeploymentConfig.parse(minimal(), source="elsewhere.json")
    assert (first, hash(first)) == (second, hash(second))
    assert first != second.with_values({"Network.InternetDisabled": True})
    assert first != minimal()
