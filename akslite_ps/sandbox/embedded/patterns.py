"""Regular expressions of .NET, run by Python's: what differs in the patterns that commands and roles use is put into other words.

Used for ValidatePattern and for ``-match``. Both engines read the rest alike.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLASSES = {
    r"\p{Ll}": "a-zß-öø-ÿ",
    r"\p{Lu}": "A-ZÀ-ÖØ-Þ",
    r"\p{Lt}": "ǅǈǋǲ",
    r"\p{Lo}": "ªºא-ת",
    r"\p{Lm}": "ʰ-ʸ",
    r"\p{Nd}": "0-9",
    r"\p{L}": "A-Za-zÀ-ÖØ-öø-ÿ",
    r"\z": r"\Z",
}

# How the two engines call what is wrong with a pattern: the beginning of Python's words, and Windows PowerShell 5.1's.
_REASONS = {
    "unterminated character set": "Unterminated [] set.",
    "missing ), unterminated subpattern": "Not enough )'s.",
    "unbalanced parenthesis": "Too many )'s.",
    "nothing to repeat": "Quantifier {x,y} following nothing.",
    "multiple repeat": "Nested quantifier.",
    "bad character range": "[x-y] range in reverse order.",
    "bad escape (end of pattern)": "Illegal \\ at end of pattern.",
    "bad escape": "Unrecognized escape sequence.",
    "min repeat greater than max repeat": "Illegal {x,y} with x > y.",
    "unknown extension": "Unrecognized grouping construct.",
    "unexpected end of pattern": "Unrecognized grouping construct.",
}


@lru_cache(maxsize=256)
def dotnet_pattern(pattern: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """A .NET pattern, compiled.

    Raises:
        re.error: It is not a valid pattern.
    """
    text = pattern.replace(r"\Z", r"(?=\n?\Z)")
    for theirs, ours in _CLASSES.items():
        text = text.replace(theirs, ours)
    text = re.sub(r"\(\?<(?![=!])", "(?P<", text)
    return re.compile(text, re.IGNORECASE if ignore_case else 0)


def dotnet_reason(error: re.error) -> str:
    """What .NET says is wrong with a pattern that Python refuses."""
    return next((theirs for ours, theirs in _REASONS.items() if error.msg.startswith(ours)), error.msg)
