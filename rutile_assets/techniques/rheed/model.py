"""RHEED: the specular spot, and what its intensity says about the growth rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.optimize import least_squares

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate

FloatArray = npt.NDArray[np.float64]

CLIPPED = 16  # pixels at one highest value from which a camera is taken to be full
LEAST_FRAMES = 16
LEAST_CYCLES = 2.5
HARMONICS = (1, 2)
DRIFT_TERMS = 5  # a polynomial of fourth order: it follows the exponential of a recovery
WIDE = 8.0  # of the curvature's sigma, over which the frequency is looked at
EVIDENCE = 10.0  # difference of BIC that a claim needs


@dataclass(frozen=True)
class RheedParameters:
    """What a person may choose about RHEED.

    Parameters
    ----------
    spot_x_index, spot_y_index : int
        Middle of the specular spot's window in pixels from 0; where one is negative the brightest spot is taken.
    window_fraction : float
        Half the window's side over the shorter side of the picture.
    full_scale_counts : float
        Counts at which the camera is full; 0 finds them where many pixels share the highest value.
    start_s, stop_s : float
        Part of the sequence that is fitted [s]; stop 0 is its end.
    layers_per_oscillation : float
        Layers that one oscillation stands for (1 for one plane of (110), 0.326 nm).
    """

    spot_x_index: int = -1
    spot_y_index: int = -1
    window_fraction: float = 0.04
    full_scale_counts: float = 0.0
    start_s: float = 0.0
    stop_s: float = 0.0
    layers_per_oscillation: float = 1.0


@dataclass(frozen=True)
class Window:
    """Where the specular spot is looked at: a square about (x, y), `half` pixels to each side."""

    x: int
    y: int
    half: int

    def cut(self, frame: FloatArray) -> FloatArray:
        """Return the pixels of a frame (Y, X) in the window, which the picture's edge may cut."""
        low_y, low_x = max(self.y - self.half, 0), max(self.x - self.half, 0)
        return frame[low_y : self.y + self.half + 1, low_x : self.x + self.half + 1]


def find_window(frame: FloatArray, chosen: RheedParameters) -> Window:
    """Return the window about the brightest spot of a picture, or the chosen one.

    Parameters
    ----------
    frame : ndarray
        (Y, X) counts; the mean of a sequence.

    Raises
    ------
    FitFailed
        The chosen spot lies outside the picture.
    """
    height, width = frame.shape
    half = max(1, round(chosen.window_fraction * min(height, width)))
    x, y = chosen.spot_x_index, chosen.spot_y_index
    if x < 0 or y < 0:
        y, x = (int(i) for i in np.unravel_index(np.argmax(gaussian_filter(frame, 0.5 * half)), frame.shape))
    if x >= width or y >= height:
        raise FitFailed(
            f"a spot at ({x}, {y})", f"a pixel of {width} x {height}", "Correct spot_x_index, spot_y_index."
        )
    return Window(x, y, half)


def full_scale(frames: FloatArray, chosen: RheedParameters) -> float | None:
    """Return the counts at which the camera is full, None where no picture (N, Y, X) shows it."""
    if chosen.full_scale_counts > 0:
        return chosen.full_scale_counts
    highest = float(frames.max())
    shared = int((frames == highest).sum(axis=(1, 2)).max())
    return highest if highest > 0 and CLIPPED <= shared < 0.5 * frames[0].size else None


@dataclass(frozen=True)
class Oscillation:
    """What a sequence of intensities says.

    Parameters
    ----------
    found : bool
        Whether an oscillation explains it better than a drift.
    delta_bic : float
        BIC of the drift less that of the best oscillation.
    frequency_hz, frequency_std_hz : float
        Of the oscillation [Hz]; NaN where none was found.
    damping_s : float
        Time to 1/e [s]; infinite where it does not fall.
    harmonics : int
        In the chosen model.
    model, drift : ndarray
        (N,) the chosen model, and its part that does not oscillate [counts].
    """

    found: bool
    delta_bic: float
    frequency_hz: float
    frequency_std_hz: float
    damping_s: float
    harmonics: int
    model: FloatArray
    drift: FloatArray


def fit_oscillation(time_s: FloatArray, counts: FloatArray) -> Oscillation:
    r"""Fit a damped oscillation on a drift, and tell whether it is there.

    .. math:: I(t) = \sum_{k=0}^4 c_k t^k + \sum_h e^{-h t/\tau} (a_h \cos 2\pi h f t + b_h \sin 2\pi h f t)

    with one or two harmonics as BIC prefers; linear coefficients are eliminated (variable projection), f is searched
    over a grid from two and a half cycles in the sequence to Nyquist's; the strongest line is the fundamental. The
    evidence is the difference of BIC under noise that may remember its neighbour, with and without the oscillation. The
    error of f is the spread of its marginal density (`_frequency_std`); where residuals are correlated the variance of
    f is multiplied by the power that noise with that memory has at f over that of white noise.

    Parameters
    ----------
    time_s, counts : ndarray
        (N,) times in order [s], intensity [counts].

    Raises
    ------
    FitFailed
        Fewer than 16 pictures, or intensities that do not vary.
    """
    count = len(counts)
    if count < LEAST_FRAMES or np.ptp(counts) == 0 or np.ptp(time_s) == 0:
        raise FitFailed(f"{count} pictures", f"{LEAST_FRAMES} or more of varying intensity", "Record a sequence.")
    time = time_s - time_s[0]
    span = float(time[-1])
    drift = _drift(time)
    still = drift @ np.linalg.lstsq(drift, counts, rcond=None)[0]
    first = _damped(time, counts, 1, _strongest(time, counts))
    fits = [first, _damped(time, counts, 2, ((first.frequency * span, first.rate * span),))]
    bics = [_surprise(f.model - counts, DRIFT_TERMS + 2 + 2 * h) for f, h in zip(fits, HARMONICS, strict=True)]
    best = int(np.argmin(bics))
    fit = fits[best]
    delta = _surprise(still - counts, DRIFT_TERMS) - bics[best]
    weak = not fit.frequency_std < 0.2 * fit.frequency
    if weak or delta < EVIDENCE or fit.frequency * span < LEAST_CYCLES or fit.rate > fit.frequency:
        return Oscillation(False, delta, np.nan, np.nan, np.nan, 0, still, still)
    more = _memory(counts - fit.model, 2.0 * np.pi * fit.frequency * float(np.median(np.diff(time))))
    damping = 1.0 / fit.rate if fit.rate > 0 else float("inf")
    std = _frequency_std(time, counts, fit, HARMONICS[best]) * float(np.sqrt(max(more, 1.0)))
    slow = drift @ fit.coefficients[:DRIFT_TERMS]
    return Oscillation(True, delta, fit.frequency, std, damping, HARMONICS[best], fit.model, slow)


def _surprise(residuals: FloatArray, parameters: int) -> float:
    """Return BIC of residuals that may remember their neighbour (autoregressive, first order)."""
    r = _lag_one(residuals)
    steps = residuals[1:] - r * residuals[:-1]
    return float(len(steps) * np.log((steps @ steps) / len(steps)) + (parameters + 1) * np.log(len(steps)))


def _lag_one(residuals: FloatArray) -> float:
    return float(residuals[1:] @ residuals[:-1] / max(float(residuals @ residuals), 1e-300))


def _drift(time: FloatArray) -> FloatArray:
    unit = time / time[-1] - 0.5
    return np.stack([unit**k for k in range(DRIFT_TERMS)], axis=1)


def _design(time: FloatArray, frequency: float, rate: float, harmonics: int) -> FloatArray:
    columns = [_drift(time)]
    for h in range(1, harmonics + 1):
        wave = np.exp(-h * rate * time + 2j * np.pi * h * frequency * time)
        columns.append(np.stack([wave.real, wave.imag], axis=1))
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class _Fit:
    frequency: float
    rate: float
    frequency_std: float
    coefficients: FloatArray
    model: FloatArray


def _strongest(time: FloatArray, counts: FloatArray) -> tuple[tuple[float, float], ...]:
    """Return cycles and damping, both over the span, of the strongest line for each of three dampings."""
    span = float(time[-1])
    nyquist = 0.5 / float(np.median(np.diff(time)))
    cycles = np.arange(LEAST_CYCLES - 0.5, nyquist * span, 0.25)
    drift, _ = np.linalg.qr(_drift(time))
    flat = counts - drift @ (drift.T @ counts)
    found = []
    for damping in (0.3, 2.0, 5.0):
        waves = np.exp((2j * np.pi * cycles[:, None] - damping) * time[None, :] / span)
        waves -= (waves @ drift) @ drift.T
        gain = np.abs(waves @ flat) ** 2 / (np.abs(waves) ** 2).sum(axis=1)
        found.append((float(cycles[np.argmax(gain)]), damping))
    return tuple(found)


def _damped(time: FloatArray, counts: FloatArray, harmonics: int, starts: tuple[tuple[float, float], ...]) -> _Fit:
    span = float(time[-1])
    nyquist = 0.5 * span / float(np.median(np.diff(time)))

    def residual(p: FloatArray) -> FloatArray:
        design = _design(time, p[0] / span, p[1] / span, harmonics)
        return np.asarray(design @ np.linalg.lstsq(design, counts, rcond=None)[0] - counts)

    low, high = np.array([LEAST_CYCLES - 1.0, 0.0]), np.array([nyquist, 60.0])
    inside = [np.clip(np.array(start), low + 1e-3, high - 1e-3) for start in starts]
    start = min(inside, key=lambda p: float((residual(p) ** 2).sum()))
    fit = least_squares(residual, start, bounds=(low, high), x_scale=(0.1, 1.0), max_nfev=40)
    frequency, rate = float(fit.x[0]) / span, float(fit.x[1]) / span
    design = _design(time, frequency, rate, harmonics)
    coefficients = np.linalg.lstsq(design, counts, rcond=None)[0]
    curvature = fit.jac.T @ fit.jac
    freedom = max(len(counts) - design.shape[1] - 2, 1)
    # 1/tau at its bound is no free number
    left = curvature[0, 0] - (0.0 if fit.x[1] < 1e-2 else curvature[0, 1] ** 2 / curvature[1, 1])
    std = float(np.sqrt(2.0 * fit.cost / freedom / left)) if left > 0 else float("nan")
    model = np.asarray(design @ coefficients, dtype=np.float64)
    return _Fit(frequency, rate, std / span, np.asarray(coefficients, dtype=np.float64), model)


def _frequency_std(time: FloatArray, counts: FloatArray, fit: _Fit, harmonics: int) -> float:
    r"""Return the standard deviation of the frequency about the best one [Hz], with all else averaged over.

    Where an oscillation dies after two cycles in much noise the curvature at the best fit is too sharp by a third. The
    density of the frequency is :math:`\int d\gamma\, |G|^{-1/2} S^{-\nu/2}`: flat in the amplitudes, whose Gram
    matrix beside the drift is G, and in the damping rate up to the frequency; S is the sum of squares, and the noise is
    as large as its :math:`\nu` degrees of freedom say (Bretthorst, Bayesian Spectrum Analysis (1988),
    doi 10.1007/978-1-4684-9399-3).
    """
    wide = max(WIDE * fit.frequency_std, 0.02 * fit.frequency)
    frequencies = np.linspace(max(fit.frequency - wide, 1.0 / float(time[-1])), fit.frequency + wide, 121)
    rates = np.linspace(0.0, fit.frequency, 25)
    f, rate = (grid.ravel() for grid in np.meshgrid(frequencies, rates, indexing="ij"))
    columns: list[FloatArray] = []
    for h in range(1, harmonics + 1):
        wave = np.exp(h * (2j * np.pi * f - rate)[:, None] * time)
        columns += [wave.real, wave.imag]
    drift, _ = np.linalg.qr(_drift(time))
    design = np.stack(columns, axis=1)
    design -= (design @ drift) @ drift.T
    flat = counts - drift @ (drift.T @ counts)
    gram = design @ design.transpose(0, 2, 1)
    seen = design @ flat
    explained = np.sum(seen * np.linalg.solve(gram, seen[:, :, None])[:, :, 0], axis=1)
    freedom = len(counts) - DRIFT_TERMS - 2 * harmonics
    log = -0.5 * freedom * np.log(flat @ flat - explained) - 0.5 * np.linalg.slogdet(gram)[1]
    density = np.exp(log - log.max()).reshape(len(frequencies), -1).sum(axis=1)
    return float(np.sqrt(density @ (frequencies - fit.frequency) ** 2 / density.sum()))


def _memory(residuals: FloatArray, phase: float) -> float:
    """Return the power at `phase` [rad a sample] of residuals with memory over that of white ones; 1 without memory."""
    r = _lag_one(residuals)
    if abs(r) < 2.0 / np.sqrt(len(residuals)):
        return 1.0
    r = min(r, 0.95)
    return float((1.0 - r * r) / (1.0 - 2.0 * r * np.cos(phase) + r * r))


def estimate(found: Oscillation, chosen: RheedParameters) -> Estimate:
    """Return growth rate and period of an oscillation."""
    rate = chosen.layers_per_oscillation * found.frequency_hz
    relative = found.frequency_std_hz / found.frequency_hz
    values = np.array([rate, 1.0 / found.frequency_hz])
    spread = values * relative * np.array([1.0, -1.0])
    return Estimate(
        ("growth_rate_layers_per_s", "oscillation_period_s"),
        values,
        np.outer(spread, spread),
        f"damped oscillation, {found.harmonics} harmonic(s), on a drift of fourth order;"
        f" BIC better by {found.delta_bic:.0f}",
        "covariance",
        (),
        {},
        (f"One oscillation is taken as {chosen.layers_per_oscillation:g} layer(s).",),
    )
