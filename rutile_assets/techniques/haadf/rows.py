"""Where each line of each frame stood on the sample, and the average of the frames put in place.

After the drift's straight part every line may still stand a little off, in both directions: a smooth wander and a
jitter. Each line is compared with the average of the other frames (C. Ophus, J. Ciston and C. T. Nelson,
Ultramicroscopy 162, 1 (2016), doi 10.1016/j.ultramic.2015.12.002); the wander's and the jitter's sizes are those that
make the data most probable, and a line's error follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky_banded, solveh_banded
from scipy.ndimage import gaussian_filter, laplace, map_coordinates
from scipy.optimize import minimize

from rutile_assets.techniques.haadf.lattice import rotation

FloatArray = npt.NDArray[np.float64]

ROUNDS = 4
SMOOTH_PX = 0.7  # of the average that lines are compared with
LEAST_COVER = 0.5
OFFSET_TAPER = 0.02  # loss of correlation for an offset of one lattice period from where the drift points
LEAST_STEP_PX, LARGEST_STEP_PX = 1e-4, 1.0


@dataclass(frozen=True)
class Scans:
    """How the frames lie on the sample; lengths in pixels of the output.

    Parameters
    ----------
    affine : ndarray
        (K, 2, 2) output (row, column) from a frame's, both from their centres.
    offset_px : ndarray
        (K, 2) of the frames' centres.
    lines_px : ndarray
        (K, Y, 2) of each line beyond that.
    """

    affine: FloatArray
    offset_px: FloatArray
    lines_px: FloatArray


@dataclass(frozen=True)
class Registered:
    """The frames in place.

    Parameters
    ----------
    image : ndarray
        (Y, X) average; NaN where no frame looked.
    cover : ndarray
        (Y, X) number of frames at each pixel.
    scans : Scans
        Where they stood.
    lines_std_px : ndarray
        (K, Y, 2) one sigma of each line's place.
    affine_rms_px, affine_rms_std_px : float
        Straight part that the lines still showed against the others at a frame's edge, after the lattice's drift was
        taken off: root mean square over the frames, and its one sigma from how much they differ.
    lines_rms_px, lines_rms_std_px : float
        What was taken off beyond the straight part, the same.
    jitter_px : float
        Of a line alone, standard deviation.
    """

    image: FloatArray
    cover: FloatArray
    scans: Scans
    lines_std_px: FloatArray
    affine_rms_px: float
    affine_rms_std_px: float
    lines_rms_px: float
    lines_rms_std_px: float
    jitter_px: float


@dataclass(frozen=True)
class _Seen:
    """What a frame's lines say of their places: information I (Y, 2, 2) [1/px2] and I times place (Y, 2) [1/px]."""

    information: FloatArray
    pull: FloatArray


def scans_of(angles_deg: Sequence[float], drift_px: FloatArray, column_time_ratio: float, lines: int) -> Scans:
    """Return where frames lie by their rotations and drift from line to line (K, 2) [px] alone."""
    times = np.array([1.0, column_time_ratio])
    affine = np.array([rotation(a) + np.outer(d, times) for a, d in zip(angles_deg, drift_px, strict=True)])
    return Scans(affine, np.zeros((len(affine), 2)), np.zeros((len(affine), lines, 2)))


def warped(frame: FloatArray, scans: Scans, k: int, shape: tuple[int, int]) -> FloatArray:
    """Return a frame on the output's grid (Y, X), NaN where it did not look."""
    n, m = frame.shape
    inverse = np.linalg.inv(scans.affine[k])
    y, x = np.meshgrid(*(np.arange(s) - 0.5 * (s - 1) for s in shape), indexing="ij")
    base = np.stack([y, x], axis=-1) - scans.offset_px[k]
    at = base @ inverse.T
    if scans.lines_px[k].any():
        for _ in range(3):
            row = np.clip(at[..., 0] + 0.5 * (n - 1), 0, n - 1)
            moved = np.stack([np.interp(row, np.arange(n), scans.lines_px[k][:, axis]) for axis in (0, 1)], axis=-1)
            at = (base - moved) @ inverse.T
    index = at + 0.5 * (np.array([n, m]) - 1)
    values = map_coordinates(frame, np.moveaxis(index, -1, 0), order=3, mode="nearest")
    inside = ((index >= 0) & (index <= np.array([n - 1, m - 1]))).all(axis=-1)
    return np.where(inside, values, np.nan)


def place(frames: FloatArray, scans: Scans, period_px: float) -> tuple[Scans, float]:
    """Return the scans with offsets by cross-correlation with the frames before, and the mean correlation.

    A crystal looks the same one period on: of offsets as good the one is taken to which the drift points.
    """
    shape = (frames.shape[1], frames.shape[2])
    flats = [frame - gaussian_filter(frame, 0.1 * min(shape)) for frame in frames]
    blurred = [gaussian_filter(frame, 0.3 * period_px) for frame in frames]
    frame_step = scans.affine[:, :, 0] - np.array([rotation_part(a)[:, 0] for a in scans.affine])
    offsets, total = np.zeros((len(frames), 2)), []
    means: list[FloatArray] = []
    for k in range(len(frames)):
        images = [_standard(warped(image[k], scans, k, shape)) for image in (flats, blurred)]
        if k:
            expected = offsets[k - 1] + 0.5 * frames.shape[1] * (frame_step[k] + frame_step[k - 1])
            offsets[k], best = _offset(images, [m / k for m in means], expected, period_px)
            total.append(best)
        here = replace(scans, offset_px=offsets)
        images = [_standard(warped(image[k], here, k, shape)) for image in (flats, blurred)]
        means = images if not k else [m + image for m, image in zip(means, images, strict=True)]
    return replace(scans, offset_px=offsets), float(np.mean(total)) if total else 1.0


def rotation_part(affine: FloatArray) -> FloatArray:
    """Return the rotation nearest to a matrix (2, 2)."""
    left, _, right = np.linalg.svd(affine)
    return np.asarray(left @ right)


def register(frames: FloatArray, scans: Scans) -> Registered:
    """Find each line's place against the average of the other frames, and average.

    Parameters
    ----------
    frames : ndarray
        (K, Y, X).
    scans : Scans
        Where they lie but for their lines.
    """
    shape = (frames.shape[1], frames.shape[2])
    now, affine_rms, affine_std = scans, 0.0, 0.0
    std = np.zeros_like(scans.lines_px)
    sizes = np.array([0.05, 0.002])
    for turn in range(ROUNDS if len(frames) > 1 else 0):
        stack = np.array([warped(frame, now, k, shape) for k, frame in enumerate(frames)])
        seen = [_seen(frames[k], stack, now, k) for k in range(len(frames))]
        sizes = _sizes(seen, sizes)
        lines = now.lines_px.copy()
        slopes = []
        for k, one in enumerate(seen):
            moved, std[k] = _solve(one, *sizes)
            lines[k] = moved
            slopes.append(_line_through(moved - now.lines_px[k], std[k]))
        if not turn:
            straight = np.array(slopes)
            affine_rms, affine_std = _rms(straight[:, :, 0])
        centre = lines.mean(axis=(0, 1))
        now = replace(now, lines_px=lines - centre)
    stack = np.array([warped(frame, now, k, shape) for k, frame in enumerate(frames)])
    cover = np.isfinite(stack).sum(axis=0)
    image = np.where(cover > 0, np.nansum(stack, axis=0) / np.maximum(cover, 1), np.nan)
    rows = np.arange(shape[0]) - 0.5 * (shape[0] - 1)
    bent = [line - line.mean(axis=0) - np.outer(rows, (rows @ line) / (rows @ rows)) for line in now.lines_px]
    lines_rms, lines_std = _rms(np.array(bent))
    return Registered(
        image, cover.astype(float), now, std, affine_rms, affine_std, lines_rms, lines_std, float(sizes[0])
    )


def _standard(image: FloatArray) -> FloatArray:
    """Return an image of mean 0 and norm 1, 0 where it was not seen, faded out towards its edge."""
    seen = np.isfinite(image)
    fade = gaussian_filter(seen.astype(float), 0.03 * min(image.shape)) * seen
    flat = np.where(seen, image, 0.0)
    flat = (flat - (flat * fade).sum() / fade.sum()) * fade
    return np.asarray(flat / np.sqrt((flat**2).sum()))


def _offset(
    images: Sequence[FloatArray], means: Sequence[FloatArray], expected: FloatArray, period_px: float
) -> tuple[FloatArray, float]:
    """Return the shift that puts an image over the mean of those before it, and the correlation there.

    The columns and the layers' brightness count alike: one gives the place within a period, the other which period.
    """
    shape = means[0].shape
    size = [2 * n for n in shape]
    score = np.zeros(size)
    for image, mean in zip(images, means, strict=True):
        norm = np.sqrt((mean**2).sum())
        score += 0.5 * np.fft.ifft2(np.fft.fft2(mean / norm, size) * np.conj(np.fft.fft2(image, size))).real
    shifts = np.meshgrid(*(np.fft.fftfreq(n, 1.0 / n) for n in size), indexing="ij")
    away = np.hypot(*(s - e for s, e in zip(shifts, expected, strict=True))) / period_px
    allowed = away * period_px < 0.4 * min(shape)
    taken = np.where(allowed, score - OFFSET_TAPER * away**2, -np.inf)
    best = np.unravel_index(np.argmax(taken), taken.shape)
    fine = []
    for axis, place_at in enumerate(best):
        around = [tuple(p if a != axis else (p + step) % size[a] for a, p in enumerate(best)) for step in (-1, 0, 1)]
        low, middle, high = (score[at] for at in around)
        bend = low - 2.0 * middle + high
        fine.append(np.fft.fftfreq(size[axis], 1.0 / size[axis])[place_at] + (0.5 * (low - high) / bend if bend else 0))
    return np.array(fine), float(score[best])


def _seen(frame: FloatArray, stack: FloatArray, scans: Scans, k: int) -> _Seen:
    """Compare each line with the average of the other frames where it stands."""
    n, m = frame.shape
    others = np.delete(stack, k, axis=0)
    count = np.isfinite(others).sum(axis=0)
    mean = np.where(count > 0, np.nansum(others, axis=0) / np.maximum(count, 1), np.nan)
    known = np.isfinite(mean)
    smooth = gaussian_filter(np.where(known, mean, np.nanmean(mean)), SMOOTH_PX)
    slope_y, slope_x = np.gradient(smooth)
    rows, columns = np.arange(n) - 0.5 * (n - 1), np.arange(m) - 0.5 * (m - 1)
    at = rows[:, None, None] * scans.affine[k][:, 0] + columns[None, :, None] * scans.affine[k][:, 1]
    at = at + scans.offset_px[k] + scans.lines_px[k][:, None, :]
    index = np.moveaxis(at + 0.5 * (np.array(mean.shape) - 1), -1, 0)
    bend_yy, bend_yx = np.gradient(slope_y)
    bend_xx = np.gradient(slope_x, axis=1)
    fields = (smooth, slope_y, slope_x, bend_yy, bend_yx, bend_xx, laplace(laplace(smooth)))
    expected, dy, dx, *sharper = (map_coordinates(a, index, order=3, mode="nearest") for a in fields)
    weight = map_coordinates((known & (count >= LEAST_COVER * len(others))).astype(float), index, order=1) > 0.99
    if not weight.any():
        return _Seen(np.zeros((n, 2, 2)), np.zeros((n, 2)))
    # a frame is sharper than the average: its curvatures are free, else a line beside a column seems to be moved
    design = np.stack([expected, np.ones_like(expected), *sharper], axis=-1)
    gain = np.linalg.lstsq(design[weight], frame[weight], rcond=None)[0]
    rest = np.where(weight, frame - design @ gain, 0.0)
    dy, dx = gain[0] * dy * weight, gain[0] * dx * weight
    power = np.stack(
        [np.stack([(dy * dy).sum(1), (dy * dx).sum(1)], -1), np.stack([(dy * dx).sum(1), (dx * dx).sum(1)], -1)], -1
    )
    pull = np.stack([(dy * rest).sum(1), (dx * rest).sum(1)], -1) + _times(power, scans.lines_px[k])
    variance = float(np.mean(rest[weight] ** 2))
    return _Seen(power / variance, pull / variance)


def _times(matrices: Any, vectors: Any) -> FloatArray:
    return np.asarray(np.einsum("nij,nj->ni", matrices, vectors))


def _banded(information: FloatArray, wander: float) -> FloatArray:
    """Return the lower bands (5, 2 Y) of: each line's information, and a prior on second differences."""
    n = len(information)
    bands = np.zeros((5, 2 * n))
    bands[0, 0::2], bands[0, 1::2] = information[:, 0, 0], information[:, 1, 1]
    bands[1, 0::2] = information[:, 0, 1]
    second = np.zeros((3, n))
    for shift, pair in ((0, (1.0, -2.0, 1.0)),):
        for i, a in enumerate(pair):
            for j, b in enumerate(pair):
                if i >= j:
                    second[i - j, j + shift : n - 2 + j + shift] += a * b
    for lag in range(3):
        bands[2 * lag, 0::2] += second[lag] / wander**2
        bands[2 * lag, 1::2] += second[lag] / wander**2
    bands[0] += 1e-9 * bands[0].max()
    return bands


def _softened(seen: _Seen, jitter: float) -> tuple[FloatArray, FloatArray]:
    """Return information and pull on the wander, the jitter integrated out: I (1 + s^2 I)^-1."""
    eye = np.eye(2)
    keep = np.linalg.inv(eye + jitter**2 * seen.information)
    return seen.information @ keep, _times(np.swapaxes(keep, 1, 2), seen.pull)


def _sizes(seen: Sequence[_Seen], start: FloatArray) -> FloatArray:
    """Return jitter and wander (second difference from line to line) that make the data most probable [px]."""
    some = seen[:: max(1, len(seen) // 4)]

    def cost(logs: FloatArray) -> float:
        jitter, wander = np.exp(np.clip(logs, np.log(LEAST_STEP_PX), np.log(LARGEST_STEP_PX)))
        total = 0.0
        for one in some:
            information, pull = _softened(one, jitter)
            bands = _banded(information, wander)
            half = cholesky_banded(bands, lower=True)
            solved = solveh_banded(bands, pull.ravel(), lower=True)
            grown = np.eye(2) + jitter**2 * one.information
            fit = jitter**2 * (one.pull * _times(np.linalg.inv(grown), one.pull)).sum()
            total += 2.0 * np.log(half[0]).sum() + 4.0 * (len(pull) - 2) * np.log(wander)
            total += np.log(np.linalg.det(grown)).sum() - pull.ravel() @ solved - fit
        return float(total)

    found = minimize(cost, np.log(start), method="Nelder-Mead", options={"xatol": 0.05, "fatol": 0.05, "maxiter": 60})
    return np.asarray(np.clip(np.exp(found.x), LEAST_STEP_PX, LARGEST_STEP_PX))


def _solve(seen: _Seen, jitter: float, wander: float) -> tuple[FloatArray, FloatArray]:
    """Return each line's place (Y, 2) and its one sigma."""
    information, pull = _softened(seen, jitter)
    bands = _banded(information, wander)
    smooth = solveh_banded(bands, pull.ravel(), lower=True).reshape(-1, 2)
    posterior = np.linalg.inv(np.eye(2) / jitter**2 + seen.information)
    jittered = _times(posterior, seen.pull - _times(seen.information, smooth))
    variance = np.stack([posterior[:, 0, 0], posterior[:, 1, 1]], axis=-1)
    shrink = np.eye(2) - posterior @ seen.information
    carried = np.stack([shrink[:, 0, 0], shrink[:, 1, 1]], axis=-1) ** 2 * _inverse_diagonal(bands).reshape(-1, 2)
    return smooth + jittered, np.sqrt(variance + carried)


def _inverse_diagonal(bands: FloatArray) -> FloatArray:
    """Return the diagonal of the inverse of a banded matrix, at every tenth line and in between."""
    size = bands.shape[1]
    chosen = np.unique(np.concatenate([np.arange(0, size // 2, 10), [size // 2 - 1]]))
    found = np.zeros((len(chosen), 2))
    for axis in (0, 1):
        units = np.zeros((size, len(chosen)))
        units[2 * chosen + axis, np.arange(len(chosen))] = 1.0
        found[:, axis] = solveh_banded(bands, units, lower=True)[2 * chosen + axis, np.arange(len(chosen))]
    rows = np.arange(size // 2)
    return np.column_stack([np.interp(rows, chosen, found[:, axis]) for axis in (0, 1)]).ravel()


def _line_through(moved: FloatArray, std: FloatArray) -> FloatArray:
    """Return (2, 2): for row and column the straight part at the frame's edge [px], and its one sigma."""
    n = len(moved)
    rows = (np.arange(n) - 0.5 * (n - 1)) / (0.5 * (n - 1))
    slope = rows @ moved / (rows @ rows)
    error = np.sqrt((std**2).mean(axis=0) / (rows @ rows))
    return np.stack([slope, error], axis=-1)


def _rms(values: FloatArray) -> tuple[float, float]:
    """Return the root mean square over frames (K, ...), and its one sigma from how much the frames differ."""
    squares = (values**2).reshape(len(values), -1).mean(axis=1)
    rms = float(np.sqrt(squares.mean()))
    if len(squares) < 2 or rms == 0.0:
        return rms, float("nan")
    return rms, float(squares.std(ddof=1) / np.sqrt(len(squares)) / (2.0 * rms))
