"""The process around the kernel: ipykernel's application with our kernel class and its language option."""

from __future__ import annotations

from typing import Any

from ipykernel.kernelapp import IPKernelApp, kernel_aliases
from traitlets import Dict, Type

from akslite_ps_kernel.kernel import AksLiteKernel


class AksLiteKernelApp(IPKernelApp):
    """``python -m akslite_ps_kernel -f CONNECTION_FILE [--language powershell]``."""

    name = "akslite-ps-kernel"
    classes = [*IPKernelApp.classes, AksLiteKernel]  # noqa: RUF012 - traitlets reads it as an instance's value
    kernel_class: Any = Type(AksLiteKernel, klass="ipykernel.kernelbase.Kernel").tag(config=True)
    aliases = Dict({**kernel_aliases, "language": "AksLiteKernel.default_language"})
