"""Which kernel runs a notebook headless: the one its metadata names, but always in this Python environment.

A kernelspec installed for a user may point to another environment, where akslite is missing or old; a record made
there would say nothing about this one. Used by ``notebook.runner``.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from akslite_ps.errors import UsageError

FALLBACK = "python3"
_OWN = ("akslite-ps", FALLBACK)


class EnvironmentKernels(KernelSpecManager):
    """Kernelspecs of this environment only, started with this environment's interpreter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_dirs = [str(Path(sys.prefix) / "share" / "jupyter" / "kernels")]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernelspec of that name; ``akslite-ps`` falls back to the plain Python kernel where it is not installed.

        Raises:
            UsageError: This environment has no such kernel.
        """
        try:
            spec = super().get_kernel_spec(kernel_name)
        except NoSuchKernel:
            spec = None
        if spec is not None and _runs_here(spec):
            spec.argv = [sys.executable, *spec.argv[1:]]
            return spec
        if kernel_name in _OWN:
            return KernelSpec(
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                display_name="Python 3",
                language="python",
                metadata={"supported_encryption": ["curve"]},
            )
        raise UsageError(
            f"the notebook asks for the kernel {kernel_name!r}, which this environment ({sys.prefix}) does not have",
            next_action=f"install it with: {sys.executable} -m akslite_ps_kernel install --sys-prefix",
        )


def kernel_manager(kernel_name: str) -> AsyncKernelManager:
    """A manager for a new kernel of this environment, its sockets encrypted where kernel and platform can."""
    return AsyncKernelManager(
        kernel_name=kernel_name,
        kernel_spec_manager=EnvironmentKernels(),
        transport_encryption="auto" if zmq.has("curve") else "disabled",
    )


def _runs_here(spec: KernelSpec) -> bool:
    argv = list(spec.argv)
    if "-m" not in argv or not Path(argv[0]).stem.startswith("python"):
        return False
    module = argv[argv.index("-m") + 1]
    try:
        found = find_spec(module)
        return found is not None and (found.submodule_search_locations is None or find_spec(f"{module}.__main__") is not None)
    except ModuleNotFoundError:
        return False
