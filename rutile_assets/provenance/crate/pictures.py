"""Figures of a crate: kept where they are drawings and nothing else."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from rutile_assets.errors import UnreadableFile

MAX_BYTES = 64 * 1024**2
PNG = b"\x89PNG\r\n\x1a\n"
_DRAWN = {
    "svg", "g", "defs", "path", "use", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan",
    "image", "clipPath", "style", "metadata", "title", "desc", "marker", "pattern", "linearGradient", "stop", "mask",
    "radialGradient", "filter", "feOffset", "feGaussianBlur", "feMerge", "feMergeNode",
}  # fmt: skip
_METADATA = ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://purl.org/dc/", "http://creativecommons.org/ns#")


def check_picture(path: Path, place: str) -> None:
    """Refuse what is no PNG and no SVG without scripts, event handlers and links that lead out.

    Raises
    ------
    UnreadableFile
        Which one it is, and why.
    """
    content = path.read_bytes()[: MAX_BYTES + 1]
    if len(content) > MAX_BYTES:
        raise _refused(place, f"a figure of more than {MAX_BYTES} bytes")
    if path.suffix == ".png":
        if not content.startswith(PNG):
            raise _refused(place, "no PNG")
        return
    try:
        root = fromstring(content, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except (DefusedXmlException, ParseError, ValueError, LookupError, RecursionError) as fault:
        raise _refused(place, f"no plain SVG ({type(fault).__name__})") from fault
    for element in root.iter():
        space, _, tag = element.tag.rpartition("}") if isinstance(element.tag, str) else ("", "", "?")
        known = tag in _DRAWN or space.lstrip("{").startswith(_METADATA)
        if not known or (tag == "style" and ("@import" in (element.text or "") or "url(" in (element.text or ""))):
            raise _refused(place, f"a figure with <{tag}>")
        for name, value in element.attrib.items():
            attribute = name.rpartition("}")[2].lower()
            leads_out = attribute in ("href", "src") and not value.startswith(("#", "data:image/png"))
            if attribute.startswith("on") or leads_out or "javascript:" in value.lower():
                raise _refused(place, f"a figure with {attribute}={value[:40]!r}")


def _refused(place: str, found: str) -> UnreadableFile:
    return UnreadableFile(found, "a drawing and nothing else", "Ask for the crate again; do not open it.", place)
