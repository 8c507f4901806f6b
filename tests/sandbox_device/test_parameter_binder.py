"""Parameters are bound, and refused, as PowerShell does it."""

from __future__ import annotations

from typing import Any

import pytest

from akslite_ps.sandbox.embedded.binder import Binding, bind
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter, switch
from akslite_ps.sandbox.embedded.pipeline_binding import MissingFromInput
from akslite_ps.sandbox.engine import ErrorInfo, Parameter, PipelineFailed, PsValue

DEPLOY = CommandSyntax(
    "New-Thing",
    (
        parameter("JsonConfigFilePath", "String", sets=["file", "Force"]),
        parameter("JsonConfigString", "String", mandatory=True, sets=["string"]),
        parameter("NodeType", "String", position=1, allowed=("Linux", "Windows"), default="Linux"),
        parameter("Count", "Int32", position=2, minimum=1, maximum=5),
        parameter("Names", "String[]"),
        parameter("Accept", "Boolean"),
        switch("Force", aliases=("f",)),
    ),
    "file",
    should_process=True,
    error_source="New-Thing",
)
CMDLET = CommandSyntax(
    "Wait-Thing",
    (
        parameter("Seconds", "Int32", mandatory=True, position=0, from_pipeline=True, sets=["Seconds"]),
        parameter("Milliseconds", "Int32", mandatory=True, sets=["Milliseconds"]),
        parameter("Name", "String", from_property=True),
    ),
    "Seconds",
    error_source="Example.WaitThingCommand",
    is_function=False,
)
NO_DEFAULT = CommandSyntax(
    "Get-Thing",
    (
        parameter("X", "String", mandatory=True, sets=["A"]),
        parameter("Y", "String", mandatory=True, sets=["B"]),
        parameter("First", "String", position=1),
        parameter("Second", "String", position=2),
    ),
    error_source="Get-Thing",
)


def bound(syntax: CommandSyntax, *arguments: Any, has_input: bool = False, **named: Any) -> Binding:
    parameters = [Parameter(None, a) for a in arguments] + [Parameter(name, value) for name, value in named.items()]
    return bind(syntax, parameters, has_input=has_input)


def refused(syntax: CommandSyntax, *arguments: Any, **named: Any) -> ErrorInfo:
    with pytest.raises(PipelineFailed) as failure:
        bound(syntax, *arguments, **named)
    return failure.value.error


@pytest.mark.parametrize("name", ["NodeType", "nodetype", "NODET", "No", "-NodeType", "NodeType:"])
def test_a_name_is_found_without_regard_to_case_and_by_an_unambiguous_beginning(name: str) -> None:
    assert bound(DEPLOY, **{name: "windows"}).values == {"NodeType": "windows"}


def test_aliases_name_their_parameter_and_common_parameters_are_always_there() -> None:
    values = bound(DEPLOY, f=True, vb=None, ea="stop", wi=True).values

    assert values == {"Force": True, "Verbose": True, "ErrorAction": "Stop", "WhatIf": True}


def test_an_own_parameter_wins_over_common_ones_with_the_same_beginning() -> None:
    syntax = CommandSyntax("Get-Day", (parameter("Date", "String"),), error_source="Get-Day")

    assert bound(syntax, D="today").values == {"Date": "today"}


def test_positions_fill_up_in_their_order_whatever_number_they_begin_with() -> None:
    assert bound(DEPLOY, "Linux", 3).values == {"NodeType": "Linux", "Count": 3}
    assert bound(NO_DEFAULT, "a", "b", X="x").values == {"X": "x", "First": "a", "Second": "b"}


def test_a_set_is_chosen_by_what_is_given_and_the_default_where_that_does_not_decide() -> None:
    assert bound(DEPLOY).parameter_set == "file"
    assert bound(DEPLOY, NodeType="Linux").parameter_set == "file"
    assert bound(DEPLOY, JsonConfigString="{}").parameter_set == "string"
    assert bound(CMDLET, Milliseconds=1).parameter_set == "Milliseconds"


@pytest.mark.parametrize(
    ("parameter_name", "given", "value"),
    [
        ("Count", "3", 3),
        ("Count", "0x4", 4),
        ("Count", 2.5, 2),
        ("Names", "one", ["one"]),
        ("Names", ["a", 5, True], ["a", "5", "True"]),
        ("JsonConfigFilePath", 7, "7"),
        ("Accept", 1, True),
        ("Accept", False, False),
        ("Force", False, False),
        ("Force", None, False),
        ("-Force", None, True),
        ("Force", PsValue({"IsPresent": True}, ("System.Management.Automation.SwitchParameter",)), True),
    ],
)
def test_values_are_converted_to_the_parameters_type(parameter_name: str, given: Any, value: Any) -> None:
    assert bound(DEPLOY, **{parameter_name: given}).values == {parameter_name.lstrip("-"): value}


def test_defaults_stand_in_for_what_is_not_given() -> None:
    binding = bound(DEPLOY)

    assert binding.value("NodeType") == "Linux"
    assert binding.value("Force") is False
    assert binding.value("Count") is None


@pytest.mark.parametrize(
    ("named", "error_id", "category", "text"),
    [
        ({"Nope": 1}, "NamedParameterNotFound", "InvalidArgument", "cannot be found that matches parameter name 'Nope'"),
        ({"Json": "x"}, "AmbiguousParameter", "InvalidArgument", "-JsonConfigFilePath -JsonConfigString."),
        ({"JsonConfigFilePath": "a", "JsonConfigString": "b"}, "AmbiguousParameterSet", "InvalidArgument", "cannot be resolved"),
        (
            {"NodeType": "Mac"},
            "ParameterArgumentValidationError",
            "InvalidData",
            'The argument "Mac" does not belong to the set "Linux,Windows"',
        ),
        ({"Count": 9}, "ParameterArgumentValidationError", "InvalidData", "greater than the maximum allowed range of 5"),
        ({"Count": 0}, "ParameterArgumentValidationError", "InvalidData", "less than the minimum allowed range of 1"),
        (
            {"Count": "many"},
            "ParameterArgumentTransformationError",
            "InvalidData",
            'Cannot convert value "many" to type "System.Int32"',
        ),
        ({"Accept": "yes"}, "ParameterArgumentTransformationError", "InvalidData", "accept only Boolean values and numbers"),
        ({"Force": "yes"}, "ParameterArgumentTransformationError", "InvalidData", "SwitchParameter"),
        ({"JsonConfigString": ""}, "ParameterArgumentValidationErrorEmptyStringNotAllowed", "InvalidData", "it is an empty string"),
        ({"JsonConfigString": ["a", "b"]}, "ParameterArgumentTransformationError", "InvalidData", "to type System.String."),
        ({"ErrorAction": "Perhaps"}, "CannotConvertArgumentNoMessage", "InvalidArgument", "SilentlyContinue, Stop, Continue"),
    ],
)
def test_a_function_refuses_as_powershell_does(named: dict[str, Any], error_id: str, category: str, text: str) -> None:
    error = refused(DEPLOY, **named)

    assert error.error_id == f"{error_id},New-Thing"
    assert error.category == category
    assert error.activity == "New-Thing"
    assert text in error.message


def test_a_compiled_cmdlet_words_a_wrong_type_differently() -> None:
    error = refused(CMDLET, Seconds="soon")

    assert error.error_id == "CannotConvertArgumentNoMessage,Example.WaitThingCommand"
    assert error.message.startswith("Cannot bind parameter 'Seconds'. Cannot convert value \"soon\"")


def test_a_missing_mandatory_parameter_is_an_error_unless_somebody_answers() -> None:
    error = refused(CMDLET)

    assert error.error_id == "MissingMandatoryParameter,Example.WaitThingCommand"
    assert error.message == "Cannot process command because of one or more missing mandatory parameters: Seconds."


def test_a_mandatory_parameter_may_come_from_the_pipeline() -> None:
    binding = bound(CMDLET, has_input=True)

    assert binding.bind_object(5) == {"Seconds": 5}
    assert binding.bind_object("7") == {"Seconds": 7}
    with pytest.raises(MissingFromInput, match="mandatory"):
        binding.bind_object(PsValue({"name": "by property"}))
    assert binding.bind_object("no number") is None


def test_too_many_positional_arguments_are_refused() -> None:
    error = refused(NO_DEFAULT, "a", "b", "c", X="x")

    assert error.error_id == "PositionalParameterNotFound,Get-Thing"
    assert "accepts argument 'c'" in error.message


def test_without_a_default_set_nothing_given_is_ambiguous() -> None:
    assert refused(NO_DEFAULT).error_id == "AmbiguousParameterSet,Get-Thing"


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(PipelineFailed) as failure:
        bind(DEPLOY, [Parameter("Count", 1), Parameter("Cou", 2)], has_input=False)

    assert failure.value.error.error_id == "ParameterAlreadyBound,New-Thing"
