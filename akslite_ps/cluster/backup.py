"""Saves what people put into a cluster as manifests in a folder, and applies them to another cluster.

    saved = save(cluster, folder)
    ...
    restore(cluster, Backup.load(folder))

Saved is what a person or their tools made: no system namespaces, nothing that a controller makes from something else, nothing that
belongs to the distribution, none of the fields that a server sets. Data in volumes is not saved. Secrets of the cluster only if the
caller says so; the folder is then a secret itself. Every file is listed with its SHA-256. Used by ``operations.change``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from akslite_ps.cluster.portable import Api, Kind, in_order, is_made_by_people, items, kinds, portable
from akslite_ps.errors import AksLiteError, Unreachable, UsageError
from akslite_ps.whole_file import write_whole

FORMAT = 1
MANIFEST = "backup.json"
_FILE = re.compile(r"\d{4}-[A-Za-z0-9._-]+\.json.*")
FIELD_MANAGER = "akslite-restore"
_DEFINITION = "CustomResourceDefinition"
_DEFINITION_POLL_S = 0.25


class SavedFile(BaseModel):
    """One file of a backup: its name in the folder, its SHA-256 (hex), and which object it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str
    path: str
    kind: str
    namespace: str | None
    name: str


class Backup(BaseModel):
    """What was saved. ``volumes`` are claims whose data was not saved, as ``namespace/name``.

    Args:
        format: Of the folder.
        device: Name of the device.
        created: UTC.
        server_version: Of the API server.
        with_secrets: Secrets are among the files.
        files: In the order in which they are applied.
        volumes: Claims with data that is not in the backup.
        left_out: Secrets that were not saved, as ``namespace/name``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    device: str
    created: dt.datetime
    server_version: str
    with_secrets: bool = False
    files: tuple[SavedFile, ...] = ()
    volumes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Backup:
        """Read a backup and make sure that it is whole.

        Raises:
            UsageError: There is none, a file is missing or was changed, or a newer akslite wrote it.
        """
        try:
            found = cls.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"there is no backup in {folder}: {error.strerror or error}", next_action="name its folder") from None
        except (ValidationError, ValueError) as error:
            raise UsageError(f"{folder / MANIFEST} is no list of a backup: {type(error).__name__}") from None
        if found.format > FORMAT:
            raise UsageError(f"the backup in {folder} has format {found.format}", next_action="update akslite on this machine")
        for saved in found.files:
            try:
                data = (folder / saved.file).read_bytes()
            except OSError as error:
                raise UsageError(f"the backup in {folder} is not whole: {saved.file}: {error.strerror or error}") from None
            if hashlib.sha256(data).hexdigest() != saved.sha256:
                raise UsageError(f"the backup in {folder} is not as it was saved: {saved.file} was changed")
        return found


@dataclass(frozen=True, slots=True)
class Restored:
    """What applying a backup came to.

    Args:
        applied: Paths of the objects.
        failed: Why, by path.
    """

    applied: tuple[str, ...]
    failed: Mapping[str, str]


def save(
    api: Api,
    folder: Path,
    *,
    device: str,
    with_secrets: bool = False,
    on_kind: Callable[[str], None] | None = None,
) -> Backup:
    """Save a cluster's objects.

    Args:
        api: The cluster.
        folder: Where the files go; made where it is missing, must be empty otherwise.
        device: Name of the device.
        with_secrets: Save secrets, too; the folder is then as secret as they are.
        on_kind: Told of each kind before it is read.

    Returns:
        The backup; it is complete once this returns.

    Raises:
        UsageError: The folder holds something, or cannot be written.
        AksLiteError: The cluster cannot be read.
    """
    version = str(api.get_json("/version").get("gitVersion", ""))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", next_action="name a new folder")
        files: list[SavedFile] = []
        volumes, left_out = [], []
        for kind in in_order(kinds(api)):
            if on_kind is not None:
                on_kind(kind.name)
            for item in items(api, kind):
                if not is_made_by_people(kind, item):
                    continue
                name = f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
                if kind.name == "secrets" and not with_secrets:
                    left_out.append(name)
                    continue
                if kind.name == "persistentvolumeclaims":
                    volumes.append(name)
                files.append(_write(folder, len(files), kind, portable(kind, item)))
        saved = Backup(
            device=device,
            created=dt.datetime.now(dt.UTC),
            server_version=version,
            with_secrets=with_secrets,
            files=tuple(files),
            volumes=tuple(volumes),
            left_out=tuple(left_out),
        )
        write_whole(folder / MANIFEST, saved.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"the backup cannot be written to {folder}: {error.strerror or error}", next_action="name another folder, or make room"
        ) from None
    return Backup.load(folder)


def clear_unfinished(folder: Path) -> None:
    """Take the files of a backup away that broke off while it was saved; a complete one, and everything else, stays.

    Raises:
        UsageError: They cannot be removed.
    """
    if not folder.is_dir() or (folder / MANIFEST).exists():
        return
    try:
        for file in folder.iterdir():
            if _FILE.fullmatch(file.name):
                file.unlink()
    except OSError as error:
        raise UsageError(f"the unfinished backup in {folder} cannot be removed: {error.strerror or error}") from None


def restore(
    api: Api, backup: Backup, folder: Path, *, on_object: Callable[[str], None] | None = None, within_s: float = 60.0
) -> Restored:
    """Apply a backup's objects on the server side, in its order. What fails is told and does not stop the rest.

    The kinds that definitions bring are served a moment after them: that is waited for. What failed is tried once more at the end.

    Args:
        api: The cluster.
        backup: From :meth:`Backup.load`.
        folder: Its folder.
        on_object: Told of each object before it is applied.
        within_s: The longest wait for the kinds of the definitions, in seconds.

    Raises:
        Unreachable: The cluster does not answer.
        OSError: A file cannot be read.
    """
    applied: list[str] = []
    failed: dict[str, str] = {}
    definitions: list[str] = []
    for again in (False, True):
        for saved in [saved for saved in backup.files if not again or saved.path in failed]:
            if definitions and saved.kind != _DEFINITION:
                _wait_until_established(api, definitions, within_s)
                definitions.clear()
            if on_object is not None:
                on_object(f"{saved.kind} {saved.name}")
            data = json.loads((folder / saved.file).read_text(encoding="utf-8"))
            try:
                api.apply_json(saved.path, data, manager=FIELD_MANAGER)
            except Unreachable:
                raise
            except AksLiteError as error:
                failed[saved.path] = error.message
            else:
                failed.pop(saved.path, None)
                applied.append(saved.path)
                if saved.kind == _DEFINITION:
                    definitions.append(saved.path)
    return Restored(tuple(applied), failed)


def _wait_until_established(api: Api, paths: Iterable[str], within_s: float) -> None:
    """Wait until a cluster serves the kinds of these definitions. One that is not served in time shows when its objects fail."""
    end = time.monotonic() + within_s
    for path in paths:
        while not _is_established(api.get_json(path)) and time.monotonic() < end:
            time.sleep(_DEFINITION_POLL_S)


def _is_established(definition: Mapping[str, Any]) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Established" and item.get("status") == "True" for item in conditions)


def _write(folder: Path, number: int, kind: Kind, data: dict[str, Any]) -> SavedFile:
    metadata = data["metadata"]
    parts = [kind.plural, metadata.get("namespace"), metadata["name"]]
    name = f"{number:04}-{re.sub(r'[^A-Za-z0-9.-]', '_', '-'.join(part for part in parts if part))[:120]}.json"
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / name, text)
    return SavedFile(
        file=name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        path=kind.path_of(data),
        kind=kind.kind,
        namespace=metadata.get("namespace"),
        name=metadata["name"],
    )
