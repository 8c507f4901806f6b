"""Sessions against PowerShell 7 itself (``pwsh -s``): what the engine sends and takes, not what we believe of it.

Needs ``pwsh`` on PATH. :class:`PwshConnection` stands where ``remoting.connection.Connection`` does and carries the
protocol's fragments between the session under test and the engine's standard streams.
"""

from __future__ import annotations

import base64
import datetime as dt
import queue
import shutil
import subprocess
import threading
import uuid
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from pypsrp.exceptions import WSManFaultError
from pypsrp.wsman import NAMESPACES

from akslite_ps.errors import CmdletFailed, PromptUnanswered
from akslite_ps.remoting import (
    ON,
    Command,
    Device,
    Endpoint,
    ErrorRecord,
    InformationRecord,
    InvocationState,
    ProgressRecord,
    PsEnum,
    PsObject,
    PsUri,
    PsVersion,
    SecureValue,
    Session,
)
from akslite_ps.remoting.conversion import parse
from akslite_ps.remoting.pool import DevicePool
from akslite_ps.remoting.prompts import SessionHost

POOL = str(uuid.UUID(int=0))
RSP = NAMESPACES["rsp"]
TIMED_OUT = 2150858793
PATIENCE_S = 60
PWSH = shutil.which("pwsh")

pytestmark = [pytest.mark.pwsh, pytest.mark.skipif(PWSH is None, reason="PowerShell 7 (pwsh) is not on PATH")]


class PwshConnection:
    """Answers WSMan operations with what ``pwsh -s`` says."""

    def __init__(self, executable: str) -> None:
        self.max_payload_size = 32_768
        self.max_envelope_size = 512_000
        self.operation_timeout = 20
        self.session_id = str(uuid.uuid4())
        self.transport = SimpleNamespace(connection_timeout=5, read_timeout=30, transfer_s=60, last_used=0.0)
        self.next_receive_id = self.answered_receive_id = "uuid:0"
        self._process = subprocess.Popen(
            [executable, "-NoLogo", "-NoProfile", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._data: dict[str, queue.Queue[bytes]] = defaultdict(queue.Queue)
        self._acks: queue.Queue[tuple[str, str]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def answering_within(self, limit_s: float | None) -> Any:
        return nullcontext()

    def create(self, resource_uri: str, resource: ET.Element, **_: Any) -> ET.Element:
        creation = resource.find("creationXml")
        assert creation is not None
        self._write(f"<Data Stream='Default' PSGuid='{POOL}'>{creation.text}</Data>", "DataAck", POOL)
        return ET.Element("Body")

    def command(self, resource_uri: str, resource: ET.Element, **_: Any) -> ET.Element:
        target = resource.attrib["CommandId"].lower()
        self._write(f"<Command PSGuid='{target}' />", "CommandAck", target)
        text = resource.findtext(f"{{{RSP}}}Arguments")
        self._write(f"<Data Stream='Default' PSGuid='{target}'>{text}</Data>", "DataAck", target)
        return ET.Element("Body")

    def send(self, resource_uri: str, resource: ET.Element, **_: Any) -> ET.Element:
        stream = resource.find(f"{{{RSP}}}Stream")
        assert stream is not None
        target = stream.get("CommandId", POOL).lower()
        if stream.attrib["Name"] == "pr":
            # Over WSMan the answer to a host call names its pipeline in the message only.
            target = str(uuid.UUID(bytes_le=base64.b64decode(stream.text or "")[45:61]))
            self._write(f"<Data Stream='PromptResponse' PSGuid='{target}'>{stream.text}</Data>", "DataAck", target)
        else:
            self._write(f"<Data Stream='Default' PSGuid='{target}'>{stream.text}</Data>", "DataAck", target)
        return ET.Element("Body")

    def receive(self, resource_uri: str, resource: ET.Element, *, timeout: int | None = None, **_: Any) -> ET.Element:
        desired = resource.find(f"{{{RSP}}}DesiredStream")
        assert desired is not None
        target = desired.get("CommandId", POOL).lower()
        try:
            data = self._data[target].get(timeout=timeout or self.operation_timeout)
        except queue.Empty:
            raise WSManFaultError(TIMED_OUT, None, "timed out", None, None, None) from None
        body = ET.Element("Body")
        response = ET.SubElement(body, f"{{{RSP}}}ReceiveResponse")
        ET.SubElement(response, f"{{{RSP}}}Stream", Name="stdout").text = base64.b64encode(data).decode()
        return body

    def signal(self, resource_uri: str, resource: ET.Element, **_: Any) -> ET.Element:
        target = resource.attrib["CommandId"].lower()
        if (resource.findtext(f"{{{RSP}}}Code") or "").endswith("Terminate"):
            self._write(f"<Close PSGuid='{target}' />", "CloseAck", target)
        else:
            self._write(f"<Signal PSGuid='{target}' />", "SignalAck", target)
        return ET.Element("Body")

    def delete(self, resource_uri: str, **_: Any) -> ET.Element:
        self._write(f"<Close PSGuid='{POOL}' />", "CloseAck", POOL)
        return ET.Element("Body")

    def update_max_payload_size(self, size: int) -> None:
        pass

    def reset(self) -> None:
        pass

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self._process.stdin.close()
        self._process.stdout.close()

    def _write(self, line: str, ack: str, target: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        while self._acks.get(timeout=PATIENCE_S) != (ack, target):
            pass

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            element = parse(line)
            target = element.attrib["PSGuid"].lower()
            if element.tag == "Data":
                self._data[target].put(base64.b64decode(element.text or ""))
            else:
                self._acks.put((element.tag, target))


class Person:
    """Answers what it is asked with what fits."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lines: list[str] = []

    def confirm(self, question: Any) -> bool:
        self.asked.append(str(question))
        return True

    def choice(self, question: Any) -> int:
        self.asked.append(str(question))
        return 1

    def read_line(self, label: str) -> str:
        self.asked.append(label)
        return self.lines.pop(0) if self.lines else "typed"

    def read_secure(self, label: str) -> str:
        self.asked.append(label)
        return "typed-secret"


def open_session(person: Person | None) -> tuple[Session, PwshConnection]:
    assert PWSH is not None
    connection: Any = PwshConnection(PWSH)
    device = Device(name="engine", endpoint=Endpoint(host="127.0.0.1", username="nobody", password="env:NOTHING"))
    pool = DevicePool(device, lambda session_id: connection, SessionHost(person))
    pool.open(PATIENCE_S)
    return Session(pool, None), connection


@pytest.fixture(scope="module")
def person() -> Person:
    return Person()


@pytest.fixture(scope="module")
def engine(person: Person) -> Iterator[Session]:
    """One session for all tests of this module; the engine takes half a second to start."""
    session, connection = open_session(person)
    try:
        yield session
        session.close()
    finally:
        connection.close()


def test_the_engine_tells_version_and_language(engine: Session) -> None:
    assert engine.powershell_version is not None
    assert engine.powershell_version.parts >= (7,)
    assert engine.language == "full"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$null", None),
        ("'a' + [char]0 + [char]27", "a\0\x1b"),
        ("[datetime]::new(2026, 11, 22, 10, 0, 0, [DateTimeKind]'Utc')", dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)),
        ("[timespan]'1.02:03:04.5'", dt.timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("[timespan]::FromSeconds(-90)", dt.timedelta(seconds=-90)),
        ("[version]'1.12.269.0'", PsVersion("1.12.269.0")),
        ("[uri]'https://press-01/a b'", PsUri("https://press-01/a b")),
        (",[byte[]]@(1, 255)", b"\x01\xff"),
        (",[byte[]]::new(0)", b""),
        ("1.20d", Decimal("1.20")),
        ("[double]::NegativeInfinity", float("-inf")),
        ("[uint64]::MaxValue", 2**64 - 1),
        ("[char]'x'", "x"),
        ("@{a = 1; b = @('c')}", {"a": 1, "b": ["c"]}),
        (",[System.Collections.Generic.List[int]]@(1, 2)", [1, 2]),
        (",[System.Collections.Queue]@(1, 2)", [1, 2]),
        ("[guid]::Empty", uuid.UUID(int=0)),
    ],
)
def test_what_the_engine_sends_is_read(engine: Session, expression: str, expected: Any) -> None:
    (value,) = engine.run_script(expression).output

    assert value == expected
    assert type(value) is type(expected)


def test_an_enum_and_an_object_of_the_engine_are_read(engine: Session) -> None:
    day, thing = engine.run_script(
        "[System.DayOfWeek]'Monday'; [pscustomobject]@{Name = 'x'; Inner = [pscustomobject]@{N = 1}}"
    ).output

    assert isinstance(day, PsEnum)
    assert (day, day.number, day.type_name) == ("Monday", 1, "System.DayOfWeek")
    assert isinstance(thing, PsObject)
    assert (thing["name"], thing["Inner"]["N"]) == ("x", 1)


@pytest.mark.parametrize(
    ("value", "net_type", "text"),
    [
        (True, "Boolean", "True"),
        (5, "Int32", "5"),
        (2**40, "Int64", "1099511627776"),
        (2**70, "Decimal", "1180591620717411303424"),
        (1.5, "Double", "1.5"),
        (Decimal("1.50"), "Decimal", "1.50"),
        ("a\r\n_x0041_\U0001f600", "String", "a\r\n_x0041_\U0001f600"),
        (dt.timedelta(seconds=90), "TimeSpan", "00:01:30"),
        (dt.timedelta(days=-1, microseconds=1), "TimeSpan", "-23:59:59.9999990"),
        (PsVersion("1.12.269.0"), "Version", "1.12.269.0"),
        (b"", "Byte[]", ""),
        (uuid.UUID(int=1), "Guid", "00000000-0000-0000-0000-000000000001"),
        (SecureValue("a-secret-value"), "Security.SecureString", "System.Security.SecureString"),
        ({"a": 1}, "Collections.Hashtable", "System.Collections.Hashtable"),
    ],
)
def test_what_is_sent_is_what_the_engine_takes(engine: Session, value: Any, net_type: str, text: str) -> None:
    taken = engine.run_script("param($Value) $Value.GetType().FullName; [string]$Value", Value=value).output

    assert taken == [f"System.{net_type}", text]


def test_a_moment_is_the_same_moment_for_the_engine(engine: Session) -> None:
    moment = dt.datetime(2026, 11, 22, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))

    assert engine.run_script("param($Value) $Value.ToUniversalTime().ToString('s')", Value=moment).output == ["2026-11-22T10:30:00"]


def test_a_secret_arrives_readable_for_the_engine_and_comes_back_hidden(engine: Session) -> None:
    script = "param($Value) [pscredential]::new('u', $Value).GetNetworkCredential().Password.Length; $Value"

    assert engine.run_script(script, Value=SecureValue("a-secret-value")).output == [14, SecureValue("a-secret-value")]


@pytest.mark.parametrize(("value", "expected"), [(ON, True), (True, True), (False, False)])
def test_a_switch_is_taken_by_functions_and_cmdlets_alike(engine: Session, value: Any, expected: bool) -> None:
    engine.run_script("function global:Test-Switch { param([switch]$Force) $Force.IsPresent }")

    assert engine.invoke("Test-Switch", Force=value).output == [expected]
    sorted_values = engine.start(Command("Sort-Object", {"Descending": value}), input=[1, 3, 2]).wait().output
    assert sorted_values == ([3, 2, 1] if expected else [1, 2, 3])


def test_text_for_the_screen_comes_once(engine: Session) -> None:
    result = engine.run_script("Write-Host 'said'; $host.UI.WriteLine('written'); $host.UI.WriteLine('written'); Write-Host 'said'")

    assert [record.message for record in result.records if isinstance(record, InformationRecord)] == [
        "said",
        "written",
        "written",
        "said",
    ]


def test_information_that_is_shown_comes_once(engine: Session) -> None:
    result = engine.run_script("Write-Information 'hidden'; Write-Information 'shown' -InformationAction Continue")

    assert [record.message for record in result.records if isinstance(record, InformationRecord)] == ["hidden", "shown"]


def test_what_would_be_done_is_told(engine: Session) -> None:
    script = CONFIRMING.removesuffix("Remove-Thing") + "Remove-Thing -WhatIf"

    (record,) = engine.run_script(script, own_scope=True).records
    assert isinstance(record, InformationRecord)
    assert record.message == 'What if: Performing the operation "Remove-Thing" on target "thing".'
    assert (record.source, record.tags) == ("Host", ("PSHOST",))


def test_what_a_host_says_of_a_warning_and_its_like_comes_once(engine: Session) -> None:
    script = "$host.UI.WriteWarningLine('a'); Write-Warning 'b'; $host.UI.WriteVerboseLine('c'); $host.UI.WriteDebugLine('d')"

    records: list[Any] = engine.run_script(script).records
    assert [(type(record).__name__, record.message) for record in records] == [
        ("WarningRecord", "a"),
        ("WarningRecord", "b"),
        ("VerboseRecord", "c"),
        ("DebugRecord", "d"),
    ]


def test_errors_and_progress_of_the_engine_are_read(engine: Session) -> None:
    result = engine.run_script(
        "Write-Error 'boom' -ErrorId Odd -Category InvalidData -TargetObject 5;"
        "Write-Progress -Activity A -Status B -PercentComplete 5 -SecondsRemaining 9",
        check=False,
    )

    error, progress = result.records
    assert isinstance(error, ErrorRecord)
    assert (error.message, error.category, error.target, error.terminating) == ("boom", "InvalidData", "5", False)
    assert error.category_line.startswith("InvalidData: (5:Int32) [Write-Error]")
    assert error.position is not None
    assert isinstance(progress, ProgressRecord)
    assert (progress.activity, progress.status, progress.percent, progress.seconds_remaining) == ("A", "B", 5, 9)


def test_binding_errors_of_the_engine_carry_their_ids(engine: Session) -> None:
    with pytest.raises(CmdletFailed) as caught:
        engine.invoke("Sort-Object", Nonsense=1)

    assert caught.value.error_id == "NamedParameterNotFound,Microsoft.PowerShell.Commands.SortObjectCommand"


def test_a_running_command_of_the_engine_is_stopped(engine: Session) -> None:
    running = engine.start("Start-Sleep", Seconds=60)

    assert running.stop(timeout_s=PATIENCE_S)
    assert running.state is InvocationState.STOPPED


CONFIRMING = (
    "function Remove-Thing { [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param() "
    "if ($PSCmdlet.ShouldProcess('thing')) { 'done' } }; Remove-Thing"
)


@pytest.mark.parametrize(
    ("script", "output", "asked"),
    [
        (CONFIRMING, ["done"], "Confirm - Are you sure"),
        ("$host.UI.PromptForChoice('Node', 'Which?', @('&Red', '&Blue'), -1)", [1], "Node - Which? [Red, Blue]"),
        (
            "$choices = [System.Management.Automation.Host.ChoiceDescription[]]@('&Red', '&Blue');"
            "$host.UI.PromptForChoice('Node', 'Which?', $choices, [int[]]@(0))",
            [1],
            "Node - Which? [Red, Blue]",
        ),
        ("function f { param([Parameter(Mandatory)]$Name) $Name }; f", ["typed"], "cmdlet f at command pipeline position 1"),
        ("function f { param([Parameter(Mandatory)][securestring]$Key) $Key.Length }; f", [12], "Key"),
        ("function f { param([Parameter(Mandatory)][pscredential]$C) $C.UserName }; f", ["typed"], "user name"),
        ("function f { param([Parameter(Mandatory)]$A, [Parameter(Mandatory)]$B) $A + $B }; f", ["typedtyped"], "A"),
        ("$host.UI.ReadLine()", ["typed"], ""),
        ("$host.UI.ReadLineAsSecureString().Length", [12], "a secret"),
        ("$host.UI.PromptForCredential('c', 'm', 'me', 't').GetNetworkCredential().UserName", ["me"], "c - m: password of me"),
    ],
)
def test_questions_of_the_engine_are_answered(engine: Session, person: Person, script: str, output: list[Any], asked: str) -> None:
    person.asked.clear()

    assert engine.run_script(script, timeout_s=PATIENCE_S).output == output
    assert asked in person.asked[0]


@pytest.mark.parametrize(
    ("parameter", "lines", "output", "asked"),
    [
        ("[string[]]$V", ["one", "two", ""], [2, "one", "two"], ["V[0]", "V[1]", "V[2]"]),
        ("[int[]]$V", ["7", ""], [1, 7], ["V[0]", "V[1]"]),
        ("[int]$V", ["7"], [1, 7], ["V"]),
        ("[switch]$V", ["$true"], [1, True], ["V"]),
        ("[bool]$V", ["no"], [1, False], ["V"]),
        ("[timespan]$V", ["00:01:30"], [1, dt.timedelta(seconds=90)], ["V"]),
    ],
)
def test_what_is_typed_for_a_parameter_is_of_its_type(
    engine: Session, person: Person, parameter: str, lines: list[str], output: list[Any], asked: list[str]
) -> None:
    person.asked.clear()
    person.lines[:] = lines
    told = "@($V).Count; if ($V -is [switch]) { [bool]$V } else { $V }"
    script = f"function f {{ param([Parameter(Mandatory)]{parameter}) {told} }}; f"

    assert engine.run_script(script, timeout_s=PATIENCE_S).output == output
    assert [label.rpartition(" - ")[2] for label in person.asked] == asked


def test_without_a_handler_the_engine_is_not_kept_waiting() -> None:
    session, connection = open_session(None)
    try:
        with pytest.raises(PromptUnanswered, match="Are you sure you want to perform this action"):
            session.run_script(CONFIRMING, timeout_s=PATIENCE_S)
        assert session.run_script("1 + 1").output == [2]
        session.close()
    finally:
        connection.close()
