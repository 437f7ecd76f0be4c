"""Asylum Research images in Igor binary waves of version 5 (.ibw).

The layout stands in WaveMetrics' Technical Note 003. The package igor2 (LGPL, sizes unchecked, damaged files written
to stderr) is what the tests compare with.

The wave is (x, y, channel) with y upwards; maps are delivered (Y, X) with row 0 at the top of the image. The wave's
own unit says 'm' for every channel, so the unit goes by the channel's name, as Asylum's software has it: heights,
amplitudes and deflections in m, phases in deg, potentials in V. A pixel is the scan size over the number of pixels,
not the wave's step (scan size over number of pixels less one).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.channels import map_channel, probe_technique
from rutile_assets.formats.measurement import Channel, Format, Measurement, Setting, Source
from rutile_assets.formats.text import damaged, finite_or_none, positive_number, time_of, truncated

VERSION = 5
BIN_HEADER_BYTES, WAVE_HEADER_BYTES = 64, 320
HEADER_BYTES = BIN_HEADER_BYTES + WAVE_HEADER_BYTES
NOTE, CHANNEL_LABELS = 2, 10  # which of the sizes
LABEL_BYTES = 32
# Igor's real types; 0x40 marks unsigned
DTYPES = {2: "f4", 4: "f8", 8: "i1", 0x10: "i2", 0x20: "i4", 0x48: "u1", 0x50: "u2", 0x60: "u4"}
UNITS = (
    (re.compile(r"^(nap)?(height|zsensor|amplitude|deflection|amp)", re.IGNORECASE), "m"),
    (re.compile(r"^(nap)?phase", re.IGNORECASE), "deg"),
    (re.compile(r"potential", re.IGNORECASE), "V"),
    (re.compile(r"^(nap)?(userin|lateral)", re.IGNORECASE), "V"),
    (re.compile(r"^(nap)?(current|orca)", re.IGNORECASE), "A"),
    (re.compile(r"^(nap)?freq", re.IGNORECASE), "Hz"),
)
KEPT = {
    "ImagingMode": "imaging_mode",
    "NapMode": "nap_mode",
    "TipVoltage": "tip_voltage_v",
    "SurfaceVoltage": "surface_voltage_v",
    "NapTipVoltage": "nap_tip_voltage_v",
    "NapSurfaceVoltage": "nap_surface_voltage_v",
    "ScanRate": "scan_rate_hz",
    "ScanAngle": "scan_angle_deg",
    "Version": "program",
}


def read(source: Source) -> Measurement:
    """Read every channel of an image.

    Raises
    ------
    UnreadableFile
        Cut or damaged bytes, a wave that is no image, an image without labels or scan size.
    """
    wave = _decode(source, source.read())
    note, labels, count = _note(wave.note), wave.labels, wave.values.shape[2]
    if len(labels) != count or not all(labels):
        raise damaged(source, f"{len(labels)} names for {count} channels", "a name for each")
    sizes = _pixel_sizes(source, note, wave.values.shape)
    channels = [
        _channel(source, label, wave.values[:, :, i], sizes, lone_sensor=not any(_is_height(other) for other in labels))
        for i, label in enumerate(labels)
    ]
    return Measurement(
        format=FORMAT.name,
        channels=tuple(channels),
        technique=probe_technique(channels),
        instrument="Asylum " + note.get("MicroscopeModel", "Research"),
        sample=note.get("SampleName") or None,
        operator=note.get("Operator") or None,
        acquired_at=time_of(f"{note.get('Date')} {note.get('Time')}", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %H:%M:%S"),
        settings=_settings(note),
        notes=("Units go by the channels' names (Asylum writes 'm' for all); y is turned so that row 0 is the top.",),
    )


def _channel(
    source: Source, label: str, wave: npt.NDArray[Any], sizes: tuple[float, float], *, lone_sensor: bool
) -> Channel:
    base = re.sub(r"(Trace|Retrace)e?$", "", label)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", base.replace("ZSensor", "Z Sensor"))
    if lone_sensor and base == "ZSensor":
        name = "Height"
    unit = next((unit for pattern, unit in UNITS if pattern.search(base)), None)
    return map_channel(source, label, name, np.flipud(wave.T), unit, sizes)


def _is_height(label: str) -> bool:
    return label.startswith("Height")


@dataclass(frozen=True)
class _Wave:
    """The parts of a wave that an image needs: numbers (x, y, channel), the note, the names along channels."""

    values: npt.NDArray[Any]
    note: bytes
    labels: list[str]


def _decode(source: Source, data: bytes) -> _Wave:
    """Return the wave, every declared size checked against the bytes before it is followed."""
    if len(data) < HEADER_BYTES:
        raise truncated(source, f"{len(data)} bytes", f"an Igor header of {HEADER_BYTES}")
    order = "<" if data[:2] == b"\x05\x00" else ">"
    if struct.unpack(f"{order}h", data[:2])[0] != VERSION:
        raise UnreadableFile("an Igor wave of an old version", "version 5", "Save it again as Igor 6.", source.name)
    if not _checksum_fits(data):
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
    if len(shape) != 3:
        raise UnreadableFile(
            f"an Igor wave of shape {shape}",
            "an Asylum image of (x, y, channel)",
            "Drop the image that the microscope saved.",
            source.name,
        )
    values = np.frombuffer(data, order + kind, math.prod(shape), HEADER_BYTES).reshape(shape, order="F")
    starts = np.cumsum([BIN_HEADER_BYTES, *sizes])
    note, labels = (data[starts[i] : starts[i + 1]] for i in (NOTE, CHANNEL_LABELS))
    # the first label names the dimension, the others its elements
    names = [labels[at : at + LABEL_BYTES] for at in range(LABEL_BYTES, len(labels), LABEL_BYTES)]
    return _Wave(values, note, [name.split(b"\0")[0].decode("latin-1") for name in names])


def _checksum_fits(head: bytes) -> bool:
    """Tell whether the 16-bit words of both headers add up to 0, as Igor makes them."""
    if len(head) < HEADER_BYTES:
        return False
    words = np.frombuffer(head[:HEADER_BYTES], "<u2" if head[0] else ">u2")
    return int(words.sum(dtype=np.int64)) % 65536 == 0


def _note(note: bytes) -> dict[str, str]:
    """Return the lines ``Key: value`` of the wave's note; the first of each key is the scan's own."""
    found: dict[str, str] = {}
    for line in re.split(r"[\r\n]+", note.decode("latin-1")):
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _pixel_sizes(source: Source, note: Mapping[str, str], shape: tuple[int, ...]) -> tuple[float, float]:
    whole = note.get("ScanSize")
    fast = positive_number(source, note.get("FastScanSize", whole), "FastScanSize") * 1e9
    slow = positive_number(source, note.get("SlowScanSize", whole), "SlowScanSize") * 1e9
    return fast / shape[0], slow / shape[1]


def _settings(note: Mapping[str, str]) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    for theirs, ours in KEPT.items():
        if theirs in note:
            number = finite_or_none(note[theirs])
            settings[ours] = note[theirs] if number is None else number
    return settings


def recognises(head: bytes, name: str) -> bool:
    """Tell by the version and the checksum of the header (16-bit words add up to 0), or by version and ending."""
    if head[:2] not in (b"\x05\x00", b"\x00\x05"):
        return False
    if name.lower().endswith(".ibw"):
        return True
    return _checksum_fits(head)


FORMAT = Format("igor-ibw", "Asylum Research image, Igor binary wave .ibw", recognises, read)
