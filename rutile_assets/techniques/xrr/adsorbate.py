"""The other parameters of a stack, whatever air left on it: an adsorbate's thickness is summed over, not guessed.

A thin adsorbate is nearly a shift and a widening of the interface below; what tells it from them grows as the cube of
its thickness. So the likelihood has a plateau or two optima, and the best fit with its covariance is wrong by many of
its own sigma. Given the adsorbate's thickness the other parameters are as good as Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from rutile_assets.techniques.xrr.likelihood import bounds, expected_intensity, inverse, known_beforehand, residuals
from rutile_assets.techniques.xrr.model import Curve, Model
from rutile_assets.techniques.xrr.parameters import XrrFitParameters
from rutile_assets.techniques.xrr.profile import graded_over_sharp

FloatArray = npt.NDArray[np.float64]

LATTICE_ANGSTROM = (0.0, 0.7, 1.4, 2.1, 2.8, 3.5, 4.3, 5.2, 6.3, 7.6, 9.2, 11.0, 13.5)
IMPOSSIBLE, TOO_FAR = 18.0, 100.0  # chi-square above the least beyond which no thickness is tried
STEPS = 6
MOVED = 0.02  # sigma
REFINED, FEWEST = 9, 5
SMALLEST_STEP_ANGSTROM = 0.01
FINE = 2001


@dataclass(frozen=True)
class Conditional:
    """The optimum at one thickness of the adsorbate.

    Parameters
    ----------
    adsorbate : float
        Its thickness [angstrom].
    vector, slope : ndarray
        (n,) the parameters, and their change with the adsorbate's thickness.
    covariance : ndarray
        (n, n) at that thickness; 0 in the adsorbate's row and column.
    chi_square : float
        Residuals and what is known beforehand.
    graded_over_sharp : ndarray
        (Q,) graded interfaces over sharp ones.
    """

    adsorbate: float
    vector: FloatArray
    slope: FloatArray
    covariance: FloatArray
    chi_square: float
    graded_over_sharp: FloatArray


def conditional(model: Model, curve: Curve, start: FloatArray, chosen: XrrFitParameters) -> Conditional:
    """Return the optimum at the adsorbate that `start` has, by Gauss-Newton with the graded profile in each step."""
    place = model.adsorbate
    assert place is not None
    low, high = bounds(model, curve, chosen)
    free = np.delete(np.arange(len(start)), place)
    vector, step = start.copy(), 1e-6 * (high - low)
    vector[free] = np.clip(start, low, high)[free]
    slope = np.zeros_like(vector)
    slope[place] = 1.0
    for _ in range(STEPS):
        ratio = graded_over_sharp(model, vector, curve.two_theta_deg)
        graded = replace(curve, exposure=curve.exposure * ratio)
        moved = np.vstack([vector, vector + np.diag(step)])
        expected, known = expected_intensity(model, graded, moved), known_beforehand(model, moved, chosen)
        sigma = np.sqrt(expected[0]) if curve.sigma is None else curve.sigma
        off = np.append((expected[0] - curve.intensity) / sigma, known[0])
        jacobian = np.hstack([(expected[1:] - expected[0]) / sigma, known[1:] - known[0]]).T / step
        spread = inverse(jacobian[:, free])
        move = -spread @ (jacobian[:, free].T @ off)
        slope[free] = -spread @ (jacobian[:, free].T @ jacobian[:, place])
        far = np.abs(move) / np.sqrt(np.maximum(np.diag(spread), 1e-300))
        if far.max() < MOVED:
            break
        vector[free] = np.clip(vector[free] + move, low[free], high[free])
    chi_square = float(np.sum(residuals(model, graded, vector, 0.0) ** 2) + np.sum(known[0] ** 2))
    covariance = np.zeros((len(vector), len(vector)))
    covariance[np.ix_(free, free)] = spread
    return Conditional(float(vector[place]), vector, slope, covariance, chi_square, ratio)


def marginal(
    model: Model, curve: Curve, start: FloatArray, chosen: XrrFitParameters
) -> tuple[FloatArray, FloatArray, Conditional] | None:
    """Return mean and covariance of the parameters over every thickness of the adsorbate, and the likeliest.

    Parameters
    ----------
    model, curve, chosen
        With a free adsorbate; as measured.
    start : ndarray
        (n,) an optimum, or near one.

    Returns
    -------
    mean, covariance : ndarray
        (n,) and (n, n) of the law exp(-chi-square/2), integrated over the others as Gaussians (Laplace).
    best : Conditional
        Where that law is highest.

    None stands for all where `start` is no optimum at any thickness: chi-square jumps from one to the next.
    """
    place = model.adsorbate
    assert place is not None
    found: list[Conditional] = []

    def visit(thickness: float) -> float:
        near = min(found, key=lambda c: abs(c.adsorbate - thickness)) if found else None
        begin = start.copy() if near is None else near.vector + (thickness - near.adsorbate) * near.slope
        begin[place] = thickness
        found.append(conditional(model, curve, begin, chosen))
        return found[-1].chi_square

    lowest = np.inf
    for thickness in LATTICE_ANGSTROM:
        here = visit(thickness)
        lowest = min(lowest, here)
        if here > lowest + TOO_FAR:
            break
    reach = 0.5 * float(np.diff(LATTICE_ANGSTROM).max())
    while len(_likely(found)) < FEWEST and reach > SMALLEST_STEP_ANGSTROM:
        centre = min(found, key=lambda c: c.chi_square).adsorbate
        for thickness in (max(centre - reach, 0.0), centre + reach):
            visit(thickness)
        reach *= 0.5
    found = _likely(found)
    if len(found) < FEWEST:
        return None
    fine, weights = _law(found, place)
    alive = fine[weights > np.exp(-0.5 * IMPOSSIBLE) * weights.max()]
    known = np.array([c.adsorbate for c in found])
    for thickness in np.linspace(alive[0], alive[-1], REFINED):
        if np.abs(known - thickness).min() > 0.02 * (alive[-1] - alive[0]):
            visit(float(thickness))
    found = _likely(found)
    fine, weights = _law(found, place)
    order = np.argsort([c.adsorbate for c in found])
    nodes = np.array([found[i].adsorbate for i in order])
    means = CubicSpline(nodes, np.array([found[i].vector for i in order]))(fine)
    spreads = CubicSpline(nodes, np.array([found[i].covariance for i in order]))(fine)
    mean = weights @ means
    off = means - mean
    covariance = np.einsum("t,tij->ij", weights, spreads) + (off * weights[:, None]).T @ off
    best = max(found, key=lambda c: float(np.interp(c.adsorbate, fine, weights)))
    return mean, covariance, best


def _likely(found: list[Conditional]) -> list[Conditional]:
    """Return those near the likeliest, each thickness once, thinnest first."""
    lowest = min(c.chi_square for c in found)
    once = {round(c.adsorbate, 6): c for c in found if c.chi_square < lowest + TOO_FAR}
    return [once[thickness] for thickness in sorted(once)]


def _law(found: list[Conditional], place: int) -> tuple[FloatArray, FloatArray]:
    """Return thicknesses (T,) and their probabilities (T,), from the optima at some."""
    order = np.argsort([c.adsorbate for c in found])
    nodes = np.array([found[i].adsorbate for i in order])
    log_law = []
    for i in order:
        free = np.delete(np.arange(len(found[i].vector)), place)
        _, volume = np.linalg.slogdet(found[i].covariance[np.ix_(free, free)])
        log_law.append(-0.5 * found[i].chi_square + 0.5 * volume)
    smooth = CubicSpline(nodes, np.array(log_law))
    fine = np.linspace(nodes[0], nodes[-1], FINE)
    value = smooth(fine)
    weights = np.exp(value - value.max())
    return fine, weights / weights.sum()
