"""Translates the simple script blocks of ``Where-Object`` and ``ForEach-Object`` into parameters.

``{ $_.Name -eq 'x' -and $_.Size -gt 5 }`` becomes two ``Where-Object`` with -Property, an operator and
-Value; ``{ $_.Name }`` becomes ``ForEach-Object -MemberName Name``. A restricted endpoint takes no script
block, so whatever has no such form is refused.
"""

from __future__ import annotations

from typing import NoReturn

from akslite_ps.command_line.characters import DASHES, DOUBLE_QUOTES, SINGLE_QUOTES, is_name_character
from akslite_ps.command_line.expressions import ExpressionReader
from akslite_ps.command_line.faults import Place
from akslite_ps.command_line.reader import plain
from akslite_ps.command_line.syntax import Argument, Command, Literal
from akslite_ps.command_line.vocabulary import COMPARISONS

_BLOCK = "a script block { ... }"
_WHERE_FORM = "write { $_.Property -eq 'value' }, joined by -and where there are several conditions"
_EACH_FORM = "write { $_.Property }, or compute it in a %%python cell"


class FilterReader(ExpressionReader):
    """A reader of the script blocks that have a form without script text."""

    def where_block(self, place: Place) -> list[Command]:
        """The ``Where-Object`` commands that mean the block at the cursor, in order.

        Args:
            place: Where the command starts.
        """
        start = self.at
        self.at += 1
        commands = [self._condition(place, start)]
        while True:
            self.skip(newlines=True)
            if self.peek() == "}":
                self.at += 1
                return commands
            word = self._dashed_word()
            if word.casefold() != "and":
                self._refuse_block(start, f"with -{word}" if word else "of this form", _WHERE_FORM)
            commands.append(self._condition(place, start))

    def each_block(self, place: Place) -> Command:
        """The ``ForEach-Object`` that means the block at the cursor."""
        start = self.at
        self.at += 1
        self.skip(newlines=True)
        member = self._member_of_item(start, _EACH_FORM)
        self.skip(newlines=True)
        if self.peek() != "}":
            self._refuse_block(start, "of this form", _EACH_FORM)
        self.at += 1
        return Command("ForEach-Object", (Argument("MemberName", Literal(member, place), place),), place)

    def _condition(self, place: Place, start: int) -> Command:
        self.skip(newlines=True)
        if self.peek() == "(":
            self.at += 1
            with self.deeper():
                command = self._condition(place, start)
            self.skip(newlines=True)
            if self.peek() != ")":
                self._refuse_block(start, "with nested conditions", _WHERE_FORM)
            self.at += 1
            return command
        member = Argument("Property", Literal(self._member_of_item(start, _WHERE_FORM), place), place)
        self.skip()
        before = self.at
        word = self._dashed_word()
        operator = COMPARISONS.get(word.casefold())
        if operator is None:
            self.at = before
            if self.peek() in ("}", ")") or (self.peek() in DASHES and self._ahead(4)[1:] == "and"):
                return Command("Where-Object", (member,), place)
            self._refuse_block(start, f"with -{word}" if word else "of this form", _WHERE_FORM)
        self.skip()
        value = self.operand()
        return Command("Where-Object", (member, Argument(operator, None, place), Argument("Value", value, place)), place)

    def _ahead(self, length: int) -> str:
        return self.text[self.at : self.at + length].casefold()

    def _dashed_word(self) -> str:
        if self.peek() not in DASHES:
            return ""
        begin = self.at + 1
        self.at = begin
        while self.peek().isalpha():
            self.at += 1
        return self.text[begin : self.at]

    def _member_of_item(self, start: int, form: str) -> str:
        item = next((name for name in ("$_.", "$psitem.") if self._ahead(len(name)) == name), None)
        if item is None:
            self._refuse_block(start, "of this form", form)
        self.at += len(item)
        if self.peek() in SINGLE_QUOTES:
            member: str | None = self.single_quoted()
        elif self.peek() in DOUBLE_QUOTES:
            member = plain(self.double_quoted())
        else:
            begin = self.at
            while is_name_character(self.peek()):
                self.at += 1
            member = self.text[begin : self.at]
        if not member or self.peek() in (".", "[", "("):
            self._refuse_block(start, "that goes deeper than one property", form)
        return member

    def _refuse_block(self, start: int, what: str, form: str) -> NoReturn:
        self.refuse(_BLOCK, f"{what} has no form without script text", form, at=start, incomplete=not self.peek())
