"""The cmdlets that reach into a node over SSH: commands, and files both ways."""

from __future__ import annotations

import asyncio
import ntpath
import posixpath
from collections.abc import AsyncIterator

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.commands.aksedge.parts import full_path, node_of, write_file
from akslite_ps.sandbox.device.node_files import absolute, why_not_writable
from akslite_ps.sandbox.device.node_shell import ShellResult, run_linux, run_windows
from akslite_ps.sandbox.device.node_shell.linux_machine import LinuxMachine
from akslite_ps.sandbox.device.state import Node
from akslite_ps.sandbox.embedded.cmdlet import Call, Implementation


async def invoke_node_command(call: Call) -> AsyncIterator[str]:
    """Prints the command's lines; its exit code is in $LASTEXITCODE, and other than 0 it throws unless told to ignore errors."""
    node = _reachable(call)
    await call.device.clock.sleep(assumptions.NODE_COMMAND_SECONDS)
    line = call["command"] or ""
    if node.kind == "Linux":
        result = run_linux(LinuxMachine(call.device, node), line, call.device.now())
    else:
        result = run_windows(call.device, node, line)
    call.set_exit_code(result.exit_code)
    for text in result.output.splitlines():
        yield text
    if result.endless:
        # Nobody can end it from within: it goes on until the pipeline is stopped.
        await asyncio.Event().wait()
    if result.exit_code and not call["ignoreError"]:
        call.throw(assumptions.node_command_failed(result.exit_code, result.errors.strip()))
    for text in result.errors.splitlines():
        yield text


async def copy_node_file(call: Call) -> None:
    node = _reachable(call)
    await call.device.clock.sleep(assumptions.NODE_FILE_SECONDS)
    if call["PushFile"]:
        _push(call, node, call["FromFile"], call["ToFile"])
    else:
        _pull(call, node, call["FromFile"], call["ToFile"])


def _push(call: Call, node: Node, source: str, target: str) -> None:
    data = call.device.drive.read(full_path(call, source))
    if data is None:
        call.throw(assumptions.copy_failed(f"{source}: No such file or directory"))
    files, now = call.device.node_files(node.kind), call.device.now()
    if node.kind == "Windows":
        name = target.replace("/", "\\")
        files.write((ntpath.join(name, ntpath.basename(source)) if name.endswith("\\") else name).casefold(), data, now)
        return
    path = absolute(target)
    if target.endswith("/") or LinuxMachine(call.device, node).is_folder(path):
        path = posixpath.join(path, ntpath.basename(source))
    refusal = why_not_writable(path)
    if refusal is not None:
        call.throw(assumptions.copy_failed(f"{target}: {refusal}"))
    files.write(path, data, now)


def _pull(call: Call, node: Node, source: str, target: str) -> None:
    if node.kind == "Windows":
        data: bytes | ShellResult | None = call.device.node_files("Windows").read(source.replace("/", "\\").casefold())
        name = ntpath.basename(source)
    else:
        data = LinuxMachine(call.device, node).read(absolute(source), is_root=False)
        name = posixpath.basename(source)
    if data is None or isinstance(data, ShellResult):
        reason = "No such file or directory" if data is None else data.errors.strip()
        call.throw(assumptions.copy_failed(f"{source}: {reason}"))
    place = full_path(call, target)
    entry = call.device.drive.entry(place)
    into_folder = place.endswith("\\") or (entry is not None and entry.is_folder)
    write_file(call, ntpath.join(place, name) if into_folder else place, data)


def _reachable(call: Call) -> Node:
    """The node that the command is about; it must run, and the Linux node's SSH must not be switched off."""
    node = node_of(call, call["NodeType"])
    if not call.device.cluster.is_node_up(node.kind):
        call.throw(assumptions.node_not_running(node.kind))
    if not node.reachable_by_ssh:
        call.throw(assumptions.NODE_CONNECTIVITY_OFF)
    return node


RUN: dict[str, Implementation] = {
    "Copy-AksEdgeNodeFile": copy_node_file,
    "Invoke-AksEdgeNodeCommand": invoke_node_command,
}
