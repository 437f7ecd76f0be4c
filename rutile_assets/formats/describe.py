"""Lines that show what is in a file, for `rutile inspect`."""

from __future__ import annotations

import numpy as np

from rutile_assets.formats.measurement import Channel, FloatArray, Measurement, Scan
from rutile_assets.units import unit_of

MANY = 6


def describe(measurement: Measurement) -> list[str]:
    """Return lines that show a measurement: what it is, every scan or channel with its range, settings, notes.

    Parameters
    ----------
    measurement : Measurement
        As a reader returned it.

    Returns
    -------
    list of str
        Without line ends, in the order in which a person asks.
    """
    technique = measurement.technique or "not said by the content (the folder decides)"
    lines = [f"format      {measurement.format}", f"technique   {technique}"]
    said = {
        "instrument": measurement.instrument,
        "sample": measurement.sample,
        "operator": measurement.operator,
        "acquired at": measurement.acquired_at.isoformat(" ") if measurement.acquired_at else None,
    }
    lines += [f"{name:11} {value}" for name, value in said.items() if value]
    shown = measurement.scans if len(measurement.scans) <= MANY else measurement.scans[:2]
    for number, scan in enumerate(shown, start=1):
        lines += _scan_lines(number, scan)
    if len(measurement.scans) > MANY:
        lines.append(
            f"... and {len(measurement.scans) - 2} more scans, {sum(s.points for s in measurement.scans)} points"
        )
    for channel in measurement.channels:
        lines += _channel_lines(channel)
    if measurement.diffraction is not None:
        slow, fast, height, width = measurement.diffraction.shape
        lines.append(f"patterns    {slow} x {fast} of {height} x {width} pixels, {measurement.diffraction.dtype}")
    settings = {key: value for key, value in measurement.settings.items() if value not in (None, "")}
    if settings:
        lines.append("settings")
        lines += [f"  {key}: {str(value)[:160]}" for key, value in sorted(settings.items())]
    lines += [f"note        {note}" for note in measurement.notes]
    return lines


def _scan_lines(number: int, scan: Scan) -> list[str]:
    said = ", ".join(f"{key} {value}" for key, value in scan.settings.items() if value not in (None, ""))
    lines = [f"scan {number}      {scan.points} points" + (f" ({said})" if said else "")]
    return lines + [
        f"  {name:28} {_range(values)} {unit_of(name) or ''}".rstrip() for name, values in scan.columns.items()
    ]


def _channel_lines(channel: Channel) -> list[str]:
    rows, columns = channel.values.shape
    unit = unit_of(channel.quantity) if unit_of(channel.quantity) is not None else channel.unit
    size = f", {columns * channel.pixel_size_x_nm:.6g} x {rows * channel.pixel_size_y_nm:.6g} nm"
    size = size if np.isfinite(channel.pixel_size_x_nm) else ""
    return [
        f"channel     {channel.label}: {channel.quantity}, {columns} x {rows} pixels{size}",
        f"  {_range(channel.values)} {unit or '(no unit in the file)'}, unit in the file: {channel.unit or 'none'}",
    ]


def _range(values: FloatArray) -> str:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return "nothing measured"
    missing = f" ({values.size - finite.size} missing)" if finite.size < values.size else ""
    return f"{finite.min():.6g} .. {finite.max():.6g}{missing}"
