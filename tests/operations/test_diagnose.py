"""Diagnosis of simulated devices: under each fault the right cause comes first, and nothing half dead ends in an exception."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from akslite_ps.aksedge.calls import AksEdge
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.ops import ensure_ops, product_events
from akslite_ps.errors import AksLiteError, InvocationTimedOut, NotPermitted, SessionLost
from akslite_ps.journal import Journal, RowKind
from akslite_ps.operations.diagnose import diagnose, write_report
from akslite_ps.operations.diagnosis import Diagnosis
from akslite_ps.remoting import Session
from akslite_ps.remoting.endpoint import Device, Endpoint
from akslite_ps.secrets import REDACTOR, SecretRef


def deploy(simulated: Any, config: DeploymentConfig) -> str:
    """Send the deployment; what the product answered."""
    with Session.open(simulated.device) as session:
        try:
            return AksEdge(session).new_deployment(config.to_json(resolve=True, eula_accepted=True))
        except AksLiteError as error:
            return error.message


def readings(found: Diagnosis) -> dict[str, bool | None]:
    return {done.id: done.ok for done in found.readings}


@pytest.mark.parametrize(
    ("fault", "cause", "sure"),
    [
        ("wssdagent-no-gateway", "no-default-gateway", "seen now"),
        ("hns-disabled", "hns-disabled", "seen now"),
        ("no-nested-virtualization", "node-not-created", "likely"),
        ("subnets-overlap", "no-free-subnet", "likely"),
        ("address-not-free", "address-taken", "likely"),
        ("class-not-registered", "powershell-7", "likely"),
        ("product-mismatch", "other-distribution", "likely"),
        ("wssdagent-start-timeout", "wssdagent-not-started", "likely"),
        ("connect-to-vm", "vm-connect", "likely"),
        ("kubernetes-runtime", "runtime-not-started", "likely"),
        ("node-not-ready", "node-not-ready", "likely"),
        ("low-memory", "low-memory", "seen now"),
        ("disk-full", "disk-full", "seen now"),
        ("err-string-transformation", "runtime-not-started", "likely"),
    ],
)
def test_the_cause_of_a_failed_deployment_comes_first(
    simulated: Any, config: DeploymentConfig, fault: str, cause: str, sure: str
) -> None:
    simulated.install()
    simulated.fault(fault)
    assert deploy(simulated, config) != "OK"
    found = diagnose(simulated.device)
    assert found.likely is not None
    assert (found.likely.id, found.likely.sure) == (cause, sure)
    assert found.likely.evidence
    assert found.likely.remedy
    assert found.likely.source
    assert "{" not in found.likely.next


def test_a_failure_that_was_overcome_is_told_as_past(simulated: Any, config: DeploymentConfig) -> None:
    simulated.install()
    simulated.fault("address-not-free")
    assert deploy(simulated, config) != "OK"
    simulated.sandbox.clear_faults(simulated.name)
    assert deploy(simulated, config) == "OK"
    found = diagnose(simulated.device)
    (past,) = [cause for cause in found.causes if cause.id == "address-taken"]
    assert (past.sure, past.note) == ("earlier", "there is a deployment now")
    assert found.likely is None or found.likely.id == "pods-down"


def test_a_stopped_node_is_found_though_the_cluster_cannot_be_asked(simulated: Any, config: DeploymentConfig) -> None:
    simulated.install()
    assert deploy(simulated, config) == "OK"
    with Session.open(simulated.device) as session:
        AksEdge(session).stop_node()
    found = diagnose(simulated.device)
    assert found.likely is not None
    assert found.likely.id == "node-stopped"
    assert readings(found)["cluster"] is False
    assert not found.complete
    lost = diagnose(simulated.device, told="nodectl: Endpoint Name Interface not found")
    assert lost.likely is not None
    assert lost.likely.id == "endpoint-lost"


def test_a_device_without_the_product_is_asked_what_it_can_answer(simulated: Any, tmp_path: Path) -> None:
    found = diagnose(simulated.device, folder=tmp_path / "out")
    assert found.likely is not None
    assert found.likely.id == "not-installed"
    assert readings(found)["facts"] is True
    assert readings(found)["cluster"] is None
    assert found.files == ()


def test_a_full_disk_still_gives_a_diagnosis(simulated: Any, tmp_path: Path) -> None:
    simulated.install()
    simulated.fault("disk-full")
    found = diagnose(simulated.device, folder=tmp_path)
    assert readings(found)["event-log-zip"] is False
    assert found.likely is not None
    assert found.likely.id == "disk-full"


def test_a_session_that_ends_amid_the_questions_is_opened_again(simulated: Any) -> None:
    simulated.install()
    opened = []

    def open_session(device: Device, *, ask: Any = None) -> Session:
        opened.append(Session.open(device, ask=ask))
        return opened[-1]

    def end_it(reading: Any) -> None:
        if reading.id == "facts":
            simulated.fault("shell-gone")

    found = diagnose(simulated.device, open_session=open_session, on_reading=end_it)
    assert len(opened) == 2
    assert readings(found)["events"] is True


def test_a_device_that_cannot_be_reached_is_a_finding(simulated: Any) -> None:
    simulated.fault("network-away", lasts_s=1e9)
    found = diagnose(simulated.device)
    assert not found.reachable
    assert found.likely is not None
    assert found.likely.id == "unreachable"
    assert found.likely.next == "akslite device test press-01"
    assert readings(found)["session"] is False
    assert set(readings(found).values()) == {False, None}


class Broken:
    """A session in which every question fails in another way."""

    language = "none"
    powershell_version = None
    failures = (
        AksLiteError("wssdagent is unreachable, please retry..."),
        NotPermitted("the role does not allow it"),
        InvocationTimedOut("it did not end within 120 s"),
        ValueError("odd"),
        KeyError("odd"),
        SessionLost("gone"),
    )

    def __init__(self, device: Device) -> None:
        self.device, self.asked = device, 0

    def invoke(self, command: str, /, **parameters: Any) -> Any:
        self.asked += 1
        raise self.failures[self.asked % len(self.failures)]

    def close(self) -> None:
        raise SessionLost("gone")


def test_no_broken_answer_ends_the_diagnosis(device: Device, tmp_path: Path) -> None:
    session = Broken(device)
    found = diagnose(device, folder=tmp_path, logs=True, open_session=lambda device, ask=None: session)  # type: ignore[arg-type,return-value]
    asked = readings(found)
    assert asked.pop("session") is True
    assert asked.pop("functions") in (True, False)
    assert set(asked.values()) == {False, None}
    assert found.likely is not None
    assert found.likely.id == "wssdagent-unreachable"
    assert all(done.found for done in found.readings)


def test_the_last_run_from_here_is_evidence(simulated: Any, journal: Journal) -> None:
    simulated.install()
    run = journal.begin_run(operation="deploy", device=simulated.name, plan={}, plan_hash="0" * 64)
    error = {"message": "An item with the same key has already been added."}
    journal.append(run, RowKind.RESULT, step_id="deploy.create", attempt=1, data={"outcome": "failed", "error": error})
    found = diagnose(simulated.device, journal=journal)
    assert found.likely is not None
    assert found.likely.id == "arc-duplicate-key"
    assert run in found.likely.evidence[0].where


def test_reports_hold_no_secret_and_no_markup_of_the_device(simulated: Any, tmp_path: Path) -> None:
    simulated.install()
    REDACTOR.add("canary-Pa55word")
    text = 'broke: canary-Pa55word "ClientSecret": "unknown~Secret1" <script>alert(1)</script> K10aaaaaaaaaaaaaaaaaa::server:abc'
    log = "AKS Edge Essentials - K3s"
    simulated.sandbox.device(simulated.name).events.write(log, "AksEdge", 1002, text, dt.datetime.now(dt.UTC), level="Error")
    found = diagnose(simulated.device, folder=tmp_path / "out")
    assert next(cause.id for cause in found.causes if cause.matters) == "not-deployed"
    page, markdown, data = write_report(found, tmp_path / "out")
    for report in (page, markdown, data):
        said = report.read_text(encoding="utf-8")
        assert "broke" in said
        for secret in ("canary-Pa55word", "unknown~Secret1", "K10aaaa"):
            assert secret not in said
    assert "<script" not in page.read_text(encoding="utf-8")
    assert Diagnosis.model_validate(json.loads(data.read_text(encoding="utf-8"))) == found
    assert found.files[0].local is None
    assert "stays on the device" in found.files[0].note
    assert (found.files[0].remote or "").endswith(".zip")


def test_a_viewer_can_diagnose(simulated: Any, config: DeploymentConfig, tmp_path: Path) -> None:
    simulated.install()
    simulated.fault("hns-disabled")
    deploy(simulated, config)
    told = simulated.device.endpoint
    password = tmp_path / "viewer"
    store = simulated.sandbox.device(simulated.name).store
    password.write_text(store.password_of("aksviewer"), encoding="utf-8")
    endpoint = Endpoint(
        host=told.host,
        port=told.port,
        username="aksviewer",
        password=SecretRef("file", str(password)),
        configuration_name="AksLite.Viewer",
    )
    found = diagnose(Device(name=simulated.name, endpoint=endpoint))
    asked = readings(found)
    assert {asked[reading] for reading in ("facts", "events", "service-wssdagent", "deployment")} == {True}
    assert found.complete
    assert found.unrecognised == ()
    assert found.likely is not None
    assert found.likely.evidence


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell 7 (pwsh) on PATH")
def test_a_full_language_endpoint_gives_its_archives_away(
    simulated_in_powershell: Any, config: DeploymentConfig, tmp_path: Path
) -> None:
    simulated = simulated_in_powershell
    simulated.install()
    simulated.fault("node-ssh")
    assert deploy(simulated, config) != "OK"
    found = diagnose(simulated.device, folder=tmp_path / "out", logs=True)
    assert found.likely is not None
    assert found.likely.id == "node-not-created"
    assert [Path(file.local or "").is_file() for file in found.files] == [True, True]
    with Session.open(simulated.device) as session:
        ensure_ops(session)
        newest = product_events(session, newest=2)
    assert len(newest) == 2
    assert all(event.time is not None and event.message and event.log.startswith("AKS Edge") for event in newest)
