"""The records of one pipeline on their way: from the device's answers, through messages, to whoever reads them.

Used by ``remoting.invocation``, which decides what a message means. Keeps for every record the place where another process
would have to go on behind it; sees to it that a message which comes again is told once.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace

from akslite_ps.remoting.detached import ReadingPlace
from akslite_ps.remoting.fragments import Defragmenter, RawMessage
from akslite_ps.remoting.records import InformationRecord, Record


class RecordStream:
    """From answers to records.

    Args:
        start: Where an earlier process stopped reading; None from the beginning.
    """

    def __init__(self, start: ReadingPlace | None) -> None:
        self.records: list[Record] = []
        """All that has arrived here."""
        self._place = self._answer = start or ReadingPlace()
        self._received_before = self._place.received
        self._told_up_to = self._place.message
        self._last_taken = -1
        self._defragmenter = Defragmenter(self._place.parts)
        self._messages: deque[RawMessage] = deque()
        self._waiting: deque[tuple[Record, ReadingPlace]] = deque()

    # -- from the device ------------------------------------------------------------------------------------------------

    @property
    def asked_again_for(self) -> str | None:
        """Message id of the Receive by which an earlier process may have got an answer that it did not tell."""
        return self._place.next_receive

    def feed(self, data: bytes, receive_id: str) -> None:
        """Take an answer.

        Args:
            data: Its fragments.
            receive_id: Message id of its Receive.

        Raises:
            ValueError: The bytes are no fragments.
        """
        self._answer = replace(self._answer, next_receive=receive_id, parts=self._defragmenter.parts)
        self._messages.extend(self._defragmenter.feed(data))

    def next_message(self) -> RawMessage | None:
        """The next message; it stays until :meth:`taken`, so that an interrupt in between loses none."""
        # A device that was connected to again sends once more what it does not know to have arrived.
        while self._messages and self._messages[0].number <= self._last_taken:
            self._messages.popleft()
        return self._messages[0] if self._messages else None

    def taken(self) -> None:
        """The next message was dealt with."""
        self._last_taken = self._messages.popleft().number

    @property
    def is_torn(self) -> bool:
        """True where the beginning of a message has come and not its end."""
        return bool(self._defragmenter.parts)

    def was_told(self, message: RawMessage) -> bool:
        """True where an earlier process has told what is in the message."""
        return message.number <= self._told_up_to

    def nothing_comes_again(self) -> None:
        """The answer that an earlier process may have got is dealt with."""
        self._told_up_to = -1

    # -- to the reader --------------------------------------------------------------------------------------------------

    @property
    def next_number(self) -> int:
        """Number of the next record."""
        return self._received_before + len(self.records) + 1

    @property
    def is_read(self) -> bool:
        """True where all records that arrived were handed out."""
        return not self._waiting

    def add(self, record: Record, message: RawMessage) -> None:
        """A record that came in this message."""
        self.records.append(record)
        place = replace(self._answer, received=record.seq, message=message.number, screen=_screen_digest(record))
        self._waiting.append((record, place))

    def hand_out(self) -> Record | None:
        """The next record for the reader, None where there is none."""
        if not self._waiting:
            return None
        record, self._place = self._waiting.popleft()
        return record

    def place(self, next_receive: str | None) -> ReadingPlace:
        """Where another process would have to go on behind what was handed out.

        Args:
            next_receive: Message id of the next Receive; None where the device has told the pipeline's end already.
        """
        if self._waiting or self._messages or next_receive is None:
            # What was not handed out, or the end, is in an answer that must be asked for again.
            return self._place
        return replace(self._place, next_receive=next_receive, parts=self._defragmenter.parts)

    def is_on_screen(self, text: str) -> bool:
        """True where the last record says the same: Write-Host, and Write-Information where it is shown, send both."""
        last = _screen_digest(self.records[-1]) if self.records else self._place.screen
        return last == _digest(text)


def _screen_digest(record: Record) -> str | None:
    if isinstance(record, InformationRecord) and record.source != "Host":
        return _digest(record.message)
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
