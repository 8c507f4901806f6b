"""Holding a coroutine back while whoever reads its output does not keep up.

Used by ``protocol.pipelines``. The coroutine is not asked: it stands still at the place where it waits for something anyway.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def paced(work: Coroutine[Any, Any, T], hold: Callable[[], Awaitable[object] | None]) -> Generator[Any, Any, T]:
    """Run a coroutine to its end.

    Args:
        work: What to run.
        hold: Asked each time that ``work`` could go on; it does so when what is returned is done, at once where that is None.

    Returns:
        What the coroutine returns; what it raises is raised.
    """
    resume: Callable[[Any], Any] = work.send
    argument: Any = None
    while True:
        try:
            awaited = resume(argument)
        except StopIteration as ended:
            result: T = ended.value
            return result
        try:
            argument, resume = (yield awaited), work.send
            held = hold()
            if held is not None:
                yield from held.__await__()
        except GeneratorExit:
            work.close()
            raise
        except BaseException as thrown:  # noqa: BLE001 - whatever it is, it is meant for the work
            argument, resume = thrown, work.throw
