"""The cmdlets for the nodes of a deployment: which there are, start and stop, drain, commands and files in them, joining."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from akslite_ps.aksedge.calls.answers import NodeAddress, last_text, node_address, truth
from akslite_ps.aksedge.calls.deployments import DEPLOYMENT_LIMIT_S, QUERY_LIMIT_S
from akslite_ps.aksedge.calls.described import cmdlet
from akslite_ps.aksedge.calls.sending import Sender
from akslite_ps.aksedge.config import DeploymentConfig
from akslite_ps.aksedge.config import NodeType as NodeTypes
from akslite_ps.aksedge.session_port import OnRecord
from akslite_ps.errors import CmdletFailed, UsageError
from akslite_ps.secrets import REDACTOR

NodeType = Literal["Linux", "Windows"]
ScaleType = Literal["AddMachine", "AddNode"]
NODE_LIMIT_S = 900.0
_DRAIN_MARGIN_S = 60.0


@dataclass(frozen=True, slots=True)
class ScaleConfig:
    """The answer of New-AksEdgeScaleConfig.

    Args:
        config: What the joining machine or node is deployed with. Its join secrets are held in memory and stand in no repr,
            log or journal; they live 24 hours, and the next New-AksEdgeScaleConfig makes them void at once.
    """

    config: DeploymentConfig


class NodeCalls(Sender):
    """Node cmdlets."""

    @cmdlet("Test-AksEdgeNode")
    def test_node(self, node_type: NodeTypes = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether a node of this type exists here."""
        return truth(self.call("Test-AksEdgeNode", timeout_s=timeout_s, NodeType=node_type))

    @cmdlet("Get-AksEdgeNodeName")
    def get_node_name(self, node_type: NodeType = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> str:
        """Host name of a node; kubectl shows it in lower case."""
        return last_text(self.call("Get-AksEdgeNodeName", timeout_s=timeout_s, NodeType=node_type))

    @cmdlet("Get-AksEdgeNodeAddr")
    def get_node_addr(self, node_type: NodeType = "Linux", *, timeout_s: float = QUERY_LIMIT_S) -> NodeAddress:
        """IP and MAC address of a node, read from whatever form the product gives them in."""
        answer = self.call("Get-AksEdgeNodeAddr", timeout_s=timeout_s, NodeType=node_type)
        return node_address(answer)

    @cmdlet("Start-AksEdgeNode")
    def start_node(self, node_type: NodeTypes = "Linux", *, timeout_s: float = NODE_LIMIT_S) -> None:
        """Start nodes. It may return before they run: poll.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Start-AksEdgeNode", timeout_s=timeout_s, NodeType=node_type)

    @cmdlet("Stop-AksEdgeNode")
    def stop_node(self, node_type: NodeTypes = "Linux", *, timeout_s: float = NODE_LIMIT_S) -> None:
        """Stop nodes. It returns before they are down: poll.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Stop-AksEdgeNode", timeout_s=timeout_s, NodeType=node_type)

    @cmdlet("Set-AksEdgeNodeToDrain")
    def set_node_to_drain(self, node_type: NodeTypes = "Linux", *, timeout_seconds: int = 300) -> None:
        """Move the pods away from nodes and let no new ones come.

        Args:
            node_type: Which nodes.
            timeout_seconds: How long the device waits for the pods to go; this call waits a minute longer.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call(
            "Set-AksEdgeNodeToDrain",
            timeout_s=timeout_seconds + _DRAIN_MARGIN_S,
            NodeType=node_type,
            TimeoutSeconds=timeout_seconds,
        )

    @cmdlet("Add-AksEdgeNode")
    def add_node(self, config_json: str, *, timeout_s: float = DEPLOYMENT_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Put a second node on this machine.

        Args:
            config_json: The config made by :meth:`new_scale_config` with ``AddNode``, secrets resolved.
            timeout_s: Time limit in seconds.
            on_record: Gets each record as it arrives.

        Raises:
            CmdletFailed: It did not answer OK.
        """
        answer = self.call("Add-AksEdgeNode", timeout_s=timeout_s, on_record=on_record, check=False, JsonConfigString=config_json)
        self._must_say_ok("Add-AksEdgeNode", answer)

    @cmdlet("Remove-AksEdgeNode")
    def remove_node(self, node_type: NodeType, *, timeout_s: float = DEPLOYMENT_LIMIT_S, on_record: OnRecord | None = None) -> None:
        """Delete one node of this machine, with all data in it.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Remove-AksEdgeNode", timeout_s=timeout_s, on_record=on_record, NodeType=node_type)

    @cmdlet("New-AksEdgeScaleConfig")
    def new_scale_config(
        self,
        scale_type: ScaleType,
        node_type: NodeTypes = "Linux",
        *,
        linux_node_ip: str | None = None,
        windows_node_ip: str | None = None,
        control_plane: bool = False,
        timeout_s: float = QUERY_LIMIT_S,
    ) -> ScaleConfig:
        """Have the cluster's first machine write what another machine or node needs to join.

        Earlier join secrets become void, also those that a colleague has just handed out.

        Args:
            scale_type: ``AddMachine`` for another machine, ``AddNode`` for a second node on this one.
            node_type: Nodes to come.
            linux_node_ip: IPv4 address of the Linux node to come.
            windows_node_ip: IPv4 address of the Windows node to come.
            control_plane: The Linux node becomes part of the control plane.
            timeout_s: Time limit in seconds.

        Raises:
            CmdletFailed: It ended with an error or answered no config.
            ConfigError: What it answered is no config that can be used.
        """
        answer = self.call(
            "New-AksEdgeScaleConfig",
            timeout_s=timeout_s,
            ScaleType=scale_type,
            NodeType=node_type,
            LinuxNodeIp=linux_node_ip,
            WindowsNodeIp=windows_node_ip,
            ControlPlane=control_plane or None,
        )
        text = "\n".join(str(value) for value in answer.output)
        if not text.lstrip().startswith("{"):
            raise CmdletFailed(
                "it answered no config",
                command="New-AksEdgeScaleConfig",
                device=self._session.device.name,
                error_id="AnswerIsNoConfig",
                next_action="check on the device that the cluster is scalable and its node runs",
            )
        return ScaleConfig(DeploymentConfig.parse(text, source=f"the scale config of {self._session.device.name}"))

    @cmdlet("Get-AksEdgeNodeConnectivityMode")
    def get_node_connectivity_mode(self, *, timeout_s: float = QUERY_LIMIT_S) -> bool:
        """Whether the node may reach the internet; see the cmdlet's facts for how sure that reading is."""
        answer = self.call("Get-AksEdgeNodeConnectivityMode", timeout_s=timeout_s)
        return last_text(answer).casefold() == "on"

    @cmdlet("Set-AksEdgeNodeConnectivityMode")
    def set_node_connectivity_mode(self, mode: Literal["on", "off"], *, timeout_s: float = QUERY_LIMIT_S) -> None:
        """Switch it.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Set-AksEdgeNodeConnectivityMode", timeout_s=timeout_s, mode=mode)

    @cmdlet("Invoke-AksEdgeNodeCommand")
    def invoke_node_command(
        self, command: str, node_type: NodeType = "Linux", *, ignore_error: bool = False, timeout_s: float = QUERY_LIMIT_S
    ) -> list[str]:
        """Run a command in a node.

        Args:
            command: A command line for the node's shell. It is part of the device's logs: no secrets.
            node_type: Which node.
            ignore_error: The product's switch of that name.
            timeout_s: Time limit in seconds.

        Returns:
            The lines it printed. Its exit code stays on the device.

        Raises:
            UsageError: There is no command.
            CmdletFailed: It ended with an error.
        """
        if not command.strip():
            raise UsageError("a command for the node is needed", next_action="e.g. uname -a")
        answer = self.call(
            "Invoke-AksEdgeNodeCommand", timeout_s=timeout_s, command=command, NodeType=node_type, ignoreError=ignore_error or None
        )
        return [line for value in answer.output for line in str(value).splitlines()]

    @cmdlet("Copy-AksEdgeNodeFile")
    def copy_node_file(
        self,
        from_file: str,
        to_file: str,
        *,
        push: bool = False,
        node_type: NodeType = "Linux",
        timeout_s: float = NODE_LIMIT_S,
    ) -> None:
        """Copy a file between the device's drive and a node.

        Args:
            from_file: Path of the source, on the node; with ``push`` on the device's drive.
            to_file: Path of the copy, on the other side.
            push: From the device into the node instead of out of it.
            node_type: Which node.
            timeout_s: Time limit in seconds.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call(
            "Copy-AksEdgeNodeFile",
            timeout_s=timeout_s,
            FromFile=from_file,
            ToFile=to_file,
            NodeType=node_type,
            PushFile=push or None,
        )

    @cmdlet("Repair-AksEdgeKms")
    def repair_kms(self, *, timeout_s: float = NODE_LIMIT_S) -> None:
        """Repair the encryption of Kubernetes secrets.

        Raises:
            CmdletFailed: It ended with an error.
        """
        self.call("Repair-AksEdgeKms", timeout_s=timeout_s)

    @cmdlet("Get-AksEdgeKubeConfig")
    def get_kube_config(
        self, folder: str, node_type: NodeType = "Linux", *, ignore_error: bool = False, timeout_s: float = QUERY_LIMIT_S
    ) -> None:
        """Write the admin kubeconfig as ``config`` into a folder on the device.

        The folder must be given: without one the product overwrites the kubeconfig of the calling account. To get the
        text instead use ``ops.kube_config``.

        Raises:
            UsageError: No folder is given.
            CmdletFailed: It ended with an error.
        """
        if not folder.strip():
            raise UsageError("a folder on the device is needed", next_action="name a folder for the kubeconfig")
        self.call(
            "Get-AksEdgeKubeConfig",
            timeout_s=timeout_s,
            KubeConfigPath=folder,
            NodeType=node_type,
            ignoreError=ignore_error or None,
        )

    @cmdlet("Get-AksEdgeManagedServiceToken")
    def get_managed_service_token(self, *, timeout_s: float = QUERY_LIMIT_S) -> str:
        """The token of the cluster's admin account. It is redacted from everything this program writes from now on.

        Raises:
            CmdletFailed: It ended with an error.
        """
        token = last_text(self.call("Get-AksEdgeManagedServiceToken", timeout_s=timeout_s))
        REDACTOR.add(token)
        return token
