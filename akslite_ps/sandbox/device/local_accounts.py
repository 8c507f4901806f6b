"""The local accounts of a simulated device and their groups: the administrator, and one account for each restricted endpoint.

Read by ``device.simulated`` for the listener's authentication and by ``device.session_configurations`` for who may open what.
"""

from __future__ import annotations

from akslite_ps.aksedge.roles import OPERATORS, VIEWERS
from akslite_ps.errors import UsageError
from akslite_ps.sandbox.device.state import DeviceSpec
from akslite_ps.sandbox.device.store import DeviceStore
from akslite_ps.sandbox.engine import Account

ADMINISTRATORS = "Administrators"


def local_accounts(spec: DeviceSpec, store: DeviceStore) -> tuple[Account, ...]:
    """All local accounts with their passwords, the administrator first."""
    restricted = (spec.operator_user, spec.viewer_user)
    passwords = {spec.user: store.password(), **{user: store.password_of(user) for user in restricted}}
    return tuple(Account(spec.computer_name, user, password) for user, password in passwords.items())


def local_user(spec: DeviceSpec, user: str | None) -> str:
    """A local user as the device spells it; None means the administrator.

    Raises:
        UsageError: The device has no such user.
    """
    users = {name.casefold(): name for name in (spec.user, spec.operator_user, spec.viewer_user)}
    known = users.get((user or spec.user).casefold())
    if known is None:
        raise UsageError(
            f"there is no local user {user!r} on it",
            device=spec.name,
            next_action=f"its local users are: {', '.join(users.values())}",
        )
    return known


def groups_of(spec: DeviceSpec, user: str) -> frozenset[str]:
    """The local groups of a user.

    Args:
        spec: The device.
        user: With or without the computer's name before it. The administrator is in every group, so that the restricted
            endpoints can be tried with one account.
    """
    name = user.rpartition("\\")[2].casefold()
    if name == spec.user.casefold():
        return frozenset({ADMINISTRATORS, OPERATORS, VIEWERS})
    return frozenset({spec.operator_user.casefold(): {OPERATORS}, spec.viewer_user.casefold(): {VIEWERS}}.get(name, ()))
