"""XML of instruments: parsed without entities or document types, found without namespaces."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Source

MAX_DEPTH = 64


def parse(source: Source, content: bytes, name: str) -> Any:
    """Return the root element; tags lose their namespace.

    Raises
    ------
    UnreadableFile
        Not well-formed (a cut file is not), with a document type or entities, or nested beyond `MAX_DEPTH`.
    """
    try:
        root = fromstring(content, forbid_dtd=True)
        _strip(root)
    except DefusedXmlException as fault:
        raise UnreadableFile(
            f"{name} with a document type or entities ({type(fault).__name__})",
            "the instrument's plain XML",
            "Do not open it; ask where it is from.",
            source.name,
        ) from None
    except (ParseError, ValueError, LookupError, RecursionError) as fault:
        told = re.sub(r"\s+", " ", str(fault))[:80]
        raise UnreadableFile(
            f"{name} that is not well-formed XML ({told})",
            "whole XML",
            "The file is cut short or half-copied: copy it again from the instrument.",
            source.name,
        ) from None
    return root


def _strip(root: Any) -> None:
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"nested beyond {MAX_DEPTH} levels")
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
        stack += [(child, depth + 1) for child in element]


def text_at(element: Any, path: str) -> str | None:
    """Return the stripped text of the first descendant at `path`, None where there is none or it is empty."""
    found = element.find(f".//{path}")
    return found.text.strip() or None if found is not None and found.text else None
