"""How much of the second harmonic is dipole where the shape of both tensors is known.

With free shapes four channels at one angle of incidence do not tell: the amplitudes of both span 7 dimensions of 10,
and solutions with very different parts fit equally well. With known shapes the intensity is linear in what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.physics.second_harmonic import at_azimuth, mean_power, point_coefficients
from rutile_assets.techniques.shg.likelihood import ShgPoints
from rutile_assets.techniques.shg.model import Response

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

STEPS = 30
MISFIT = 2.0  # sigma of chi-square beyond which it widens the error
LEAST_COUNTS = 1e-3


@dataclass(frozen=True)
class Mixture:
    """A dipole and a quadrupole of known shapes.

    Parameters
    ----------
    dipole_fraction, dipole_fraction_std : float
        Dipole's part of the power summed over the channels pp, ps, sp, ss without interference, and one sigma; it may
        lie beyond 0 or 1 by noise.
    offset_deg : float
        Zero of the azimuth [deg].
    reduced_chi_square : float
        Deviance over degrees of freedom.
    expected : ndarray
        (N,) expected counts.
    """

    dipole_fraction: float
    dipole_fraction_std: float
    offset_deg: float
    reduced_chi_square: float
    expected: FloatArray


def dipole_fraction(
    points: ShgPoints,
    seen: Response,
    dipole_elements: FloatArray | ComplexArray,
    quadrupole_elements: FloatArray | ComplexArray,
    offset_deg: float,
) -> Mixture:
    """Return the dipole's part of the intensity.

    I = a |A_D|^2 + c |A_Q|^2 + b 2 Re(A_D* A_Q) + d 2 Im(A_D* A_Q): linear in a to d, so neither 0 nor 1 is an end.
    Fisher scoring on Poisson's likelihood with the azimuth's zero.

    Parameters
    ----------
    points : ShgPoints
        (N,) points.
    seen : Response
        At the angle of incidence.
    dipole_elements, quadrupole_elements : ndarray
        (5,) and (8,) shapes, in the order of `element_names`, any unit.
    offset_deg : float
        The azimuth's zero may be off by so much, either way [deg].

    Raises
    ------
    InvalidRecord
        Shapes of another length, or of nothing.
    FitFailed
        The counts do not tell the two apart.
    """
    shapes = []
    for name, elements, here in (
        ("dipole_elements", dipole_elements, seen.dipole),
        ("quadrupole_elements", quadrupole_elements, seen.quadrupole),
    ):
        shape = np.asarray(elements, dtype=np.complex128)
        power = mean_power(here, shape).sum() if shape.shape == (here.shape[-1],) else 0.0
        if not power > 0:
            raise InvalidRecord(f"{name} {np.asarray(elements).tolist()}", f"{here.shape[-1]} numbers", "Correct them.")
        weights = point_coefficients(here, points.polariser_deg, points.analyser_deg)
        shapes.append((weights @ shape)[:, :, None] / np.sqrt(power))

    def terms(offset: float) -> FloatArray:
        dipole, quadrupole = (at_azimuth(shape, points.azimuth_deg - offset)[:, 0] for shape in shapes)
        cross = 2.0 * np.conj(dipole) * quadrupole
        columns = np.column_stack([np.abs(dipole) ** 2, np.abs(quadrupole) ** 2, cross.real, cross.imag])
        return np.asarray(points.exposure[:, None] * columns)

    return _scored(points, terms, offset_deg)


def _scored(points: ShgPoints, terms: Callable[[float], FloatArray], offset_deg: float) -> Mixture:
    net = points.counts - points.background_counts
    weights = 1.0 / np.maximum(points.counts, 1.0)
    trials = []
    for offset in np.linspace(-offset_deg, offset_deg, 11):
        design = terms(offset)
        factors = np.linalg.lstsq(design * np.sqrt(weights)[:, None], net * np.sqrt(weights), rcond=1e-9)[0]
        trials.append((float(np.sum(weights * (net - design @ factors) ** 2)), float(offset), factors))
    _, offset, factors = min(trials, key=lambda trial: trial[0])
    jacobian, expected = np.empty((0, 0)), np.empty(0)
    for _ in range(STEPS):
        design = terms(offset)
        turn = (terms(offset + 0.01) - terms(offset - 0.01)) @ factors / 0.02
        expected = np.maximum(design @ factors + points.background_counts, LEAST_COUNTS)
        jacobian = np.column_stack([design, turn]) / np.sqrt(expected)[:, None]
        step = np.linalg.lstsq(jacobian, (points.counts - expected) / np.sqrt(expected), rcond=1e-9)[0]
        moved = float(np.clip(offset + step[-1], -offset_deg, offset_deg))
        factors, offset = factors + step[:-1], moved
        if np.abs(step[:-1]).max() < 1e-6 * np.abs(factors).max() + 1e-12:
            break
    norm = np.linalg.norm(jacobian, axis=0)
    kept = norm > 1e-9 * norm.max()
    if not kept[:2].all() or np.linalg.cond(jacobian[:, kept] / norm[kept]) > 1e6:
        raise FitFailed("counts that do not tell dipole and quadrupole apart", "all four channels", "Measure the rest.")
    covariance = np.zeros((len(norm), len(norm)))
    covariance[np.ix_(kept, kept)] = np.linalg.inv(jacobian[:, kept].T @ jacobian[:, kept])
    dipole, quadrupole = float(factors[0]), float(factors[1])
    total = dipole + quadrupole
    if not total > 0:
        raise FitFailed("no second harmonic above the background", "more counts", "Measure longer.")
    gradient = np.array([quadrupole, -dipole]) / total**2
    residual = (points.counts - expected) / np.sqrt(expected)
    chi_square = float(residual @ residual) / max(len(residual) - int(kept.sum()), 1)
    misfit = chi_square if chi_square > 1.0 + MISFIT * np.sqrt(2.0 / len(residual)) else 1.0
    sigma = float(np.sqrt(gradient @ covariance[:2, :2] @ gradient * misfit))
    return Mixture(dipole / total, sigma, offset, chi_square, expected)
