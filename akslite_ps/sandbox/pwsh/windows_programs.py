"""Programs of Windows that our device-side module runs, answered by a simulated device: shutdown, powercfg,
msiexec, kubectl, netsh.

Called by ``pwsh.call_server`` for the stand-ins that ``pwsh.stand_ins`` puts on the device's drive. A program answers with
what it prints and its exit code. What the module downloads is here too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit

from akslite_ps.sandbox import assumptions
from akslite_ps.sandbox.device import host, installer, kubectl, port_proxies
from akslite_ps.sandbox.device.simulated import SimulatedDevice
from akslite_ps.sandbox.device.state import PortProxy
from akslite_ps.sandbox.embedded.cmdlet import Call, CommandInfo
from akslite_ps.sandbox.embedded.parameters import CommandSyntax, parameter

DOWNLOAD = "Read-SimulatedDownload"
_ALREADY_DUE = 1190
_NO_PACKAGE = 1620
_PROPERTY = re.compile(r'(INSTALLDIR|VHDXDIR|ADDLOCAL)=(?:"([^"]*)"|(\S*))', re.IGNORECASE)

Answer = tuple[int, str, str]
"""Exit code, standard output, standard error."""


async def _shutdown(device: SimulatedDevice, arguments: Sequence[str]) -> Answer:
    words = [argument.casefold() for argument in arguments]
    if "/r" not in words:
        return 1, "", "A simulated device only restarts.\n"
    delay = float(arguments[words.index("/t") + 1]) if "/t" in words else 30.0
    if device.state.power != "on":
        return _ALREADY_DUE, "", "A system shutdown has already been scheduled.(1190)\n"
    device.begin_reboot(delay)
    return 0, "", ""


async def _powercfg(_device: SimulatedDevice, _arguments: Sequence[str]) -> Answer:
    return 0, "", ""


async def _msiexec(device: SimulatedDevice, arguments: Sequence[str]) -> Answer:
    line = " ".join(f'"{a}"' if " " in a and "=" not in a else a for a in arguments)
    path = next((a for before, a in itertools.pairwise(arguments) if before.casefold() in {"/i", "/package"}), "")
    data = device.drive.read(path)
    package = installer.package_in(data) if data else None
    if package is None:
        return _NO_PACKAGE, "", ""
    given = {name.upper(): quoted or bare for name, quoted, bare in _PROPERTY.findall(line)}
    await device.clock.sleep(assumptions.MSI_SECONDS / 2)
    if device.take_fault("reboot-during", at="msi"):
        await device.reboot_under_us()
    await device.clock.sleep(assumptions.MSI_SECONDS / 2)
    code = installer.install(
        device,
        package,
        install_dir=given.get("INSTALLDIR") or None,
        vhdx_dir=given.get("VHDXDIR") or None,
        features=[feature for feature in given.get("ADDLOCAL", "").split(",") if feature],
    )
    if code == installer.REBOOT_INITIATED:
        device.begin_reboot(assumptions.SHUTDOWN_SECONDS)
    return code, "", ""


async def _netsh(device: SimulatedDevice, arguments: Sequence[str]) -> Answer:
    words = [argument.casefold() for argument in arguments]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if words[:2] != ["interface", "portproxy"] or words[2:4] not in (["add", "v4tov4"], ["delete", "v4tov4"]):
        return 1, f"The following command was not found: {' '.join(arguments)}.\n", ""
    try:
        address, port = given["listenaddress"], int(given["listenport"])
        if words[2] == "add":
            proxy = PortProxy(
                listen_address=address,
                listen_port=port,
                connect_address=given["connectaddress"],
                connect_port=int(given["connectport"]),
            )
            port_proxies.set_proxy(device, proxy)
        elif not port_proxies.delete_proxy(device, address, port):
            return 1, "The system cannot find the file specified.\n", ""
    except (KeyError, ValueError):
        return 1, "The parameter is incorrect.\n", ""
    return 0, "\n", ""


async def _kubectl(device: SimulatedDevice, arguments: Sequence[str]) -> Answer:
    complaint = None if any(a.startswith("--kubeconfig") for a in arguments) else kubectl.complaint(device)
    if complaint is not None:
        return 1, "", f"{complaint}\n"
    cluster = device.cluster.cluster
    if cluster is None:
        return 1, "", f"Unable to connect to the server: dial tcp {device.address}:6443: connectex: No connection could be made.\n"
    words = [argument for argument in arguments if not argument.startswith("--")]
    namespace = next((a.partition("=")[2] for a in arguments if a.startswith("--namespace=")), "")
    if "--raw=/version" in arguments:
        return 0, kubectl.get(cluster, kubectl.VERSION), ""
    if words[:1] != ["get"] or len(words) != 2:
        return 1, "", f"error: a simulated device's kubectl does not know: {' '.join(words)}\n"
    try:
        return 0, kubectl.get(cluster, words[1], namespace), ""
    except LookupError as error:
        return 1, "", f"error: {error.args[0]}\n"


PROGRAMS: Mapping[str, Callable[[SimulatedDevice, Sequence[str]], Awaitable[Answer]]] = {
    "shutdown.exe": _shutdown,
    "powercfg.exe": _powercfg,
    "msiexec.exe": _msiexec,
    "kubectl.exe": _kubectl,
    "netsh.exe": _netsh,
}


async def read_download(call: Call) -> bytes | str:
    """What an https address leads to, after the time that takes; a text is the complaint of .NET's WebException."""
    device, address = call.device, call["Address"]
    if not host.has_internet(device):
        return f"The remote name could not be resolved: '{urlsplit(address).hostname}'"
    package = installer.find_package(address)
    if package is None:
        return "The remote server returned an error: (404) Not Found."
    await device.clock.sleep(assumptions.DOWNLOAD_SECONDS)
    return package.content


COMMANDS = (
    CommandInfo(
        CommandSyntax(DOWNLOAD, (parameter("Address", "String", mandatory=True),), error_source=DOWNLOAD),
        read_download,
        "",
        read_only=True,
    ),
)
