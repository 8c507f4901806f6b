"""A diagnosis as one page: Markdown for tickets, HTML that needs no other file. Used by ``operations.diagnose``. No I/O here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from akslite_ps.operations.diagnosis import Cause, Diagnosis, Evidence

SURE = {
    "seen now": "seen on the device now",
    "likely": "likely: the newest failure says so",
    "possible": "possible: a log names it",
    "earlier": "past",
}
_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:1.6rem}"
    "section{border-left:4px solid #999;padding:.1rem 1rem;margin:1rem 0;background:#f6f6f6}section.first{border-color:#b3261e}"
    "code,pre{font-family:ui-monospace,Consolas,monospace;font-size:.9em}pre{background:#eee;padding:.5rem;overflow-x:auto}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;"
    "border-bottom:1px solid #ddd}.bad{color:#b3261e}.dim{color:#666}blockquote{margin:.3rem 0;color:#444}"
)


def headline(found: Diagnosis) -> str:
    """The verdict with how sure it is."""
    likely = found.likely
    return found.verdict if likely is None else f"{likely.cause} ({SURE[likely.sure]})"


def as_markdown(found: Diagnosis) -> str:
    """The page as Markdown."""
    return "\n".join(_markdown(found)) + "\n"


def _markdown(found: Diagnosis) -> Iterator[str]:
    yield f"# Diagnosis of {_plain(found.device)}"
    yield ""
    yield f"{_when(found)}"
    yield ""
    yield f"**{_plain(headline(found))}**"
    mattering, rest = _parted(found)
    for number, cause in enumerate(mattering, start=1):
        yield ""
        yield f"## {number}. {_plain(cause.cause)}"
        yield ""
        yield f"- how sure: {SURE[cause.sure]}; the failure is {cause.certainty} ({_plain(cause.source)})"
        yield f"- what to do: {_plain(cause.remedy)}"
        yield f"- next: `{cause.next}`"
        for evidence in cause.evidence:
            yield f"- {_plain(_origin(evidence))}: {_plain(evidence.text)}"
    if found.unrecognised:
        yield from ("", "## In the device's own words, not recognised", "")
        for evidence in found.unrecognised:
            yield f"- {_plain(_origin(evidence))}: {_plain(evidence.text)}"
    if rest:
        yield from ("", "## Seen, and not the cause", "")
        for cause in rest:
            yield f"- {_plain(cause.cause)} ({_plain(cause.note or SURE[cause.sure])})"
    if found.files:
        yield from ("", "## Archives", "")
        for file in found.files:
            yield f"- {file.title}: {_plain(_place(file.local, file.remote))}{'; ' + _plain(file.note) if file.note else ''}"
    yield from ("", "## What was asked", "", "| question | answer | seconds |", "|---|---|---|")
    for done in found.readings:
        word = {True: "", False: "**failed:** ", None: ""}[done.ok]
        yield f"| {done.title} | {word}{_plain(done.found).replace('|', chr(92) + '|')} | {done.duration_s:.1f} |"


def as_html(found: Diagnosis) -> str:
    """The page as HTML, complete in itself: no script, no other file."""
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>Diagnosis of {html.escape(found.device)}</title>'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>{_STYLE}</style></head><body>\n"
        + "\n".join(_html(found))
        + "\n</body></html>\n"
    )


def _html(found: Diagnosis) -> Iterator[str]:
    yield f'<h1>Diagnosis of {html.escape(found.device)}</h1><p class="dim">{html.escape(_when(found))}</p>'
    yield f"<p><strong>{html.escape(headline(found))}</strong></p>"
    mattering, rest = _parted(found)
    for number, cause in enumerate(mattering, start=1):
        yield f"<section{' class=first' if number == 1 else ''}><h2>{number}. {html.escape(cause.cause)}</h2>"
        yield f"<p>{html.escape(cause.remedy)}</p><pre>{html.escape(cause.next)}</pre>"
        known = f"{SURE[cause.sure]}; the failure is {cause.certainty} ({cause.source})"
        yield f'<p class="dim">{html.escape(known)}</p>{_quotes(cause.evidence)}</section>'
    if found.unrecognised:
        yield f"<h2>In the device's own words, not recognised</h2>{_quotes(found.unrecognised)}"
    if rest:
        items = "".join(f"<li>{html.escape(c.cause)} ({html.escape(c.note or SURE[c.sure])})</li>" for c in rest)
        yield f"<h2>Seen, and not the cause</h2><ul>{items}</ul>"
    if found.files:
        items = "".join(
            f"<li>{html.escape(f.title)}: <code>{html.escape(_place(f.local, f.remote))}</code> {html.escape(f.note)}</li>"
            for f in found.files
        )
        yield f"<h2>Archives</h2><ul>{items}</ul>"
    yield "<h2>What was asked</h2><table><tr><th>question</th><th>answer</th><th>seconds</th></tr>"
    for done in found.readings:
        style = {True: "", False: ' class="bad"', None: ' class="dim"'}[done.ok]
        yield f"<tr><td>{html.escape(done.title)}</td><td{style}>{html.escape(done.found)}</td><td>{done.duration_s:.1f}</td></tr>"
    yield "</table>"


def _parted(found: Diagnosis) -> tuple[list[Cause], list[Cause]]:
    return [cause for cause in found.causes if cause.matters], [cause for cause in found.causes if not cause.matters]


def _quotes(found: Iterable[Evidence]) -> str:
    return "".join(
        f'<blockquote><span class="dim">{html.escape(_origin(e))}:</span> {html.escape(e.text)}</blockquote>' for e in found
    )


def _when(found: Diagnosis) -> str:
    asked = [done for done in found.readings if done.ok is not None]
    answered = sum(bool(done.ok) for done in asked)
    return f"{found.started:%Y-%m-%d %H:%M:%S} UTC, {found.duration_s:.0f} s, {answered} of {len(asked)} questions answered"


def _origin(evidence: Evidence) -> str:
    return evidence.where + (f", {evidence.time:%Y-%m-%d %H:%M:%S}" if evidence.time else "")


def _place(local: str | None, remote: str | None) -> str:
    return local or (f"{remote} (on the device)" if remote else "on the device")


def _plain(text: str) -> str:
    """Words of a device as they are: no markup of theirs takes effect."""
    words = " ".join(text.split())
    for mark in ("\\", "`", "*", "_", "[", "]", "<", ">", "#"):
        words = words.replace(mark, "\\" + mark)
    return words
