"""Loads the official Kubernetes client without its optional schema validator.

The client's package imports ``kubernetes_validate`` wherever it is installed (the simulated cluster uses its data), and
with it a grammar compiler: about three seconds of start-up for a function that nothing here calls.
"""

from __future__ import annotations

import sys
import threading

_VALIDATOR = "kubernetes_validate"
_lock = threading.Lock()


def load_official_client() -> None:
    """Import ``kubernetes``; later imports of its parts are then cheap. Safe to call often and from several threads."""
    with _lock:
        if "kubernetes" in sys.modules or _VALIDATOR in sys.modules:
            return
        sys.modules[_VALIDATOR] = None  # type: ignore[assignment] # makes its import fail, which the client allows for
        try:
            import kubernetes  # noqa: F401
        finally:
            del sys.modules[_VALIDATOR]
