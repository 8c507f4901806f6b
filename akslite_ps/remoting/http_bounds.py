"""Bounds on one HTTP answer: how long it may take from its first line to its last byte, and how large it may be.

Used by ``remoting.transport``. A time limit of a socket counts from byte to byte, so a device, or whatever answers in its
place, that sends a little now and then would never be given up, and one that never stops sending would fill the memory.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any

from pypsrp.exceptions import WinRMError

LONGEST_ANSWER_BYTES = 16 * 1024 * 1024
"""Far more than any answer of WinRM: a client asks for half a megabyte."""


class AnswerTooLong(WinRMError):
    """An answer longer than any that WinRM gives."""

    def __init__(self) -> None:
        super().__init__(f"its answer is longer than {LONGEST_ANSWER_BYTES // 2**20} MiB")


def bound_answers(manager: Any, transfer_s: Callable[[], float]) -> None:
    """Bound the answers on all connections of a pool manager.

    Args:
        manager: urllib3's, of one HTTP adapter; before it has made a connection.
        transfer_s: Gives the seconds that an answer may take, beside the wait for its first byte that the read time-out allows.
    """
    manager.pool_classes_by_scheme = {
        scheme: _with_bounded_connections(make, transfer_s) for scheme, make in manager.pool_classes_by_scheme.items()
    }


def _with_bounded_connections(make_pool: Callable[..., Any], transfer_s: Callable[[], float]) -> Callable[..., Any]:
    def make(*arguments: Any, **options: Any) -> Any:
        pool = make_pool(*arguments, **options)
        make_connection = pool.ConnectionCls

        def connect(*arguments: Any, **options: Any) -> Any:
            connection = make_connection(*arguments, **options)
            connection.response_class = lambda sock, **how: bounded_response(sock, transfer_s(), **how)
            return connection

        pool.ConnectionCls = connect
        return pool

    return make


def bounded_response(sock: Any, transfer_s: float, **how: Any) -> http.client.HTTPResponse:
    """http.client's response that reads a socket up to the bounds.

    Args:
        sock: The socket, with its read time-out set.
        transfer_s: As for :func:`bound_answers`, in seconds.
        how: For http.client.
    """
    stands_for: Any = _BoundedSocket(sock, transfer_s)
    return http.client.HTTPResponse(stands_for, **how)


class _BoundedSocket:
    """Stands for a socket where http.client makes a file of it, which is all that it does with one."""

    def __init__(self, sock: socket.socket, transfer_s: float) -> None:
        self._sock = sock
        self._transfer_s = transfer_s

    def makefile(self, *_: Any, **__: Any) -> Any:
        """A file that reads up to the bounds."""
        return io.BufferedReader(_BoundedReading(self._sock, self._transfer_s))


class _BoundedReading(io.RawIOBase):
    def __init__(self, sock: socket.socket, transfer_s: float) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._left = LONGEST_ANSWER_BYTES
        wait_s = sock.gettimeout()
        self._until = None if wait_s is None else time.monotonic() + wait_s + transfer_s
        self._wait_s = wait_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise AnswerTooLong
        if self._until is not None and self._wait_s is not None:
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the answer did not end in time")
            if left_s < self._wait_s:
                self._sock.settimeout(left_s)
        count = self._file.readinto(buffer)
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
