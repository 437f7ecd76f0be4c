"""Theta-2theta scans across the substrate's (110) peak, summed plane by plane.

Finer than the fit: every plane is a term, the top ones occupied as the terraces of the surface leave them, the
divergence a dense sum; the fit has closed geometric sums and three nodes, and is not told how rough a surface is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.physics.crystal import plane_factor, plane_occupancies, rutile
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import FilmTruth, plane_spacing_nm
from rutile_assets.simulation.writers.scan import XrayScan

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

NODES = 33
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True)
class XrdSetup:
    """A diffractometer set up for Laue oscillations.

    Parameters
    ----------
    two_theta_start_deg, two_theta_stop_deg, two_theta_step_deg : float
        The scan [deg].
    brightest_counts : float
        Counts at the brightest point outside 0.12 deg about the substrate's peak.
    background_counts : float
        Counts of a point [counts].
    resolution_fwhm_deg : float
        FWHM of the Gaussian divergence in 2theta [deg].
    largest_counts : float
        The detector is kept below this by absorbers [counts].
    """

    two_theta_start_deg: float = 21.0
    two_theta_stop_deg: float = 34.0
    two_theta_step_deg: float = 0.01
    brightest_counts: float = 3e6
    background_counts: float = 3.0
    resolution_fwhm_deg: float = 0.012
    largest_counts: float = 5e5

    @property
    def two_theta_deg(self) -> FloatArray:
        """(P,) angles of the scan [deg]."""
        points = round((self.two_theta_stop_deg - self.two_theta_start_deg) / self.two_theta_step_deg) + 1
        return np.asarray(self.two_theta_start_deg + self.two_theta_step_deg * np.arange(points))


def amplitude(truth: FilmTruth, q_per_angstrom: FloatArray, terrace_share: float = 0.0) -> ComplexArray:
    """Return the amplitude of substrate, buffer and layers at (Q,) [1/angstrom], plane by plane.

    Gaps between materials are the mean of the two spacings. `terrace_share` as in `Realism`.
    """
    wave, q = CU_K_ALPHA1_ANGSTROM.value, q_per_angstrom
    below = 10.0 * rutile("TiO2").d110_nm
    total = plane_factor("TiO2", q, below, wave) / (1.0 - np.exp(-1j * q * below - 1e-4))
    height = 0.0
    for layer in truth.layers:
        if layer.role == "buffer":
            continue
        spacing = 10.0 * plane_spacing_nm(layer.material, layer.thickness_nm)
        planes = 10.0 * layer.thickness_nm / spacing
        height += 0.5 * (below + spacing)
        factor = plane_factor(layer.material, q, spacing, wave)
        occupancies = plane_occupancies(planes, terrace_share * 10.0 * layer.roughness_nm / spacing)
        for number, occupied in enumerate(occupancies):
            total = total + occupied * factor * np.exp(1j * q * (height + number * spacing))
        height += (planes - 1.0) * spacing
        below = spacing
    return np.asarray(total)


def expected_counts(
    truth: FilmTruth, setup: XrdSetup, two_theta_deg: FloatArray, terrace_share: float = 0.0
) -> FloatArray:
    """Return the counts of an open detector at (P,) true angles [deg], without noise."""
    sigma = setup.resolution_fwhm_deg / FWHM_PER_SIGMA
    offsets = np.linspace(-5.0, 5.0, NODES)
    weights = np.exp(-0.5 * offsets**2)
    weights /= weights.sum()
    rate = np.zeros_like(two_theta_deg)
    for offset, weight in zip(offsets, weights, strict=True):
        ray = np.radians(two_theta_deg + sigma * offset)
        q = 4.0 * np.pi * np.sin(ray / 2.0) / CU_K_ALPHA1_ANGSTROM.value
        geometry = (1.0 + np.cos(ray) ** 2) / (2.0 * np.sin(ray) * np.sin(ray / 2.0))
        rate += weight * geometry * np.abs(amplitude(truth, q, terrace_share)) ** 2
    peak = 2.0 * np.degrees(np.arcsin(CU_K_ALPHA1_ANGSTROM.value / (20.0 * rutile("TiO2").d110_nm)))
    outside = np.abs(two_theta_deg - peak) > 0.12
    return np.asarray(rate * setup.brightest_counts / rate[outside].max() + setup.background_counts)


def simulate_xrd(truth: FilmTruth, setup: XrdSetup, realism: Realism, rng: np.random.Generator) -> XrayScan:
    """Return a scan as the instrument writes it: detected counts behind the absorbers that it believes in."""
    shown = setup.two_theta_deg
    angle = shown - realism.two_theta_zero_deg * rng.normal()
    counts = expected_counts(truth, setup, angle, realism.terrace_share)
    believed = np.array([1.0, 12.0, 148.0, 1750.0])
    errors = realism.attenuator_error * rng.normal(size=4)
    true_factors = believed * np.where(believed > 1.0, 1.0 + errors, 1.0)
    enough = counts[:, None] / believed <= setup.largest_counts
    chosen = np.where(enough.any(axis=1), enough.argmax(axis=1), len(believed) - 1)
    detected = rng.poisson(counts / true_factors[chosen]).astype(np.float64)
    return XrayScan(
        two_theta_deg=shown,
        detected_counts=detected,
        attenuation_factor=believed[chosen],
        counting_time_s=1.0,
        axis="TwoThetaOmega",
    )
