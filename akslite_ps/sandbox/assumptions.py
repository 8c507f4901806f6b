"""What nobody outside Microsoft has written down, and what the simulated device does instead.

One named constant or function per unknown, with the reason. A person with a real device can correct each in one
place. Nothing here may be relied on by client code.
"""

from __future__ import annotations

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
}
"""How long each stage of New-AksEdgeDeployment takes. Users report 10 to 15 minutes in all, and up to 10 for Arc; the
division over the stages is a guess, with the creation of the virtual machine as the longest part."""

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

NO_GATEWAY = "Failed to get nodeagent certificate: Not Found"
"""Reported for an adapter without default gateway; the moment at which it shows is inferred from the agent's part in it."""

DISK_FULL = "There is not enough space on the disk."
"""The .NET message; whether the product checks the disk before it fills it is unknown."""

ARC_INVALID = "Azure Arc parameters not set or invalid"
"""Documented text. Below schema 1.16 it is the answer of a deployment that worked (the official helper takes it as OK)."""

NO_DEPLOYMENT = "Please create a deployment before using this commandlet."
"""Documented for New-AksEdgeScaleConfig; that the other cmdlets throw the same text is inferred."""

NODE_NOT_RUNNING = "The Linux node is not running."
"""What cmdlets say that need a running node is unknown."""

ROLLS_BACK = True
"""A New-AksEdgeDeployment that gets to answer a failure has removed what it made before; one that is interrupted (restart,
stopped pipeline) cannot. Reports tell of both clean and unclean failures."""


def config_refused(issues: list[str]) -> str:
    """The answer to a config with faults. The texts of the product's validation are not published."""
    return "The deployment configuration is not valid: " + "; ".join(issues)


def not_simulated(what: str) -> str:
    """For what a real device does and this one does not yet."""
    return f"{what} is not simulated yet."


FEATURE_CHECK_SECONDS = 2.0
"""How long Install-AksEdgeHostFeatures takes for each of its checks. Unmeasured."""

POWERSHELL_REVISION = 4291
"""Last number of the version of Windows PowerShell 5.1; it follows the monthly updates."""
