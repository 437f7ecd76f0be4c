"""Files that are known and are no data for any room: refused with the right words."""

from __future__ import annotations

import re

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Source
from rutile_assets.formats.text import looks_like_text

EXPECTED = (
    "a file of Rigaku, PANalytical, NanoScope, Asylum, Gwyddion, MultiVu, VAMAS, SPECS, Scienta, EMPAD, Merlin or "
    "py4DSTEM, or text columns of a scan, of a spectrum or of transport"
)
BEHIND = "Drop the data file that it was made from."
UNPACK = "Unpack it and drop the instrument's files."
CALCULATION = "Keep it with the calculations; it is no measurement."
EXPORT = "Export it as text of two columns: 2theta, counts."

# what stands at the start -> what the file is, what to do; in this order
STRANGERS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"^(\xef\xbb\xbf)?(TMP TEMP|WAI WAITFOR|FLD FIELD|REM |ETO[A-Z]* '|RES |ACT |CHN |LPT |BEP )"),
        "a MultiVu sequence: commands, not data",
        "Drop the .dat file that the sequence wrote.",
    ),
    (
        re.compile(rb"<root[^>]*>.{0,200}<software_version>.*<raw_file ", re.DOTALL),
        "the .xml of an EMPAD acquisition without its .raw",
        "Drop the .raw that it names into the same folder.",
    ),
    (re.compile(rb"^HDR,\s"), "a Merlin .hdr without its .mib", "Drop the .mib of the same name beside it."),
    (re.compile(rb"^JK\x00\x02"), "a TIA .emi, which only describes its .ser", "Drop the .ser files."),
    (re.compile(rb"^PK[\x03\x05]"), "a ZIP archive that is no .rasx", UNPACK),
    (re.compile(rb"^\x1f\x8b"), "a gzip file", UNPACK),
    (re.compile(rb"^(\xfd7zXZ|7z\xbc\xaf|Rar!)"), "an xz, 7z or rar archive", UNPACK),
    (re.compile(rb"^(\x89PNG|\xff\xd8\xff|GIF8)"), "a picture (PNG, JPEG or GIF)", BEHIND),
    (re.compile(rb"^%PDF"), "a PDF", BEHIND),
    (re.compile(rb"^\xd0\xcf\x11\xe0"), "an old Office file", "Export it as text."),
    (re.compile(rb"^RAW\d\.\d\d"), "a Bruker .raw scan", EXPORT),
    (re.compile(rb"^GWYO"), "a .gwy of Gwyddion 1", "Open and save it in Gwyddion 2."),
    (re.compile(rb"^\?*\\\*(Force|EC) file list", re.IGNORECASE), "NanoScope force curves", "Drop the image."),
    (re.compile(rb"<modeling>"), "a VASP run (vasprun.xml)", CALCULATION),
    (re.compile(rb"^\s*vasp\.\d"), "a VASP OUTCAR", CALCULATION),
    (re.compile(rb"^(\xef\xbb\xbf)?\s*<\?xml"), "XML of another program", "Drop a PANalytical .xrdml or a SPECS .xml."),
)


def stranger(source: Source, head: bytes) -> UnreadableFile | None:
    """Return the error for a file that is known to be something else, None where nothing says so."""
    for pattern, found, what_to_do in STRANGERS:
        if pattern.search(head):
            return UnreadableFile(found, "an instrument's data file", what_to_do, source.name)
    return None


def unknown(source: Source, head: bytes) -> UnreadableFile:
    """Return the error for a file that nothing is known of."""
    if not head:
        return UnreadableFile("an empty file", "measured data", "Copy it again from the instrument.", source.name)
    found = "text that is no scan" if looks_like_text(head) else f"bytes that begin with {head[:8]!r}"
    return UnreadableFile(found, EXPECTED, "Drop the instrument's own file, not an export.", source.name)
