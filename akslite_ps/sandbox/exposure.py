"""Who can reach simulated devices: this machine alone, unless somebody said otherwise twice.

Whatever binds a port for a device asks :func:`check_address` just before it does: the address must be one of 127.0.0.0/8, or the
very address that was confirmed a second time when the device was made. :func:`check_exposure` is that confirmation.
"""

from __future__ import annotations

import ipaddress
import socket

from akslite_ps.errors import UsageError

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
EXPOSURE_MEANING = (
    "whoever reaches {address} over the network can try to log on to these devices and to their Kubernetes APIs: they are programs "
    "of this machine, with your rights, made for training and tests and not for a network that you do not trust"
)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(address) in LOOPBACK
    except ValueError:
        return False


def check_address(address: str, exposed_on: str | None, *, device: str | None = None) -> None:
    """Refuse to listen where nobody asked for it twice.

    Args:
        address: Where something of a device is about to listen.
        exposed_on: The address outside 127.0.0.0/8 that was confirmed for the device; None for none.
        device: Its name.

    Raises:
        UsageError: The address is neither a loopback address nor the confirmed one.
    """
    if not is_loopback(address) and address != exposed_on:
        raise UsageError(
            f"{address} is not a loopback address, and nobody confirmed it",
            device=device,
            attempted="listen for clients of a simulated device",
            next_action="use an address in 127.0.0.0/8",
        )


def check_exposure(listen: str, confirmed: str | None, *, engine: str) -> None:
    """Refuse to let new devices listen on an address of this machine that others reach, unless it is confirmed.

    Args:
        listen: The address asked for.
        confirmed: The same address, said a second time.
        engine: What the new devices run pipelines with.

    Raises:
        UsageError: Not one address of this machine, not confirmed, or devices that nobody else may reach.
    """
    try:
        address = ipaddress.IPv4Address(listen)
    except ValueError:
        raise UsageError(f"{listen!r} is no IPv4 address", next_action="name one address of this machine") from None
    if address in LOOPBACK:
        raise UsageError(f"{listen} is a loopback address", next_action="leave --listen out, or use --address-base")
    if address.is_unspecified or address.is_multicast or not _is_here(listen):
        raise UsageError(
            f"{listen} is not one address of this machine",
            next_action="name the one address at which the devices are to be reached; certificates and kubeconfigs carry it",
        )
    if engine != "embedded":
        raise UsageError(
            f"devices with the engine {engine!r} run PowerShell with your rights on this machine; they are never exposed",
            next_action="leave --listen out, or use: --engine embedded",
        )
    if confirmed != listen:
        raise UsageError(
            f"to listen on {listen} is not confirmed: {EXPOSURE_MEANING.format(address=listen)}",
            attempted="let simulated devices listen outside of this machine",
            next_action=f"if that is meant, say the address twice: --listen {listen} --confirm-exposure {listen}",
        )


def _is_here(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
