"""bash in the Linux node: runs a command line of the account aksedge-user with the programs of the catalogue."""

from __future__ import annotations

import datetime as dt
import fnmatch
import posixpath
from collections.abc import Mapping

from akslite_ps.sandbox.device.node_files import HOME, why_not_writable
from akslite_ps.sandbox.device.node_shell import cluster_programs, file_programs, service_programs, system_programs
from akslite_ps.sandbox.device.node_shell.command_line import BadSyntax, SimpleCommand, Word, read_line
from akslite_ps.sandbox.device.node_shell.linux_machine import LinuxMachine
from akslite_ps.sandbox.device.node_shell.program import NOT_FOUND, Process, Program, ShellResult, failed, printed

USER = "aksedge-user"
_NO_FILE = "/dev/null"
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def run_linux(machine: LinuxMachine, line: str, now: dt.datetime) -> ShellResult:
    """Run a command line.

    Args:
        machine: The node.
        line: What was given to Invoke-AksEdgeNodeCommand.
        now: The node's clock.
    """
    return _Shell(machine, now).run(line)


class _Shell:
    def __init__(self, machine: LinuxMachine, now: dt.datetime) -> None:
        self._machine = machine
        self._now = now
        self._folder = HOME
        self._code = 0
        self._variables = {"HOME": HOME, "USER": USER, "LOGNAME": USER, "SHELL": "/bin/bash", "PATH": _PATH}
        self._variables["HOSTNAME"] = machine.node.name

    def run(self, line: str) -> ShellResult:
        output = errors = ""
        endless = False
        try:
            for pipeline in read_line(line, self._variable, self._substitute):
                if (pipeline.after == "&&" and self._code) or (pipeline.after == "||" and not self._code):
                    continue
                result = self._pipeline(pipeline.commands)
                output, errors, self._code = output + result.output, errors + result.errors, result.exit_code
                if result.endless:
                    endless = True
                    break
        except BadSyntax as bad:
            return ShellResult(output, f"{errors}bash: -c: line 1: {bad}\n", 2)
        return ShellResult(output, errors, self._code, endless)

    def _pipeline(self, commands: list[SimpleCommand]) -> ShellResult:
        stdin: str | None = None
        errors = ""
        result = ShellResult()
        for command in commands:
            result = self._command(command, stdin)
            errors += result.errors
            stdin = result.output
        return ShellResult(result.output, errors, result.exit_code, result.endless)

    def _command(self, command: SimpleCommand, stdin: str | None) -> ShellResult:
        words = [text for word in command.words for text in self._expanded(word)]
        while words and "=" in words[0] and words[0].partition("=")[0].isidentifier():
            name, _, value = words.pop(0).partition("=")
            self._variables[name] = value
        for operator, path in command.files:
            if operator == "<":
                found = self._machine.read(self._absolute(path), is_root=False)
                if isinstance(found, ShellResult):
                    return failed(f"bash: line 1: {path}: {found.errors.strip()}")
                stdin = found.decode(errors="replace")
        result = self._run(words, stdin) if words else ShellResult()
        if command.errors_to_output and not any(op == ">" for op, _ in command.files):
            result = ShellResult(result.output + result.errors, "", result.exit_code, result.endless)
        return self._redirected(command, result)

    def _run(self, words: list[str], stdin: str | None) -> ShellResult:
        is_root = False
        while words and words[0] == "sudo":
            is_root = True
            words = words[1:]
            while words and words[0].startswith("-"):
                words = words[2:] if words[0] in {"-u", "-g"} else words[1:]
        if not words:
            return failed("usage: sudo -h | -K | -k | -V") if is_root else ShellResult()
        name = posixpath.basename(words[0]) if words[0].startswith("/") else words[0]
        if name == "cd":
            return self._change_folder(words[1:])
        if name == "export":
            self._variables.update(part.partition("=")[::2] for part in words[1:])
            return ShellResult()
        program = PROGRAMS.get(name)
        if program is None or not self._machine.has(name):
            said = f"sudo: {words[0]}: command not found" if is_root else f"bash: line 1: {words[0]}: command not found"
            return failed(said, 1 if is_root else NOT_FOUND)
        environment: Mapping[str, str] = {**self._variables, "PWD": self._folder}
        if is_root:
            environment = {**environment, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SUDO_USER": USER}
        return program(Process(self._machine, words[1:], stdin, is_root, self._folder, environment))

    def _change_folder(self, arguments: list[str]) -> ShellResult:
        wanted = self._absolute(arguments[0]) if arguments else HOME
        if not self._machine.is_folder(wanted):
            return failed(f"bash: line 1: cd: {arguments[0]}: No such file or directory")
        self._folder = wanted
        return ShellResult()

    def _redirected(self, command: SimpleCommand, result: ShellResult) -> ShellResult:
        output, errors, code = result.output, result.errors, result.exit_code
        for operator, path in command.files:
            if operator == "<":
                continue
            text = errors if operator.startswith("2") else output
            if operator.startswith("&") or (command.errors_to_output and operator.startswith(">")):
                text = output + errors
                errors = ""
            if operator.startswith("2"):
                errors = ""
            else:
                output = ""
            if path == _NO_FILE:
                continue
            target = self._absolute(path)
            refusal = why_not_writable(target)
            if refusal is not None:
                errors += f"bash: line 1: {path}: {refusal}\n"
                code = 1
                continue
            before = (self._machine.files.read(target) or b"") if operator.endswith(">>") else b""
            self._machine.files.write(target, before + text.encode(), self._now)
        return ShellResult(output, errors, code, result.endless)

    def _expanded(self, word: Word) -> list[str]:
        if word.text == "~" or word.text.startswith("~/"):
            word = Word(HOME + word.text[1:], word.pattern)
        if not word.pattern:
            return [word.text]
        absolute = self._absolute(word.text)
        found = [
            path for path in self._machine.paths() if fnmatch.fnmatchcase(path, absolute) and path.count("/") == absolute.count("/")
        ]
        if not word.text.startswith("/"):
            found = [posixpath.relpath(path, self._folder) for path in found]
        return sorted(found) or [word.text]

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._folder, path))

    def _variable(self, name: str) -> str:
        if name == "?":
            return str(self._code)
        return self._folder if name == "PWD" else self._variables.get(name, "")

    def _substitute(self, line: str) -> str:
        inner = _Shell(self._machine, self._now)
        inner._folder, inner._variables = self._folder, dict(self._variables)
        return inner.run(line).output


def _which(process: Process) -> ShellResult:
    names = process.operands()
    found = [name for name in names if name in PROGRAMS and process.machine.has(name)]
    missing = [name for name in names if name not in found]
    return ShellResult("".join(f"/usr/bin/{name}\n" for name in found), "", 1 if missing else 0)


PROGRAMS: Mapping[str, Program] = {
    **file_programs.PROGRAMS,
    **system_programs.PROGRAMS,
    **service_programs.PROGRAMS,
    **cluster_programs.PROGRAMS,
    "which": _which,
    "true": lambda _: ShellResult(),
    "false": lambda _: ShellResult(exit_code=1),
    "pwd": lambda process: printed(process.folder),
}
