"""Commands inside the node VMs of a simulated device, as Invoke-AksEdgeNodeCommand runs them over SSH.

A catalogue of commands that look at a node, answered from the node's state; what is not in it is answered as the node's shell
answers an unknown command.
"""

from akslite_ps.sandbox.device.node_shell.linux_shell import run_linux
from akslite_ps.sandbox.device.node_shell.program import ShellResult
from akslite_ps.sandbox.device.node_shell.windows_shell import run_windows

__all__ = ["ShellResult", "run_linux", "run_windows"]
