"""Every primitive and every collection of PSRP keeps type and value: through our reader and writer, and through a client."""

from __future__ import annotations

import base64
import datetime as dt
import math
import os
import shutil
import subprocess
import uuid
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypsrp.complex_objects import ObjectMeta
from pypsrp.powershell import PowerShell
from pypsrp.serializer import Serializer, TaggedValue

from akslite_ps.sandbox import dotnet
from akslite_ps.sandbox.engine import EnumValue, PsValue, SecureText, Version
from akslite_ps.sandbox.protocol import clixml_reader
from akslite_ps.sandbox.protocol.clixml import Complex, Scalar, serialize
from akslite_ps.sandbox.protocol.clixml_reader import NotClixml, read
from akslite_ps.sandbox.protocol.session_key import KeyRefused, SessionKey

QUICK = settings(max_examples=40, deadline=None)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)
TICKS = st.integers(-(2**63), 2**63 - 1)
ZONES = st.sampled_from([None, dt.UTC]) | st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: dt.timezone(dt.timedelta(minutes=minutes), "local")
)


def wholes(kind: type[dotnet.Whole]) -> st.SearchStrategy[dotnet.Whole]:
    return st.integers(*kind.RANGE).map(kind)


PRIMITIVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats()
    | st.one_of([wholes(kind) for kind in dotnet.WHOLE_TYPES if kind is not dotnet.Int32])
    | st.floats(width=32).map(dotnet.Single)
    | TEXTS
    | st.integers(0, 0xFFFF).map(lambda unit: dotnet.Char(chr(unit)))
    | TEXTS.map(dotnet.Uri)
    | TEXTS.map(dotnet.XmlDocument)
    | TEXTS.map(dotnet.ScriptBlock)
    | TEXTS.map(SecureText)
    | st.binary(max_size=40)
    | st.uuids()
    | st.integers(-(2**96) + 1, 2**96 - 1).flatmap(lambda n: st.integers(0, 28).map(lambda scale: Decimal(n).scaleb(-scale)))
    | TICKS.map(dotnet.TimeSpan.of_ticks)
    | st.builds(
        lambda moment, zone, tick: dotnet.DateTime.of(moment.replace(tzinfo=zone), tick) if tick else moment.replace(tzinfo=zone),
        st.datetimes(),
        ZONES,
        st.integers(0, 9),
    )
    | st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=4).map(lambda parts: Version(".".join(map(str, parts))))
    | st.builds(EnumValue, st.just("System.DayOfWeek"), st.integers(0, 6), st.text("abc", min_size=1, max_size=5))
)
KEYS = st.text(max_size=8) | st.integers(0, 9) | wholes(dotnet.Byte) | st.uuids()
NAMES = st.lists(st.text("ABCab.", min_size=1, max_size=8), min_size=1, max_size=2).map(lambda names: (*names, "System.Object"))
VALUES = st.recursive(
    PRIMITIVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(dotnet.Stack)
        | st.lists(inner, max_size=3).map(dotnet.Queue)
        | st.lists(inner, max_size=3).map(dotnet.Enumerable)
        | st.builds(dotnet.TypedList, st.lists(inner, max_size=3), NAMES)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.builds(dotnet.TypedDictionary, st.dictionaries(KEYS, inner, max_size=3), NAMES)
        | st.builds(PsValue, st.dictionaries(st.text(max_size=8), inner, max_size=3), st.just(()), st.text("abc", min_size=1))
    ),
    max_leaves=10,
)


def there_and_back(value: Any) -> Any:
    escaped = serialize(value, lambda text: "".join(f"{unit:04x}" for unit in text.encode("utf-16-be", "surrogatepass")))
    return read(
        escaped.encode(),
        lambda text: bytes(int(text[i : i + 4], 16) for i in range(0, len(text), 4)).decode("utf-16-be", "surrogatepass"),
    )


def same(one: Any, other: Any) -> bool:
    """Equal and of the same types all the way down; not-a-number is itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        names = getattr(one, "type_names", None) == getattr(other, "type_names", None)
        return names and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        names = getattr(one, "type_names", None) == getattr(other, "type_names", None)
        return names and all(map(same, one.keys(), other.keys())) and all(map(same, one.values(), other.values()))
    if isinstance(one, PsValue):
        return (one.type_names, one.text) == (other.type_names, other.text) and same(dict(one.properties), dict(other.properties))
    if isinstance(one, dt.datetime):
        return one == other and one.utcoffset() == other.utcoffset() and (one.tzinfo is dt.UTC) == (other.tzinfo is dt.UTC)
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    return bool(one == other)


@QUICK
@given(PRIMITIVES)
def test_every_primitive_keeps_type_and_value(value):
    assert same(there_and_back(value), value)


@QUICK
@given(VALUES)
def test_collections_keep_their_kind_their_types_and_their_order(value):
    assert same(there_and_back(value), value)


@QUICK
@given(TICKS)
def test_every_time_span_keeps_its_ticks(ticks):
    span = dotnet.TimeSpan.of_ticks(ticks)
    assert dotnet.ticks_of(span) == ticks
    assert dotnet.ticks_of(there_and_back(span)) == ticks


@pytest.mark.parametrize("kind", dotnet.WHOLE_TYPES)
def test_whole_numbers_keep_to_their_range(kind):
    least, greatest = kind.RANGE
    assert (kind(least), kind(greatest)) == (least, greatest)
    for beyond in (least - 1, greatest + 1):
        with pytest.raises(ValueError, match=kind.TYPE_NAME):
            kind(beyond)


def test_a_char_is_one_code_unit():
    assert dotnet.Char("\ud83d") == "\ud83d"
    for wrong in ("", "ab", "\U0001f600"):
        with pytest.raises(ValueError, match=r"System\.Char"):
            dotnet.Char(wrong)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<S>a_x000A_b</S>", "a\nb"),
        ("<S>_x005F_x000A_</S>", "_x000A_"),
        ("<S>_xD83D__xDE00_</S>", "\U0001f600"),
        ("<S>_xD83D_</S>", "\ud83d"),
        ("<S>_x000_ _x00zz_</S>", "_x000_ _x00zz_"),
        ("<S>\U0001f600</S>", "\U0001f600"),
        ("<S />", ""),
        ("<B>1</B>", True),
        ("<I32>+7</I32>", 7),
        ("<C>97</C>", dotnet.Char("a")),
        ("<Db>-Infinity</Db>", -math.inf),
        ("<Db>1E-05</Db>", 1e-05),
        ("<D>-0.000</D>", Decimal("-0.000")),
        ("<TS>P10675199DT2H48M5.4775807S</TS>", dotnet.TimeSpan.of_ticks(2**63 - 1)),
        ("<DT>2026-01-02T03:04:05</DT>", dt.datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001
        ("<G>00000000-0000-0000-0000-00000000000f</G>", uuid.UUID(int=15)),
        ('<Obj RefId="0"><S>text</S><MS><I32 N="Line">3</I32></MS></Obj>', "text"),
        ('<Obj RefId="0"><LST /></Obj>', []),
        ('<Obj RefId="0"><LST><S>a</S></LST><MS><I32 N="x">1</I32></MS></Obj>', ["a"]),
    ],
)
def test_forms_that_other_writers_use_are_read(text, value):
    assert same(read(text.encode()), value)
    assert same(read(b"\xef\xbb\xbf" + text.encode()), value)


def test_the_tenth_of_a_microsecond_and_the_kind_of_a_date_are_kept():
    for text in (
        "2026-01-02T03:04:05.1234567Z",
        "2026-01-02T03:04:05.0000001+05:30",
        "2026-01-02T03:04:05.9999999",
        "0001-01-01T00:00:00",
    ):
        assert serialize(read(f"<DT>{text}</DT>".encode())) == f"<DT>{text}</DT>"
    local = read(b"<DT>2026-01-02T03:04:05+00:00</DT>")
    assert serialize(local) == "<DT>2026-01-02T03:04:05+00:00</DT>"


def test_references_to_objects_and_to_type_names_are_followed():
    text = (
        '<Obj RefId="0"><TN RefId="0"><T>A</T><T>System.Object</T></TN><MS><Obj N="one" RefId="1"><TNRef RefId="0" /><MS>'
        '<S N="s">x</S></MS></Obj><Ref N="two" RefId="1" /><Obj N="three" RefId="2"><TN RefId="1"><T>System.Object[]</T>'
        '<T>System.Array</T><T>System.Object</T></TN><LST><Ref RefId="1" /></LST></Obj></MS></Obj>'
    )
    value = read(text.encode())
    inner = PsValue({"s": "x"}, ("Deserialized.A", "Deserialized.System.Object"))
    assert value.properties == {"one": inner, "two": inner, "three": [inner]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<S>",
        "<What>1</What>",
        "<I32>2147483648</I32>",
        "<I32>1_000</I32>",
        "<By>256</By>",
        "<U64>-1</U64>",
        "<I64>9223372036854775808</I64>",
        "<C>65536</C>",
        "<B>maybe</B>",
        "<D>1E9</D>",
        "<D>NaN</D>",
        "<Db>1e99999</Db>",
        "<Db>0x10</Db>",
        "<TS>P1Y</TS>",
        "<TS>PT</TS>",
        "<TS>P10675200D</TS>",
        "<DT>yesterday</DT>",
        "<DT>2026-13-01T00:00:00</DT>",
        "<G>not-a-guid</G>",
        "<BA>?</BA>",
        "<Version>1</Version>",
        "<SS>AAAA</SS>",
        '<Ref RefId="7" />',
        '<Obj RefId="0"><TNRef RefId="3" /></Obj>',
        '<Obj RefId="0"><LST><Ref RefId="0" /></LST></Obj>',
        '<Obj RefId="0"><DCT><En><S N="Key">a</S></En></DCT></Obj>',
        '<Obj RefId="0"><DCT><En><Obj N="Key" RefId="1"><LST /></Obj><S N="Value">a</S></En></DCT></Obj>',
        '<!DOCTYPE a [<!ENTITY b "c">]><S>&b;</S>',
        "<Obj>" * 300 + "</Obj>" * 300,
    ],
)
def test_what_is_no_clixml_is_refused(text):
    with pytest.raises(NotClixml):
        read(text.encode())


def test_a_small_text_that_stands_for_very_much_is_refused():
    text = '<Obj RefId="0"><LST><I32>1</I32></LST></Obj>'
    for level in range(1, 30):
        again = f'<Ref RefId="{level - 1}" />' * 9
        text = f'<Obj RefId="{level}"><LST>{text}{again}</LST></Obj>'
    with pytest.raises(NotClixml, match="more than"):
        read(text.encode())


def test_a_document_holds_several_values():
    document = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><S>a</S><I32>1</I32></Objs>'
    assert clixml_reader.read_document(document.encode()) == ["a", 1]
    with pytest.raises(NotClixml, match="Objs"):
        clixml_reader.read_document(b"<S>a</S>")


def test_the_session_key_takes_public_keys_only_and_reads_its_own_texts_only():
    key = SessionKey()
    assert key.decrypt(key.encrypt("P@ss \ud83d wörd")) == "P@ss \ud83d wörd"
    assert repr(key) == "SessionKey()"
    for wrong in ("", "%%%", "AAAA", "A" * 368):
        with pytest.raises(KeyRefused):
            key.for_client(wrong)
    for wrong in ("?", "AAAA", SessionKey().encrypt("another key's")):
        with pytest.raises(KeyRefused):
            key.decrypt(wrong)


# ---- an unmodified client sends it, the device sends it back

TAGGED = [
    ("S", "a <b> & \u0007 \U0001f600 _x0041_"),
    ("C", "a"),
    ("B", True),
    ("TS", "P9DT2H8M42.5834751S"),
    ("TS", "-PT0.0000001S"),
    ("By", 254),
    ("SB", -127),
    ("U16", 64_767),
    ("I16", -32_767),
    ("U32", 4_294_967_295),
    ("I32", -2_147_483_648),
    ("U64", 18_446_744_073_709_551_615),
    ("I64", -9_223_372_036_854_775_808),
    ("I64", 7),
    ("Sg", 12.34),
    ("Db", 34.56),
    ("D", "79228162514264337593543950335"),
    ("D", "-0.1234567890123456789012345678"),
    ("BA", b"\x00\xff" * 20),
    ("G", uuid.UUID(int=5)),
    ("URI", "https://press-01.example/a?b=c&d"),
    ("Version", "1.12.269.0"),
    ("XD", "<a b='c'>&lt;</a>"),
    ("SBK", "Get-Thing | Out-Null\r\n"),
]
"""What pypsrp can send; it has no way to send a date."""


def test_every_primitive_goes_from_a_client_to_the_device_and_back(served):
    seen: list[Any] = []

    async def keep(call, request, streams):
        for parameter in call.parameters:
            seen.append(parameter.value)
            streams.output(parameter.value)

    served.device.commands["Keep"] = keep
    with served.pool() as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Keep")
        for tag, value in TAGGED:
            shell.add_argument(TaggedValue(tag, value))
        output = shell.invoke()
        shell.close()
    assert [str(error) for error in shell.streams.error] == []
    assert output == [value for _, value in TAGGED]
    tags = [serialize(value)[1:].partition(">")[0] for value in seen]
    assert tags == [tag for tag, _ in TAGGED]


def test_lists_dictionaries_and_objects_go_from_a_client_to_the_device_and_back(served, run_command):
    values = [[1, "two", None], {"a": [1, ["deep"]], "b": {"c": True}}, [], {}, None]
    with served.pool() as pool:
        output = run_command(pool, "Echo", *values).output
    assert [parameter.value for parameter in served.device.requests[0].commands[0].parameters] == values
    # pypsrp takes a list in a list for an object without properties.
    assert output[0] == values[0]
    assert (output[1]["a"][0], output[1]["b"]) == (1, {"c": True})
    assert output[2:4] == values[2:4]
    # What is null comes as a message without content, which pypsrp takes for an empty text.
    assert output[4] == ""


def test_secrets_go_from_a_client_to_the_device_and_back(served, run_command):
    with served.pool() as pool:
        pool.exchange_keys()
        text = "P@ss \u00e4 \U0001f600"
        assert run_command(pool, "Echo", pool.serialize(text, ObjectMeta("SS"))).output == [text]
    (parameter,) = served.device.requests[0].commands[0].parameters
    assert parameter.value == SecureText(text)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=30) | st.integers(-(2**31), 2**31 - 1) | st.booleans() | st.uuids(), min_size=1, max_size=20))
def test_pypsrp_writes_what_we_read_and_reads_what_we_write(values):
    theirs = ElementTree.tostring(Serializer().serialize(values))
    assert same(read(theirs), values)
    assert Serializer().deserialize(serialize(values)) == values


def test_stacks_and_queues_arrive_in_order_at_a_client(served, run_command):
    async def collections(call, request, streams):
        streams.output(dotnet.Stack([3, 2, 1]))
        streams.output(dotnet.Queue(["first", "second"]))
        streams.output(dotnet.TypedList([1]))
        streams.output(Complex(("System.Collections.ArrayList", "System.Object"), items=[Scalar("By", "1")]))

    served.device.commands["Collections"] = collections
    with served.pool() as pool:
        stack, queue, array, bytes_ = run_command(pool, "Collections").output
    assert stack == [3, 2, 1]
    assert [queue.get_nowait(), queue.get_nowait()] == ["first", "second"]
    assert (array, bytes_) == ([1], [1])


# ---- PowerShell's own reader and writer

SERIALIZER = r"""
$types = [System.Management.Automation.PSSerializer]
foreach ($line in [IO.File]::ReadAllLines($env:GIVEN)) {
    $text = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line))
    $again = $types::Serialize($types::Deserialize($text), 50)
    [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($again))
}
"""


def kept(value: Any) -> bool:
    """Whether PowerShell makes the same value of it: what is a copy there, local time, or no valid document, is not."""
    if isinstance(value, EnumValue | SecureText | dotnet.Uri | dotnet.XmlDocument | dotnet.ScriptBlock):
        return False
    return not isinstance(value, dt.datetime) or value.tzinfo in (None, dt.UTC)


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH")
def test_powershell_reads_what_we_write_and_we_read_what_it_writes(tmp_path):
    values: list[Any] = []

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(
        st.recursive(PRIMITIVES.filter(kept), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3))
    )
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    frame = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}</Objs>'
    lines = [base64.b64encode(frame.format(serialize(value)).encode()).decode() for value in values]
    given_file = tmp_path / "given.txt"
    given_file.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        ["pwsh", "-NoLogo", "-NoProfile", "-Command", SERIALIZER],
        env={**os.environ, "GIVEN": str(given_file)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.stderr
    answers = [clixml_reader.read_document(base64.b64decode(line)) for line in done.stdout.split()]
    assert len(answers) == len(values)
    for value, answer in zip(values, answers, strict=True):
        # Back from PowerShell an array is a list, whose type says that it is a copy.
        assert plain(answer[0]) == plain(value)


def plain(value: Any) -> Any:
    """A value without the names of its collections' types, and comparable."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {(type(key), key): plain(item) for key, item in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return (type(value), "NaN")
    if isinstance(value, Decimal):
        return (Decimal, value.as_tuple())
    return (type(value), value, getattr(value, "tzinfo", None))
