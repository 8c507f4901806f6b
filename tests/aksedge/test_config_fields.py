"""What is known of every field, for forms and for people who ask."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.aksedge.versions import compare
from akslite_ps.errors import UsageError


def test_all_66_fields_of_the_product_are_known() -> None:
    paths = [spec.path for spec in DeploymentConfig.fields()]
    assert len(paths) == len(set(paths)) == 66


@pytest.mark.parametrize("spec", DeploymentConfig.fields(), ids=lambda spec: spec.path)
def test_every_field_can_be_explained(spec) -> None:
    assert DeploymentConfig.explain(spec.path.upper()) == spec
    assert spec.title
    assert spec.description.endswith(".")
    assert spec.allowed
    assert spec.group
    assert compare("1.5", spec.since_schema) <= 0 <= compare("1.16", spec.since_schema)
    assert spec.secret == (spec.kind == "secret")
    assert not spec.choices or spec.kind == "choice"


def test_secrets_are_exactly_those_of_arc_and_join() -> None:
    assert {spec.path for spec in DeploymentConfig.fields() if spec.secret} == {
        "Arc.ClientSecret",
        "Join.ClusterJoinToken",
        "Join.DiscoveryTokenHash",
        "Join.CertificateKey",
        "Join.ClusterId",
    }


def test_a_field_says_since_when_where_and_with_what_unit() -> None:
    spec = DeploymentConfig.explain("machines[3].linuxnode.logsizeingb")
    assert spec.path == "Machines[].LinuxNode.LogSizeInGB"
    assert (spec.since_schema, spec.unit, spec.default, spec.node) == ("1.9", "GB", 1, "Linux")
    assert spec.fixed
    assert not DeploymentConfig.explain("Arc.Location").fixed
    assert DeploymentConfig.explain("EnableWorkloadIdentity").distributions == ("K3s",)
    assert DeploymentConfig.explain("ControlPlaneEndpointIp").deployment_types == ("ScalableCluster",)


def test_a_section_can_be_explained_too() -> None:
    assert DeploymentConfig.explain("Network.Proxy").kind == "section"


def test_a_name_of_several_fields_lists_them() -> None:
    with pytest.raises(UsageError, match="several fields") as caught:
        DeploymentConfig.explain("CpuCount")
    assert "Machines[].WindowsNode.CpuCount" in (caught.value.next_action or "")


def test_a_mistyped_field_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        DeploymentConfig.explain("Network.InternetDisable")
    assert "Network.InternetDisabled" in (caught.value.next_action or "")


def test_a_form_finds_titles_descriptions_and_hints_in_the_model() -> None:
    def walk(model: type[BaseModel]) -> int:
        count = 0
        for info in model.model_fields.values():
            extra = info.json_schema_extra
            assert info.title
            assert info.description
            assert info.alias
            assert isinstance(extra, dict)
            assert {"unit", "allowed", "secret", "since_schema", "group", "advanced", "note"} <= extra.keys()
            count += 1
        return count

    assert walk(DeploymentConfig) == 10


def test_editors_get_a_json_schema_in_the_products_spelling() -> None:
    schema = DeploymentConfig.model_json_schema(by_alias=True)
    json.dumps(schema)
    assert schema["required"] == ["SchemaVersion", "Version", "DeploymentType", "Machines"]
    assert schema["$defs"]["LinuxNode"]["properties"]["CpuCount"]["minimum"] == 2
