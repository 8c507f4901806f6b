"""Values to a device and back through the whole protocol: what arrives is what was sent."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from akslite_ps.cli.sandbox import as_inventory_device
from akslite_ps.remoting import PsDateTime, PsObject, PsTimeSpan, PsUri, PsVersion, SecureValue, Session
from akslite_ps.sandbox import LocalSandbox

LONG = dt.timedelta(days=10_675_199)  # TimeSpan's own limit is some hours more
texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
zones = st.none() | st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
FIRST, LAST = dt.datetime.min, dt.datetime.max  # noqa: DTZ901 - moments without a zone are meant
DAY = dt.timedelta(days=1)
moments = st.datetimes(FIRST + DAY, LAST - DAY, timezones=zones)
spans = st.timedeltas(-LONG, LONG)
digits = st.integers(1, 9)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.decimals(-(10**15), 10**15, places=6)
    | texts
    | st.binary(max_size=12)
    | st.uuids()
    | moments
    | st.builds(PsDateTime.of, moments, digits)
    | spans
    | st.builds(lambda span, digit: PsTimeSpan.of(span, digit if span > dt.timedelta() else -digit), spans, digits)
    | st.tuples(*[st.integers(0, 2**31 - 1)] * 4).map(lambda parts: PsVersion(".".join(map(str, parts))))
    | st.from_regex(r"\Ahttps://[a-z]{1,8}\.example/[a-z]{0,8}\Z").map(PsUri)
)
names = st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=6)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, min_size=2, max_size=3)
        | st.dictionaries(names, inner, max_size=3)
        | st.dictionaries(names, inner, min_size=1, max_size=3).map(PsObject)
    )


values = st.recursive(scalars, containers, max_leaves=6)


def same(sent: Any, came: Any) -> bool:
    """Whether a value came back as it was sent: equal, of the same type, with the digit below the microsecond."""
    if isinstance(sent, PsObject):
        return isinstance(came, PsObject) and same(dict(sent.properties), dict(came.properties))
    if isinstance(sent, dict):
        return isinstance(came, dict) and sent.keys() == came.keys() and all(same(sent[key], came[key]) for key in sent)
    if isinstance(sent, list):
        return isinstance(came, list) and len(sent) == len(came) and all(map(same, sent, came))
    if isinstance(sent, dt.datetime) and (sent.tzinfo is None) != (came.tzinfo is None):
        return False
    kept = getattr(sent, "hundred_ns", 0) == getattr(came, "hundred_ns", 0)
    return bool(sent == came and type(sent) is type(came) and kept)


many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def echo(lab: Any) -> Iterator[Session]:
    """A session on a device whose Get-Same gives back its parameter."""

    @lab.device.command("Get-Same")
    async def same(call: Any, streams: Any, request: Any) -> None:
        streams.output(call.parameters[0].value)

    with Session.open(lab.target()) as session:
        yield session


@many
@given(values)
@example(b"")
@example([])
@example({})
@example(PsDateTime.of(LAST, 9))
@example(FIRST)
@example(PsTimeSpan.of(dt.timedelta(), -1))
@example("_x0041_ \x00 \r\n 🙂")
@example({"list": [{"in": [b"", None, True]}], "object": PsObject({"Name": "x"})})
def test_every_value_comes_back_as_it_was_sent(echo: Session, value: Any) -> None:
    (came,) = echo.invoke("Get-Same", Value=value, timeout_s=20).output
    assert same(value, came)


def test_half_a_surrogate_pair_comes_back_as_text_that_can_be_written(echo: Session) -> None:
    (came,) = echo.invoke("Get-Same", Value="a\ud800b", timeout_s=20).output
    assert came == "a\ufffdb"
    assert came.encode()


@settings(many, max_examples=20)
@given(st.recursive(st.just("s3cret-Value"), lambda inner: st.lists(inner, min_size=1) | st.dictionaries(names, inner, min_size=1)))
def test_secrets_are_found_however_deep_they_are(lab: Any, echo: Session, value: Any) -> None:
    from akslite_ps.sandbox.engine import SecureText

    def secret(inner: Any) -> Any:
        if isinstance(inner, list):
            return [secret(item) for item in inner]
        return {key: secret(item) for key, item in inner.items()} if isinstance(inner, dict) else SecureValue(inner)

    def arrived(inner: Any) -> Iterator[Any]:
        if isinstance(inner, list):
            for item in inner:
                yield from arrived(item)
        elif isinstance(inner, dict):
            yield from arrived(list(inner.values()))
        else:
            yield inner

    echo.invoke("Get-Same", Value=secret(value), Object=PsObject({"Inner": secret(value)}), timeout_s=20)
    plain, wrapped = (parameter.value for parameter in lab.device.requests[-1].commands[0].parameters)
    assert set(arrived(plain)) == {SecureText("s3cret-Value")}
    assert set(arrived(wrapped.properties["Inner"])) == {SecureText("s3cret-Value")}


@pytest.fixture(scope="module")
def powershell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session whose pipelines run in this machine's PowerShell."""
    with (
        LocalSandbox(tmp_path_factory.mktemp("device"), engine="pwsh", wait_s=60) as sandbox,
        Session.open(as_inventory_device(sandbox.devices[0])) as session,
    ):
        yield session


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="PowerShell 7 (pwsh) is not on PATH")
class TestWithPowerShell:
    @settings(max_examples=40, deadline=None)
    @given(value=values)
    @example(value=b"")
    @example(value={"list": [{"in": [b"", None, True]}], "object": PsObject({"Name": "x"})})
    @example(value=PsDateTime.of(LAST, 9))
    def test_every_value_comes_back_as_it_was_sent(self, powershell: Session, value: Any) -> None:
        (came,) = powershell.run_script("param($Value) , $Value", Value=value, timeout_s=60).output
        assert same(value, came)

    def test_a_secret_deep_in_an_object_is_readable_there(self, powershell: Session) -> None:
        script = "param($Given) [pscredential]::new('x', $Given.outer[0].Inner).GetNetworkCredential().Password.Length"
        given = {"outer": [PsObject({"Inner": SecureValue("twelve chars")})]}
        assert powershell.run_script(script, Given=given, timeout_s=60).output == [12]
