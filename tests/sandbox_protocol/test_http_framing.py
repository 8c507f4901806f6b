"""HTTP as clients other than ours frame it: what HTTP.sys takes is taken, and what it refuses is refused without a traceback."""

from __future__ import annotations

import base64
import functools
import gzip
import http.client
import socket
import ssl

import pytest
import requests
from lxml import etree

CONFIG = b"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:MessageID>uuid:1</a:MessageID>
<a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action>
<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/config</w:ResourceURI></s:Header><s:Body/></s:Envelope>"""


class RawClient:
    """A TLS connection on which a test writes the bytes of HTTP itself; logged on with Basic."""

    def __init__(self, served):
        context = ssl.create_default_context(cafile=served.ca_file)
        plain = socket.create_connection((served.device.address, served.listener.https_port), 5)
        self.connection = context.wrap_socket(plain, server_hostname=served.device.address)
        self.connection.settimeout(5)
        account = served.device.accounts[0]
        self.authorization = base64.b64encode(f"{account.user}:{account.password}".encode()).decode()

    def send(self, body=CONFIG, *headers, version="1.1", length=None):
        lines = [
            f"POST /wsman HTTP/{version}",
            "Host: press-01",
            f"Authorization: Basic {self.authorization}",
            "Content-Type: application/soap+xml;charset=UTF-8",
            *([] if length == "" else [f"Content-Length: {len(body) if length is None else length}"]),
            *headers,
        ]
        self.connection.sendall("\r\n".join((*lines, "", "")).encode() + body)

    def status(self):
        """The status of the next response; its body is read, too."""
        status = int(self.stream.readline().split()[1])
        self.body = self.stream.read(int(http.client.parse_headers(self.stream).get("Content-Length", 0)))
        return status

    def response(self):
        """The body of the next response."""
        assert self.status() == 200
        return self.body

    def close(self):
        self.stream.close()
        self.connection.close()

    @functools.cached_property
    def stream(self):
        return self.connection.makefile("rb")


@pytest.fixture
def raw(served):
    client = RawClient(served)
    yield client
    client.close()


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(raw):
    raw.send(b"", "Expect: 100-continue", length=len(CONFIG))
    assert raw.stream.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert raw.stream.readline() == b"\r\n"
    raw.connection.sendall(CONFIG)
    assert raw.status() == 200


def test_another_expectation_is_not_met(raw):
    raw.send(CONFIG, "Expect: a-miracle")
    assert raw.status() == 417


def test_requests_in_a_row_are_answered_in_a_row(raw):
    for _ in range(3):
        raw.send()
    assert [raw.status() for _ in range(3)] == [200, 200, 200]


def test_a_chunked_request_and_one_of_http_1_0_are_answered(raw, served):
    raw.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONFIG), CONFIG), "Transfer-Encoding: chunked", length="")
    assert raw.status() == 200
    raw.send(version="1.0")
    assert raw.status() == 200


def test_a_content_encoding_is_left_alone(raw):
    """HTTP.sys unpacks nothing; a bomb stays as small as it came."""
    raw.send(gzip.compress(b" " * 5_000_000), "Content-Encoding: gzip")
    assert raw.status() == 500
    raw.send(CONFIG, "Content-Encoding: gzip")
    assert raw.status() == 200


@pytest.mark.parametrize("length", [2_000_000, 99_999_999_999])
def test_a_body_that_is_too_large_is_refused_before_it_comes(raw, length):
    raw.send(b"", length=length)
    assert raw.status() == 413


def test_long_authorization_headers_are_taken(raw):
    raw.send(CONFIG, f"X-Ticket: {'x' * 12_000}")
    assert raw.status() == 200


def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_error_of_the_device(served, raw, caplog):
    raw.send(CONFIG[:100], length=len(CONFIG))
    raw.close()
    other = RawClient(served)
    other.send()
    assert other.status() == 200
    other.close()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
WHO = f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="{IDENTITY}">
<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>"""


@pytest.fixture
def ask_without_log_on(served):
    def ask(body, **headers):
        url = f"http://{served.device.address}:{served.listener.http_port}/wsman"
        return requests.post(url, body, headers={"Content-Type": "application/soap+xml;charset=UTF-8", **headers}, timeout=5)

    return ask


def test_who_answers_is_told_without_log_on_and_without_the_version_of_windows(ask_without_log_on):
    """The question of Test-WSMan and of every check whether WinRM is there."""
    reply = ask_without_log_on(WHO, WSMANIDENTIFY="unauthenticated")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/soap+xml;charset=UTF-8"
    (response,) = etree.fromstring(reply.content).iter(f"{{{IDENTITY}}}IdentifyResponse")
    assert [(etree.QName(each).localname, each.text) for each in response] == [
        ("ProtocolVersion", "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"),
        ("ProductVendor", "Microsoft Corporation"),
        ("ProductVersion", "OS: 0.0.0 SP: 0.0 Stack: 3.0"),
    ]


def test_nothing_else_is_told_without_log_on(ask_without_log_on):
    assert ask_without_log_on(WHO).status_code == 401
    assert ask_without_log_on(CONFIG, WSMANIDENTIFY="unauthenticated").status_code == 401
    assert ask_without_log_on(b"<", WSMANIDENTIFY="unauthenticated").status_code == 401


def test_who_has_logged_on_hears_the_version_of_windows(raw):
    raw.send(WHO.encode())
    assert b"OS: 10.0.19045 SP: 0.0 Stack: 3.0" in raw.response()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="UTF-16"?>'])
def test_utf_16_is_answered_in_utf_16(raw, encoding, declaration):
    """Windows' own client writes it."""
    raw.send((declaration + CONFIG.decode()).encode(encoding))
    answer = raw.response()
    assert answer.decode("utf-16").startswith("<s:Envelope")
    assert etree.fromstring(answer).find(".//{*}MaxEnvelopeSizekb").text == "500"


def test_utf_16_that_is_none_is_no_envelope(raw):
    raw.send(b"\xff\xfe<\0\x00\xd8<\0")
    assert raw.status() == 500
    raw.send(b"\xff\xfe<")
    assert raw.status() == 500
