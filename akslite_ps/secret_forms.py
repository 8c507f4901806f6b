"""The forms in which a secret's value may turn up in a text: quoted, escaped, encoded, and those one inside the other.

Used by ``secrets`` alone. Pure functions on strings.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
import shlex
import unicodedata
import urllib.parse
from collections.abc import Iterator

SHORTEST = 4
"""Shorter values would redact ordinary text."""

_LONG_LINE = 12
_PERCENT = re.compile("%[0-9A-F]{2}")


def forms(value: str) -> set[str]:
    """Every form of a value that is looked for; all have at least :data:`SHORTEST` characters.

    Args:
        value: The secret. Of one with several lines, each long line counts on its own: devices tell lines one by one.
    """
    found = set()
    for text in _values(value):
        found |= {form for quoted in _quoted(text) for form in (quoted, *_in_addresses(quoted))}
        # What is encoded is the text itself, or a JSON or PowerShell source that holds it.
        for source in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''")}:
            found |= _encoded(source)
    return {form for form in found if len(form) >= SHORTEST}


def _values(value: str) -> set[str]:
    """The value itself, and what a keyboard, a terminal or a text file makes of it."""
    lines = value.splitlines()
    values = {value, value.strip(), "\n".join(lines), "\r\n".join(lines)}
    values |= {line.strip() for line in lines[1:] + lines[:1] if len(line.strip()) >= _LONG_LINE and not line.startswith("-----")}
    if not value.isascii():
        values |= {unicodedata.normalize(form, text) for form in ("NFC", "NFD") for text in tuple(values)}
    return {text for text in values if len(text) >= SHORTEST}


def _quoted(text: str) -> Iterator[str]:
    """As source text of JSON, PowerShell, XML, HTML, YAML, Python, or a command line."""
    yield text
    if text.isascii() and text.isalnum():
        return
    for plain in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield plain
        yield json.dumps(plain)[1:-1]
        yield plain.replace("/", "\\/")
        # As code points: what Windows PowerShell's serialiser writes so, and what .NET's does.
        yield "".join(f"\\u{ord(c):04x}" if c in "<>&'" else c for c in plain)
        yield "".join(f"\\u{ord(c):04X}" if c in "<>&'+`\"" else c for c in plain.replace('\\"', '"'))
    yield text.replace("'", "''")
    expanded = "".join(f"`{c}" if c in '`$"' else c for c in text)
    yield expanded
    yield expanded.replace("\r", "`r").replace("\n", "`n").replace("\t", "`t")
    yield text.replace('"', '""')
    yield shlex.quote(text).strip("'")
    markup = html.escape(text, quote=False)
    yield markup
    if '"' in text or "'" in text:
        for double in ("&quot;", '"', "&#34;"):
            for single in ("&apos;", "&#39;", "&#x27;", "'"):
                yield markup.replace('"', double).replace("'", single)
    yield "".join(f"_x{ord(c):04X}_" if ord(c) < 32 else c for c in markup)
    yield text.encode("unicode_escape").decode("ascii")
    yield repr(text)[1:-1]
    for encoding in () if text.isascii() else ("latin-1", "cp437", "cp1252"):
        yield text.encode("utf-8", "surrogatepass").decode(encoding, "replace")


def _in_addresses(text: str) -> Iterator[str]:
    """In an address or a form."""
    raw = text.encode("utf-8", "surrogatepass")
    for quoted in (
        urllib.parse.quote(raw),
        urllib.parse.quote(raw, safe=""),
        urllib.parse.quote(raw, safe="!*'()"),
        urllib.parse.quote(raw, safe=";,/?:@&=+$-_.!~*'()#"),
        urllib.parse.quote_plus(raw),
        urllib.parse.quote_plus(raw, safe="!*()"),
    ):
        yield quoted
        yield _PERCENT.sub(lambda found: found[0].lower(), quoted)
        yield urllib.parse.quote(quoted, safe="")


def _encoded(text: str) -> set[str]:
    """As bytes in UTF-8, UTF-16 and their base64 and hexadecimal forms; UTF-16 also read as if it were another encoding."""
    little, big = text.encode("utf-16-le", "surrogatepass"), text.encode("utf-16-be", "surrogatepass")
    found = {little.decode("latin-1"), little.decode("latin-1").rstrip("\0"), big.decode("latin-1")}
    found |= {big.decode("latin-1").lstrip("\0"), "\0".join(text)}
    raws = [text.encode("utf-8", "surrogatepass"), little, big]
    if not text.isascii():
        raws.append(text.encode("cp1252", "replace"))
    for raw in raws:
        found |= {raw.hex(), raw.hex().upper(), raw.hex("-").upper(), raw.hex(" "), raw.hex(":")} | _base64(raw)
    return found


def _base64(raw: bytes) -> set[str]:
    """The base64 text of the bytes alone, and the part of it that every longer base64 text holding them shares."""
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found.add(encode(raw).decode("ascii"))
        for offset in range(3):
            text = encode(b"\0" * offset + raw).decode("ascii")
            found.add(text[math.ceil(offset * 8 / 6) : (offset + len(raw)) * 8 // 6])
    return found
