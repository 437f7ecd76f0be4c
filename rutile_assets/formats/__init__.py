"""Vendor file formats: bytes to Measurement. One module a format; a file is known by its content."""

from __future__ import annotations

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import (
    blockfile,
    casa_text,
    emd,
    empad,
    gatan,
    growth_log,
    gwyddion,
    igor_ibw,
    ksa_img,
    markdown_note,
    merlin,
    multivu,
    nanoscope,
    numpy_array,
    rigaku_asc,
    rigaku_ras,
    rigaku_rasx,
    scienta,
    shg_text,
    source_meter,
    specs_xml,
    specs_xy,
    spectrum_text,
    tia,
    tiff,
    vamas,
    xrdml,
    xy_text,
)
from rutile_assets.formats.measurement import Format, Measurement, Source
from rutile_assets.formats.refused import stranger, unknown

FORMATS: tuple[Format, ...] = (
    markdown_note.FORMAT,
    rigaku_rasx.FORMAT,
    rigaku_ras.FORMAT,
    rigaku_asc.FORMAT,
    xrdml.FORMAT,
    nanoscope.FORMAT,
    igor_ibw.FORMAT,
    gwyddion.FORMAT,
    multivu.FORMAT,
    vamas.FORMAT,
    specs_xy.FORMAT,
    specs_xml.FORMAT,
    scienta.FORMAT,
    casa_text.FORMAT,
    ksa_img.FORMAT,
    merlin.FORMAT,
    blockfile.FORMAT,
    emd.FORMAT,
    numpy_array.FORMAT,
    gatan.FORMAT,
    tia.FORMAT,
    tiff.FORMAT,
    empad.FORMAT,
    shg_text.FORMAT,
    growth_log.FORMAT,
    source_meter.FORMAT,
    spectrum_text.FORMAT,
    xy_text.FORMAT,
)

# known by little more than being text, or by an ending: they come after the strangers
KNOWN_BY_LITTLE = (empad.FORMAT, shg_text.FORMAT, source_meter.FORMAT, spectrum_text.FORMAT, xy_text.FORMAT)


def recognise(source: Source) -> Format:
    """Return the format of a file, by its first bytes.

    Raises
    ------
    UnreadableFile
        The file is empty, of a format that is known but not read here, or of none.
    """
    head = source.head()
    known = next((candidate for candidate in FORMATS if candidate.recognises(head, source.name)), None)
    if known is not None and known not in KNOWN_BY_LITTLE:
        return known
    other = stranger(source, head)
    if other is not None:
        raise other
    if known is None:
        raise unknown(source, head)
    return shg_text.FORMAT if shg_text.is_declared(source.declared) else known


def read(source: Source) -> Measurement:
    """Read a file of any known format.

    Parameters
    ----------
    source : Source
        The file, the name a person knows it by, and what was declared beside it.

    Returns
    -------
    Measurement
        Arrays with units in their names, and the settings that the instrument wrote.

    Raises
    ------
    UnreadableFile
        No known format, or damaged, cut or hostile bytes of one; nothing else for any bytes whatever.
    """
    known = recognise(source)
    try:
        return known.read(source)
    except UnreadableFile:
        raise
    except Exception as fault:  # a fault of a reader must not look like a fault of the lab's
        raise UnreadableFile(
            f"bytes that the reader of {known.name} fails on ({type(fault).__name__})",
            known.description,
            "Report it with the file: the reader has a fault.",
            source.name,
        ) from fault
