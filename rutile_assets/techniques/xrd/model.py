"""Diffraction of a film along its substrate's rod: amplitudes are added, never intensities.

Substrate truncation rod and film interfere, so a film's peak is not where its spacing says: an incoherent sum reads the
spacing of five planes 0.02 angstrom wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.counting import deviance_residual, deviance_slope, inverse, poisson_information
from rutile_assets.physics.crystal import SURFACE_REACH, plane_factor, plane_occupancies, rutile
from rutile_assets.physics.reflectivity import FWHM_PER_SIGMA, momentum_transfer, resolution_nodes

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

ABSORPTION_PER_PLANE = 1e-4
SCREENING_POINTS, SCREENING_STEPS = 500, 15
PLANES_APART, MOST_STARTS = 1.6, 24  # how far apart starts are
MOST_TRIED, GOOD = 6, 1.5  # starts that are followed to the end until the reduced chi-square is good
STEP = 1e-7  # of a parameter, for slopes of the rate
NARROWEST, START, WIDEST = 0.02, 0.3, 1.5  # spread of a surface's height [planes]
MOST_ABSORBERS = 8


@dataclass(frozen=True)
class XrdFitParameters:
    """What a person may choose about a fit of Laue oscillations.

    Parameters
    ----------
    mask_deg : float
        Half width about the substrate's (110) peak that is left out: saturated, dynamical.
    range_deg : float
        Half width of the range about that peak that is fitted.
    resolution_fwhm_deg : float
        FWHM of the resolution in 2theta where the sidecar does not say.
    two_theta_zero_std_deg : float
        How well the goniometer's zero is known.
    thickness_range : float
        The nominal thickness may be wrong by this factor.
    attenuator_std_ratio : float
        How well the factor of each absorber against the thinnest one is known; the fit may move it at this price.
    surface_spread_planes : float
        Scale of the half-normal law that is assumed for how far a layer's surface spreads in height.
    """

    mask_deg: float = 0.12
    range_deg: float = 7.0
    resolution_fwhm_deg: float = 0.012
    two_theta_zero_std_deg: float = 0.01
    thickness_range: float = 1.4
    attenuator_std_ratio: float = 0.01
    surface_spread_planes: float = 0.5


@dataclass(frozen=True)
class Film:
    """One layer of rutile on rutile, [110] up.

    Parameters
    ----------
    material : str
        RuO2 or TiO2.
    nominal_nm : float
        Thickness as grown.
    index : int
        As in growth_layer.
    """

    material: str
    nominal_nm: float
    index: int


@dataclass(frozen=True)
class Rod:
    """A substrate with layers, as a function of one parameter vector.

    The vector holds log10 of the scale, log10 of the background, 2theta zero [deg]; then for each layer from the bottom
    the number of planes N, their spacing d [angstrom], the gap to the plane below [angstrom]; then for each layer the
    standard deviation of its surface's height [planes].
    """

    substrate: str
    films: tuple[Film, ...]
    wavelength_angstrom: float
    resolution_fwhm_deg: float
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the parameters."""
        names = ["log10_scale", "log10_background", "two_theta_zero_deg"]
        for film in self.films:
            names += [f"{what} {film.index}" for what in ("planes", "spacing", "gap")]
        names += [f"spread {film.index}" for film in self.films]
        object.__setattr__(self, "names", tuple(names))

    def rate(self, vector: FloatArray, two_theta_deg: FloatArray) -> FloatArray:
        """Return the count rate, (Q,), at goniometer angles (Q,) [deg]."""
        offsets, weights = resolution_nodes(3)
        sigma = self.resolution_fwhm_deg / FWHM_PER_SIGMA
        rays = (two_theta_deg - vector[2])[None, :] + sigma * offsets[:, None]
        amplitude = self.amplitude(vector, momentum_transfer(rays.ravel(), self.wavelength_angstrom))
        intensity = (amplitude.real**2 + amplitude.imag**2).reshape(rays.shape) * lorentz_polarisation(rays)
        return np.asarray(10.0 ** vector[0] * (weights @ intensity) + 10.0 ** vector[1])

    def slopes(self, vector: FloatArray, two_theta_deg: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the count rate, (Q,), and its derivatives by the parameters, (Q, n)."""
        rate = self.rate(vector, two_theta_deg)
        slopes = np.empty((len(rate), len(vector)))
        slopes[:, 0] = np.log(10.0) * (rate - 10.0 ** vector[1])
        slopes[:, 1] = np.log(10.0) * 10.0 ** vector[1]
        for place in range(2, len(vector)):
            moved = vector.copy()
            moved[place] += STEP
            slopes[:, place] = (self.rate(moved, two_theta_deg) - rate) / STEP
        return rate, slopes

    def amplitude(self, vector: FloatArray, q_per_angstrom: FloatArray) -> ComplexArray:
        r"""Return the scattered amplitude in electrons per 1 x 1 cell.

        .. math:: A = \frac{F_s}{1 - e^{-i q d_s} e^{-\epsilon}}
                  + \sum_l F_l e^{i q z_l} \left(\frac{1 - e^{i q d_l n_l}}{1 - e^{i q d_l}}
                  + \sum_{k \ge n_l} p_{lk} e^{i q d_l k}\right)

        with n whole planes and some more that are there to p, see `plane_occupancies`: N is the sum of all.

        Parameters
        ----------
        vector : ndarray
            (n,) in the order of `names`.
        q_per_angstrom : ndarray
            (Q,) along the normal [1/angstrom].
        """
        q = q_per_angstrom
        d_s = 10.0 * rutile(self.substrate).d110_nm
        total = plane_factor(self.substrate, q, d_s, self.wavelength_angstrom) / (
            1.0 - np.exp(-1j * q * d_s - ABSORPTION_PER_PLANE)
        )
        height = 0.0
        for number, film in enumerate(self.films):
            planes, spacing, gap = vector[3 + 3 * number : 6 + 3 * number]
            height += gap
            factor = plane_factor(film.material, q, spacing, self.wavelength_angstrom)
            phase = np.exp(1j * q * spacing)
            near = np.abs(1.0 - phase) < 1e-9
            spread = float(vector[3 + 3 * len(self.films) + number])
            whole = max(int(np.floor(planes - SURFACE_REACH * spread)), 0)
            last = np.exp(1j * q * spacing * whole)
            ladder = np.where(near, whole, (1.0 - last) / np.where(near, 1.0, 1.0 - phase))
            for occupied in plane_occupancies(planes, spread, whole):
                ladder = ladder + occupied * last
                last = last * phase
            total = total + factor * np.exp(1j * q * height) * ladder
            height += (planes - 1.0) * spacing
        return np.asarray(total)


@dataclass(frozen=True)
class XrdFit:
    """A fitted scan.

    Parameters
    ----------
    rod : Rod
        Substrate and layers.
    vector, covariance : ndarray
        (n,) and (n, n), in the order of ``rod.names``; then the relative errors of the absorbers, but the thinnest's.
    reduced_chi_square : float
        With counting noise alone.
    two_theta_deg, counts, expected : ndarray
        (Q,) the points that were fitted.
    notes : tuple of str
        What a reader must know.
    """

    rod: Rod
    vector: FloatArray
    covariance: FloatArray
    reduced_chi_square: float
    two_theta_deg: FloatArray
    counts: FloatArray
    expected: FloatArray
    notes: tuple[str, ...]

    def estimate(self) -> Estimate:
        """Return planes, spacing, N d and strain along the normal of each layer, with their covariance."""
        quantities: list[str] = []
        subjects: list[str] = []
        values: list[float] = []
        rows: list[FloatArray] = []
        unit = np.eye(len(self.vector))
        for number, film in enumerate(self.rod.films):
            i = 3 + 3 * number
            planes, spacing = self.vector[i], self.vector[i + 1]
            relaxed = 10.0 * rutile(film.material).d110_nm
            quantities += ["planes_count", "plane_spacing_nm", "laue_thickness_nm", "strain_out_of_plane_percent"]
            values += [planes, 0.1 * spacing, 0.1 * planes * spacing, 100.0 * (spacing / relaxed - 1.0)]
            rows += [
                unit[i],
                0.1 * unit[i + 1],
                0.1 * (planes * unit[i + 1] + spacing * unit[i]),
                100.0 / relaxed * unit[i + 1],
            ]
            subjects += [f"{film.index} {film.material}"] * 4
        matrix = np.array(rows)
        return Estimate(
            tuple(quantities),
            np.array(values),
            matrix @ self.covariance @ matrix.T,
            "coherent sum of the substrate's truncation rod and the layers, free gaps, least squares on counts",
            "covariance",
            tuple(subjects),
            {},
            self.notes,
        )


def lorentz_polarisation(two_theta_deg: FloatArray) -> FloatArray:
    """Return (1 + cos^2 2theta) / (2 sin 2theta sin theta) at (Q,) [deg]: polarisation, Lorentz factor, lit area."""
    two = np.radians(two_theta_deg)
    return np.asarray((1.0 + np.cos(two) ** 2) / (2.0 * np.sin(two) * np.sin(two / 2.0)))


def substrate_peak_deg(substrate: str, wavelength_angstrom: float) -> float:
    """Return 2theta of the substrate's (110) reflection [deg]."""
    return float(2.0 * np.degrees(np.arcsin(wavelength_angstrom / (20.0 * rutile(substrate).d110_nm))))


def fit_rod(
    two_theta_deg: FloatArray, counts: FloatArray, exposure: FloatArray, rod: Rod, chosen: XrdFitParameters
) -> XrdFit:
    """Fit a scan across the substrate's (110) reflection, from the nominal thicknesses alone.

    Parameters
    ----------
    two_theta_deg, counts, exposure : ndarray
        (P,) angles [deg], detected counts, and what a rate is multiplied by to give counts (time over attenuation).
    rod : Rod
        From the growth.
    chosen : XrdFitParameters
        See there.

    Raises
    ------
    FitFailed
        The scan does not cross the substrate's peak, or has too few points.
    """
    centre = substrate_peak_deg(rod.substrate, rod.wavelength_angstrom)
    away = np.abs(two_theta_deg - centre)
    used = (away > chosen.mask_deg) & (away < chosen.range_deg)
    if used.sum() < 4 * len(rod.names) or two_theta_deg[used].min() > centre or two_theta_deg[used].max() < centre:
        raise FitFailed(
            f"{int(used.sum())} points about {centre:.2f} deg", f"a scan across {rod.substrate} (110)", "Measure it."
        )
    angle, measured, weight = two_theta_deg[used], counts[used], exposure[used]
    rate = measured / weight
    best = _search(rod, angle, measured, weight, _starts(rod, angle, rate, chosen), chosen)
    if 2.0 * best.cost >= GOOD * len(angle) and len(rod.films) > 1:  # one layer's planes passed for another's
        starts = _exchanged(_starts(rod, angle, rate, replace(chosen, thickness_range=1.0))[0], len(rod.films))
        again = _search(rod, angle, measured, weight, [best.x[: len(rod.names)], *starts], chosen)
        best = again if again.cost < best.cost else best
    free = len(angle) - len(best.x)
    chi_square = float(2.0 * best.cost / free)
    covariance = _covariance(rod, angle, weight, best.x, chosen) * max(1.0, chi_square)
    notes = []
    if chi_square > 2.0:
        notes.append(f"Misfit: reduced chi-square {chi_square:.1f}; the uncertainties are widened by its root.")
    expected, _ = _expected(rod, angle, weight, best.x)
    return XrdFit(rod, best.x, covariance, chi_square, angle, measured, expected, tuple(notes))


def _search(
    rod: Rod, angle: FloatArray, measured: FloatArray, weight: FloatArray, starts: Sequence[FloatArray],
    chosen: XrdFitParameters,
) -> Any:  # fmt: skip
    """Return the best optimum from some starts, each screened on a thinned scan, the most promising ones refined."""
    thin = slice(None, None, max(1, len(angle) // SCREENING_POINTS))
    tried = []
    for start in starts:
        found = _least_squares(rod, angle[thin], measured[thin], weight[thin], start, chosen, SCREENING_STEPS)
        tried.append((found.cost, found.x))
    best = None
    for _, start in sorted(tried, key=lambda t: t[0])[:MOST_TRIED]:
        surfaces = slice(3 + 3 * len(rod.films), len(rod.names))
        loose = start.copy()
        loose[surfaces] = np.clip(start[surfaces], START, WIDEST / 2.0)  # no slope where a surface is sharp
        found = _least_squares(rod, angle, measured, weight, loose, chosen)
        best = found if best is None or found.cost < best.cost else best
        if 2.0 * best.cost < GOOD * len(angle):
            break
    return best


def _exchanged(nominal: FloatArray, films: int) -> list[FloatArray]:
    """Return starts with a plane more or less in each layer, in all combinations."""
    starts = []
    for moves in product((-1.0, 0.0, 1.0), repeat=films):
        start = nominal.copy()
        start[3 : 3 + 3 * films : 3] = np.maximum(start[3 : 3 + 3 * films : 3] + moves, 1.0)
        starts.append(start)
    return starts


def _absorbers(exposure: FloatArray) -> int:
    """Return how many exposures but the longest a scan has; 0 where each point has its own."""
    count = len(np.unique(exposure)) - 1
    return count if count < MOST_ABSORBERS else 0


def _absorbed(vector: FloatArray, rod: Rod, exposure: FloatArray) -> FloatArray:
    """Return 1 minus the error of the absorber at each point, (Q,)."""
    errors = np.concatenate([vector[len(rod.names) :][::-1], [0.0]])
    if len(errors) == 1:
        return np.ones_like(exposure)
    return np.asarray(1.0 - errors[np.unique(exposure, return_inverse=True)[1]])


def refine(
    two_theta_deg: FloatArray, counts: FloatArray, rod: Rod, start: FloatArray, chosen: XrdFitParameters
) -> tuple[FloatArray, FloatArray]:
    """Return the optimum next to `start` (n,) and its covariance, for counts (Q,) of one second at (Q,) [deg]."""
    weight = np.ones_like(counts)
    found = _least_squares(rod, two_theta_deg, counts, weight, start, chosen)
    return found.x, _covariance(rod, two_theta_deg, weight, found.x, chosen)


def _expected(rod: Rod, angle: FloatArray, weight: FloatArray, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the expected counts, (Q,), and their derivatives by the parameters and the absorbers' errors, (Q, n)."""
    rate, slopes = rod.slopes(vector[: len(rod.names)], angle)
    passed = weight * _absorbed(vector, rod, weight)
    errors = len(vector) - len(rod.names)
    levels = np.unique(weight, return_inverse=True)[1]
    behind = np.array([levels == errors - 1 - number for number in range(errors)]).reshape(errors, len(weight))
    return rate * passed, np.hstack([slopes * passed[:, None], -(behind * rate * weight).T])


def _known(rod: Rod, count: int, chosen: XrdFitParameters) -> FloatArray:
    """Return one over the standard deviation of what is known before: zero, surfaces' spread, absorbers, (n,)."""
    known = np.zeros(count)
    known[2] = 1.0 / chosen.two_theta_zero_std_deg
    known[3 + 3 * len(rod.films) : len(rod.names)] = 1.0 / chosen.surface_spread_planes
    known[len(rod.names) :] = 1.0 / chosen.attenuator_std_ratio
    return known


def _covariance(
    rod: Rod, angle: FloatArray, weight: FloatArray, vector: FloatArray, chosen: XrdFitParameters
) -> FloatArray:
    expected, slopes = _expected(rod, angle, weight, vector)
    return inverse(poisson_information(slopes, expected) + np.diag(_known(rod, len(vector), chosen) ** 2))


def _least_squares(
    rod: Rod,
    angle: FloatArray,
    counts: FloatArray,
    weight: FloatArray,
    start: FloatArray,
    chosen: XrdFitParameters,
    steps: int = 100,
) -> Any:
    layers = len(rod.films)
    reach = np.array([4.0, 4.0, 5.0 * chosen.two_theta_zero_std_deg] + [np.inf, 0.15, 0.8] * layers + [0.0] * layers)
    size = len(rod.names)
    absorbers = np.zeros(_absorbers(weight))
    start = np.append(start[:size], start[size:] if len(start) == size + len(absorbers) else absorbers)
    reach = np.append(reach, absorbers + 6.0 * chosen.attenuator_std_ratio)
    low, high = start - reach, start + reach
    low[3 : 3 + 3 * layers : 3] = 0.6  # planes
    low[size - layers : size], high[size - layers : size] = NARROWEST, WIDEST
    known = _known(rod, len(start), chosen)

    def residual(vector: FloatArray) -> FloatArray:
        expected = rod.rate(vector[:size], angle) * weight * _absorbed(vector, rod, weight)
        return np.append(deviance_residual(counts, expected), known * vector)

    def jacobian(vector: FloatArray) -> FloatArray:
        expected, slopes = _expected(rod, angle, weight, vector)
        return np.vstack([deviance_slope(counts, expected)[:, None] * slopes, np.diag(known)])

    return least_squares(
        residual, start, jac=jacobian, bounds=(low, high), x_scale="jac", max_nfev=steps,
        ftol=1e-11, xtol=1e-11, gtol=1e-11,
    )  # fmt: skip


def _starts(rod: Rod, angle: FloatArray, rate: FloatArray, chosen: XrdFitParameters) -> list[FloatArray]:
    """Return starts over the number of planes; spacing half-way to the substrate's, gaps the mean of two spacings."""
    d_s = 10.0 * rutile(rod.substrate).d110_nm
    background = max(float(np.percentile(rate, 5)), 1e-3)
    starts = []
    span = chosen.thickness_range - 1.0 / chosen.thickness_range
    thickest = max((film.nominal_nm for film in rod.films), default=0.0) / (0.1 * d_s)
    count = int(np.clip(span * thickest / PLANES_APART, 4, MOST_STARTS / 2))
    for factor in np.append(np.linspace(1.0 / chosen.thickness_range, 1.0, count, endpoint=False),
                            np.linspace(1.0, chosen.thickness_range, count + 1)):  # fmt: skip
        vector = [0.0, np.log10(0.3 * background), 0.0]
        below = d_s
        for film in rod.films:
            relaxed = 10.0 * rutile(film.material).d110_nm
            spacing = relaxed if film.material == rod.substrate else 0.35 * relaxed + 0.65 * d_s
            vector += [10.0 * film.nominal_nm * factor / spacing, spacing, 0.5 * (below + spacing)]
            below = spacing
        start = np.array(vector + [START] * len(rod.films))
        start[0] = np.log10(np.median(rate / np.maximum(rod.rate(start, angle) - 10.0 ** start[1], 1e-30)))
        starts.append(start)
    return starts
