"""The line of a substrate's peak: a truncation rod with its pole, as the instrument draws it in the angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, nnls
from scipy.special import voigt_profile, wofz

from rutile_assets.physics.counting import inverse

FloatArray = npt.NDArray[np.float64]

ODD_STD = 0.1  # of the odd tail against the pole, known before; some 0.005 where a thin film interferes
LEFT_BY_ODD = 0.25  # of the square of the interference with a film, whose amplitude is not constant along the tail
DARKEST = 1e-3  # of the even line, below which the odd tail does not pull it
ABSORBER_STD = 0.01  # how well an absorber's factor is known against the thinnest one's, relative
INSTRUMENT = (0.02, 0.05, 0.003)  # omega or chi, 2theta [deg]; in-plane coherence [1/angstrom]: where no peak tells


@dataclass(frozen=True)
class Line:
    """A fitted line.

    Parameters
    ----------
    shift_deg, std_deg : ndarray
        (2,) the peak's centre and one sigma, aside and of 2theta [deg].
    ellipse : ndarray
        (3,) variance in the plane, covariance, variance along the normal [1/angstrom^2].
    model_error : float
        Relative error of the model that makes chi-square 1.
    """

    shift_deg: FloatArray
    std_deg: FloatArray
    ellipse: FloatArray
    model_error: float


def fit_line(
    angles: FloatArray,
    turn: FloatArray,
    counts: FloatArray,
    exposure: FloatArray,
    absorbers: FloatArray,
    film: float,
) -> Line:
    """Fit the line of the substrate's peak.

    Parameters
    ----------
    angles : ndarray
        (2, K) offsets aside and of 2theta from the brightest point [deg].
    turn : ndarray
        (2, 2) how Q in the plane and along the normal move with both [1/angstrom per degree].
    counts, exposure, absorbers : ndarray
        (K,) of the bright points; exposure times polarisation; exposure alone, which tells absorbers apart.
    film : float
        Rate of the brightest point elsewhere.
    """
    x, z = turn @ angles
    rate = counts / exposure
    levels, level = np.unique(np.round(-np.log(absorbers), 6), return_inverse=True)
    free_factors = len(levels) - 1
    mean = np.average([x, z], axis=1, weights=rate)
    (xx, xz), (_, zz) = np.cov(np.stack([x, z]), aweights=rate, ddof=0)
    along = np.log(max(zz - xz**2 / xx, 0.1 * zz)) / 2.0
    start = np.array([np.log(rate.max()), *mean, np.log(xx) / 2.0, along, xz / xx, along - 4.0, 0.0])
    start = np.append(start, np.zeros(free_factors))
    reach = np.concatenate([[2.0, *np.sqrt([xx, zz]), 2.0, 2.0, 2.0, 4.0, 0.5], np.full(free_factors, 0.2)])

    def line(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        across, along, lorentzian = np.exp(p[3]), np.exp(p[4]), np.exp(p[6])
        off = x - p[1]
        t = z - p[2] - p[5] * off
        blurred = wofz((t + 1j * lorentzian) / (np.sqrt(2.0) * along)) / (np.sqrt(2.0 * np.pi) * along)
        peak = np.exp(p[0] - 0.5 * (off / across) ** 2) / voigt_profile(0.0, along, lorentzian)
        tail = peak * lorentzian / np.pi / (t**2 + 2.0 * along**2)
        factor = np.exp(np.concatenate([[0.0], p[8:]]))[level]
        return factor * peak * np.maximum(blurred.real + p[7] * blurred.imag, DARKEST * blurred.real), tail

    def fitted(begin: FloatArray, model_error: float) -> Any:
        expected, tail = line(begin)
        interference = LEFT_BY_ODD * 2.0 * tail * film
        sigma = np.sqrt(expected / exposure + (model_error * expected) ** 2 + interference)

        def residual(p: FloatArray) -> FloatArray:
            return np.concatenate([(line(p)[0] - rate) / sigma, p[7:8] / ODD_STD, p[8:] / ABSORBER_STD])

        return least_squares(residual, begin, bounds=(start - reach, start + reach), x_scale="jac")

    free = max(len(rate) - 8, 1)
    error, found = 0.02, fitted(start, 0.02)
    for _ in range(8):
        ratio = 2.0 * found.cost / free
        error = float(np.clip(error * np.sqrt(ratio), 1e-4, 0.3))
        found = fitted(found.x, error)
        if abs(ratio - 1.0) < 0.05:
            break
    spread = inverse(found.jac.T @ found.jac)[1:3, 1:3] * max(1.0, 2.0 * found.cost / free)
    back = np.linalg.inv(turn)
    variance, lean = np.exp(2.0 * found.x[3]), found.x[5]
    ellipse = np.array([variance, lean * variance, np.exp(2.0 * found.x[4]) + lean**2 * variance])
    return Line(back @ found.x[1:3], np.sqrt(np.diag(back @ spread @ back.T)), ellipse, error)


def instrument(turn: FloatArray, ellipse: FloatArray) -> tuple[float, float, float]:
    """Return the standard deviations of the angles and of the coherence that make an ellipse, (3,) [1/angstrom^2].

    `turn`, (2, 2), is how Q moves with omega (chi where tilted) and with 2theta [1/angstrom per degree].
    """
    aside, radial = turn.T
    columns = np.array([[v[0] ** 2, v[0] * v[1], v[1] ** 2] for v in (aside, radial, np.array([1.0, 0.0]))]).T
    scale = ellipse[0] / np.array([np.mean(aside**2), np.mean(radial**2), 1.0])
    found, _ = nnls(columns * scale / ellipse[0], ellipse / ellipse[0])
    least = np.array([0.1 * w for w in INSTRUMENT])
    a, b, c = np.maximum(np.sqrt(found * scale), least)
    return float(a), float(b), float(c)
