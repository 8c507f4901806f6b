"""Secrets are found by reference and never shown in any form."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akslite_ps.errors import SecretUnavailable
from akslite_ps.secrets import REDACTED, RedactingFilter, Redactor, SecretRef, redact

CANARY = "c4n&ry/+ päss=word"


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.add(CANARY)
    return redactor


SECRETS = [
    CANARY,
    "abcd",
    "Zaunkoenig7",
    'it\'s "quoted" & <marked> $(up) `here` 100%',
    "slash/plus+equals==",
    "zwei\nZeilen mit Umlauten äöü",
    "ÀÉ€😀-emoji",
    "back\\slash\tTab",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_redacted_in_every_form(forms_of: Callable[[str], list[tuple[str, str]]], secret: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    for shown, inner in forms_of(secret):
        text = redactor.text(f"before {shown} after")
        assert inner not in text, shown
        assert REDACTED in text, shown
        assert text.startswith("before ")
        assert text.endswith(" after")


@pytest.mark.parametrize("secret", SECRETS)
def test_all_at_once_and_one_of_many(forms_of: Callable[[str], list[tuple[str, str]]], secret: str) -> None:
    """However many secrets are known, which decides how they are looked for."""
    redactor = Redactor()
    for number in range(100):
        redactor.add(f"another one, number {number}")
    redactor.add(secret)
    everything = " ".join(shown for shown, _ in forms_of(secret))
    for text in (everything, *(shown for shown, _ in forms_of(secret)), everything * 50):
        clean = redactor.text(text)
        assert [inner for _, inner in forms_of(secret) if inner in clean] == []


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secret=st.text(
        st.characters(blacklist_categories=("Cs",)) | st.sampled_from("aZ0'\"`$&<>%+/=\\ \n\t€;|^!"), min_size=4, max_size=14
    )
)
def test_any_text_is_redacted_in_every_form(forms_of: Callable[[str], list[tuple[str, str]]], secret: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    for shown, inner in forms_of(secret):
        if len(inner) >= 4 and inner not in REDACTED:
            assert inner not in redactor.text(f"before {shown} after").replace(REDACTED, "\0"), shown


def test_the_lines_of_a_key_are_redacted_one_by_one() -> None:
    redactor = Redactor()
    lines = ["MHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5X", "oAoGCCqGSM49AwEHoUQDQgAEffe72"]
    redactor.add("\n".join(["-----BEGIN EC PRIVATE KEY-----", *lines, "-----END EC PRIVATE KEY-----"]))
    assert [redactor.text(f"info: {line}") for line in lines] == [f"info: {REDACTED}"] * 2
    assert redactor.text("-----BEGIN EC PRIVATE KEY-----") == "-----BEGIN EC PRIVATE KEY-----"


@given(st.text(min_size=4, max_size=12), st.text(max_size=6), st.data())
def test_what_is_held_back_is_where_a_secret_may_begin(secret: str, before: str, data: st.DataObject) -> None:
    redactor = Redactor()
    redactor.add(secret)
    size = data.draw(st.integers(1, len(secret) - 1))
    text = before + secret[:size]
    if secret not in text:
        assert redactor.held_back(text) >= size
    assert redactor.held_back("") == 0
    assert 0 <= redactor.held_back(text) <= len(text)


def test_paths_errors_and_sets_are_redacted_too() -> None:
    redactor = Redactor()
    redactor.add(CANARY)
    data = {"path": Path("C:/x") / CANARY.replace("/", "_"), "error": ValueError(CANARY), "set": {CANARY}, "raw": b"x", "number": 1}
    clean = redactor.value(data)
    assert CANARY not in str(clean["error"])
    assert clean["set"] == [REDACTED]
    assert (clean["raw"], clean["number"]) == (b"x", 1)


@pytest.mark.parametrize("prefix", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("suffix", ["", "x", "xy"])
def test_a_secret_inside_a_longer_base64_text_is_redacted(redactor: Redactor, prefix: str, suffix: str) -> None:
    encoded = base64.b64encode(f"{prefix}{CANARY}{suffix}".encode()).decode()

    assert REDACTED in redactor.text(encoded)


def test_nested_data_is_redacted_and_other_data_is_kept(redactor: Redactor) -> None:
    data = {"a": [1, None, f"x{CANARY}"], CANARY: True}

    assert redactor.value(data) == {"a": [1, None, f"x{REDACTED}"], REDACTED: True}


def test_very_short_values_are_left_alone(redactor: Redactor) -> None:
    redactor.add("ok")

    assert redactor.text("ok then") == "ok then"


@given(st.text(min_size=4, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_no_registered_value_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)

    assert secret not in redactor.text(before + secret + after).replace(REDACTED, "\0")


def test_env_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKSLITE_TEST_SECRET", "value-from-env")

    assert SecretRef.parse("env:AKSLITE_TEST_SECRET").resolve() == "value-from-env"
    assert redact("it is value-from-env") == f"it is {REDACTED}"


def test_file_reference_and_one_field_of_a_json_file(tmp_path: Path) -> None:
    plain = tmp_path / "password"
    plain.write_text("from-a-file\r\n", encoding="utf-8")
    config = tmp_path / "config.json"
    config.write_text('\ufeff{"arc": {"ClientSecret": "from-json"}}', encoding="utf-8")

    assert SecretRef("file", str(plain)).resolve() == "from-a-file"
    assert SecretRef("file", f"{config}#Arc.ClientSecret").resolve() == "from-json"


def test_file_reference_to_utf16_and_to_a_path_with_a_hash_sign(tmp_path: Path) -> None:
    folder = tmp_path / "hall #3"
    folder.mkdir()
    plain = folder / "password"
    plain.write_text("from-utf16", encoding="utf-16")
    config = folder / "config.json"
    config.write_text('{"Arc": {"ClientSecret": "from-utf16-json"}}', encoding="utf-16")

    assert SecretRef("file", str(plain)).resolve() == "from-utf16"
    assert SecretRef("file", f"{config}#arc.clientsecret").resolve() == "from-utf16-json"


def test_prompt_reference_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SecretRef.parse("prompt:Password of press-01").resolve(ask=lambda label: f"<{label}>") == "<Password of press-01>"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        (SecretRef("env", "AKSLITE_NOT_SET"), "AKSLITE_NOT_SET"),
        (SecretRef("file", "no/such/file"), "no/such/file"),
        (SecretRef("prompt", "Password"), "person"),
    ],
)
def test_an_unavailable_secret_names_the_reference_and_what_to_do(
    reference: SecretRef, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AKSLITE_NOT_SET", raising=False)
    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(SecretUnavailable, match=says) as caught:
        reference.resolve()
    assert caught.value.next_action


@pytest.mark.parametrize("text", ["hunter2-hunter2", "http://x", ":canary"])
def test_what_is_no_reference_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        SecretRef.parse(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", ["env:", "", "  "])
def test_an_empty_reference_is_refused(text: str) -> None:
    with pytest.raises(SecretUnavailable):
        SecretRef.parse(text)


def test_the_log_filter_redacts_message_and_traceback(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKSLITE_TEST_SECRET", "logged-secret-value")
    value = SecretRef("env", "AKSLITE_TEST_SECRET").resolve()
    logger = logging.getLogger("akslite_ps.test")
    stream: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: stream.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    try:
        try:
            raise ValueError(value)
        except ValueError:
            logger.exception("failed with %s", value)
    finally:
        logger.removeHandler(handler)

    assert stream
    assert value not in stream[0]
