"""Least squares with errors in both variables: a curve through points whose abscissa is uncertain too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]
Curves = Callable[[FloatArray, FloatArray], FloatArray]

STEP = 1e-5  # of a parameter's scale, for differences
LEAST_STD = 1e-9  # of the abscissa's size: an abscissa that is known exactly
ITERATIONS, CONVERGED = 100, 1e-11
LOWEST_DAMPING, HIGHEST_DAMPING = 1e-9, 1e9
MISFIT_PROBABILITY = 0.01


@dataclass(frozen=True)
class Points:
    """What was measured.

    Parameters
    ----------
    x, x_std : ndarray
        (N,) abscissa and one sigma, independent from point to point.
    y, y_std : ndarray
        (K, N) ordinates of K curves and one sigma, independent.
    """

    x: FloatArray
    x_std: FloatArray
    y: FloatArray
    y_std: FloatArray

    @property
    def count(self) -> int:
        """Ordinates in all."""
        return int(self.y.size)


@dataclass(frozen=True)
class Adjusted:
    """A fit.

    Parameters
    ----------
    values, covariance : ndarray
        (P,) and (P, P), the abscissae summed over.
    x : ndarray
        (N,) where the points stand on the curve.
    chi_square : float
        Of ordinates and abscissae.
    freedom : int
        Ordinates less parameters.
    response_x, response_y : ndarray
        (P, N) and (P, K, N) change of the parameters with each measured abscissa and ordinate.
    """

    values: FloatArray
    covariance: FloatArray
    x: FloatArray
    chi_square: float
    freedom: int
    response_x: FloatArray
    response_y: FloatArray

    @property
    def probability(self) -> float:
        """That chance alone makes chi-square as large."""
        return float(chi2.sf(self.chi_square, self.freedom)) if self.freedom > 0 else 1.0

    @property
    def bic(self) -> float:
        """Chi-square + parameters log(ordinates)."""
        return float(self.chi_square + len(self.values) * np.log(len(self.values) + self.freedom))

    def moved(self, x_shift: FloatArray, y_shift: FloatArray) -> FloatArray:
        """Return how the parameters (P,) move with shifts of abscissae (N,) and ordinates (K, N), to first order."""
        return np.asarray(self.response_x @ x_shift + np.einsum("pkn,kn->p", self.response_y, y_shift))


def adjust(curves: Curves, points: Points, start: FloatArray, scale: FloatArray | None = None) -> Adjusted:
    r"""Fit curves to points with errors in both variables.

    Minimises :math:`\sum_i (x_i - \xi_i)^2/s_{x,i}^2 + \sum_{ki} (y_{ki} - f_k(p, \xi_i))^2 / s_{y,ki}^2` over the
    parameters p and the true abscissae :math:`\xi` by damped Gauss-Newton steps, from which each :math:`\xi_i` is
    eliminated (Deming, Statistical Adjustment of Data (1943); for a line York et al., Am. J. Phys. 72, 367 (2004), doi
    10.1119/1.1632486).

    Parameters
    ----------
    curves : callable
        Parameters (P, ...) and abscissae (..., N) -> (K, ..., N), by the rules of broadcasting.
    points : Points
        See there.
    start : ndarray
        (P,) parameters to begin with.
    scale : ndarray, optional
        (P,) size of each parameter, for differences; that of the start, or 1 where it is 0.

    Raises
    ------
    FitFailed
        Fewer ordinates than parameters, a sigma that is not positive, or parameters that the points do not tell.
    """
    known = np.isfinite(points.y_std) & (points.y_std > 0)
    if points.count < len(start) or not known.all() or not np.isfinite(points.x_std).all():
        raise FitFailed(
            f"{points.count} values for {len(start)} parameters, {int((~known).sum())} without a sigma",
            "as many values as parameters, each with a sigma",
            "Measure more films.",
        )
    x_std = np.maximum(points.x_std, LEAST_STD * np.abs(points.x).max())
    size = np.where(start != 0, np.abs(start), 1.0) if scale is None else scale
    place = _Place(curves, points, x_std, size)
    p, xi = np.asarray(start, dtype=float).copy(), points.x.copy()
    cost, damping = place.cost(p, xi), 1e-3
    if not np.isfinite(cost):
        raise FitFailed("a start where the curve is not defined", "finite values", "Report it with the film's data.")
    for _ in range(ITERATIONS):
        normal = place.normal(p, xi)
        while damping < HIGHEST_DAMPING:
            dp, dx = normal.step(damping)
            tried = place.cost(p + dp, xi + dx)
            if tried <= cost:
                break
            damping *= 4.0
        else:
            break
        gained, cost = cost - tried, tried
        p, xi, damping = p + dp, xi + dx, max(damping / 9.0, LOWEST_DAMPING)
        if gained < CONVERGED * (1.0 + cost):
            break
    damping = LOWEST_DAMPING
    return place.normal(p, xi).adjusted(p, xi, cost)


def with_scatter(
    fit: Callable[[FloatArray], Adjusted], y: FloatArray, y_std: FloatArray, found: Adjusted
) -> tuple[Adjusted, float]:
    """Return a fit and the relative scatter from film to film that it needs beside the errors; 0 where none.

    Where chance makes chi-square so large in less than 1 case of 100, a scatter in proportion to the ordinate is added
    so that chi-square equals its degrees of freedom (as for random effects: DerSimonian and Laird, Control. Clin.
    Trials 7, 177 (1986), doi 10.1016/0197-2456(86)90046-2).

    Parameters
    ----------
    fit : callable
        Sigma of the ordinates, shaped as `y`, -> fit.
    y, y_std : ndarray
        (N,) or (K, N) ordinates and one sigma.
    found : Adjusted
        The fit with that sigma.
    """
    if found.freedom < 1 or found.probability >= MISFIT_PROBABILITY:
        return found, 0.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (low + high)
        found = fit(np.hypot(y_std, middle * np.abs(y)))
        low, high = (middle, high) if found.chi_square > found.freedom else (low, middle)
        if high - low < 1e-4 * high:
            break
    return found, 0.5 * (low + high)


@dataclass(frozen=True)
class _Normal:
    """Normal equations with the abscissae eliminated: (P, P), (P,), and what leads back to the abscissae (N,)."""

    schur: FloatArray
    gradient: FloatArray
    own: FloatArray
    cross: FloatArray
    pull: FloatArray
    x_weight: FloatArray
    slopes: FloatArray  # (P, K, N) weighted twice
    along: FloatArray  # (K, N) weighted twice

    def step(self, damping: float) -> tuple[FloatArray, FloatArray]:
        """Return the damped step of parameters and abscissae."""
        size = np.sqrt(np.maximum(np.diag(self.schur), 1e-300))
        damped = self.schur / np.outer(size, size) + damping * np.eye(len(size))
        dp = np.linalg.lstsq(damped, self.gradient / size, rcond=None)[0] / size
        return dp, (self.pull - dp @ self.cross) / self.own

    def adjusted(self, p: FloatArray, xi: FloatArray, cost: float) -> Adjusted:
        """Return the fit at the optimum.

        Raises
        ------
        FitFailed
            The points do not tell a parameter.
        """
        size = np.sqrt(np.diag(self.schur))
        if not (size > 0).all() or np.linalg.cond(self.schur / np.outer(size, size)) > 1e13:
            raise FitFailed("parameters that the points do not tell", "points that tell them", "Measure more films.")
        covariance = np.linalg.inv(self.schur / np.outer(size, size)) / np.outer(size, size)
        response_x = -covariance @ (self.cross / self.own * self.x_weight)
        through = self.slopes - self.cross[:, None, :] * (self.along / self.own)[None]
        response_y = np.einsum("pq,qkn->pkn", covariance, through)
        freedom = int(self.along.size) - len(p)
        return Adjusted(p, covariance, xi, cost, freedom, response_x, response_y)


@dataclass(frozen=True)
class _Place:
    curves: Curves
    points: Points
    x_std: FloatArray
    scale: FloatArray

    def cost(self, p: FloatArray, xi: FloatArray) -> float:
        with np.errstate(all="ignore"):
            off = (self.points.y - self.curves(p, xi)) / self.points.y_std
        total = float(np.sum(off**2) + np.sum(((self.points.x - xi) / self.x_std) ** 2))
        return total if np.isfinite(total) else np.inf

    def normal(self, p: FloatArray, xi: FloatArray) -> _Normal:
        y_std, count = self.points.y_std, len(p)
        move = 1e-5 * np.maximum(self.x_std, 1e-3 * np.abs(xi).max())
        near = STEP * np.diag(self.scale)
        sides = np.concatenate([p + near, p - near, np.tile(p, (3, 1))])
        places = np.concatenate([np.tile(xi, (2 * count, 1)), [xi + move, xi - move, xi]])
        tried = self.curves(sides.T[:, :, None], places)
        slopes = (tried[:, :count] - tried[:, count : 2 * count]).transpose(1, 0, 2)
        slopes /= 2.0 * STEP * self.scale[:, None, None] * y_std
        along = (tried[:, -3] - tried[:, -2]) / (2.0 * move * y_std)
        off = (self.points.y - tried[:, -1]) / y_std
        x_weight = 1.0 / self.x_std**2
        own = x_weight + np.sum(along**2, axis=0)
        cross = np.einsum("pkn,kn->pn", slopes, along)
        pull = (self.points.x - xi) * x_weight + np.sum(along * off, axis=0)
        flat = slopes.reshape(count, -1)
        schur = flat @ flat.T - (cross / own) @ cross.T
        gradient = flat @ off.ravel() - cross @ (pull / own)
        return _Normal(schur, gradient, own, cross, pull, x_weight, slopes / y_std, along / y_std)
