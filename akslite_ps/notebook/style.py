"""How everything in a notebook looks: colours, spacing and the few HTML pieces that tables and widgets share.

Colours are the front end's own (JupyterLab, then VS Code) with plain fallbacks, so that light and dark themes both
read well. A word is never told by colour alone: the dot before it is coloured, the word itself stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape as _escape
from importlib.resources import files
from typing import Literal

from akslite_ps.secrets import redact

Tone = Literal["good", "busy", "warn", "bad", "muted"]

_WORDS: Mapping[Tone, str] = {
    "good": "ok, changed, ready, running, completed, succeeded, active, done",
    "busy": "info, to do, working, pending, containercreating, podinitializing",
    "warn": "warning, ok_reboot_soft, ok_reboot_hard, retry_later, cancelled, unknown, interrupted, terminating",
    "bad": "error, failed, unreachable, timed_out, notready, not run, crashloopbackoff, imagepullbackoff, errimagepull",
    "muted": "skipped_condition, skipped_window, already so, waiting",
}
_TONES = {word: tone for tone, words in _WORDS.items() for word in words.split(", ")}


def escape(value: object) -> str:
    """Text for HTML, without any known secret."""
    return _escape(redact("" if value is None else str(value)))


def tone_of(word: str) -> Tone | None:
    """The tone of a word of state (an outcome, a severity, a Kubernetes status), or None for other text."""
    folded = word.casefold()
    if folded in _TONES:
        return _TONES[folded]
    head = folded.partition(",")[0]
    return "warn" if head == "ready" and head != folded else _TONES.get(head)


def state(word: str, tone: Tone | None = None) -> str:
    """A word of state as HTML: a coloured dot and the word."""
    tone = tone or tone_of(word)
    return f'<span class="akslite-dot akslite-{tone}">{escape(word)}</span>' if tone else escape(word)


def block(body: str) -> str:
    """HTML of ours with its style, for an output of a cell."""
    return f'{sheet()}<div class="akslite">{body}</div>'


@cache
def sheet() -> str:
    """The style as an HTML element; a widget app shows it once and leaves it out of what it updates."""
    css = files("akslite_ps.notebook").joinpath("style.css").read_text(encoding="utf-8")
    return f"<style>{' '.join(css.split())}</style>"


def frame(body: str) -> str:
    """HTML of ours without the style, for widgets inside an app that shows :func:`sheet`."""
    return f'<div class="akslite">{body}</div>'


def note(text: str, tone: Tone = "busy") -> str:
    """A sentence set apart by a coloured edge, as inner HTML for :func:`block`."""
    return f'<div class="akslite-note akslite-edge-{tone}">{escape(text)}</div>'
