"""Files that are known and are not data for any room: refused with the right words."""

from __future__ import annotations

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Source

# first bytes -> what it is, what was expected, what to do
SIGNATURES: tuple[tuple[bytes, str, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (pyUSID, NeXus, EMD ...)", "the instrument's own file",
     "Drop the file that the microscope wrote (.ibw, .spm), not a conversion."),
    (b"\x89PNG", "a PNG picture", "measured data", "Drop the data file that the picture was made from."),
    (b"\xff\xd8\xff", "a JPEG picture", "measured data", "Drop the data file that the picture was made from."),
    (b"II*\x00", "a TIFF picture", "measured data", "Drop the data file that the picture was made from."),
    (b"MM\x00*", "a TIFF picture", "measured data", "Drop the data file that the picture was made from."),
    (b"%PDF", "a PDF", "measured data", "Drop the data file itself."),
    (b"\xd0\xcf\x11\xe0", "an old Office file", "measured data", "Export it as text."),
    (b"RAW1.01", "a Bruker RAW1 file", "a Rigaku, PANalytical or text scan", "Export it as text of two columns."),
    (b"RAW4.00", "a Bruker RAW4 file", "a Rigaku, PANalytical or text scan", "Export it as text of two columns."),
    (b"PK\x03\x04", "a zip archive that is no .rasx", "a single data file", "Unpack it and drop what is inside."),
    (b"\x1f\x8b", "a gzip archive", "a single data file", "Unpack it and drop what is inside."),
    (b"KSA00F", "a k-Space RHEED image", "a technique that a room reads", "Keep it for a later version."),
)  # fmt: skip

_SEQUENCE_WORDS = (b"TMP TEMP", b"WAI WAITFOR", b"FLD FIELD", b"REM ", b"ETOR ", b"RES ")


def refusal(source: Source, head: bytes) -> UnreadableFile:
    """Return the error for a file that no format recognises."""
    if not head:
        return UnreadableFile("an empty file", "measured data", "Copy it again from the instrument.", source.name)
    for signature, found, expected, what_to_do in SIGNATURES:
        if head.startswith(signature):
            return UnreadableFile(found, expected, what_to_do, source.name)
    lines = [line for line in head.splitlines() if line.strip()][:6]
    if lines and all(line.startswith(_SEQUENCE_WORDS) for line in lines):
        return UnreadableFile(
            "a MultiVu sequence: what the instrument was told to do",
            "what it measured (.dat)",
            "Drop the .dat.",
            source.name,
        )
    kind = "binary bytes" if b"\0" in head else "text"
    return UnreadableFile(
        f"{kind} that no reader knows (begins with {head[:16]!r})", "a file of a known format",
        "docs/formats.md lists them; `rutile inspect FILE` tries one.", source.name,
    )  # fmt: skip
