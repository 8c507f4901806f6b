"""Exchanges on a TCP connection that is already logged on, without what a library for any web site does around each of them.

Used by ``remoting.transport`` for all but the first exchange of a connection. Makes no connection and logs nobody on. Fails as
requests does, so that whoever calls need not know which of the two carried a message.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import ssl
import weakref
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from akslite_ps.remoting.http_bounds import bounded_response

_UNAUTHORIZED = 401


class KeptConnection:
    """One open connection, taken out of urllib3's pool.

    Args:
        connection: urllib3's.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._closing = weakref.finalize(self, connection.close)  # also where nobody refers to it any more
        self._heads: dict[tuple[str, str], bytes] = {}

    @classmethod
    def out_of(cls, session: requests.Session) -> KeptConnection | None:
        """The connection that a session of requests has open, None where it has none to spare."""
        for adapter in session.adapters.values():
            manager: Any = getattr(adapter, "poolmanager", None)
            for key in () if manager is None else manager.pools.keys():
                with contextlib.suppress(queue.Empty, AttributeError):
                    connection = manager.pools[key].pool.get(block=False)
                    if connection.is_connected:
                        return cls(connection)
                    connection.close()
        return None

    @property
    def is_open(self) -> bool:
        """False where the device has closed it, as far as is known here."""
        return bool(self._connection.is_connected)

    def close(self) -> None:
        """Close it."""
        self._closing()

    def post(self, request: requests.PreparedRequest, read_timeout_s: float | None, transfer_s: float) -> requests.Response | None:
        """Send a request and read its whole answer.

        Args:
            request: The request.
            read_timeout_s: Seconds to wait for the answer's first byte.
            transfer_s: Seconds that it may take from there.

        Returns:
            The answer; None where the device wants a log-on first, and the connection is then closed.

        Raises:
            requests.RequestException: As requests raises.
        """
        sock = self._connection.sock
        if sock is None:
            raise requests.ConnectionError("the connection is closed")
        with self._failing_as_requests():
            sock.settimeout(read_timeout_s)
            body: Any = request.body
            sock.sendall(self._head(request) + body)
            answer = bounded_response(sock, transfer_s, method="POST")
            try:
                answer.begin()
                content = answer.read()
            finally:
                answer.close()
        if answer.will_close or answer.status == _UNAUTHORIZED:
            self.close()
        if answer.status == _UNAUTHORIZED:
            return None
        response: Any = requests.Response()
        response.status_code, response.reason = answer.status, answer.reason
        response.headers = CaseInsensitiveDict(answer.getheaders())
        response.encoding = get_encoding_from_headers(response.headers)
        response.url, response.request = str(request.url), request
        response._content, response._content_consumed = content, True
        if response.is_redirect:
            raise requests.TooManyRedirects("the device sends on to another address", response=response)
        answered: requests.Response = response
        return answered

    def _head(self, request: requests.PreparedRequest) -> bytes:
        """Request line and headers; all but the length is written once."""
        headers: Mapping[str, Any] = request.headers
        key = (str(request.url), headers.get("Content-Type", ""))
        head = self._heads.get(key)
        if head is None:
            lines = [f"POST {request.path_url} HTTP/1.1", f"Host: {urlsplit(key[0]).netloc}"]
            lines += [f"{name}: {_text(value)}" for name, value in headers.items() if name.lower() != "content-length"]
            head = self._heads[key] = "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")
        return head + str(len(request.body or b"")).encode() + b"\r\n\r\n"

    @contextlib.contextmanager
    def _failing_as_requests(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise requests.ReadTimeout(error) from error
        except http.client.IncompleteRead as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except ssl.SSLError as error:
            raise requests.exceptions.SSLError(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise requests.ConnectionError(error) from error


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
