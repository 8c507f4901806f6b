"""Reads characters, white space, quoted texts and variables; knows nothing of commands.

The base of ``expressions``: one cursor over one text, and the errors that name a place in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NoReturn

from akslite_ps.command_line.characters import (
    DOUBLE_QUOTES,
    ESCAPES,
    NEWLINES,
    QUOTES,
    SINGLE_QUOTES,
    is_blank,
    is_member_start,
    is_name_character,
)
from akslite_ps.command_line.faults import CommandLineError, Place
from akslite_ps.command_line.syntax import Interpolated, Literal, Variable

_SCOPES = {"global", "script", "local", "private", "using", "variable"}
_LINE_END = re.compile("\n")
_REST_OF_LINE = re.compile(r"[^\S\n]*(?:\n|\Z)")
_GREATEST_INDEX_DIGITS = 9
_STRING_FORM = "a text in double quotes"


class Reader:
    """A cursor over the text of a script. ``at`` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._line_starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    def peek(self, ahead: int = 0) -> str:
        """The character ``ahead`` of the cursor; empty at the end of the text."""
        position = self.at + ahead
        return self.text[position] if position < len(self.text) else ""

    def looking_at(self, prefix: str) -> bool:
        """True where the text goes on with ``prefix``."""
        return self.text.startswith(prefix, self.at)

    def place(self, offset: int | None = None) -> Place:
        """The place of the cursor, or of ``offset``."""
        at = self.at if offset is None else offset
        line = bisect_right(self._line_starts, at)
        return Place(at, line, at - self._line_starts[line - 1] + 1)

    def refuse(self, construct: str, reason: str, instead: str, *, at: int | None = None, incomplete: bool = False) -> NoReturn:
        """Raise the error for what stands at the cursor, or at the offset ``at``."""
        raise CommandLineError(construct, reason, place=self.place(at), instead=instead, incomplete=incomplete)

    def skip(self, *, newlines: bool = False) -> bool:
        """Pass over blanks, comments and continued lines, with ``newlines`` over line ends too.

        Returns:
            True if anything was passed over.
        """
        start = self.at
        while character := self.peek():
            if is_blank(character) or (newlines and character in NEWLINES):
                self.at += 1
            elif character == "`" and self._continued():
                continue
            elif character == "#" and (self.at > start or self._stands_apart()):
                while self.peek() and self.peek() not in NEWLINES:
                    self.at += 1
            elif self.looking_at("<#"):
                end = self.text.find("#>", self.at + 2)
                if end < 0:
                    self.refuse("a comment <# ... #>", "has no end", "close it with #>", incomplete=True)
                self.at = end + 2
            else:
                break
        return self.at > start

    def _stands_apart(self) -> bool:
        """True where nothing that a # could belong to ends at the cursor."""
        before = self.text[self.at - 1 : self.at] if self.at else ""
        return not before or is_blank(before) or before in NEWLINES or before in ";|,({="

    def _continued(self) -> bool:
        following = self.text[self.at + 1 : self.at + 3]
        if not following:
            self.refuse("a line ending with `", "goes on in a next line that is missing", "write the next line", incomplete=True)
        if following[0] in NEWLINES:
            self.at += 3 if following == "\r\n" else 2
            return True
        if not is_blank(following[0]):
            return False
        if _REST_OF_LINE.match(self.text, self.at + 1):
            self.refuse("a ` before white space", "does not continue the line", "remove the white space after the `")
        self.at += 2
        return True

    def single_quoted(self) -> str:
        """The text from an opening single quote; a doubled quote stands for one."""
        start = self.at
        self.at += 1
        parts: list[str] = []
        while character := self.peek():
            self.at += 1
            if character in SINGLE_QUOTES:
                if self.peek() not in SINGLE_QUOTES:
                    return "".join(parts)
                character = self.peek()
                self.at += 1
            parts.append(character)
        self.refuse("a text in single quotes", "has no closing quote", "close it with '", at=start, incomplete=True)

    def double_quoted(self) -> list[str | Variable]:
        """The parts from an opening double quote, with backtick escapes resolved and variables kept."""
        start = self.at
        self.at += 1
        parts: list[str | Variable] = []
        while character := self.peek():
            if character in DOUBLE_QUOTES:
                self.at += 1
                if self.peek() not in DOUBLE_QUOTES:
                    return parts
                parts.append(self.peek())
                self.at += 1
            else:
                self._part(parts)
        self.refuse(_STRING_FORM, "has no closing quote", 'close it with "', at=start, incomplete=True)

    def here_string(self) -> Literal | Interpolated:
        """The text of ``@'`` or ``@"`` up to the closing quote at the start of a line."""
        start = self.at
        place = self.place()
        quotes = SINGLE_QUOTES if self.peek(1) in SINGLE_QUOTES else DOUBLE_QUOTES
        closing = "'@" if quotes is SINGLE_QUOTES else '"@'
        self.at += 2
        while is_blank(self.peek()):
            self.at += 1
        if self.peek() and self.peek() not in NEWLINES:
            self.refuse("a here-string", "must start on a line of its own", f"break the line after @{closing[0]}", at=start)
        self._newline()
        first, end = self.at, self._here_string_end(quotes, start, closing)
        stop = first if end <= first else end - (2 if self.text[end - 2 : end] == "\r\n" else 1)
        if quotes is SINGLE_QUOTES:
            value: Literal | Interpolated = Literal(self.text[first:stop], place)
        else:
            parts: list[str | Variable] = []
            while self.at < stop:
                self._part(parts)
            value = text_of(parts, place)
        self.at = end + 2
        return value

    def _newline(self) -> None:
        if self.peek() == "\r":
            self.at += 1
        if self.peek() == "\n":
            self.at += 1

    def _here_string_end(self, quotes: frozenset[str], start: int, closing: str) -> int:
        line = self.at
        while line < len(self.text):
            if self.text[line] in quotes and self.text[line + 1 : line + 2] == "@":
                return line
            following = self.text.find("\n", line)
            if following < 0:
                break
            line = following + 1
        self.refuse("a here-string", "has no end", f"close it with {closing} at the start of a line", at=start, incomplete=True)

    def _part(self, parts: list[str | Variable]) -> None:
        character = self.peek()
        if character == "`":
            parts.append(self.escape())
        elif character == "$":
            parts.append(self.variable_in_text())
        else:
            self.at += 1
            parts.append(character)

    def escape(self) -> str:
        """The character that a backtick and its follower stand for."""
        if not self.peek(1):
            self.refuse("a ` at the end", "escapes nothing", "write the character to be escaped", incomplete=True)
        escaped = self.peek(1)
        self.at += 2
        return ESCAPES.get(escaped, escaped)

    def variable_in_text(self) -> str | Variable:
        """What a ``$`` inside a text means: a variable, ``$($x.Name)``, or the sign itself."""
        if self.peek(1) == "(":
            return self._value_in_text()
        if self.peek(1) == "{" or is_name_character(self.peek(1)) or self.peek(1) in ("$", "^"):
            return self.variable_name()
        self.at += 1
        return "$"

    def _value_in_text(self) -> Variable:
        start = self.at
        self.at += 2
        self.skip()
        if self.peek() == "$" and self.peek(1) != "(":
            variable = self.variable()
            self.skip()
            if self.peek() == ")":
                self.at += 1
                return variable
        self.refuse(
            "a sub-expression $(...)",
            "may hold only a variable such as $($x.Name) in a simple command line",
            "assign the value first, $x = ..., and use it as $($x.Name)",
            at=start,
            incomplete=not self.peek(),
        )

    def variable(self) -> Variable:
        """A variable with its members and indexes, from the ``$``."""
        variable = self.variable_name()
        path: list[str | int] = []
        while True:
            if self.peek() == "." and (is_member_start(self.peek(1)) or self.peek(1) in QUOTES):
                path.append(self._member())
            elif self.peek() == "[":
                path.append(self._index())
            elif self.looking_at("::"):
                self.refuse("a static member ::", "is no simple value", "compute it in a %%python cell and take it with --in")
            else:
                return Variable(variable.name, variable.place, tuple(path))

    def _member(self) -> str:
        start = self.at
        self.at += 1
        if self.peek() in SINGLE_QUOTES:
            name = self.single_quoted()
        elif self.peek() in DOUBLE_QUOTES:
            name = plain(self.double_quoted()) or self.refuse(
                "a member name with variables", "is no simple value", "write the member's name", at=start
            )
        else:
            begin = self.at
            while is_name_character(self.peek()) and self.peek() != "?":
                self.at += 1
            name = self.text[begin : self.at]
        if self.peek() == "(":
            self.refuse(f"the method call .{name}(...)", "is script text", "compute it in a %%python cell", at=start)
        return name

    def _index(self) -> str | int:
        start = self.at
        self.at += 1
        self.skip()
        if self.peek() in SINGLE_QUOTES:
            index: str | int = self.single_quoted()
        else:
            begin = self.at
            while self.peek().isdecimal() or (self.peek() == "-" and self.at == begin):
                self.at += 1
            word = self.text[begin : self.at]
            digits = word.lstrip("-")
            index = int(word) if digits.isdecimal() and len(digits) <= _GREATEST_INDEX_DIGITS else ""
        self.skip()
        if self.peek() != "]" or index == "":
            self.refuse(
                "an index [...]",
                "may be a whole number or a key in single quotes",
                "write $x[0], $x[-1] or $x['key']",
                at=start,
                incomplete=not self.peek(),
            )
        self.at += 1
        return index

    def variable_name(self) -> Variable:
        """A variable without members: ``$name``, ``${any name}``, ``$env:NAME``."""
        start, place = self.at, self.place()
        self.at += 1
        if self.peek() == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                self.refuse("a variable ${...}", "has no end", "close it with }", at=start, incomplete=True)
            name = self.text[self.at + 1 : end]
            if "{" in name or "`" in name:
                self.refuse("a variable ${...}", "has a { or ` in its name", "use letters, digits and _", at=start)
            self.at = end + 1
        else:
            name = self._bare_name()
            if self.peek() == ":" and self.peek(1) != ":":
                self.refuse(f"${name}:", "is not a variable and a colon to PowerShell", f"write ${{{name}}}:", at=start)
        scope, colon, rest = name.partition(":")
        if colon and scope.casefold() in _SCOPES:
            self.refuse(f"the scope ${scope}:", "has no meaning here", f"write ${rest}", at=start)
        if colon and scope.casefold() != "env":
            self.refuse(
                f"${name}",
                f"would be read by PowerShell from a drive {scope}:",
                f"write ${{{scope}}}:{rest} in double quotes",
                at=start,
            )
        if not name.strip() or (colon and not rest):
            self.refuse("a $", "has no variable name after it", "write the variable's name", at=start)
        if name.casefold() in ("_", "psitem"):
            self.refuse(f"${name}", "exists only inside a script block", "use Where-Object { $_.Name -eq 'x' }", at=start)
        if name in ("?", "$", "^"):
            self.refuse(f"the automatic variable ${name}", "is not kept", "errors are shown below the cell", at=start)
        return Variable(f"env:{rest}" if colon else name, place)

    def _bare_name(self) -> str:
        begin = self.at
        if self.peek() in ("$", "^", "?"):
            self.at += 1
            return self.text[begin : self.at]
        while is_name_character(self.peek()) or (
            self.peek() == ":" and self.peek(1) != ":" and self.at > begin and is_name_character(self.peek(1))
        ):
            self.at += 1
        return self.text[begin : self.at]


def plain(parts: list[str | Variable]) -> str | None:
    """The parts as one text, or None where there is a variable among them."""
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if len(texts) == len(parts) else None


def text_of(parts: list[str | Variable], place: Place) -> Literal | Interpolated:
    """The parts as the value of a text."""
    whole = plain(parts)
    if whole is not None:
        return Literal(whole, place)
    merged: list[str | Variable] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return Interpolated(tuple(merged), place)
