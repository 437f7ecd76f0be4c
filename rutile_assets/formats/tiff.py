"""TIFF images as microscopes and ImageJ export them, decoded by Pillow after the sizes that they claim are checked.

What a pixel measures is known where ImageJ, DigitalMicrograph or FEI wrote it; dots per inch are a printer's matter.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.archive import FREE_BYTES, MAX_RATIO
from rutile_assets.formats.channels import MAX_PIXELS
from rutile_assets.formats.images import MAX_IMAGES, image_channels, image_settings, length_nm, number_of
from rutile_assets.formats.measurement import Format, Measurement, Source
from rutile_assets.formats.text import damaged, decode

MARK = re.compile(rb"^(II[*+]\x00|MM\x00[*+])")
GREY = ("L", "I;16", "I;16B", "I;16L", "I", "F")
WIDTHS = {"L": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
BITS, DESCRIPTION, X_RESOLUTION, SAMPLE_FORMAT, FEI = 258, 270, 282, 339, 34682
GATAN_UNIT, GATAN_SCALE = 65003, 65009


def read(source: Source) -> Measurement:
    """Read the page, or each page of a series.

    Raises
    ------
    UnreadableFile
        Damaged or cut, colours, too many pixels or far more than its bytes can hold.
    """
    data = source.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is checked here
            frames, tags = _pages(source, data)
    except UnreadableFile:
        raise
    except Exception as fault:  # Pillow on hostile bytes raises whatever its decoders meet
        told = " ".join(str(fault).split())[:80] or type(fault).__name__
        raise damaged(source, f"a TIFF that cannot be decoded ({told})", "a whole TIFF") from fault
    if len({frame.shape for frame in frames}) > 1:
        raise UnreadableFile(
            "pages of several sizes", "an image or a series of equal ones", "Export the image alone.", source.name
        )
    pixel, said = _described(tags)
    notes = () if pixel else ("The TIFF does not say how large a pixel is: pixel_nm in the sidecar does.",)
    channels = image_channels(source, "image", frames, (pixel, pixel) if pixel else None)
    settings = image_settings(source, [("file", {"pixel_nm": pixel, **said})])
    return Measurement("tiff", channels=tuple(channels), settings=settings, notes=notes)


def _pages(source: Source, data: bytes) -> tuple[list[Any], Mapping[int, Any]]:
    frames: list[Any] = []
    size = 0
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
        if picture.n_frames > MAX_IMAGES:  # type: ignore[attr-defined]
            raise damaged(source, f"{picture.n_frames} pages", f"at most {MAX_IMAGES}")  # type: ignore[attr-defined]
        tags: dict[int, Any] = dict(picture.tag_v2)  # type: ignore[attr-defined]
        for number in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(number)
            if picture.mode not in GREY:
                raise UnreadableFile(
                    f"a TIFF of mode {picture.mode}", "grey values: an image of a detector, not a picture",
                    "Export the detector's own image with its numbers.", source.name,
                )  # fmt: skip
            size += picture.width * picture.height * WIDTHS.get(picture.mode, 4)
            if size > min(4 * MAX_PIXELS, FREE_BYTES + MAX_RATIO * len(data)):
                raise damaged(source, f"a TIFF of {len(data)} bytes that unpacks to {size} or more", "an image")
            picture.load()
            frame = np.array(picture)
            unsigned = picture.mode == "I" and dict(picture.tag_v2).get(SAMPLE_FORMAT, (1,))[0] == 1  # type: ignore[attr-defined]
            frames.append(frame.view(np.uint32) if unsigned else frame)
    return frames, tags


def _described(tags: Mapping[int, Any]) -> tuple[float | None, dict[str, object]]:
    """Return the pixel [nm] and what else the program that wrote the file says."""
    text = tags.get(DESCRIPTION)
    text = decode(text) if isinstance(text, bytes) else str(text or "")
    if text.startswith("ImageJ="):
        unit = re.search(r"^unit=(.+)$", text, re.MULTILINE)
        density = number_of(tags.get(X_RESOLUTION))
        if unit and density:
            return length_nm(1.0 / density, unit.group(1).replace("\\u00B5", "u")), {}
    fei = tags.get(FEI)
    fei = decode(fei) if isinstance(fei, bytes) else str(fei or "")
    width = re.search(r"^PixelWidth=(\S+)", fei, re.MULTILINE)
    if width:
        voltage = re.search(r"^HV=(\S+)", fei, re.MULTILINE)
        volts = number_of(voltage.group(1)) if voltage else None
        said: dict[str, object] = {"accelerating_voltage_kv": volts / 1e3} if volts and 1e3 <= volts <= 3e6 else {}
        return length_nm(width.group(1), "m"), said
    scale, unit_text = tags.get(GATAN_SCALE), tags.get(GATAN_UNIT)
    scale = scale[0] if isinstance(scale, tuple) and scale else scale
    if isinstance(unit_text, tuple):  # UTF-16 as numbers
        unit_text = "".join(chr(c) for c in unit_text[:20] if isinstance(c, int) and 0 < c < 0xD800)
    return length_nm(scale, str(unit_text or "").strip("\0 ")), {}


FORMAT = Format(
    "tiff", "TIFF images (.tif): ImageJ, DigitalMicrograph, FEI", lambda h, name: bool(MARK.search(h)), read
)
