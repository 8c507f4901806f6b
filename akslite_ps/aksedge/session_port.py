"""What the typed calls need of a session. ``akslite_ps.remoting.Session`` has it, and so has the journaled sender.

Types only, so that this package loads without the remoting libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from akslite_ps.remoting.records import Record

OnRecord = Callable[["Record"], None]


class NamedDevice(Protocol):
    """A device with a name for messages."""

    @property
    def name(self) -> str: ...


class Answer(Protocol):
    """What an invocation gave."""

    @property
    def output(self) -> list[Any]: ...
    @property
    def records(self) -> list[Record]: ...


class DeviceSession(Protocol):
    """Runs one command on a device; arguments and errors as ``akslite_ps.remoting.Session.invoke``."""

    @property
    def device(self) -> NamedDevice: ...

    def invoke(
        self,
        command: str,
        /,
        *,
        timeout_s: float | None = None,
        on_record: OnRecord | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Answer: ...


class ScriptSession(DeviceSession, Protocol):
    """A session that may take script text."""

    @property
    def language(self) -> str: ...

    def run_script(self, text: str, *, timeout_s: float | None = None, **parameters: Any) -> Answer: ...
