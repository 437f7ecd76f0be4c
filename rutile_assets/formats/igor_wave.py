"""Igor binary waves of version 5, as WaveMetrics' Technical Note 003 lays them out: numbers, axes, note, labels."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Source
from rutile_assets.formats.text import damaged, truncated

VERSION = 5
BIN_HEADER_BYTES, WAVE_HEADER_BYTES = 64, 320
HEADER_BYTES = BIN_HEADER_BYTES + WAVE_HEADER_BYTES
NOTE, DATA_UNIT, X_UNIT, CHANNEL_LABELS = 2, 3, 4, 10  # which of the sizes
LABEL_BYTES = 32
X_STEP_AT, X_START_AT = 148, 180
# Igor's real types; 0x40 marks unsigned
DTYPES = {2: "f4", 4: "f8", 8: "i1", 0x10: "i2", 0x20: "i4", 0x48: "u1", 0x50: "u2", 0x60: "u4"}


@dataclass(frozen=True)
class Wave:
    """The parts of a wave that are used.

    Parameters
    ----------
    values : ndarray
        Up to four dimensions, the first is Igor's x.
    note : bytes
        As the program wrote it, lines of ``key=value`` or ``key: value``.
    labels : list of str
        Names along the third dimension.
    start, step : float
        Of the x axis, in its unit.
    axis, unit : str
        Extended unit of the x axis and of the numbers ('' where there is none).
    """

    values: npt.NDArray[Any]
    note: bytes
    labels: list[str]
    start: float
    step: float
    axis: str
    unit: str


def decode_wave(source: Source, data: bytes) -> Wave:
    """Return the wave, every declared size checked against the bytes before it is followed.

    Raises
    ------
    UnreadableFile
        Cut or damaged bytes, an old version, sizes beyond the file, a shape that the numbers do not fill.
    """
    if len(data) < HEADER_BYTES:
        raise truncated(source, f"{len(data)} bytes", f"an Igor header of {HEADER_BYTES}")
    order = "<" if data[:2] == b"\x05\x00" else ">"
    if struct.unpack(f"{order}h", data[:2])[0] != VERSION:
        raise UnreadableFile("an Igor wave of an old version", "version 5", "Save it again as Igor 6.", source.name)
    if not checksum_fits(data):
        raise damaged(source, "a header whose checksum does not fit", "an Igor wave")
    # wave, formula, note, data unit, 4 dimension units, labels of 4 dimensions, string indices, 2 reserved
    sizes = struct.unpack(f"{order}15i", data[4:64])[:13]
    if min(sizes) < 0 or sizes[0] < WAVE_HEADER_BYTES:
        raise damaged(source, "negative sizes in the header", "an Igor wave")
    end = BIN_HEADER_BYTES + sum(sizes)
    if end > len(data):
        raise truncated(source, f"{len(data)} bytes", f"the {end} that the header promises")
    if end < len(data) and not re.search(rb"\d{4} MFP3D\s*$", data[-16:]):
        raise truncated(source, f"{len(data) - end} bytes after the wave without Asylum's end mark", "MFP3D at the end")
    shape = [n for n in struct.unpack(f"{order}4i", data[132:148]) if n]
    kind = DTYPES.get(struct.unpack(f"{order}h", data[80:82])[0])
    size = math.prod(shape) * np.dtype(kind).itemsize if kind else -1
    if kind is None or min(shape, default=0) <= 0 or size != sizes[0] - WAVE_HEADER_BYTES:
        raise damaged(source, f"a wave of shape {shape} in {sizes[0]} bytes", "real numbers that fill it")
    values = np.frombuffer(data, order + kind, math.prod(shape), HEADER_BYTES).reshape(shape, order="F")
    starts = np.cumsum([BIN_HEADER_BYTES, *sizes])
    note, unit, axis, labels = (data[starts[i] : starts[i + 1]] for i in (NOTE, DATA_UNIT, X_UNIT, CHANNEL_LABELS))
    # the first label names the dimension, the others its elements
    names = [labels[at : at + LABEL_BYTES] for at in range(LABEL_BYTES, len(labels), LABEL_BYTES)]
    step, start = (struct.unpack(f"{order}d", data[at : at + 8])[0] for at in (X_STEP_AT, X_START_AT))
    return Wave(values, note, [_text(name) for name in names], start, step, _text(axis), _text(unit))


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("latin-1")


def checksum_fits(head: bytes) -> bool:
    """Tell whether the 16-bit words of both headers add up to 0, as Igor makes them."""
    if len(head) < HEADER_BYTES:
        return False
    words = np.frombuffer(head[:HEADER_BYTES], "<u2" if head[0] else ">u2")
    return int(words.sum(dtype=np.int64)) % 65536 == 0
