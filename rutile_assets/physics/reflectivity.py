"""Specular reflectivity of a stack: Parratt's recursion with Nevot-Croce roughness, for many stacks at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import erf

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

FWHM_PER_SIGMA = 2.3548200450309493


def parratt(
    q_per_angstrom: FloatArray,
    sld_per_angstrom2: ComplexArray,
    thickness_angstrom: FloatArray,
    roughness_angstrom: FloatArray,
) -> FloatArray:
    r"""Return the reflectivity of stacks of layers.

    .. math:: r_j = \frac{f_j + r_{j+1} e^{2 i k_{j+1} d_{j+1}}}{1 + f_j r_{j+1} e^{2 i k_{j+1} d_{j+1}}},\quad
              f_j = \frac{k_j - k_{j+1}}{k_j + k_{j+1}} e^{-2 k_j k_{j+1} \sigma_j^2},\quad
              k_j = \sqrt{q^2/4 - 4\pi\rho_j}

    Parratt, Phys. Rev. 95, 359 (1954), doi 10.1103/PhysRev.95.359; roughness after Nevot and Croce (1980).

    Parameters
    ----------
    q_per_angstrom : ndarray
        (Q,) or (B, Q) momentum transfer 4 pi sin(theta)/lambda [1/angstrom].
    sld_per_angstrom2 : ndarray
        (B, L + 2) from the vacuum down to the substrate, rho - i rho_i [1/angstrom^2].
    thickness_angstrom : ndarray
        (B, L) thickness of each layer, from the top [angstrom].
    roughness_angstrom : ndarray
        (B, L + 1) rms roughness of each interface, from the top [angstrom].

    Returns
    -------
    ndarray
        (B, Q) reflected over incident intensity, without footprint, resolution or background.
    """
    quarter = np.atleast_2d(np.asarray(q_per_angstrom, dtype=np.float64) ** 2 / 4.0)
    contrast = sld_per_angstrom2 - sld_per_angstrom2[:, :1]
    layers = thickness_angstrom.shape[1]
    k_below = np.sqrt(quarter - 4.0 * np.pi * contrast[:, layers + 1, None])
    amplitude: ComplexArray | None = None
    for j in range(layers, -1, -1):
        k = np.sqrt(quarter - 4.0 * np.pi * contrast[:, j, None] + 0j)
        fresnel = (k - k_below) / (k + k_below)
        fresnel *= np.exp(-2.0 * k * k_below * roughness_angstrom[:, j, None] ** 2)
        if amplitude is None:
            amplitude = fresnel
        else:
            amplitude = amplitude * np.exp(2j * k_below * thickness_angstrom[:, j, None])
            amplitude = (fresnel + amplitude) / (1.0 + fresnel * amplitude)
        k_below = k
    assert amplitude is not None
    return np.abs(amplitude) ** 2


def momentum_transfer(two_theta_deg: FloatArray, wavelength_angstrom: float) -> FloatArray:
    """Return q = 4 pi sin(theta) / lambda [1/angstrom], same shape as `two_theta_deg` [deg]; negative angles give 0."""
    return 4.0 * np.pi * np.sin(np.radians(np.maximum(two_theta_deg, 0.0)) / 2.0) / wavelength_angstrom


def footprint(two_theta_deg: FloatArray, width_over_length: FloatArray) -> FloatArray:
    """Return the part of a Gaussian beam that hits the sample at `two_theta_deg` [deg].

    F = erf(L sin(theta) / (2 sqrt(2) s)) with s the sigma of the beam's profile; `width_over_length` is its FWHM over
    the sample's length. Shapes broadcast.
    """
    sigma = width_over_length / FWHM_PER_SIGMA
    hit: FloatArray = erf(np.sin(np.radians(np.maximum(two_theta_deg, 0.0)) / 2.0) / (2.0 * np.sqrt(2.0) * sigma))
    return hit


def resolution_nodes(count: int) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Hermite nodes in units of sigma and their weights (they add up to 1), each (count,)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()
