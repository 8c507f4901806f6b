"""Starts the kernel, or installs and removes its kernelspecs: ``python -m akslite_ps_kernel [install|uninstall]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; without ``install`` or ``uninstall`` the kernel itself.

    Returns:
        Exit code: 0, or 2 where the kernelspecs could not be written.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and not arguments[0].startswith("-"):
        from akslite_ps_kernel.kernelspecs import command

        return command(arguments)
    from akslite_ps_kernel.app import AksLiteKernelApp

    AksLiteKernelApp.launch_instance(arguments)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
