"""Kubeconfig files: embedded credentials only, written for their owner only, merged without losing others."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from akslite_ps.cluster import read_kubeconfig, write_kubeconfig
from akslite_ps.errors import UsageError
from akslite_ps.secrets import redact

KEY = "-----BEGIN PRIVATE KEY-----\ncanary-key-4d2f\n-----END PRIVATE KEY-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(name: str = "default", server: str = "https://192.168.0.2:6443", **user: Any) -> dict[str, Any]:
    user = user or {"client-certificate-data": encoded("certificate"), "client-key-data": encoded(KEY)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": encoded("authority")}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def text_of(data: dict[str, Any]) -> str:
    return str(yaml.safe_dump(data))


def test_the_current_context_is_decoded() -> None:
    context = read_kubeconfig(text_of(config()))
    assert (context.name, context.server, context.namespace) == ("default", "https://192.168.0.2:6443", "default")
    assert (context.ca, context.certificate, context.key) == ("authority", "certificate", KEY)


def test_the_key_shows_in_no_repr_and_is_known_to_redaction() -> None:
    context = read_kubeconfig(text_of(config()))
    assert "canary" not in repr(context)
    assert "canary" not in redact(f"{KEY} and {encoded(KEY)}")
    assert encoded(KEY) not in redact(text_of(config()))


def test_a_token_is_known_to_redaction() -> None:
    read_kubeconfig(text_of(config(token="canary-token-88")))
    assert redact("canary-token-88") == "<redacted>"


def broken(**changes: Any) -> str:
    data = config()
    for path, value in changes.items():
        group, _, key = path.partition("__")
        part = data[f"{group}s"][0][group]
        part.pop(key.replace("_", "-"), None)
        if value is not None:
            part[key.replace("_", "-")] = value
    return text_of(data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "not YAML at line 1"),
        ("just text", "not a kubeconfig"),
        ("kind: Pod", "not a kubeconfig"),
        ("kind: Config\nclusters: 5", "'clusters' is not a list"),
        ("kind: Config", "no context is current; it has: none"),
        (broken(cluster__server=None), "no server URL"),
        (broken(cluster__server="ftp://x"), "no server URL"),
        (broken(cluster__insecure_skip_tls_verify=True), "turns certificate checks off"),
        (broken(user__exec={"command": "run-me"}), "uses 'exec'"),
        (broken(user__client_key="key.pem"), "uses 'client-key'"),
        (broken(user__client_key_data="@@@"), "'client-key-data' is not base64"),
        (broken(context__user="nobody"), "names a user 'nobody' that is not in it"),
    ],
)
def test_an_unusable_kubeconfig_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_kubeconfig(text, source="the kubeconfig of press-01")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("the kubeconfig of press-01 cannot be used")


def test_an_unknown_context_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no context 'other'; it has: default"):
        read_kubeconfig(text_of(config()), context="other")


def test_a_file_is_written_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "new" / "config", text_of(config()))
    assert path.read_text(encoding="utf-8") == text_of(config())
    assert [item.name for item in path.parent.iterdir()] == ["config"]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_merge_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "config"
    write_kubeconfig(path, text_of(config("old")))
    write_kubeconfig(path, text_of(config("new")))
    assert read_kubeconfig(path.read_text(encoding="utf-8")).name == "new"


def test_merging_keeps_the_others_and_makes_the_new_one_current(tmp_path: Path) -> None:
    path = tmp_path / "config"
    other = config("other", "https://10.0.0.9:6443")
    other["preferences"] = {"colors": True}
    path.write_text(text_of(other), encoding="utf-8")
    write_kubeconfig(path, text_of(config()), merge=True)
    merged = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [entry["name"] for entry in merged["contexts"]] == ["other", "default"]
    assert merged["current-context"] == "default"
    assert merged["preferences"] == {"colors": True}
    assert read_kubeconfig(path.read_text(encoding="utf-8"), context="other").server == "https://10.0.0.9:6443"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_merging_again_replaces_the_entry_of_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "config"
    for server in ("https://10.0.0.1:6443", "https://10.0.0.2:6443"):
        write_kubeconfig(path, text_of(config(server=server)), merge=True)
    merged = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [entry["cluster"]["server"] for entry in merged["clusters"]] == ["https://10.0.0.2:6443"]


def test_devices_keep_their_own_contexts_under_their_own_names(tmp_path: Path) -> None:
    path = tmp_path / "config"
    for number in (1, 2):
        write_kubeconfig(path, text_of(config(server=f"https://10.0.0.{number}:6443")), merge=True, context_name=f"press-0{number}")
    text = path.read_text(encoding="utf-8")
    assert read_kubeconfig(text, context="press-01").server == "https://10.0.0.1:6443"
    assert read_kubeconfig(text).server == "https://10.0.0.2:6443"


def test_what_is_no_kubeconfig_is_neither_written_nor_merged_into(tmp_path: Path) -> None:
    path = tmp_path / "config"
    with pytest.raises(UsageError):
        write_kubeconfig(path, "nothing")
    assert not path.exists()
    path.write_text("precious: notes\nkind: Diary\n", encoding="utf-8")
    with pytest.raises(UsageError):
        write_kubeconfig(path, text_of(config()), merge=True)
    assert path.read_text(encoding="utf-8") == "precious: notes\nkind: Diary\n"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        write_kubeconfig(tmp_path / "file" / "config", text_of(config()))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"{{{", b"- a"])
def test_a_file_that_cannot_be_added_to_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="could not add a cluster") as refused:
        write_kubeconfig(path, text_of(config()), merge=True)
    assert "left as it is" in str(refused.value)
    assert path.read_bytes() == content


def test_a_link_stays_a_link_to_the_file_that_is_written(tmp_path: Path) -> None:
    link = tmp_path / "config"
    try:
        link.symlink_to(tmp_path / "real")
    except OSError:
        pytest.skip("this user cannot make links")
    write_kubeconfig(link, text_of(config()))
    assert link.is_symlink()
    assert read_kubeconfig((tmp_path / "real").read_text(encoding="utf-8"))


@pytest.mark.skipif(os.name == "nt", reason="named pipes are another thing on Windows")
def test_what_is_no_plain_file_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="not a file that could be replaced"):
        write_kubeconfig(pipe, text_of(config()))
    assert pipe.is_fifo()
