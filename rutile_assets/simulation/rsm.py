"""Reciprocal space maps of a simulated film, plane by plane, blurred in the goniometer's angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import voigt_profile

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.physics.crystal import plane_factor, plane_occupancies, rutile
from rutile_assets.physics.reciprocal import Hkl, Reflection, momentum, reflection
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import FilmTruth, plane_spacing_nm, relaxation
from rutile_assets.simulation.writers.scan import XrayScan

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
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

    The blur is a Gaussian in omega (chi where tilted) and 2theta. Integrated along a rod it shifts and widens the
    normal component that a point sees, to first order in the angles.
    """
    wave = CU_K_ALPHA1_ANGSTROM.value
    parallel, normal = _in_plane(omega_deg, two_theta_deg, chi_deg, setup, wave)
    step = 1e-4
    if setup.is_tilted:
        moved = _in_plane(omega_deg, two_theta_deg, chi_deg + step, setup, wave)
    else:
        moved = _in_plane(omega_deg + step, two_theta_deg, chi_deg, setup, wave)
    aside = [(m - o) / step for m, o in zip(moved, (parallel, normal), strict=True)]
    half = 0.5 * step if setup.is_tilted else 0.0
    moved = _in_plane(omega_deg + half, two_theta_deg + step, chi_deg, setup, wave)
    radial = [(m - o) / step for m, o in zip(moved, (parallel, normal), strict=True)]
    sigma_a = (setup.chi_fwhm_deg if setup.is_tilted else setup.omega_fwhm_deg) / FWHM_PER_SIGMA
    sigma_r = setup.two_theta_fwhm_deg / FWHM_PER_SIGMA
    polarisation = (1.0 + np.cos(np.radians(two_theta_deg)) ** 2) / 2.0

    def seen(
        centre: float,
        mosaic_deg: float,
        square: Callable[[FloatArray], FloatArray] | None,
        wider: float = 0.0,
    ) -> FloatArray:
        spread = np.hypot(sigma_a, mosaic_deg)
        xx = (aside[0] * spread) ** 2 + (radial[0] * sigma_r) ** 2 + COHERENCE_PER_ANGSTROM**2 + wider
        xz = aside[0] * aside[1] * spread**2 + radial[0] * radial[1] * sigma_r**2
        zz = (aside[1] * spread) ** 2 + (radial[1] * sigma_r) ** 2
        off = centre - parallel
        mean = normal + xz / xx * off
        deviation = np.sqrt(np.maximum(zz - xz**2 / xx, 0.0))
        near = np.exp(-0.5 * off**2 / xx) / np.sqrt(xx)
        total = np.zeros_like(normal)
        lit = near > 1e-12
        if square is None:
            total[lit] = _blurred_rod(here, mean[lit], deviation[lit])
            return np.asarray(total * near)
        for node, weight in zip(NODES, WEIGHTS / WEIGHTS.sum(), strict=True):
            total[lit] += weight * square(mean[lit] + node * deviation[lit])
        return np.asarray(total * near)

    def rod(q: FloatArray) -> ComplexArray:
        below = 10.0 * rutile("TiO2").d110_nm
        return np.asarray(_factor("TiO2", here, q, below) / (1.0 - np.exp(-1j * (q - here.q_110) * below - 1e-4)))

    total = seen(here.parallel, 0.0, None)
    alone = np.zeros_like(total)
    for film in films:

        def ladder(q: FloatArray, film: Film = film) -> ComplexArray:
            return _ladder(here, film, q)

        part = film.fraction * seen(film.q_parallel, film.mosaic_deg, lambda q: np.abs(ladder(q)) ** 2)
        centre, overlap, wider = _overlap(here, film)
        cross = seen(centre, 0.0, lambda q: 2.0 * np.real(ladder(q) * np.conj(rod(q))), wider)
        total = total + part + film.fraction * overlap * cross
        alone = alone + part
    return polarisation * np.maximum(total, 0.0), polarisation * alone


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


def _blurred_rod(here: Reflection, q: FloatArray, deviation: FloatArray) -> FloatArray:
    """|F / (1 - exp(-i x - eps))|^2 averaged over a Gaussian in q: the pole is a Voigt profile, the rest smooth."""
    below, epsilon = 10.0 * rutile("TiO2").d110_nm, 1e-4
    x = (q - here.q_110) * below
    pole = np.pi / epsilon * voigt_profile(x, np.maximum(deviation * below, 1e-6), epsilon)
    safe = np.where(np.abs(x) < 1e-2, 1e-2, x)
    rest = 0.25 / np.sin(0.5 * safe) ** 2 - 1.0 / safe**2
    return np.asarray(np.abs(_factor("TiO2", here, q, below)) ** 2 * (pole + rest))


def _in_plane(
    omega: FloatArray, two_theta: FloatArray, chi: FloatArray, setup: RsmSetup, wave: float
) -> tuple[FloatArray, FloatArray]:
    x, y, z = momentum(omega, two_theta, chi, wave)
    return (y if setup.is_tilted else x), z


def _factor(material: str, here: Reflection, q: FloatArray, spacing: float) -> ComplexArray:
    h, k, _ = here.hkl
    return plane_factor(
        material, q, spacing, CU_K_ALPHA1_ANGSTROM.value, h_minus_k=h - k, q_parallel_per_angstrom=here.parallel
    )


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
    here: Reflection, films: tuple[Film, ...], setup: RsmSetup, realism: Realism, rng: np.random.Generator
) -> list[XrayScan]:
    """Return the scans of a map of any films on TiO2; counts from a Poisson law behind the absorbers."""
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
    detected = rng.poisson(rate / true[which]).astype(np.float64)
    return [
        XrayScan(
            shown[i], detected[i], believed[which[i]], 1.0, "TwoThetaOmega",
            {"Omega": float(omega[i, 0]), "Chi": float(chi[i, 0])},
        )
        for i in range(count)
    ]  # fmt: skip
