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
