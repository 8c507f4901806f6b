"""PowerShell's simple command lines as commands with parameters: text in, data out, no I/O.

The kernel parses cells with it and sends commands without script text; the simulated device parses what a
client sends as text. ``parse`` reads, ``values`` puts the variables in, ``CommandLineError`` says what is refused.
"""

from akslite_ps.command_line.cursor import Spot, spot_at, word_around
from akslite_ps.command_line.faults import CommandLineError, Place
from akslite_ps.command_line.numbers import real_text
from akslite_ps.command_line.parser import parse
from akslite_ps.command_line.syntax import (
    Argument,
    Assignment,
    Collected,
    Command,
    Exit,
    Expression,
    Interpolated,
    Items,
    Literal,
    Number,
    Pipeline,
    Script,
    Splat,
    Statement,
    Table,
    Variable,
)
from akslite_ps.command_line.values import BARE, Call, calls_of, text_form, value_of
from akslite_ps.command_line.vocabulary import common_parameters, full_name, is_known_switch, matching, parameters_of

__all__ = [
    "BARE",
    "Argument",
    "Assignment",
    "Call",
    "Collected",
    "Command",
    "CommandLineError",
    "Exit",
    "Expression",
    "Interpolated",
    "Items",
    "Literal",
    "Number",
    "Pipeline",
    "Place",
    "Script",
    "Splat",
    "Spot",
    "Statement",
    "Table",
    "Variable",
    "calls_of",
    "common_parameters",
    "full_name",
    "is_known_switch",
    "matching",
    "parameters_of",
    "parse",
    "real_text",
    "spot_at",
    "text_form",
    "value_of",
    "word_around",
]
