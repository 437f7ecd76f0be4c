"""Images of Thermo Fisher's Velox .emd: HDF5 with an array (Y, X, frames) a detector and JSON beside it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rutile_assets.formats import velox_probe
from rutile_assets.formats.channels import MAX_PIXELS
from rutile_assets.formats.hdf5 import answer_of
from rutile_assets.formats.images import image_channels, image_settings, length_nm, number_of
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.formats.text import damaged

STEM_DETECTORS = ("haadf", "df", "bf", "abf")


def read(source: Source) -> Measurement | None:
    """Read every image, HAADF first; None where the file is no Velox file or has no image.

    Raises
    ------
    UnreadableFile
        Damaged HDF5, too many pixels, or images whose description is none.
    """
    found = _images(source)
    if not found:
        return None
    ordered = sorted(found, key=lambda image: (_word(image[1], "BinaryResult", "Detector") or "").upper() != "HAADF")
    channels, rotations = [], []
    for stack, told, _ in ordered:
        detector = _word(told, "BinaryResult", "Detector") or "image"
        size = _at(told, "BinaryResult", "PixelSize")
        sides = [length_nm(_at(size, side), _at(told, "BinaryResult", f"PixelUnit{axis}"))
                 for side, axis in (("width", "X"), ("height", "Y"))]  # fmt: skip
        pixel = (sides[0], sides[1]) if sides[0] is not None and sides[1] is not None else None
        channels += image_channels(source, detector, [stack[:, :, i] for i in range(stack.shape[2])], pixel)
    stack, first, texts = ordered[0]
    rotations = [_degrees(_at(text, "Scan", "ScanRotation")) for text in texts]
    said, notes = _said(first, channels[0].pixel_size_x_nm), []
    if len(rotations) == stack.shape[2] > 1 and all(r is not None for r in rotations):
        said["frame_rotations_deg"] = rotations
    if len(ordered) > 1:
        names = ", ".join(_word(told, "BinaryResult", "Detector") or "image" for _, told, _ in ordered)
        notes.append(f"Images of {len(ordered)} detectors: {names}.")
    detector = (_word(first, "BinaryResult", "Detector") or "").lower()
    return Measurement(
        "emd",
        channels=tuple(channels),
        technique="haadf" if detector.startswith(STEM_DETECTORS) else None,
        settings=image_settings(source, [("file", said)]),
        instrument=" ".join(
            w for w in (_word(first, "Instrument", "InstrumentClass"), _word(first, "Instrument", "ComputerName")) if w
        ) or None,
        sample=_word(first, "Sample", "SampleId"),
        acquired_at=_moment(first),
        notes=tuple(notes),
    )  # fmt: skip


def _images(source: Source) -> list[tuple[Any, dict[str, Any], list[dict[str, Any]]]]:
    """Return arrays (Y, X, frames) with the description of the first frame and of each."""
    answer = answer_of(source, Path(velox_probe.__file__), str(MAX_PIXELS))
    line, _, rest = answer.partition(b"\n")
    found, at = [], 0
    for one in json.loads(line):
        shape, dtype = tuple(int(n) for n in one["shape"]), np.dtype(one["dtype"])
        count = math.prod(shape)
        if count == 0 or at + count * dtype.itemsize > len(rest):
            raise damaged(source, f"an image of {shape}", "one with pixels")
        stack = np.frombuffer(rest, dtype, count, at).reshape(shape)
        at += stack.nbytes
        texts = [_json(source, text) for text in one["metadata"]]
        found.append((stack, texts[0] if texts else {}, texts))
    return found


def _json(source: Source, text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise damaged(source, f"a description of an image that begins with {text[:30]!r}", "JSON") from None
    return read if isinstance(read, dict) else {}


def _said(told: dict[str, Any], pixel_nm: float) -> dict[str, object]:
    voltage, dwell = number_of(_at(told, "Optics", "AccelerationVoltage")), number_of(_at(told, "Scan", "DwellTime"))
    return {
        "pixel_nm": pixel_nm if math.isfinite(pixel_nm) else None,
        "accelerating_voltage_kv": voltage / 1e3 if voltage and 1e3 <= voltage <= 3e6 else None,
        "dwell_time_ms": dwell * 1e3 if dwell and 1e-9 < dwell < 1e3 else None,
        "scan_rotation_deg": _degrees(_at(told, "Scan", "ScanRotation")),
    }


def _degrees(value: object) -> float | None:
    angle = number_of(value)
    return math.degrees(angle) if angle is not None and abs(angle) <= 2 * math.pi else None


def _moment(told: dict[str, Any]) -> datetime | None:
    seconds = number_of(_at(told, "Acquisition", "AcquisitionStartDatetime", "DateTime"))
    return datetime.fromtimestamp(seconds, UTC) if seconds and 0 < seconds < 4e9 else None


def _at(tree: object, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _word(tree: object, *names: str) -> str | None:
    value = _at(tree, *names)
    return value.strip()[:80] or None if isinstance(value, str) else None
