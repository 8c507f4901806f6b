"""Reads the values of a command line: quoted texts, numbers, variables, lists, tables.

PowerShell has two ways of reading. An *argument* of a command may be a bare word; an *operand* (after ``=``,
in ``@(...)``, ``@{...}``, ``(...)`` or at the start of a pipeline) may not: a word there is a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from akslite_ps.command_line.characters import (
    DASHES,
    DOUBLE_QUOTES,
    NEWLINES,
    QUOTES,
    SINGLE_QUOTES,
    ends_word,
    is_blank,
    is_name_character,
)
from akslite_ps.command_line.numbers import read_number
from akslite_ps.command_line.reader import Reader, text_of
from akslite_ps.command_line.syntax import Collected, Expression, Items, Literal, Number, Table, Variable

_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_NUMBER_AHEAD = re.compile(r"[+\-\u2013\u2014\u2015]?\.?[0-9][0-9a-zA-Z.]*(?:(?<=[eE])[+-][0-9]+[a-zA-Z]*)?")
_GREATEST_DEPTH = 50
_CALCULATE = "compute it in a %%python cell and take it with --in"


class ExpressionReader(Reader):
    """A reader of values. Every method leaves the cursor behind what it has read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._in_operand = False
        self._depth = 0

    def argument(self) -> Expression:
        """An argument, with the further items of a comma list."""
        return self._items(self._argument_item)

    def operand(self, *, newlines: bool = False) -> Expression:
        """A value where a bare word would be a command, with the further items of a comma list."""
        with self._operands():
            return self._items(self._operand_item, newlines=newlines)

    def starts_operand(self) -> bool:
        """True where a value starts that PowerShell does not take for a command name."""
        here, following = self.peek(), self.peek(1)
        if here in QUOTES or here in ("$", "("):
            return True
        if here == "@":
            return following in ("(", "{") or following in QUOTES
        match = _NUMBER_AHEAD.match(self.text, self.at)
        return bool(match and read_number(match[0]) is not None and self._ends_operand(match.end()))

    @contextmanager
    def _operands(self) -> Iterator[None]:
        outer, self._in_operand = self._in_operand, True
        try:
            yield
        finally:
            self._in_operand = outer

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Inside of a bracket; the text is refused where brackets stand too deep in each other."""
        if self._depth == _GREATEST_DEPTH:
            self.refuse("a bracket", f"inside of {_GREATEST_DEPTH} others is too deep", "assign inner values to variables first")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _items(self, read: Callable[[], Expression], *, newlines: bool = False) -> Expression:
        place = self.place()
        items = [read()]
        while True:
            before = self.at
            self.skip(newlines=newlines)
            if self.peek() != ",":
                self.at = before
                break
            self.at += 1
            self.skip(newlines=True)
            if not self.peek():
                self.refuse("a comma list", "ends with a comma", "write the next item", incomplete=True)
            items.append(read())
        return items[0] if len(items) == 1 else Items(tuple(items), place)

    def _argument_item(self) -> Expression:
        self._refuse_redirection()
        if self.peek() == "@" and is_name_character(self.peek(1)):
            self.refuse("a splatted variable", "stands alone", "write @name after a space, not as a value")
        value = self._common_value()
        if value is None:
            if self.peek() in DASHES and self.peek(1) in DASHES and ends_word(self.peek(2)):
                self.refuse("the end-of-parameters sign --", "is not needed", "leave it out and quote the values")
            return self._word()
        if not ends_word(self.peek()) or self.peek() in ("{", "("):
            self._refuse_adjacent()
        return value

    def _refuse_redirection(self) -> None:
        ahead = self.peek() if self.peek() not in "123456*" else self.peek(1)
        if ahead in (">", "<") and ahead:
            self.refuse(
                "a redirection",
                "is script text",
                "keep the result with $x = ... or %%ps --out x; silence errors with -ErrorAction SilentlyContinue",
            )

    def _operand_item(self) -> Expression:
        value = self._common_value()
        if value is not None:
            return value
        match = _NUMBER_AHEAD.match(self.text, self.at)
        number = read_number(match[0]) if match else None
        if match and number is not None and self._ends_operand(match.end()):
            place = self.place()
            self.at = match.end()
            return Number(number, match[0], place)
        self._refuse_operand()

    def _ends_operand(self, offset: int) -> bool:
        character = self.text[offset : offset + 1]
        return ends_word(character) or character in ("+", "-", "*", "/", "%", "=", "]")

    def _refuse_adjacent(self) -> NoReturn:
        if self.peek() == "(":
            self.refuse("a call name(...)", "is no cmdlet call", "write the values after the command, separated by spaces")
        self.refuse(
            "text directly after a value",
            "would be a second argument to PowerShell",
            "put a space between them, or all of it in double quotes",
        )

    def _refuse_operand(self) -> NoReturn:
        start, character = self.at, self.peek()
        if not character:
            self.refuse("the text", "ends where a value is expected", "write the value", incomplete=True)
        if character == "[":
            self.refuse("a type [...]", "is script text", _CALCULATE)
        if character in DASHES or character in ("!", "+"):
            self.refuse("an operator", "is script text", _CALCULATE)
        while not ends_word(self.peek()):
            self.at += 1
        word = self.text[start : self.at] or character
        self.refuse(
            f"the word {word}",
            "would be a command here",
            f"quote it, '{word}', or assign the command's result to a variable first",
            at=start,
        )

    def _common_value(self) -> Expression | None:
        """What reads the same in both ways; None where a bare word or a number starts."""
        character, following = self.peek(), self.peek(1)
        place = self.place()
        if character in SINGLE_QUOTES:
            return self._no_member(Literal(self.single_quoted(), place))
        if character in DOUBLE_QUOTES:
            return self._no_member(text_of(self.double_quoted(), place))
        if character == "$":
            return self._dollar()
        if character == "(":
            return self._group()
        if character == "{":
            self.refuse(
                "a script block { ... }",
                "is script text",
                "use the cmdlet's own parameters, or %%ps --script on a full-language endpoint",
            )
        if character == "@" and following == "(":
            return self._list()
        if character == "@" and following == "{":
            return self._table()
        if character == "@" and following in QUOTES:
            return self.here_string()
        return None

    def _no_member(self, value: Expression) -> Expression:
        if self.peek() == "." and is_name_character(self.peek(1)):
            self.refuse("a member of a text", "is script text", _CALCULATE)
        return value

    def _dollar(self) -> Expression | None:
        start, place = self.at, self.place()
        if self.peek(1) == "(":
            self.refuse("a sub-expression $(...)", "is script text", "assign the value first, $x = ..., and use $x")
        if not (self.peek(1) == "{" or is_name_character(self.peek(1)) or self.peek(1) in ("$", "^")):
            return None
        variable = self.variable()
        if variable.name.casefold() in _CONSTANTS:
            if variable.path:
                self.refuse(f"a member of ${variable.name}", "does not exist", f"write ${variable.name} alone", at=start)
            return Literal(_CONSTANTS[variable.name.casefold()], place)
        if self.peek() in ("+", "-") and self.peek(1) == self.peek():
            self.refuse("the operator " + self.peek() * 2, "is script text", _CALCULATE)
        return self._word(variable) if not variable.path and self._word_goes_on() else variable

    def _word_goes_on(self) -> bool:
        """After a variable: more of the same word, as in ``$root/logs``; an operand never has that."""
        return not self._in_operand and not ends_word(self.peek()) and self.peek() not in ("[", "=", ".")

    def _group(self) -> Expression:
        start = self.at
        self.at += 1
        value = self._inside(")", start, "parentheses (...)")
        if self.peek() in (".", "["):
            self.refuse("a member of (...)", "is script text", "assign the value first, $x = ..., and use $x.Name")
        return value

    def _inside(self, closing: str, start: int, construct: str) -> Expression:
        self.skip(newlines=True)
        with self.deeper():
            value = self.operand(newlines=True)
        self.skip(newlines=True)
        if self.peek() != closing:
            self._refuse_unclosed(start, construct, closing)
        self.at += 1
        return value

    def _refuse_unclosed(self, start: int, construct: str, closing: str) -> NoReturn:
        if not self.peek():
            self.refuse(construct, "is not closed", f"close it with {closing}", at=start, incomplete=True)
        if self.peek() == "|":
            self.refuse(f"a pipeline in {construct}", "is script text", "assign its result first, $x = ..., and use $x")
        self.refuse(f"the operator {self._operator()}", f"in {construct} is script text", _CALCULATE)

    def _operator(self) -> str:
        end = self.at
        while end < len(self.text) and not is_blank(self.text[end]) and self.text[end] not in NEWLINES and end - self.at < 12:
            end += 1
        return self.text[self.at : end]

    def _list(self) -> Expression:
        start, place = self.at, self.place()
        self.at += 2
        items: list[Expression] = []
        with self._operands(), self.deeper():
            self._skip_separators()
            while self.peek() != ")":
                if not self.peek():
                    self._refuse_unclosed(start, "a list @(...)", ")")
                items.append(self.operand())
                self.skip()
                if self.peek() != ")" and not self._skip_separators():
                    self._refuse_unclosed(start, "a list @(...)", ")")
        self.at += 1
        return Collected(tuple(items), place)

    def _table(self) -> Expression:
        start, place = self.at, self.place()
        self.at += 2
        entries: list[tuple[str, Expression]] = []
        with self._operands(), self.deeper():
            self._skip_separators()
            while self.peek() != "}":
                entries.append(self._entry(start))
                self.skip()
                if self.peek() != "}" and not self._skip_separators():
                    self._refuse_unclosed(start, "a table @{...}", "}")
        self.at += 1
        seen: set[str] = set()
        for key, value in entries:
            if key.casefold() in seen:
                self.refuse(f"the key {key}", "stands twice in the table", "keep one of them", at=value.place.offset)
            seen.add(key.casefold())
        return Table(tuple(entries), place)

    def _skip_separators(self) -> bool:
        passed = False
        while self.skip(newlines=True) or self.peek() == ";":
            passed = True
            if self.peek() == ";":
                self.at += 1
        return passed

    def _entry(self, start: int) -> tuple[str, Expression]:
        key = self._key(start)
        self.skip()
        if self.peek() != "=":
            self.refuse(
                "a table @{...}", "needs key = value pairs", "write @{ Name = 'value' }", at=start, incomplete=not self.peek()
            )
        self.at += 1
        self.skip(newlines=True)
        return key, self.operand()

    def _key(self, start: int) -> str:
        if self.peek() in SINGLE_QUOTES:
            return self.single_quoted()
        if self.peek() in DOUBLE_QUOTES:
            text = text_of(self.double_quoted(), self.place())
            if isinstance(text, Literal):
                return str(text.value)
        begin = self.at
        while is_name_character(self.peek()) or self.peek() == "-":
            self.at += 1
        word = self.text[begin : self.at]
        if not word:
            reason = "is not closed" if not self.peek() else "may have words and quoted texts as keys"
            self.refuse("a table @{...}", reason, "write @{ Name = 'value' }", at=start, incomplete=not self.peek())
        return word

    def _word(self, first: Variable | None = None) -> Expression:
        """A bare word: quotes in it are removed, variables in it kept, a number read as a number."""
        start = first.place.offset if first else self.at
        place = self.place(start)
        parts: list[str | Variable] = [first] if first else []
        simple, dashed = first is None, self.text[start] in DASHES if start < len(self.text) else False
        while not ends_word(self.peek()):
            character = self.peek()
            if dashed and character in QUOTES:
                self._refuse_adjacent()
            if dashed and character == ":" and not self.text[start + 1].isdecimal():
                self.refuse("a parameter with a colon", "stands where a value is expected", "quote it", at=start)
            if character in SINGLE_QUOTES:
                simple = False
                parts.append(self.single_quoted())
            elif character in DOUBLE_QUOTES:
                simple = False
                parts.extend(self.double_quoted())
            elif character in ("`", "$"):
                simple = False
                parts.append(self.escape() if character == "`" else self.variable_in_text())
            else:
                self.at += 1
                parts.append(character)
        if self.peek() in ("(", "{") and self.at > start:
            self._refuse_adjacent()
        if self.at == start:
            self._refuse_operand()
        written = self.text[start : self.at]
        number = read_number(written) if simple else None
        if number is not None:
            return Number(number, written, place, bare=written[0] in DASHES or written[0] == "+")
        text = text_of(parts, place)
        return Literal(text.value, place, bare=True) if isinstance(text, Literal) else text
