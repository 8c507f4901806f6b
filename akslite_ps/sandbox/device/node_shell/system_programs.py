"""Programs of the Linux node that tell of the system: uname, df, free, uptime, ip and their kind."""

from __future__ import annotations

import re
from collections.abc import Mapping

from akslite_ps.sandbox.device.node_shell.linux_machine import LinuxMachine, firewall_rules
from akslite_ps.sandbox.device.node_shell.program import Process, Program, ShellResult, columns, failed, printed

_GB = 1024 * 1024
_DATE = re.compile(r"%[a-zA-Z%]")


def _uname(process: Process) -> ShellResult:
    machine, flags = process.machine, process.flags()
    parts = {
        "s": "Linux",
        "n": machine.node.name,
        "r": machine.info["kernelVersion"],
        "v": "#1 SMP",
        "m": "x86_64",
        "p": "x86_64",
        "i": "x86_64",
        "o": "GNU/Linux",
    }
    unknown = flags - set(parts) - {"a", "--all"}
    if unknown:
        return failed(f"uname: invalid option -- '{sorted(unknown)[0]}'\nTry 'uname --help' for more information.")
    wanted = set(parts) if flags & {"a", "--all"} else flags or {"s"}
    return printed(" ".join(text for letter, text in parts.items() if letter in wanted))


def _hostname(process: Process) -> ShellResult:
    return printed(process.machine.node.address + " " if process.flags() & {"I", "i"} else process.machine.node.name)


def _id(process: Process) -> ShellResult:
    if process.is_root:
        return printed("0" if "u" in process.flags() else "uid=0(root) gid=0(root) groups=0(root)")
    everything = "uid=1000(aksedge-user) gid=1000(aksedge-user) groups=1000(aksedge-user),10(wheel)"
    return printed("1000" if "u" in process.flags() else everything)


def _date(process: Process) -> ShellResult:
    form = next((word[1:] for word in process.arguments if word.startswith("+")), None)
    now = process.machine.now
    if form is None:
        return printed(f"{now:%a %b %e %H:%M:%S UTC %Y}")
    forms = {"%s": str(int(now.timestamp())), "%Z": "UTC", "%z": "+0000", "%F": f"{now:%Y-%m-%d}", "%T": f"{now:%H:%M:%S}"}
    return printed(_DATE.sub(lambda match: forms.get(match[0]) or now.strftime(match[0]), form))


def _uptime(process: Process) -> ShellResult:
    machine = process.machine
    minutes = int(machine.uptime_s // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if "p" in process.flags():
        parts = [(days, "day"), (hours, "hour"), (rest, "minute")]
        told = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts if count]
        return printed("up " + (", ".join(told) or "0 minutes"))
    if "s" in process.flags():
        return printed(f"{machine.booted_at:%Y-%m-%d %H:%M:%S}")
    since = f"{hours}:{rest:02d}" if hours else f"{rest} min"
    days_text = f"{days} day{'' if days == 1 else 's'}, " if days else ""
    load = ", ".join(machine.load().split())
    return printed(f" {machine.now:%H:%M:%S} up {days_text}{since},  0 users,  load average: {load}")


def _free(process: Process) -> ShellResult:
    machine, flags = process.machine, process.flags()
    total, used = machine.node.memory_mb * 1024, machine.used_memory_mb() * 1024
    cached = (total - used) // 3
    values = (total, used, total - used - cached, 3276, cached, total - used)

    def shown(kib: int) -> str:
        if "h" in flags:
            return f"{kib / _GB:.1f}Gi" if kib >= _GB else f"{kib // 1024}Mi" if kib >= 1024 else f"{kib * 1024}B"
        return str(kib // _GB if "g" in flags else kib // 1024 if "m" in flags else kib)

    head = "".join(f"{name:>12}" for name in ("total", "used", "free", "shared", "buff/cache", "available"))
    memory = "".join(f"{shown(value):>12}" for value in values)
    swap = "".join(f"{shown(0):>12}" for _ in range(3))
    return ShellResult(f"{'':<7}{head}\n{'Mem:':<7}{memory}\n{'Swap:':<7}{swap}\n")


def _disks(machine: LinuxMachine) -> list[tuple[str, int, int, str]]:
    """Device, size and use in KiB, and where it is mounted."""
    node = machine.node
    images = 900 * 1024 + 55 * 1024 * len(machine.pods)
    data, log = node.data_size_gb * _GB, max(node.log_size_gb, 1) * _GB
    hours = machine.uptime_s / 3600
    return [
        ("/dev/root", 3 * _GB, int(1.7 * _GB), "/"),
        ("tmpfs", node.memory_mb * 512, 0, "/dev/shm"),  # noqa: S108 - a mount of the simulated node
        ("tmpfs", node.memory_mb * 205, 3276, "/run"),
        ("/dev/sdb1", data, min(data * 95 // 100, images), "/var"),
        ("/dev/sdb2", log, min(log * 95 // 100, int(90_000 + 4_000 * hours)), "/var/log"),
    ]


def _df(process: Process) -> ShellResult:
    wanted = process.operands()
    human = "h" in process.flags()

    def shown(kib: int) -> str:
        if not human:
            return str(kib)
        return f"{kib / _GB:.1f}G" if kib >= _GB else f"{kib // 1024}M" if kib >= 1024 else f"{kib}K" if kib else "0"

    rows = []
    for device, size, used, mount in _disks(process.machine):
        if not wanted or any(_mount_of(path, process.machine) == mount for path in wanted):
            rows.append([device, shown(size), shown(used), shown(size - used), f"{-(-100 * used // size)}%", mount])
    head = ["Filesystem", "Size" if human else "1K-blocks", "Used", "Avail" if human else "Available", "Use%", "Mounted on"]
    return ShellResult(columns([head, *rows], gap=1))


def _mount_of(path: str, machine: LinuxMachine) -> str:
    mounts = [mount for _, _, _, mount in _disks(machine)]
    return max((mount for mount in mounts if path == mount or path.startswith(mount.rstrip("/") + "/")), key=len, default="/")


def _lsblk(process: Process) -> ShellResult:
    node = process.machine.node
    rows = [
        ["NAME", "MAJ:MIN", "RM", "SIZE", "RO", "TYPE", "MOUNTPOINTS"],
        ["sda", "8:0", "0", "6G", "0", "disk", ""],
        ["├─sda1", "8:1", "0", "3G", "1", "part", "/"],
        ["└─sda2", "8:2", "0", "3G", "1", "part", ""],
        ["sdb", "8:16", "0", f"{node.data_size_gb + max(node.log_size_gb, 1)}G", "0", "disk", ""],
        ["├─sdb1", "8:17", "0", f"{node.data_size_gb}G", "0", "part", "/var"],
        ["└─sdb2", "8:18", "0", f"{max(node.log_size_gb, 1)}G", "0", "part", "/var/log"],
    ]
    return ShellResult(columns(rows, gap=1))


def _ip(process: Process) -> ShellResult:
    words = process.operands()
    machine = process.machine
    node = machine.node
    network = machine.deployment.network.partition("/")[2]
    mac = node.mac.replace("-", ":").lower()
    subject = words[0] if words else ""
    if subject and "address".startswith(subject):
        only = words[-1] if len(words) > 1 and words[-1] in {"eth0", "lo"} else None
        broadcast = machine.deployment.network.partition("/")[0].rpartition(".")[0] + ".255"
        loopback = (
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n"
            "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n"
            "       valid_lft forever preferred_lft forever\n"
        )
        primary = (
            "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000\n"
            f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff\n    inet {node.address}/{network} brd {broadcast} scope global eth0\n"
            "       valid_lft forever preferred_lft forever\n"
        )
        if process.flags() & {"b", "br", "--brief"}:
            return ShellResult(
                f"lo               UNKNOWN        127.0.0.1/8 \neth0             UP             {node.address}/{network} \n"
            )
        return ShellResult({"eth0": primary, "lo": loopback}.get(only or "", loopback + primary))
    if subject and "route".startswith(subject):
        local = machine.deployment.network
        return printed(
            f"default via {machine.gateway()} dev eth0 proto static \n{local} dev eth0 proto kernel scope link src {node.address} "
        )
    if subject and "link".startswith(subject):
        return printed(
            f"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500\n    link/ether {mac}"
        )
    if not subject:
        return failed("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }", 255)
    return failed(f'Object "{subject}" is unknown, try "ip help".')


def _environment(process: Process) -> ShellResult:
    names = process.operands()
    if names:
        found = [process.environment[name] for name in names if name in process.environment]
        return ShellResult("".join(f"{value}\n" for value in found), "", 0 if len(found) == len(names) else 1)
    return ShellResult("".join(f"{name}={value}\n" for name, value in process.environment.items()))


def _iptables(process: Process) -> ShellResult:
    if not process.is_root:
        return failed(
            "iptables v1.8.10 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)", 4
        )
    if "S" in process.flags() or not process.arguments:
        rules = [line for line in firewall_rules().splitlines() if line.startswith("-A")]
        return printed("\n".join(["-P INPUT DROP", "-P FORWARD DROP", "-P OUTPUT DROP", *rules]))
    if "L" in process.flags() or "--list" in process.flags():
        head = "target     prot opt source               destination         \n"
        accepted = [line for line in firewall_rules().splitlines() if line.startswith("-A INPUT") and "--dport" in line]
        ports = [line.split("--dport ")[1].split()[0] for line in accepted]
        rows = "".join(f"ACCEPT     tcp  --  anywhere             anywhere             tcp dpt:{port}\n" for port in ports)
        chains = ("INPUT", "FORWARD", "OUTPUT")
        return printed("\n".join(f"Chain {name} (policy DROP)\n{head}{rows if name == 'INPUT' else ''}" for name in chains))
    return failed("iptables v1.8.10 (nf_tables): the rules of this node are read-only here", 2)


def _resolvectl(process: Process) -> ShellResult:
    servers = process.machine.dns_servers()
    return printed(
        "Global\n         Protocols: -LLMNR -mDNS -DNSOverTLS DNSSEC=no/unsupported\n  resolv.conf mode: uplink\n\n"
        "Link 2 (eth0)\n    Current Scopes: DNS\n         Protocols: +DefaultRoute -LLMNR -mDNS\n"
        f"Current DNS Server: {servers[0]}\n       DNS Servers: {' '.join(servers)}"
    )


def _nproc(process: Process) -> ShellResult:
    return printed(str(process.machine.node.cpu_count))


def _ps(process: Process) -> ShellResult:
    names = ["systemd", "systemd-journald", "sshd", "containerd", "k3s server" if process.machine.is_k3s else "kubelet"]
    shims = [f"containerd-shim {pod['metadata']['name']}" for pod in process.machine.pods]
    started = f"{process.machine.booted_at:%H:%M}"
    rows = [["UID", "PID", "STIME", "CMD"]]
    rows += [["root", str(1 if not index else 400 + 37 * index), started, name] for index, name in enumerate([*names, *shims])]
    return ShellResult(columns(rows, gap=2))


PROGRAMS: Mapping[str, Program] = {
    "date": _date,
    "df": _df,
    "env": _environment,
    "free": _free,
    "hostname": _hostname,
    "id": _id,
    "ip": _ip,
    "iptables": _iptables,
    "lsblk": _lsblk,
    "nproc": _nproc,
    "printenv": _environment,
    "ps": _ps,
    "resolvectl": _resolvectl,
    "top": lambda _: failed("TERM environment variable not set."),
    "uname": _uname,
    "uptime": _uptime,
    "whoami": lambda process: printed("root" if process.is_root else "aksedge-user"),
}
