"""``akslite config``: files made, explained, compared and carried over, without any device."""

from __future__ import annotations

import codecs
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "azure-aks-edge"
SAMPLE = RECORDED / "aksedge-config.json"
PREVIEW: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "aksedge" / "preview-config.json").read_text(encoding="utf-8")
)


@pytest.fixture
def preview(tmp_path: Path) -> Any:
    """Writes the preview's config, with some sections changed, into a file."""

    def write(**changes: Any) -> Path:
        file = tmp_path / "old.json"
        sections = {name: {**PREVIEW[name], **value} for name, value in changes.items()}
        file.write_text(json.dumps({**PREVIEW, **sections}), encoding="utf-8")
        return file

    return write


def test_a_new_config_says_what_is_left_to_a_person(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    assert run("config", "new", "-o", file)[0] == 0
    code, out, _ = run("config", "check", file)
    assert code == 2
    assert "Arc" in out
    assert run("config", "check", file, "--set", "Network.InternetDisabled=true")[0] == 0
    assert json.loads(file.read_text(encoding="utf-8"))["User"]["AcceptEula"] is False


def test_a_new_scalable_config_with_both_nodes_takes_changes(run: Any) -> None:
    code, out, _ = run(
        "config", "new", "--type", "scalable", "--distribution", "k8s", "--nodes", "both", "--set", "Init.ServiceIPRangeSize=5"
    )
    assert code == 0
    made = json.loads(out)
    assert made["DeploymentType"] == "ScalableCluster"
    assert made["Network"]["NetworkPlugin"] == "calico"
    assert set(made["Machines"][0]) == {"LinuxNode", "WindowsNode"}
    assert made["Init"]["ServiceIPRangeSize"] == 5


def test_no_command_writes_over_a_file_unasked(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("mine", encoding="utf-8")
    for line in (("new",), ("schema",), ("migrate", SAMPLE)):
        code, _, err = run("config", *line, "-o", file)
        assert code == 2
        assert "--force" in err
    assert file.read_text(encoding="utf-8") == "mine"
    assert run("config", "schema", "-o", file, "--force")[0] == 0
    assert json.loads(file.read_text(encoding="utf-8"))["title"]


@pytest.mark.parametrize(
    ("option", "value", "allowed"), [("--type", "huge", "scalable"), ("--nodes", "none", "both"), ("--schema", "9", "1.16")]
)
def test_what_is_not_allowed_in_a_new_config_is_told(run: Any, option: str, value: str, allowed: str) -> None:
    code, _, err = run("config", "new", option, value)
    assert code == 2
    assert value in err
    assert allowed in err


def test_a_field_is_explained_by_its_last_name(run: Any) -> None:
    code, out, _ = run("config", "explain", "serviceiprangesize")
    assert code == 0
    assert "Init.ServiceIPRangeSize" in out
    assert "0 to 127" in out
    assert "new deployment" in out


def test_every_field_is_listed(run: Any) -> None:
    fields = json.loads(run("config", "explain", "--json")[1])
    assert len(fields) == 66
    assert all(field["description"] and field["allowed"] for field in fields)


def test_an_unknown_field_is_told_with_a_likely_one(run: Any) -> None:
    code, _, err = run("config", "explain", "CpuCuont")
    assert code == 2
    assert "CpuCount" in err


def test_a_difference_says_what_changing_it_takes(run: Any, tmp_path: Path) -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    sample["Machines"][0]["LinuxNode"]["CpuCount"] = 8
    sample["Machines"][0]["WindowsNode"] = {"CpuCount": 2}
    sample["Arc"]["ClientSecret"] = "PlainSecretInAFile"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(sample), encoding="utf-8")
    code, out, err = run("config", "diff", SAMPLE, other, "--json", "--detailed-exitcode")
    assert code == 3
    assert "PlainSecretInAFile" not in out + err
    found = {item["path"]: item for item in json.loads(out)}
    assert found["Machines[0].LinuxNode.CpuCount"] == {
        "path": "Machines[0].LinuxNode.CpuCount",
        "before": 4,
        "after": 8,
        "redeploys": True,
    }
    assert found["Machines[0].WindowsNode.CpuCount"]["before"] == "(not set)"
    assert found["Arc.ClientSecret"]["redeploys"] is False


def test_equal_configs_have_no_difference(run: Any) -> None:
    code, _, err = run("config", "diff", SAMPLE, SAMPLE, "--detailed-exitcode")
    assert code == 0
    assert "no differences" in err


def test_a_preview_config_is_carried_over(run: Any, preview: Any) -> None:
    code, out, err = run("config", "migrate", preview())
    assert code == 0, err
    made = json.loads(out)
    assert made["SchemaVersion"] == "1.16"
    assert made["DeploymentType"] == "ScalableCluster"
    assert made["Init"] == {"ServiceIPRangeStart": "192.168.1.151", "ServiceIPRangeSize": 20}
    assert made["Network"]["ControlPlaneEndpointIp"] == "192.168.1.191"
    assert made["User"]["AcceptEula"] is False
    machine = made["Machines"][0]
    assert machine["NetworkConnection"]["AdapterName"] == "Ethernet 2"
    assert machine["LinuxNode"] == {
        "CpuCount": 4,
        "MemoryInMB": 8192,
        "DataSizeInGB": 30,
        "Ip4Address": "192.168.1.171",
        "TimeoutSeconds": 1200,
    }
    for told in ("AcceptEula", "WindowsVm", "VSwitch.Name", "ControlPlane"):
        assert told in err


def test_a_single_machine_of_the_preview_loses_its_addresses(run: Any, preview: Any) -> None:
    code, out, err = run("config", "migrate", preview(DeployOptions={"SingleMachineCluster": True}))
    assert code == 0, err
    made = json.loads(out)
    assert made["DeploymentType"] == "SingleMachineCluster"
    assert "Ip4Address" not in made["Machines"][0]["LinuxNode"]
    assert "ControlPlaneEndpointIp" not in made["Network"]
    assert "LinuxVm.ip4address" in err or "LinuxVm.Ip4Address" in err


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"DeployOptions": {"JoinCluster": True}}, "DeployOptions.JoinCluster"),
        ({"Network": {"ServiceIPRangeEnd": "192.168.1.5"}}, "Network.ServiceIPRangeEnd"),
        ({"Network": {"Surprise": "x"}}, "Network.Surprise"),
        ({"LinuxVm": {"CpuCount": "many"}}, "Machines[0].LinuxNode.CpuCount"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_path(run: Any, preview: Any, changes: dict[str, Any], path: str) -> None:
    code, out, err = run("config", "migrate", preview(**changes))
    assert code == 2
    assert out == ""
    assert path in err


def test_a_preview_config_is_pointed_to_migrate(run: Any, preview: Any) -> None:
    code, _, err = run("config", "diff", preview(), SAMPLE)
    assert code == 2
    assert "config migrate" in err


def test_a_config_of_today_is_taken_to_a_newer_schema_only(run: Any, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(SAMPLE.read_text(encoding="utf-8").replace('"1.16"', '"1.9"'), encoding="utf-8")
    code, out, err = run("config", "migrate", old, "--schema", "1.10")
    assert code == 0, err
    assert json.loads(out)["SchemaVersion"] == "1.10"
    assert run("config", "migrate", SAMPLE, "--schema", "1.9")[0] == 2


def test_the_schema_takes_the_sample_and_finds_faults(run: Any) -> None:
    code, out, _ = run("config", "schema")
    assert code == 0
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    (without_arc,) = validator.iter_errors(sample)
    assert "Azure Arc" in without_arc.schema["errorMessage"]
    sample["Network"]["InternetDisabled"] = True
    assert not list(validator.iter_errors(sample))
    sample["Machines"][0]["LinuxNode"]["CpuCount"] = "four"
    sample["Init"]["ServiceIPRangeSize"] = 900
    sample["Netwrok"] = {}
    assert {tuple(error.absolute_path)[:1] for error in validator.iter_errors(sample)} == {("Machines",), ("Init",), ()}
    assert "KmsPlugin" in json.dumps(schema)


def test_a_config_comes_on_standard_input(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for line, what in (
        (("config", "check", "-", "--set", "Network.InternetDisabled=true"), "no faults found"),
        (("config", "migrate", "-"), '"SchemaVersion": "1.16"'),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(codecs.BOM_UTF8 + SAMPLE.read_bytes())))
        code, out, err = run(*line)
        assert (code, what in out + err) == (0, True), out + err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00")))
    assert run("config", "check", "-")[0] == 2


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without end")
def test_a_file_without_end_is_not_read_to_its_end(run: Any) -> None:
    code, out, _ = run("config", "check", "/dev/zero")
    assert (code, "more than 1000000 bytes" in out) == (2, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is nothing in it"),
        ('// mine\n{"Version": "1.0"}', "JSON has no comments"),
        ('{"Version": /* mine */ "1.0"}', "JSON has no comments"),
        ('{"Version": "1.0",}', "the comma before it"),
        ('{"Machines": [{},]}', "the comma before it"),
        ("{'Version': '1.0'}", "double quotes"),
        ('{\N{LEFT DOUBLE QUOTATION MARK}Version": "1.0"}', "straight double quotes"),
        ('{"Version": "C:\\Program Files"}', "a backslash is written twice"),
        ('{"Version": "1.0\n"}', "closing quote is missing"),
        ('{"Network": {"InternetDisabled": True}}', "small letters"),
        ("<html>", "expecting value"),
    ],
)
def test_what_is_no_json_is_told_in_the_words_of_what_people_write(run: Any, tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "typed.json"
    file.write_text(text, encoding="utf-8")
    code, out, _ = run("config", "check", file, "--json")
    (issue,) = json.loads(out)["issues"]
    assert (code, issue["path"].startswith("line "), why in issue["reason"]) == (2, True, True), issue


def test_a_file_that_cannot_be_written_is_named(run: Any, tmp_path: Path) -> None:
    code, _, err = run("config", "new", "-o", tmp_path / "no" / "x.json", "--type", "ScalableCluster")
    assert (code, f"{tmp_path / 'no' / 'x.json'} cannot be written" in err) == (2, True), err
