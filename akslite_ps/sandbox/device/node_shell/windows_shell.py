"""cmd.exe in the Windows node: a few commands that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from akslite_ps.sandbox.device.node_shell.program import ShellResult

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice
    from akslite_ps.sandbox.device.state import Node

_NOT_FOUND = 9009
_SERVICES = ("containerd", "kubelet", "kube-proxy", "sshd")


def run_windows(device: SimulatedDevice, node: Node, line: str) -> ShellResult:
    """Run a command line.

    Args:
        device: The device.
        node: Its Windows node; the VM runs.
        line: What was given to Invoke-AksEdgeNodeCommand.
    """
    words = line.split()
    if not words:
        return ShellResult()
    name, rest = words[0].casefold().removesuffix(".exe"), words[1:]
    from akslite_ps.sandbox.kubernetes.assumptions import WINDOWS_NODE_OS

    edition, version, _ = WINDOWS_NODE_OS.value
    match name:
        case "hostname":
            return _printed(node.name)
        case "whoami":
            return _printed(f"{node.name}\\administrator")
        case "ver":
            return _printed(f"\r\nMicrosoft Windows [Version {version}]")
        case "echo":
            return _printed(" ".join(rest))
        case "date":
            return _printed(f"The current date is: {device.now():%a %m/%d/%Y}")
        case "ipconfig":
            return _printed(_ipconfig(device, node))
        case "systeminfo":
            return _printed(
                f"\r\nHost Name:                 {node.name.upper()}\r\nOS Name:                   Microsoft {edition}\r\n"
                f"OS Version:                {version}\r\nProcessor(s):              {node.cpu_count} Processor(s) Installed.\r\n"
                f"Total Physical Memory:     {node.memory_mb:,} MB"
            )
        case "sc" if rest[:1] and rest[0].casefold() == "query":
            return _query(rest[1] if len(rest) > 1 else None)
        case "type" if rest:
            data = device.node_files("Windows").read(_key(" ".join(rest)))
            if data is None:
                return ShellResult("", "The system cannot find the file specified.\r\n", 1)
            return ShellResult(data.decode(errors="replace"))
        case "dir":
            return _dir(device, " ".join(rest) or "C:\\")
    unknown = f"'{words[0]}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
    return ShellResult("", unknown, _NOT_FOUND)


def _printed(text: str) -> ShellResult:
    return ShellResult(text + "\r\n")


def _key(path: str) -> str:
    """Windows ignores case and takes both slashes."""
    return path.strip('"').replace("/", "\\").casefold()


def _ipconfig(device: SimulatedDevice, node: Node) -> str:
    deployment = device.state.deployment
    assert deployment is not None
    return (
        "\r\nWindows IP Configuration\r\n\r\n\r\nEthernet adapter vEthernet (Ethernet):\r\n\r\n"
        f"   Physical Address. . . . . . . . . : {node.mac}\r\n   IPv4 Address. . . . . . . . . . . : {node.address}\r\n"
    )


def _query(service: str | None) -> ShellResult:
    found = [name for name in _SERVICES if service is None or name.casefold() == service.casefold()]
    if not found:
        reason = "The specified service does not exist as an installed service."
        return ShellResult(f"[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\n{reason}\r\n", "", 1060)
    block = "\r\nSERVICE_NAME: {}\r\n        TYPE               : 10  WIN32_OWN_PROCESS\r\n        STATE              : 4  RUNNING"
    return _printed("\r\n".join(block.format(name) for name in found))


def _dir(device: SimulatedDevice, path: str) -> ShellResult:
    folder = _key(path).rstrip("\\") + "\\"
    files = [file for file in device.node_files("Windows").entries() if file.path.startswith(folder)]
    direct = [file for file in files if "\\" not in file.path[len(folder) :]]
    if not direct and folder != "c:\\":
        return ShellResult("", "File Not Found\r\n", 1)
    rows = [f"{file.modified:%m/%d/%Y  %I:%M %p} {file.size:>17,} {file.path[len(folder) :]}" for file in direct]
    return _printed("\r\n".join([f" Directory of {path}", "", *rows, f"{len(direct):>16} File(s)"]))
