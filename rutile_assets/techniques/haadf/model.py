"""From frames of one place to an average in place: rotations, drift, lines, scale, and what is left of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed, WrongContent
from rutile_assets.techniques.haadf.lattice import DriftFit, Waves, find_waves, fit_drift, refined_waves, rotation
from rutile_assets.techniques.haadf.rows import Registered, Scans, place, register, scans_of
from rutile_assets.techniques.haadf.scale import Scale, substrate_scale

FloatArray = npt.NDArray[np.float64]

LEAST_SIDE_PX = 64
LARGEST_PIXEL_NM = 0.1
LEAST_CORRELATION = 0.25  # of pixels two to four apart; blank fields have up to 0.19, columns 0.8
SNAP_DEG = 3.0
STEP_DEG = 5.0


@dataclass(frozen=True)
class HaadfParameters:
    """How the frames are put together.

    Parameters
    ----------
    column_time_ratio : float
        Time from column to column over that from line to line; 0 takes one over the number of columns.
    substrate_spacing_nm : float
        Side of the square in which the substrate's columns stand; 0 takes that of growth.yaml's substrate [nm].
    """

    column_time_ratio: float = 0.0
    substrate_spacing_nm: float = 0.0


@dataclass(frozen=True)
class Series:
    """A series put together.

    Parameters
    ----------
    angles_deg : ndarray
        (K) scan rotation against the first frame, counterclockwise as seen [deg].
    angles_source : str
        ``file`` or ``data``.
    drift : DriftFit or None
        None for a single frame.
    registered : Registered
        The average and where the lines stood.
    scale : Scale or None
        None where the substrate's lattice is not known here.
    correlation : float or None
        Mean correlation of each frame with those before it.
    notes : tuple of str
        What a reader must know.
    """

    angles_deg: FloatArray
    angles_source: str
    drift: DriftFit | None
    registered: Registered
    scale: Scale | None
    correlation: float | None
    notes: tuple[str, ...]


def check_image(image: FloatArray, pixel_nm: float | None) -> None:
    """Refuse an image in which no atomic columns can be seen, with the reason.

    Parameters
    ----------
    image : ndarray
        (Y, X).
    pixel_nm : float or None
        As given [nm].

    Raises
    ------
    WrongContent
        Too few pixels, an empty or blank field, pixels too large for columns.
    """
    rows, columns = image.shape
    what_to_do = "Drop the image with atomic columns; this one is of no use to this room."
    if min(rows, columns) < LEAST_SIDE_PX:
        raise WrongContent(f"an image of {rows} x {columns} pixels", f"{LEAST_SIDE_PX} a side or more", what_to_do)
    seen = image[np.isfinite(image)]
    spread = float(seen.std()) if seen.size else 0.0
    if spread == 0.0:
        raise WrongContent("an empty image: all pixels are the same", "an image with atomic columns", what_to_do)
    flat = np.where(np.isfinite(image), image - seen.mean(), 0.0)
    pairs = [abs(np.mean(way[lag:] * way[:-lag])) for way in (flat, flat.T) for lag in (2, 3, 4)]
    if max(pairs) < LEAST_CORRELATION * spread**2:
        raise WrongContent(
            f"a blank field: noise of {spread:.3g} about {float(seen.mean()):.6g} without structure",
            "an image with atomic columns", what_to_do,
        )  # fmt: skip
    if pixel_nm is not None and pixel_nm > LARGEST_PIXEL_NM:
        raise WrongContent(f"pixels of {pixel_nm:.4g} nm", f"{LARGEST_PIXEL_NM} nm or less: columns", what_to_do)


def put_together(
    frames: FloatArray,
    angles_deg: Sequence[float] | None,
    pixel_nm: float,
    *,
    column_time_ratio: float = 0.0,
    substrate_nm: float | None = None,
    normal_angle_deg: float | None = None,
) -> Series:
    """Correct the drift of a series, average it, and measure its scale.

    Parameters
    ----------
    frames : ndarray
        (K, Y, X) of one place.
    angles_deg : sequence of float or None
        (K) scan rotations as the files say them, whatever their sense; None where they say none.
    pixel_nm : float
        As given [nm].
    column_time_ratio : float
        See `HaadfParameters`.
    substrate_nm : float, optional
        See `substrate_scale`.
    normal_angle_deg : float, optional
        Direction of [110] outwards in the first frame.

    Raises
    ------
    FitFailed
        No lattice, or several frames of one scan rotation.
    """
    ratio = column_time_ratio or 1.0 / frames.shape[2]
    notes: list[str] = []
    first = find_waves(frames[0])
    angles, source, drift, correlation = np.zeros(1), "file", None, None
    if len(frames) > 1:
        source = "data" if angles_deg is None else "file"
        guesses = (
            [_angles_of(frames, first)]
            if angles_deg is None
            else [np.asarray(angles_deg) - angles_deg[0], angles_deg[0] - np.asarray(angles_deg)]
        )
        tried = [_placed(frames, first, guess, pixel_nm, ratio) for guess in guesses]
        best = int(np.argmax([one[2] for one in tried]))
        angles, (drift, scans, correlation) = guesses[best], tried[best]
        if best:
            notes.append("The files count scan rotations clockwise.")
        if source == "data":
            said = ", ".join(f"{a:.0f}" for a in angles)
            notes.append(f"Nobody gives the scan rotations; the frames say {said} deg against the first.")
    else:
        scans = scans_of([0.0], np.zeros((1, 2)), ratio, frames.shape[1])
        notes.append("One frame alone: its drift cannot be told from a distortion of the scan.")
    registered = register(frames, scans)
    scale = None
    if substrate_nm is not None:
        try:
            scale = substrate_scale(registered.image, pixel_nm, substrate_nm, normal_angle_deg)
        except FitFailed as fault:
            notes.append(f"No scale from the substrate: {fault.found}, where {fault.expected} was expected.")
    return Series(angles, source, drift, registered, scale, correlation, tuple(notes))


def _placed(
    frames: FloatArray, first: Waves, angles: FloatArray, pixel_nm: float, ratio: float
) -> tuple[DriftFit, Scans, float]:
    waves = [first]
    for frame, angle in zip(frames[1:], angles[1:], strict=True):
        waves.append(refined_waves(frame, first.frequency_per_px @ rotation(angle)))
    drift = fit_drift(waves, list(angles), pixel_nm, ratio)
    scans = scans_of(list(angles), drift.drift_nm / pixel_nm, ratio, frames.shape[1])
    period = 1.0 / float(np.hypot(*(drift.wave_per_nm[0] * pixel_nm)))
    scans, correlation = place(frames, scans, period)
    return drift, scans, correlation


def _angles_of(frames: FloatArray, first: Waves) -> FloatArray:
    """Return scan rotations against the first frame, from the lattice within its symmetry and the image beyond it."""
    period = 1.0 / float(np.hypot(*first.frequency_per_px[0]))
    here = np.rad2deg(np.arctan2(*first.frequency_per_px[0]))
    found = [0.0]
    for frame in frames[1:]:
        there = find_waves(frame).frequency_per_px
        turns = {float((here - np.rad2deg(np.arctan2(*wave))) % 90.0) for wave in there}
        candidates = []
        for turn in turns:
            near = STEP_DEG * round(turn / STEP_DEG)
            snapped = near if abs(turn - near) < SNAP_DEG else turn
            candidates += [(snapped + quarter) % 360.0 for quarter in (0.0, 90.0, 180.0, 270.0)]
        pair = np.stack([frames[0], frame])
        scores = []
        for angle in candidates:
            scans = scans_of([0.0, angle], np.zeros((2, 2)), 0.0, frames.shape[1])
            scores.append(place(pair, scans, period)[1])
        found.append(candidates[int(np.argmax(scores))])
    return np.array(found)
