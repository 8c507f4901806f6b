"""Reading a bash command line, as far as commands that look at a node need it: words, pipes, lists, redirections, variables.

Used by ``linux_shell``. Not for scripts: no loops, functions or here-documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_OPERATORS = ("2>&1", "&>>", "&>", "2>>", "2>", "&&", "||", ">>", ">", "<", "|", ";", "&", "\n")
_NAME = re.compile(r"\$(?:\{(\w+|\?)\}|(\w+|\?))")


class BadSyntax(ValueError):
    """A line that bash would not take; the text is bash's."""


@dataclass(slots=True)
class Word:
    """A word after expansion; ``pattern`` where it had unquoted ``*`` or ``?``."""

    text: str = ""
    pattern: bool = False


@dataclass(slots=True)
class SimpleCommand:
    """A program with its arguments, and where its output goes.

    Args:
        words: The program and its arguments.
        files: Redirections: operator and path.
        errors_to_output: ``2>&1``.
    """

    words: list[Word] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)
    errors_to_output: bool = False


@dataclass(slots=True)
class Pipeline:
    """Commands joined by ``|``, and on what it runs after the pipeline before it: ``;``, ``&&`` or ``||``."""

    commands: list[SimpleCommand]
    after: str = ";"


def read_line(line: str, variable: Callable[[str], str], substitute: Callable[[str], str]) -> Iterator[Pipeline]:
    """The pipelines of a line, one by one, so that variables are looked up when their turn comes.

    Args:
        line: The command line.
        variable: Gives a variable's value, ``""`` where it is not set.
        substitute: Runs the inner line of ``$(...)`` and gives its output.

    Raises:
        BadSyntax: bash would not take the line.
    """
    tokens = _Lexer(line, variable, substitute).tokens()
    after, current = ";", SimpleCommand()
    commands: list[SimpleCommand] = []
    pending: str | None = None
    for part in tokens:
        if isinstance(part, Word):
            if pending is not None:
                current.files.append((pending, part.text))
                pending = None
            else:
                current.words.append(part)
            continue
        if pending is not None:
            raise _unexpected(part)
        if part == "2>&1":
            current.errors_to_output = True
        elif part in {">", ">>", "<", "2>", "2>>", "&>", "&>>"}:
            pending = part
        else:
            if not current.words and not current.files and not (part in {";", "\n"} and not commands):
                raise _unexpected(part)
            if current.words or current.files:
                commands.append(current)
            current = SimpleCommand()
            if part == "|":
                continue
            if commands:
                yield Pipeline(commands, after)
            after, commands = (part if part in {"&&", "||"} else ";"), []
    if pending is not None:
        raise _unexpected("newline")
    if current.words or current.files:
        commands.append(current)
    elif commands or after in {"&&", "||"}:
        raise BadSyntax("syntax error: unexpected end of file")
    if commands:
        yield Pipeline(commands, after)


def _unexpected(part: str) -> BadSyntax:
    shown = "newline" if part == "\n" else part
    return BadSyntax(f"syntax error near unexpected token `{shown}'")


class _Lexer:
    def __init__(self, line: str, variable: Callable[[str], str], substitute: Callable[[str], str]) -> None:
        self._line = line
        self._at = 0
        self._variable = variable
        self._substitute = substitute

    def tokens(self) -> Iterator[Word | str]:
        while self._at < len(self._line):
            char = self._line[self._at]
            if char in " \t\r":
                self._at += 1
            elif char == "#":
                end = self._line.find("\n", self._at)
                self._at = len(self._line) if end < 0 else end
            elif (operator := next((op for op in _OPERATORS if self._line.startswith(op, self._at)), None)) is not None:
                self._at += len(operator)
                yield operator
            elif char in "()":
                raise _unexpected(char)
            else:
                yield self._word()

    def _word(self) -> Word:
        word = Word()
        while self._at < len(self._line):
            char = self._line[self._at]
            if char in " \t\r\n;|&<>()":
                break
            if char == "'":
                word.text += self._until("'")
            elif char == '"':
                word.text += self._double_quoted()
            elif char == "\\":
                word.text += self._line[self._at + 1 : self._at + 2]
                self._at += 2
            elif char == "$":
                word.text += self._expansion()
            else:
                word.pattern |= char in "*?"
                word.text += char
                self._at += 1
        return word

    def _until(self, quote: str) -> str:
        end = self._line.find(quote, self._at + 1)
        if end < 0:
            raise BadSyntax(f"unexpected EOF while looking for matching `{quote}'")
        text = self._line[self._at + 1 : end]
        self._at = end + 1
        return text

    def _double_quoted(self) -> str:
        self._at += 1
        text = ""
        while self._at < len(self._line):
            char = self._line[self._at]
            if char == '"':
                self._at += 1
                return text
            if char == "\\" and self._line[self._at + 1 : self._at + 2] in {'"', "\\", "$", "`"}:
                text += self._line[self._at + 1]
                self._at += 2
            elif char == "$":
                text += self._expansion()
            else:
                text += char
                self._at += 1
        raise BadSyntax("unexpected EOF while looking for matching `\"'")

    def _expansion(self) -> str:
        if self._line.startswith("$(", self._at):
            depth, start = 0, self._at + 2
            for index in range(self._at + 1, len(self._line)):
                depth += {"(": 1, ")": -1}.get(self._line[index], 0)
                if depth == 0:
                    self._at = index + 1
                    return self._substitute(self._line[start:index]).rstrip("\n")
            raise BadSyntax("unexpected EOF while looking for matching `)'")
        found = _NAME.match(self._line, self._at)
        if found is None:
            self._at += 1
            return "$"
        self._at = found.end()
        return self._variable(found[1] or found[2])
