"""Asylum Research images in Igor binary waves (.ibw); waves of Scienta's SES go to `scienta`.

The layout of a wave: see `igor_wave`. The package igor2 (LGPL, sizes unchecked, damaged files written to stderr) is
what the tests compare with.

The wave is (x, y, channel) with y upwards; maps are delivered (Y, X) with row 0 at the top of the image. The wave's
own unit says 'm' for every channel, so the unit goes by the channel's name, as Asylum's software has it: heights,
amplitudes and deflections in m, phases in deg, potentials in V. A pixel is the scan size over the number of pixels,
not the wave's step (scan size over number of pixels less one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import scienta
from rutile_assets.formats.channels import map_channel, probe_technique
from rutile_assets.formats.igor_wave import checksum_fits, decode_wave
from rutile_assets.formats.measurement import Channel, Format, Measurement, Setting, Source
from rutile_assets.formats.text import damaged, finite_or_none, positive_number, time_of

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
    """Read every channel of an image, or a spectrum where the note is SES's.

    Raises
    ------
    UnreadableFile
        Cut or damaged bytes, a wave that is no image, an image without labels or scan size.
    """
    wave = decode_wave(source, source.read())
    if scienta.MARK in wave.note[:200]:
        return scienta.from_wave(source, wave, FORMAT.name)
    if wave.values.ndim != 3:
        raise UnreadableFile(
            f"an Igor wave of shape {list(wave.values.shape)}",
            "an Asylum image of (x, y, channel) or a spectrum of Scienta's SES",
            "Drop the file that the instrument saved.",
            source.name,
        )
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
    return checksum_fits(head)


FORMAT = Format("igor-ibw", "Asylum Research image or Scienta SES spectrum, Igor binary wave .ibw", recognises, read)
