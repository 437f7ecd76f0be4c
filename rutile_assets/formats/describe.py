"""A measurement in lines of text, for `rutile inspect`."""

from __future__ import annotations

import numpy as np

from rutile_assets.formats.measurement import FloatArray, Measurement
from rutile_assets.units import unit_of

MAX_SCANS = 6


def describe(measurement: Measurement) -> list[str]:
    """Return what is in a file: format, technique, instrument, channels with range and unit, settings, notes."""
    m = measurement
    lines = [f"format      {m.format}", f"technique   {m.technique or 'not said by the content: the folder decides'}"]
    lines += [f"{name:<11} {value}" for name, value in (
        ("instrument", m.instrument), ("sample", m.sample), ("operator", m.operator), ("acquired", m.acquired_at),
    ) if value]  # fmt: skip
    for number, scan in enumerate(m.scans[:MAX_SCANS], start=1):
        lines.append(f"scan {number} of {len(m.scans)}: {scan.points} points")
        lines += [f"  {name}: {_range(values)} {unit_of(name) or ''}".rstrip() for name, values in scan.columns.items()]
        lines += [f"  ({name}: {value})" for name, value in scan.settings.items() if value is not None]
    if len(m.scans) > MAX_SCANS:
        lines.append(f"... and {len(m.scans) - MAX_SCANS} more scans")
    for channel in m.channels:
        height, width = channel.values.shape
        lines.append(
            f"channel {channel.label!r} as {channel.quantity}: {width} x {height} pixels, {_range(channel.values)}"
        )
        lines.append(
            f"  pixel {channel.pixel_size_x_nm:.6g} x {channel.pixel_size_y_nm:.6g} nm, unit in file {channel.unit}"
        )
    lines += [f"setting     {name} = {value}" for name, value in m.settings.items() if value not in (None, "")]
    return lines + [f"note        {note}" for note in m.notes]


def _range(values: FloatArray) -> str:
    return f"{np.nanmin(values):.6g} .. {np.nanmax(values):.6g}"
