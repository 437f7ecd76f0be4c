"""The lattice in each frame, and what frames under different scan rotations say of the drift.

Along the fast axis a frame is nearly undistorted, along the slow one the sample drifts while it is scanned (X. Sang and
J. M. LeBeau, Ultramicroscopy 138, 28 (2014), doi 10.1016/j.ultramic.2013.12.004; C. Ophus, J. Ciston and C. T. Nelson,
Ultramicroscopy 162, 1 (2016), doi 10.1016/j.ultramic.2015.12.002): two rotations or more give lattice and drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.optimize import least_squares
from scipy.stats import chi2

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

LEAST_PERIOD_PX = 3.0
LEAST_PERIODS = 6.0  # across the image
LEAST_CONTRAST = 60.0  # of a peak over the median power at its distance; noise reaches 20
APART = 0.35  # sine of the angle between the two peaks
WEAKEST = 0.02  # of the strongest peak's power
NEWTON_STEPS = 30
HIGH_PER_PX = 0.4  # beyond it there is noise and no lattice
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Waves:
    """Two plane waves of a lattice in an image.

    Parameters
    ----------
    frequency_per_px : ndarray
        (2, 2) wave, (row, column) [1/px].
    covariance : ndarray
        (4, 4) of it, flattened.
    contrast : float
        Of the weaker peak's power over the median at its distance.
    """

    frequency_per_px: FloatArray
    covariance: FloatArray
    contrast: float


@dataclass(frozen=True)
class DriftFit:
    """Lattice and drift of all frames together.

    Parameters
    ----------
    wave_per_nm : ndarray
        (2, 2) waves of the undistorted lattice, (row, column) as the first frame lies [1/nm].
    drift_nm : ndarray
        (K, 2) how far the scan moves on the sample from one line to the next, same axes [nm].
    covariance : ndarray
        (4 + 2 K, 4 + 2 K) of the two, flattened, inflated where the frames disagree.
    reduced_chi_square : float or None
        Of 2 K - 4 degrees of freedom; None where there are none.
    """

    wave_per_nm: FloatArray
    drift_nm: FloatArray
    covariance: FloatArray
    reduced_chi_square: float | None


def rotation(angle_deg: float) -> FloatArray:
    """Return the matrix (2, 2) that takes (row, column) of a scan, turned counterclockwise as seen, to the sample's."""
    turn = np.deg2rad(angle_deg)
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def round_window(shape: tuple[int, int]) -> FloatArray:
    """Return a window (Y, X) that looks the same however the frame is turned: a Hann window over the distance."""
    y, x = (np.arange(n) - 0.5 * (n - 1) for n in shape)
    distance = np.hypot(y[:, None], x[None, :]) / (0.5 * min(shape))
    return np.where(distance < 1.0, np.cos(0.5 * np.pi * np.minimum(distance, 1.0)) ** 2, 0.0)


def find_waves(image: FloatArray, window: FloatArray | None = None) -> Waves:
    """Find the two strongest plane waves of a lattice, whatever its orientation.

    Parameters
    ----------
    image : ndarray
        (Y, X).
    window : ndarray, optional
        (Y, X) weights; a round one by default.

    Raises
    ------
    FitFailed
        No peak stands out, or all lie along one line.
    """
    shape = (image.shape[0], image.shape[1])
    weight = round_window(shape) if window is None else window
    flat = _flat(image, weight)
    power = np.abs(np.fft.fft2(flat)) ** 2
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    size = np.hypot(fy, fx)
    extent = np.sqrt(weight.sum() / weight.max())
    allowed = (size > LEAST_PERIODS / (2.0 * extent)) & (size < 1.0 / LEAST_PERIOD_PX)
    half = allowed & ((fy > 0) | ((fy == 0) & (fx > 0)))
    peaks = np.flatnonzero((power == maximum_filter(power, 5, mode="wrap")) & half)
    order = peaks[np.argsort(power.ravel()[peaks])[::-1]][:40]
    grid = np.stack(np.broadcast_arrays(fy, fx), axis=-1).reshape(-1, 2)
    if not len(order):
        raise _none(0.0)
    first = grid[order[0]]
    rest = [p for p in order[1:] if _sine(first, grid[p]) > APART and power.flat[p] > WEAKEST * power.flat[order[0]]]
    contrasts = [_contrast(power, size, allowed, p) for p in (order[0], *rest[:1])]
    if not rest or min(contrasts) < LEAST_CONTRAST:
        raise _none(min(contrasts))
    return refined_waves(image, np.array([first, grid[rest[0]]]), weight, min(contrasts))


def refined_waves(
    image: FloatArray, start_per_px: FloatArray, window: FloatArray | None = None, contrast: float = float("nan")
) -> Waves:
    """Return waves near given ones: the maxima of the windowed periodogram, by Newton's steps.

    The covariance is that of the noise beyond the lattice's frequencies. Along the slow axis, where lines jitter and
    drift bends, it is that of the rows' scores with a Bartlett kernel over three lattice periods, if larger.

    Raises
    ------
    FitFailed
        The steps leave the peak.
    """
    shape = (image.shape[0], image.shape[1])
    weight = round_window(shape) if window is None else window
    flat = _flat(image, weight)
    axes = tuple(np.arange(n) - 0.5 * (n - 1) for n in shape)
    found, scores, hessians = [], [], []
    for start in start_per_px:
        frequency = np.array(start, dtype=np.float64)
        for _ in range(NEWTON_STEPS):
            score, hessian = _slopes(flat, axes, frequency)
            step = -np.linalg.solve(hessian, score.sum(axis=0)) if np.all(np.linalg.eigvalsh(hessian) < 0) else None
            if step is None or np.hypot(*step) > 1.0 / min(shape):  # outside the cap of the peak: climb
                slope = score.sum(axis=0)
                step = 0.25 / min(shape) * slope / np.hypot(*slope)
            frequency = frequency + step
            if np.hypot(*step) < 1e-9:
                break
        if np.hypot(*(frequency - start)) > max(3.0 / min(shape), 0.08 * np.hypot(*start)):
            raise _none(contrast)
        score, hessian = _slopes(flat, axes, frequency)
        found.append(frequency)
        scores.append(score)
        hessians.append(hessian)
    longest = max(1.0 / max(np.hypot(*f), 1e-6) for f in found)
    middle = _counting(flat, weight, axes, np.array(found))
    slow = np.ix_([0, 2], [0, 2])  # lines that jitter or bend move the waves along the slow axis alone
    excess = _long_run(np.hstack(scores)[:, [0, 2]], int(np.ceil(3.0 * longest))) - middle[slow]
    values, vectors = np.linalg.eigh(excess)
    middle[slow] += (vectors * np.maximum(values, 0.0)) @ vectors.T
    bread = np.zeros((4, 4))
    bread[:2, :2], bread[2:, 2:] = np.linalg.inv(hessians[0]), np.linalg.inv(hessians[1])
    return Waves(np.array(found), bread @ middle @ bread.T, contrast)


def fit_drift(
    waves: Sequence[Waves], angles_deg: Sequence[float], pixel_nm: float, column_time_ratio: float
) -> DriftFit:
    """Fit one lattice and each frame's drift to the waves that the frames show.

    A wave g of the sample is f = p R^T g + t (d . g) in a frame, with pixel p, rotation R, times t = (1, dwell / line)
    of a row and a column, and drift d from line to line.

    Parameters
    ----------
    waves : sequence of Waves
        (K) the same two waves in each frame.
    angles_deg : sequence of float
        (K) scan rotation against the first frame.
    pixel_nm : float
        [nm].
    column_time_ratio : float
        Time from column to column over that from line to line.

    Raises
    ------
    FitFailed
        Fewer than two rotations that differ.
    """
    turns = [rotation(angle) for angle in angles_deg]
    slow = np.array([t[:, 0] for t in turns])
    if len(waves) < 2 or np.linalg.svd(slow - slow.mean(axis=0), compute_uv=False)[0] < 0.1:
        raise FitFailed("frames of one scan rotation", "two rotations or more", "Take frames under turned scans.")
    times = np.array([1.0, column_time_ratio])
    seen = np.array([w.frequency_per_px for w in waves])
    whiten = [np.linalg.inv(np.linalg.cholesky(w.covariance)) for w in waves]

    def residual(parameters: FloatArray) -> FloatArray:
        g, drift = parameters[:4].reshape(2, 2), parameters[4:].reshape(-1, 2)
        parts = []
        for k, turn in enumerate(turns):
            expected = pixel_nm * g @ turn + np.outer(g @ drift[k], times)
            parts.append(whiten[k] @ (seen[k] - expected).ravel())
        return np.concatenate(parts)

    start = np.concatenate([_start(seen, turns, times, pixel_nm).ravel(), np.zeros(2 * len(waves))])
    fit = least_squares(residual, start, x_scale="jac", method="trf", xtol=1e-14, ftol=1e-14, gtol=1e-14)
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    freedom = 2 * len(waves) - 4
    reduced = float(2.0 * fit.cost / freedom) if freedom else None
    strange = reduced is not None and chi2.sf(2.0 * fit.cost, freedom) < SIGNIFICANT
    inflated = covariance * reduced if reduced is not None and strange else covariance
    return DriftFit(fit.x[:4].reshape(2, 2), fit.x[4:].reshape(-1, 2), inflated, reduced)


def _start(seen: FloatArray, turns: Sequence[FloatArray], times: FloatArray, pixel_nm: float) -> FloatArray:
    """Return the lattice (2, 2) from what drift does not touch: the waves across the direction of time."""
    across = np.array([-times[1], times[0]]) / np.hypot(*times)
    design = pixel_nm * np.array([turn @ across for turn in turns])
    return np.array([np.linalg.lstsq(design, seen[:, wave] @ across, rcond=None)[0] for wave in range(2)])


def _flat(image: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the image less what is smooth, weighted; the mean of what is left is 0."""
    filled = np.where(np.isfinite(image), image, np.nanmean(image))
    smooth = gaussian_filter(filled, 0.06 * min(image.shape))
    flat = (filled - smooth) * weight
    return np.asarray(flat - weight * flat.sum() / weight.sum())


def _slopes(flat: FloatArray, axes: tuple[FloatArray, ...], frequency: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each row's share (Y, 2) in the slope of log |S|^2, and its Hessian (2, 2), at a frequency."""
    y, x = axes
    wave_y, wave_x = np.exp(-2j * np.pi * frequency[0] * y), np.exp(-2j * np.pi * frequency[1] * x)
    rows = (flat @ np.column_stack([wave_x, x * wave_x, x * x * wave_x])) * wave_y[:, None]
    total = rows[:, 0].sum()
    moments = np.column_stack([y * rows[:, 0], rows[:, 1]]) / total
    score = 4.0 * np.pi * moments.imag
    first = -2j * np.pi * moments.sum(axis=0)
    mixed = (y * rows[:, 1]).sum()
    second = np.array([[(y * y * rows[:, 0]).sum(), mixed], [mixed, rows[:, 2].sum()]]) / total
    hessian = 2.0 * (-4.0 * np.pi**2 * second - np.outer(first, first)).real
    return score, hessian


def _counting(flat: FloatArray, weight: FloatArray, axes: tuple[FloatArray, ...], found: FloatArray) -> FloatArray:
    """Return the scores' covariance (4, 4) from white noise: its power is the median beyond the lattice's waves."""
    fy, fx = np.fft.fftfreq(flat.shape[0])[:, None], np.fft.fftfreq(flat.shape[1])[None, :]
    beyond = (np.abs(fy) > HIGH_PER_PX) | (np.abs(fx) > HIGH_PER_PX)
    power = np.abs(np.fft.fft2(flat)) ** 2
    noise = float(np.median(power[beyond])) / np.log(2.0) / float((weight**2).sum())  # variance of a pixel
    y, x = axes
    squares = weight**2
    moments = np.array([[squares @ np.ones(len(x)) @ y**2, y @ squares @ x], [0.0, np.ones(len(y)) @ squares @ x**2]])
    moments[1, 0] = moments[0, 1]
    middle = np.zeros((4, 4))
    for number, frequency in enumerate(found):
        wave = np.exp(-2j * np.pi * frequency[0] * y) @ flat @ np.exp(-2j * np.pi * frequency[1] * x)
        block = slice(2 * number, 2 * number + 2)
        middle[block, block] = 0.5 * (4.0 * np.pi) ** 2 * noise * moments / abs(wave) ** 2
    return middle


def _long_run(scores: FloatArray, lags: int) -> FloatArray:
    """Return the covariance of the sum of serially correlated scores (P, P), with a Bartlett kernel."""
    count = len(scores)
    lags = min(lags, count // 4)
    total = scores.T @ scores
    for lag in range(1, lags + 1):
        cross = scores[lag:].T @ scores[:-lag]
        total = total + (1.0 - lag / (lags + 1.0)) * (cross + cross.T)
    smallest = 1e-9 * float(np.trace(total)) / len(total)
    values, vectors = np.linalg.eigh(total)
    return np.asarray((vectors * np.maximum(values, smallest)) @ vectors.T)


def _contrast(power: FloatArray, size: FloatArray, allowed: npt.NDArray[np.bool_], place: int) -> float:
    ring = allowed & (np.abs(size - size.flat[place]) < 0.15 * size.flat[place])
    return float(power.flat[place] / max(np.median(power[ring]), np.finfo(float).tiny))


def _sine(one: FloatArray, other: FloatArray) -> float:
    return float(abs(one[0] * other[1] - one[1] * other[0]) / (np.hypot(*one) * np.hypot(*other)))


def _none(contrast: float) -> FitFailed:
    return FitFailed(
        f"no lattice (the second peak stands out {contrast:.0f}-fold)" if np.isfinite(contrast) else "no lattice",
        f"two peaks {LEAST_CONTRAST:.0f} times the noise, of {LEAST_PERIODS:.0f} periods or more",
        "Drop an image with atomic columns.",
    )
