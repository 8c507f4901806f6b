"""Cuts TCP connections as a machine does that goes down. Used by ``protocol.winrm`` and ``protocol.disturbances``."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Sequence

_RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


def reset(transports: Sequence[asyncio.Transport]) -> None:
    """Cut connections so that their clients see a reset, not an orderly end."""
    for transport in transports:
        opened = transport.get_extra_info("socket")
        if opened is not None and not transport.is_closing():
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
