"""Rigaku SmartLab .ras: blocks of header lines (``*KEY "value"``) and rows of angle, intensity, attenuation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import (
    damaged,
    finite_or_none,
    lines_of,
    numbers,
    positive_number,
    text_of,
    time_of,
    truncated,
)
from rutile_assets.formats.xray import xray_columns, xray_technique

SPEED_NOTE = (
    "Counting time a point is step over speed for continuous scans; with a one-dimensional detector this is the time"
    " a pixel dwells, not the exposure of a point."
)
AXES = {"Omega": "omega_deg", "Chi": "chi_deg", "Phi": "phi_deg"}
KEPT = {
    "MEAS_SCAN_MODE": "scan_mode",
    "MEAS_COND_XG_WAVE_TYPE": "wave_type",
    "HW_COUNTER_SELECT_NAME": "detector",
    "HW_XG_TARGET_NAME": "anode",
    "MEAS_COND_OPT_NAME": "optics",
    "MEAS_COND_OPT_ATTR": "optics_attribute",
}
TIMES = ("%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")


def read(source: Source) -> Measurement:
    """Read every block.

    The third column is the attenuation factor that detected counts must be multiplied by; counting time is step over
    speed (deg/min) or the time a step.

    Raises
    ------
    UnreadableFile
        The end marks are missing, a block has other points than its header promises, or numbers are damaged.
    """
    text = text_of(source)
    if "*RAS_DATA_END" not in text[-200:]:
        raise truncated(source, "no *RAS_DATA_END at the end", "the end mark of a .ras file")
    scans: list[Scan] = []
    notes: list[str] = []
    header: dict[str, str] = {}
    first_header: dict[str, str] = {}
    rows: list[str] | None = None
    for line in lines_of(text):
        if line.startswith("*RAS_INT_START"):
            rows = []
        elif line.startswith("*RAS_INT_END"):
            if rows is None:
                raise truncated(source, "*RAS_INT_END without a beginning", "*RAS_INT_START before it")
            scan, told = _scan(source, header, rows)
            scans.append(scan)
            notes += [note for note in told if note not in notes]
            first_header, header, rows = first_header or header, {}, None
        elif rows is not None:
            rows.append(line)
        elif line.startswith("*") and " " in line:
            key, value = line[1:].split(" ", 1)
            header[key] = value.strip().strip('"')
    if rows is not None or not scans:
        raise truncated(source, "no complete *RAS_INT block", "*RAS_INT_START ... *RAS_INT_END")
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=xray_technique(scans),
        instrument=first_header.get("FILE_SYSTEM_NAME") or "Rigaku SmartLab",
        sample=first_header.get("FILE_SAMPLE") or None,
        operator=first_header.get("FILE_OPERATOR") or None,
        acquired_at=time_of(first_header.get("MEAS_SCAN_START_TIME"), *TIMES),
        settings={"comment": first_header.get("FILE_COMMENT"), "memo": first_header.get("FILE_MEMO")},
        notes=tuple(notes),
    )


def _scan(source: Source, header: Mapping[str, str], rows: list[str]) -> tuple[Scan, tuple[str, ...]]:
    table = numbers(source, rows)
    if table.shape[1] not in (2, 3):
        raise damaged(source, f"{table.shape[1]} columns", "angle, intensity, attenuation")
    declared = header.get("MEAS_DATA_COUNT")
    if declared is not None and positive_number(source, declared, "MEAS_DATA_COUNT") != len(table):
        raise truncated(source, f"{len(table)} points", f"the {declared} that the header promises")
    dwell = counting_time(
        len(table),
        header.get("MEAS_SCAN_SPEED"),
        header.get("MEAS_SCAN_SPEED_UNIT"),
        header.get("MEAS_SCAN_STEP"),
    )
    columns, notes = xray_columns(
        source,
        table[:, 0],
        table[:, 1],
        unit=header.get("MEAS_SCAN_UNIT_Y", "counts"),
        attenuation=table[:, 2] if table.shape[1] == 3 else None,
        counting_time_s=dwell,
    )
    settings: dict[str, Setting] = {"scan_axis": header.get("MEAS_SCAN_AXIS_X")}
    settings |= {ours: header[theirs] for theirs, ours in KEPT.items() if header.get(theirs)}
    settings |= _fixed_axes(header)
    for name in ("ALPHA1", "ALPHA2"):
        wavelength = finite_or_none(header.get(f"HW_XG_WAVE_LENGTH_{name}"))
        if wavelength is not None:
            settings[f"k_alpha_{name[-1]}_angstrom"] = wavelength
    return Scan(columns, settings), (*notes, SPEED_NOTE) if "counting_time_s" in columns else notes


def counting_time(points: int, speed: str | None, speed_unit: str | None, step: str | None) -> FloatArray | None:
    """Return the counting time of every point, (P,) [s], from Rigaku's scan speed and step; None where unknown.

    Parameters
    ----------
    points : int
        Number of points P.
    speed, step : str or None
        As the header has them; step in deg.
    speed_unit : str or None
        ``deg/min`` (continuous) or seconds a step.
    """
    value, width = finite_or_none(speed), finite_or_none(step)
    unit = plain_unit(speed_unit)
    if value is None or value <= 0:
        return None
    if unit == "deg/min" and width is not None and width > 0:
        return np.full(points, 60.0 * width / value)
    return np.full(points, value) if unit in ("sec/step", "sec", "s") else None


def plain_unit(text: str | None) -> str:
    """Return a unit without dots and blanks, in lower case: 'sec./step' -> 'sec/step'."""
    return (text or "").lower().replace(".", "").replace(" ", "")


def _fixed_axes(header: Mapping[str, str]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for key, name in header.items():
        if key.startswith("MEAS_COND_AXIS_NAME-") and name in AXES:
            position = finite_or_none(header.get(key.replace("_NAME-", "_POSITION-")))
            if position is not None:
                found[AXES[name]] = position
    return found


FORMAT = Format(
    "rigaku-ras",
    "Rigaku SmartLab .ras",
    lambda head, name: head.removeprefix(b"\xef\xbb\xbf").startswith((b"*RAS_DATA_START", b"*RAS_HEADER_START")),
    read,
)
