"""XML that a client sent, read without trust: no declarations, no entities, no network, bounded depth.

Called by ``protocol.wsman`` for envelopes and by ``protocol.clixml_reader`` for what is in them.
"""

from __future__ import annotations

from lxml import etree


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
