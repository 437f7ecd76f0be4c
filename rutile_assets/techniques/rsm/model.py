"""A map about a reflection: substrate rod and film add in amplitude, a second relaxed part in intensity.

The substrate's peak sets the zeros of the goniometer, in angle space; the truncation rod then sets the in-plane zero,
so that a film's in-plane lattice is measured against the substrate's on the same map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from rutile_assets.errors import FitFailed
from rutile_assets.physics.counting import deviance_residual, deviance_slope, inverse, poisson_information
from rutile_assets.physics.crystal import DEFAULT_LATTICES, plane_factor, rutile
from rutile_assets.physics.reciprocal import Reflection, momentum, reflection

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
BoolArray = npt.NDArray[np.bool_]

ABSORPTION_PER_PLANE = 1e-4
SCREENING_POINTS, SCREENING_STEPS = 2000, 15
DARK = 1e-7  # of an envelope's maximum: amplitudes below are nothing
COHERENCE_PER_ANGSTROM = 0.003  # start of the rods' own width
LOOSE = 1.0  # hold on phase and log width where film and rod do not overlap
SMALLEST_SECOND = 0.1  # part of the film's intensity that makes a second component
STEP = 1e-7  # of a parameter, for slopes of the rate
ONE, TWO = 14, 18  # parameters of a film of one and of two components
Q_SUB, WIDTH_SUB, Q_FILM, WIDTH_FILM, Q110_FILM, PLANES, RATIO, NORMAL_ZERO, SHEAR, PHASE, COHERENCE = range(2, 13)
ROD_SHEAR = 13
Q_SECOND, WIDTH_SECOND, Q110_SECOND, SCALE_SECOND = range(14, 18)
# what moves the amplitude of each
ROD = (Q_SUB, WIDTH_SUB, NORMAL_ZERO, ROD_SHEAR, COHERENCE)
FILM = (Q_SUB, Q_FILM, WIDTH_FILM, Q110_FILM, PLANES, NORMAL_ZERO, SHEAR, COHERENCE)
SECOND = (Q_SUB, Q_SECOND, WIDTH_SECOND, Q110_SECOND, PLANES, NORMAL_ZERO, SHEAR, COHERENCE)

# how well the substrate's line is a Gaussian, of each point and of the top: set on 163 simulated films
LINE_STD, ROD_STD = 0.017, 0.0057


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
class MeshPoints:
    """The points of a map.

    Parameters
    ----------
    omega_deg, two_theta_deg, chi_deg : ndarray
        (P,) angles [deg].
    counts, exposure : ndarray
        (P,) detected counts, and what a rate is multiplied by to give counts (time over attenuation).
    wavelength_angstrom : float
        [angstrom].
    """

    omega_deg: FloatArray
    two_theta_deg: FloatArray
    chi_deg: FloatArray
    counts: FloatArray
    exposure: FloatArray
    wavelength_angstrom: float


@dataclass(frozen=True)
class SubstratePeak:
    """The substrate's peak in angle space.

    Parameters
    ----------
    omega_deg, two_theta_deg, chi_deg : float
        Centroid [deg].
    aside_std_deg, two_theta_std_deg : float
        One sigma of omega (of chi on a tilted map) and of 2theta [deg].
    """

    omega_deg: float
    two_theta_deg: float
    chi_deg: float
    aside_std_deg: float
    two_theta_std_deg: float

    @property
    def tilt_deg(self) -> float:
        """Angle between Q and the surface normal [deg]."""
        cosine = np.cos(np.radians(self.chi_deg)) * np.cos(np.radians(self.omega_deg - self.two_theta_deg / 2.0))
        return float(np.degrees(np.arccos(cosine)))


@dataclass(frozen=True)
class Plane:
    """A map in the plane of the normal and the substrate's in-plane direction, offsets taken out.

    Parameters
    ----------
    reflection : Reflection
        Of the substrate.
    q_parallel, q_normal, q_across : ndarray
        (P,) along the substrate's in-plane direction, along the normal, and across both [1/angstrom].
    polarisation : ndarray
        (P,) factor (1 + cos^2 2theta)/2.
    counts, exposure : ndarray
        (P,) as in `MeshPoints`.
    omega_offset_deg, two_theta_offset_deg, chi_offset_deg : float
        Goniometer minus nominal, subtracted [deg].
    parallel_std_per_angstrom, normal_std_per_angstrom : float
        What the peak's centroid leaves unknown in the plane and along the normal [1/angstrom].
    wavelength_angstrom : float
        [angstrom].
    """

    reflection: Reflection
    q_parallel: FloatArray
    q_normal: FloatArray
    q_across: FloatArray
    polarisation: FloatArray
    counts: FloatArray
    exposure: FloatArray
    omega_offset_deg: float
    two_theta_offset_deg: float
    chi_offset_deg: float
    parallel_std_per_angstrom: float
    normal_std_per_angstrom: float
    wavelength_angstrom: float

    def part(self, chosen: Any) -> Plane:
        """Return some of the points."""
        columns = ("q_parallel", "q_normal", "q_across", "polarisation", "counts", "exposure")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})


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


def substrate_peak(points: MeshPoints) -> SubstratePeak:
    """Return the brightest peak of a map: a Gaussian in omega and 2theta about the brightest point.

    Where the brightest points are too few for a Gaussian, the centroid of the points above half the maximum.

    Raises
    ------
    FitFailed
        Nothing stands out.
    """
    rate = points.counts / points.exposure
    top = int(np.argmax(rate))
    if points.counts[top] < 20:
        raise FitFailed(
            f"{points.counts[top]:.0f} counts at the brightest point", "a substrate peak", "Measure longer."
        )
    omega, two_theta, chi = (float(a[top]) for a in (points.omega_deg, points.two_theta_deg, points.chi_deg))
    rocking = points.omega_deg - points.two_theta_deg / 2.0
    x, y, z = rocking - rocking[top], points.two_theta_deg - two_theta, points.chi_deg - chi
    tilted = float(np.ptp(points.chi_deg)) > 1e-6
    sideways = z if tilted else x
    steps = [_step(sideways), _step(y)]
    near = (np.abs(sideways) < 4.1 * steps[0]) & (np.abs(y) < 4.1 * steps[1])
    if tilted:
        near &= np.abs(x) < 1e-6
    a, b, r = sideways[near], y[near], rate[near]
    start = np.array([np.log(rate[top]), 0.0, 0.0, np.log(steps[0]), np.log(steps[1]), 0.0])
    sigma = np.sqrt(np.maximum(points.counts[near], 1.0)) / points.exposure[near]
    sigma = np.sqrt(sigma**2 + (LINE_STD * r) ** 2 + (ROD_STD * rate[top]) ** 2)

    def residual(p: FloatArray) -> FloatArray:
        u, v = (a - p[1]) / np.exp(p[3]), (b - p[2]) / np.exp(p[4])
        return np.asarray((np.exp(p[0] - 0.5 * (u**2 + v**2 - 2.0 * p[5] * u * v)) - r) / sigma)

    reach = np.array([1.5, 2.0 * steps[0], 2.0 * steps[1], 2.0, 2.0, 0.95])
    if near.sum() >= 8:
        found = least_squares(residual, start, bounds=(start - reach, start + reach))
        spread = np.asarray(np.linalg.pinv(found.jac.T @ found.jac)) * max(1.0, 2.0 * found.cost / (near.sum() - 6))
        shift, errors = found.x[1:3], np.sqrt(np.diag(spread))[1:3]
    else:
        bright = near & (rate > 0.5 * rate[top])
        weight = rate[bright] / rate[bright].sum()
        shift = np.array([weight @ sideways[bright], weight @ y[bright]])
        errors = np.array(steps) / np.sqrt(12.0)
    if tilted:
        return SubstratePeak(omega + shift[1] / 2.0, two_theta + shift[1], chi + shift[0], errors[0], errors[1])
    omega += float(shift[0] + shift[1] / 2.0)
    return SubstratePeak(omega, two_theta + float(shift[1]), chi, float(errors[0]), float(errors[1]))


def _step(offsets: FloatArray) -> float:
    different = np.diff(np.unique(np.round(offsets, 6)))
    return float(np.median(different)) if len(different) else 0.01


def to_plane(points: MeshPoints, peak: SubstratePeak, nominal: Reflection) -> Plane:
    """Take the zero offsets out in angle space and turn the map into reciprocal space.

    A tilted map (chi moves) has its offset in chi, a coplanar one in omega; 2theta has its own.

    Raises
    ------
    FitFailed
        A map at one chi away from 0: it spreads across the plane, not in it.
    """
    wave = points.wavelength_angstrom
    two_offset = peak.two_theta_deg - nominal.two_theta_deg(wave)
    tilted = float(np.ptp(points.chi_deg)) > 1e-6
    theta = (peak.two_theta_deg - two_offset) / 2.0
    omega_offset, chi_offset = 0.0, 0.0
    if tilted:
        omega_offset = peak.omega_deg - theta
        chi_offset = peak.chi_deg - float(np.copysign(nominal.tilt_deg, peak.chi_deg))
    elif abs(peak.chi_deg) > 2.0:
        raise FitFailed(
            f"a map at chi {peak.chi_deg:.2f} deg alone",
            "chi near 0, or scans at several chi",
            "At one chi omega moves across the plane of normal and in-plane direction: scan chi.",
        )
    else:
        side = np.copysign(nominal.tilt_deg, theta - peak.omega_deg) if nominal.parallel > 1e-9 else 0.0
        omega_offset = peak.omega_deg - (theta - float(side))
    omega, two_theta = points.omega_deg - omega_offset, points.two_theta_deg - two_offset
    chi = points.chi_deg - chi_offset
    x, y, z = momentum(omega, two_theta, chi, wave)
    x0, y0, _ = momentum(
        np.array([peak.omega_deg - omega_offset]),
        np.array([peak.two_theta_deg - two_offset]),
        np.array([peak.chi_deg - chi_offset]),
        wave,
    )
    length = float(np.hypot(x0[0], y0[0]))
    c, s = (x0[0] / length, y0[0] / length) if length > 1e-6 else (1.0, 0.0)
    radial = 2.0 * np.pi / wave * np.cos(np.radians(theta)) * np.radians(peak.two_theta_std_deg)
    aside = nominal.length * np.radians(peak.aside_std_deg)
    sine, cosine = nominal.parallel / nominal.length, nominal.q_110 / nominal.length
    return Plane(
        nominal, c * x + s * y, z, c * y - s * x, (1.0 + np.cos(np.radians(two_theta)) ** 2) / 2.0,
        points.counts, points.exposure, omega_offset, two_offset, chi_offset,
        float(np.hypot(sine * radial, cosine * aside)), float(np.hypot(cosine * radial, sine * aside)), wave,
    )  # fmt: skip


@dataclass(frozen=True)
class MapModel:
    """Rate of a map as a function of one parameter vector.

    log10 of scale and background; in-plane centre of the rod and log of its width; the film's in-plane centre, log of
    its width, its centre along the normal, number of planes, log of its amplitude against the ideal one; the zero along
    the normal; the slope of the peak (mosaic tilts the lattice, which moves the normal component with the in-plane
    one); the phase that the gap below the film adds; log of the rods' own width, which says how far apart film and
    substrate still interfere; the slope of the rod (the resolution's ellipse lies aslant). A second component has
    centre, log width, normal centre, log10 scale.
    """

    reflection: Reflection
    substrate: str
    film: str
    lattices: str
    wavelength_angstrom: float

    def rate(self, vector: FloatArray, plane: Plane) -> FloatArray:
        """Return the count rate at the (P,) points of a plane."""
        return self._added(vector, plane, self._parts(vector, plane))

    def slopes(self, vector: FloatArray, plane: Plane) -> tuple[FloatArray, FloatArray]:
        """Return the count rate, (P,), and its derivatives by the parameters, (P, n); only what moves is summed."""
        parts = self._parts(vector, plane)
        rate = self._added(vector, plane, parts)
        slopes = np.empty((len(rate), len(vector)))
        for place in range(len(vector)):
            moved = vector.copy()
            moved[place] += STEP
            slopes[:, place] = (self._added(moved, plane, self._parts(moved, plane, parts, place)) - rate) / STEP
        return rate, slopes

    def _parts(
        self, vector: FloatArray, plane: Plane, known: Sequence[ComplexArray] | None = None, moved: int = -1
    ) -> tuple[ComplexArray, ...]:
        """Return the amplitudes of rod, film and second component, (P,) each; `known` where `moved` leaves them."""
        off = plane.q_parallel - vector[Q_SUB]
        normal = plane.q_normal - vector[NORMAL_ZERO]
        places = [(0, ROD, Q_SUB, WIDTH_SUB), (1, FILM, Q_FILM, WIDTH_FILM), (2, SECOND, Q_SECOND, WIDTH_SECOND)]
        found = []
        for number, mine, centre, width in places[: 3 if len(vector) == TWO else 2]:
            if known is not None and moved not in mine:
                found.append(known[number])
                continue
            aside = off - (vector[centre] if number else 0.0)
            envelope = _envelope(aside, self._width(plane, vector[width], vector[COHERENCE]))
            lit = envelope > DARK * envelope.max()
            leaning = normal[lit] - vector[SHEAR if number else ROD_SHEAR] * aside[lit]
            amplitude = np.zeros(len(off), dtype=np.complex128)
            if number:
                q110 = vector[Q110_SECOND if number == 2 else Q110_FILM]
                amplitude[lit] = self._ladder(plane, lit, leaning, q110, vector[PLANES]) * envelope[lit]
            else:
                amplitude[lit] = self._rod(plane, lit, leaning) * envelope[lit]
            found.append(amplitude)
        return tuple(found)

    def _added(self, vector: FloatArray, plane: Plane, parts: Sequence[ComplexArray]) -> FloatArray:
        """Return the rate (P,): rod and film in amplitude as far as they overlap, the second component in intensity."""
        first, other = parts[0], parts[1] * np.exp(vector[RATIO])
        overlap = np.exp(-0.125 * (vector[Q_FILM] / np.exp(vector[COHERENCE])) ** 2 + 1j * vector[PHASE])
        both = (overlap * other * np.conj(first)).real
        seen = np.maximum(_square(first) + _square(other) + 2.0 * both, 0.0)
        if len(vector) == TWO:
            seen = seen + 10.0 ** vector[SCALE_SECOND] * _square(parts[2])
        return np.asarray(10.0 ** vector[0] * plane.polarisation * seen + 10.0 ** vector[1])

    def _width(self, plane: Plane, log_width: float, log_coherence: float) -> FloatArray:
        """Return a rod's width at each point, (P,): mosaic and resolution are angles, and grow with Q."""
        width = np.exp(log_width)
        angular = max(1.0 - float(np.exp(2.0 * (log_coherence - log_width))), 0.0)
        return np.asarray(width * np.sqrt(1.0 + angular * ((plane.q_normal / self.reflection.q_110) ** 2 - 1.0)))

    def _factor(self, material: str, plane: Plane, spacing: float) -> ComplexArray:
        h, k, _ = self.reflection.hkl
        return plane_factor(
            material, plane.q_normal, spacing, self.wavelength_angstrom,
            h_minus_k=h - k, q_parallel_per_angstrom=self.reflection.parallel,
        )  # fmt: skip

    def _rod(self, plane: Plane, lit: BoolArray, normal: FloatArray) -> ComplexArray:
        spacing = 10.0 * rutile(self.substrate, self.lattices).d110_nm
        off = normal - self.reflection.q_110
        factor = self._factor(self.substrate, plane, spacing)[lit]
        return np.asarray(factor / (1.0 - np.exp(-1j * off * spacing - ABSORPTION_PER_PLANE)))

    def _ladder(self, plane: Plane, lit: BoolArray, normal: FloatArray, centre: float, planes: float) -> ComplexArray:
        """Sum of whole planes and a partly occupied one, phase 0 at the substrate's peak for the first plane."""
        below = 10.0 * rutile(self.substrate, self.lattices).d110_nm
        spacing = below * self.reflection.q_110 / centre
        step = np.exp(1j * (normal - centre) * spacing)
        near = np.abs(1.0 - step) < 1e-9
        whole = np.floor(planes)
        last = np.exp(1j * whole * (normal - centre) * spacing)
        total = np.where(near, whole, (1.0 - last) / np.where(near, 1.0, 1.0 - step)) + (planes - whole) * last
        first = np.exp(1j * (normal - self.reflection.q_110) * 0.5 * (below + spacing))
        return np.asarray(self._factor(self.film, plane, spacing)[lit] * first * total)


def _envelope(off: FloatArray, width: FloatArray) -> FloatArray:
    """Return the root of a normalised Gaussian of standard deviation `width`, (P,)."""
    return np.asarray(np.exp(-0.25 * (off / width) ** 2) / np.sqrt(width))


def _square(amplitude: ComplexArray) -> FloatArray:
    return np.asarray(amplitude.real**2 + amplitude.imag**2)


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
    tried = [_least_squares(model, thin, s, SCREENING_STEPS) for s in _starts(model, thin, bulk, nominal_nm)]
    one = _least_squares(model, fitted, min(tried, key=lambda t: float(t.cost)).x)
    rough = _least_squares(model, thin, one.x)
    two = min(
        (_least_squares(model, thin, s, SCREENING_STEPS) for s in _second_starts(one.x, bulk, here)),
        key=lambda t: float(t.cost),
    )
    delta_bic = float(2.0 * (rough.cost - two.cost) - (TWO - ONE) * np.log(len(thin.counts)))
    if delta_bic > 0.0:
        two = _least_squares(model, fitted, two.x)
        delta_bic = float(2.0 * (one.cost - two.cost) - (TWO - ONE) * np.log(used.sum()))
    best = two if delta_bic > chosen.delta_bic and _separate(two.x) else one
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


def covariance_at(model: MapModel, plane: Plane, vector: FloatArray) -> FloatArray:
    """Return the inverse of the Poisson information, (N, N); right at few counts, too, unlike J^T J of residuals."""
    rate, slopes = model.slopes(vector, plane)
    information = poisson_information(slopes * plane.exposure[:, None], rate * plane.exposure)
    information[NORMAL_ZERO, NORMAL_ZERO] += plane.normal_std_per_angstrom**-2
    information[Q_SUB, Q_SUB] += plane.parallel_std_per_angstrom**-2
    for loose in (PHASE, COHERENCE, ROD_SHEAR):
        information[loose, loose] += LOOSE**-2
    return inverse(information)


def _bulk(here: Reflection, film: str, lattices: str) -> Reflection:
    return reflection(rutile(film, lattices), here.hkl)


def _separate(vector: FloatArray) -> bool:
    """Tell whether two components are two peaks: apart by twice the sum of their widths, neither a mere trace."""
    apart = np.hypot(vector[Q_SECOND] - vector[Q_FILM], vector[Q110_SECOND] - vector[Q110_FILM])
    return bool(
        apart > 2.0 * (np.exp(vector[WIDTH_FILM]) + np.exp(vector[WIDTH_SECOND]))
        and SMALLEST_SECOND < second_fraction(vector) < 1.0 - SMALLEST_SECOND
    )


def second_fraction(vector: FloatArray) -> float:
    """Return the second component's part of the film's intensity, from the vector (N,); 0 for one component."""
    if len(vector) != TWO:
        return 0.0
    first, second = np.exp(2.0 * vector[RATIO]), 10.0 ** vector[SCALE_SECOND]
    return float(second / (first + second))


def _least_squares(model: MapModel, plane: Plane, start: FloatArray, steps: int = 60) -> Any:
    reach = np.array(
        [4.0, 3.0, 0.02, 2.5, 0.35, 2.5, 0.35, np.inf, 2.0, 5.0 * plane.normal_std_per_angstrom + 1e-6, 2.5, 3.1, 2.3,
         2.5]
    )  # fmt: skip
    if len(start) == TWO:
        reach = np.append(reach, [0.2, 2.0, 0.2, 6.0])
    low, high = start - reach, start + reach
    low[PLANES], high[PLANES] = 0.6, 1.6 * start[PLANES] + 2.0

    def residual(vector: FloatArray) -> FloatArray:
        expected = model.rate(vector, plane) * plane.exposure
        known = [vector[NORMAL_ZERO] / plane.normal_std_per_angstrom]
        known.append((vector[Q_SUB] - model.reflection.parallel) / plane.parallel_std_per_angstrom)
        known += [vector[PHASE] / LOOSE, (vector[COHERENCE] - np.log(COHERENCE_PER_ANGSTROM)) / LOOSE]
        known.append(vector[ROD_SHEAR] / LOOSE)
        return np.append(deviance_residual(plane.counts, expected), known)

    def jacobian(vector: FloatArray) -> FloatArray:
        rate, slopes = model.slopes(vector, plane)
        towards = deviance_slope(plane.counts, rate * plane.exposure) * plane.exposure
        known = np.zeros((5, len(vector)))
        known[0, NORMAL_ZERO] = 1.0 / plane.normal_std_per_angstrom
        known[1, Q_SUB] = 1.0 / plane.parallel_std_per_angstrom
        known[(2, 3, 4), (PHASE, COHERENCE, ROD_SHEAR)] = 1.0 / LOOSE
        return np.vstack([slopes * towards[:, None], known])

    return least_squares(
        residual, start, jac=jacobian, bounds=(low, high), x_scale="jac", max_nfev=steps,
        ftol=1e-10, xtol=1e-10, gtol=1e-10,
    )  # fmt: skip


def _starts(model: MapModel, plane: Plane, bulk: Reflection, nominal_nm: float) -> list[FloatArray]:
    """Return starts from coherent to relaxed; the normal spacing follows half-way by elasticity."""
    here = model.reflection
    rate = plane.counts / plane.exposure
    background = max(float(np.percentile(rate, 20)), 0.3 * float(rate.mean()) / 100.0, 1e-6)
    starts = []
    for relaxed in (0.0, 0.2, 0.4, 0.7, 1.0):
        parallel = relaxed * (bulk.parallel - here.parallel)
        coherent = here.q_110 + 0.32 * (bulk.q_110 - here.q_110)
        normal = coherent + relaxed * (bulk.q_110 - coherent)
        spacing = 10.0 * rutile(model.substrate, model.lattices).d110_nm * here.q_110 / normal
        vector = np.array(
            [0.0, np.log10(background), here.parallel, np.log(0.004), parallel, np.log(0.004 + 0.02 * relaxed), normal,
             10.0 * nominal_nm / spacing, 0.0, 0.0, -here.parallel / here.q_110 * relaxed, 0.0,
             np.log(COHERENCE_PER_ANGSTROM), 0.0]
        )  # fmt: skip
        shape = model.rate(vector, plane) - background
        above = np.maximum(rate - background, 0.0)
        vector[0] = np.log10(max(float(above.sum() / shape.sum()), 1e-12))
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
        starts.append(np.append(one, [relaxed * reach, np.log(0.006 + 0.01 * relaxed), normal, scale]))
    return starts
