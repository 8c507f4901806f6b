"""aide-userconfig.json of Microsoft's helper module: read whole, secrets become references, faults have paths."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.config.aide_user_config import UserConfig, moved
from akslite_ps.errors import ConfigError, SecretUnavailable, UsageError
from akslite_ps.secrets import SecretRef

SECRET = "canary-of-the-principal-7Q~"
GUID = "0c21e45c-4e00-4b82-b926-10f181867364"
SINGLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "azure-aks-edge" / "aksedge-config.json").read_text(encoding="utf-8")
)
SCALABLE: dict[str, Any] = json.loads(Path(__file__).with_name("scalable-config.json").read_text(encoding="utf-8"))
PREVIEW: dict[str, Any] = json.loads(Path(__file__).with_name("preview-config.json").read_text(encoding="utf-8"))
USER_CONFIG: dict[str, Any] = {
    "SchemaVersion": "1.3",
    "Version": "1.0",
    "AksEdgeProduct": "AKS Edge Essentials - K3s",
    "AksEdgeProductUrl": "",
    "InstallOptions": {"InstallPath": "D:\\AksEdge", "VhdxPath": ""},
    "VSwitch": {"Name": "external", "AdapterName": "Ethernet 3"},
    "Azure": {
        "ClusterName": "press-07-k3s",
        "SubscriptionName": "Plant",
        "SubscriptionId": GUID,
        "TenantId": GUID,
        "ResourceGroupName": "aksedge-rg",
        "ServicePrincipalName": "aksedge-sp",
        "Location": "EastUS",
        "CustomLocationOID": "",
        "Auth": {"ServicePrincipalId": GUID, "Password": SECRET},
    },
    "AksEdgeConfigFile": "aksedge-config.json",
}


def written(folder: Path, data: Any, *, config: Any = SINGLE, encoding: str = "utf-8") -> Path:
    """The helper's file with a deployment config beside it."""
    if config is not None:
        (folder / "aksedge-config.json").write_text(json.dumps(config), encoding="utf-8")
    file = folder / "aide-userconfig.json"
    file.write_text(json.dumps(data), encoding=encoding)
    return file


def changed(**sections: Any) -> dict[str, Any]:
    return {**copy.deepcopy(USER_CONFIG), **sections}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_azure_fills_the_arc_section_and_the_password_becomes_a_reference(tmp_path: Path, encoding: str) -> None:
    file = written(tmp_path, USER_CONFIG, encoding=encoding)
    found = UserConfig.load(file)
    arc = found.config.arc
    assert (arc.cluster_name, arc.location, arc.client_id) == ("press-07-k3s", "EastUS", GUID)
    assert str(arc.client_secret) == f"file:{file.resolve()}#Azure.Auth.Password"
    assert arc.client_secret is not None
    assert arc.client_secret.resolve() == SECRET
    assert (found.distribution, found.install_dir, found.vhdx_dir, found.installer) == ("K3s", "D:\\AksEdge", None, None)
    assert SECRET not in repr(found)
    assert SECRET not in json.dumps(found.config.as_data())


def test_without_a_password_the_azure_section_is_left_out_as_the_helper_does(tmp_path: Path) -> None:
    azure = {**USER_CONFIG["Azure"], "Auth": {"ServicePrincipalId": GUID, "Password": ""}}
    found = UserConfig.load(written(tmp_path, changed(Azure=azure)))
    assert found.config.arc.client_id is None
    assert any("without Azure.Auth.Password" in note for note in found.notes)


def test_what_the_config_says_already_is_kept(tmp_path: Path) -> None:
    config = {**SINGLE, "Arc": {"ClusterName": "mine", "ClientSecret": "env:ARC"}}
    found = UserConfig.load(written(tmp_path, USER_CONFIG, config=config))
    assert (found.config.arc.cluster_name, str(found.config.arc.client_secret)) == ("mine", "env:ARC")
    assert any(note.startswith("Arc.ClusterName: the deployment config's value is kept") for note in found.notes)


def test_the_old_name_of_the_application_id_is_read(tmp_path: Path) -> None:
    azure = {**USER_CONFIG["Azure"], "Auth": {"spId": GUID, "Password": SECRET}}
    assert UserConfig.load(written(tmp_path, changed(Azure=azure))).config.arc.client_id == GUID


def test_an_embedded_config_wins_and_its_secrets_are_referred_to_where_they_stand(tmp_path: Path) -> None:
    embedded = {**SINGLE, "Arc": {"ClientSecret": "another-canary-4"}}
    file = written(tmp_path, changed(AksEdgeConfig=embedded), config=None)
    secret = UserConfig.load(file).config.arc.client_secret
    assert str(secret) == f"file:{file.resolve()}#AksEdgeConfig.Arc.ClientSecret"
    assert secret is not None
    assert secret.resolve() == "another-canary-4"


def test_a_config_of_the_preview_is_carried_over(tmp_path: Path) -> None:
    found = UserConfig.load(written(tmp_path, changed(aksedgeconfig=PREVIEW), config=None))
    assert found.config.deployment_type == "ScalableCluster"
    assert any("VSwitch.Name" in note for note in found.notes)


def test_the_switch_of_a_scalable_cluster_gives_the_adapter(tmp_path: Path) -> None:
    config = copy.deepcopy(SCALABLE)
    config["Machines"][0].pop("NetworkConnection", None)
    found = UserConfig.load(written(tmp_path, USER_CONFIG, config=config))
    assert found.config.values()["Machines[0].NetworkConnection.AdapterName"] == "Ethernet 3"


def test_the_licence_terms_are_never_carried_over(tmp_path: Path) -> None:
    config = {**SINGLE, "User": {"AcceptEula": True}}
    found = UserConfig.load(written(tmp_path, USER_CONFIG, config=config))
    assert json.loads(found.config.to_json())["User"]["AcceptEula"] is False
    assert any("AcceptEula" in note for note in found.notes)


def test_a_signature_in_the_installers_address_goes_nowhere(tmp_path: Path) -> None:
    url = "https://files.example/AksEdge-K3s-1.33.5-1.12.269.0.msi"
    found = UserConfig.load(written(tmp_path, changed(AksEdgeProductUrl=f"{url}?sv=1&sig=canary-signature")))
    assert found.installer == url
    assert "canary-signature" not in repr(found)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([], "(document)"),
        (SINGLE, "(document)"),
        (changed(AksEdgeProduct="AKS Edge Essentials"), "AksEdgeProduct"),
        (changed(Azure={"SubscriptionId": "none of your business"}), "Azure.SubscriptionId"),
        (changed(Azure={"Auth": {"Password": 5}}), "Azure.Auth.Password"),
        (changed(InstallOptions="C:\\"), "InstallOptions"),
        (changed(AksEdgeConfig=[]), "AksEdgeConfig"),
        (changed(AksEdgeConfig={**SINGLE, "Network": {"NetworkPlugin": "weave"}}), "AksEdgeConfig.Network.NetworkPlugin"),
        ({**USER_CONFIG, "AksEdgeConfig": SINGLE, "AKSEDGECONFIG": SINGLE}, "AksEdgeConfig"),
    ],
)
def test_faults_have_a_path_and_say_what_is_allowed(tmp_path: Path, data: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        UserConfig.load(written(tmp_path, data))
    assert path in [issue.path for issue in caught.value.issues]
    assert all(issue.allowed and issue.reason for issue in caught.value.issues)


def test_fields_that_nobody_knows_are_told_and_left_out(tmp_path: Path) -> None:
    found = UserConfig.load(written(tmp_path, changed(PlantNumber=7)))
    assert "PlantNumber: left out; it is no field of this file" in found.notes


def test_a_config_that_lies_elsewhere_is_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, changed(AksEdgeConfigFile="C:\\setup\\press-07.json"), config=None)
    with pytest.raises(UsageError, match="not on this machine") as caught:
        UserConfig.load(file)
    assert "--config" in (caught.value.next_action or "")
    (tmp_path / "press-07.json").write_text(json.dumps(SINGLE), encoding="utf-8")
    assert UserConfig.load(file).config.deployment_type == SINGLE["DeploymentType"]


def test_the_secret_is_moved_into_a_file_of_its_own(tmp_path: Path) -> None:
    config = UserConfig.load(written(tmp_path, USER_CONFIG)).config
    to = SecretRef("file", str(tmp_path / "arc.secret"))
    after, notes = moved(config, to)
    assert (str(after.arc.client_secret), to.resolve()) == (str(to), SECRET)
    assert "take it out of the old file" in notes[0]
    with pytest.raises(SecretUnavailable, match="cannot be written"):
        moved(config, SecretRef("file", str(tmp_path / "no" / "folder")))
    assert moved(config, SecretRef("env", "ARC"))[0].as_data()["Arc"]["ClientSecret"] == "env:ARC"


def _damage(dice: random.Random, data: Any) -> Any:
    """The data with some values replaced, removed or renamed."""
    damaged = copy.deepcopy(data)
    for _ in range(dice.randint(1, 5)):
        here = damaged
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            key = dice.choice(keys)
            if isinstance(here[key], dict | list) and here[key] and dice.random() < 0.7:
                here = here[key]
                continue
            odd = [None, True, 0, 2**63, 0.5, "", "<x>", "\ud800", [], {}, [here[key]], {"x": here[key]}, "text", "C:\\\0"]
            match dice.randrange(3):
                case 0:
                    del here[key]
                case 1 if isinstance(here, dict):
                    here[dice.choice([str(key).swapcase(), "\ud800", "AksEdgeConfig", "Azure"])] = here.pop(key)
                case _:
                    here[key] = dice.choice(odd)
            break
    return damaged


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files_are_read_or_refused_with_paths(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)  # noqa: S311
    read, file = 0, written(tmp_path, {})
    for _ in range(500):
        base = dice.choice([USER_CONFIG, changed(AksEdgeConfig=SINGLE), changed(AksEdgeConfig=PREVIEW)])
        file.unlink()  # some file systems wait for the disk where a file is written over
        file = written(tmp_path, _damage(dice, base), config=None)
        try:
            found = UserConfig.load(file)
        except (ConfigError, UsageError) as error:
            _examine(error)
            continue
        read += 1
        "".join(found.notes).encode("utf-8")
        assert SECRET not in found.config.to_json()
    assert 0 < read < 500


def _examine(error: ConfigError | UsageError) -> None:
    str(error).encode("utf-8")
    assert SECRET not in str(error)
    if isinstance(error, ConfigError):
        assert error.issues
        assert all(issue.path and issue.allowed for issue in error.issues)
