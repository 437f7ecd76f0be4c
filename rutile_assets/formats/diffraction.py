"""What the readers of 4D-STEM files share: the keys of the calibration, who said them, and the shape of the scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import INSTRUMENT_HEADER, DiffractionStack, Setting, Source
from rutile_assets.formats.text import truncated

# key of a sidecar or header -> least and largest value that is believed
CALIBRATION: dict[str, tuple[float, float]] = {
    "accelerating_voltage_kv": (1.0, 3000.0),
    "convergence_semi_angle_mrad": (1e-3, 500.0),
    "detector_pixel_mrad": (1e-6, 100.0),
    "detector_pixel_per_angstrom": (1e-6, 100.0),
    "scan_step_nm": (1e-4, 1e4),
    "overfocus_nm": (-1e5, 1e5),
    "beam_current_pa": (1e-6, 1e6),
    "dwell_time_ms": (1e-6, 1e6),
    "adu_per_electron": (1e-6, 1e6),
    "sample_thickness_nm": (0.1, 1e4),
    "detector_rotation_deg": (-360.0, 360.0),
    "saturation_counts": (1e-6, 1e12),
    "camera_length_mm": (0.1, 1e5),
    "screen_current_pa": (-1e6, 1e6),
    "scan_rotation_deg": (-360.0, 360.0),
    "pixel_nm": (1e-5, 1e6),
    "normal_angle_deg": (-360.0, 360.0),
}
WORDS = ("slow_axis", "scan_shape", "detector_transpose", "dataset", "technique", "series", "frame_rotations_deg")
CLOSE = 0.8
MAX_FRAMES = 1 << 26
MAX_SIDE = 8192


def calibration(source: Source, layers: Sequence[tuple[str, Mapping[str, object]]]) -> dict[str, Setting]:
    """Return the calibration that a file, its header and its sidecar give; what comes later wins.

    Parameters
    ----------
    source : Source
        Its `declared` values win over all, save those of the instrument's own header, which come first.
    layers : sequence
        (who says so, values), lowest first: ``file``, ``xml``.

    Returns
    -------
    dict
        Each value under its key, and who said it under ``<key>_source``: ``sidecar``, ``xml``, ``hdr`` or ``file``.

    Raises
    ------
    UnreadableFile
        A declared value is no number, is beyond belief, or its key is a misspelt one.
    """
    declared = {k: v for k, v in source.declared.items() if k != INSTRUMENT_HEADER}
    for key in declared:
        near = get_close_matches(key, (*CALIBRATION, *WORDS), 1, CLOSE)
        if near and key not in CALIBRATION and key not in WORDS:
            raise UnreadableFile(f"the key {key!r} in the sidecar", f"{near[0]!r}", "Correct the sidecar.", source.name)
    settings: dict[str, Setting] = {}
    for who, values in (*layers, ("sidecar", declared)):
        for key, value in values.items():
            if key in CALIBRATION:
                settings[key] = _number(source, who, key, value)
                settings[f"{key}_source"] = who
            elif key not in ("scan_shape", "technique") and isinstance(value, str | bool | int | float):
                settings[key] = value
    return settings


def instrument_header(source: Source) -> dict[str, object]:
    """Return what the instrument's own header beside the file says; empty where there is none."""
    said = source.declared.get(INSTRUMENT_HEADER)
    return {str(k): v for k, v in said.items()} if isinstance(said, dict) else {}


def scan_shape(source: Source, layers: Sequence[tuple[str, Mapping[str, object]]]) -> tuple[tuple[int, int], str]:
    """Return (slow, fast) numbers of positions, and who said so: the sidecar first, then the last layer that knows.

    Raises
    ------
    UnreadableFile
        Nobody says, or what is said is no shape.
    """
    for who, values in (("sidecar", source.declared), *reversed(layers)):
        given = values.get("scan_shape")
        if given is None:
            continue
        if (
            isinstance(given, Sequence)
            and not isinstance(given, str)
            and len(given) == 2
            and all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= MAX_FRAMES for n in given)
            and int(given[0]) * int(given[1]) <= MAX_FRAMES
        ):
            return (int(given[0]), int(given[1])), who
        raise UnreadableFile(
            f"scan_shape {str(given)[:60]} of the {who}", "[slow, fast], two whole numbers", "Correct it.", source.name
        )
    raise UnreadableFile(
        "diffraction patterns whose scan shape nobody says",
        "the header that the instrument wrote beside them, or scan_shape: [slow, fast]",
        f"Drop the header with the data, or write {PurePosixPath(source.name).name}.yaml beside it.",
        source.name,
    )


def mapped(
    source: Source,
    frame: np.dtype[Any],
    scan: tuple[int, int],
    said_by: str,
    *,
    offset: int = 0,
    largest_value: float | None = None,
) -> DiffractionStack:
    """Return the stack of a file of equal frames, mapped and not read.

    Parameters
    ----------
    source : Source
        The file.
    frame : dtype
        One frame as it lies in the file; its field ``data`` is the pattern.
    scan : tuple of int
        (slow, fast).
    said_by : str
        Who said so, for the message.
    offset : int
        Where the first frame begins [bytes].
    largest_value : float, optional
        See `DiffractionStack`.

    Raises
    ------
    UnreadableFile
        The file ends within a frame, or holds fewer or more frames than the scan has positions.
    """
    size = source.path.stat().st_size - offset
    whole, rest = divmod(size, frame.itemsize)
    wanted = scan[0] * scan[1]
    asked = f"{wanted} frames for the scan of {scan[0]} x {scan[1]} that the {said_by} gives"
    if rest or whole <= 0:
        found = f"{max(size, 0) / frame.itemsize:.2f} frames of {frame.itemsize} bytes: it ends within one"
        raise truncated(source, found, asked)
    if whole < wanted:
        raise truncated(source, f"{whole} frames: {wanted - whole} are missing", asked)
    if whole > wanted:
        raise UnreadableFile(
            f"{whole} frames", asked, "Correct scan_shape, or drop the header that belongs to this file.", source.name
        )
    height, width = frame["data"].shape
    path = source.path

    def opened() -> Any:
        frames: Any = np.memmap(path, dtype=frame, mode="r", offset=offset, shape=scan)
        return frames["data"]

    return DiffractionStack((*scan, height, width), frame["data"].base.str, opened, largest_value)


def _number(source: Source, who: str, key: str, value: object) -> float:
    least, largest = CALIBRATION[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= float(value) <= largest:
        raise UnreadableFile(
            f"{key}: {str(value)[:60]} of the {who}",
            f"a number between {least:g} and {largest:g}",
            "Correct it; the unit stands in the key.",
            source.name,
        )
    return float(value)
