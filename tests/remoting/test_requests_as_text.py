"""What is written as text is what pypsrp would have written as XML elements."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypsrp.complex_objects import (
    ApartmentState,
    Command,
    CommandParameter,
    HostInfo,
    Pipeline,
    RemoteStreamOptions,
)
from pypsrp.messages import CreatePipeline, Message
from pypsrp.serializer import Serializer
from pypsrp.wsman import OptionSet, SelectorSet, WSMan, WSManAction

from akslite_ps.remoting.arguments import wire_value
from akslite_ps.remoting.envelopes import Sender, request
from akslite_ps.remoting.fragments import Defragmenter, cut
from akslite_ps.remoting.pipeline_message import Statement, create_pipeline
from akslite_ps.remoting.prompts import SessionHost

POOL, PIPELINE = (str(uuid.UUID(int=number)).upper() for number in (1, 2))

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts | st.binary(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
statements = st.builds(
    Statement, texts, st.booleans(), st.lists(st.tuples(st.none() | texts, values.map(lambda v: (v,))), max_size=3)
)


def by_pypsrp(given_statements: list[Any], *, has_input: bool, version: str) -> bytes:
    commands = []
    for statement in given_statements:
        command = Command(statement.text, protocol_version=version, is_script=statement.is_script)
        command.args = [CommandParameter(name, _wire(value)) for name, (value,) in statement.arguments]
        commands.append(command)
    message = CreatePipeline(
        not has_input,
        ApartmentState(value=ApartmentState.UNKNOWN),
        RemoteStreamOptions(value=RemoteStreamOptions.ADD_INVOCATION_INFO),
        False,
        HostInfo(host=SessionHost(None)),
        Pipeline(is_nested=False, cmds=commands, history=None, redirect_err_to_out=False),
        False,
    )
    return bytes(Message(2, POOL, PIPELINE, message, Serializer()).pack())


def _wire(value: Any) -> Any:
    return wire_value(value, lambda secret: pytest.fail("there is no secret"))


def plain(message: bytes) -> Any:
    """Header, and the elements without the numbers of references and with types written out."""
    root = ET.fromstring(message[40:])  # noqa: S314 - made in this test
    types: dict[str, list[str]] = {}

    def shape(element: ET.Element) -> Any:
        if element.tag == "TN":
            types[element.attrib["RefId"]] = [str(child.text) for child in element]
        if element.tag in ("TN", "TNRef"):
            return "types", types[element.attrib["RefId"]]
        return element.tag, element.get("N"), element.text or "", [shape(child) for child in element]

    references = [element.attrib["RefId"] for element in root.iter("Obj")]
    assert len(references) == len(set(references))
    return message[:40], shape(root)


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3"])
@settings(max_examples=25, deadline=None)
@given(st.lists(statements, min_size=1, max_size=3), st.booleans())
def test_a_pipeline_is_written_as_pypsrp_writes_it(version: str, pipeline: list[Statement], has_input: bool) -> None:
    ready = [Statement(one.text, one.is_script, [(name, _wire(value)) for name, (value,) in one.arguments]) for one in pipeline]
    message = create_pipeline(
        ready,
        pool_id=POOL,
        pipeline_id=PIPELINE,
        has_input=has_input,
        protocol_version=version,
        apartment_state=ApartmentState.UNKNOWN,
        serializer=Serializer(),
    )

    assert plain(message) == plain(by_pypsrp(pipeline, has_input=has_input, version=version))


@given(st.binary(min_size=40, max_size=500), st.integers(1, 100))
def test_a_message_that_was_cut_is_put_together_again(message: bytes, size: int) -> None:
    (whole,) = Defragmenter().feed(b"".join(cut(message, 7, size)))
    assert (whole.raw, whole.number) == (message, 7)


def canonical(envelope: bytes) -> str:
    return re.sub(r"uuid:[0-9A-F-]{36}", "uuid", ET.canonicalize(envelope.decode(), strip_text=True))


@pytest.mark.parametrize("timeout", [None, 7])
@given(texts, texts)
def test_a_request_is_written_as_pypsrp_writes_it(timeout: int | None, name: str, value: str) -> None:
    name, value = (re.sub(r"[^\x20-\ud7ff\ue000-\ufffd]", "", text).strip() for text in (name, value))
    connection = WSMan("press-01", ssl=False, auth="ntlm", username="x", password="y", operation_timeout=20)
    options, selectors = OptionSet(), SelectorSet()
    options.add_option(name, value, {"MustComply": "true"})
    selectors.add_option("ShellId", value)
    resource = ET.Element("{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}Signal", CommandId=name)
    _, header = connection._create_header(WSManAction.SIGNAL, f"http://x/{name}", options, selectors, timeout)
    envelope = ET.Element("{http://www.w3.org/2003/05/soap-envelope}Envelope")
    envelope.append(header)
    ET.SubElement(envelope, "{http://www.w3.org/2003/05/soap-envelope}Body").append(resource)

    text = request(
        Sender(connection.transport.endpoint, str(connection.session_id), "en-US", "en-US", connection.max_envelope_size),
        action=WSManAction.SIGNAL,
        resource_uri=f"http://x/{name}",
        message_id="uuid:00000000-0000-0000-0000-000000000000",
        timeout_s=timeout or 20,
        options=options,
        selectors=selectors,
        body=ET.tostring(resource, encoding="unicode"),
    )

    assert canonical(text) == canonical(ET.tostring(envelope))
