"""Typed calls of the product's cmdlets on a session: checked against the catalog, quiet, failures with cause and remedy.

Used by operations and by people in notebooks. Each call sends exactly one command. What the product's cmdlets
cannot be trusted in is settled here: an answer other than "OK" is a failure, a True with complaints is not all
well, and no call ever waits for an answer that nobody can give.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from akslite_ps.aksedge.catalog import CmdletSpec, ParameterSpec, load_catalog
from akslite_ps.aksedge.config.rules import ARC_ENFORCED_SCHEMA
from akslite_ps.aksedge.failures import KnownFailure, known_failure
from akslite_ps.aksedge.session_port import Answer, DeviceSession, OnRecord
from akslite_ps.aksedge.versions import compare, is_version
from akslite_ps.errors import CmdletFailed, UsageError
from akslite_ps.secrets import redact

NodeType = Literal["Linux", "Windows"]
DEPLOYMENT_LIMIT_S = 3600.0
HOST_FEATURES_LIMIT_S = 1800.0
QUERY_LIMIT_S = 120.0
ARC_LIMIT_S = 1200.0

_NEXT = "collect the product's event log and logs, and look for the first error in them"
_ARC_MESSAGE = "arc-parameters"
_GOOD_LINE = re.compile(r"^\s*-?\s*(checking|all required host features are installed|validating)\b", re.IGNORECASE)
_COMPLAINT = re.compile(
    r"\b(not|fail\w*|error|unable|cannot|could|missing|manually|please|incompatible|unsupported|warning)\b", re.IGNORECASE
)
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_MAC = re.compile(r"\b[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HostFeatures:
    """The answer of Install-AksEdgeHostFeatures.

    Args:
        ready: The product said True.
        complaints: Lines in which a check complained all the same; localized ones are not recognised.
    """

    ready: bool
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """The answer of Test-AksEdgeNetworkParameters, with the lines that explain it."""

    passed: bool
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Address of a node's primary interface; None for what the answer did not show."""

    ip: str | None
    mac: str | None


class AksEdge:
    """The product's cmdlets on one session.

    Args:
        session: An open session on the device.
    """

    def __init__(self, session: DeviceSession) -> None:
        self._session = session

    # -- any cmdlet ---------------------------------------------------------------------------------------

    def call(
        self,
        name: str,
        *,
        timeout_s: float | None = None,
        on_record: OnRecord | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Answer:
        """Run a cmdlet of the catalog, checked before it is sent, and kept from asking.

        Args:
            name: The cmdlet.
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.
            check: Raise for error records that did not end the cmdlet, too.
            parameters: By the catalog's names; case does not matter.

        Raises:
            UsageError: The catalog has no such cmdlet or parameter, or forbids the value.
            CmdletFailed: With the known cause and remedy, where there is one.
        """
        spec = _current(name)
        arguments = {**spec.quiet, **_arguments(spec, parameters)}
        try:
            return self._session.invoke(spec.name, timeout_s=timeout_s, on_record=on_record, check=check, **arguments)
        except CmdletFailed as error:
            raise explained(error) from error

    # -- deploying ----------------------------------------------------------------------------------------

    def install_host_features(self, *, timeout_s: float = HOST_FEATURES_LIMIT_S, on_record: OnRecord | None = None) -> HostFeatures:
        """Check and switch on what the product needs of Windows. The machine may restart because of it.

        Raises:
            CmdletFailed: It ended with an error.
        """
        answer = self.call("Install-AksEdgeHostFeatures", timeout_s=timeout_s, on_record=on_record, check=False)
        complaints = [line for line in _lines(answer) if _is_complaint(line)]
        return HostFeatures(_truth(answer), tuple(dict.fromkeys(complaints)))

    def test_network_parameters(
        self, config_json: str, *, timeout_s: float = QUERY_LIMIT_S, on_record: OnRecord | None = None
    ) -> NetworkCheck:
        """Let the product check the network part of a config. It cannot see other machines, and raises false alarms.

        Raises:
            CmdletFailed: It ended with an error.
        """
        answer = self.call(
            "Test-AksEdgeNetworkParameters", timeout_s=timeout_s, on_record=on_record, check=False, JsonConfigString=config_json
        )
        return NetworkCheck(_truth(answer), tuple(_lines(answer)))

    def new_deployment(self, config_json: str, *, timeout_s: float = DEPLOYMENT_LIMIT_S, on_record: OnRecord | None = None) -> str:
        """Make the nodes and the cluster. Takes 10 to 15 minutes.

        Args:
            config_json: The config as JSON text, secrets resolved (``DeploymentConfig.to_json(resolve=True, ...)``).
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.

        Returns:
            ``OK``; or, below schema 1.16 only, the product's message that Azure Arc was not set up though the cluster
            was made.

        Raises:
            CmdletFailed: Any other answer, with the known cause and remedy.
        """
        asks = {"Confirm": False} if _wants_tpm(config_json) else {}
        answer = self.call(
            "New-AksEdgeDeployment",
            timeout_s=timeout_s,
            on_record=on_record,
            check=False,
            JsonConfigString=config_json,
            **asks,
        )
        text = _last_text(answer)
        if text.casefold() == "ok":
            return "OK"
        failure = known_failure(text)
        if failure and failure.id == _ARC_MESSAGE and _tolerates_missing_arc(config_json):
            return text
        raise self._refused("New-AksEdgeDeployment", text, answer)

    def test_deployment(self, *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether this machine has a deployment."""
        return _truth(self.call("Test-AksEdgeDeployment", timeout_s=timeout_s))

    def remove_deployment(self, *, timeout_s: float = DEPLOYMENT_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Delete every node of this machine, with all data in them.

        Raises:
            CmdletFailed: It ended with an error, or did not answer with a true value.
        """
        answer = self.call("Remove-AksEdgeDeployment", timeout_s=timeout_s, on_record=on_record, check=False)
        if not _truth(answer):
            raise self._refused("Remove-AksEdgeDeployment", _last_text(answer), answer)

    # -- reading ------------------------------------------------------------------------------------------

    def get_deployment_info(self, *, timeout_s: float = QUERY_LIMIT_S) -> Mapping[str, Any]:
        """What the product says of the deployment. The layout is not documented: look for names, expect none."""
        answer = self.call("Get-AksEdgeDeploymentInfo", timeout_s=timeout_s)
        found = [value for value in answer.output if isinstance(value, Mapping)]
        return found[-1] if found else {}

    def get_node_addr(self, node_type: NodeType = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> NodeAddress:
        """IP and MAC address of a node, read from whatever form the product gives them in."""
        answer = self.call("Get-AksEdgeNodeAddr", timeout_s=timeout_s, NodeType=node_type)
        text = " ".join(_flat(answer.output))
        address, mac = _IPV4.search(text), _MAC.search(text)
        return NodeAddress(address[0] if address else None, mac[0] if mac else None)

    def get_node_name(self, node_type: NodeType = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> str:
        """Host name of a node; kubectl shows it in lower case."""
        return _last_text(self.call("Get-AksEdgeNodeName", timeout_s=timeout_s, NodeType=node_type))

    def test_node(self, node_type: NodeType = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether a node of this type exists here."""
        return _truth(self.call("Test-AksEdgeNode", timeout_s=timeout_s, NodeType=node_type))

    def test_arc_connection(self, *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether the cluster is connected to Azure Arc."""
        return _truth(self.call("Test-AksEdgeArcConnection", timeout_s=timeout_s))

    def get_kube_config(self, folder: str, node_type: NodeType = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> None:
        """Write the admin kubeconfig as ``config`` into a folder on the device.

        The folder must be given: without one the product overwrites the kubeconfig of the calling account. To get the
        text instead use ``ops.kube_config``.
        """
        if not folder.strip():
            raise UsageError("a folder on the device is needed", next_action="name a folder for the kubeconfig")
        self.call("Get-AksEdgeKubeConfig", timeout_s=timeout_s, KubeConfigPath=folder, NodeType=node_type)

    # -- Azure Arc ----------------------------------------------------------------------------------------

    def connect_arc(self, config_json: str, *, timeout_s: float = ARC_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Connect the cluster to Azure Arc. A success here does not prove the connection: poll it afterwards.

        Raises:
            CmdletFailed: It answered neither OK nor True.
        """
        answer = self.call(
            "Connect-AksEdgeArc", timeout_s=timeout_s, on_record=on_record, check=False, JsonConfigString=config_json
        )
        if _last_text(answer).casefold() not in ("ok", "true"):
            raise self._refused("Connect-AksEdgeArc", _last_text(answer), answer)

    # -- failures -----------------------------------------------------------------------------------------

    def _refused(self, command: str, text: str, answer: Answer) -> CmdletFailed:
        """The failure behind an answer that is no success."""
        transcript = _lines(answer)
        failure = known_failure(text) or _first_known(reversed(transcript))
        shown = redact(text) if text else "it answered nothing, where OK is success"
        return CmdletFailed(
            shown,
            command=command,
            device=self._session.device.name,
            error_id="AnswerIsNotOk",
            cause=f"{failure.cause} ({failure.certainty}: {failure.source})" if failure else None,
            next_action=failure.remedy if failure else _NEXT,
        )


def explained(error: CmdletFailed) -> CmdletFailed:
    """The same failure with cause and remedy, where they are known."""
    failure = known_failure(error.message)
    if error.cause or failure is None:
        return error
    return CmdletFailed(
        error.message,
        command=error.command,
        device=error.device,
        error_id=error.error_id,
        category=error.category,
        cause=f"{failure.cause} ({failure.certainty}: {failure.source})",
        next_action=failure.remedy,
    )


def _first_known(lines: Iterable[str]) -> KnownFailure | None:
    return next((failure for line in lines if (failure := known_failure(line))), None)


def _current(name: str) -> CmdletSpec:
    catalog = load_catalog()
    spec = catalog.get(name)
    if spec is None:
        like = catalog.similar(name)
        raise UsageError(f"there is no cmdlet {name}", next_action=f"use {like}" if like else "use a cmdlet of the catalog")
    if spec.status != "current":
        instead = f"use {spec.superseded_by}" if spec.superseded_by else "leave it to the product"
        raise UsageError(f"{spec.name} is not part of today's product", next_action=instead)
    return spec


def _arguments(spec: CmdletSpec, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters in the catalog's spelling.

    Raises:
        UsageError: One is unknown, missing, or has a value that is not allowed; or they belong to different sets.
    """
    arguments: dict[str, Any] = {}
    used: list[ParameterSpec] = []
    for name, value in parameters.items():
        parameter = spec.parameter(name)
        if parameter is None:
            parameter = next((p for p in load_catalog().common_parameters if p.answers_to(name)), None)
        if parameter is None:
            close = difflib.get_close_matches(name, [p.name for p in spec.parameters], n=1)
            known = ", ".join(p.name for p in spec.parameters) or "none"
            raise UsageError(f"{spec.name} has no parameter {name}", next_action=f"use {close[0] if close else 'one of ' + known}")
        if parameter.allowed and str(value).casefold() not in {allowed.casefold() for allowed in parameter.allowed}:
            raise UsageError(
                f"{spec.name} does not take {name} = {value}", next_action=f"use one of {', '.join(parameter.allowed)}"
            )
        arguments[parameter.name] = value
        used.append(parameter)
    _one_set(spec, used)
    return arguments


def _one_set(spec: CmdletSpec, used: list[ParameterSpec]) -> None:
    names = {parameter.name for parameter in used}
    choices = spec.parameter_sets or ("",)
    fitting = [s for s in choices if all(not p.parameter_sets or s in p.parameter_sets for p in used)]
    if not fitting:
        together = ", ".join(sorted(names))
        raise UsageError(f"{spec.name} does not take {together} together", next_action="give the parameters of one set only")
    missing = [_missing(spec, choice, names) for choice in fitting]
    if all(missing):
        raise UsageError(f"{spec.name} needs {', '.join(missing[0])}", next_action="give it")


def _missing(spec: CmdletSpec, parameter_set: str, names: set[str]) -> list[str]:
    here = [p for p in spec.parameters if not p.parameter_sets or parameter_set in p.parameter_sets]
    return [p.name for p in here if p.mandatory and p.name not in names]


# -- reading answers ------------------------------------------------------------------------------------------


def _last_text(answer: Answer) -> str:
    return str(answer.output[-1]).strip() if answer.output and answer.output[-1] is not None else ""


def _truth(answer: Answer) -> bool:
    """The answer of a cmdlet that says True or False; anything else, and nothing, is no."""
    return _last_text(answer).casefold() in ("true", "ok")


def _lines(answer: Answer) -> list[str]:
    """What the cmdlet told besides its output: host text, warnings and errors, line by line."""
    from akslite_ps.remoting.records import ErrorRecord, InformationRecord, WarningRecord

    texts = [r.message for r in answer.records if isinstance(r, InformationRecord | WarningRecord | ErrorRecord)]
    return [line.rstrip() for text in texts for line in text.splitlines() if line.strip()]


def _is_complaint(line: str) -> bool:
    return not _GOOD_LINE.match(line) and bool(_COMPLAINT.search(line) or known_failure(line))


def _flat(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _flat(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _flat(part)]
    return [str(value)]


# -- reading the config's text --------------------------------------------------------------------------------


def _wants_tpm(config_json: str) -> bool:
    """Whether the config asks for TPM pass-through, which the product asks back about."""
    return any(name == "tpmpassthrough" and value is True for name, value in _members(_parsed(config_json)))


def _tolerates_missing_arc(config_json: str) -> bool:
    """Whether a deployment of this schema stands although Azure Arc was not set up."""
    schema = next((value for name, value in _members(_parsed(config_json)) if name == "schemaversion"), None)
    return isinstance(schema, str) and is_version(schema) and compare(schema, ARC_ENFORCED_SCHEMA) < 0


def _parsed(config_json: str) -> Any:
    try:
        return json.loads(config_json)
    except ValueError:
        raise UsageError("the config to send is no JSON text", next_action="make it with DeploymentConfig.to_json") from None


def _members(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name.casefold(), part
            yield from _members(part)
    elif isinstance(value, list):
        for part in value:
            yield from _members(part)
