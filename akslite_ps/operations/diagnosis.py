"""What a diagnosis is: readings, texts, causes with evidence, the whole. Frozen data, JSON-ready and without secrets.

Made by ``operations.diagnose``; shown by the command line and by ``operations.diagnosis_report``. No I/O here.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from akslite_ps.secrets import REDACTED, redact

Sure = Literal["seen now", "likely", "possible", "earlier"]
"""How sure a cause is for this device: its state shows it now; the newest failure names it; a log names it somewhere; it was
there, and the device has got past it."""

_NAMES = "clientsecret|client_secret|password|passwd|clusterjointoken|discoverytokenhash|certificatekey|token|accesskey|sharedkey"
_NAMED_SECRET = re.compile(rf"""(?i)(["']?\b(?:{_NAMES})["']?\s*[:=]\s*["']?)(?!{REDACTED})([^\s"',;}}<]{{4,}})""")
_BEARER = re.compile(r"(?i)\b(bearer\s+)([A-Za-z0-9._~+/=-]{16,})")
_JOIN_TOKEN = re.compile(r"\bK10[0-9a-f]{16,}(?:::\S+)?")
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})$")


def cleaned(text: str) -> str:
    """The text without the secrets that this process knows, and without what a log itself calls a secret."""
    text = _JOIN_TOKEN.sub(REDACTED, redact(text))
    return _NAMED_SECRET.sub(rf"\1{REDACTED}", _BEARER.sub(rf"\1{REDACTED}", text))


def cleaned_data(value: Any) -> Any:
    """The same for JSON-like data; times and other objects become text."""
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, dict):
        return {str(k): REDACTED if _SECRET_NAME.search(str(k)) and v else cleaned_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned_data(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if isinstance(value, dt.datetime) else cleaned(str(value))


class _Frozen(BaseModel):
    """Texts of these models hold no secrets, whoever makes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _without_secrets(cls, value: Any) -> Any:
        return cleaned(value) if isinstance(value, str) else value


class Reading(_Frozen):
    """One question to the device, and how it went.

    Args:
        id, title: Which question.
        ok: None where it was not asked.
        found: What was found, or why nothing was.
        next_action: What to do where it failed.
        duration_s: Seconds it took.
    """

    id: str
    title: str
    ok: bool | None
    found: str
    next_action: str = ""
    duration_s: float = 0.0


class Evidence(_Frozen):
    """What speaks for a cause: where it was read, the words, and when they were written, where that is known."""

    where: str
    text: str
    time: dt.datetime | None = None


class Cause(_Frozen):
    """A likely cause, or a symptom behind which no cause was found.

    Args:
        id: Of the known failure; ``unreachable`` and ``unrecognised`` are not among them.
        kind: ``cause``, ``symptom`` or ``noise``.
        cause: What is behind it.
        remedy: What to do.
        next: The command to type next.
        sure: How sure it is for this device.
        certainty, source: How well the failure itself is known, and from where.
        evidence: What speaks for it, the weightiest first.
        note: Why it is thought to be past, where it is.
    """

    id: str
    kind: Literal["cause", "symptom", "noise"]
    cause: str
    remedy: str
    next: str
    sure: Sure
    certainty: str
    source: str
    evidence: tuple[Evidence, ...] = ()
    note: str = ""

    @property
    def matters(self) -> bool:
        """Whether it is about something that is wrong now."""
        return self.kind != "noise" and self.sure != "earlier"


class FetchedFile(_Frozen):
    """An archive that the product made on the device.

    Args:
        title: What is in it.
        remote: Where it lies on the device, None where the product did not tell.
        local: Where its copy lies here, None where it stayed on the device.
        note: Why it stayed there.
    """

    title: str
    remote: str | None
    local: str | None = None
    note: str = ""


class Diagnosis(_Frozen):
    """A device's diagnosis.

    Args:
        device: Its name.
        started: UTC.
        duration_s: Seconds it took.
        reachable: False where no session could be opened: then nothing is known to be wrong with the device itself.
        complete: True where every question that was asked was answered.
        causes: The likeliest first; those that are past, and noise, at the end.
        unrecognised: The newest failures in the device's words that no known failure explains.
        readings: Every question, in order.
        files: Archives of the product.
        data: What was read, by reading.
        schema_version: Of this form.
    """

    schema_version: int = 1
    device: str
    started: dt.datetime
    duration_s: float
    reachable: bool
    complete: bool
    causes: tuple[Cause, ...] = ()
    unrecognised: tuple[Evidence, ...] = ()
    readings: tuple[Reading, ...] = ()
    files: tuple[FetchedFile, ...] = ()
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def likely(self) -> Cause | None:
        """The likeliest cause of what is wrong now, None where nothing was found."""
        return next((cause for cause in self.causes if cause.matters), None)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.likely is not None:
            return self.likely.cause
        if not self.complete:
            return "No cause was found, but not every question was answered."
        return "Nothing wrong was found."


@dataclass(frozen=True, slots=True)
class Text:
    """Words of the device in which known failures are looked for.

    Args:
        where: Where they were read.
        text: The words.
        time: When they were written, UTC, where that is known.
        now: They tell of the device as it is, not of what was.
        failure: They tell of a failure, by their place: an error, an entry of that severity.
    """

    where: str
    text: str
    time: dt.datetime | None = None
    now: bool = False
    failure: bool = False
