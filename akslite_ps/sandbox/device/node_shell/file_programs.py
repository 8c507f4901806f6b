"""Programs of the Linux node that read files and text: cat, ls, head, tail, grep, wc, sort and their kind."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

from akslite_ps.sandbox.device.node_files import HOME
from akslite_ps.sandbox.device.node_shell.program import Process, Program, ShellResult, failed, printed


def _texts(process: Process, operands: list[str], name: str) -> Iterator[tuple[str, str | ShellResult]]:
    """The text of each operand, or of stdin, with its name; a refusal as the program prints it."""
    if not operands:
        yield "-", process.stdin or ""
        return
    for operand in operands:
        if operand == "-":
            yield "-", process.stdin or ""
            continue
        path = posixpath.normpath(posixpath.join(process.folder, operand))
        found = process.machine.read(path, is_root=process.is_root)
        if isinstance(found, ShellResult):
            yield operand, failed(f"{name}: {operand}: {found.errors.strip()}")
        else:
            yield operand, found.decode(errors="replace")


def _joined(name: str, process: Process, operands: list[str], make: Callable[[str], str]) -> ShellResult:
    output, errors = "", ""
    for operand, text in _texts(process, operands, name):
        if isinstance(text, ShellResult):
            errors += text.errors
            continue
        if len(operands) > 1 and name in {"head", "tail"}:
            output += ("\n" if output else "") + f"==> {operand} <==\n"
        output += make(text)
    return ShellResult(output, errors, 1 if errors else 0)


def _cat(process: Process) -> ShellResult:
    return _joined("cat", process, process.operands(), lambda text: text)


def _lines_of(process: Process, name: str) -> ShellResult:
    count = process.value_of("-n", "--lines")
    if count is None:
        short = next((argument[1:] for argument in process.arguments if re.fullmatch(r"-\d+", argument)), "10")
        count = short
    operands = [word for word in process.operands() if word != process.value_of("-n", "--lines")]
    try:
        number = int(count)
    except ValueError:
        return failed(f"{name}: invalid number of lines: '{count}'")

    def cut(text: str) -> str:
        lines = text.splitlines(keepends=True)
        if name == "head":
            return "".join(lines[:number])
        return "".join(lines[number - 1 :] if count.startswith("+") else lines[-abs(number) :] if number else [])

    result = _joined(name, process, operands, cut)
    follows = name == "tail" and bool(process.flags() & {"f", "F", "--follow"})
    return ShellResult(result.output, result.errors, result.exit_code, follows)


def _grep(process: Process) -> ShellResult:
    flags = process.flags()
    operands = process.operands()
    pattern = process.value_of("-e")
    if pattern is None and not operands:
        return failed("Usage: grep [OPTION]... PATTERNS [FILE]...", 2)
    if pattern is None:
        pattern, operands = operands[0], operands[1:]
    else:
        operands = [word for word in operands if word != pattern]
    text = re.escape(pattern) if "F" in flags else pattern if "E" in flags else _basic(pattern)
    try:
        wanted = re.compile(text, re.IGNORECASE if "i" in flags else 0)
    except re.error:
        return failed("grep: Invalid regular expression", 2)
    output, errors, hits = "", "", 0
    for operand, content in _texts(process, operands, "grep"):
        if isinstance(content, ShellResult):
            errors += content.errors
            continue
        found = [
            (number, line) for number, line in enumerate(content.splitlines(), 1) if bool(wanted.search(line)) != ("v" in flags)
        ]
        hits += len(found)
        mark = f"{operand}:" if len(operands) > 1 and "h" not in flags else ""
        if "c" in flags:
            output += f"{mark}{len(found)}\n"
        elif "l" in flags:
            output += f"{operand}\n" if found else ""
        elif "q" not in flags:
            output += "".join(f"{mark}{f'{number}:' if 'n' in flags else ''}{line}\n" for number, line in found)
    return ShellResult(output, errors, 2 if errors else 0 if hits else 1)


def _basic(pattern: str) -> str:
    """A basic regular expression as an extended one: ``\\|`` and ``\\(`` mean what ``|`` and ``(`` do, and the other way round."""
    return re.sub(r"\\([|(){}+?])|([|(){}+?])", lambda match: match[1] or "\\" + match[2], pattern)


def _wc(process: Process) -> ShellResult:
    flags = process.flags()

    def count(text: str) -> str:
        counts = {"l": text.count("\n"), "w": len(text.split()), "c": len(text.encode())}
        return " ".join(str(counts[key]) for key in ("l", "w", "c") if key in flags or not flags & {"l", "w", "c"})

    output, errors = "", ""
    for operand, text in _texts(process, process.operands(), "wc"):
        if isinstance(text, ShellResult):
            errors += text.errors
        else:
            output += count(text) + ("" if operand == "-" else f" {operand}") + "\n"
    return ShellResult(output, errors, 1 if errors else 0)


def _sort(process: Process) -> ShellResult:
    flags = process.flags()

    def order(text: str) -> str:
        lines = text.splitlines()
        if "u" in flags:
            lines = list(dict.fromkeys(lines))
        numbers = [re.match(r"\s*-?\d+", line) for line in lines]
        by_number = sorted(range(len(lines)), key=lambda index: (int(match[0]) if (match := numbers[index]) else 0, lines[index]))
        ordered = [lines[index] for index in by_number] if "n" in flags else sorted(lines)
        return "".join(f"{line}\n" for line in (reversed(ordered) if "r" in flags else ordered))

    return _joined("sort", process, process.operands(), order)


def _ls(process: Process) -> ShellResult:
    flags = process.flags()
    operands = process.operands() or [process.folder]
    output, errors = "", ""
    for operand in operands:
        path = posixpath.normpath(posixpath.join(process.folder, operand))
        machine = process.machine
        if not process.is_root and machine.needs_root(path) and path not in {"/root", "/etc/kubernetes"}:
            errors += f"ls: cannot access '{operand}': Permission denied\n"
            continue
        if machine.is_file(path) or (machine.is_folder(path) and "d" in flags):
            output += _entry(process, path, operand, long="l" in flags)
            continue
        if not machine.is_folder(path):
            errors += f"ls: cannot access '{operand}': No such file or directory\n"
            continue
        if not process.is_root and machine.needs_root(path):
            errors += f"ls: cannot open directory '{operand}': Permission denied\n"
            continue
        names = sorted({found for found in machine.paths() if posixpath.dirname(found) == path})
        if len(operands) > 1:
            output += ("\n" if output else "") + f"{operand}:\n"
        if "l" in flags:
            output += f"total {4 * len(names)}\n"
        output += "".join(_entry(process, name, posixpath.basename(name), long="l" in flags) for name in names)
    return ShellResult(output, errors, 2 if errors else 0)


def _entry(process: Process, path: str, shown: str, *, long: bool) -> str:
    if not long:
        return f"{shown}\n"
    machine = process.machine
    content = machine.read(path, is_root=True)
    size = 4096 if isinstance(content, ShellResult) else len(content)
    mode = "drwxr-xr-x" if isinstance(content, ShellResult) else "-rw-------" if machine.needs_root(path) else "-rw-r--r--"
    owner = "aksedge-user" if path.startswith(HOME) else "root"
    return f"{mode} 1 {owner} {owner} {size:>8} {machine.modified(path):%b %d %H:%M} {shown}\n"


def _rm(process: Process) -> ShellResult:
    from akslite_ps.sandbox.device.node_files import why_not_writable

    errors = ""
    for operand in process.operands():
        path = posixpath.normpath(posixpath.join(process.folder, operand))
        refusal = why_not_writable(path)
        if refusal == "Read-only file system" or (refusal is not None and not process.is_root):
            errors += f"rm: cannot remove '{operand}': {refusal}\n"
        elif not process.machine.files.remove(path) and "f" not in process.flags():
            errors += f"rm: cannot remove '{operand}': No such file or directory\n"
    return ShellResult("", errors, 1 if errors else 0)


def _sha256sum(process: Process) -> ShellResult:
    output, errors = "", ""
    for operand in process.operands():
        found = process.machine.read(posixpath.normpath(posixpath.join(process.folder, operand)), is_root=process.is_root)
        if isinstance(found, ShellResult):
            errors += f"sha256sum: {operand}: {found.errors.strip()}\n"
        else:
            output += f"{hashlib.sha256(found).hexdigest()}  {operand}\n"
    return ShellResult(output, errors, 1 if errors else 0)


def _test(process: Process) -> ShellResult:
    words = [word for word in process.arguments if word != "]"]
    negated = words[:1] == ["!"]
    words = words[1:] if negated else words
    path = posixpath.normpath(posixpath.join(process.folder, words[-1])) if words else ""
    checks: Mapping[str, Callable[[], bool]] = {
        "-e": lambda: process.machine.is_file(path) or process.machine.is_folder(path),
        "-f": lambda: process.machine.is_file(path),
        "-d": lambda: process.machine.is_folder(path),
        "-n": lambda: bool(words[-1]),
        "-z": lambda: not words[-1],
    }
    if len(words) == 3 and words[1] in {"=", "==", "!="}:
        holds = (words[0] == words[2]) == (words[1] != "!=")
    else:
        holds = checks[words[0]]() if words and words[0] in checks else bool(words and words[0])
    return ShellResult(exit_code=0 if holds != negated else 1)


def _echo(process: Process) -> ShellResult:
    words = list(process.arguments)
    plain = words[:1] == ["-n"]
    text = " ".join(words[1:] if plain else words)
    return ShellResult(text if plain else text + "\n")


PROGRAMS: Mapping[str, Program] = {
    "[": _test,
    "basename": lambda process: printed(posixpath.basename(process.operands()[0]) if process.operands() else ""),
    "cat": _cat,
    "dirname": lambda process: printed(posixpath.dirname(process.operands()[0]) if process.operands() else ""),
    "echo": _echo,
    "grep": _grep,
    "head": lambda process: _lines_of(process, "head"),
    "ls": _ls,
    "rm": _rm,
    "sha256sum": _sha256sum,
    "sort": _sort,
    "tail": lambda process: _lines_of(process, "tail"),
    "test": _test,
    "wc": _wc,
}
