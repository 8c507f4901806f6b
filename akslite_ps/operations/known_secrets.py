"""Makes the secrets of a config known for redaction before a device is listened to, whether they are sent or not.

A run that goes on in another process collects what the device says to a command that was sent with a secret; a log may repeat
it years later. Called by ``operations.engine`` and ``operations.diagnose``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from akslite_ps.errors import AksLiteError, SecretUnavailable
from akslite_ps.secrets import SecretRef


def know_secrets(config: Mapping[str, Any] | None) -> None:
    """Look up what a plan's config refers to. What needs a person, or is not there any more, stays unknown.

    Args:
        config: As a plan holds it: data with secrets as references; None where it has no config.
    """
    if not config:
        return
    from akslite_ps.aksedge.config import DeploymentConfig

    try:
        secrets = DeploymentConfig.parse(config, source="the plan").secrets().values()
    except AksLiteError:  # a plan of another version; its steps say so where they need the config
        return
    for secret in secrets:
        if isinstance(secret, SecretRef) and secret.scheme != "prompt":
            with suppress(SecretUnavailable):
                secret.resolve()
