"""Igor binary waves, version 5, as Asylum Research's microscopes write images."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from rutile_assets.simulation.writers.scan import Header, Image

_TO_SI = {"nm": 1e-9, "V": 1.0, "deg": 1.0}
_IGOR_EPOCH = datetime(1904, 1, 1)  # Igor counts seconds of the clock on the wall
_BIN_HEADER, _WAVE_HEADER = 64, 320
_FLOAT32 = 2
_LABEL_BYTES = 32


def write(
    images: Sequence[Image], header: Header, size_nm: float, name: str, settings: Mapping[str, str] | None = None
) -> bytes:
    r"""Return an .ibw file: [x, y, channel] of float32 in SI units, y upwards, with Asylum's note and labels.

    Layout: WaveMetrics' Technical Note 003, structures BinHeader5 and WaveHeader5, little-endian; then the data, the
    note, and one 32-byte label for each channel after an empty one for the dimension itself.

    Parameters
    ----------
    images : sequence of Image
        In nm, V or deg; all of one shape.
    header : Header
        Its comment goes into ``ImageNote``.
    size_nm : float
        Width of the scan [nm].
    name : str
        The wave's name, at most 31 characters.
    settings : mapping, optional
        More lines for the note, e.g. ``NapMode``.
    """
    rows, columns = images[0].values.shape
    data = np.stack([(image.values * _TO_SI[image.unit])[::-1].T for image in images], axis=2)
    body = np.asfortranarray(data.astype("<f4")).tobytes(order="F")
    note = _note(header, size_nm, (rows, columns), settings or {})
    labels = b"".join(label.encode("latin-1").ljust(_LABEL_BYTES, b"\0") for label in ["", *(i.label for i in images)])
    wave = _wave_header(header, name, (columns, rows, len(images)), size_nm)
    bins = _bin_header(len(wave) + len(body), len(note), len(labels), 0)
    # the first 384 bytes, as 16-bit words, add up to 0
    total = int(np.frombuffer(bins + wave, dtype="<i2").sum(dtype=np.int64))
    checksum = (-total + 0x8000) % 0x10000 - 0x8000
    return _bin_header(len(wave) + len(body), len(note), len(labels), checksum) + wave + body + note + labels


def _bin_header(wave_bytes: int, note_bytes: int, label_bytes: int, checksum: int) -> bytes:
    sizes = (wave_bytes, 0, note_bytes, 0, 0, 0, 0, 0, 0, 0, label_bytes, 0, 0, 0, 0)
    packed = struct.pack("<hh15i", 5, checksum, *sizes)
    assert len(packed) == _BIN_HEADER
    return packed


def _wave_header(header: Header, name: str, shape: tuple[int, int, int], size_nm: float) -> bytes:
    seconds = int((header.started_at - _IGOR_EPOCH).total_seconds()) % 2**32
    step = size_nm * 1e-9 / (shape[0] - 1)
    packed = struct.pack(
        "<iIIihh6sh32sii4i4d4d4s16shhdd",
        0, seconds, seconds, shape[0] * shape[1] * shape[2], _FLOAT32, 0, b"", 1, name.encode("latin-1")[:31], 0, 0,
        *shape, 0, step, step, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, b"m", b"m\0\0\0m", 0, 0, 0.0, 0.0,
    )  # fmt: skip
    return packed.ljust(_WAVE_HEADER, b"\0")


def _note(header: Header, size_nm: float, shape: tuple[int, int], settings: Mapping[str, str]) -> bytes:
    size = f"{size_nm * 1e-9:.9g}"
    entries = {
        "ScanSize": size,
        "FastScanSize": size,
        "SlowScanSize": f"{size_nm * 1e-9 * shape[0] / shape[1]:.9g}",
        "ScanRate": "0.5",
        "PointsLines": f"{shape[1]}",
        "ScanPoints": f"{shape[1]}",
        "ScanLines": f"{shape[0]}",
        "ScanAngle": "0",
        "ImagingMode": "AC Mode",
        "SpringConstant": "3",
        **settings,
        "ImageNote": " ".join(header.comment.split()),
        "SampleDescription": " ".join(header.sample.split()),
        "Operator": " ".join(header.operator.split()),
        "Date": f"{header.started_at:%Y-%m-%d}",
        "Time": f"{header.started_at:%I:%M:%S %p}",
        "MicroscopeModel": "MFP3D",
    }
    return "".join(f"{key}: {value}\r" for key, value in entries.items()).encode("latin-1", errors="replace")
