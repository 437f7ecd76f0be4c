"""k-Space kSA 400 pictures of RHEED, 16 bits: one in an .img, many in an .imm movie.

Layout, from real files: ``KSA00F`` at byte 39, width and height as big-endian 16-bit numbers at 49 and 321, then from
byte 640 (685 where the mark is ``KSA00J``) the rows from the top as little-endian 16-bit counts. A movie is such blocks
one after the other; nothing in it says how many, or when.
"""

from __future__ import annotations

import re

import numpy as np

from rutile_assets.formats.channels import MAX_PIXELS
from rutile_assets.formats.measurement import Channel, Format, Measurement, Source
from rutile_assets.formats.text import damaged, truncated

HEADERS = {b"KSA00F": 640, b"KSA00J": 685}  # mark -> bytes before the counts
MARK_AT, WIDTH_AT, HEIGHT_AT = 39, 49, 321
MAX_SIDE, MAX_FRAMES = 16384, 20_000
NUMBER = re.compile(r"(\d+)\D*$")


def read(source: Source) -> Measurement:
    """Read every frame.

    Returns
    -------
    Measurement
        A channel ``intensity_counts`` for each frame, (Y, X) with row 0 at the top. Pixels have no length here: their
        size is NaN.

    Raises
    ------
    UnreadableFile
        A header without size, or bytes that are not whole frames of one size.
    """
    data = source.read()
    header = HEADERS.get(data[MARK_AT : MARK_AT + 6])
    if header is None or len(data) < header:
        raise truncated(source, f"{len(data)} bytes", "a header with its mark (KSA00F or KSA00J)")
    width, height = _size(source, data)
    block = header + 2 * width * height
    frames, rest = divmod(len(data), block)
    if rest or not frames:
        raise truncated(source, f"{len(data)} bytes", f"whole frames of {block} bytes ({width} x {height} pixels)")
    if frames > MAX_FRAMES or frames * width * height > MAX_PIXELS:
        raise damaged(source, f"{frames} frames of {width} x {height} pixels", f"at most {MAX_PIXELS} pixels in all")
    channels = []
    for number in range(frames):
        start = number * block
        marked = data[start + MARK_AT : start + MARK_AT + 6] in HEADERS
        if marked and _size(source, data[start : start + header]) != (width, height):
            raise damaged(source, f"frame {number + 1} of another size", f"{width} x {height} pixels")
        counts = np.frombuffer(data, "<u2", width * height, start + header).reshape(height, width)
        channels.append(
            Channel(
                f"frame {number + 1}",
                "intensity_counts",
                counts.astype(np.float64),
                "counts",
                float("nan"),
                float("nan"),
            )
        )
    found = NUMBER.search(source.name.rpartition("/")[2].rpartition(".")[0])
    return Measurement(
        format=FORMAT.name,
        channels=tuple(channels),
        technique="rheed",
        settings={
            "width_count": width,
            "height_count": height,
            "frames_count": frames,
            "image_number": int(found.group(1)) if found and len(found.group(1)) < 10 else None,
        },
        notes=("The format says no time: frame_interval_s in the sidecar does.",),
    )


def _size(source: Source, header: bytes) -> tuple[int, int]:
    width = int.from_bytes(header[WIDTH_AT : WIDTH_AT + 2], "big")
    height = int.from_bytes(header[HEIGHT_AT : HEIGHT_AT + 2], "big")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise damaged(source, f"a picture of {width} x {height} pixels", f"1 to {MAX_SIDE} a side")
    return width, height


def recognises(head: bytes, name: str) -> bool:
    """Tell by the mark at byte 39."""
    return head[MARK_AT : MARK_AT + 6] in HEADERS


FORMAT = Format("ksa-img", "k-Space kSA 400 RHEED pictures .img and movies .imm", recognises, read)
