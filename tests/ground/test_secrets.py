"""Secrets are found by reference and never shown in any form."""

from __future__ import annotations

import base64
import json
import logging
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akslite_ps.errors import SecretUnavailable
from akslite_ps.secrets import REDACTED, RedactingFilter, Redactor, SecretRef, redact

CANARY = "c4n&ry/+ päss=word"


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.add(CANARY)
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        base64.b64encode(CANARY.encode()).decode(),
        base64.b64encode(CANARY.encode("utf-16-le")).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
        urllib.parse.quote(CANARY),
        urllib.parse.quote(CANARY, safe=""),
        urllib.parse.quote_plus(CANARY),
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1],
        CANARY.encode("utf-16-le").decode("latin-1"),
        CANARY.encode().hex(),
    ],
)
def test_a_secret_is_redacted_in_every_form(redactor: Redactor, form: str) -> None:
    text = redactor.text(f"before {form} after")

    assert form not in text
    assert REDACTED in text
    assert text.startswith("before ")


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
