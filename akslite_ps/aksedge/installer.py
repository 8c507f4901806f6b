"""What the exit codes of Windows Installer mean for a runner.

Used by the typed call of Install-AksLiteMsi and by whoever wraps an installation. Source: Microsoft's list of
Windows Installer error codes and Intune's default return codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from akslite_ps.outcome import Outcome


@dataclass(frozen=True, slots=True)
class ExitCode:
    """One exit code, as a signed 32-bit number.

    Args:
        code: The number.
        outcome: Its class.
        meaning: What happened.
        next_action: What to do, empty where nothing is.
    """

    code: int
    outcome: Outcome
    meaning: str
    next_action: str = ""


_LOG = "read the end of the installer's log on the device"
_KNOWN = {
    known.code: known
    for known in (
        ExitCode(0, Outcome.CHANGED, "installed"),
        ExitCode(1707, Outcome.CHANGED, "installed"),
        ExitCode(3010, Outcome.OK_REBOOT_SOFT, "installed; a restart is needed to finish", "restart the device"),
        ExitCode(1641, Outcome.OK_REBOOT_HARD, "installed; a restart was started", "wait for the device to come back"),
        ExitCode(1618, Outcome.RETRY_LATER, "another installation is running", "try again when it is over"),
        ExitCode(1602, Outcome.FAILED, "it was cancelled on the device", "run it again"),
        ExitCode(1603, Outcome.FAILED, "a fatal error during installation", _LOG),
        ExitCode(1605, Outcome.FAILED, "the product is not installed", "read the installed product before anything else"),
        ExitCode(1612, Outcome.FAILED, "the source of the installation is not available", "check the installer's address"),
        ExitCode(1619, Outcome.FAILED, "the installer package could not be opened", "check the installer and its SHA-256"),
        ExitCode(1620, Outcome.FAILED, "the file is no installer package", "check the installer and its SHA-256"),
        ExitCode(1625, Outcome.FAILED, "a policy forbids the installation", "ask whoever manages the device's policies"),
        ExitCode(1633, Outcome.FAILED, "the package is not for this processor", "use a device with an x64 processor"),
        ExitCode(
            1638, Outcome.FAILED, "another version of the product is installed", "read the installed product; update it instead"
        ),
    )
}


def classify_exit_code(code: int) -> ExitCode:
    """Class and meaning of an exit code.

    Args:
        code: As the system gives it; unsigned forms such as 4294967295 are taken as -1.
    """
    signed = (code + 2**31) % 2**32 - 2**31
    return _KNOWN.get(signed) or ExitCode(signed, Outcome.FAILED, f"the installer ended with code {signed}", _LOG)
