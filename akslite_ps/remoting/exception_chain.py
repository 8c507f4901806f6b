"""An exception and all that it wraps. Used by ``remoting.faults`` and ``remoting.refusals``."""

from __future__ import annotations

from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it wraps, outermost first: urllib3 keeps reasons in arguments and attributes."""
    queue: list[BaseException] = [error]
    seen: set[int] = set()
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
        queue.extend(item for item in inner if isinstance(item, BaseException))
