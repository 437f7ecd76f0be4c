"""Maps of scanning probes: levelling, roughness, and the error of a mean over a correlated field."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

FloatArray = npt.NDArray[np.float64]

SLOW_LINES = slice(2, 10)  # modes along the slow axis in which drifting lines are looked for
DRIFTING = 2.0  # their mean power over what patches and independent lines give; by chance in 1 of 100 maps
LOW_MODES = 5  # spatial frequencies, in cycles a map, that the long-range variance is read from


def plane_levelled(values: FloatArray) -> FloatArray:
    """Return the map less its least-squares plane: the F-operator of ISO 25178, whose Sq is about the mean plane.

    Parameters
    ----------
    values : ndarray
        (Y, X), any unit.
    """
    height, width = values.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x -= x.mean()
    y -= y.mean()
    slope_x = (x * values).sum() / (x * x).sum()
    slope_y = (y * values).sum() / (y * y).sum()
    return np.asarray(values - values.mean() - slope_x * x - slope_y * y)


def median_difference_aligned(values: FloatArray) -> FloatArray:
    """Return the map (Y, X) with each line shifted so that its median step to the line before is zero."""
    steps = np.median(np.diff(values, axis=0), axis=1)
    return np.asarray(values - np.concatenate([[0.0], np.cumsum(steps)])[:, None])


def row_median_aligned(values: FloatArray) -> FloatArray:
    """Return the map (Y, X) with the median of each line at zero."""
    return np.asarray(values - np.median(values, axis=1, keepdims=True))


def row_linear_aligned(values: FloatArray) -> FloatArray:
    """Return the map (Y, X) less a straight line along each line; it eats slow height, so it reads low."""
    x = np.arange(values.shape[1], dtype=np.float64)
    x -= x.mean()
    slope = values @ x / (x @ x)
    return np.asarray(values - values.mean(axis=1, keepdims=True) - slope[:, None] * x)


def bow_levelled(values: FloatArray) -> FloatArray:
    """Return the map less its least-squares surface of second order: tilt and the scanner's bow.

    Parameters
    ----------
    values : ndarray
        (Y, X), any unit.
    """
    height, width = values.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    design = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).reshape(6, -1)
    weights = np.linalg.solve(design @ design.T, design @ values.ravel())
    return np.asarray(values - (weights @ design).reshape(values.shape))


Levelling = Callable[[FloatArray], FloatArray]


def _levelling(align: Levelling, form: Levelling) -> Levelling:
    return lambda values: form(align(values))


_ALIGNED = {
    "median_difference": median_difference_aligned,
    "row_median": row_median_aligned,
    "row_linear": row_linear_aligned,
}
# name -> what it does: lines aligned or not, then a global plane, or a surface of second order (bow)
LEVELLING: dict[str, Levelling] = {
    "plane": plane_levelled,
    **{name: _levelling(align, plane_levelled) for name, align in _ALIGNED.items()},
    **{f"{name}_bow": _levelling(align, bow_levelled) for name, align in _ALIGNED.items()},
}


def mean_std(values: FloatArray) -> float:
    r"""Return the standard error of the mean of a map whose pixels are correlated.

    The variance of the mean is the power spectrum at zero frequency over the number of pixels. It is read from the
    lowest modes of the periodogram that are not along the slow axis, by maximum likelihood of
    :math:`S_0 e^{-a k^2}` under exponentially distributed ordinates; offsets of whole lines, seen as the excess of the
    modes along the slow axis at high frequency, are added. A drift linear in time does not move the mean and is taken
    off first.

    Parameters
    ----------
    values : ndarray
        (Y, X); Y is the slow axis. The map has to be many correlation lengths wide: below about ten the result is low.
    """
    height, width = values.shape
    time = np.linspace(-0.5, 0.5, height)
    drift = (time @ values.mean(axis=1)) / (time @ time)
    flat = values - values.mean() - drift * time[:, None]
    power = np.abs(np.fft.fft2(flat)) ** 2 / values.size
    ky = np.fft.fftfreq(height, 1.0 / height)[:, None]
    kx = np.fft.fftfreq(width, 1.0 / width)[None, :]
    low = (kx > 0) & (kx**2 + ky**2 <= LOW_MODES**2)
    squared = np.broadcast_to(kx**2 + ky**2, values.shape)[low]
    ordinates = np.maximum(power[low], 1e-300)

    field = _at_zero(ordinates, squared)
    fast = (ky[:, 0] > height / 8) & (ky[:, 0] < height / 2)
    lines = max(0.0, float(power[fast, 0].mean() - power[fast, 1:4].mean()))
    slow = power[SLOW_LINES, 0]
    if slow.mean() > DRIFTING * (field + lines):
        wandering = _at_zero(slow, ky[SLOW_LINES, 0] ** 2, lorentzian=True) - field
        lines = max(lines, min(wandering, float(power[:, 0].sum())))  # not all in one mode: a mean within its lines
    return float(np.sqrt((field + lines) / values.size))


def _at_zero(ordinates: FloatArray, squared: FloatArray, *, lorentzian: bool = False) -> float:
    """Return the power at zero frequency from ordinates at squared frequencies, both (M,), by maximum likelihood."""

    def surprise(parameters: FloatArray) -> float:
        fall = np.exp(parameters[1]) * squared
        log_model = parameters[0] - (np.log1p(fall) if lorentzian else fall)
        return float(np.sum(log_model + ordinates * np.exp(-log_model)))

    start = np.array([np.log(ordinates.mean()), np.log(0.5 / squared.max())])
    found = minimize(surprise, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4})
    return float(np.exp(found.x[0]))


def sq(levelled: FloatArray) -> float:
    """Return the root mean square of a levelled map (population, ISO 25178 Sq), in its unit."""
    return float(np.sqrt(np.mean(levelled**2)))


def sq_std(levelled: FloatArray) -> float:
    """Return the standard error of Sq of a levelled map, from that of the mean of its square."""
    return mean_std(levelled**2) / (2.0 * sq(levelled))
