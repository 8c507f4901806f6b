"""The parameters of a runbook: read from its cell tagged ``parameters``, checked, and put in after it.

Used by ``notebook.runner`` and by ``akslite runbook``. Values arrive as text from a command line and become what the
cell's default is: ``offline=true`` is True where the default is False. Nothing of the notebook is executed here.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from akslite_ps.errors import UsageError
from akslite_ps.secrets import SCHEMES

PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_SECRET_NAME = re.compile(r"(password|secret|token|passphrase|api_?key)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a runbook.

    Args:
        name: Its variable.
        default: What the cell assigns.
        description: The comment behind the assignment.
    """

    name: str
    default: Any
    description: str = ""

    @property
    def kind(self) -> str:
        """What a value must be, in a person's words."""
        return _KINDS.get(type(self.default), "a text")


_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a JSON list",
    tuple: "a JSON list",
    dict: "a JSON object",
}


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook file as version 4.

    Raises:
        UsageError: There is no such file or it is no notebook.
    """
    wrong = UsageError(f"{path} is not a Jupyter notebook (version 4)", next_action="give the path of an .ipynb file")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {path}", next_action="check the path") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", next_action="check the file's permissions") from None
    except ValueError:
        raise wrong from None
    if not isinstance(data, dict) or data.get("nbformat") != 4:
        raise wrong
    try:
        notebook: NotebookNode = nbformat.reads(json.dumps(data), as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
    except (ValueError, nbformat.ValidationError):
        raise wrong from None
    return notebook


def known_parameters(notebook: NotebookNode) -> tuple[Parameter, ...]:
    """The parameters that the notebook declares, in order; none where it has no cell tagged ``parameters``."""
    place = _tagged(notebook, PARAMETERS_TAG)
    if place is None:
        return ()
    source = notebook.cells[place].source
    lines = source.splitlines()
    found: dict[str, Parameter] = {}
    for statement in ast.parse(source).body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                try:
                    default = ast.literal_eval(value)
                except ValueError:
                    continue
                line = lines[statement.end_lineno - 1] if statement.end_lineno else ""
                comment = line[len(line.encode()[: statement.end_col_offset or 0].decode()) :].strip()
                found[name] = Parameter(name, default, comment.removeprefix("#").strip())
    return tuple(found.values())


def coerce(known: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, Any]:
    """Given values as what the notebook expects.

    Args:
        known: From :func:`known_parameters`.
        given: Values by name; texts are read according to the default's type.

    Raises:
        UsageError: A name is unknown, a value does not fit, or a secret is given in plain.
    """
    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in by_name:
            close = difflib.get_close_matches(name, by_name, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            listed = ", ".join(by_name) or "none"
            raise UsageError(f"the runbook has no parameter {name!r}", next_action=f"{hint}its parameters are: {listed}")
        values[name] = _value(by_name[name], value)
    return values


def inject(notebook: NotebookNode, values: Mapping[str, Any]) -> None:
    """Put a cell with the values after the parameters cell, or first where there is none; an earlier one is replaced."""
    notebook.cells = [cell for cell in notebook.cells if INJECTED_TAG not in cell.metadata.get("tags", ())]
    if not values:
        return
    lines = ["# Parameters of this run", *(f"{name} = {value!r}" for name, value in values.items())]
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [INJECTED_TAG]})  # type: ignore[no-untyped-call]
    place = _tagged(notebook, PARAMETERS_TAG)
    notebook.cells.insert(0 if place is None else place + 1, cell)


def _tagged(notebook: NotebookNode, tag: str) -> int | None:
    return next((i for i, cell in enumerate(notebook.cells) if tag in cell.metadata.get("tags", ())), None)


def _value(parameter: Parameter, value: object) -> Any:
    default = parameter.default
    if isinstance(value, Path):
        value = str(value)
    if _SECRET_NAME.search(parameter.name) and value and str(value).partition(":")[0] not in SCHEMES:
        raise UsageError(
            f"{parameter.name} must be a reference to a secret; what was given is not shown because it may be one",
            next_action="use one of " + ", ".join(f"{scheme}:NAME" for scheme in SCHEMES),
        )
    if default is None or value is None or type(value) is type(default):
        return value
    if type(default) is float and type(value) is int:
        return float(value)
    if isinstance(value, str):
        return _from_text(parameter, value)
    raise UsageError(f"{parameter.name}={value!r}: must be {parameter.kind}")


def _from_text(parameter: Parameter, text: str) -> Any:
    wrong = UsageError(f"{parameter.name}={text}: must be {parameter.kind}", next_action=f"its default is {parameter.default!r}")
    folded = text.strip().casefold()
    if isinstance(parameter.default, bool):
        if folded in _YES or folded in _NO:
            return folded in _YES
        raise wrong
    try:
        if isinstance(parameter.default, int | float):
            return type(parameter.default)(folded)
        read = json.loads(text)
    except ValueError:
        raise wrong from None
    expected = list if isinstance(parameter.default, tuple) else type(parameter.default)
    if not isinstance(read, expected):
        raise wrong
    return read
