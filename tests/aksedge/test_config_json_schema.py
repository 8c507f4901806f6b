"""The JSON Schema for editors judges as the config does, as far as a JSON Schema can."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.errors import ConfigError, SecretUnavailable

SCHEMA = DeploymentConfig.json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SINGLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json").read_text(encoding="utf-8")
)
SINGLE["Network"]["InternetDisabled"] = True
SCALABLE: dict[str, Any] = json.loads(Path(__file__).with_name("scalable-config.json").read_text(encoding="utf-8"))
OLDER = {**copy.deepcopy(SINGLE), "SchemaVersion": "1.9"}
OLDER["Init"].pop("KmsPlugin", None)
VALUES = (
    *(None, True, False, 0, 1, 3, 16, 17, 2048, 2049, 2.5, -1, 10**9, "", " ", "1.10", "1.16", "1.17", "K3s", "<x>", "env:X"),
    *("10.0.0.1", "10.0.0.256", "01.2.3.4", "::1", "10.0.0.0/24", "10.0.0.1/24", "10.0.0.0/33", "http://p:8080", "ftp://p"),
    *("00:15:5D:01:02:03", "00-15-5D-01-02-03", "11111111-1111-1111-1111-111111111111", "no-guid", "a\nb", [], ["10.0.0.1"], {}),
    *("SingleMachineCluster", "ScalableCluster", "calico", "flannel", "weave"),
)
BEYOND_A_SCHEMA = (
    "each of them needs an address of its own",
    "all addresses of the cluster are in the gateway's subnet",
    "the service addresses leave the subnet",
    "Init.ServiceIPRangeStart and its size cover it",
    "host, nodes and service addresses come from it",
    "the product's limit per machine",
    "it is no IPv4 subnet, or has bits set behind its prefix",
    "without a static address the adapter uses DHCP",
    "the product warns about GPU sharing",
    "http or https address with a host",
    "it carries a password",
)
"""Reasons of faults that a JSON Schema cannot see, or only by repeating every field."""


def places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *places(value[key]))]


def changed(dice: random.Random) -> dict[str, Any]:
    """One of three good configs with one or two values changed, taken out, or put where they may not be."""
    config = copy.deepcopy(dice.choice([SINGLE, SCALABLE, OLDER]))
    spec = dice.choice(DeploymentConfig.fields())
    for _ in range(dice.randint(1, 2)):
        container, key = dice.choice(places(config))
        match dice.randrange(4):
            case 0:
                del container[key]
            case 1 if isinstance(container, dict):
                container[spec.path.rpartition(".")[2]] = dice.choice(VALUES)
            case _:
                container[key] = dice.choice(VALUES)
    return config


def test_it_is_a_schema_and_takes_good_configs() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for config in (SINGLE, SCALABLE, OLDER, {"$schema": "aksedge.schema.json", **SINGLE}):
        assert [error.message for error in VALIDATOR.iter_errors(config)] == []
        assert DeploymentConfig.parse(config).check() == []


@pytest.mark.parametrize("given", ["aksedge.schema.json", None])
def test_a_file_may_say_where_its_schema_is_and_no_device_is_told(given: str | None) -> None:
    preview = json.loads(Path(__file__).with_name("preview-config.json").read_text(encoding="utf-8"))
    read = DeploymentConfig.parse({"$schema": given, **SINGLE})
    migrated, notes = DeploymentConfig.migrate_text(json.dumps({"$schema": given, **preview}), source="old.json")
    assert not [text for text in (read.to_json(), migrated.to_json(), *notes) if "$schema" in text]
    with pytest.raises(ConfigError, match="the address of a JSON Schema"):
        DeploymentConfig.parse({"$schema": 1, **SINGLE})


@pytest.mark.parametrize("seed", range(3))
def test_schema_and_config_judge_alike(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    verdicts = set()
    for _ in range(250):
        raw = changed(dice)
        try:
            config = DeploymentConfig.parse(raw)
            issues = config.check()
        except ConfigError as error:
            config, issues = None, list(error.issues)
        accepted = VALIDATOR.is_valid(raw)
        verdicts.add((accepted, not issues))
        if accepted:
            assert [str(issue) for issue in issues if not any(reason in issue.reason for reason in BEYOND_A_SCHEMA)] == []
        elif config is not None and not issues:  # it was only the spelling
            try:
                data = config.as_data()
            except SecretUnavailable:
                continue
            assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    assert {(True, True), (False, False)} <= verdicts


@pytest.mark.parametrize(
    ("base", "path", "value"),
    [
        (SINGLE, ("SchemaVersion",), "1.2"),
        (SINGLE, ("SchemaVersion",), 1.16),
        (SINGLE, ("Network", "Ip4AddressPrefix"), "10.0.0.0"),
        (SINGLE, ("Network", "ControlPlaneEndpointIp"), "10.0.0.1"),
        (SINGLE, ("Network", "InternetDisabled"), False),
        (SINGLE, ("Machines", 0, "LinuxNode", "CpuCount"), 1),
        (SINGLE, ("Machines", 0, "LinuxNode", "MemoryInMB"), 4097),
        (SINGLE, ("Machines", 0, "LinuxNode", "Cpus"), 4),
        (SINGLE, ("Machines", 0, "LinuxNode"), None),
        (SCALABLE, ("Network", "DnsServers"), None),
        (SCALABLE, ("Network", "DnsServers"), []),
        (SCALABLE, ("Machines", 0, "LinuxNode", "Ip4Address"), None),
        (SCALABLE, ("Machines", 0, "NetworkConnection", "AdapterName"), ""),
        (OLDER, ("Init", "KmsPlugin"), {"Enable": True}),
        (OLDER, ("Machines", 0, "LinuxNode", "GpuPassthrough"), {"Count": 1}),
    ],
)
def test_an_editor_shows_the_fault(base: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    config = copy.deepcopy(base)
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not VALIDATOR.is_valid(config)
    with pytest.raises(ConfigError):
        DeploymentConfig.parse(config).require_valid()
