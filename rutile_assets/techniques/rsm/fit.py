"""The fit of a map: rod and film from coherent to relaxed starts, a second component where it stands apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from rutile_assets.errors import FitFailed
from rutile_assets.physics.counting import deviance_residual, deviance_slope, inverse, poisson_information
from rutile_assets.physics.crystal import DEFAULT_LATTICES, rutile
from rutile_assets.physics.reciprocal import Reflection, reflection
from rutile_assets.techniques.rsm.model import (
    ASIDE,
    COHERENCE,
    MOSAIC,
    MOSAIC_SECOND,
    NORMAL_ZERO,
    ONE,
    PHASE,
    PLANES,
    Q110_FILM,
    Q110_SECOND,
    Q_FILM,
    Q_SECOND,
    Q_SUB,
    RADIAL,
    RATIO,
    SCALE,
    SCALE_SECOND,
    SPREAD,
    TWO,
    MapModel,
)
from rutile_assets.techniques.rsm.plane import Plane

FloatArray = npt.NDArray[np.float64]

SCREENING_POINTS, SCREENING_STEPS = 2000, 15
ENOUGH = 1e-4  # relative change of chi-square that ends a screening
LOOSE = 1.0  # hold on the phase, and on the logs of the instrument's widths about the peak's
AMPLITUDE_STD = 0.5  # of the log of the film's amplitude against that of its planes: at few counts rod and film trade
MOSAIC_RAD, MOSAIC_STD = 1e-3, 2.0  # a lattice's tilt, and the standard deviation of its log
NARROWEST, WIDEST, SPREAD_STD = 0.02, 1.5, 0.5  # spread of the surface's height; how well it is known [planes]
FLAT = 0.2  # a spread below which the rate no longer moves with it, though it is no better known [planes]
SMALLEST_SECOND = 0.1  # part of the film's intensity that makes a second component


@dataclass(frozen=True)
class RsmFitParameters:
    """What a person may choose about the fit of a map.

    Parameters
    ----------
    lattices : str
        The bulk lattices, a key of `LATTICE_SETS` in physics/crystal.py.
    mask_per_angstrom : float
        Radius about the substrate's peak that is left out: saturated, dynamical.
    window_per_angstrom : float
        Half width, along the normal, of what is fitted.
    offset_deg : float
        How far the substrate's peak may stand from its nominal angles.
    delta_bic : float
        A second component has to lower the BIC by this much.
    """

    lattices: str = DEFAULT_LATTICES
    mask_per_angstrom: float = 0.05
    window_per_angstrom: float = 0.45
    offset_deg: float = 1.5
    delta_bic: float = 10.0


@dataclass(frozen=True)
class MapFit:
    """A fitted map.

    Parameters
    ----------
    plane : Plane
        The points that were fitted.
    substrate, film : str
        Materials.
    vector, covariance : ndarray
        (n,) and (n, n); 14 parameters for one component, 18 for two.
    reduced_chi_square, delta_bic : float
        With counting noise alone; BIC of one component minus BIC of two (on every n-th point where one suffices).
    expected : ndarray
        (P,) counts of the model.
    notes : tuple of str
        What a reader must know.
    """

    plane: Plane
    substrate: str
    film: str
    vector: FloatArray
    covariance: FloatArray
    reduced_chi_square: float
    delta_bic: float
    expected: FloatArray
    notes: tuple[str, ...]

    @property
    def components(self) -> int:
        """Number of components, 1 or 2."""
        return 1 if len(self.vector) == ONE else 2


def fit_map(plane: Plane, substrate: str, film: str, nominal_nm: float, chosen: RsmFitParameters) -> MapFit:
    """Fit a map with one and with two components, from the film's nominal thickness and the bulk lattices alone.

    Parameters
    ----------
    plane : Plane
        From `to_plane`.
    substrate, film : str
        Materials of the lattice set.
    nominal_nm : float
        Nominal thickness of the film [nm].
    chosen : RsmFitParameters
        See there.

    Raises
    ------
    FitFailed
        Too few points with counts about the reflection.
    """
    here = plane.reflection
    bulk = _bulk(here, film, chosen.lattices)
    wide = max(chosen.window_per_angstrom, 2.0 * abs(bulk.q_110 - here.q_110))
    away = np.hypot(plane.q_parallel - here.parallel, plane.q_normal - here.q_110)
    used = (away > chosen.mask_per_angstrom) & (np.abs(plane.q_normal - here.q_110) < wide)
    if used.sum() < 200 or plane.counts[used].sum() < 200:
        raise FitFailed(
            f"{int(used.sum())} points with {plane.counts[used].sum():.0f} counts in all",
            "at least 200 of each about the reflection",
            "Measure longer.",
        )
    fitted = plane.part(used)
    thin = fitted.part(slice(None, None, max(1, int(used.sum()) // SCREENING_POINTS)))
    model = MapModel(here, substrate, film, chosen.lattices, plane.wavelength_angstrom)
    tried = [_least_squares(model, thin, s, SCREENING_STEPS, ENOUGH) for s in _starts(model, thin, bulk, nominal_nm)]
    one = _least_squares(model, fitted, min(tried, key=lambda t: float(t.cost)).x)
    rough = _least_squares(model, thin, one.x)
    two = min(
        (_least_squares(model, thin, s, SCREENING_STEPS, ENOUGH) for s in _second_starts(one.x, bulk, here)),
        key=lambda t: float(t.cost),
    )
    delta_bic = float(2.0 * (rough.cost - two.cost) - (TWO - ONE) * np.log(len(thin.counts)))
    if delta_bic > 0.0:
        two = _least_squares(model, fitted, two.x)
        delta_bic = float(2.0 * (one.cost - two.cost) - (TWO - ONE) * np.log(used.sum()))
    best = two if delta_bic > chosen.delta_bic and _separate(fitted, two.x) else one
    free = int(used.sum()) - len(best.x)
    expected = model.rate(best.x, fitted) * fitted.exposure
    chi_square = float(np.sum((fitted.counts - expected) ** 2 / expected) / free)
    covariance = covariance_at(model, fitted, best.x) * max(1.0, chi_square)
    notes = []
    if chi_square > 1.5:
        notes.append(f"Misfit: reduced chi-square {chi_square:.1f}; the uncertainties are widened by its root.")
    return MapFit(fitted, substrate, film, best.x, covariance, chi_square, delta_bic, expected, tuple(notes))


def refine(plane: Plane, model: MapModel, start: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the optimum next to `start`, (N,), and its covariance (N, N)."""
    found = _least_squares(model, plane, start)
    return found.x, covariance_at(model, plane, found.x)


def _known(model: MapModel, plane: Plane, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return which parameters are known before, at what, and one sigma, (K,) each."""
    aside, radial, coherence = plane.instrument
    logs = np.log([np.radians(aside), np.radians(radial), coherence, MOSAIC_RAD])
    rows = [
        (NORMAL_ZERO, 0.0, plane.normal_std_per_angstrom),
        (Q_SUB, model.reflection.parallel, plane.parallel_std_per_angstrom),
        (PHASE, 0.0, LOOSE),
        (RATIO, 0.0, AMPLITUDE_STD),
        (ASIDE, logs[0], LOOSE),
        (RADIAL, logs[1], LOOSE),
        (COHERENCE, logs[2], LOOSE),
        (MOSAIC, logs[3], MOSAIC_STD),
        (SPREAD, SPREAD_STD, SPREAD_STD),
    ]
    if size == TWO:
        rows.append((MOSAIC_SECOND, logs[3], MOSAIC_STD))
    places, values, stds = zip(*rows, strict=True)
    return np.array(places), np.array(values), np.array(stds)


def covariance_at(model: MapModel, plane: Plane, vector: FloatArray) -> FloatArray:
    """Return the inverse of the Poisson information, (N, N); right at few counts, too, unlike J^T J of residuals."""
    held = vector.copy()
    held[SPREAD] = max(held[SPREAD], FLAT)
    rate, slopes = model.slopes(held, plane)
    information = poisson_information(slopes * plane.exposure[:, None], rate * plane.exposure)
    places, _, stds = _known(model, plane, len(vector))
    information[places, places] += stds**-2.0
    return inverse(information)


def _bulk(here: Reflection, film: str, lattices: str) -> Reflection:
    return reflection(rutile(film, lattices), here.hkl)


def _separate(plane: Plane, vector: FloatArray) -> bool:
    """Tell whether two components are two peaks: apart by twice the sum of their widths, neither a mere trace."""
    apart = np.hypot(vector[Q_SECOND] - vector[Q_FILM], vector[Q110_SECOND] - vector[Q110_FILM])
    return bool(
        apart > 2.0 * (lateral_width(plane, vector, 1) + lateral_width(plane, vector, 2))
        and SMALLEST_SECOND < second_fraction(vector) < 1.0 - SMALLEST_SECOND
    )


def lateral_width(plane: Plane, vector: FloatArray, component: int) -> float:
    """Return the standard deviation of a component (1 or 2) across its rod, where it stands [1/angstrom]."""
    centre, normal, tilt = (Q_FILM, Q110_FILM, MOSAIC) if component == 1 else (Q_SECOND, Q110_SECOND, MOSAIC_SECOND)
    away = np.hypot(plane.q_parallel - vector[Q_SUB] - vector[centre], plane.q_normal - vector[normal])
    at = int(np.argmin(away))
    aside = np.exp(2.0 * vector[ASIDE]) + np.exp(2.0 * vector[tilt])
    radial, coherence = np.exp(2.0 * vector[RADIAL]), np.exp(2.0 * vector[COHERENCE])
    return float(np.sqrt(plane.aside_parallel[at] ** 2 * aside + plane.radial_parallel[at] ** 2 * radial + coherence))


def second_fraction(vector: FloatArray) -> float:
    """Return the second component's part of the film's intensity, from the vector (N,); 0 for one component."""
    if len(vector) != TWO:
        return 0.0
    first, second = np.exp(2.0 * vector[RATIO]), 10.0 ** vector[SCALE_SECOND]
    return float(second / (first + second))


def _least_squares(model: MapModel, plane: Plane, start: FloatArray, steps: int = 60, tolerance: float = 1e-10) -> Any:
    normal = 5.0 * plane.normal_std_per_angstrom + 1e-6
    reach = np.array([4.0, 3.0, 0.02, 0.35, 0.35, np.inf, np.inf, 2.0, normal, 3.1, 2.3, 2.3, 2.5, 4.0])
    if len(start) == TWO:
        reach = np.append(reach, [0.2, 0.2, 6.0, 4.0])
    low, high = start - reach, start + reach
    low[PLANES], high[PLANES] = 0.6, 1.6 * start[PLANES] + 2.0
    low[SPREAD], high[SPREAD] = NARROWEST, WIDEST
    begin = np.clip(start, low + 1e-9, high - 1e-9)
    places, values, stds = _known(model, plane, len(start))

    def residual(vector: FloatArray) -> FloatArray:
        expected = model.rate(vector, plane) * plane.exposure
        return np.append(deviance_residual(plane.counts, expected), (vector[places] - values) / stds)

    def jacobian(vector: FloatArray) -> FloatArray:
        rate, slopes = model.slopes(vector, plane)
        towards = deviance_slope(plane.counts, rate * plane.exposure) * plane.exposure
        known = np.zeros((len(places), len(vector)))
        known[np.arange(len(places)), places] = 1.0 / stds
        return np.vstack([slopes * towards[:, None], known])

    return least_squares(
        residual, begin, jac=jacobian, bounds=(low, high), x_scale="jac", max_nfev=steps,
        ftol=tolerance, xtol=1e-10, gtol=1e-10,
    )  # fmt: skip


def _starts(model: MapModel, plane: Plane, bulk: Reflection, nominal_nm: float) -> list[FloatArray]:
    """Return starts from coherent to relaxed; the normal spacing follows half-way by elasticity."""
    here = model.reflection
    rate = plane.counts / plane.exposure
    background = max(float(np.percentile(rate, 20)), 0.3 * float(rate.mean()) / 100.0, 1e-6)
    aside, radial, coherence = plane.instrument
    starts = []
    for relaxed in (0.0, 0.2, 0.4, 0.7, 1.0):
        coherent = here.q_110 + 0.32 * (bulk.q_110 - here.q_110)
        normal = coherent + relaxed * (bulk.q_110 - coherent)
        spacing = 10.0 * rutile(model.substrate, model.lattices).d110_nm * here.q_110 / normal
        vector = np.array(
            [0.0, np.log10(background), here.parallel, relaxed * (bulk.parallel - here.parallel), normal,
             10.0 * nominal_nm / spacing, 0.3, 0.0, 0.0, 0.0, np.log(np.radians(aside)), np.log(np.radians(radial)),
             np.log(coherence), np.log(0.5 * MOSAIC_RAD + 0.004 * relaxed)]
        )  # fmt: skip
        shape = model.rate(vector, plane) - background
        above = np.maximum(rate - background, 0.0)
        vector[SCALE] = np.log10(max(float(above.sum() / shape.sum()), 1e-12))
        starts.append(vector)
    return starts


def _second_starts(one: FloatArray, bulk: Reflection, here: Reflection) -> list[FloatArray]:
    """Return starts in which a second component stands on the way from coherent to relaxed, away from the first."""
    starts = []
    reach = bulk.parallel - here.parallel
    coherent = here.q_110 + 0.32 * (bulk.q_110 - here.q_110)
    for relaxed in (0.0, 0.35, 0.7, 1.0):
        if abs(relaxed * reach - one[Q_FILM]) < 0.1 * abs(reach):
            continue
        normal = coherent + relaxed * (bulk.q_110 - coherent)
        scale = 2.0 * one[RATIO] / np.log(10.0) - 0.5
        starts.append(np.append(one, [relaxed * reach, normal, scale, np.log(MOSAIC_RAD + 0.002 * relaxed)]))
    return starts
