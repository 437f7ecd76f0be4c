"""Diffraction of a film along its substrate's rod: amplitudes are added, never intensities.

Substrate truncation rod and film interfere, so a film's peak is not where its spacing says: an incoherent sum reads the
spacing of five planes 0.02 angstrom wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.counting import deviance_residual
from rutile_assets.physics.crystal import plane_factor, rutile
from rutile_assets.physics.reflectivity import FWHM_PER_SIGMA, momentum_transfer, resolution_nodes

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

ABSORPTION_PER_PLANE = 1e-4
SCREENING_POINTS = 500
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
    """

    mask_deg: float = 0.12
    range_deg: float = 7.0
    resolution_fwhm_deg: float = 0.012
    two_theta_zero_std_deg: float = 0.01
    thickness_range: float = 1.4
    attenuator_std_ratio: float = 0.01


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
    the number of planes N, their spacing d [angstrom], the gap to the plane below [angstrom].
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
        object.__setattr__(self, "names", tuple(names))

    def rate(self, vector: FloatArray, two_theta_deg: FloatArray) -> FloatArray:
        """Return the count rate, (Q,), at goniometer angles (Q,) [deg]."""
        sigma = self.resolution_fwhm_deg / FWHM_PER_SIGMA
        angle = two_theta_deg - vector[2]
        blurred = np.zeros_like(angle)
        for offset, weight in zip(*resolution_nodes(3), strict=True):
            ray = angle + sigma * offset
            q = momentum_transfer(ray, self.wavelength_angstrom)
            blurred += weight * np.abs(self.amplitude(vector, q)) ** 2 * lorentz_polarisation(ray)
        return np.asarray(10.0 ** vector[0] * blurred + 10.0 ** vector[1])

    def amplitude(self, vector: FloatArray, q_per_angstrom: FloatArray) -> ComplexArray:
        r"""Return the scattered amplitude in electrons per 1 x 1 cell.

        .. math:: A = \frac{F_s}{1 - e^{-i q d_s} e^{-\epsilon}}
                  + \sum_l F_l e^{i q z_l} \left(\frac{1 - e^{i q d_l n_l}}{1 - e^{i q d_l}}
                  + p_l e^{i q d_l n_l}\right)

        with n whole planes and one more that is occupied to p: N = n + p.

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
            whole = np.floor(planes)
            ladder = np.where(near, whole, (1.0 - phase**whole) / np.where(near, 1.0, 1.0 - phase))
            ladder = ladder + (planes - whole) * phase**whole
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
    thin = slice(None, None, max(1, len(angle) // SCREENING_POINTS))
    tried = []
    for start in _starts(rod, angle, measured / weight, chosen):
        found = _least_squares(rod, angle[thin], measured[thin], weight[thin], start, chosen)
        tried.append((found.cost, found.x))
    best = _least_squares(rod, angle, measured, weight, min(tried, key=lambda t: t[0])[1], chosen)
    free = len(angle) - len(best.x)
    chi_square = float(2.0 * best.cost / free)
    covariance = np.asarray(np.linalg.pinv(best.jac.T @ best.jac)) * max(1.0, chi_square)
    notes = []
    if chi_square > 2.0:
        notes.append(f"Misfit: reduced chi-square {chi_square:.1f}; the uncertainties are widened by its root.")
    expected = rod.rate(best.x, angle) * weight * _absorbed(best.x, rod, weight)
    return XrdFit(rod, best.x, covariance, chi_square, angle, measured, expected, tuple(notes))


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
    found = _least_squares(rod, two_theta_deg, counts, np.ones_like(counts), start, chosen)
    return found.x, np.asarray(np.linalg.pinv(found.jac.T @ found.jac))


def _least_squares(
    rod: Rod, angle: FloatArray, counts: FloatArray, weight: FloatArray, start: FloatArray, chosen: XrdFitParameters
) -> Any:
    reach = np.array([4.0, 4.0, 5.0 * chosen.two_theta_zero_std_deg] + [np.inf, 0.15, 0.8] * len(rod.films))
    size = len(rod.names)
    absorbers = np.zeros(_absorbers(weight))
    start = np.append(start[:size], start[size:] if len(start) == size + len(absorbers) else absorbers)
    reach = np.append(reach, absorbers + 6.0 * chosen.attenuator_std_ratio)
    low, high = start - reach, start + reach
    low[3:size:3] = 0.6  # planes

    def residual(vector: FloatArray) -> FloatArray:
        expected = rod.rate(vector, angle) * weight * _absorbed(vector, rod, weight)
        known = [vector[2] / chosen.two_theta_zero_std_deg, *(vector[size:] / chosen.attenuator_std_ratio)]
        return np.append(deviance_residual(counts, expected), known)

    return least_squares(
        residual, start, bounds=(low, high), x_scale="jac", max_nfev=100, ftol=1e-11, xtol=1e-11, gtol=1e-11
    )


def _starts(rod: Rod, angle: FloatArray, rate: FloatArray, chosen: XrdFitParameters) -> list[FloatArray]:
    """Return starts over the number of planes; spacing half-way to the substrate's, gaps the mean of two spacings."""
    d_s = 10.0 * rutile(rod.substrate).d110_nm
    background = max(float(np.percentile(rate, 5)), 1e-3)
    starts = []
    for factor in np.linspace(1.0 / chosen.thickness_range, chosen.thickness_range, 9):
        vector = [0.0, np.log10(0.3 * background), 0.0]
        below = d_s
        for film in rod.films:
            relaxed = 10.0 * rutile(film.material).d110_nm
            spacing = relaxed if film.material == rod.substrate else 0.35 * relaxed + 0.65 * d_s
            vector += [10.0 * film.nominal_nm * factor / spacing, spacing, 0.5 * (below + spacing)]
            below = spacing
        start = np.array(vector)
        start[0] = np.log10(np.median(rate / np.maximum(rod.rate(start, angle) - 10.0 ** start[1], 1e-30)))
        starts.append(start)
    return starts
