"""Lets a package show its public names without loading the modules behind them before they are used.

Used by the ``__init__`` of packages whose modules are heavy (pypsrp, pydantic models, aiohttp); imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``.

    Args:
        package: The package's ``__name__``.
        places: Public name to the module that has it, relative to the package.

    Returns:
        The two functions, to be assigned to ``__getattr__, __dir__`` in the package.
    """

    def get(name: str) -> Any:
        if name in places:
            return getattr(import_module(f"{package}.{places[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(places)
