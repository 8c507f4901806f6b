"""systemctl and journalctl of the Linux node: the services that carry Kubernetes, and what they have logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from akslite_ps.sandbox.device.node_logs import runtime_log, systemd_log
from akslite_ps.sandbox.device.node_shell.linux_machine import LinuxMachine
from akslite_ps.sandbox.device.node_shell.program import Process, Program, ShellResult, failed, printed

_ENDED = 3
_UNKNOWN = 4


def _services(machine: LinuxMachine) -> dict[str, str]:
    """The services by name, with what they are."""
    own = {"k3s": "Lightweight Kubernetes"} if machine.is_k3s else {"kubelet": "kubelet: The Kubernetes Node Agent"}
    return {
        "containerd": "containerd container runtime",
        **own,
        "sshd": "OpenSSH Daemon",
        "systemd-journald": "Journal Service",
        "systemd-resolved": "Network Name Resolution",
    }


def _systemctl(process: Process) -> ShellResult:
    words, machine = process.operands(), process.machine
    services = _services(machine)
    action = words[0] if words else "list-units"
    names = [word.removesuffix(".service") for word in words[1:]]
    match action:
        case "status":
            return _each(names or list(services), services, lambda name: (_status(machine, name, services[name]), 0))
        case "is-active":
            found = [name in services for name in names]
            return ShellResult("".join("active\n" if here else "inactive\n" for here in found), "", 0 if all(found) else _ENDED)
        case "is-enabled":
            return _each(names, services, lambda name: ("enabled\n", 0))
        case "list-units":
            rows = [f"  {name + '.service':<28} loaded active running {text}\n" for name, text in services.items()]
            head = f"  {'UNIT':<28} LOAD   ACTIVE SUB     DESCRIPTION\n"
            return ShellResult(head + "".join(rows) + f"\n{len(rows)} loaded units listed.\n")
        case "show":
            return (
                printed("ActiveState=active\nSubState=running")
                if names and names[0] in services
                else printed("ActiveState=inactive")
            )
        case "restart" | "start" | "stop" | "reload" | "enable" | "disable" | "mask":
            if not process.is_root:
                return failed(f"Failed to {action} {words[1] if names else ''}: Interactive authentication required.")
            if action == "restart" and names and all(name in services for name in names):
                return ShellResult()
            return failed(
                f"Failed to {action} {words[1] if names else ''}: this node's services can only be looked at and restarted."
            )
    return failed(f"Unknown command verb {action}.")


def _each(names: list[str], services: Mapping[str, str], tell: Callable[[str], tuple[str, int]]) -> ShellResult:
    output, errors, code = "", "", 0
    for name in names:
        if name in services:
            text, ended = tell(name)
            output, code = output + text, max(code, ended)
        else:
            errors += f"Unit {name}.service could not be found.\n"
            code = _UNKNOWN
    return ShellResult(output, errors, code)


def _status(machine: LinuxMachine, name: str, text: str) -> str:
    minutes = int(machine.uptime_s // 60)
    ago = (
        f"{minutes // 1440} days ago"
        if minutes >= 2880
        else f"{minutes // 60}h {minutes % 60}min ago"
        if minutes >= 60
        else f"{minutes}min ago"
    )
    pid = 300 + machine.stable_number(name, 900)
    return (
        f"● {name}.service - {text}\n     Loaded: loaded (/usr/lib/systemd/system/{name}.service; enabled; preset: enabled)\n"
        f"     Active: active (running) since {machine.booted_at:%a %Y-%m-%d %H:%M:%S} UTC; {ago}\n   Main PID: {pid} ({name})\n\n"
    )


def _journalctl(process: Process) -> ShellResult:
    machine = process.machine
    unit = (process.value_of("-u", "--unit") or "").removesuffix(".service")
    if unit and unit not in _services(machine):
        return printed("-- No entries --")
    kubernetes = "k3s" if machine.is_k3s else "kubelet"
    lines: list[str] = []
    if unit in {"", kubernetes}:
        lines += runtime_log(machine.cluster, machine.node).splitlines()
    if unit != kubernetes:
        boots = systemd_log(machine.node, machine.device.events.entries(), machine.deployment, f"{unit or kubernetes}.service")
        lines = [*boots.splitlines(), *lines]
    count = process.value_of("-n", "--lines")
    if count is not None and count.isdigit():
        lines = lines[-int(count) :]
    if "r" in process.flags():
        lines.reverse()
    follows = bool(process.flags() & {"f", "--follow"})
    return ShellResult("".join(f"{line}\n" for line in lines) or "-- No entries --\n", endless=follows)


PROGRAMS: Mapping[str, Program] = {"journalctl": _journalctl, "systemctl": _systemctl}
