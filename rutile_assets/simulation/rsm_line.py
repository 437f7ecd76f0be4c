"""The substrate's peak in a simulated map: its pole seen through the goniometer's angles, by quadrature.

To second order in the angles, as the rest of a map is drawn, the peak's flanks are wrong by up to a percent, which
moves the zeros that a fit takes from them by some 1e-6 1/angstrom, always to the same side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM

FloatArray = npt.NDArray[np.float64]

ACROSS, WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
ALONG, REACH = 1201, 0.25  # nodes along the rod, dense about the pole; how far they go [1/angstrom]
FURTHEST = 8.0  # standard deviations of the instrument from the peak, beyond which its pole is not seen
CHUNK = 32  # points at a time


def line(
    centre: tuple[float, float],
    pole: float,
    coherence: float,
    rod: Callable[[FloatArray], FloatArray],
    deviations: tuple[float, float],
    turned: FloatArray,
    two_theta: FloatArray,
    *,
    is_tilted: bool,
) -> FloatArray:
    """Return what the points see of a rod of lateral width `coherence` near its pole, (P,).

    The mean of exp(-(Q_parallel - centre)^2 / 2 C^2) / C * rod(Q_normal) over Gaussian angles: an integral over both
    components of Q, whose element is |Q| k cos(theta) times that of the angles.

    Parameters
    ----------
    centre : tuple of float
        The pole in the plane and along the normal [1/angstrom].
    pole : float
        Half width of the rod's intensity there [1/angstrom].
    coherence : float
        Standard deviation of the rod across [1/angstrom].
    rod : callable
        Intensity at (Z,) places along the normal [1/angstrom].
    deviations : tuple of float
        Standard deviations of omega (chi where tilted) and of 2theta [rad].
    turned, two_theta : ndarray
        (P,) omega (chi where tilted) and 2theta of the points [rad].
    is_tilted : bool
        True where chi is scanned at omega = theta.
    """
    k = 2.0 * np.pi / CU_K_ALPHA1_ANGSTROM.value
    stretched = np.linspace(-1.0, 1.0, ALONG) * np.arcsinh(REACH / pole)
    normal = centre[1] + pole * np.sinh(stretched)
    x = (centre[0] + coherence * ACROSS)[:, None]
    element = WEIGHTS[:, None] * np.gradient(stretched) * pole * np.cosh(stretched) * rod(normal)
    length = np.hypot(x, normal)
    theta, leaning = np.arcsin(length / (2.0 * k)), np.arctan2(x, normal)
    at = leaning if is_tilted else theta - leaning
    element = element / (length * k * np.cos(theta)) / (2.0 * np.pi * deviations[0] * deviations[1])
    total = np.zeros(len(turned))
    for first in range(0, len(turned), CHUNK):
        some = slice(first, first + CHUNK)
        off = (at - turned[some, None, None]) / deviations[0]
        longer = (2.0 * theta - two_theta[some, None, None]) / deviations[1]
        total[some] = np.sum(element * np.exp(-0.5 * (off**2 + longer**2)), axis=(1, 2))
    return total


def near(
    centre: tuple[float, float],
    deviations: tuple[float, float],
    turned: FloatArray,
    two_theta: FloatArray,
    *,
    is_tilted: bool,
) -> npt.NDArray[np.intp]:
    """Return which of the (P,) points see the pole; parameters as in `line`."""
    k = 2.0 * np.pi / CU_K_ALPHA1_ANGSTROM.value
    theta = np.arcsin(np.hypot(*centre) / (2.0 * k))
    at = np.arctan2(*centre) if is_tilted else theta - np.arctan2(*centre)
    return np.flatnonzero(np.hypot((turned - at) / deviations[0], (two_theta - 2.0 * theta) / deviations[1]) < FURTHEST)
