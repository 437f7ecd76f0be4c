"""EMPAD .raw: frames of 130 x 128 float32, the last two rows a footer, with the .xml of the acquisition beside it.

The layout has no signature; who says how large the scan is, is the .xml (software 0.51 and 1.x) or a sidecar.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.diffraction import calibration, instrument_header, mapped, scan_shape
from rutile_assets.formats.measurement import Format, HeaderFile, Measurement, Source
from rutile_assets.formats.text import looks_like_text
from rutile_assets.formats.xml import parse, text_at

FRAME = np.dtype([("data", "<f4", (128, 128)), ("footer", "<f4", (2, 128))])
NAMED = re.compile(r"_x(\d{1,6})_y(\d{1,6})", re.IGNORECASE)
METRES = {"nm": 1e9, "mm": 1e3}


def read(source: Source) -> Measurement:
    """Map the frames; the pattern is the first 128 rows of each."""
    header = instrument_header(source)
    layers = [("xml", header)] if header else []
    settings = calibration(source, layers)
    (slow, fast), said_by = scan_shape(source, layers)
    stack = mapped(source, FRAME, (slow, fast), said_by)
    notes = ["The two footer rows of each frame are left out."]
    if "scan_step_nm" in header and settings.get("scan_step_nm_source") == "xml":
        notes.append(
            "The step is the header's field of view over the number of positions, a nominal value: "
            "scan_step_nm in the sidecar is better."
        )
    won = [key for key in header if key in settings and settings.get(f"{key}_source") == "sidecar"]
    if won:
        notes.append(f"The sidecar's {', '.join(sorted(won))} stand in for those of the header.")
    moment = header.get("acquired_at")
    return Measurement(
        "empad",
        technique="stem4d",
        settings=settings,
        instrument=f"EMPAD {header['software_version']}" if "software_version" in header else "EMPAD",
        acquired_at=_moment(moment),
        notes=tuple(notes),
        diffraction=stack,
    )


def read_header(content: bytes, name: str, data_name: str) -> dict[str, object] | None:
    """Return what an acquisition's .xml says of a .raw: None where it is another's, or no such .xml.

    It belongs to the file that its ``raw_file`` names, or to the one of the same name before the ending. Of the two
    ``scan_parameters`` the one of mode ``acquire`` holds. The size of the scan is ``pix_x``, ``pix_y`` where they are
    written (up to 1.0), else what the name of the file says, else the resolution of the acquisition.
    """
    try:
        root = parse(Source(Path(name), name), content, name)
    except UnreadableFile:
        return None
    named = root.find("raw_file")
    if named is None:
        return None
    filename = PureWindowsPath(str(named.get("filename", ""))).name
    same_stem = PureWindowsPath(data_name).stem.lower() == PureWindowsPath(name).stem.lower()
    if filename.lower() != PureWindowsPath(data_name).name.lower() and not same_stem:
        return None
    acquire = next((p for p in root.findall("scan_parameters") if p.get("mode", "acquire") == "acquire"), None)
    said: dict[str, object] = {
        "file": PureWindowsPath(name).name,
        "software_version": text_at(root, "software_version"),
        "acquired_at": _attribute(root, "timestamp", "isoformat"),
        "scan_mode": "acquire" if acquire is not None and acquire.get("mode") else None,
        "acquisition_type": text_at(root, "type"),
    }
    shape = _shape(root, acquire, filename)
    if shape is not None:
        said["scan_shape"] = shape
    said |= _numbers(root, acquire, shape)
    return {key: value for key, value in said.items() if value is not None}


def _shape(root: Any, acquire: Any, filename: str) -> list[int] | None:
    count = _float(text_at(root, "series_count")) or (
        _float(text_at(root, "count")) if text_at(root, "type") == "series" else None
    )
    if count:
        return [1, int(count)]
    pixels = [_float(text_at(root, key)) for key in ("pix_y", "pix_x")]
    if all(pixels):
        return [int(p) for p in pixels if p]
    named = NAMED.search(filename)
    if named:
        return [int(named[2]), int(named[1])]
    if acquire is not None:
        sizes = [_float(text_at(acquire, f"scan_resolution_{axis}")) for axis in "yx"]
        if all(sizes):
            return [int(s) for s in sizes if s]
    return None


def _numbers(root: Any, acquire: Any, shape: list[int] | None) -> dict[str, object]:
    """Return the calibration that the microscope told the detector's program, in the lake's units."""
    found: dict[str, object] = {}
    for key, tag, factor in (
        ("accelerating_voltage_kv", "source.get_voltage", 1e-3),
        ("dwell_time_ms", "exposure_time", 1.0),
        ("detector_pixel_mrad", "calibrated_diffraction_angle", 1e3),
        ("camera_length_mm", "optics.get_cameralength", 1e3),
        ("screen_current_pa", "source.get_screencurrent", 1e12),
        ("scan_rotation_deg", "column.get_scanrotation", 180.0 / np.pi),
    ):
        value = _float(text_at(root, tag))
        if value is not None and (value > 0 or key in ("screen_current_pa", "scan_rotation_deg")):
            found[key] = value * factor
    field = _field_of_view(root)
    if field and shape and shape[0] > 1:
        size = _float(text_at(acquire, "scan_size")) if acquire is not None else None
        found["scan_step_nm"] = 1e9 * field * (size or 1.0) / max(shape)
    return found


def _field_of_view(root: Any) -> float | None:
    """Return the full field of view [m]; 1.x writes that of the scan generator times a factor."""
    old = text_at(root, "optics.get_full_scan_field_of_view")
    if old:
        with contextlib.suppress(ValueError, SyntaxError, TypeError, IndexError, MemoryError, RecursionError):
            return _float(str(ast.literal_eval(old[:200])[0]))
    new = root.find(".//full_scan_field_of_view")
    if new is None:
        return None
    field, factor = _float(text_at(new, "x")), _float(text_at(new, "scale_factor"))
    return field / factor if field and factor else None


def _attribute(root: Any, tag: str, name: str) -> str | None:
    found = root.find(tag)
    return str(found.get(name)) if found is not None and found.get(name) else None


def _float(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) and abs(value) < 1e15 else None


def _moment(text: object) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(str(text))
    return None


def _recognises(head: bytes, name: str) -> bool:
    return name.lower().endswith(".raw") and not head.startswith(b"RAW") and not looks_like_text(head) and bool(head)


def _header(content: bytes, name: str, data_name: str) -> Mapping[str, object] | None:
    return read_header(content, name, data_name)


FORMAT = Format(
    "empad",
    "EMPAD .raw (130 x 128 float32) with the .xml of the acquisition or a sidecar beside it",
    _recognises,
    read,
    HeaderFile(".xml", ".raw", _header),
)
