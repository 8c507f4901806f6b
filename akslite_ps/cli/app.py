"""The entry point: the command tree, and what happens to errors and Ctrl-C.

``main`` is the console script ``akslite``. Every known error becomes one message and a true exit code;
a traceback appears only with ``--debug``.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

import akslite_ps
from akslite_ps.cli import config, device, operate, runbook, runs, sandbox
from akslite_ps.cli.exit_codes import FAILED, INTERRUPTED, USAGE, for_error
from akslite_ps.cli.output import emit_json, say, show_error
from akslite_ps.errors import AksLiteError
from akslite_ps.secrets import RedactingFilter

app = typer.Typer(
    name="akslite",
    help="Operate AKS Edge Essentials devices over PowerShell Remoting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(device.app, name="device")
app.add_typer(config.app, name="config")
operate.register(app)
app.add_typer(runs.app, name="runs")
app.add_typer(runbook.app, name="runbook")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"akslite {akslite_ps.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the log; allowed anywhere on the line.")] = False,
) -> None:
    """Operate AKS Edge Essentials devices over PowerShell Remoting."""


def main(arguments: list[str] | None = None) -> None:
    """Run ``akslite`` and leave the process with its exit code."""
    line = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take(line, "--debug")
    as_json = "--json" in line
    _set_up_logging(debug=debug)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(_run(line, debug=debug, as_json=as_json))


def _run(line: list[str], *, debug: bool, as_json: bool) -> int:
    try:
        code = app(line, standalone_mode=False, prog_name="akslite")
    except AksLiteError as error:
        if debug:
            logging.getLogger("akslite_ps").exception("the command failed")
        show_error(error, as_json=as_json)
        return for_error(error)
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted", style="yellow")
        return INTERRUPTED
    except typer.TyperException as error:
        return _show_usage_error(error, as_json=as_json)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        if debug:
            logging.getLogger("akslite_ps").exception("unexpected error")
        message = f"unexpected {type(error).__name__}: {error}"
        if as_json:
            emit_json({"error": type(error).__name__, "message": str(error), "next_action": "run again with --debug"})
        say(f"error: {message}\n  next: this is a fault of akslite; run again with --debug and report what it prints", style="red")
        return FAILED
    return code if isinstance(code, int) else 0


def _show_usage_error(error: typer.TyperException, *, as_json: bool) -> int:
    if as_json:
        emit_json({"error": "UsageError", "message": error.format_message()})
    show = getattr(error, "show", None)
    if show is not None:
        show()
    else:
        say(f"error: {error.format_message()}", style="red")
    return USAGE


def _take(line: list[str], flag: str) -> bool:
    end = line.index("--") if "--" in line else len(line)
    found = flag in line[:end]
    line[:end] = [word for word in line[:end] if word != flag]
    return found


def _set_up_logging(*, debug: bool) -> None:
    logger = logging.getLogger()
    if not debug:
        logging.getLogger("akslite_ps").addHandler(logging.NullHandler())
        logging.lastResort = None
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.getLogger("akslite_ps").setLevel(logging.DEBUG)
