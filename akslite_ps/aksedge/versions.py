"""Versions compared as versions: schema 1.10 is newer than 1.9.

Used by the config's rules, the release table and whoever compares products; knows no product fact.
"""

from __future__ import annotations

import re

from akslite_ps.errors import UsageError

_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,3}", re.ASCII)


def is_version(text: str) -> bool:
    """Whether the text is one to four numbers with dots between them."""
    return bool(_VERSION.fullmatch(text))


def version_key(text: str) -> tuple[int, int, int, int]:
    """A sort key; missing parts count as 0, so ``1.11`` equals ``1.11.0.0``.

    Raises:
        UsageError: The text is no version.
    """
    if not is_version(text):
        raise UsageError(f"{text!r} is no version", next_action="use one to four numbers with dots, such as 1.12.269.0")
    parts = [int(part) for part in text.split(".")]
    major, minor, build, revision = parts + [0] * (4 - len(parts))
    return major, minor, build, revision


def compare(left: str, right: str) -> int:
    """-1 where left is older than right, 0 where they are the same, 1 where it is newer.

    Raises:
        UsageError: One of them is no version.
    """
    first, second = version_key(left), version_key(right)
    return (first > second) - (first < second)
