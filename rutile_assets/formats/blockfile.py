"""NanoMEGAS ASTAR .blo: a fixed header, a virtual bright field, then frames of bytes behind a mark and a number."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

import numpy as np

from rutile_assets.formats.diffraction import MAX_FRAMES, MAX_SIDE, calibration, mapped, scan_shape
from rutile_assets.formats.measurement import Format, Measurement, Source
from rutile_assets.formats.text import damaged, truncated

HEADER = np.dtype(
    [
        ("id", "S6"), ("magic", "<u2"), ("bright_field_at", "<u4"), ("patterns_at", "<u4"), ("flags", "<u4"),
        ("size", "<u2"), ("pattern_rotation", "<u2"), ("nx", "<u2"), ("ny", "<u2"), ("scan_rotation", "<u2"),
        ("step_x_nm", "<f8"), ("step_y_nm", "<f8"), ("voltage_v", "<u4"), ("pixels_per_cm", "<u2"),
        ("camera_length", "<u4"), ("serial_date", "<f8"),
    ]
)  # fmt: skip
MARK = (0x55AA, 0xAA55)
EPOCH = datetime(1899, 12, 30)  # of serial dates
SAME_STEP = 1e-3


def read(source: Source) -> Measurement:
    """Map the frames. Camera length and pixel size are kept as written; they do not make a calibrated angle."""
    head = source.head(HEADER.itemsize)
    if len(head) < HEADER.itemsize:
        raise truncated(source, f"{len(head)} bytes", f"a header of {HEADER.itemsize} bytes")
    header = np.frombuffer(head, HEADER)[0]
    nx, ny, size, start = (int(header[key]) for key in ("nx", "ny", "size", "patterns_at"))
    if not (1 <= nx * ny <= MAX_FRAMES and 1 <= size <= MAX_SIDE and start >= HEADER.itemsize):
        raise damaged(source, f"{ny} x {nx} patterns of {size} pixels at byte {start}", "sizes of a block file")
    steps = float(header["step_x_nm"]), float(header["step_y_nm"])
    file: dict[str, object] = {"scan_shape": [ny, nx]}
    if 0 < steps[0] < 1e4 and abs(steps[1] - steps[0]) <= SAME_STEP * steps[0]:
        file["scan_step_nm"] = steps[0]
    if int(header["voltage_v"]) >= 1000:
        file["accelerating_voltage_kv"] = int(header["voltage_v"]) / 1e3
    layers = [("file", file)]
    settings = calibration(source, layers)
    settings |= {"scan_step_x_nm": steps[0], "scan_step_y_nm": steps[1]} if np.isfinite(steps).all() else {}
    scan, said_by = scan_shape(source, layers)
    frame = np.dtype([("mark", "<u2"), ("number", "<u4"), ("data", "u1", (size, size))])
    stack = mapped(source, frame, scan, said_by, offset=start, largest_value=255.0)
    marks = np.memmap(source.path, dtype=frame, mode="r", offset=start, shape=(scan[0] * scan[1],))["mark"]
    if any(int(marks[place]) not in MARK for place in (0, len(marks) // 2, -1)):
        raise damaged(source, "frames without their mark", "AA 55 before each")
    return Measurement(
        "blockfile",
        technique="stem4d",
        settings=settings,
        instrument="NanoMEGAS ASTAR",
        acquired_at=_moment(float(header["serial_date"])),
        notes=("Intensities are bytes of a camera on a screen: no dose can be told from them.",),
        diffraction=stack,
    )


def _moment(days: float) -> datetime | None:
    with contextlib.suppress(OverflowError, ValueError):
        moment = EPOCH + timedelta(days=days)
        return moment.replace(microsecond=0) if days > 1 else None
    return None


FORMAT = Format(
    "blockfile",
    "NanoMEGAS ASTAR .blo",
    lambda head, name: head.startswith(b"IMGBLO"),
    read,
)
