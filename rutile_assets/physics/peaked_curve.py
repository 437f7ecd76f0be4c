r"""A quantity against thickness with a peak on a band: fits with errors of both variables, and draws of the curve.

.. math::

    \Phi(t) = \Phi_0 + s\,b(t) + A\,\frac{1 - e^{-(t/t_b)^3}}{1 + e^{(t-t_c)/w}},\qquad
    b(t) = t \;\text{(linear)},\quad b(t) = \frac{1 - e^{-\kappa t}}{\kappa} \;\text{(saturating)}

An error of the thickness counts as one of the quantity times the curve's slope (effective variance; Orear, Am. J. Phys.
50, 912 (1982), doi 10.1119/1.12972), the thickness errors' own covariance included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.optimize import least_squares
from scipy.stats import chi2

FloatArray = npt.NDArray[np.float64]

BANDS = ("linear", "saturating")
RISE_NM = (0.5, 12.0)
WIDTH_NM = (0.05, 5.0)
SATURATION_NM = (0.3, 300.0)
CENTRE, LAST = 4, 7
ROUNDS = 4
STARTS = 3
MOST_STEPS = 40
MISFIT_PROBABILITY = 0.01


@dataclass(frozen=True)
class Points:
    """What was measured.

    Parameters
    ----------
    thickness_nm, value_ev : ndarray
        (N,) in any order; thickness 0 is the bare substrate.
    covariance_ev2, thickness_covariance_nm2 : ndarray
        (N, N) of the values [eV^2] and of the thicknesses [nm^2].
    """

    thickness_nm: FloatArray
    value_ev: FloatArray
    covariance_ev2: FloatArray
    thickness_covariance_nm2: FloatArray

    def effective(self, slope: FloatArray) -> FloatArray:
        """Return the (N, N) covariance of value less curve [eV^2], given the curve's slopes (N,) [eV/nm]."""
        return self.covariance_ev2 + np.outer(slope, slope) * self.thickness_covariance_nm2


@dataclass(frozen=True)
class PeakedFit:
    """The best fit of one band, or of a band without a peak.

    Parameters
    ----------
    band : str
        ``linear`` or ``saturating``.
    parameters : ndarray
        (6,) or (7,) Phi_0 [eV], s [eV/nm], A [eV], ln t_b, t_c, ln w [nm], and ln kappa [1/nm] where the band
        saturates; of a band alone Phi_0, s (, ln kappa).
    covariance : ndarray
        Of the parameters.
    points_covariance : ndarray
        (N, N) effective covariance at the best fit [eV^2].
    chi_square, bic : float
        Of the fit; BIC holds the logarithm of the covariance's determinant, so that fits of other slopes compare.
    freedom : int
        Points less parameters.
    """

    band: str
    parameters: FloatArray
    covariance: FloatArray
    points_covariance: FloatArray
    chi_square: float
    bic: float
    freedom: int

    @property
    def misfits(self) -> bool:
        """Whether chi-square is larger than chance allows (1 %)."""
        return self.freedom > 0 and bool(chi2.sf(self.chi_square, self.freedom) < MISFIT_PROBABILITY)


def band_of(thickness_nm: FloatArray, rate_per_nm: FloatArray | float) -> FloatArray:
    """Return b(t) [nm], (..., T); rate 0 is the straight line."""
    rate = np.asarray(rate_per_nm, dtype=float)
    small = np.abs(rate) < 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        curved = -np.expm1(-rate * thickness_nm) / rate
    return np.where(small, thickness_nm + 0.0 * rate, curved)


def polar_of(thickness_nm: FloatArray, rise_nm: FloatArray, centre_nm: FloatArray, width_nm: FloatArray) -> FloatArray:
    """Return the polar term with A = 1, (..., T), of parameters [nm] that broadcast against the thickness."""
    rise = -np.expm1(-np.minimum((thickness_nm / rise_nm) ** 3, 700.0))
    return np.asarray(rise / (1.0 + np.exp(np.clip((thickness_nm - centre_nm) / width_nm, -700.0, 700.0))))


def curve(parameters: FloatArray, thickness_nm: FloatArray) -> FloatArray:
    """Return the curve [eV], (..., T), of parameters (..., P) as in `PeakedFit` at thicknesses (T,) [nm]."""
    p = parameters[..., None]
    count = parameters.shape[-1]
    saturates = count in (3, LAST)
    rate = np.exp(p[..., -1, :]) if saturates else 0.0
    value = p[..., 0, :] + p[..., 1, :] * band_of(thickness_nm, rate)
    if count > 3:
        rise, centre, width = np.exp(p[..., 3, :]), p[..., CENTRE, :], np.exp(p[..., 5, :])
        value = value + p[..., 2, :] * polar_of(thickness_nm, rise, centre, width)
    return np.asarray(value)


def slope_of(parameters: FloatArray, thickness_nm: FloatArray) -> FloatArray:
    """Return the curve's slope [eV/nm], (T,), and 0 at thickness 0, which has no error [nm]."""
    step = 1e-4
    slope = (curve(parameters, thickness_nm + step) - curve(parameters, thickness_nm - step)) / (2.0 * step)
    return np.where(thickness_nm > 0.0, slope, 0.0)


def fit_peaked(points: Points, band: str, slope: FloatArray) -> PeakedFit | None:
    """Fit band and peak, from the best of a grid of starts.

    Parameters
    ----------
    points : Points
        Measured.
    band : str
        ``linear`` or ``saturating``.
    slope : ndarray
        (N,) slopes of a curve near the points, for the first weights [eV/nm].

    Returns
    -------
    PeakedFit or None
        None where there are not two points more than parameters.
    """
    count = 6 + (band == "saturating")
    if len(points.value_ev) < count + 2:
        return None
    low, high = _limits(points, count)
    starts = [np.clip(s, low + 1e-9, high - 1e-9) for s in _starts(points, band, slope)]
    return _best(points, band, starts, (low, high), slope)


def fit_band(points: Points, band: str, slope: FloatArray) -> PeakedFit | None:
    """Fit the band alone; None where there are not two points more than parameters; `slope` (N,) [eV/nm]."""
    count = 2 + (band == "saturating")
    if len(points.value_ev) < count + 2:
        return None
    rise = np.polyfit(points.thickness_nm, points.value_ev, 1)
    rates = np.log([0.05, 0.2, 1.0]) if band == "saturating" else [np.nan]
    starts = [np.array([rise[1], rise[0], rate])[:count] for rate in rates]
    low, high = np.full(count, -np.inf), np.full(count, np.inf)
    if band == "saturating":
        low[-1], high[-1] = (-np.log(length) for length in reversed(SATURATION_NM))
    return _best(points, band, starts, (low, high), slope)


def _limits(points: Points, count: int) -> tuple[FloatArray, FloatArray]:
    longest = float(points.thickness_nm.max())
    low = [-np.inf, -np.inf, 0.0, np.log(RISE_NM[0]), 0.0, np.log(WIDTH_NM[0]), -np.log(SATURATION_NM[1])]
    high = [np.inf, np.inf, 50.0, np.log(RISE_NM[1]), longest, np.log(WIDTH_NM[1]), -np.log(SATURATION_NM[0])]
    return np.array(low[:count]), np.array(high[:count])


def _starts(points: Points, band: str, slope: FloatArray) -> list[FloatArray]:
    """Return the best nodes of a grid of what is not linear, the linear parameters solved at each."""
    t = points.thickness_nm
    films = np.sort(t[t > 0.0])
    centres = np.quantile(films, [0.2, 0.35, 0.45, 0.55, 0.65, 0.8])
    rates = [0.03, 0.1, 0.25, 0.7] if band == "saturating" else [0.0]
    axes = np.meshgrid([1.0, 1.7, 2.5, 3.5, 5.0, 8.0], centres, [0.2, 0.5, 1.0, 2.0], rates, indexing="ij")
    rise, centre, width, rate = (axis.reshape(-1, 1) for axis in axes)
    basis = np.stack(
        [np.ones((len(rise), len(t))), band_of(t, rate) + 0.0 * rise, polar_of(t, rise, centre, width)], axis=-1
    )
    whiten = np.linalg.inv(np.linalg.cholesky(points.effective(slope)))
    white, target = np.einsum("ij,njk->nik", whiten, basis), whiten @ points.value_ev
    normal = np.einsum("nik,nil->nkl", white, white) + 1e-9 * np.eye(3)
    linear = np.linalg.solve(normal, np.einsum("nik,i->nk", white, target)[..., None])[..., 0]
    misfit = np.sum((np.einsum("nik,nk->ni", white, linear) - target) ** 2, axis=1)
    misfit = np.where(linear[:, 2] > 0.0, misfit, np.inf)
    found: list[FloatArray] = []
    for place in np.argsort(misfit):
        start = np.concatenate([
            linear[place], np.log(rise[place]), centre[place], np.log(width[place]),
            np.log(rate[place]) if band == "saturating" else [],
        ])  # fmt: skip
        if all(np.abs(start[3:6] - other[3:6]).max() > 0.4 for other in found):
            found.append(start)
        if len(found) == STARTS:
            break
    return found


def _best(
    points: Points,
    band: str,
    starts: Sequence[FloatArray],
    limits: tuple[FloatArray, FloatArray],
    slope: FloatArray,
) -> PeakedFit:
    covariance = points.effective(slope)
    chosen, jacobian = starts[0], np.zeros((len(points.value_ev), len(starts[0])))
    for turn in range(ROUNDS):
        factor: FloatArray = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)

        def residual(p: FloatArray, factor: FloatArray = factor) -> FloatArray:
            off = curve(p, points.thickness_nm) - points.value_ev
            return np.asarray(solve_triangular(factor, off, lower=True, check_finite=False))

        def slopes(p: FloatArray, factor: FloatArray = factor) -> FloatArray:
            steps = 1e-6 * np.maximum(np.abs(p), 0.1)
            both = curve(np.concatenate([p + np.diag(steps), p - np.diag(steps)]), points.thickness_nm)
            change = (both[: len(p)] - both[len(p) :]) / (2.0 * steps[:, None])
            return np.asarray(solve_triangular(factor, change.T, lower=True, check_finite=False))

        begins = starts if turn == 0 else [chosen]
        found = min(
            (least_squares(residual, b, slopes, bounds=limits, x_scale="jac", max_nfev=MOST_STEPS) for b in begins),
            key=lambda fit: float(fit.cost),
        )
        chosen, jacobian = found.x, found.jac
        covariance = points.effective(slope_of(chosen, points.thickness_nm))
    off = curve(chosen, points.thickness_nm) - points.value_ev
    chi_square = float(off @ np.linalg.solve(covariance, off))
    count, free = len(off), len(chosen)
    determinant = float(np.linalg.slogdet(covariance)[1])
    return PeakedFit(
        band,
        chosen,
        np.asarray(np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-12), dtype=np.float64),
        covariance,
        chi_square,
        chi_square + determinant + free * float(np.log(count)),
        count - free,
    )


def draws(points: Points, fit: PeakedFit, count: int, rng: np.random.Generator) -> FloatArray:
    """Return parameters drawn from what the points allow within the bounds, (count, P), flat where they are silent.

    Importance sampling from Student's t about the best fit, its centre and width adapted in rounds. Where the fit
    misfits, the covariance of the points is widened until chi-square is what chance allows.

    Parameters
    ----------
    points : Points
        Measured; the bounds on widths and lengths are in [nm].
    fit : PeakedFit
        Of them.
    count : int
        How many draws.
    rng : Generator
        Where the numbers come from.
    """
    low, high = _limits(points, len(fit.parameters))
    widen = fit.chi_square / fit.freedom if fit.misfits else 1.0
    inverse = np.linalg.inv(fit.points_covariance) / widen
    middle, spread = fit.parameters, _bounded(fit.covariance * widen)
    freedom, free = 5.0, len(middle)
    chosen = np.tile(middle, (count, 1))
    for _ in range(ROUNDS):
        factor = np.linalg.cholesky(spread)
        normal = rng.normal(size=(4 * count, free))
        stretched = normal * np.sqrt(freedom / rng.chisquare(freedom, size=4 * count))[:, None]
        tried = middle + stretched @ factor.T
        off = curve(np.clip(tried, low, high), points.thickness_nm) - points.value_ev
        fitting = -0.5 * np.einsum("ni,ij,nj->n", off, inverse, off)
        proposed = -0.5 * (freedom + free) * np.log1p(np.sum(stretched**2, axis=1) / freedom)
        weight = np.where(((tried >= low) & (tried <= high)).all(axis=1), fitting - proposed, -np.inf)
        if not np.isfinite(weight).any():
            return chosen
        weight = np.exp(weight - weight.max())
        weight /= weight.sum()
        chosen = tried[rng.choice(len(tried), size=count, p=weight)]
        if 1.0 / np.sum(weight**2) > 0.25 * count:
            break
        middle = weight @ tried
        spread = _bounded((tried - middle).T @ ((tried - middle) * weight[:, None]) + 0.05 * spread)
    return chosen


def _bounded(covariance: FloatArray) -> FloatArray:
    """Return a covariance whose directions that the points leave open are no wider than two of each parameter."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.clip(values, 1e-12, 4.0)) @ vectors.T)
