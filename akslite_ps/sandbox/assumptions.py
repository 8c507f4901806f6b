"""What nobody outside Microsoft has written down, and what the simulated device does instead.

One named constant or function per unknown, with the reason. A person with a real device can correct each in one
place. Nothing here may be relied on by client code.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

BOOT_SECONDS = (45.0, 90.0)
"""How long a restart takes until WinRM answers again, in device seconds. A small industrial PC with an SSD; unmeasured."""

SHUTDOWN_SECONDS = 5.0
"""From the order to restart until the network is gone. Windows first asks services to stop."""

PRODUCT_DISK_GB = 3.2
"""Disk space the installed product takes. The preview's notes ask for 17 GB free after installation, the current
requirements for 14 GB before it: the difference."""

NODE_SYSTEM_DISK_GB = 4.0
"""Disk space of the Linux node's system disks. Not published."""

NODE_DATA_DISK_USED = 0.25
"""How much of the node's data disk is really taken on the host: virtual disks grow with use. Not published."""

NODE_BOOT_SECONDS = 35.0
"""From the start of the node VM (boot of the host, Start-AksEdgeNode) until Kubernetes calls the node Ready. Unmeasured."""

WINDOWS_NODE_BOOT_SECONDS = 120.0
"""The same for the Windows node, which is a whole Windows. Unmeasured."""

SYSTEM_PODS_SECONDS = 20.0
"""From a Ready node until its system pods run. Unmeasured."""

NODE_STOP_SECONDS = 15.0
"""How long the node VM takes to shut down. Stop-AksEdgeNode is documented to return before it is done."""

DEPLOYMENT_SECONDS = {
    "features": 20.0,
    "network": 25.0,
    "prepare": 35.0,
    "wssdagent": 30.0,
    "vnet": 25.0,
    "node": 240.0,
    "node-ssh": 75.0,
    "kms": 15.0,
    "kubernetes": 150.0,
    "ready": 75.0,
    "arc": 180.0,
    "finish": 15.0,
    "windows-node": 300.0,
    "windows-ready": 180.0,
}
"""How long each stage of New-AksEdgeDeployment takes. Users report 10 to 15 minutes in all, and up to 10 for Arc; the
division over the stages is a guess, with the creation of the virtual machine as the longest part."""

WINDOWS_NODE_DISK_GB = 60
"""Size of the Windows node's disk. Not documented; Windows 10 IoT Enterprise LTSC 2019 asks for 20 to 64 GB."""

NODE_REMOVAL_SECONDS = 45.0
"""How long Remove-AksEdgeNode takes. Unmeasured."""

DRAIN_POLL_SECONDS = 5.0
"""How often Set-AksEdgeNodeToDrain looks whether the pods are gone; kubectl drain waits 5 s after an eviction was refused."""

KMS_REPAIR_SECONDS = 30.0
"""How long Repair-AksEdgeKms takes. Unmeasured."""

NODE_BASE_MEMORY_MB = 780
"""Memory in use in a Linux node before any pod runs: system, container runtime, Kubernetes. Unmeasured; K3s alone wants 512."""

CONTAINER_MEMORY_MB = 35
"""Memory that a small container uses. Unmeasured."""

NODE_COMMAND_SECONDS = 1.5
"""How long a command in a node takes, most of it for the connection. Unmeasured."""

NODE_FILE_SECONDS = 2.0
"""How long the copy of a small file takes. Unmeasured."""

EXTERNAL_SWITCH_CUTS_CONNECTIONS = True
"""Making an external switch takes the adapter's addresses over to a virtual one: connections over it break, as with every Hyper-V
host. That WinRM sessions to this product's devices break too is inferred from that."""

REMOVAL_SECONDS = 60.0
"""How long Remove-AksEdgeDeployment takes. Unmeasured."""

FEATURE_SECONDS = 40.0
"""How long Windows takes to switch on one optional feature. Unmeasured; Hyper-V takes minutes on slow disks."""

DOWNLOAD_SECONDS = 90.0
"""How long the installer takes to arrive (it is some hundred MB, like the 820 MB that the progress shows). Unmeasured."""

MSI_SECONDS = 180.0
"""How long the installer runs. "A few minutes" in every source."""

HOST_FEATURES_REBOOT_DELAY_SECONDS = 10.0
"""Install-AksEdgeHostFeatures restarts the machine when it has switched Hyper-V on (Microsoft's how-to). Whether at once, and
what it returns before, is not written; the device answers True and restarts a moment later."""

FEATURES_MISSING = "Required host features are not installed. Please run Install-AksEdgeHostFeatures."
"""New-AksEdgeDeployment re-checks the features; what it answers when they are missing is unknown."""

EULA_NOT_ACCEPTED = "Please accept the EULA by setting AcceptEula to true in the deployment configuration."
"""Interactively the product asks; what it answers where nobody can be asked is unknown."""

TPM_DECLINED = "TPM pass-through was not confirmed."
"""New-AksEdgeDeployment asks before it gives the node access to the TPM; what it answers to a No is unknown."""

ALREADY_DEPLOYED = "AksEdge VM already deployed"
"""What New-AksEdgeDeployment answers on a machine with a deployment, or with the disks that an interrupted one left, is
unknown. These are the words of the official helper module, which looks for the same disks. So a device whose deployment was
interrupted needs Remove-AksEdgeDeployment first."""

NODE_CREATION_FAILED = "New-Node failed with error Creation of Linux node failed"
"""Reported where the VM cannot be reached: too little memory or processors, nested virtualization missing. That each of these
gives just this text is inferred from the reports' variety."""

WINDOWS_NODE_NOT_INSTALLED = "New-Node failed with error Creation of Windows node failed: AksEdgeWindows-v1.vhdx was not found"
"""A Windows node needs its virtual disk, which only an installation with ADDLOCAL=CoreFeature,WindowsNodeFeature brings. The name
of the disk is documented; what the module says without it is unknown."""


def creation_failed(kind: str) -> str:
    """Reported for the Linux node (``NODE_CREATION_FAILED``); taken over for the Windows node."""
    return f"New-Node failed with error Creation of {kind} node failed"


def deployment_line(kinds: Sequence[str], distribution: str, *, scalable: bool, joins: bool) -> str:
    """The line before the first step. Known from transcripts for a Linux node on a single machine; the others are made alike."""
    what = " and ".join(kinds)
    if joins:
        return f"AksEdge - joining a new {what} node to a scalable {distribution.lower()} cluster"
    return f"AksEdge - deploying a new {what} {'scalable' if scalable else 'single machine'} {distribution.lower()} cluster"


def no_such_adapter(name: str, known: tuple[str, ...]) -> str:
    """What the check of the network says of an adapter that does not exist is unknown."""
    found = ", ".join(known)
    return f"Machines[0].NetworkConnection.AdapterName: no physical network adapter with the name '{name}' was found ({found})"


def is_wireless(adapter: str) -> bool:
    """Windows names its wireless adapters Wi-Fi, Wi-Fi 2 and so on."""
    return adapter.casefold().startswith("wi-fi")


def switch_not_made(adapter: str) -> str:
    """With Wi-Fi the module does not get an external switch made (documented); its words for that are unknown."""
    return f"Failed to create external virtual switch on adapter '{adapter}'"


NO_ROUTE = "failed to reach the control plane: dial tcp: connect: no route to host"
"""What the event log says of a joining node that cannot reach the control plane: Go's words for a connection that fails."""


def other_distribution(own: str, cluster: str) -> str:
    """Machines of different distributions do not make one cluster (documented); what the log says of the attempt is unknown."""
    return f"a {own} node cannot join a {cluster} cluster"


def newer_than_control_plane(own: str, cluster: str) -> str:
    """Kubernetes does not support a kubelet newer than the API server; that the product refuses it is inferred."""
    return f"the version of this node ({own}) is newer than the control plane's ({cluster})"


NOT_CONTROL_PLANE = "This commandlet must be run on a machine whose Linux node is a control plane node."
"""New-AksEdgeScaleConfig asks for it (documented); its words are unknown."""

NOT_SCALABLE = "A single machine cluster cannot be scaled to more machines."
"""Only a ScalableCluster takes machines (documented); what New-AksEdgeScaleConfig says on a single machine is unknown."""

CLUSTER_UNREACHABLE = "The cluster could not be reached from host side"
"""Part of a reported message; that cmdlets which need the Kubernetes API say just this is inferred."""


def node_exists(kind: str) -> str:
    """What the module says where the other node type is there already is unknown."""
    return f"A {kind} node already exists on this machine."


def no_node(kind: str) -> str:
    """What cmdlets say of a node type that this machine does not have is unknown."""
    return f"No {kind} node exists on this machine."


def node_not_running(kind: str) -> str:
    """As ``NODE_NOT_RUNNING``, for either node."""
    return f"The {kind} node is not running."


WINDOWS_NODE_SIZE = (2, 4096)
"""Processors and memory in MB of the Windows node in a config from New-AksEdgeScaleConfig: those of the samples."""


def no_address(text: str) -> str:
    """What New-AksEdgeScaleConfig says of a text that is no IPv4 address is unknown."""
    return f"'{text}' is not a valid IPv4 address."


def outside_subnet(address: str, network: str) -> str:
    """All nodes of a scalable cluster are in one subnet (documented); the words are unknown."""
    return f"IP address '{address}' is not in the subnet '{network}' of the cluster."


def other_deployment_type(config: str, deployment: str) -> str:
    """What Add-AksEdgeNode says of a config for the other kind of deployment is unknown."""
    return f"DeploymentType: {config} does not match the {deployment} on this machine"


ONLY_NODE = "The Linux node of a single machine cluster cannot be removed. Use Remove-AksEdgeDeployment."
"""Documented that it cannot be; the words are unknown."""

LAST_NODE_ENDS_DEPLOYMENT = True
"""Remove-AksEdgeNode wants both node types on the machine (reference), yet a how-to uses it for the only node of a machine in a
larger cluster. The device allows that, and the machine then has no deployment any more."""

LAST_CONTROL_PLANE = (
    "This machine has the last control plane node of the cluster. Remove the other nodes first, or use -Force to remove the "
    "cluster."
)
"""Workers go before the last control plane (documented); what the module says where they are still there is unknown."""

NOT_DRAINED = "Error: Timed out while draining node"
"""What Set-AksEdgeNodeToDrain says when the time is over is unknown."""


def node_command_failed(code: int, errors: str) -> str:
    """Invoke-AksEdgeNodeCommand throws where a command ends with another exit code than 0 (documented); its words are unknown."""
    return f"Command failed with exit code {code}" + (f": {errors}" if errors else "")


def copy_failed(reason: str) -> str:
    """Files are copied with scp below; that Copy-AksEdgeNodeFile throws scp's own text is inferred."""
    return f"Failed to copy the file: scp: {reason}"


NODE_CONNECTIVITY_OFF = "SSH access to the Linux node is disabled. Use Set-AksEdgeNodeConnectivityMode to enable it."
"""What cmdlets say that go over SSH where that was switched off is unknown; that they fail is inferred."""

KMS_NOT_ENABLED = "The KMS plugin is not enabled on this deployment."
"""What Repair-AksEdgeKms says on a deployment without the plugin is unknown."""

KMS_REPAIRED = "KMS plugin tokens restored"
"""What Repair-AksEdgeKms prints is unknown."""

SECOND_REMOVAL_QUESTION = 'Performing the operation "Force the removal of the node" on target "{node}".'
"""Remove-AksEdgeNode asks again where the node does not leave in order (documented in its notes); the words are unknown."""

NO_GATEWAY = "Failed to get nodeagent certificate: Not Found"
"""Reported for an adapter without default gateway; the moment at which it shows is inferred from the agent's part in it."""

DISK_FULL = "There is not enough space on the disk."
"""The .NET message; whether the product checks the disk before it fills it is unknown."""

ARC_INVALID = "Azure Arc parameters not set or invalid"
"""Documented text. Below schema 1.16 it is the answer of a deployment that worked (the official helper takes it as OK)."""

NO_DEPLOYMENT = "Please create a deployment before using this commandlet."
"""Documented for New-AksEdgeScaleConfig; that the other cmdlets throw the same text is inferred."""

PRODUCT_GONE = "AKS Edge Essentials is not installed on this machine."
"""What a cmdlet says in a session that was opened before the product was removed, and so still has the cmdlet, is unknown."""

NODE_NOT_RUNNING = "The Linux node is not running."
"""What cmdlets say that need a running node is unknown."""

ROLLS_BACK = True
"""A New-AksEdgeDeployment that gets to answer a failure has removed what it made before; one that is interrupted (restart,
stopped pipeline) cannot. Reports tell of both clean and unclean failures."""


def config_refused(issues: list[str]) -> str:
    """The answer to a config with faults. The texts of the product's validation are not published."""
    return "The deployment configuration is not valid: " + "; ".join(issues)


FEATURE_CHECK_SECONDS = 2.0
"""How long Install-AksEdgeHostFeatures takes for each of its checks. Unmeasured."""

POWERSHELL_REVISION = 4291
"""Last number of the version of Windows PowerShell 5.1; it follows the monthly updates."""

UNPUBLISHED_INSTALLERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("1.0.406.0", "K3s"): ("1.24.3",),
    ("1.0.406.0", "K8s"): ("1.24.3",),
    ("1.1.220.0", "K3s"): ("1.24.6",),
    ("1.2.414.0", "K3s"): ("1.24.6",),
    ("1.2.414.0", "K8s"): ("1.24.6",),
    ("1.3.186.0", "K3s"): ("1.25.11",),
    ("1.3.186.0", "K8s"): ("1.25.11",),
    ("1.4.109.0", "K3s"): ("1.25.11",),
    ("1.4.109.0", "K8s"): ("1.25.11",),
    ("1.12.269.0", "K8s"): ("1.33.5",),
}
"""Kubernetes versions of installers that no source names, by product version and distribution: of the releases before 1.5, that of
the nearest release where it is known; of 1.12.269, that of its K3s installer."""

UNPUBLISHED_UPGRADES: dict[tuple[str, str], tuple[str, ...]] = {
    ("1.11.247.0", "K3s"): ("1.30.6",),
    ("1.11.247.0", "K8s"): ("1.30.5",),
    ("1.12.269.0", "K3s"): ("1.32.9",),
    ("1.12.269.0", "K8s"): ("1.32.9",),
}
"""Kubernetes versions that only updates bring, where no source names them. Every published release brings two minors, of which
since 1.10 the lower one is for updates. 1.11.247 is taken as the release before it; that 1.12 brings 1.32 beside 1.33 follows from
the rule that no minor is skipped, its patch number is a guess."""

EVENT_SOURCE = "AksEdge"
"""Name of the provider in the product's event log. Not published; the preview's was AksIot."""

EVENT_IDS = {"Critical": 1003, "Error": 1002, "Warning": 1001, "Information": 1000}
"""Event ids of the product's log are not documented; one per severity."""

_KNOWN_LINES = {
    ("1.6.384.0", "Test-ClusterConnectivity"): 3326,
    ("1.7.639.0", "Set-ArcConnectionInternal"): 3455,
    ("1.10.868.0", "Write-ErrorLog"): 4715,
}


def module_line(version: str, function: str) -> int:
    """The line of AksEdge.psm1 that a failure in one of its functions names. Line numbers change with every release and a few are
    known from issue threads (183 and 248 there, 2761 of azure_arc, whose release is inferred from its date); the others are made
    up, the same for the same release."""
    known = _KNOWN_LINES.get((version, function))
    return known if known is not None else 1200 + zlib.crc32(f"{version} {function}".encode()) % 3800


ARC_SIGN_IN_SECONDS = 12.0
"""How long the product takes to sign in to Azure and to look for the resource group. Unmeasured."""

ARC_REMOVAL_SECONDS = 90.0
"""How long Disconnect-AksEdgeArc takes. Unmeasured."""

ARC_OFFLINE_SECONDS = 15 * 60.0
"""Azure shows a connected cluster as Offline when its agents have been silent for 15 minutes (documented for Arc-enabled
Kubernetes)."""

ARC_EXPIRED_SECONDS = 90 * 86400.0
"""Azure shows a connected cluster as Expired when its agents have been silent for 90 days, which their certificate lasts."""

ARC_CLOCK_TOLERANCE_SECONDS = 300.0
"""How wrong a device's clock may be before the agents get no certificate. Reported without a number; five minutes are what most
token checks allow."""

ARC_FAILED = "Exception occurred while connecting to cluster - "
"""How the module begins the text of a failed connection (issue 183 and others). That a disconnection begins its text likewise,
with the other word, is inferred. A deployment whose connection fails answers the same text and keeps its cluster: below
schema 1.16 that is documented for invalid parameters, above it is inferred."""

ARC_DISCONNECT_FAILED = "Exception occurred while disconnecting cluster - "
"""See ``ARC_FAILED``."""

NO_INTERNET = "No such host is known. (login.microsoftonline.com:443)"
"""The .NET message of a name that cannot be resolved; which of the addresses the module tries first is unknown."""

ARC_NOT_CONNECTED = "The cluster is not connected to Azure Arc."
"""What Disconnect-AksEdgeArc answers where nothing is connected is unknown."""

ARC_NOT_USED = (
    "Attention - Azure Arc properties are specified. These will not be used. The cluster currently needs to be connected in a "
    "separate step after deployment via Connect-AksEdgeArc"
)
"""Printed by releases before 1.10 (a transcript)."""


def arc_resource_exists(name: str, group: str) -> str:
    """What a connection answers where the name is taken by another cluster. The texts of the Azure modules differ by version."""
    return f"The connected cluster resource '{name}' already exists in resource group '{group}' and belongs to another cluster."


AGENT_UNREACHABLE = "wssdagent is unreachable, please retry..."
"""Seen on the sibling product EFLOW where the VM agent does not run; that this product's cmdlets say the same is inferred."""

UPDATE_SECONDS = {"update-product": 420.0, "update-control-plane": 480.0, "update-worker": 360.0}
"""How long each phase of an update takes: the first installs a package of some hundred MB, the others restart a node with a new
system. No source says it."""

UPDATED_NODE_SECONDS = 900.0
"""How long an update waits for a node with its new system. No source says it; a deployment waits as long for the node by default,
and answers then what an update is taken to answer."""

UPDATE_CACHE = "C:\\Program Files\\AKS-Edge\\update-cache"
"""Where staged files lie. The documentation says so, with a folder name that differs from the product's."""

NOTHING_STAGED = "No AKS Edge Essentials updates are available on this machine."
"""What Start-AksEdgeUpdate answers where Microsoft Update has brought nothing. Only that it does nothing useful is reported."""

UPDATE_IN_PROGRESS = "An update is currently in progress or in an unsafe state."
"""How the module refuses what an unfinished update forbids (issue 182, for adding a node). That the update cmdlets begin their
refusals with the same words is inferred."""

UPDATE_NOT_STARTED = "No update is in progress. Please run Start-AksEdgeUpdate on every machine of the cluster first."
"""What the later phases answer where the first was not run is unknown."""

STALE_MODULE = "Please restart your PowerShell instance and import the AksEdge module again."
"""What a later phase answers in a session opened before the module's files were replaced is unknown; the documentation asks for
a new session."""

CONTROL_PLANE_ORDER = "Please update the first control plane node of the cluster before the others."
"""What the second phase answers on a machine whose turn has not come is unknown; the documentation gives the order."""

WORKERS_TOO_EARLY = "Please update the control plane nodes of the cluster before the worker nodes."
"""See ``CONTROL_PLANE_ORDER``."""

UPDATE_FELL_BACK = "The update of the node failed. The node was started with its previous system."
"""Nodes fall back to their former system partition where an update fails (documented); what the cmdlet says is unknown."""


def update_does_not_follow(installed: str, staged: str) -> str:
    """What Start-AksEdgeUpdate answers to files of a release that does not follow the installed one. That every release must be
    taken in order is documented, the text is unknown."""
    return f"The staged update {staged} cannot be applied to version {installed}. Updates must be applied sequentially."


LOGS_FOLDER = "C:\\ProgramData\\AksEdge\\logs"
"""Where log archives go unless told otherwise: the logs page says this folder, the cmdlet's reference the install folder."""

KEPT_CONFIG_FOLDERS = ("C:\\AksEdgeScript", "C:\\ProgramData\\AksEdge")
"""Where configs with their secrets may lie on a device. Microsoft's scripts write theirs below the first. The product's log archive
has the config without secrets; whether the product keeps one with them, and where in its data folder, is unknown. The simulated
one keeps none."""

UNINSTALL_SECONDS = 60.0
"""How long the uninstallation of the product takes. Unmeasured."""

EXTERNAL_SWITCH_STAYS = True
"""Left-overs of a removed deployment that users name are the external switch and its network; that the internal switch goes with
the deployment is inferred."""

LOGS_SECONDS = 60.0
"""How long Get-AksEdgeLogs takes. Unmeasured."""

EVENT_LOG_SECONDS = 10.0
"""How long Get-AksEdgeEventLog takes. Unmeasured."""

LOGS_NEED_GB = 0.3
"""Free disk space without which an archive of logs cannot be written. Real archives have tens of MB and are unpacked before."""

SUSPEND_REFUSED = (
    "The Suspend ActionPreference value is reserved for future use and is not supported at this time. For more information about "
    'preference variables, see the Help topic, "about_Preference_Variables."'
)
"""What PowerShell 7 says of -ErrorAction Suspend. Windows PowerShell 5.1 refuses it outside of workflows, too, maybe in other
words."""

OUTPUT_BUFFER_BYTES = 4 * 1024 * 1024
"""How much output of one command waits for a client that takes none, before the command is held back (BufferMode Block) or
its oldest output is lost (Drop). Microsoft says what happens to a full buffer and not how large it is."""

UNANSWERED_CONFIRMATION_ENDS_A_FUNCTION = True
"""A function that asks for confirmation over a client without a host gets an exception from ShouldProcess. Whether it goes on
after it depends on the $ErrorActionPreference inside its module, which is not published for the product; here it ends there."""

CERTIFICATE_REFUSED_STATUS = 401
"""How WinRM answers a client certificate that is out of its dates, or mapped to nobody. Users of other clients report "credentials
rejected" (401) for a mapping that does not fit; the same is taken for an expired one. One whose authority is not trusted breaks
the TLS connection off here; what Windows does is not written."""
