"""The product's log archives: made on the device, copied here where the endpoint allows, and read for known failures.

Called by ``operations.diagnose``. What comes from a device is unpacked in memory only, and only so much of it.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from akslite_ps.errors import AksLiteError, NotPermitted
from akslite_ps.operations.diagnosis import FetchedFile, Text

if TYPE_CHECKING:
    from akslite_ps.operations.diagnosis_readings import Reader
    from akslite_ps.remoting import Session

LOGS_LIMIT_S = 1800.0
_KEPT_BYTES = 1024 * 1024
"""How much of the end of a log is read."""

_EVENTS_BYTES = 32 * 1024 * 1024
_UNPACKED_BYTES = 256 * 1024 * 1024
_MEMBERS = 400
_LOGS_FOLDER = "C:\\ProgramData\\AksEdge\\logs"
_AS_IT_IS = "as the product made it: look through it before you hand it on"
_READABLE = (".txt", ".log", ".xml", "")
_RECORD = re.compile(r'<DT N="TimeCreated">([^<]*)</DT>|<By N="Level">(\d+)</By>|<S N="Message">([^<]*)</S>')
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def fetch(reader: Reader, folder: Path, *, logs: bool) -> list[FetchedFile]:
    """Have the archives made, and copy them here.

    Args:
        reader: Asks the device.
        folder: Where the copies go; it exists.
        logs: Make the archive of all logs, too, which takes minutes.

    Returns:
        Where each archive is. What could not be made is a failed reading.
    """
    found = [_fetch(reader, folder, "event-log-zip", "Product's event log as an archive", "get_event_log")]
    if logs:
        found.append(_fetch(reader, folder, "log-zip", "All logs as an archive", "get_logs"))
    return [file for file in found if file is not None]


def _fetch(reader: Reader, folder: Path, reading: str, title: str, method: str) -> FetchedFile | None:
    def make(session: Session) -> tuple[str, FetchedFile]:
        from akslite_ps.aksedge.calls import AksEdge
        from akslite_ps.remoting.file_copy import copy_from_device

        remote: str | None = getattr(AksEdge(session), method)(timeout_s=LOGS_LIMIT_S)
        if remote is None:
            note = f"the product did not tell where it put the archive; look in {_LOGS_FOLDER} on the device"
            return note, FetchedFile(title=title, remote=None, note=note)
        local = folder / PureWindowsPath(remote).name
        try:
            copied = copy_from_device(session, remote, local, overwrite=True)
        except NotPermitted:
            note = "this endpoint gives no files away: the archive stays on the device"
            return f"{note} at {remote}", FetchedFile(title=title, remote=remote, note=note)
        except AksLiteError as error:
            note = f"it stays on the device: {error.message}"
            return f"{remote}; {note}", FetchedFile(title=title, remote=remote, note=note)
        return f"{local} ({copied.size // 1024} KB)", FetchedFile(title=title, remote=remote, local=str(local), note=_AS_IT_IS)

    return reader.question(reading, title, make)


def texts_of(archive: Path) -> Iterator[Text]:
    """The logs in an archive; nothing where it cannot be read.

    Args:
        archive: A zip of the product.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist()[:_MEMBERS]:
                if PureWindowsPath(member.filename).suffix.casefold() not in _READABLE or member.is_dir():
                    continue
                where = f"{archive.name}, {member.filename}"
                if member.filename.casefold().endswith("events.xml"):
                    yield from _events(_text(opened, member, _EVENTS_BYTES), where)
                else:
                    yield Text(where, _text(opened, member, _KEPT_BYTES))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return


def _text(opened: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> str:
    """The end of a member, at most so many bytes of it, an even number; of one that unpacks to far more, not the end."""
    with opened.open(member) as stream:
        head = stream.read(2)
        encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(head, "utf-8")
        kept, total = b"" if encoding != "utf-8" else head, 0
        while (block := stream.read(_KEPT_BYTES)) and total < _UNPACKED_BYTES:
            total += len(block)
            kept = (kept + block)[-most:]
    return kept.decode(encoding, errors="replace")


def _events(text: str, where: str) -> Iterator[Text]:
    """Entries of an exported event log. Read by its lines, not as XML: it comes from elsewhere and may hold anything."""
    time, level = None, 0
    for created, number, message in _RECORD.findall(text):
        if created:
            time = _moment(created)
        elif number:
            level = int(number)
        elif message:
            words = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), html.unescape(message))
            yield Text(where, words, time, failure=0 < level <= 2)


def _moment(text: str) -> dt.datetime | None:
    """A time as CLIXML has it: seven digits of a second are one more than Python takes."""
    try:
        moment = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text))
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
