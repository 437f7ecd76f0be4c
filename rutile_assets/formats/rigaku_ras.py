"""Rigaku SmartLab .ras: blocks of header lines (``*KEY "value"``) and rows of angle, intensity, attenuation."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import decoded, numbers, positive_number, truncated, xray_columns, xray_technique

KEPT = {
    "MEAS_SCAN_AXIS_X": "scan_axis",
    "MEAS_SCAN_MODE": "scan_mode",
    "MEAS_COND_XG_WAVE_TYPE": "wave_type",
    "HW_COUNTER_NAME-0": "detector",
    "HW_XG_TARGET_NAME": "target",
}


def read(source: Source) -> Measurement:
    """Read every block; the attenuation column is the factor that the detected counts must be multiplied by."""
    text = decoded(source)
    if "*DSC_DATA_END" not in text[-200:] and "*RAS_DATA_END" not in text[-200:]:
        raise truncated(source, "no *RAS_DATA_END at the end", "the end mark of a .ras file")
    scans: list[Scan] = []
    header: dict[str, str] = {}
    last_header: dict[str, str] = {}
    rows: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("*RAS_INT_START"):
            rows = []
        elif line.startswith("*RAS_INT_END"):
            if rows is None:
                raise truncated(source, "*RAS_INT_END without a beginning", "*RAS_INT_START before it")
            scans.append(_scan(source, header, rows))
            last_header, header, rows = header, {}, None
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
        instrument=last_header.get("MEAS_COND_SYSTEM_NAME") or "Rigaku SmartLab",
        sample=last_header.get("FILE_SAMPLE") or None,
        operator=last_header.get("FILE_OPERATOR") or None,
        acquired_at=_time(last_header.get("MEAS_SCAN_START_TIME", "")),
        settings={"comment": last_header.get("FILE_COMMENT"), "memo": last_header.get("FILE_MEMO")},
        notes=("Intensity is detected counts times the file's attenuation column.",),
    )


def _scan(source: Source, header: dict[str, str], rows: list[str]) -> Scan:
    table = numbers(source, rows)
    if table.shape[1] not in (2, 3):
        raise UnreadableFile(f"{table.shape[1]} columns", "angle, intensity, attenuation", "Export again.", source.name)
    declared = header.get("MEAS_DATA_COUNT")
    if declared is not None and int(positive_number(source, declared, "MEAS_DATA_COUNT")) != len(table):
        raise truncated(source, f"{len(table)} points", f"the {declared} that the header promises")
    unit = header.get("MEAS_SCAN_UNIT_Y", "counts").lower()
    attenuation = table[:, 2] if table.shape[1] == 3 else np.ones(len(table))
    in_counts = unit == "counts"
    if not in_counts and unit != "cps":
        raise UnreadableFile(f"intensity in {unit!r}", "counts or cps", "Export in counts.", source.name)
    columns = xray_columns(
        table[:, 0],
        table[:, 1] if in_counts else None,
        None if in_counts else table[:, 1] * attenuation,
        attenuation,
        _dwell(source, header, len(table)) if in_counts else None,
    )
    settings: dict[str, Setting] = {ours: header[theirs] for theirs, ours in KEPT.items() if theirs in header}
    settings |= _axes(header)
    for key, ours in (
        ("HW_XG_WAVE_LENGTH_ALPHA1", "k_alpha_1_angstrom"),
        ("HW_XG_WAVE_LENGTH_ALPHA2", "k_alpha_2_angstrom"),
    ):
        if key in header:
            settings[ours] = positive_number(source, header[key], key)
    settings["intensity_unit_in_file"] = unit
    return Scan(columns, settings)


def _dwell(source: Source, header: dict[str, str], points: int) -> np.ndarray | None:
    """Return the counting time a point from scan speed and step, where the speed's unit says how."""
    unit, speed, step = (header.get(f"MEAS_SCAN_{k}", "") for k in ("SPEED_UNIT", "SPEED", "STEP"))
    if not (unit and speed and step):
        return None
    value = positive_number(source, speed, "MEAS_SCAN_SPEED")
    seconds = {
        "deg/min": 60.0 * positive_number(source, step, "MEAS_SCAN_STEP") / value,
        "sec/step": value,
        "sec./step": value,
        "sec": value,
    }.get(unit.lower())
    return None if seconds is None else np.full(points, seconds)


def _axes(header: dict[str, str]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for key, name in header.items():
        if key.startswith("MEAS_COND_AXIS_NAME-") and name in ("Omega", "Chi", "Phi"):
            position = header.get(key.replace("_NAME-", "_POSITION-"), "")
            try:
                found[f"{name.lower()}_deg"] = float(position)
            except ValueError:
                continue
    return found


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%m/%d/%Y %H:%M:%S")
    except ValueError:
        return None


FORMAT = Format(
    "rigaku-ras",
    "Rigaku SmartLab .ras",
    lambda head, name: head.lstrip(b"\xef\xbb\xbf").startswith((b"*RAS_DATA_START", b"*RAS_HEADER_START")),
    read,
)
