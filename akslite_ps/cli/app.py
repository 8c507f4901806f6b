"""The entry point: the command tree, and what happens to errors and Ctrl-C.

``main`` is the console script ``akslite``. Every known error becomes one message and a true exit code;
a traceback appears only with ``--debug``. With ``--json`` there is one document on standard output, whatever happens.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

import akslite_ps
from akslite_ps.cli import (
    arc,
    change,
    config,
    device,
    diagnose,
    expose,
    host,
    jea,
    operate,
    remove,
    runbook,
    runs,
    sandbox,
    scale,
    update,
)
from akslite_ps.cli.exit_codes import FAILED, INTERRUPTED, OK, USAGE, for_error
from akslite_ps.cli.output import drop, emit_json, say, show_error, visible, write
from akslite_ps.errors import AksLiteError, UsageError
from akslite_ps.secrets import RedactingFilter, redact

_PANELS = {
    "Set up": ("device", "config", "jea", "sandbox"),
    "Look": ("status", "plan", "verify", "diagnose", "kubeconfig"),
    "Change": ("prepare", "install", "deploy", "connect", "disconnect", "update", "scale", "change", "expose", "remove"),
    "Go on, and look back": ("resume", "runs", "runbook"),
}

app = typer.Typer(
    name="akslite",
    help="Operate AKS Edge Essentials devices over PowerShell Remoting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(device.app, name="device")
app.add_typer(config.app, name="config")
operate.register(app)
host.register(app)
arc.register(app)
update.register(app)
change.register(app)
app.add_typer(scale.app, name="scale")
app.add_typer(expose.app, name="expose")
remove.register(app)
diagnose.register(app)
app.add_typer(runs.app, name="runs")
app.add_typer(runbook.app, name="runbook")
app.add_typer(jea.app, name="jea")
app.add_typer(sandbox.app, name="sandbox")


def _version(wanted: bool) -> None:
    if wanted:
        write(f"akslite {akslite_ps.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the log; allowed anywhere on the line.")] = False,
) -> None:
    """Operate AKS Edge Essentials devices over PowerShell Remoting."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run ``akslite`` and leave the process with its exit code.

    Args:
        arguments: The command line; default: this process's own, and its signals are handled too.
    """
    line = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take(line, "--debug")
    as_json = "--json" in _before_dashes(line)
    _set_up_streams()
    _set_up_logging(debug=debug)
    if arguments is None:
        threading.excepthook = _show_thread_error
        _stop_on(signal.SIGTERM)
    try:
        code = _run(line, debug=debug, as_json=as_json)
    except KeyboardInterrupt:  # once more, while the first one was being handled
        code = INTERRUPTED
    if arguments is None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(code)


def _run(line: list[str], *, debug: bool, as_json: bool) -> int:
    log = logging.getLogger("akslite_ps")
    try:
        return _invoke(line)
    except AksLiteError as error:
        if debug:
            log.exception("the command failed")
        show_error(error, as_json=as_json)
        return for_error(error)
    except (KeyboardInterrupt, typer.Abort):
        _show_interruption(as_json=as_json)
        return INTERRUPTED
    except typer.TyperException as error:
        return _show_usage_error(error, as_json=as_json)
    except BrokenPipeError:  # from what Typer prints itself, such as --help
        drop(sys.stdout)
        return OK
    except OSError as error:
        if debug:
            log.exception("the operating system refused")
        what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        _show_last_error(
            AksLiteError(what, next_action="check the path, its permissions and the disk; --debug shows where"), as_json=as_json
        )
        return FAILED
    except Exception as error:
        if debug:
            log.exception("unexpected error")
        fault = AksLiteError(
            f"unexpected {type(error).__name__}: {error}",
            next_action="this is a fault of akslite; run again with --debug and report what it prints",
        )
        _show_last_error(fault, as_json=as_json)
        return FAILED


def _invoke(line: list[str]) -> int:
    """Run the command, without Typer's own treatment of Ctrl-C, which says nothing."""
    command = _in_panels(typer.main.get_command(app))
    try:
        with command.make_context("akslite", line) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return OK


def _in_panels(tree: Any) -> Any:
    """The command tree with its commands in the order and under the headings in which ``--help`` shows them."""
    for panel, names in _PANELS.items():
        for name in names:
            tree.commands[name] = command = tree.commands.pop(name)
            command.rich_help_panel = panel
    return tree


def _show_interruption(*, as_json: bool) -> None:
    interrupted = AksLiteError("interrupted", next_action="if a run had begun, it can go on: akslite resume")
    if as_json:
        emit_json({**interrupted.to_dict(), "error": "Interrupted"})
    say(str(interrupted), style="yellow")


def _show_last_error(error: AksLiteError, *, as_json: bool) -> None:
    """Show it as far as the streams still take it: the disk behind them may be what is full."""
    try:
        show_error(error, as_json=as_json)
    except OSError:
        drop(sys.stdout)
        with contextlib.suppress(OSError):
            show_error(error, as_json=False)


def _show_usage_error(error: typer.TyperException, *, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "akslite"
    usage = UsageError(error.format_message(), next_action=f"see: {path} --help")
    show = getattr(error, "show", None)
    if as_json or show is None:
        show_error(usage, as_json=as_json)
    else:
        show()
    return USAGE


def _stop_on(number: signal.Signals) -> None:
    """Let a scheduler's request to end have the effect of Ctrl-C: the run is left so that it can go on."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, interrupt)


def _set_up_streams() -> None:
    """Give a process started without standard streams (a scheduler's, or a closed one) streams that lead nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _before_dashes(line: list[str]) -> list[str]:
    return line[: line.index("--")] if "--" in line else list(line)


def _take(line: list[str], flag: str) -> bool:
    words = _before_dashes(line)
    line[: len(words)] = [word for word in words if word != flag]
    return flag in words


class _Plain(logging.Formatter):
    """Lines that hold no command to the terminal, whatever a device said."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _show_thread_error(args: threading.ExceptHookArgs) -> None:
    """What ended a thread, as Python shows it, but without any known secret."""
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit) and sys.stderr is not None:
        lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        sys.stderr.write(redact(f"in {args.thread.name if args.thread else 'a thread'}: {''.join(lines)}"))


def _set_up_logging(*, debug: bool) -> None:
    logger = logging.getLogger()
    if not debug:
        logging.getLogger("akslite_ps").addHandler(logging.NullHandler())
        logging.lastResort = None
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.getLogger("akslite_ps").setLevel(logging.DEBUG)
