"""The cmdlets that prepare the host, check a config, make the deployment, describe it and remove it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from akslite_ps.aksedge.calls.answers import HostFeatures, NetworkCheck, is_complaint, last_text, lines, truth
from akslite_ps.aksedge.calls.described import cmdlet
from akslite_ps.aksedge.calls.sending import Sender
from akslite_ps.aksedge.config import DeploymentType
from akslite_ps.aksedge.config import NodeType as NodeTypes
from akslite_ps.aksedge.config.rules import ARC_ENFORCED_SCHEMA
from akslite_ps.aksedge.failures import known_failure
from akslite_ps.aksedge.session_port import OnRecord
from akslite_ps.aksedge.versions import compare, is_version
from akslite_ps.errors import UsageError

DEPLOYMENT_LIMIT_S = 3600.0
HOST_FEATURES_LIMIT_S = 1800.0
QUERY_LIMIT_S = 120.0
_ARC_MESSAGE = "arc-parameters"


class DeploymentCalls(Sender):
    """Deployment cmdlets."""

    @cmdlet("Install-AksEdgeHostFeatures")
    def install_host_features(self, *, timeout_s: float = HOST_FEATURES_LIMIT_S, on_record: OnRecord | None = None) -> HostFeatures:
        """Check and switch on what the product needs of Windows. The machine may restart because of it.

        Raises:
            CmdletFailed: It ended with an error.
        """
        answer = self.call("Install-AksEdgeHostFeatures", timeout_s=timeout_s, on_record=on_record, check=False)
        complaints = [line for line in lines(answer) if is_complaint(line)]
        return HostFeatures(truth(answer), tuple(dict.fromkeys(complaints)))

    @cmdlet("Test-AksEdgeNetworkParameters")
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
        return NetworkCheck(truth(answer), tuple(lines(answer)))

    @cmdlet("New-AksEdgeDeployment")
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
        text = last_text(answer)
        if text.casefold() == "ok":
            return "OK"
        failure = known_failure(text)
        if failure and failure.id == _ARC_MESSAGE and _tolerates_missing_arc(config_json):
            return text
        raise self._refused("New-AksEdgeDeployment", answer)

    @cmdlet("Test-AksEdgeDeployment")
    def test_deployment(self, *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether this machine has a deployment."""
        return truth(self.call("Test-AksEdgeDeployment", timeout_s=timeout_s))

    @cmdlet("Remove-AksEdgeDeployment")
    def remove_deployment(self, *, timeout_s: float = DEPLOYMENT_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Delete every node of this machine, with all data in them.

        Raises:
            CmdletFailed: It ended with an error, or did not answer with a true value.
        """
        answer = self.call("Remove-AksEdgeDeployment", timeout_s=timeout_s, on_record=on_record, check=False)
        self._must_say_ok("Remove-AksEdgeDeployment", answer)

    @cmdlet("New-AksEdgeConfig")
    def new_config(
        self,
        deployment_type: DeploymentType = "SingleMachineCluster",
        node_type: NodeTypes = "Linux",
        *,
        out_file: str | None = None,
        timeout_s: float = QUERY_LIMIT_S,
    ) -> Mapping[str, Any]:
        """The installed product's own template of a config.

        Args:
            deployment_type: Kind of cluster.
            node_type: Nodes on the machine.
            out_file: Path on the device's drive where it is to be written, too.
            timeout_s: Time limit in seconds.

        Returns:
            The template as data. It holds placeholders, so it is no usable config yet.

        Raises:
            CmdletFailed: It ended with an error.
        """
        answer = self.call(
            "New-AksEdgeConfig", timeout_s=timeout_s, DeploymentType=deployment_type, NodeType=node_type, outFile=out_file
        )
        found = [value for value in answer.output if isinstance(value, Mapping)]
        return found[-1] if found else {}

    @cmdlet("Get-AksEdgeDeploymentInfo")
    def get_deployment_info(self, *, timeout_s: float = QUERY_LIMIT_S) -> Mapping[str, Any]:
        """What the product says of the deployment. The layout is not documented: look for names, expect none."""
        answer = self.call("Get-AksEdgeDeploymentInfo", timeout_s=timeout_s)
        found = [value for value in answer.output if isinstance(value, Mapping)]
        return found[-1] if found else {}


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
