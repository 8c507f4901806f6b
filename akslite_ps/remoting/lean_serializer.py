"""pypsrp's serialiser without its detour for plain values: it writes each one out as XML again before it reads it.

Used by ``remoting.pool`` for the messages that open a pool; what a device tells of itself there is a few dozen plain values.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any

from pypsrp.complex_objects import ObjectMeta
from pypsrp.serializer import Serializer

_PLAIN: Mapping[str, Callable[[str], Any]] = {
    "S": str,
    "Version": str,
    "B": lambda text: text.lower() == "true",
    "I32": int,
    "I64": int,
}


class LeanSerializer(Serializer):
    """Reads plain values at once, everything else as pypsrp does."""

    def deserialize(self, element: ET.Element | str, metadata: ObjectMeta | None = None, clear: bool = True) -> Any:
        """As pypsrp's."""
        if metadata is None and not clear and isinstance(element, ET.Element):
            read = _PLAIN.get(element.tag)
            # An underscore may begin an escape, which pypsrp resolves.
            if read is not None and element.text and "_" not in element.text:
                return read(element.text)
        return super().deserialize(element, metadata, clear)
