"""Which characters mean what in PowerShell, typographic quotes and dashes included."""

from __future__ import annotations

SINGLE_QUOTES = frozenset("'\u2018\u2019\u201a\u201b")
DOUBLE_QUOTES = frozenset('"\u201c\u201d\u201e')
QUOTES = SINGLE_QUOTES | DOUBLE_QUOTES
DASHES = frozenset("-\u2013\u2014\u2015")
NEWLINES = frozenset("\r\n")
BLANKS = frozenset(" \t\f\v\u00a0\u0085")
WORD_ENDS = BLANKS | NEWLINES | frozenset("{}();,|&") | {""}

# Windows PowerShell 5.1's escapes; `e and `u{...} came with version 6 and mean the bare letter on a device.
ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def is_blank(character: str) -> bool:
    """True for white space that is not a line's end."""
    return character in BLANKS or (len(character) == 1 and character.isspace() and character not in NEWLINES)


def ends_word(character: str) -> bool:
    """True where a word without quotes ends: white space, end of text, or one of ``{ } ( ) ; , | &``."""
    return character in WORD_ENDS or is_blank(character)


def is_name_character(character: str) -> bool:
    """True for what may stand in a variable's name without braces."""
    return character.isalnum() or character in ("_", "?") if character else False


def is_member_start(character: str) -> bool:
    """True for what the name of a member may start with."""
    return character.isalpha() or character == "_"
