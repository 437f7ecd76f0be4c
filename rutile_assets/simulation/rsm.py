"""Reciprocal space maps of a simulated film, plane by plane, blurred in the goniometer's angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.special import voigt_profile, wofz

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.physics.crystal import plane_factor, plane_occupancies, rutile
from rutile_assets.physics.reciprocal import Hkl, Reflection, momentum, reflection
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.rsm_line import line, near
from rutile_assets.simulation.truth import FilmTruth, plane_spacing_nm, relaxation
from rutile_assets.simulation.writers.scan import XrayScan

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

Ladder = Callable[[FloatArray], ComplexArray]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
ABSORPTION_PER_PLANE = 1e-4
DARKEST = -27.0  # exponent of an envelope below which a point sees nothing
TABLE_REACH, TABLE_POINTS = 1.5, 20001  # of the film's amplitude along the normal [1/angstrom]
COHERENCE_PER_ANGSTROM = 0.002  # standard deviation of a rod's own intensity across it: lateral coherence


@dataclass(frozen=True)
class RsmSetup:
    """A diffractometer set up for one map.

    Parameters
    ----------
    hkl : tuple of int
        The substrate's reflection.
    is_tilted : bool
        True where chi is scanned at omega = theta, False where omega is scanned at chi = 0 with a grazing incidence.
    aside_start_deg, aside_stop_deg, aside_step_deg : float
        Offsets of omega (of chi where tilted) from the reflection [deg].
    two_theta_range_deg, two_theta_step_deg : float
        Half width and step of each coupled scan [deg].
    omega_fwhm_deg, chi_fwhm_deg, two_theta_fwhm_deg : float
        Gaussian resolution [deg].
    film_counts, background_counts : float
        Counts of a point at the film's maximum, and far from everything [counts].
    largest_counts : float
        The detector is kept below this by absorbers [counts].
    """

    hkl: Hkl
    is_tilted: bool = False
    aside_start_deg: float = -1.0
    aside_stop_deg: float = 2.6
    aside_step_deg: float = 0.03
    two_theta_range_deg: float = 5.0
    two_theta_step_deg: float = 0.1
    omega_fwhm_deg: float = 0.05
    chi_fwhm_deg: float = 0.15
    two_theta_fwhm_deg: float = 0.12
    film_counts: float = 3e3
    background_counts: float = 3.0
    largest_counts: float = 5e5


SETUPS: dict[str, RsmSetup] = {
    "332": RsmSetup((3, 3, 2)),
    "310": RsmSetup((3, 1, 0), aside_start_deg=-1.8, aside_stop_deg=1.8),
    "301": RsmSetup((3, 0, 1), is_tilted=True, aside_start_deg=-3.0, aside_stop_deg=3.0, aside_step_deg=0.08),
}


@dataclass(frozen=True)
class Film:
    """The film's part of a map.

    Parameters
    ----------
    q_parallel : float
        In-plane centre along the substrate's direction [1/angstrom].
    spacing_angstrom, planes : float
        Of its (110) planes [angstrom].
    mosaic_deg : float
        Standard deviation of the lattice's tilt [deg].
    fraction : float
        Of the film's volume.
    spread : float
        Standard deviation of the surface's height over terraces that scatter together [planes].
    """

    q_parallel: float
    spacing_angstrom: float
    planes: float
    mosaic_deg: float
    fraction: float = 1.0
    spread: float = 0.0


def film_of(truth: FilmTruth, here: Reflection, terrace_share: float = 0.0) -> Film:
    """Return where the film's rod stands: both in-plane lattices relaxed by their own part."""
    t = truth.film.thickness_nm
    bulk, below = rutile("RuO2"), rutile("TiO2")
    along, across = relaxation(t)
    c = below.c_angstrom + along * (bulk.c_angstrom - below.c_angstrom)
    a = below.a_angstrom + across * (bulk.a_angstrom - below.a_angstrom)
    h, k, m = here.hkl
    q = np.array([2.0 * np.pi * m / c, 2.0 * np.pi * (h - k) / (np.sqrt(2.0) * a)])
    direction = np.array([here.q_001, here.q_1m10]) / here.parallel
    spacing = 10.0 * plane_spacing_nm("RuO2", t)
    spread = terrace_share * 10.0 * truth.film.roughness_nm / spacing
    return Film(float(q @ direction), spacing, 10.0 * t / spacing, 0.01 + 0.25 * along, spread=spread)


def expected_rate(
    here: Reflection,
    films: tuple[Film, ...],
    setup: RsmSetup,
    omega_deg: FloatArray,
    two_theta_deg: FloatArray,
    chi_deg: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the rate of the substrate's rod with the film, and of the film alone, at true angles (P,) [deg].

    The blur is a Gaussian in omega (chi where tilted) and 2theta; the film's mosaic turns it as omega does. Turns are
    exact, arcs and all; 2theta is summed over nodes about where the rod is seen most likely. What has the substrate's
    pole is taken to first order there, and by quadrature where the pole itself is seen.
    """
    sight = _Sight(setup, omega_deg, two_theta_deg, chi_deg)
    polarisation = (1.0 + np.cos(np.radians(two_theta_deg)) ** 2) / 2.0
    total = sight.seen_with_pole(
        here, here.parallel, lambda q, deviation: _blurred_rod(here, q, deviation), lambda q: _rod(here, q)
    )
    alone = np.zeros_like(total)
    for film in films:
        ladder = _tabulated(here, film)

        def alone_blurred(q: FloatArray, deviation: FloatArray, ladder: Ladder = ladder) -> FloatArray:
            return _blurred(lambda at: np.abs(ladder(at)) ** 2, q, deviation)

        def cross_blurred(q: FloatArray, deviation: FloatArray, ladder: Ladder = ladder) -> FloatArray:
            return _blurred_cross(here, ladder, q, deviation)

        def cross_rod(q: FloatArray, ladder: Ladder = ladder) -> FloatArray:
            return np.asarray(2.0 * (ladder(q) * np.conj(_rod_amplitude(here, q))).real)

        part = film.fraction * sight.seen(film.q_parallel, film.mosaic_deg, alone_blurred)
        centre, overlap, wider = _overlap(here, film)
        cross = sight.seen_with_pole(here, centre, cross_blurred, cross_rod, wider) if overlap > 1e-8 else 0.0
        total = total + part + film.fraction * overlap * cross
        alone = alone + part
    return polarisation * np.maximum(total, 0.0), polarisation * alone


class _Sight:
    """The points of a map and the instrument that looks at them."""

    def __init__(self, setup: RsmSetup, omega_deg: FloatArray, two_theta_deg: FloatArray, chi_deg: FloatArray) -> None:
        self.setup, self.wave = setup, CU_K_ALPHA1_ANGSTROM.value
        self.angles = (omega_deg, two_theta_deg, chi_deg)
        self.aside_rad = np.radians((setup.chi_fwhm_deg if setup.is_tilted else setup.omega_fwhm_deg) / FWHM_PER_SIGMA)
        self.radial_deg = setup.two_theta_fwhm_deg / FWHM_PER_SIGMA

    def seen(
        self,
        centre: float,
        mosaic_deg: float,
        blurred: Callable[[FloatArray, FloatArray], FloatArray],
        wider: float = 0.0,
        *,
        is_sharp: bool = False,
    ) -> FloatArray:
        """Return what the points see of a rod.

        Parameters
        ----------
        centre : float
            Of the rod in the plane [1/angstrom].
        mosaic_deg : float
            Standard deviation of the lattice's tilt [deg].
        blurred : callable
            The rod's intensity along the normal at (L,) places, over a Gaussian of (L,) standard deviations
            [1/angstrom].
        wider : float
            Variance across the rod, besides the lateral coherence [1/angstrom^2].
        is_sharp : bool
            True where the intensity has a pole, which nodes would miss: 2theta then adds to the Gaussian.
        """
        tilt = self.aside_rad**2 + np.radians(mosaic_deg) ** 2
        across = COHERENCE_PER_ANGSTROM**2 + wider
        step = 1e-4
        parallel, normal = self._at(self.angles, 0.0)
        radial = (self._at(self.angles, step)[0] - parallel) / step
        variance = normal**2 * tilt + (radial * self.radial_deg) ** 2 + across
        exponent = -0.5 * (centre - parallel) ** 2 / variance
        lit = np.flatnonzero(exponent > DARKEST)
        share = radial[lit] * self.radial_deg**2 / variance[lit]
        likely = share * (centre - parallel[lit])
        spread = self.radial_deg * np.sqrt(np.maximum(1.0 - share * radial[lit], 0.0))
        angles = tuple(angle[lit] for angle in self.angles)

        def unlikely(moved: FloatArray) -> FloatArray:
            length, angle = self._polar(angles, moved)
            turn = angle - np.arcsin(np.clip(centre / length, -1.0, 1.0))
            high = length**2 - centre**2
            return np.asarray((turn**2 * high / (high * tilt + across) + (moved / self.radial_deg) ** 2) / 2.0)

        low, middle, up = (unlikely(likely + step * spread) for step in (-1.0, 0.0, 1.0))
        curvature = np.maximum(low + up - 2.0 * middle, 0.1)
        likely = likely + 0.5 * spread * (low - up) / curvature
        spread = spread / np.sqrt(curvature)

        def met(moved: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            length, angle = self._polar(angles, moved)
            turn = angle - np.arcsin(np.clip(centre / length, -1.0, 1.0))  # that brings the rod there
            height = np.sqrt(np.maximum(length**2 - centre**2, 0.0))
            wide = height**2 * tilt + across
            turned = angle - turn * height**2 * tilt / wide
            near = np.exp(-0.5 * (turn * height) ** 2 / wide) / np.sqrt(wide)
            blur = np.abs(length * np.sin(turned)) * np.sqrt(tilt * across / wide)
            chance = np.exp(-0.5 * (moved / self.radial_deg) ** 2) * spread / self.radial_deg
            return chance * near, length * np.cos(turned), blur

        total = np.zeros(len(parallel))
        if is_sharp:
            weight, mean, blur = met(likely)
            moving = met(likely + spread)[1] - mean
            total[lit] = weight * blurred(mean, np.hypot(blur, moving))
            return total
        for node, part in zip(NODES, WEIGHTS / WEIGHTS.sum(), strict=True):
            weight, mean, blur = met(likely + node * spread)
            total[lit] += part * np.exp(0.5 * node**2) * weight * blurred(mean, blur)
        return total

    def seen_with_pole(
        self,
        here: Reflection,
        centre: float,
        blurred: Callable[[FloatArray, FloatArray], FloatArray],
        intensity: Callable[[FloatArray], FloatArray],
        wider: float = 0.0,
    ) -> FloatArray:
        """Return what the points see of what has the substrate's pole; `intensity` is what `blurred` blurs."""
        total = self.seen(centre, 0.0, blurred, wider, is_sharp=True)
        length, angle = self._polar(self.angles, 0.0)
        two_theta = 2.0 * np.arcsin(length * self.wave / (4.0 * np.pi))
        turned = angle if self.setup.is_tilted else np.radians(self.angles[0])
        pole, across = (centre, here.q_110), np.sqrt(COHERENCE_PER_ANGSTROM**2 + wider)
        deviations, tilted = (self.aside_rad, float(np.radians(self.radial_deg))), self.setup.is_tilted
        lit = near(pole, deviations, turned, two_theta, is_tilted=tilted)
        half_width = ABSORPTION_PER_PLANE / (10.0 * rutile("TiO2").d110_nm)
        total[lit] = line(
            pole, half_width, across, intensity, deviations, turned[lit], two_theta[lit], is_tilted=tilted
        )
        return total

    def _at(self, angles: tuple[FloatArray, ...], moved_deg: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """Return Q in the plane and along the normal where 2theta is larger by so much."""
        omega, two_theta, chi = angles
        half = 0.5 * moved_deg if self.setup.is_tilted else 0.0
        x, y, z = momentum(omega + half, two_theta + moved_deg, chi, self.wave)
        return (y if self.setup.is_tilted else x), z

    def _polar(self, angles: tuple[FloatArray, ...], moved_deg: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        parallel, normal = self._at(angles, moved_deg)
        return np.hypot(parallel, normal), np.arctan2(parallel, normal)


def _overlap(here: Reflection, film: Film) -> tuple[float, float, float]:
    """Return where along the plane film and rod interfere [1/angstrom], how much, and its variance [1/angstrom^2].

    A block of the mosaic tilted so far that its rod stands m aside overlaps the substrate's rod to
    exp(-(apart + m)^2 / 8 C^2), half-way between the two; this is that, summed over the Gaussian law of m.
    """
    apart, tilt = film.q_parallel - here.parallel, (here.q_110 * np.radians(film.mosaic_deg)) ** 2
    reach = 4.0 * COHERENCE_PER_ANGSTROM**2
    near = reach / (reach + tilt)
    overlap = np.sqrt(near) * np.exp(-0.5 * apart**2 / (reach + tilt))
    return here.parallel + 0.5 * apart * near, float(overlap), float(0.25 * tilt * near)


def _blurred(function: Callable[[FloatArray], FloatArray], q: FloatArray, deviation: FloatArray) -> FloatArray:
    """Average a smooth function over a Gaussian in q."""
    total = np.zeros_like(q)
    for node, weight in zip(NODES, WEIGHTS / WEIGHTS.sum(), strict=True):
        total += weight * function(q + node * deviation)
    return total


def _blurred_cross(here: Reflection, ladder: Ladder, q: FloatArray, deviation: FloatArray) -> FloatArray:
    """2 Re(film x conjugate rod) averaged over a Gaussian in q: the rod's pole with Faddeeva's function, exactly.

    <1 / (eps - i x)> = sqrt(pi/2) w((x + i eps) / (sqrt2 s)) / s; the rest is smooth.
    """
    below, epsilon = 10.0 * rutile("TiO2").d110_nm, ABSORPTION_PER_PLANE

    def product(at: FloatArray) -> ComplexArray:
        return np.asarray(ladder(at) * np.conj(_factor("TiO2", here, at, below)))

    pole = product(np.array([here.q_110]))[0]

    def rest(at: FloatArray) -> FloatArray:
        x = (at - here.q_110) * below
        x = np.where(np.abs(x) < 1e-2, 1e-2, x)
        found = product(here.q_110 + x / below) / (1.0 - np.exp(1j * x - epsilon)) - pole / (epsilon - 1j * x)
        return np.asarray(2.0 * found.real)

    s = np.maximum(deviation * below, 1e-6)
    mean = np.sqrt(np.pi / 2.0) / s * wofz(((q - here.q_110) * below + 1j * epsilon) / (np.sqrt(2.0) * s))
    return np.asarray(2.0 * (pole * mean).real + _blurred(rest, q, deviation))


def _blurred_rod(here: Reflection, q: FloatArray, deviation: FloatArray) -> FloatArray:
    """|F / (1 - exp(-i x - eps))|^2 averaged over a Gaussian in q: the pole is a Voigt profile, the rest smooth."""
    below, epsilon = 10.0 * rutile("TiO2").d110_nm, ABSORPTION_PER_PLANE
    x = (q - here.q_110) * below
    pole = np.pi / epsilon * voigt_profile(x, np.maximum(deviation * below, 1e-6), epsilon)
    safe = np.where(np.abs(x) < 1e-2, 1e-2, x)
    rest = 0.25 / np.sin(0.5 * safe) ** 2 - 1.0 / safe**2
    return np.asarray(np.abs(_factor("TiO2", here, q, below)) ** 2 * (pole + rest))


def _rod_amplitude(here: Reflection, q: FloatArray) -> ComplexArray:
    below = 10.0 * rutile("TiO2").d110_nm
    pole = 1.0 - np.exp(-1j * (q - here.q_110) * below - ABSORPTION_PER_PLANE)
    return np.asarray(_factor("TiO2", here, q, below) / pole)


def _rod(here: Reflection, q: FloatArray) -> FloatArray:
    return np.asarray(np.abs(_rod_amplitude(here, q)) ** 2)


def _factor(material: str, here: Reflection, q: FloatArray, spacing: float) -> ComplexArray:
    h, k, _ = here.hkl
    return plane_factor(
        material, q, spacing, CU_K_ALPHA1_ANGSTROM.value, h_minus_k=h - k, q_parallel_per_angstrom=here.parallel
    )


def _tabulated(here: Reflection, film: Film) -> Ladder:
    """Return the film's amplitude along the normal, from a fine table: plane by plane once, not at every point."""
    grid = np.linspace(here.q_110 - TABLE_REACH, here.q_110 + TABLE_REACH, TABLE_POINTS)
    amplitude = _ladder(here, film, grid)
    spline = CubicSpline(grid, amplitude)
    return lambda at: np.asarray(spline(at))


def _ladder(here: Reflection, film: Film, q: FloatArray) -> ComplexArray:
    below = 10.0 * rutile("TiO2").d110_nm
    centre = here.q_110 * below / film.spacing_angstrom
    height = 0.5 * (below + film.spacing_angstrom)
    factor = _factor("RuO2", here, q, film.spacing_angstrom)
    total = np.zeros(q.shape, dtype=np.complex128)
    for number, occupied in enumerate(plane_occupancies(film.planes, film.spread)):
        total += occupied * np.exp(1j * ((q - centre) * number * film.spacing_angstrom))
    return np.asarray(factor * total * np.exp(1j * (q - here.q_110) * height))


def simulate_rsm(truth: FilmTruth, setup: RsmSetup, realism: Realism, rng: np.random.Generator) -> list[XrayScan]:
    """Return coupled scans, each at its own offset of omega or chi, as the instrument writes them."""
    here = reflection(rutile("TiO2"), setup.hkl)
    return simulate_films(here, (film_of(truth, here, realism.terrace_share),), setup, realism, rng)


def simulate_films(
    here: Reflection,
    films: tuple[Film, ...],
    setup: RsmSetup,
    realism: Realism,
    rng: np.random.Generator,
    *,
    is_noisy: bool = True,
) -> list[XrayScan]:
    """Return the scans of a map of any films on TiO2; counts from a Poisson law behind the absorbers.

    Without noise the counts are their expectations, for what a fit does besides.
    """
    wave = CU_K_ALPHA1_ANGSTROM.value
    theta = here.two_theta_deg(wave) / 2.0
    count = round((setup.aside_stop_deg - setup.aside_start_deg) / setup.aside_step_deg) + 1
    offsets = setup.aside_start_deg + setup.aside_step_deg * np.arange(count)
    points = round(2.0 * setup.two_theta_range_deg / setup.two_theta_step_deg) + 1
    two_theta = 2.0 * theta - setup.two_theta_range_deg + setup.two_theta_step_deg * np.arange(points)
    shown = np.round(np.broadcast_to(two_theta, (count, points)), 4)
    if setup.is_tilted:
        omega = shown / 2.0
        chi = np.broadcast_to((here.tilt_deg + offsets)[:, None], shown.shape)
    else:
        omega = shown / 2.0 - here.tilt_deg + offsets[:, None]
        chi = np.zeros_like(shown)
    omega, chi = np.round(omega, 4), np.round(chi, 4)
    zeros = realism.rsm_zero_deg * rng.normal(size=3) * np.array([1.0, 0.6, 1.0 if setup.is_tilted else 0.0])
    angles = ((omega - zeros[0]).ravel(), (shown - zeros[1]).ravel(), (chi - zeros[2]).ravel())
    seen, alone = expected_rate(here, films, setup, *angles)
    rate = (seen * setup.film_counts / alone.max() + setup.background_counts).reshape(shown.shape)
    believed = np.array([1.0, 12.0, 148.0, 1750.0])
    true = believed * np.where(believed > 1.0, 1.0 + realism.attenuator_error * rng.normal(size=4), 1.0)
    enough = rate[..., None] / believed <= setup.largest_counts
    which = np.where(enough.any(axis=-1), enough.argmax(axis=-1), len(believed) - 1)
    expected = rate / true[which]
    detected = rng.poisson(expected).astype(np.float64) if is_noisy else expected
    return [
        XrayScan(
            shown[i], detected[i], believed[which[i]], 1.0, "TwoThetaOmega",
            {"Omega": float(omega[i, 0]), "Chi": float(chi[i, 0])},
        )
        for i in range(count)
    ]  # fmt: skip
