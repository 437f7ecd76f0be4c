"""Igor binary waves as Asylum Research writes them (.ibw), through igor2."""

from __future__ import annotations

import io
import logging
import re
import warnings
from datetime import datetime
from typing import Any

import numpy as np
from igor2 import binarywave

from rutile_assets.errors import UnreadableFile, WrongContent
from rutile_assets.formats.measurement import Channel, Format, Measurement, Setting, Source
from rutile_assets.formats.text import setting, truncated

_KEPT = {
    "ScanSize", "FastScanSize", "SlowScanSize", "ScanRate", "ImagingMode", "NapMode", "NapTipVoltage", "TipVoltage",
    "SurfaceVoltage", "MicroscopeModel", "PotentialGain", "NapHeight", "ScanAngle", "SpringConstant", "InvOLS",
    "SampleDescription", "Operator", "ImageNote",
}  # fmt: skip
_KINDS = (
    ("potential", "potential_v"),
    ("height", "height_nm"),
    ("zsensor", "height_nm"),
    ("phase", "phase_deg"),
    ("amplitude", "amplitude_nm"),
)


def read(source: Source) -> Measurement:
    """Read an Asylum image wave.

    Igor holds [x, y, channel] in SI units with y upwards; here (Y, X) with row 0 at the top. Pixel size is scan size
    over number of pixels.
    """
    data = source.read()
    wave = _wave(source, data)
    note = wave["note"].decode("latin-1") if isinstance(wave["note"], bytes) else str(wave["note"])
    entries = dict(re.findall(r"^([A-Za-z][\w ]*):\s*(.*?)\s*$", note.replace("\r", "\n"), re.MULTILINE))
    values = np.asarray(wave["wData"])
    if "MicroscopeModel" not in entries and "ScanSize" not in entries:
        raise WrongContent(
            f"an Igor wave of shape {values.shape} that no Asylum microscope wrote",
            "an image with ScanSize in its note",
            "Export spectra from Igor as text.", source.name,
        )  # fmt: skip
    if values.ndim != 3 or min(values.shape) == 0:
        raise WrongContent(f"a wave of shape {values.shape}", "images (x, y, channel)", "Save the image.", source.name)
    labels = [label.decode("latin-1") for label in wave["labels"][2] if label]
    if len(labels) != values.shape[2]:
        raise truncated(source, f"{len(labels)} labels for {values.shape[2]} channels", "one for each")
    size_x, size_y = (_length(source, entries, key) for key in ("FastScanSize", "SlowScanSize"))
    channels = tuple(
        _channel(label, values[:, :, i], size_x * 1e9 / values.shape[0], size_y * 1e9 / values.shape[1])
        for i, label in enumerate(labels)
    )
    quantities = {c.quantity for c in channels}
    settings: dict[str, Setting] = {key: setting(entries[key]) for key in sorted(_KEPT & entries.keys())}
    return Measurement(
        format=FORMAT.name,
        channels=channels,
        technique="kpfm" if "potential_v" in quantities else "afm" if "height_nm" in quantities else None,
        settings=settings,
        instrument=f"Asylum {entries.get('MicroscopeModel', '')}".strip(),
        sample=entries.get("SampleDescription") or None,
        operator=entries.get("Operator") or None,
        acquired_at=_time(entries),
        notes=("Igor's y axis points up: rows are turned so that row 0 is the top of the image.",),
    )


def _wave(source: Source, data: bytes) -> dict[str, Any]:
    if len(data) < 384:
        raise truncated(source, f"{len(data)} bytes", "the 384 bytes of a wave header")
    order = "<" if data[0] else ">"
    version, bytes_of_wave, note_size = (
        int(np.frombuffer(data, dtype=f"{order}{kind}", count=1, offset=at)[0])
        for kind, at in (("i2", 0), ("i4", 4), ("i4", 12))
    )
    if version == 5 and not (
        0 < bytes_of_wave <= len(data) and note_size >= 0 and 64 + bytes_of_wave + note_size <= len(data)
    ):
        raise truncated(source, f"{len(data)} bytes", f"{64 + bytes_of_wave + note_size} that the header promises")
    logging.getLogger("igor2").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(binarywave.load(io.BytesIO(data))["wave"])
    except Exception as fault:  # igor2 raises what its structs happen to raise
        raise UnreadableFile(
            f"an Igor wave that igor2 cannot read ({type(fault).__name__})",
            "a whole .ibw",
            "Copy it again.",
            source.name,
        ) from fault


def _channel(label: str, values: Any, pixel_x_nm: float, pixel_y_nm: float) -> Channel:
    quantity = next((ours for word, ours in _KINDS if word in label.lower()), label.lower())
    factor = 1e9 if quantity.endswith("_nm") else 1.0
    unit = {"nm": "m", "v": "V", "deg": "deg"}.get(quantity.rsplit("_", 1)[-1])
    image = np.ascontiguousarray(np.asarray(values, dtype=np.float64).T[::-1]) * factor
    return Channel(label, quantity, image, unit, pixel_x_nm, pixel_y_nm)


def _length(source: Source, entries: dict[str, str], key: str) -> float:
    try:
        size = float(entries.get(key) or entries.get("ScanSize", ""))
    except ValueError:
        size = 0.0
    if not 1e-10 < size < 1e-2:
        raise WrongContent(f"{key} {entries.get(key)!r}", "a scan size in m", "Check the wave's note.", source.name)
    return size


def _time(entries: dict[str, str]) -> datetime | None:
    for pattern in ("%Y-%m-%d %I:%M:%S %p", "%a, %b %d, %Y %I:%M:%S %p"):
        try:
            return datetime.strptime(f"{entries.get('Date', '')} {entries.get('Time', '')}", pattern)
        except ValueError:
            continue
    return None


FORMAT = Format(
    "igor-ibw",
    "Igor binary wave of an Asylum microscope (.ibw)",
    lambda head, name: head[:2] in (b"\x05\x00", b"\x00\x05", b"\x02\x00", b"\x00\x02") and len(head) >= 64,
    read,
)
