"""Fragments put together, whole and in pieces."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.messages import MessageType, PipelineInput
from pypsrp.powershell import Fragmenter
from pypsrp.serializer import Serializer

from akslite_ps.remoting.fragments import Defragmenter

POOL, PIPELINE = str(uuid.uuid4()), str(uuid.uuid4())


def fragments(text: str, size: int = 80, *, counter: int = 1) -> list[bytes]:
    fragmenter = Fragmenter(size, Serializer())
    fragmenter.outgoing_counter = counter
    return list(fragmenter.fragment(PipelineInput(data=text), POOL, PIPELINE))


@given(st.text(alphabet="abc", max_size=400), st.integers(min_value=30, max_value=200))
def test_a_message_is_the_same_however_it_was_cut(text: str, size: int) -> None:
    defragmenter = Defragmenter()
    whole = [message for fragment in fragments(text, size) for message in defragmenter.feed(fragment)]

    assert [message.data.decode() for message in whole] == [f"<S>{text}</S>" if text else "<S />"]
    assert whole[0].kind == MessageType.PIPELINE_INPUT
    assert str(whole[0].pipeline) == PIPELINE


def test_several_messages_in_one_answer_come_in_order() -> None:
    data = b"".join(fragments("first", 500) + fragments("second", 500, counter=2))

    assert [message.data for message in Defragmenter().feed(data)] == [b"<S>first</S>", b"<S>second</S>"]


def test_the_rest_of_a_message_that_another_client_began_is_passed_over() -> None:
    begun = fragments("x" * 300)
    data = b"".join(begun[1:]) + b"".join(fragments("whole", 500, counter=2))

    assert [message.data for message in Defragmenter().feed(data)] == [b"<S>whole</S>"]


@pytest.mark.parametrize("cut", [3, 25])
def test_bytes_that_are_no_fragments_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="cut off"):
        list(Defragmenter().feed(fragments("text", 500)[0][:cut]))
