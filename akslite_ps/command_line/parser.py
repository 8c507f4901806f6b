"""Reads a script of simple command lines into statements.

The only public door is :func:`parse`. Everything else of PowerShell's language is refused with the name of
the construct, its place and what to write instead, never guessed at.
"""

from __future__ import annotations

import re
from typing import NoReturn

from akslite_ps.command_line.characters import DASHES, NEWLINES, QUOTES, ends_word, is_name_character
from akslite_ps.command_line.filters import FilterReader
from akslite_ps.command_line.syntax import (
    Argument,
    Assignment,
    Command,
    Exit,
    Expression,
    Number,
    Pipeline,
    Script,
    Splat,
    Statement,
    Variable,
)
from akslite_ps.command_line.vocabulary import IsSwitch, full_name, is_known_switch

_LOOPS = "loop in a %%python cell, or let the pipeline run once per object"
_KEYWORDS = {
    **dict.fromkeys(["if", "elseif", "else", "switch"], "decide in a %%python cell"),
    **dict.fromkeys(["for", "foreach", "while", "do", "until", "break", "continue"], _LOOPS),
    **dict.fromkeys(
        ["function", "filter", "class", "enum", "param", "begin", "process", "end", "dynamicparam"],
        "define it in a module on the device",
    ),
    **dict.fromkeys(["try", "catch", "finally", "trap", "throw"], "handle errors in a %%python cell"),
    **dict.fromkeys(
        ["workflow", "parallel", "sequence", "inlinescript", "configuration", "data", "using"], "use one command per line"
    ),
    "return": "write the value or the command alone",
    "in": _LOOPS,
}
_DIGIT_COMMAND = re.compile(r"(?!0x)[0-9]{1,2}(?!e[0-9])[a-z_]\w*", re.IGNORECASE)
_NUMBER_SUFFIX = re.compile(r"[0-9]+[ld]?([kmgtp]b)?", re.IGNORECASE)
_SCRIPT = "use %%ps --script on a full-language endpoint"
_ASSIGNMENTS = ("+=", "-=", "*=", "/=", "%=", "??=")


def parse(text: str, *, is_switch: IsSwitch | None = None, joins_values: bool = True) -> Script:
    """Read the simple command lines of a text.

    Args:
        text: One or more statements, separated by ``;`` or line ends.
        is_switch: Tells whether a parameter (second argument, as written) of a command (first argument) is a
            switch, so that the word after it is an argument of its own. PowerShell's common parameters and core
            cmdlets are known without it.
        joins_values: False leaves it to a binder which words are values of the parameter before them, and what of a
            parameter that stands twice: then a parameter has a value only where a colon joins the two.

    Raises:
        CommandLineError: The text holds something that is not one of the simple command lines.
    """
    return _Parser(text, is_switch or (lambda command, parameter: False), joins_values).script()


class _Parser(FilterReader):
    def __init__(self, text: str, is_switch: IsSwitch, joins_values: bool) -> None:
        super().__init__(text)
        self._is_switch = is_switch
        self._joins_values = joins_values

    def script(self) -> Script:
        statements: list[Statement] = []
        while True:
            self._skip_separators()
            if not self.peek():
                return Script(tuple(statements), self.text)
            statements.append(self._statement())
            self.skip()
            if self.peek() and self.peek() not in NEWLINES and self.peek() != ";":
                self._refuse_rest()

    def _refuse_rest(self) -> NoReturn:
        character = self.peek()
        if self.looking_at("&&") or self.looking_at("||"):
            self.refuse(f"the chain operator {character * 2}", "is not in Windows PowerShell", "write two lines")
        if character == "&":
            self.refuse("a background job &", "is script text", "run the command in the foreground")
        if character in "})":
            self.refuse(f"a {character}", "closes nothing", "remove it")
        self.refuse(f"the operator {self._operator()}", "is script text", "compute it in a %%python cell and take it with --in")

    def _statement(self) -> Statement:
        place = self.place()
        if self.peek() == "$" and (assignment := self._assignment()):
            return assignment
        word = self._word_ahead()
        if word.casefold() == "exit":
            self.at += len(word)
            return self._exit()
        if word.casefold() in _KEYWORDS:
            self.refuse(f"the keyword {word}", "is script text", f"{_KEYWORDS[word.casefold()]}, or {_SCRIPT}")
        return self._pipeline() if word or self.peek() else Pipeline(None, (), place)

    def _word_ahead(self) -> str:
        end = self.at
        while end < len(self.text) and (self.text[end].isalnum() or self.text[end] in "_-?%"):
            end += 1
        following = self.text[end : end + 1]
        return self.text[self.at : end] if ends_word(following) else ""

    def _exit(self) -> Exit:
        place = self.place()
        self.skip()
        if not self.peek() or self.peek() in NEWLINES or self.peek() == ";":
            return Exit(None, place)
        code = self.operand()
        if not isinstance(code, Number | Variable) or (isinstance(code, Number) and not isinstance(code.value, int)):
            self.refuse("exit", "takes a whole number", "write exit 0", at=place.offset)
        return Exit(code, place)

    def _assignment(self) -> Assignment | None:
        start, place = self.at, self.place()
        target = self.variable() if self.peek(1) != "(" else None
        self.skip()
        operator = next((sign for sign in _ASSIGNMENTS if self.looking_at(sign)), "=" if self.peek() == "=" else None)
        if target is None or operator is None:
            self.at = start
            return None
        if operator != "=":
            self.refuse(
                f"the operator {operator}",
                "is script text",
                f"compute it in a %%python cell, or assign again with ${target.name} = ...",
            )
        if target.path:
            self.refuse("an assignment to a member", "is script text", "change the value in a %%python cell", at=start)
        if target.name.casefold() in ("true", "false", "null") or target.name.casefold().startswith("env:"):
            self.refuse(f"an assignment to ${target.name}", "is not possible here", "choose another variable", at=start)
        self.at += 1
        self.skip(newlines=True)
        if not self.peek():
            self.refuse("an assignment", "has no value", "write a value or a command after the =", at=start, incomplete=True)
        word = self._word_ahead()
        if word.casefold() in _KEYWORDS or word.casefold() == "exit":
            self.refuse(f"the keyword {word}", "is script text", _SCRIPT)
        return Assignment(target.name, self._pipeline(), place)

    def _pipeline(self) -> Pipeline:
        place = self.place()
        head: Expression | None = None
        commands: list[Command] = []
        if self.starts_operand():
            head = self.operand()
            self.skip()
            if self.peek() != "|" or self.looking_at("||"):
                return Pipeline(head, (), place)
            self._pass_pipe()
        while True:
            commands.extend(self._command())
            self.skip()
            if self.peek() != "|" or self.looking_at("||"):
                return Pipeline(head, tuple(commands), place)
            self._pass_pipe()

    def _pass_pipe(self) -> None:
        pipe = self.at
        self.at += 1
        self.skip(newlines=True)
        if not self.peek():
            self.refuse("a pipeline", "ends with |", "write the next command", at=pipe, incomplete=True)
        if self.peek() in ("|", ";"):
            self.refuse("a pipeline", "has an empty element", "write a command between the bars")
        if self.starts_operand():
            self.refuse("a value", "may stand only at the start of a pipeline", "move it before the first |")

    def _command(self) -> list[Command]:
        self._refuse_no_command()
        begin = self.at
        while not ends_word(self.peek()):
            if self.peek() in ("$", "`") or self.peek() in QUOTES:
                self.refuse("a command name with quotes or variables", "is script text", "write the command's name", at=begin)
            self.at += 1
        name = full_name(self.text[begin : self.at])
        if self.peek() == "(":
            self._refuse_adjacent()
        if self.peek() == ",":
            self.refuse("a comma after a command", "has no value before it", "write the value")
        return self._arguments_of(name, begin)

    def _refuse_no_command(self) -> None:
        self._refuse_redirection()
        character, following = self.peek(), self.peek(1)
        if character == "[":
            self.refuse("a type [...]", "is script text", "compute it in a %%python cell and take it with --in")
        if character == "&" or (character == "." and ends_word(following)):
            self.refuse(f"the call operator {character}", "is script text", "write the command's name alone")
        if character == "|":
            self.refuse("a |", "at the start has nothing before it", "end the line before with |")
        if character == "{":
            self.refuse("a script block { ... }", "is script text", _SCRIPT)
        if character in ("}", ")"):
            self.refuse(f"a {character}", "closes nothing", "remove it")
        if character == "@":
            self.refuse("a splatted variable", "needs a command before it", "write the command first")
        if character in ("+", "!", ",", ">", "<") or character in DASHES:
            self.refuse(f"the operator {self._operator()}", "is script text", "compute it in a %%python cell and take it with --in")
        if character.isdecimal() or (character == "." and following.isdecimal()):
            self._refuse_number_like()
        if character == ";":
            self.refuse("a ;", "stands where a value or a command is expected", "write it before the ;")

    def _refuse_number_like(self) -> None:
        """A command may start with a digit (7z); anything else that does is arithmetic."""
        word = _DIGIT_COMMAND.match(self.text, self.at)
        if word and not _NUMBER_SUFFIX.fullmatch(word[0]) and ends_word(self.text[word.end() : word.end() + 1]):
            return
        if ".." in self._operator():
            self.refuse("a range ..", "is script text", "write the numbers, 1,2,3, or take a list with --in")
        self.refuse(f"the expression {self._operator()}", "is script text", "compute it in a %%python cell and take it with --in")

    def _arguments_of(self, name: str, begin: int) -> list[Command]:
        place = self.place(begin)
        arguments: list[Argument | Splat] = []
        blocks: list[Command] = []
        seen: set[str] = set()
        while True:
            self.skip()
            if not self.peek() or self.peek() in NEWLINES or self.peek() in "|;&)}":
                break
            if self.peek() == "{" and name in ("Where-Object", "ForEach-Object"):
                blocks.extend(self.where_block(place) if name == "Where-Object" else [self.each_block(place)])
                self._drop_block_parameter(arguments)
            else:
                arguments.append(self._element(name))
            if self._joins_values:
                self._refuse_twice(arguments, seen)
        if not blocks:
            return [Command(name, tuple(arguments), place)]
        if arguments or (name == "ForEach-Object" and len(blocks) > 1):
            self.refuse(
                "a script block { ... }", "beside other arguments has no form without script text", "use the block alone", at=begin
            )
        return blocks

    def _drop_block_parameter(self, arguments: list[Argument | Splat]) -> None:
        last = arguments[-1] if arguments else None
        if not (isinstance(last, Argument) and last.value is None and last.name):
            return
        if any(known.startswith(last.name.casefold()) for known in ("filterscript", "process")):
            arguments.pop()

    def _refuse_twice(self, arguments: list[Argument | Splat], seen: set[str]) -> None:
        last = arguments[-1] if arguments else None
        if isinstance(last, Argument) and last.name:
            if last.name.casefold() in seen:
                self.refuse(f"the parameter -{last.name}", "stands twice", "keep one of them", at=last.place.offset)
            seen.add(last.name.casefold())

    def _element(self, command: str) -> Argument | Splat:
        place, character, following = self.place(), self.peek(), self.peek(1)
        self._refuse_redirection()
        if character in DASHES and (following.isalpha() or following in ("_", "?")) and following:
            return self._parameter(command)
        if self.looking_at("--%"):
            self.refuse("the stop-parsing sign --%", "is for native programs", "quote the arguments")
        if character == "@" and is_name_character(following):
            return self._splat()
        if character == ",":
            self.refuse("a comma", "has no value before it", "write the value")
        return Argument(None, self.argument(), place)

    def _splat(self) -> Splat:
        place = self.place()
        variable = self.variable_name()
        if not ends_word(self.peek()):
            self.refuse("a splatted variable", "stands alone", "write @name", at=place.offset)
        return Splat(variable, place)

    def _parameter(self, command: str) -> Argument:
        place = self.place()
        self.at += 1
        begin = self.at
        while not ends_word(self.peek()) and self.peek() not in (":", ".", "["):
            if self.peek() in ("=", "$", "`") or self.peek() in QUOTES:
                self.refuse(
                    f"a {self.peek()} in a parameter's name",
                    "makes it another name",
                    "write -Name value or -Name:value",
                    at=place.offset,
                )
            self.at += 1
        name = self.text[begin : self.at]
        if self.peek() == ":":
            self.at += 1
            self.skip()
            if self._at_end():
                self.refuse(
                    f"the parameter -{name}:", "requires a value", "write the value", at=place.offset, incomplete=not self.peek()
                )
            return Argument(name, self.argument(), place)
        if self.peek() in (".", "[") and self.peek():
            self._refuse_adjacent()
        if not self._joins_values or is_known_switch(command, name) or self._is_switch(command, name):
            return Argument(name, None, place)
        self.skip()
        return Argument(name, None if self._at_end() or self._at_element_without_value() else self.argument(), place)

    def _at_end(self) -> bool:
        return not self.peek() or self.peek() in NEWLINES or self.peek() in "|;&)}"

    def _at_element_without_value(self) -> bool:
        """True where the next thing is no value for a parameter: another parameter, a splat, a block."""
        character, following = self.peek(), self.peek(1)
        if character in DASHES:
            is_end_of_parameters = following in DASHES and ends_word(self.peek(2))
            return bool(following) and (following.isalpha() or following in ("_", "?") or is_end_of_parameters)
        if character == "@":
            return is_name_character(following)
        self._refuse_redirection()
        return character == "{"
