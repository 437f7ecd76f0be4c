"""Vendor file formats: bytes to Measurement."""

from __future__ import annotations

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import (
    gwyddion,
    igor_ibw,
    multivu,
    nanoscope,
    rigaku_asc,
    rigaku_ras,
    rigaku_rasx,
    source_meter,
    xrdml,
    xy_text,
)
from rutile_assets.formats.measurement import Format, Measurement, Source
from rutile_assets.formats.refused import refusal

# those with a signature first, plain text last
FORMATS: tuple[Format, ...] = (
    rigaku_rasx.FORMAT,
    rigaku_ras.FORMAT,
    rigaku_asc.FORMAT,
    xrdml.FORMAT,
    nanoscope.FORMAT,
    gwyddion.FORMAT,
    multivu.FORMAT,
    igor_ibw.FORMAT,
    source_meter.FORMAT,
    xy_text.FORMAT,
)


def recognise(source: Source) -> Format:
    """Return the format of a file, by its first bytes.

    Raises
    ------
    UnreadableFile
        No known format; the sentence says what the file is where that is known.
    """
    head = source.head()
    for candidate in FORMATS:
        if candidate.recognises(head, source.name):
            return candidate
    raise refusal(source, head)


def read(source: Source) -> Measurement:
    """Read a file of any known format.

    Raises
    ------
    UnreadableFile, WrongContent
        No known format, a broken file of one, or a whole file that cannot serve.
    """
    try:
        return recognise(source).read(source)
    except OSError as fault:
        raise UnreadableFile(f"{fault}", "a readable file", "Check the path.", source.name) from fault
