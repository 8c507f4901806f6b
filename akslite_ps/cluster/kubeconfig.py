"""Kubeconfig files: read one context of a text, write a file only its owner can read, merge into another.

Used by ``cluster.client`` and by ``akslite kubeconfig``. A kubeconfig is a secret as a whole (it holds the
client key of a cluster administrator): no value of it appears in an error or a repr.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from filelock import FileLock

from akslite_ps.errors import UsageError
from akslite_ps.secrets import REDACTOR
from akslite_ps.whole_file import write_whole

_LISTS = ("clusters", "users", "contexts")
_LOCK_WAIT_S = 30


@dataclass(frozen=True, slots=True)
class KubeContext:
    """One context of a kubeconfig, decoded.

    Args:
        name: The context's name.
        server: URL of the API server.
        namespace: Default namespace.
        ca: The cluster's CA certificates (PEM), empty where the system's are to be trusted.
        tls_server_name: Name to expect in the server's certificate instead of the URL's host.
        certificate, key: Client certificate and key (PEM).
        token: Bearer token.
    """

    name: str
    server: str
    namespace: str = "default"
    ca: str = ""
    tls_server_name: str | None = None
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def read_kubeconfig(text: str, *, context: str | None = None, source: str = "the kubeconfig") -> KubeContext:
    """Decode one context of a kubeconfig and register its key and token for redaction.

    Args:
        text: YAML (or JSON) as ``Get-AksEdgeKubeConfig`` writes it.
        context: Which context; default: the current one, else the only one.
        source: What the text is, for messages.

    Raises:
        UsageError: It is no kubeconfig, lacks a part, or refers to files or helper programs. The AKS Edge
            kubeconfig embeds everything; running a program named in a text is not done here.
    """
    data = _parse(text, source)
    name, chosen = _context(data, context, source)
    cluster = _named(data, "clusters", chosen.get("cluster"), "cluster", source)
    user = _named(data, "users", chosen.get("user"), "user", source)
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise _unusable(source, "its cluster has no server URL")
    for part, keys in (
        (cluster, ("certificate-authority",)),
        (user, ("client-certificate", "client-key", "tokenFile", "exec", "auth-provider", "username", "password")),
    ):
        for key in keys:
            if part.get(key):
                raise _unusable(source, f"it uses {key!r}; only embedded certificates and tokens are read")
    if cluster.get("insecure-skip-tls-verify"):
        raise _unusable(source, "it turns certificate checks off (insecure-skip-tls-verify)")
    key = _pem(user, "client-key-data", source)
    token = user.get("token") or ""
    for secret in (key, user.get("client-key-data") or "", token):
        if secret:
            REDACTOR.add(str(secret))
    return KubeContext(
        name=name,
        server=server.rstrip("/"),
        namespace=str(chosen.get("namespace") or "default"),
        ca=_pem(cluster, "certificate-authority-data", source),
        tls_server_name=cluster.get("tls-server-name"),
        certificate=_pem(user, "client-certificate-data", source),
        key=key,
        token=str(token),
    )


def write_kubeconfig(path: Path, text: str, *, merge: bool = False, context_name: str | None = None) -> Path:
    """Write a kubeconfig atomically, readable by its owner only.

    Args:
        path: The file; its folder is made where missing.
        text: The kubeconfig.
        merge: Keep what the file already holds, and replace or add this kubeconfig's context, which becomes the
            current one. Without it a file that exists is replaced.
        context_name: With ``merge``: the name for context, cluster and user, e.g. the device's name. Every AKS Edge
            kubeconfig uses the same few names, so without this the second device would replace the first.

    Returns:
        The absolute path.

    Raises:
        UsageError: The text or the existing file is no kubeconfig, or the file cannot be written.
    """
    path = path.expanduser().resolve()
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a file that could be replaced", next_action="choose another file")
    read_kubeconfig(text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not merge:
            write_whole(path, text if context_name is None else _dump(_renamed(text, context_name)))
            return path
        with FileLock(path.with_name(path.name + ".lock"), timeout=_LOCK_WAIT_S):
            base = _existing(path)
            addition = _renamed(text, context_name) if context_name else _parse(text, "the kubeconfig")
            write_whole(path, _dump(_merged(base, addition)))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}",
            attempted="write the kubeconfig",
            next_action="choose another file or mend its permissions",
        ) from None
    return path


def _existing(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        return _parse(text, str(path)) if text.strip() else {"apiVersion": "v1", "kind": "Config"}
    except UnicodeDecodeError:
        why = f"{path} cannot be used: it is not text in UTF-8"
    except UsageError as error:
        why = error.message
    raise UsageError(
        why, attempted="add a cluster to the kubeconfig", next_action="mend that file, or choose another; it is left as it is"
    )


def _unusable(source: str, why: str) -> UsageError:
    return UsageError(f"{source} cannot be used: {why}", next_action="fetch it again with: akslite kubeconfig DEVICE -o FILE")


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise _unusable(source, f"it is not YAML{where}") from None
    if not isinstance(data, dict) or data.get("kind", "Config") != "Config":
        raise _unusable(source, "it is not a kubeconfig")
    for name in _LISTS:
        entries = data.get(name) or []
        if not isinstance(entries, list) or not all(isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries):
            raise _unusable(source, f"{name!r} is not a list of named entries")
        data[name] = entries
    return data


def _context(data: Mapping[str, Any], wanted: str | None, source: str) -> tuple[str, Mapping[str, Any]]:
    contexts = data["contexts"]
    name = wanted or data.get("current-context") or (contexts[0]["name"] if len(contexts) == 1 else None)
    for entry in contexts:
        if entry["name"] == name and isinstance(entry.get("context"), dict):
            return str(name), entry["context"]
    known = ", ".join(entry["name"] for entry in contexts) or "none"
    raise _unusable(source, f"there is no context {name!r}; it has: {known}" if name else f"no context is current; it has: {known}")


def _named(data: Mapping[str, Any], group: str, name: object, key: str, source: str) -> Mapping[str, Any]:
    for entry in data[group]:
        if entry["name"] == name and isinstance(entry.get(key), dict):
            return cast("Mapping[str, Any]", entry[key])
    raise _unusable(source, f"its context names a {key} {name!r} that is not in it")


def _pem(part: Mapping[str, Any], key: str, source: str) -> str:
    value = part.get(key)
    if not value:
        return ""
    try:
        return base64.b64decode(str(value), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _unusable(source, f"{key!r} is not base64 of a PEM text") from None


def _renamed(text: str, name: str) -> dict[str, Any]:
    data = _parse(text, "the kubeconfig")
    _, chosen = _context(data, None, "the kubeconfig")
    cluster = _named(data, "clusters", chosen.get("cluster"), "cluster", "the kubeconfig")
    user = _named(data, "users", chosen.get("user"), "user", "the kubeconfig")
    rest = {key: value for key, value in data.items() if key not in (*_LISTS, "current-context")}
    return {
        **rest,
        "clusters": [{"name": name, "cluster": dict(cluster)}],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [{"name": name, "context": {**chosen, "cluster": name, "user": name}}],
        "current-context": name,
    }


def _merged(base: Mapping[str, Any], addition: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for group in _LISTS:
        new = {entry["name"]: entry for entry in addition.get(group) or []}
        kept = [new.pop(entry["name"], entry) for entry in base.get(group) or []]
        merged[group] = [*kept, *new.values()]
    merged["current-context"] = addition.get("current-context") or addition["contexts"][0]["name"]
    return merged


def _dump(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(data), sort_keys=False, default_flow_style=False, width=4096)
