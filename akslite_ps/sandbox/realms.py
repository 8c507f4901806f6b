"""Simulated devices as computers of a Kerberos realm. The realm's servers are somebody else's; a device only needs its keys."""

from __future__ import annotations

from pathlib import Path

from akslite_ps.errors import UsageError
from akslite_ps.sandbox.device.store import DeviceStore, write_whole
from akslite_ps.sandbox.protocol.kerberos_acceptor import packages_are_there
from akslite_ps.sandbox.supervisor import DEVICES_DIR

_KEYTAB_VERSIONS = (b"\x05\x01", b"\x05\x02")


def join_realm(directory: Path, device: str, keytab: Path) -> Path:
    """Give a device the keys of its service principals; they count from the next log-on, whether the sandbox runs or not.

    Args:
        directory: The sandbox's folder.
        device: The device's name.
        keytab: As ``ktadd`` of MIT Kerberos or ``ktpass`` of Windows writes it.

    Returns:
        Where the device keeps it.

    Raises:
        UsageError: No such device, not a keytab, or this machine cannot accept Kerberos tickets.
    """
    store = DeviceStore(directory / DEVICES_DIR / device)
    if not store.exists:
        raise UsageError(f"there is no simulated device {device!r}", next_action="see: akslite sandbox status")
    if not packages_are_there():
        raise UsageError(
            "simulated devices can accept Kerberos tickets only where gssapi and krb5 are installed",
            device=device,
            next_action="install the extra: pip install 'akslite-ps[kerberos]' (not on Windows)",
        )
    try:
        keys = keytab.read_bytes()
    except OSError as error:
        raise UsageError(f"{keytab} cannot be read: {error.strerror or error}", next_action="give the path of a keytab") from None
    if keys[:2] not in _KEYTAB_VERSIONS:
        raise UsageError(
            f"{keytab} is not a keytab", next_action="make one: ktadd -k FILE host/NAME in kadmin, or ktpass on Windows"
        )
    write_whole(store.keytab_file, keys)
    store.keytab_file.chmod(0o600)
    return store.keytab_file
