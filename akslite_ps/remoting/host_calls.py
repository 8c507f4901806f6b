"""What a running pipeline wants of the host: text for the screen becomes a record, a question is answered.

Used by ``remoting.invocation`` for each host call in its turn.
"""

from __future__ import annotations

from akslite_ps.errors import PromptUnanswered
from akslite_ps.remoting.fragments import RawMessage
from akslite_ps.remoting.messages import SCREEN_TAG, host_text
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.prompts import QuestionUnanswered
from akslite_ps.remoting.record_stream import RecordStream
from akslite_ps.remoting.records import InformationRecord
from akslite_ps.remoting.recovery import Receiver
from akslite_ps.secrets import redact


class HostCalls:
    """The host calls of one pipeline.

    Args:
        pool: Where it runs.
        stream: Takes the text for the screen.
        receiver: Sends answers through interruptions of the network.
        pipeline_id: Its id.
    """

    def __init__(self, pool: DevicePool, stream: RecordStream, receiver: Receiver, pipeline_id: str) -> None:
        self._pool = pool
        self._stream = stream
        self._receiver = receiver
        self._pipeline_id = pipeline_id
        self._answer_to_send: list[bytes] | None = None

    def take(self, message: RawMessage, command_id: str) -> None:
        """Deal with a host call.

        Args:
            message: The call.
            command_id: By which the device knows the pipeline.

        Raises:
            QuestionUnanswered: It is a question and nobody is there to answer it.
            AksLiteError: The answer does not reach the device.
        """
        text = host_text(message.data)
        if text is None:
            self._answer(message, command_id)
        elif not self._stream.is_on_screen(text):
            record = InformationRecord(text, source="Host", tags=(SCREEN_TAG,), seq=self._stream.next_number)
            self._stream.add(record, message)

    def unanswered(self, question: QuestionUnanswered) -> PromptUnanswered:
        """The error for a question that nobody answered."""
        return PromptUnanswered(
            f"the device asks: {redact(str(question))}",
            device=self._pool.device.name,
            attempted=self._receiver.attempted,
            next_action="pass the parameter that avoids the question (such as Force, or Confirm=False), or give a prompt handler",
        )

    def _answer(self, message: RawMessage, command_id: str) -> None:
        """The person is asked once, however often the answer must be sent."""
        if self._answer_to_send is None:
            self._answer_to_send = self._pool.answer_host_call(message, self._pipeline_id)
        answer = self._answer_to_send

        def send() -> bool:
            self._pool.send_answer(answer)
            return True

        self._receiver.repeat(send, command_id=command_id)
        self._answer_to_send = None
