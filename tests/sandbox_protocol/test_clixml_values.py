"""Plain values as CLIXML, read back by the readers that others wrote."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypsrp.serializer import Serializer

from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version
from akslite_ps.sandbox.protocol.clixml import Complex, Scalar, format_datetime, format_duration, serialize
from akslite_ps.sandbox.protocol.clixml_reader import read


def reversed_text(text: str) -> str:
    """Stands for the session key."""
    return text[::-1]


def round_trip(value: Any) -> Any:
    return read(serialize(value, reversed_text).encode(), reversed_text)


TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
PRIMITIVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)
    | st.uuids()
    | st.decimals(allow_nan=False, allow_infinity=False, places=6)
    | st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000))
    | st.datetimes(timezones=st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=-5, minutes=-30))]))
)
VALUES = st.recursive(
    PRIMITIVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)


@settings(max_examples=30, deadline=None)
@given(VALUES)
def test_plain_values_survive_the_wire(value):
    assert round_trip(value) == value


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_character_survives_the_wire(text):
    assert round_trip(text) == text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_pypsrp_reads_the_same_text(text):
    assert Serializer().deserialize(serialize([text])) == [text]


def test_whole_seconds_survive_the_wire():
    spans = [dt.timedelta(seconds=seconds) for seconds in range(601)]
    assert round_trip(spans) == spans


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (dt.timedelta(), "PT0S"),
        (dt.timedelta(seconds=10), "PT10S"),
        (dt.timedelta(seconds=90), "PT1M30S"),
        (dt.timedelta(seconds=600), "PT10M"),
        (dt.timedelta(hours=36), "P1DT12H"),
        (dt.timedelta(days=2), "P2D"),
        (dt.timedelta(microseconds=1_500_000), "PT1.5S"),
        (dt.timedelta(microseconds=1), "PT0.000001S"),
        (-dt.timedelta(seconds=90), "-PT1M30S"),
    ],
)
def test_time_spans_are_written_as_dotnet_does(span, text):
    assert format_duration(span) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),  # noqa: DTZ001
        (dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.UTC), "2026-01-02T03:04:05.000006Z"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-01-02T03:04:05+02:00"),
    ],
)
def test_dates_keep_their_kind(moment, text):
    assert format_datetime(moment) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "<Db>1</Db>"),
        (1e20, "<Db>1E+20</Db>"),
        (math.inf, "<Db>INF</Db>"),
        (-math.inf, "<Db>-INF</Db>"),
        (math.nan, "<Db>NaN</Db>"),
        (2**31, "<I64>2147483648</I64>"),
        (-(2**31), "<I32>-2147483648</I32>"),
        (2**63, "<U64>9223372036854775808</U64>"),
        (2**70, "<D>1180591620717411303424</D>"),
        (Decimal("1E+3"), "<D>1000</D>"),
        (dt.date(2026, 1, 2), "<DT>2026-01-02T00:00:00</DT>"),
        (Version("1.2.3.4"), "<Version>1.2.3.4</Version>"),
        (Scalar("U32", "7"), "<U32>7</U32>"),
        (None, "<Nil />"),
        ("", "<S></S>"),
        ("a\n_x000A_", "<S>a_x000A__x005F_x000A_</S>"),
        (uuid.UUID(int=1), "<G>00000000-0000-0000-0000-000000000001</G>"),
    ],
)
def test_values_have_dotnets_type_and_form(value, text):
    assert serialize(value) == text


def test_an_object_without_types_is_a_custom_object():
    assert serialize(PsValue({"A": 1, "B": None})) == (
        '<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T><T>System.Object</T></TN>'
        '<ToString>@{A=1; B=}</ToString><MS><I32 N="A">1</I32><Nil N="B" /></MS></Obj>'
    )


def test_a_typed_object_has_its_properties_and_its_text():
    value = PsValue({"Name": "n"}, ("AksEdge.Node",), text="the node")
    assert round_trip(value) == PsValue({"Name": "n"}, ("Deserialized.AksEdge.Node", "Deserialized.System.Object"), "the node")


def test_type_names_are_written_once_and_referred_to_after():
    text = serialize([PsValue({"A": 1}, ("T",)), PsValue({"A": 2}, ("T",))])
    assert text.count("<T>T</T>") == 1
    assert text.count('<TNRef RefId="1" />') == 1


def test_enums_keep_type_number_and_name():
    monday = EnumValue("System.DayOfWeek", 1, "Monday")
    assert "<ToString>Monday</ToString><I32>1</I32>" in serialize(monday)


def test_secrets_are_encrypted_and_hidden():
    secret = SecureText("hunter2")
    assert "hunter2" not in repr(secret)
    assert serialize(secret, reversed_text) == "<SS>2retnuh</SS>"
    assert round_trip(PsValue({"Password": secret})).properties == {"Password": secret}


def test_a_secret_without_a_key_is_not_written():
    with pytest.raises(ValueError, match="session key"):
        serialize(SecureText("hunter2"))


def test_what_powershell_has_no_form_for_is_an_error():
    with pytest.raises(TypeError, match="object"):
        serialize(object())


def test_adapted_and_note_properties_are_kept_apart():
    text = serialize(Complex(("T", "System.Object"), adapted={"a": 1}, notes={"n": 2}, text="t"))
    assert text.endswith('<ToString>t</ToString><Props><I32 N="a">1</I32></Props><MS><I32 N="n">2</I32></MS></Obj>')
