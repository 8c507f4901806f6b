"""Whether a person sits at the notebook: decides between widgets and the function path.

Asked by everything in a runbook that could show a widget. ``AKSLITE_INTERACTIVE`` decides where it is set; else the
front end's promise to answer questions is taken as a hint (JupyterLab makes it; nbclient, nbval and Voila do not).
"""

from __future__ import annotations

import os
from typing import Any

from akslite_ps.errors import UsageError

VARIABLE = "AKSLITE_INTERACTIVE"
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


def interactive() -> bool:
    """True where widgets can be shown and clicked.

    Raises:
        UsageError: ``AKSLITE_INTERACTIVE`` holds something else than yes or no.
    """
    chosen = os.environ.get(VARIABLE, "").strip().casefold()
    if chosen in _YES:
        return True
    if chosen in _NO:
        return False
    if chosen:
        raise UsageError(f"{VARIABLE}={chosen} is not understood", next_action="set it to 1 or 0, or leave it out")
    kernel = getattr(shell(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def shell() -> Any:
    """The running IPython shell, or None outside of a notebook."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()
