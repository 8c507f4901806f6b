"""Typed calls of AksLiteOps, our device-side PowerShell module: facts, features, installation, restart, kubeconfig, workloads,
the way to Azure, left secrets, staged updates, removal.

Used by operations. Each call but :func:`ensure_ops` sends exactly one command. The module is installed on devices
with a restricted endpoint, and defined in the session by :func:`ensure_ops` elsewhere.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from akslite_ps.aksedge.calls import NodeType
from akslite_ps.aksedge.catalog import load_ops_catalog
from akslite_ps.aksedge.host_facts import HostFacts, as_utc
from akslite_ps.aksedge.installer import ExitCode, classify_exit_code
from akslite_ps.aksedge.ops_answers import one_object, send, unusable
from akslite_ps.aksedge.releases import parse_msi_name
from akslite_ps.aksedge.session_port import DeviceSession, OnRecord, ScriptSession
from akslite_ps.errors import CmdletFailed, NotPermitted, UsageError
from akslite_ps.outcome import Outcome
from akslite_ps.secrets import REDACTOR

FACTS_LIMIT_S = 120.0
FEATURES_LIMIT_S = 1800.0
INSTALL_LIMIT_S = 3600.0
REBOOT_LIMIT_S = 60.0
SETUP_LIMIT_S = 60.0
WORKLOAD_LIMIT_S = 120.0

WorkloadKind = Literal["DaemonSets", "Deployments", "Events", "Namespaces", "Nodes", "Pods", "Services", "Version"]
"""What Get-AksLiteWorkload reads."""

_DEFINE = (
    "param([string] $Source) "
    "$module = New-Module -Name AksLiteOps -ScriptBlock ([scriptblock]::Create($Source)); "
    "Import-Module $module -Global -DisableNameChecking"
)
_VERSION = re.compile(r"\d+(?:\.\d+){1,3}", re.ASCII)
_KUBE_SECRETS = re.compile(r"^\s*(?:client-key-data|token|password):\s*[\"']?([^\s\"']+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HostFeatureChange:
    """What Enable-AksLiteHostFeatures did.

    Args:
        changed: Names of what was switched on.
        reboot_required: Whether the host must restart before the product works.
    """

    changed: tuple[str, ...]
    reboot_required: bool


@dataclass(frozen=True, slots=True)
class MsiResult:
    """How an installation ended.

    Args:
        exit_code: The installer's.
        product, version: What Windows lists afterwards, None where nothing is.
        log_path: The installer's log, on the device.
        sha256: Of the installer that ran.
    """

    exit_code: int
    product: str | None = None
    version: str | None = None
    log_path: str | None = None
    sha256: str | None = None

    @property
    def meaning(self) -> ExitCode:
        """What the exit code means and what to do."""
        return classify_exit_code(self.exit_code)

    @property
    def outcome(self) -> Outcome:
        """The class of the exit code."""
        return self.meaning.outcome


@dataclass(frozen=True, slots=True)
class ConfigSecrets:
    """Where a deployment config's secrets lie, or lay, on a device. Holds paths only.

    Args:
        files: Files with secrets in them.
        failed: Those of them that could not be written: the secrets are still there.
    """

    files: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InternetReach:
    """Which of the addresses that Azure Arc needs answer to the device, through its system's proxy."""

    reached: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a deployment and the product have on a host outside their cluster; None where it cannot be read.

    Args:
        node_disks: Paths of nodes' virtual disks.
        switches: The product's virtual switches.
        networks: The product's HNS networks.
        port_proxies: All IPv4 port proxies of the host, ``listening -> leading to``, whoever made them.
        registry_keys: Of the product and of Microsoft's deployment scripts.
        folders: The product's data and the folder of Microsoft's deployment scripts.
    """

    node_disks: tuple[str, ...] | None = None
    switches: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    port_proxies: tuple[str, ...] | None = None
    registry_keys: tuple[str, ...] | None = None
    folders: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ProductEvent:
    """An entry of the product's event log.

    Args:
        time: When it was written, UTC; None where the device told none.
        level: Windows' number of its severity: 1 critical, 2 error, 3 warning, 4 information.
        event_id: Its number.
        source: The provider that wrote it.
        log: Name of the log.
        message: The whole text.
    """

    time: dt.datetime | None
    level: int
    event_id: int
    source: str
    log: str
    message: str


@dataclass(frozen=True, slots=True)
class StagedUpdate:
    """What waits on a device of an update of the product. What its files look like is not documented.

    Args:
        folders: Where was looked.
        files: Paths; empty where nothing is staged, None where they cannot be read.
        size: Of all files, in bytes.
        newest_at: When the last of them was written, UTC.
        product: Product version that a manifest or a file's name tells, None where none does.
        kubernetes: Kubernetes version, likewise.
    """

    folders: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    size: int = 0
    newest_at: dt.datetime | None = None
    product: str | None = None
    kubernetes: str | None = None


@dataclass(frozen=True, slots=True)
class RebootRequest:
    """A restart that is due.

    Args:
        boot_time: When Windows started before it, UTC; the restart is over when this has changed.
        due_at: When it begins, by the device's clock, UTC.
    """

    boot_time: dt.datetime
    due_at: dt.datetime


def module_source() -> str:
    """The text of the module, as it is shipped."""
    return _module_text()


@cache
def _module_text() -> str:
    return files(__package__).joinpath("data", "AksLiteOps", "AksLiteOps.psm1").read_text(encoding="utf-8")


def ensure_ops(session: ScriptSession, *, timeout_s: float = SETUP_LIMIT_S) -> bool:
    """Make sure that the session has the functions of AksLiteOps.

    A restricted endpoint shows those that its role allows: the others are refused when they are used, each by name.

    Returns:
        True where they were defined in the session now, False where the device has them.

    Raises:
        NotPermitted: They are all missing, and the endpoint takes no scripts.
    """
    names = [spec.name for spec in load_ops_catalog().current]
    visible = visible_commands(session, names, timeout_s)
    if visible is None and session.language != "full":
        return False  # the role hides Get-Command; a missing function will be refused by name
    missing = [name for name in names if name.casefold() not in (visible or ())]
    if not missing:
        return False
    if session.language in ("none", "constrained"):
        if len(missing) < len(names):
            return False
        raise NotPermitted(
            "the device lacks the commands of AksLiteOps, and this endpoint takes no scripts that could define them",
            device=session.device.name,
            attempted="prepare the session",
            next_action="install the module AksLiteOps on the device and allow it in the endpoint's role, "
            "or use an endpoint with full language",
        )
    session.run_script(_DEFINE, timeout_s=timeout_s, Source=module_source())
    return True


def visible_commands(session: DeviceSession, names: Sequence[str], timeout_s: float) -> set[str] | None:
    """Which of the commands the session has, in lower case; None where it cannot be asked."""
    try:
        answer = session.invoke("Get-Command", timeout_s=timeout_s, check=False, Name=list(names), ErrorAction="SilentlyContinue")
    except (CmdletFailed, NotPermitted):
        return None
    return {_command_name(value).casefold() for value in answer.output}


def host_facts(session: DeviceSession, *, timeout_s: float = FACTS_LIMIT_S) -> HostFacts:
    """Read the host's facts.

    Raises:
        CmdletFailed: The device gave no facts.
    """
    facts = HostFacts.read(one_object(session, send(session, "Get-AksLiteFacts", timeout_s), "Get-AksLiteFacts"))
    if facts.computer_name is None:  # every Windows tells that, so it is an object of something else
        raise unusable(session, "Get-AksLiteFacts", "the facts of a host")
    return facts


def boot_time(session: DeviceSession, *, timeout_s: float = FACTS_LIMIT_S) -> dt.datetime:
    """When Windows started last, UTC. Setting the clock moves it by as much: compare with a tolerance of a minute.

    Raises:
        CmdletFailed: The device gave no time.
    """
    answer = send(session, "Get-AksLiteBootTime", timeout_s)
    return _moment(session, answer.output[-1] if answer.output else None, "Get-AksLiteBootTime")


def enable_host_features(
    session: DeviceSession, *, timeout_s: float = FEATURES_LIMIT_S, on_record: OnRecord | None = None
) -> HostFeatureChange:
    """Switch on what the product needs of Windows, without restarting.

    Raises:
        CmdletFailed: A feature could not be switched on.
    """
    name = "Enable-AksLiteHostFeatures"
    found = one_object(session, send(session, name, timeout_s, on_record), name)
    return HostFeatureChange(_texts(found.get("Changed")), bool(found.get("RebootRequired")))


def install_msi(
    session: DeviceSession,
    *,
    source: str,
    sha256: str | None = None,
    install_dir: str | None = None,
    vhdx_dir: str | None = None,
    features: Sequence[str] = (),
    timeout_s: float = INSTALL_LIMIT_S,
    on_record: OnRecord | None = None,
) -> MsiResult:
    """Install the product. Sessions opened before do not see its module: open a new one.

    Args:
        source: An https address, a share or a path on the device.
        sha256: Of the installer, 64 hexadecimal digits; another file is refused.
        install_dir, vhdx_dir: Folders on the device instead of the defaults.
        features: Installer features, e.g. ``CoreFeature`` and ``WindowsNodeFeature``.
        timeout_s: Time limit in seconds for download and installation.
        on_record: Gets each record as it arrives.

    Returns:
        The exit code with its class; a code that means failure is not raised.

    Raises:
        CmdletFailed: The installer could not be fetched, or its SHA-256 differs.
    """
    name = "Install-AksLiteMsi"
    wanted = {"Source": source, "Sha256": sha256, "InstallDir": install_dir, "VhdxDir": vhdx_dir, "Features": list(features)}
    given = {parameter: value for parameter, value in wanted.items() if value}
    found = one_object(session, send(session, name, timeout_s, on_record, **given), name)
    code = found.get("ExitCode")
    if not isinstance(code, int):
        raise unusable(session, name, "an exit code")
    return MsiResult(
        code, _text(found.get("Product")), _text(found.get("Version")), _text(found.get("LogPath")), _text(found.get("Sha256"))
    )


def uninstall_product(
    session: DeviceSession, *, timeout_s: float = INSTALL_LIMIT_S, on_record: OnRecord | None = None
) -> MsiResult:
    """Uninstall the product; a deployment goes with it. Nothing restarts.

    Returns:
        The exit code with its class and the log's path; a code that means failure is not raised.

    Raises:
        CmdletFailed: The product is not installed.
    """
    name = "Uninstall-AksLiteProduct"
    found = one_object(session, send(session, name, timeout_s, on_record), name)
    code = found.get("ExitCode")
    if not isinstance(code, int):
        raise unusable(session, name, "an exit code")
    return MsiResult(code, log_path=_text(found.get("LogPath")))


def leftovers(session: DeviceSession, *, vhdx_dir: str | None = None, timeout_s: float = FACTS_LIMIT_S) -> Leftovers:
    """What a deployment and the product have on the host outside their cluster.

    Args:
        session: The session.
        vhdx_dir: Folder in which to look for virtual disks; default: the product's.
        timeout_s: Time limit in seconds.
    """
    name = "Get-AksLiteLeftover"
    given: dict[str, Any] = {"VhdxDir": vhdx_dir} if vhdx_dir else {}
    found = one_object(session, send(session, name, timeout_s, **given), name)
    members = ("NodeDisks", "Switches", "Networks", "PortProxies", "RegistryKeys", "Folders")
    return Leftovers(*(None if found.get(member) is None else _texts(found.get(member)) for member in members))


def staged_update(session: DeviceSession, *, timeout_s: float = FACTS_LIMIT_S) -> StagedUpdate:
    """What waits on the device of an update of the product. Changes nothing."""
    name = "Get-AksLiteStagedUpdate"
    found = one_object(session, send(session, name, timeout_s), name)
    files = None if found.get("Files") is None else _texts(found.get("Files"))
    product, kubernetes = _staged_versions(_text(found.get("Manifest")), files or ())
    size, newest = found.get("Bytes"), found.get("NewestAt")
    return StagedUpdate(
        folders=_texts(found.get("Folders")),
        files=files,
        size=size if isinstance(size, int) else 0,
        newest_at=None if newest is None else _moment(session, newest, name),
        product=product,
        kubernetes=kubernetes,
    )


def _staged_versions(manifest: str | None, files: Sequence[str]) -> tuple[str | None, str | None]:
    """Versions of product and Kubernetes, from a manifest's members or from names as Microsoft gives installers."""
    try:
        told = json.loads(manifest) if manifest else None
    except ValueError:
        told = None
    members = {str(key).casefold(): value for key, value in told.items()} if isinstance(told, dict) else {}
    versions = [members.get(key) for key in ("version", "kubernetes")]
    for file in files:
        with suppress(UsageError):
            name = parse_msi_name(file)
            versions = [known or found for known, found in zip(versions, (name.product, name.kubernetes), strict=True)]
    product, kubernetes = (value if isinstance(value, str) and _VERSION.fullmatch(value) else None for value in versions)
    return product, kubernetes


def internet(session: DeviceSession, *, timeout_s: float = FACTS_LIMIT_S) -> InternetReach:
    """Ask which of the addresses that Azure Arc needs answer to the device."""
    name = "Test-AksLiteInternet"
    found = one_object(session, send(session, name, timeout_s), name)
    return InternetReach(_texts(found.get("Reached")), _texts(found.get("Missed")))


def config_secrets(session: DeviceSession, *, clear: bool = False, timeout_s: float = FACTS_LIMIT_S) -> ConfigSecrets:
    """Find the Azure secrets in deployment configs that were left on the device.

    Args:
        session: The session.
        clear: Empty them; all else of the files stays.
        timeout_s: Time limit in seconds.
    """
    name = "Clear-AksLiteConfigSecret"
    given: dict[str, Any] = {} if clear else {"ListOnly": True}
    found = one_object(session, send(session, name, timeout_s, **given), name)
    return ConfigSecrets(_texts(found.get("Files")), _texts(found.get("Failed")))


def product_events(session: DeviceSession, *, newest: int = 100, timeout_s: float = FACTS_LIMIT_S) -> tuple[ProductEvent, ...]:
    """The newest entries of the product's event log, newest first; none where there is no such log.

    Args:
        session: The session.
        newest: How many, 1 to 1000.
        timeout_s: Time limit in seconds.
    """
    answer = send(session, "Get-AksLiteEvent", timeout_s, Newest=newest)
    return tuple(_event(value) for value in answer.output if isinstance(value, Mapping))


def request_reboot(session: DeviceSession, *, reason: str, delay_s: int = 5, timeout_s: float = REBOOT_LIMIT_S) -> RebootRequest:
    """Ask Windows to restart. The session ends with it; the restart is over when the boot time has changed.

    Args:
        reason: One line for the device's event log.
        delay_s: Seconds until it begins, 2 or more.
        timeout_s: Time limit in seconds for the request itself.

    Raises:
        CmdletFailed: Windows refused.
    """
    name = "Request-AksLiteReboot"
    found = one_object(session, send(session, name, timeout_s, DelaySeconds=delay_s, Reason=reason), name)
    return RebootRequest(_moment(session, found.get("BootTime"), name), _moment(session, found.get("DueAt"), name))


def kube_config(session: DeviceSession, *, node_type: NodeType = "Linux", timeout_s: float = FACTS_LIMIT_S) -> str:
    """The cluster's admin kubeconfig as text; its keys are registered for redaction.

    Raises:
        CmdletFailed: There is no deployment, or the product gave no kubeconfig.
    """
    name = "Get-AksLiteKubeConfig"
    answer = send(session, name, timeout_s, NodeType=node_type)
    text = "\n".join(str(part) for part in answer.output if part is not None)
    for secret in _KUBE_SECRETS.findall(text):
        REDACTOR.add(secret)
    if "clusters:" not in text:
        raise unusable(session, name, "a kubeconfig")
    return text


def workload(
    session: DeviceSession, kind: WorkloadKind, *, namespace: str | None = None, timeout_s: float = WORKLOAD_LIMIT_S
) -> dict[str, Any]:
    """Read objects of the device's cluster through the kubectl on the device; its Kubernetes API need not be reachable from here.

    Args:
        session: The session.
        kind: What to read; ``Version`` is that of the API server.
        namespace: Only what is in this namespace; default: everything.
        timeout_s: Time limit in seconds.

    Returns:
        The list as Kubernetes gives it, its objects under ``items``; for ``Version`` the answer of ``/version``.

    Raises:
        CmdletFailed: There is no running cluster, or kubectl failed; the message holds kubectl's own.
    """
    name = "Get-AksLiteWorkload"
    given: dict[str, Any] = {"Kind": kind, **({"Namespace": namespace} if namespace else {})}
    answer = send(session, name, timeout_s, **given)
    try:
        found = json.loads("\n".join(str(part) for part in answer.output if part is not None))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise unusable(session, name, "Kubernetes objects")
    return found


def _event(value: Mapping[str, Any]) -> ProductEvent:
    time, level, number = value.get("Time"), value.get("Level"), value.get("Id")
    return ProductEvent(
        as_utc(time) if isinstance(time, dt.datetime) else None,
        level if isinstance(level, int) else 0,
        number if isinstance(number, int) else 0,
        _text(value.get("Source")) or "",
        _text(value.get("Log")) or "",
        _text(value.get("Message")) or "",
    )


def _moment(session: DeviceSession, value: Any, name: str) -> dt.datetime:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, dt.datetime):
        raise unusable(session, name, "a time")
    return as_utc(value)


def _command_name(value: Any) -> str:
    return str(value.get("Name", "")) if isinstance(value, Mapping) else str(getattr(value, "name", value))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)
