"""What stands at the cursor of an unfinished command line: for completion and for help.

Reads any text, also one that :func:`parse` would refuse; never fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from akslite_ps.command_line.characters import DASHES, DOUBLE_QUOTES, NEWLINES, SINGLE_QUOTES, ends_word, is_blank

Kind = Literal["command", "parameter", "value", "variable", "nothing"]


@dataclass(frozen=True, slots=True)
class Spot:
    """The word at the cursor and what it is.

    Args:
        kind: ``nothing`` inside comments and quoted texts with variables.
        word: The word up to the cursor, without quotes, dash or dollar sign.
        start: Offset where the word starts, its dash or sign included.
        command: The command the word belongs to; empty at the command itself.
        parameter: For a value: the parameter before it, empty for a positional one.
        quote: The quote that is open before the word, or empty.
    """

    kind: Kind
    word: str
    start: int
    command: str = ""
    parameter: str = ""
    quote: str = ""


def spot_at(text: str, offset: int) -> Spot:
    """The spot at a cursor position.

    Args:
        text: The whole cell.
        offset: Cursor position, counted in characters from 0.
    """
    return _Scan(text[: max(0, min(offset, len(text)))]).spot()


def word_around(text: str, offset: int) -> tuple[int, int]:
    """Start and end of the word that the cursor touches."""
    start = end = max(0, min(offset, len(text)))
    while start > 0 and not ends_word(text[start - 1]) and text[start - 1] not in "'\"":
        start -= 1
    while end < len(text) and not ends_word(text[end]) and text[end] not in "'\"":
        end += 1
    return start, end


class _Scan:
    """One walk over the text before the cursor."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.command = ""
        self.parameter = ""
        self.listed = ""
        """The parameter whose values a comma goes on with."""

    def spot(self) -> Spot:
        spot = Spot("command", "", len(self.text))
        while self.at < len(self.text):
            character = self.text[self.at]
            if is_blank(character):
                self.at += 1
            elif character == ",":
                self.at += 1
                self.parameter = self.listed
            elif character == "`" and self.text[self.at + 1 : self.at + 2] in NEWLINES:
                self.at += 2
            elif character in NEWLINES or character in ";|&(){}":
                self._new_command(character)
            elif character == "#" or self.text.startswith("<#", self.at):
                if not self._pass_comment():
                    return Spot("nothing", "", len(self.text), self.command)
            elif (found := self._word()) is not None:
                return found
        kind: Kind = "value" if self.command else "command"
        return Spot(kind, "", spot.start, self.command, self.parameter)

    def _new_command(self, character: str) -> None:
        self.at += 1
        self.command, self.parameter, self.listed = "", "", ""
        if character == "|":
            while self.text[self.at : self.at + 1] and self.text[self.at] in NEWLINES:
                self.at += 1

    def _pass_comment(self) -> bool:
        closing = "#>" if self.text[self.at] == "<" else "\n"
        end = self.text.find(closing, self.at)
        if end < 0:
            return False
        self.at = end + (2 if closing == "#>" else 0)
        return True

    def _word(self) -> Spot | None:
        """Pass over one word; the spot where the text ends inside it."""
        start = self.at
        character = self.text[start]
        if character in SINGLE_QUOTES or character in DOUBLE_QUOTES:
            return self._quoted(start)
        while self.at < len(self.text) and not ends_word(self.text[self.at]):
            if self.text[self.at] == "=" and character == "$":
                break
            self.at += 2 if self.text[self.at] == "`" else 1
        word = self.text[start : self.at]
        if self.at >= len(self.text):
            return self._ending(start, word)
        self._passed(word)
        return None

    def _ending(self, start: int, word: str) -> Spot:
        if word[0] == "$":
            return Spot("variable", word[1:], start, self.command)
        if not self.command:
            return Spot("command", word, start)
        if word[0] in DASHES and not word[1:2].isdecimal():
            name, colon, value = word[1:].partition(":")
            if colon:
                return Spot("value", value, start + len(name) + 2, self.command, name)
            return Spot("parameter", word[1:], start, self.command)
        return Spot("value", word, start, self.command, self.parameter)

    def _passed(self, word: str) -> None:
        if word[0] == "$" and not self.command:
            if self.text[self.at : self.at + 1] == "=":
                self.at += 1
            return
        if word == "=" and not self.command:
            return
        if not self.command:
            self.command = word
        elif word[0] in DASHES and word[1:2].isalpha():
            self.parameter, colon, _ = word[1:].partition(":")
            self.listed = self.parameter if colon else ""
        else:
            self.listed, self.parameter = self.parameter, ""

    def _quoted(self, start: int) -> Spot | None:
        quotes = SINGLE_QUOTES if self.text[start] in SINGLE_QUOTES else DOUBLE_QUOTES
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] not in quotes:
            self.at += 2 if self.text[self.at] == "`" and quotes is DOUBLE_QUOTES else 1
        if self.at >= len(self.text):
            inside = self.text[start + 1 :]
            if quotes is DOUBLE_QUOTES and "$" in inside:
                return Spot("nothing", "", len(self.text), self.command)
            return Spot("value", inside, start + 1, self.command, self.parameter, self.text[start])
        self.at += 1
        if self.command:
            self.listed, self.parameter = self.parameter, ""
        return None
