"""What a scan of diffraction patterns says of itself: mean pattern, dose, centres of mass, orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import FitFailed, WrongContent
from rutile_assets.techniques.stem4d.disc import Disc
from rutile_assets.techniques.stem4d.orientation import Orientation, from_curl, from_shadows

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CHUNK_BYTES = 32 * 1024**2
DARK_FRAME = 0.2  # of the median dose: below, a frame is missing
MOST_BAD_FRAMES = 0.2
GROUPS_ACROSS = 12  # of bright-field pixels, along the disc's diameter
RIM = 1.5  # pixels at the disc's edge that belong neither to it nor to the dark field
DECISIVE = 0.8  # the runner-up's agreement below which an orientation is taken
SHADOWS_FROM = 1.0  # waves of defocus at the aperture's edge from which shadows are looked for


@dataclass(frozen=True)
class Stem4dParameters:
    """What a person may choose about a scan of diffraction patterns.

    Parameters
    ----------
    disc_structure_pixels : float
        One sigma by which a crystal's structure may shift the apparent radius of the disc [pixels]; simulated rutile of
        10 nm shifts it by 0.05 at a radius of 33 and by 0.13 at one of 17.
    thickest_nm : float
        What the sample may be thick at most, where the sidecar does not say [nm].
    dose_tolerance_fraction : float
        By how much the dose of the patterns and of the beam current may differ without a flag.
    """

    disc_structure_pixels: float = 0.1
    thickest_nm: float = 25.0
    dose_tolerance_fraction: float = 0.25


@dataclass(frozen=True)
class Survey:
    """First look at all patterns.

    Parameters
    ----------
    mean_pattern : ndarray
        (Y, X) mean over the usable patterns [as stored].
    dose : ndarray
        (scan Y, scan X) sum of each pattern, NaN where it holds what is no number [as stored].
    usable : ndarray of bool
        (scan Y, scan X) False where a pattern is missing or is no numbers.
    saturated_pixels : int
        Detector pixels that reached the detector's limit in some pattern.
    notes : tuple of str
        What was found, a sentence each.
    """

    mean_pattern: FloatArray
    dose: FloatArray
    usable: BoolArray
    saturated_pixels: int
    notes: tuple[str, ...]


def chunks(shape: tuple[int, int, int, int], itemsize: int) -> list[slice]:
    """Return slices of scan lines that hold about `CHUNK_BYTES` each."""
    line = max(1, shape[1] * shape[2] * shape[3] * itemsize)
    lines = max(1, CHUNK_BYTES // line)
    return [slice(start, min(start + lines, shape[0])) for start in range(0, shape[0], lines)]


def doses(frames: Any) -> FloatArray:
    """Return the sum of each pattern (scan Y, scan X), NaN where one holds what is no finite number."""
    shape = frames.shape
    found = np.empty(shape[:2])
    with np.errstate(over="ignore", invalid="ignore"):
        for lines in chunks(shape, frames.dtype.itemsize):
            found[lines] = np.asarray(frames[lines]).sum(axis=(2, 3), dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def usable_frames(dose: FloatArray) -> tuple[BoolArray, tuple[str, ...]]:
    """Tell which patterns can be used from their doses, (Y, X) of the scan [ADU].

    Returns
    -------
    usable : ndarray of bool
        (scan Y, scan X).
    notes : tuple of str
        A sentence where some cannot.

    Raises
    ------
    WrongContent
        More than a fifth cannot, or nothing was counted.
    """
    broken = np.isnan(dose)
    known = dose[~broken]
    middle = float(np.median(known)) if known.size else 0.0
    if not middle > 0:
        raise WrongContent(
            f"patterns whose median dose is {middle:g}" if known.size else "patterns that hold no numbers (NaN)",
            "counts above 0", "Check the file, its type and whether the beam was on.",
        )  # fmt: skip
    missing = ~broken & ~(np.nan_to_num(dose) > DARK_FRAME * middle)
    usable = ~broken & ~missing
    notes = []
    for what, which in (("with NaN or infinite pixels", broken), ("missing: next to no counts", missing)):
        if which.any():
            row, column = np.argwhere(which)[0]
            notes.append(
                f"{int(which.sum())} of {which.size} patterns {what}; the first: line {row + 1}, position {column + 1}."
            )
    if (~usable).mean() > MOST_BAD_FRAMES:
        raise WrongContent(
            " ".join(notes).rstrip("."), f"at most {MOST_BAD_FRAMES:.0%} of them", "Check the file and the scan shape."
        )
    return usable, tuple(notes)


def survey(frames: Any, largest_value: float | None) -> Survey:
    """Look at every pattern once.

    Parameters
    ----------
    frames : array-like
        (scan Y, scan X, Y, X), a map of the file.
    largest_value : float, optional
        What the detector can count at most [as stored].

    Raises
    ------
    WrongContent
        See `usable_frames`.
    """
    dose = doses(frames)
    usable, notes = usable_frames(dose)
    total = np.zeros(frames.shape[2:])
    saturated = np.zeros(frames.shape[2:], dtype=bool)
    for lines in chunks(frames.shape, frames.dtype.itemsize):
        block = np.asarray(frames[lines])[usable[lines]]
        total += block.sum(axis=0, dtype=np.float64)
        if largest_value is not None and len(block):
            saturated |= (block >= largest_value).any(axis=0)
    count = int(saturated.sum())
    if count:
        notes = (*notes, f"{count} pixels saturate (at {largest_value:g}): their intensities are too low.")
    return Survey(total / usable.sum(), dose, usable, count, notes)


@dataclass(frozen=True)
class VirtualImages:
    """What detectors made of the pixels would have seen.

    Parameters
    ----------
    bright_field, dark_field : ndarray
        (scan Y, scan X) sum inside the disc, and beyond it [as stored].
    com_pixels : ndarray
        (2, scan Y, scan X) centre of mass (row, column) from the disc's centre [detector pixels].
    groups : ndarray
        (K, scan Y, scan X) sums over groups of bright-field pixels [as stored].
    group_pixels : ndarray
        (K, 2) mean place of each group (row, column) from the disc's centre [detector pixels].
    """

    bright_field: FloatArray
    dark_field: FloatArray
    com_pixels: FloatArray
    groups: FloatArray
    group_pixels: FloatArray


def virtual_images(frames: Any, usable: BoolArray, disc: Disc) -> VirtualImages:
    """Form the virtual images of a scan; patterns that are not usable take the mean of the others.

    Parameters
    ----------
    frames : array-like
        (scan Y, scan X, Y, X) [ADU].
    usable : ndarray of bool
        (scan Y, scan X).
    disc : Disc
        The bright-field disc.
    """
    scan, detector = frames.shape[:2], frames.shape[2:]
    distance = disc.distances(detector)
    rows, columns = np.mgrid[: detector[0], : detector[1]]
    inside, beyond = distance < disc.radius - RIM, distance > disc.radius + RIM
    label, places = _groups(rows - disc.row, columns - disc.column, inside, disc.radius)
    weights = np.zeros((4 + len(places), detector[0] * detector[1]), dtype=np.float32)
    for i, weight in enumerate((np.ones(detector), rows - disc.row, columns - disc.column, beyond)):
        weights[i] = weight.ravel()
    weights[4 + label, np.flatnonzero(inside.ravel())] = 1.0
    sums = np.empty((len(weights), *scan))
    for lines in chunks(frames.shape, 4):
        block = np.asarray(frames[lines], dtype=np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            found = block.reshape(-1, detector[0] * detector[1]) @ weights.T
        sums[:, lines] = found.T.reshape(len(weights), -1, scan[1])
    sums[:, ~usable] = sums[:, usable].mean(axis=1, keepdims=True)
    com = sums[1:3] / np.maximum(sums[0], np.finfo(float).tiny)
    return VirtualImages(sums[4:].sum(axis=0), sums[3], com, sums[4:], places)


def _groups(
    rows: FloatArray, columns: FloatArray, inside: BoolArray, radius: float
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Return the group (P) of each pixel inside, and the mean place (K, 2) of each group."""
    side = max(1.0, 2.0 * radius / GROUPS_ACROSS)
    key = np.floor(rows[inside] / side + 0.5) * 1000 + np.floor(columns[inside] / side + 0.5)
    _, label = np.unique(key, return_inverse=True)
    count = np.bincount(label)
    places = np.stack([np.bincount(label, weights=v[inside]) / count for v in (rows, columns)], axis=1)
    return label, places


@dataclass(frozen=True)
class Found:
    """How the detector lies, and what speaks against it.

    Parameters
    ----------
    orientation : Orientation
        The one to use.
    curl : Orientation or None
        From the curl alone.
    decided : bool
        Whether the data tell mirror image and sign.
    notes : tuple of str
        Sentences.
    """

    orientation: Orientation
    curl: Orientation | None
    decided: bool
    notes: tuple[str, ...]


def find_orientation(
    images: VirtualImages,
    pixel_mrad: float,
    step_nm: float,
    overfocus_nm: float | None,
    thickest_nm: float,
    defocus_waves: float,
) -> Found:
    """Find how the detector lies to the scan: from shadow images where the beam is defocused, else from the curl.

    Parameters
    ----------
    images : VirtualImages
        Of the scan; those of the groups as (K, scan Y, scan X).
    pixel_mrad : float
        Of the detector [mrad].
    step_nm : float
        Of the scan [nm].
    overfocus_nm : float or None
        Crossover above the sample > 0 [nm].
    thickest_nm : float
        Bound on the sample's thickness [nm].
    defocus_waves : float
        overfocus alpha^2 / (2 lambda): shadows show from about one.
    """
    curl = from_curl(pixel_mrad * images.com_pixels, images.dark_field, step_nm)
    if overfocus_nm is None or abs(defocus_waves) < SHADOWS_FROM:
        why = "no overfocus is given" if overfocus_nm is None else "the beam is hardly defocused"
        caution = (
            f"Rotation and mirror from the curl, as {why}; its sign takes for granted that electrons turn towards "
            "atoms, which a thick crystal can reverse."
        )
        return Found(curl, curl, curl.runner_up_ratio < DECISIVE, (caution,))
    keep = images.groups.mean(axis=(1, 2)) > 0
    shadows = from_shadows(
        images.groups[keep], pixel_mrad * images.group_pixels[keep], step_nm, overfocus_nm, thickest_nm
    )
    notes: list[str] = []
    apart = (shadows.rotation_deg - curl.rotation_deg + 90.0) % 180.0 - 90.0
    sigma = float(np.hypot(shadows.rotation_deg_std, curl.rotation_deg_std))
    if curl.transpose != shadows.transpose or abs(apart) > max(3.0 * sigma, 3.0):
        notes.append(
            f"The curl says transpose {curl.transpose}, {curl.rotation_deg:.1f} deg (or 180 deg more): it disagrees."
        )
    elif abs((shadows.rotation_deg - curl.rotation_deg + 180.0) % 360.0 - 180.0) > 90.0:
        notes.append(
            "Centres of mass turn away from atoms here: overfocus and thickness reverse the thin sample's sign."
        )
    decided = shadows.runner_up_ratio < DECISIVE
    if not decided:
        notes.append(f"The next orientation agrees {shadows.runner_up_ratio:.0%} as well: it is not certain.")
    return Found(shadows, curl, decided, tuple(notes))


def expected_electrons(beam_current_pa: float, dwell_time_ms: float) -> float:
    """Return the electrons of one pattern, I t / e; current in pA, time in ms."""
    return 1e-15 * beam_current_pa * dwell_time_ms / ELEMENTARY_CHARGE_C.value


def scan_com(com_pixels: FloatArray, pixel_mrad: float, orientation: Orientation) -> FloatArray:
    """Return centres of mass along (slow, fast), (2, scan Y, scan X) [mrad], their mean taken off.

    Parameters
    ----------
    com_pixels : ndarray
        (2, scan Y, scan X) (row, column) on the detector [pixels].
    pixel_mrad : float
        [mrad].
    orientation : Orientation
        How the detector lies.
    """
    turned = np.einsum("ji,jyx->iyx", orientation.matrix, pixel_mrad * com_pixels)
    return np.asarray(turned - turned.mean(axis=(1, 2), keepdims=True))


def required(value: object, key: str) -> float:
    """Return a number of the calibration.

    Raises
    ------
    FitFailed
        Nobody gave it.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise FitFailed(
            f"no {key}", f"{key} in the sidecar or the instrument's header", f"Write {key} into the sidecar."
        )
    return float(value)
