"""Secrets of a config are references, or held in memory; nothing shows them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge import DeploymentConfig
from akslite_ps.aksedge.config.secret_values import HeldSecret
from akslite_ps.errors import ConfigError, SecretUnavailable
from akslite_ps.secrets import SecretRef, redact

CANARY = "Canary-7f3a!secret/value+%"


def config_with(secret: Any, **more: Any) -> dict[str, Any]:
    return {
        "SchemaVersion": "1.16",
        "Version": "1.0",
        "DeploymentType": "SingleMachineCluster",
        "Arc": {"ClientSecret": secret},
        "Machines": [{"LinuxNode": {}}],
        **more,
    }


def test_a_reference_stays_a_reference_until_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARC_SECRET", CANARY)
    config = DeploymentConfig.parse(config_with("env:ARC_SECRET"))
    assert config.arc.client_secret == SecretRef("env", "ARC_SECRET")
    assert config.as_data()["Arc"] == {"ClientSecret": "env:ARC_SECRET"}
    assert CANARY not in config.to_json()
    assert json.loads(config.to_json(resolve=True))["Arc"]["ClientSecret"] == CANARY
    assert CANARY not in redact(f"sent {CANARY}")


def test_a_question_is_asked_when_sending() -> None:
    config = DeploymentConfig.parse(config_with("prompt:Arc secret"))
    sent = json.loads(config.to_json(resolve=True, ask=lambda label: f"{label}-{CANARY}"))
    assert sent["Arc"]["ClientSecret"] == f"Arc secret-{CANARY}"


def test_a_literal_in_a_file_becomes_a_reference_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config_with(CANARY)), encoding="utf-8")
    config = DeploymentConfig.load(file)
    assert config.as_data()["Arc"]["ClientSecret"] == f"file:{file.resolve()}#Arc.ClientSecret"
    again = DeploymentConfig.parse(config.as_data())
    assert json.loads(again.to_json(resolve=True))["Arc"]["ClientSecret"] == CANARY


def test_the_reference_to_a_file_survives_a_change_of_values(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config_with(CANARY)), encoding="utf-8")
    changed = DeploymentConfig.load(file).with_values({"Network.InternetDisabled": True})
    assert str(changed.arc.client_secret).startswith("file:")


def test_a_literal_without_a_file_is_held_and_never_written() -> None:
    config = DeploymentConfig.parse(config_with(CANARY))
    assert isinstance(config.arc.client_secret, HeldSecret)
    with pytest.raises(SecretUnavailable, match="held in memory only") as caught:
        config.as_data()
    assert "env:NAME" in (caught.value.next_action or "")
    assert json.loads(config.to_json())["Arc"]["ClientSecret"] == "<redacted>"
    assert json.loads(config.to_json(resolve=True))["Arc"]["ClientSecret"] == CANARY


def test_a_file_as_windows_powershell_writes_it_is_referred_to_as_well(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(json.dumps(config_with(CANARY)).encode("utf-16"))
    secret = DeploymentConfig.load(file).arc.client_secret
    assert isinstance(secret, SecretRef)
    assert secret.resolve() == CANARY


def test_a_file_in_an_encoding_that_is_not_looked_up_again_is_not_referred_to(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(json.dumps(config_with(CANARY)).encode("utf-32"))
    assert isinstance(DeploymentConfig.load(file).arc.client_secret, HeldSecret)


def test_join_data_is_secret_too() -> None:
    tokens = {
        "ClusterJoinToken": "join-token-1",
        "ClusterId": "cluster-id-1",
        "DiscoveryTokenHash": "hash-12345",
        "CertificateKey": "key-12345",
    }
    config = DeploymentConfig.parse(config_with("env:X", Join=tokens))
    assert set(config.secrets()) == {"Arc.ClientSecret", *(f"Join.{name}" for name in tokens)}
    shown = repr(config) + str(config) + config.to_json() + str(config.model_dump()) + config.model_dump_json()
    assert not any(value in shown for value in tokens.values())


@pytest.mark.parametrize("wrong", [12345678, ["Canary-list-1"], {"a": "Canary-dict-1"}, True])
def test_a_secret_of_the_wrong_type_is_refused_without_showing_it(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        DeploymentConfig.parse(config_with(wrong))
    text = f"{caught.value}{caught.value.to_dict()}"
    assert "Canary" not in text
    assert "12345678" not in text


def test_a_placeholder_is_no_secret() -> None:
    with pytest.raises(ConfigError, match="placeholder in angle brackets"):
        DeploymentConfig.parse(config_with("<your secret>"))


def test_a_secret_under_a_mistyped_name_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        DeploymentConfig.parse(config_with("env:X", ClientSecrett=CANARY, Arcc={"ClientSecret": CANARY}))
    assert CANARY not in f"{caught.value}{caught.value.to_dict()}"


def test_a_syntax_fault_beside_a_secret_does_not_show_it() -> None:
    with pytest.raises(ConfigError) as caught:
        DeploymentConfig.parse('{"Arc": {"ClientSecret": "' + CANARY + '" "Location": 1}}')
    assert CANARY not in str(caught.value)


def test_a_password_in_a_proxy_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="carries a password") as caught:
        DeploymentConfig.parse(config_with("env:X", Network={"Proxy": {"Http": f"http://user:{'Canary8' * 2}@proxy:8080"}}))
    assert "Canary8Canary8" not in str(caught.value)


def test_a_held_secret_shows_itself_to_nobody() -> None:
    held = HeldSecret(CANARY)
    assert CANARY not in f"{held!r} {held} {[held]}"
    assert held == HeldSecret(CANARY)
    assert held.resolve() == CANARY
    assert pickle.loads(pickle.dumps(held)) == held  # noqa: S301
