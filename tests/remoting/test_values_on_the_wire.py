"""Python values sent to a device and read back, through pypsrp's own serialiser."""

from __future__ import annotations

import datetime as dt
import pickle
import uuid
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.serializer import Serializer

from akslite_ps.errors import UsageError
from akslite_ps.remoting import ON, Command, PsEnum, PsObject, PsVersion, SecureValue, as_python
from akslite_ps.remoting.arguments import duration_text, wire_value
from akslite_ps.remoting.conversion import parse, parse_date_time, parse_duration
from akslite_ps.secrets import redact

NAIVE = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC).replace(tzinfo=None)


def sent(value: Any) -> ET.Element:
    element = Serializer().serialize(wire_value(value, lambda secret: secret.reveal()))
    assert element is not None
    return parse(ET.tostring(element, encoding="unicode"))


def there_and_back(value: Any) -> Any:
    return as_python(sent(value))


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        (True, "B"),
        (False, "B"),
        (0, "I32"),
        (-(2**31), "I32"),
        (2**31, "I64"),
        (2**63 - 1, "I64"),
        (1.5, "Db"),
        (float("inf"), "Db"),
        (Decimal("79228162514264337593543950335"), "D"),
        ("text", "S"),
        (PsVersion("1.12.269.0"), "Version"),
        (dt.datetime(2026, 11, 22, 10, 0, 0, 123456, dt.UTC), "DT"),
        (NAIVE, "DT"),
        (dt.timedelta(seconds=90), "TS"),
        (b"", "BA"),
        (b"\x00\xff", "BA"),
        (uuid.UUID("12345678-1234-5678-1234-567812345678"), "G"),
    ],
)
def test_a_scalar_keeps_type_and_value(value: Any, tag: str) -> None:
    assert sent(value).tag == tag
    assert there_and_back(value) == value
    assert type(there_and_back(value)) is type(value)


@pytest.mark.parametrize("value", [None, [], [1, "a", None, [2.5]], {"Name": "a", "Nested": {"List": [1]}}, {1: "one"}])
def test_a_collection_keeps_its_values(value: Any) -> None:
    assert there_and_back(value) == value


def test_a_whole_number_beyond_64_bits_is_sent_as_decimal() -> None:
    assert there_and_back(2**70) == Decimal(2**70)


def test_a_moment_with_offset_is_sent_in_utc() -> None:
    moment = dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))

    assert sent(moment).text == "2026-11-22T10:30:00Z"
    assert there_and_back(moment) == moment


def test_a_path_and_an_object_can_be_sent() -> None:
    assert there_and_back(PurePosixPath("a/b")) == "a/b"
    assert there_and_back(PsObject({"Name": "Linux", "Cpu": 4})) == PsObject(
        {"Cpu": 4, "Name": "Linux"}, ("System.Management.Automation.PSCustomObject", "System.Object")
    )


def test_a_switch_is_sent_as_true_so_that_functions_take_it_too() -> None:
    assert there_and_back(ON) is True


@pytest.mark.parametrize("value", [object(), 2**100, {"a": {1: object()}}])
def test_what_has_no_net_type_is_refused_before_anything_is_sent(value: object) -> None:
    with pytest.raises(UsageError):
        sent(value)


@given(st.timedeltas(min_value=dt.timedelta(days=-10675199), max_value=dt.timedelta(days=10675199)))
def test_every_duration_survives(span: dt.timedelta) -> None:
    assert parse_duration(duration_text(span)) == span


@pytest.mark.parametrize("seconds", range(0, 601, 10))
def test_durations_ending_in_zero_keep_their_digits(seconds: int) -> None:
    assert parse_duration(duration_text(dt.timedelta(seconds=seconds))) == dt.timedelta(seconds=seconds)


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_every_moment_survives(moment: dt.datetime) -> None:
    try:
        utc = moment if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except OverflowError:
        return
    assert there_and_back(moment) == utc


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_text_survives(text: str) -> None:
    assert there_and_back(text) == text


def test_half_a_surrogate_pair_is_sent_and_comes_back_as_replacement_character() -> None:
    assert sent("a\ud83d_x0041_").text == "a_xD83D__x005F_x0041_x005F_"
    assert as_python("<S>a_xD83D_</S>") == "a\ufffd"


def test_a_pair_of_escapes_is_one_character() -> None:
    assert as_python("<S>_xD83D__xDE00_</S>") == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:00:00.1234567Z", dt.datetime(2026, 11, 22, 10, 0, 0, 123456, dt.UTC)),
        ("2026-11-22T10:00:00-05:30", dt.datetime(2026, 11, 22, 10, tzinfo=dt.timezone(-dt.timedelta(hours=5, minutes=30)))),
        ("2026-11-22T10:00:00", NAIVE),
        ("0001-01-01T00:00:00Z", dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_date_time_is_aware_where_it_carries_a_zone(text: str, expected: dt.datetime) -> None:
    assert parse_date_time(text) == expected
    assert parse_date_time(text).tzinfo == expected.tzinfo


def test_an_enum_keeps_its_number() -> None:
    state = as_python(
        '<Obj RefId="0"><TN RefId="0"><T>System.ServiceProcess.ServiceControllerStatus</T><T>System.Enum</T>'
        "<T>System.ValueType</T><T>System.Object</T></TN><ToString>Running</ToString><I32>4</I32></Obj>"
    )

    assert state == "Running"
    assert isinstance(state, PsEnum)
    assert (state.number, state.type_name) == (4, "System.ServiceProcess.ServiceControllerStatus")
    assert pickle.loads(pickle.dumps(state)).number == 4  # noqa: S301 - made in the line itself


def test_a_value_with_note_properties_is_the_value() -> None:
    assert as_python('<Obj RefId="0"><DT>2026-11-22T10:00:00Z</DT><MS><S N="DisplayHint">Date</S></MS></Obj>') == dt.datetime(
        2026, 11, 22, 10, tzinfo=dt.UTC
    )


def test_nested_objects_and_references_are_resolved() -> None:
    value = as_python(
        '<Obj RefId="0"><TN RefId="0"><T>Deserialized.Node</T><T>Deserialized.System.Object</T></TN><ToString>node</ToString>'
        '<Props><S N="Name">linux</S><Obj N="Network" RefId="1"><TNRef RefId="0" /><Props><S N="Ip">10.0.0.2</S></Props></Obj>'
        '<Ref N="Again" RefId="1" /></Props><MS><Version N="Release">1.12</Version></MS></Obj>'
    )

    assert value.type_names == ("Deserialized.Node", "Deserialized.System.Object")
    assert str(value) == "node"
    assert value["network"]["IP"] == "10.0.0.2"
    assert value["Again"] is value["Network"]
    assert value["Release"].parts == (1, 12)


def test_a_collection_that_holds_itself_is_read() -> None:
    value = as_python('<Obj RefId="0"><LST><I32>1</I32><Ref RefId="0" /></LST></Obj>')

    assert value[1] is value


@pytest.mark.parametrize("container", ["LST", "IE", "QUE", "STK"])
def test_every_kind_of_collection_is_a_list(container: str) -> None:
    assert as_python(f'<Obj RefId="0"><{container}><I32>1</I32><Nil /></{container}></Obj>') == [1, None]


def test_a_key_that_python_cannot_hash_becomes_text() -> None:
    value = as_python(
        '<Obj RefId="0"><DCT><En><Obj N="Key" RefId="1"><LST><I32>1</I32></LST></Obj><S N="Value">a</S></En></DCT></Obj>'
    )

    assert value == {"[1]": "a"}


@pytest.mark.parametrize("clixml", ["<I32>many</I32>", "<DT>yesterday</DT>", "<Unknown>1</Unknown>", '<Ref RefId="7" />'])
def test_what_cannot_be_converted_keeps_its_clixml(clixml: str) -> None:
    value = as_python(clixml)

    assert isinstance(value, PsObject)
    assert value.text == ET.tostring(parse(clixml), encoding="unicode")


def test_one_unreadable_property_does_not_cost_the_others() -> None:
    value = as_python('<Obj RefId="0"><MS><S N="Name">a</S><TS N="Age">old</TS></MS></Obj>')

    assert value["Name"] == "a"
    assert "old" in value["Age"].text


def test_what_is_no_xml_is_kept_as_it_is() -> None:
    assert as_python(b"\xef\xbb\xbfnot xml").text.endswith("not xml")


def test_a_secure_string_never_shows_its_value() -> None:
    secret = SecureValue("s3cret-of-the-line")

    assert "s3cret" not in f"{secret} {secret!r}"
    assert redact("it is s3cret-of-the-line") == "it is <redacted>"
    without_key = as_python("<SS>AQID</SS>")
    assert isinstance(without_key, PsObject)
    assert "AQID" not in str(without_key)
    with_key = as_python("<SS>AQID</SS>", decrypt=lambda element: "clear")
    assert isinstance(with_key, SecureValue)
    assert with_key.reveal() == "clear"


@pytest.mark.parametrize("name", ["", "  ", "Get-Service | Stop-Service", "a; b", "if ($x) { y }"])
def test_script_text_is_not_a_command_name(name: str) -> None:
    with pytest.raises(UsageError):
        Command(name)
