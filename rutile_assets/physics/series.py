"""Series in time as instruments log them: gaps, spikes, a common grid, and the error of a correlated mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.optimize import minimize

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SPIKE_WINDOW = 11  # samples whose median a spike is told from
PAYS = 5.0  # gain of twice the log-likelihood below which noise without memory explains a series
GAUSSIAN_MAD = 1.4826  # standard deviation of a Gaussian over its median absolute deviation


def spikes(values: FloatArray, sigmas: float = 6.0) -> BoolArray:
    """Tell which samples stand out of their neighbours' running median (Hampel's identifier).

    Parameters
    ----------
    values : ndarray
        (N,) any unit.
    sigmas : float
        How far, in robust standard deviations of the whole series about its running median.
    """
    if len(values) < SPIKE_WINDOW:
        return np.zeros(len(values), dtype=bool)
    away = np.abs(values - median_filter(values, SPIKE_WINDOW, mode="nearest"))
    # a quantised reading has a median deviation of zero: the mean of the lower nine tenths is its measure then
    scale = max(GAUSSIAN_MAD * float(np.median(away)), 1.5 * float(np.sort(away)[: int(0.9 * len(away))].mean()))
    return np.asarray(away > sigmas * scale) if scale > 0 else np.asarray(away > 0)


def mean_and_std(values: FloatArray) -> tuple[float, float]:
    r"""Return the mean of a correlated series and its standard error.

    The variance of the mean is the power at zero frequency over the number of samples. The power is that of noise that
    forgets exponentially on top of white noise, :math:`w + s / (1 + (f/f_0)^2)`, fitted to the periodogram by maximum
    likelihood (exponentially distributed ordinates; Whittle, Ark. Mat. 2, 423 (1953), doi 10.1007/BF02590998). A drift
    linear in time does not move the mean about the middle and is taken off first; what it takes with it from the
    lowest ordinate is avoided by leaving that one out. Where the memory explains nothing, the noise is white.

    Parameters
    ----------
    values : ndarray
        (N,) N >= 16, evenly sampled or nearly so; the series has to be many correlation times long.

    Raises
    ------
    ValueError
        Fewer than 16 values.
    """
    count = len(values)
    if count < 16:
        raise ValueError(f"{count} values; at least 16 are needed")
    mean = float(values.mean())
    time = np.linspace(-0.5, 0.5, count)
    flat = values - mean - (time @ values) / (time @ time) * time
    power = (np.abs(np.fft.rfft(flat)) ** 2 / count)[2 : (count + 1) // 2]
    if power.max() <= 0.0 or flat.std() < 1e-12 * max(abs(mean), 1e-300):
        return mean, 0.0
    level = float(power.mean())
    ordinates = np.maximum(power / level, 1e-12)
    squared = np.arange(2, 2 + len(power), dtype=np.float64) ** 2

    def surprise(p: FloatArray) -> float:
        model = np.exp(p[0]) + np.exp(p[1]) / (1.0 + squared * np.exp(-2.0 * p[2]))
        bounded = 0.5 * max(0.0, 0.7 - p[2]) ** 2 * 10.0  # slower than two cycles a series is not seen
        return float(np.sum(np.log(model) + ordinates / model) + bounded)

    starts = [np.array([np.log(0.5), np.log(ordinates[:5].mean() + 0.1), np.log(f)]) for f in (3.0, 0.1 * len(power))]
    found = min(
        (minimize(surprise, s, method="Nelder-Mead", options={"xatol": 1e-2, "fatol": 1e-3}) for s in starts),
        key=lambda fit: float(fit.fun),
    )
    white = len(ordinates) * (1.0 + float(np.log(ordinates.mean())))
    if 2.0 * (white - float(found.fun)) < PAYS:
        return mean, float(np.sqrt(level / count))
    at_zero = level * (np.exp(found.x[0]) + np.exp(found.x[1]))
    # the power rests on the ordinates below f_0, two degrees of freedom each: a mean over it has Student's tails
    freedom = max(2.0 * float(np.exp(found.x[2])), 5.0)
    return mean, float(np.sqrt(at_zero / count * freedom / (freedom - 2.0)))


def resampled(
    time_s: FloatArray, values: FloatArray, grid_s: FloatArray, longest_s: float, *, hold: bool = False
) -> FloatArray:
    """Return a series on a grid, NaN wherever the samples around are further apart than `longest_s`, and outside.

    Parameters
    ----------
    time_s, values : ndarray
        (N,) times in order [s] and any unit.
    grid_s : ndarray
        (M,) [s].
    longest_s : float
        The longest pause that is bridged [s].
    hold : bool
        Keep the sample before (a shutter) instead of a straight line between two.

    Returns
    -------
    ndarray
        (M,).
    """
    after = np.clip(np.searchsorted(time_s, grid_s, side="left"), 1, max(len(time_s) - 1, 1))
    if len(time_s) < 2:
        return np.where(np.isclose(grid_s, time_s[0]), values[0], np.nan)
    before = after - 1
    held = values[np.clip(np.searchsorted(time_s, grid_s, side="right") - 1, 0, None)]
    read = held if hold else np.interp(grid_s, time_s, values)
    on_sample = (grid_s == time_s[before]) | (grid_s == time_s[after])
    bridged = (time_s[after] - time_s[before] <= longest_s) | on_sample
    inside = (grid_s >= time_s[0]) & (grid_s <= time_s[-1])
    return np.where(bridged & inside, read, np.nan)
