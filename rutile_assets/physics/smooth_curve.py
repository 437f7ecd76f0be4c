"""A smooth curve of no given shape through points with errors of both variables: a Gaussian process and draws of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from rutile_assets.physics.peaked_curve import Points

FloatArray = npt.NDArray[np.float64]

SMOOTHNESS = (1.5, 2.5)
LENGTH, LENGTH_SPREAD = 0.5, 0.7
HEIGHT_SPREAD = 1.0
LINE_EV = 2.0
ROUNDS = 3
STEP_NM = 1e-2


@dataclass(frozen=True)
class SmoothFit:
    """A Gaussian process given the points.

    Parameters
    ----------
    smoothness : float
        3/2 (slopes exist) or 5/2 (curvatures exist), of Matern's kernel.
    height_ev, length : float
        Its amplitude [eV], and its length on the scale ln(1 + t/t_1).
    first_nm : float
        t_1: the thinnest film [nm]; the curve may change fast where films are thin and slowly where they are thick.
    points : Points
        Given.
    kernel, errors : ndarray
        (N, N) covariance of the values, errors included, and that of the errors alone, thickness's included [eV^2].
    middle_ev : float
        About which values are taken [eV].
    bic : float
        Minus twice the logarithm of the marginal likelihood, and the price of two parameters.
    """

    smoothness: float
    height_ev: float
    length: float
    first_nm: float
    points: Points
    kernel: FloatArray
    errors: FloatArray
    middle_ev: float
    bic: float

    def mean(self, thickness_nm: FloatArray) -> FloatArray:
        """Return the expected curve [eV] at thicknesses (T,) [nm]."""
        across = self._between(thickness_nm, self.points.thickness_nm)
        found = across @ np.linalg.solve(self.kernel, self.points.value_ev - self.middle_ev)
        return np.asarray(self.middle_ev + found)

    def slope(self, thickness_nm: FloatArray) -> FloatArray:
        """Return its slope [eV/nm], (T,), and 0 at thickness 0, which has no error [nm]."""
        rise = self.mean(thickness_nm + STEP_NM) - self.mean(np.maximum(thickness_nm - STEP_NM, 0.0))
        return np.where(thickness_nm > 0.0, rise / (2.0 * STEP_NM), 0.0)

    def draws(self, thickness_nm: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
        """Return curves drawn from what the points allow, (count, T) [eV], at thicknesses (T,) [nm]."""
        across = self._between(thickness_nm, self.points.thickness_nm)
        covariance = self._between(thickness_nm, thickness_nm) - across @ np.linalg.solve(self.kernel, across.T)
        values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
        spread = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(self.mean(thickness_nm) + rng.normal(size=(count, len(values))) @ spread.T)

    def _between(self, a: FloatArray, b: FloatArray) -> FloatArray:
        return _prior(a, b, self.smoothness, self.height_ev, self.length, self.first_nm)


def fit_smooth(points: Points, smoothness: float) -> SmoothFit:
    """Fit amplitude and length of the process by maximum marginal likelihood, slopes' weights in turn.

    An error of the thickness counts as one of the value times the slope (McHutchon and Rasmussen, Adv. Neural Inf.
    Process. Syst. 24, 1341 (2011)). A straight line of any height and slope is part of the process.

    Parameters
    ----------
    points : Points
        Measured, (N,) N >= 4 [nm] and [eV].
    smoothness : float
        One of `SMOOTHNESS`.
    """
    t, y = points.thickness_nm, points.value_ev
    middle, size = float(y.mean()), max(float(y.std()), 1e-3)
    first = float(t[t > 0.0].min())
    start = np.log([size, LENGTH])
    covariance = points.effective(np.zeros_like(y))
    fit: SmoothFit | None = None
    for _ in range(ROUNDS):

        def kernel(logs: FloatArray, errors: FloatArray = covariance) -> FloatArray:
            return _prior(t, t, smoothness, float(np.exp(logs[0])), float(np.exp(logs[1])), first) + errors

        def surprise(logs: FloatArray) -> float:
            prior = ((logs[0] - np.log(size)) / HEIGHT_SPREAD) ** 2 + ((logs[1] - np.log(LENGTH)) / LENGTH_SPREAD) ** 2
            return _surprise(kernel(logs), y - middle) + float(prior)

        found = minimize(surprise, start, method="Nelder-Mead", options={"xatol": 1e-2, "fatol": 1e-2})
        start = found.x
        whole = kernel(start)
        height, length = (float(v) for v in np.exp(start))
        bic = _surprise(whole, y - middle) + 2.0 * float(np.log(len(y)))
        fit = SmoothFit(smoothness, height, length, first, points, whole, covariance, middle, bic)
        covariance = points.effective(fit.slope(t))
    assert fit is not None
    return fit


def _surprise(kernel: FloatArray, off: FloatArray) -> float:
    return float(off @ np.linalg.solve(kernel, off) + np.linalg.slogdet(kernel)[1])


def _prior(a: FloatArray, b: FloatArray, smoothness: float, height: float, length: float, first: float) -> FloatArray:
    apart = np.abs(np.log1p(a / first)[:, None] - np.log1p(b / first)) / length
    scaled = np.sqrt(2.0 * smoothness) * apart
    shape = 1.0 + scaled + (scaled**2 / 3.0 if smoothness == 2.5 else 0.0)
    line = LINE_EV**2 * (1.0 + np.outer(a, b) / 100.0)
    return np.asarray(height**2 * shape * np.exp(-scaled) + line)
