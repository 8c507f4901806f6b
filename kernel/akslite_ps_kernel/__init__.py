"""The Jupyter kernel of akslite-ps: PowerShell cells on a device beside Python cells with widgets.

``python -m akslite_ps_kernel`` starts it (Jupyter does that), ``python -m akslite_ps_kernel install`` makes it known,
and ``%load_ext akslite_ps_kernel`` gives ``%%ps`` and the line magics to a stock Python kernel.
"""

from __future__ import annotations

from typing import Any

__all__ = ["load_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython for ``%load_ext akslite_ps_kernel``."""
    from akslite_ps_kernel.extension import load

    load(shell)
