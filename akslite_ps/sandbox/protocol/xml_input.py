"""XML that a client sent, read without trust: no declarations, no entities, no network, bounded depth.

Called by ``protocol.wsman`` for envelopes and by ``protocol.clixml_reader`` for what is in them. Windows' own client writes
UTF-16; ``protocol.http_requests`` turns that into what the others write.
"""

from __future__ import annotations

import re
from typing import Literal

from lxml import etree

Charset = Literal["UTF-8", "UTF-16"]
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"<\0": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\0<": "utf-16-be"}
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


class NotReadable(ValueError):
    """Bytes that are no XML, or XML that is not read."""


def parse(data: bytes) -> etree._Element:
    """The root element.

    Raises:
        NotReadable: It is not well-formed, holds a document type declaration, or is nested more than 256 elements deep.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise NotReadable("XML with declarations is not taken")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotReadable(f"not well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotReadable("XML with declarations is not taken")
    return root


def as_utf8(data: bytes) -> tuple[bytes, Charset]:
    """The same text in UTF-8, and how it came; bytes that are no text stay what they are."""
    encoding = _UTF_16.get(data[:2])
    if encoding is None:
        return data, "UTF-8"
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return data, "UTF-8"
    return _DECLARATION.sub("", text, count=1).encode(), "UTF-16"
