r"""X-ray reflectivity of a film as an instrument sees it, finer than the model that fits it.

The fit uses sharp layers with Nevot-Croce factors. Here the density runs continuously through error functions, is cut
into thin slabs, and the wave equation is integrated through them: no roughness factor anywhere. Divergence, spectrum
and footprint are summed by dense quadrature, counts are drawn as a detector behind an absorber counts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM, CU_K_ALPHA2_ANGSTROM
from rutile_assets.physics.scattering import sld
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import FilmTruth
from rutile_assets.simulation.writers.scan import XrayScan

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
SLAB_NM = 0.02
TAIL_SIGMAS = 5.0
DIVERGENCE_NODES = 21
FOOTPRINT_NODES = 401


@dataclass(frozen=True)
class XrrSetup:
    """A diffractometer set up for reflectivity.

    Parameters
    ----------
    two_theta_start_deg, two_theta_stop_deg, two_theta_step_deg : float
        The scan [deg].
    counting_time_s : float
        Of one point [s].
    beam_counts_per_s, background_counts_per_s : float
        Direct beam and background [counts/s].
    resolution_fwhm_deg : float
        FWHM of the Gaussian divergence in 2theta [deg].
    beam_width_mm, sample_length_mm : float
        FWHM of the Gaussian beam's profile across, and the sample along the beam [mm].
    absorbers : tuple of float
        Factors that the instrument knows, thinnest first.
    largest_counts_per_s : float
        The detector is kept below this by the thinnest absorber that does [counts/s].
    """

    two_theta_start_deg: float = 0.3
    two_theta_stop_deg: float = 8.0
    two_theta_step_deg: float = 0.01
    counting_time_s: float = 1.0
    beam_counts_per_s: float = 3e7
    background_counts_per_s: float = 2.0
    resolution_fwhm_deg: float = 0.01
    beam_width_mm: float = 0.1
    sample_length_mm: float = 5.0
    absorbers: tuple[float, ...] = (1.0, 12.0, 148.0, 1750.0)
    largest_counts_per_s: float = 5e5

    @property
    def two_theta_deg(self) -> FloatArray:
        """(P,) angles of the scan [deg]."""
        points = round((self.two_theta_stop_deg - self.two_theta_start_deg) / self.two_theta_step_deg) + 1
        return np.asarray(self.two_theta_start_deg + self.two_theta_step_deg * np.arange(points), dtype=np.float64)


def profile(truth: FilmTruth, wavelength_angstrom: float) -> tuple[FloatArray, ComplexArray]:
    """Return the continuous density of a film, cut into slabs.

    Parameters
    ----------
    truth : FilmTruth
        Layers, roughnesses, adsorbate.
    wavelength_angstrom : float
        For the form factors.

    Returns
    -------
    thickness_nm : ndarray
        (S,) slabs from the top [nm]; `SLAB_NM` where the density changes, one slab where it does not.
    sld_per_angstrom2 : ndarray
        (S + 2,) vacuum, slabs, substrate: rho - i rho_i [1/angstrom^2].
    """
    layers = [(of.thickness_nm, of.roughness_nm, of.material, of.density_g_per_cm3) for of in truth.layers]
    if truth.adsorbate_nm > 0:
        below = layers[-1][1] if layers else truth.substrate_roughness_nm
        layers.append((truth.adsorbate_nm, below, "CH2", 1.0))
    substrate = complex(sld("TiO2", 4.248, wavelength_angstrom))
    levels = np.array([substrate, *(sld(m, density, wavelength_angstrom) for _, _, m, density in layers), 0.0])
    heights = np.concatenate([[0.0], np.cumsum([t for t, *_ in layers])])
    sigmas = np.array([truth.substrate_roughness_nm, *(sigma for _, sigma, *_ in layers)])
    edges = _edges(heights, sigmas)
    middles = 0.5 * (edges[1:] + edges[:-1])
    steps = 0.5 * (1.0 + erf((middles[:, None] - heights) / (np.sqrt(2.0) * sigmas)))
    density = levels[0] + steps @ np.diff(levels)
    return np.diff(edges)[::-1], np.concatenate([[0.0], density[::-1], [substrate]])


def _edges(heights: FloatArray, sigmas: FloatArray) -> FloatArray:
    """Return the slabs' edges: fine within some sigmas of an interface, none between."""
    low, high = heights - TAIL_SIGMAS * sigmas, heights + TAIL_SIGMAS * sigmas
    fine = np.arange(low.min(), high.max() + SLAB_NM, SLAB_NM)
    near = ((fine[:, None] >= low - SLAB_NM) & (fine[:, None] <= high + SLAB_NM)).any(axis=1)
    return fine[near]


def reflectivity(q_per_angstrom: FloatArray, thickness_nm: FloatArray, sld_per_angstrom2: ComplexArray) -> FloatArray:
    r"""Return the reflectivity of slabs by carrying psi and its derivative from the substrate up.

    .. math:: \psi(z-d) = \psi \cos kd - \psi' \sin(kd)/k,\quad \psi'(z-d) = k \psi \sin kd + \psi' \cos kd,\quad
              r = (i k_0 \psi - \psi')/(i k_0 \psi + \psi')

    with k^2 = q^2/4 - 4 pi rho and the transmitted wave exp(ikz) in the substrate, z downwards.

    Parameters
    ----------
    q_per_angstrom : ndarray
        (Q,) momentum transfer [1/angstrom].
    thickness_nm, sld_per_angstrom2 : ndarray
        As `profile` returns them.

    Returns
    -------
    ndarray
        (Q,) reflected over incident intensity.
    """
    quarter = np.asarray(q_per_angstrom, dtype=np.complex128) ** 2 / 4.0
    k = np.sqrt(quarter - 4.0 * np.pi * sld_per_angstrom2[-1])
    psi, slope = np.ones_like(k), 1j * k
    for d, rho in zip(thickness_nm[::-1] * 10.0, sld_per_angstrom2[-2:0:-1], strict=True):
        k = np.sqrt(quarter - 4.0 * np.pi * rho)
        there = np.exp(1j * k * d)
        back = 1.0 / there
        cosine, sine = 0.5 * (there + back), -0.5j * (there - back)
        psi, slope = psi * cosine - slope * sine / k, psi * k * sine + slope * cosine
    k = np.sqrt(quarter)
    return np.asarray(np.abs((1j * k * psi - slope) / (1j * k * psi + slope)) ** 2, dtype=np.float64)


def footprint(two_theta_deg: FloatArray, beam_width_mm: float, sample_length_mm: float) -> FloatArray:
    """Return the part of a Gaussian beam that a sample catches, by summing over the beam's profile."""
    half = np.abs(np.sin(np.radians(two_theta_deg) / 2.0)) * sample_length_mm / 2.0
    sigma = beam_width_mm / FWHM_PER_SIGMA
    across = np.linspace(-1.0, 1.0, FOOTPRINT_NODES)
    reach = np.minimum(half, 8.0 * sigma)[..., None]
    weights = np.exp(-0.5 * (across * reach / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))
    return np.asarray(np.trapezoid(weights, dx=across[1] - across[0], axis=-1) * reach[..., 0])


def rate_counts_per_s(
    truth: FilmTruth, setup: XrrSetup, two_theta_deg: FloatArray, *, k_alpha_2_fraction: float, beam_width_mm: float
) -> FloatArray:
    """Return the rate at an open detector without noise, (P,) [counts/s], at true angles [deg]."""
    sigma = setup.resolution_fwhm_deg / FWHM_PER_SIGMA
    offsets = np.linspace(-4.0, 4.0, DIVERGENCE_NODES)
    weights = np.exp(-0.5 * offsets**2)
    weights /= weights.sum()
    angles = np.maximum(two_theta_deg[:, None] + sigma * offsets, 1e-6)
    lines = [(CU_K_ALPHA1_ANGSTROM.value, 1.0 / (1.0 + k_alpha_2_fraction))]
    if k_alpha_2_fraction > 0:
        lines.append((CU_K_ALPHA2_ANGSTROM.value, k_alpha_2_fraction / (1.0 + k_alpha_2_fraction)))
    reflected = np.zeros_like(angles)
    for wavelength, share in lines:
        q = 4.0 * np.pi * np.sin(np.radians(angles) / 2.0) / wavelength
        reflected += share * reflectivity(q.ravel(), *profile(truth, wavelength)).reshape(q.shape)
    reflected *= footprint(angles, beam_width_mm, setup.sample_length_mm)
    rate: FloatArray = setup.beam_counts_per_s * (reflected @ weights) + setup.background_counts_per_s
    return rate


def simulate_xrr(truth: FilmTruth, setup: XrrSetup, realism: Realism, rng: np.random.Generator) -> XrayScan:
    """Return a scan as the instrument writes it: angles that it reads, counts as detected, factors that it believes.

    The instrument's zero is off, its absorbers are not quite what it believes, the thinnest absorber that keeps the
    detector below its limit is in the beam, and counts are Poisson's.
    """
    zero, width = realism.two_theta_zero_deg * rng.normal(), 1.0 + realism.beam_width_error * rng.normal()
    believed = np.array(setup.absorbers)
    errors = realism.attenuator_error * rng.normal(size=len(believed))
    true_factors = believed * np.where(believed > 1.0, 1.0 + errors, 1.0)
    shown = setup.two_theta_deg
    rate = rate_counts_per_s(
        truth,
        setup,
        shown - zero,
        k_alpha_2_fraction=realism.k_alpha_2_fraction,
        beam_width_mm=setup.beam_width_mm * width,
    )
    rate = rate * np.maximum(1.0 + realism.intensity_scatter * rng.normal(size=len(rate)), 0.0)
    enough = rate[:, None] / believed <= setup.largest_counts_per_s
    chosen = np.where(enough.any(axis=1), enough.argmax(axis=1), len(believed) - 1)
    counts = rng.poisson(rate * setup.counting_time_s / true_factors[chosen])
    return XrayScan(
        two_theta_deg=shown,
        detected_counts=counts.astype(np.float64),
        attenuation_factor=believed[chosen],
        counting_time_s=setup.counting_time_s,
        axis="TwoThetaOmega",
    )
