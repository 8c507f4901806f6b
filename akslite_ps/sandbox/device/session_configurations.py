"""The session configurations of a simulated device: who may open which, what it shows, and how much language it has.

Called by ``device.simulated`` when a pool is opened. ``Microsoft.PowerShell`` is for administrators: every command, and script
text as far as it is made of simple command lines (``embedded.script``). The project's restricted endpoints
(``akslite_ps.aksedge.roles``) show what the role of the user's group lists and take no script text at all, as PowerShell's
NoLanguage mode: even a single command sent as text is refused there, only commands with parameter objects run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from akslite_ps.aksedge.roles import RoleCapability, session_configurations
from akslite_ps.sandbox.device.local_accounts import ADMINISTRATORS, groups_of
from akslite_ps.sandbox.embedded.runspace import EmbeddedRunspace, Session

if TYPE_CHECKING:
    from akslite_ps.sandbox.device.simulated import SimulatedDevice

DEFAULT = "Microsoft.PowerShell"


@dataclass(frozen=True, slots=True)
class _Admission:
    """What a user gets in a session configuration; ``role`` None means everything."""

    name: str
    role: RoleCapability | None


def open_session(device: SimulatedDevice, configuration_name: str, user: str) -> EmbeddedRunspace:
    """A new runspace in a session configuration.

    Args:
        device: The device.
        configuration_name: Its name, alone or as the last part of a resource URI; the default one where it is empty.
        user: Who connects, with or without the computer's name before it.

    Raises:
        LookupError: There is no such session configuration.
        PermissionError: The user is in none of the groups that may use it.
    """
    from akslite_ps.sandbox.commands import commands_for
    from akslite_ps.sandbox.commands.restricted import restricted_to

    admission = _admission(device, configuration_name, user)
    commands = commands_for(device.state.product)
    if admission.role is None:
        return EmbeddedRunspace(device, Session(admission.name, user, user, takes_script_text=True), commands)
    session = Session(admission.name, user, _virtual_account(device, user), takes_script_text=False)
    return EmbeddedRunspace(device, session, restricted_to(admission.role, commands))


def _admission(device: SimulatedDevice, configuration_name: str, user: str) -> _Admission:
    wanted = (configuration_name.rpartition("/")[2] or DEFAULT).casefold()
    groups = groups_of(device.spec, user)
    if wanted == DEFAULT.casefold():
        if ADMINISTRATORS not in groups:
            raise PermissionError(f"{user} is no administrator of {device.computer_name}")
        return _Admission(DEFAULT, None)
    for configuration in session_configurations():
        if configuration.name.casefold() == wanted:
            for group, role in configuration.role_definitions.items():
                if group in groups:
                    return _Admission(configuration.name, role)
            raise PermissionError(f"{user} is in no group that may use {configuration.name} on {device.computer_name}")
    raise LookupError(f"there is no session configuration {configuration_name!r} on {device.computer_name}")


def _virtual_account(device: SimulatedDevice, user: str) -> str:
    """The name of the account that Windows makes for one session of a user."""
    return f"WinRM Virtual Users\\WinRM VA_1_{device.computer_name}_{user.rpartition(chr(92))[2]}"
