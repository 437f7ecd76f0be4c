"""Dependence of the second harmonic on thickness and on titanium content: across films, pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]

DEPENDENCES = CHANGE, NO_CHANGE, UNDECIDED = "change", "no change", "undecided"
LEAST_DELTA_BIC = 6.0


@dataclass(frozen=True)
class Onset:
    """A quantity that is constant up to one thickness and then jumps, bends or both.

    Parameters
    ----------
    verdict : str
        ``change``, ``no change`` or ``undecided``.
    onset_nm, onset_nm_std : float or None
        Thickness of the change and one sigma, the mean and width of its likelihood; None without a change.
    delta_bic : float
        BIC of a straight line or constant, whichever is less, minus BIC of the change.
    level, jump, slope_per_nm : float
        Before the onset; step at it; slope above it.
    """

    verdict: str
    onset_nm: float | None
    onset_nm_std: float | None
    delta_bic: float
    level: float
    jump: float
    slope_per_nm: float


@dataclass(frozen=True)
class CompositionSlope:
    """How log10 of an amplitude changes with the titanium content x.

    Parameters
    ----------
    slope, slope_std : float
        d log10(amplitude) / dx and one sigma.
    probability : float
        One-sided, that a slope of zero or more gives as low a value.
    is_monotonic : bool
        Whether the amplitude falls from each content to the next, within two sigma.
    """

    slope: float
    slope_std: float
    probability: float
    is_monotonic: bool

    @property
    def sentence(self) -> str:
        """The finding in words."""
        falls = "falls" if self.slope < 0 else "does not fall"
        order = "monotonic within two sigma" if self.is_monotonic else "not monotonic"
        return f"The amplitude {falls} with x (one-sided p = {self.probability:.2g}), {order}."


def onset(thickness_nm: FloatArray, values: FloatArray, std: FloatArray) -> Onset:
    """Return the thickness at which a quantity changes, or that it does not.

    level + [t > t_c] (jump + slope (t - t_c)) against a constant and a straight line, by BIC with chi-square. The
    likelihood of t_c is profiled on a fine grid; between two films it is flat, so sigma is never below their distance
    over sqrt(12).

    Parameters
    ----------
    thickness_nm : ndarray
        (F,) thickness of each film [nm].
    values, std : ndarray
        (F,) quantity, such as log10 of an amplitude or the dipole's part, and one sigma.

    Raises
    ------
    FitFailed
        Fewer than six films of different thickness, or a sigma that is not positive.
    """
    order = np.argsort(thickness_nm)
    t, y, s = thickness_nm[order], values[order], std[order]
    if len(np.unique(t)) < 6 or not (s > 0).all():
        raise FitFailed(
            f"{len(np.unique(t))} thicknesses", "six or more, each value with a sigma", "Measure more films."
        )
    count = len(t)

    def solved(design: FloatArray) -> tuple[float, FloatArray]:
        factors = np.linalg.lstsq(design / s[:, None], y / s, rcond=None)[0]
        return float(np.sum(((y - design @ factors) / s) ** 2)), np.asarray(factors, dtype=np.float64)

    ones = np.ones(count)
    plain = min(
        solved(ones[:, None])[0] + np.log(count),
        solved(np.column_stack([ones, t]))[0] + 2.0 * np.log(count),
    )
    grid = np.arange(t[1] + 1e-6, t[-3], (t[-1] - t[0]) / 600.0)
    trials = []
    for place in grid:
        above = (t > place).astype(float)
        trials.append(solved(np.column_stack([ones, above, above * (t - place)])))
    cost = np.array([trial[0] for trial in trials])
    best = int(np.argmin(cost))
    weight = np.exp(-0.5 * (cost - cost[best]))
    weight /= weight.sum()
    mean = float(weight @ grid)
    sigma = float(np.sqrt(weight @ (grid - mean) ** 2))
    change = float(cost[best] + 4.0 * np.log(count))
    delta = float(plain - change)
    told = delta > LEAST_DELTA_BIC
    verdict = CHANGE if told else NO_CHANGE if delta < -LEAST_DELTA_BIC / 2.0 else UNDECIDED
    level, jump, slope = (float(v) for v in trials[best][1])
    return Onset(verdict, mean if told else None, sigma if told else None, delta, level, jump, slope)


def composition_slope(x: FloatArray, amplitude: FloatArray, std: FloatArray) -> CompositionSlope:
    """Return how the logarithm of an amplitude changes with the titanium content of TixRu(1-x)O2.

    Weighted straight line through log10(amplitude), sigma to first order. Amplitudes are of |E(2 omega)| or of a
    harmonic well above its sigma: the logarithm of noise is biased.

    Parameters
    ----------
    x : ndarray
        (F,) titanium content, 0 to 1 [1].
    amplitude, std : ndarray
        (F,) amplitude and one sigma, in one unit.

    Raises
    ------
    FitFailed
        Fewer than three contents, or an amplitude below three sigma.
    """
    if len(np.unique(x)) < 3 or not (amplitude > 3.0 * std).all() or not (std > 0).all():
        raise FitFailed("contents or amplitudes that tell no slope", "three contents, amplitudes above 3 sigma", "Add.")
    order = np.argsort(x)
    here, logs = x[order], np.log10(amplitude[order])
    sigma = std[order] / amplitude[order] / np.log(10.0)
    design = np.column_stack([np.ones_like(here), here]) / sigma[:, None]
    covariance = np.linalg.inv(design.T @ design)
    factors = covariance @ design.T @ (logs / sigma)
    slope, slope_std = float(factors[1]), float(np.sqrt(covariance[1, 1]))
    rises = np.diff(logs) > 2.0 * np.hypot(sigma[1:], sigma[:-1])
    return CompositionSlope(slope, slope_std, float(norm.cdf(slope / slope_std)), not bool(rises.any()))
