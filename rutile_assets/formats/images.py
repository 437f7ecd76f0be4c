"""What the readers of electron-microscope images share: channels of frames, and the settings that go with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.channels import MAX_PIXELS
from rutile_assets.formats.diffraction import calibration
from rutile_assets.formats.measurement import Channel, Setting, Source
from rutile_assets.formats.text import damaged

MAX_IMAGE_SIDE = 65_536
MAX_IMAGES = 4096
LENGTHS_NM = {"nm": 1.0, "m": 1e9, "meter": 1e9, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "pm": 1e-3}
LENGTHS_NM |= {"a": 0.1, "å": 0.1, "angstrom": 0.1, "mm": 1e6, "cm": 1e7}


def image_channels(
    source: Source, label: str, frames: Sequence[Any], pixel_size_nm: tuple[float, float] | None
) -> list[Channel]:
    """Return one channel ``intensity_counts`` for each frame of a detector.

    Parameters
    ----------
    source : Source
        Named in errors.
    label : str
        The detector as the file calls it; frames of a series get a number.
    frames : sequence of ndarray
        Each (Y, X), row 0 at the top of the image as the microscope shows it.
    pixel_size_nm : (float, float) or None
        Along x and y [nm]; None where the file says none, and the size is NaN.

    Raises
    ------
    UnreadableFile
        No frame, too many or too large ones, pixels that are complex or of several colours.
    """
    total = sum(int(np.size(frame)) for frame in frames)
    if not frames or len(frames) > MAX_IMAGES or not 0 < total <= MAX_PIXELS:
        raise damaged(
            source, f"{len(frames)} images of {total} pixels in all", f"1 to {MAX_IMAGES} images, {MAX_PIXELS} pixels"
        )
    known = pixel_size_nm is not None and all(np.isfinite(p) and 0 < p < 1e9 for p in pixel_size_nm)
    size = pixel_size_nm if known and pixel_size_nm is not None else (float("nan"), float("nan"))
    channels = []
    for number, frame in enumerate(frames, start=1):
        if frame.ndim != 2 or frame.dtype.kind not in "uif" or max(frame.shape) > MAX_IMAGE_SIDE:
            raise UnreadableFile(
                f"an image of shape {frame.shape} and type {frame.dtype}", "grey values, (rows, columns)",
                "Export the detector's own image.", source.name,
            )  # fmt: skip
        name = label if len(frames) == 1 else f"{label} frame {number}"
        values = np.asarray(frame, dtype=np.float64)
        values = values if np.isfinite(values).all() else np.where(np.isfinite(values), values, np.nan)
        channels.append(Channel(name, "intensity_counts", values, "counts", *size))
    return channels


def length_nm(value: object, unit: object) -> float | None:
    """Return a length in nm from a number and a unit as files write them, None where it is no positive length."""
    factor = LENGTHS_NM.get(str(unit).strip().lower())
    number = number_of(value)
    return factor * number if factor is not None and number is not None and number > 0 else None


def number_of(value: object) -> float | None:
    """Return a finite number where there is one, also from text with a decimal comma, else None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(str(value).strip().replace(",", "."))
    except ValueError:
        return None
    return number if np.isfinite(number) and abs(number) < 1e100 else None


def image_settings(source: Source, layers: Sequence[tuple[str, Mapping[str, object]]]) -> dict[str, Setting]:
    """Return what file, header and sidecar say of an image; see `calibration`. What no one can believe is left out.

    ``frame_rotations_deg`` of the sidecar is a list: the scan rotation of each frame of a file of several.

    Raises
    ------
    UnreadableFile
        The sidecar gives something that is no number, or no list of numbers.
    """
    believed = [(who, {k: v for k, v in values.items() if v is not None}) for who, values in layers]
    settings = calibration(source, believed)
    rotations = source.declared.get("frame_rotations_deg", next(_lists(believed), None))
    if rotations is not None:
        if not isinstance(rotations, list) or not rotations or any(number_of(r) is None for r in rotations):
            raise UnreadableFile(
                f"frame_rotations_deg: {str(rotations)[:60]}", "a list of angles", "Correct the sidecar.", source.name
            )
        settings["frame_rotations_deg"] = [float(r) for r in rotations]
    return settings


def _lists(layers: Sequence[tuple[str, Mapping[str, object]]]) -> Iterator[Any]:
    return (values["frame_rotations_deg"] for _, values in reversed(layers) if "frame_rotations_deg" in values)
