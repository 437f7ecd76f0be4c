"""The other parameters of a stack, whatever air left on it: an adsorbate's thickness is summed over, not guessed.

A thin adsorbate is nearly a shift and a widening of the interface below; what tells it from them grows as the cube of
its thickness. So the likelihood has a plateau or two optima, and the best fit with its covariance is wrong by many of
its own sigma. Given the adsorbate's thickness the other parameters are as good as Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline, PchipInterpolator, interp1d
from scipy.special import ndtr

from rutile_assets.physics.counting import deviance_residual
from rutile_assets.techniques.xrr.likelihood import bounds, expected_intensity, inverse, known_beforehand
from rutile_assets.techniques.xrr.model import Curve, Model
from rutile_assets.techniques.xrr.parameters import XrrFitParameters
from rutile_assets.techniques.xrr.profile import graded_over_sharp

FloatArray = npt.NDArray[np.float64]

LATTICE_ANGSTROM = (0.0, 0.7, 1.4, 2.1, 2.8, 3.5, 4.3, 5.2, 6.3, 7.6, 9.2, 11.0, 13.5)
IMPOSSIBLE, TOO_FAR = 18.0, 100.0  # chi-square above the least beyond which no thickness is tried
STEPS = 20
WORSE, SHORTER = 0.5, 0.25  # a step that adds so much to chi-square is shortened so
MOVED = 0.02  # sigma
REFINED, FEWEST = 9, 5
SMALLEST_STEP_ANGSTROM = 0.01
ROUGHNESS_ANGSTROM = 0.5  # a derivative vanishes at 0; the difference to here says how well a roughness is known
LONGEST_ANGSTROM = 1.0  # one step of a roughness
FINE = 2001
ONE_SIGMA, BISECTIONS = 0.6827, 30
OVERSHOOT = 1.0  # of the law's logarithm above its nodes: a spline through optima of two kinds


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
    log_volume : float
        Logarithm of the determinant of the covariance, with the background's rate in place of its logarithm: flat in
        the logarithm, a background that is not seen would outweigh all others.
    chi_square : float
        Residuals and what is known beforehand.
    graded_over_sharp : ndarray
        (Q,) graded interfaces over sharp ones.
    """

    adsorbate: float
    vector: FloatArray
    slope: FloatArray
    covariance: FloatArray
    log_volume: float
    chi_square: float
    graded_over_sharp: FloatArray


def conditional(model: Model, curve: Curve, start: FloatArray, chosen: XrrFitParameters) -> Conditional:
    """Return the optimum at the adsorbate that `start` has, by Gauss-Newton with the graded profile in each step."""
    place = model.adsorbate
    assert place is not None
    low, high = bounds(model, curve, chosen)
    free = np.delete(np.arange(len(start)), place)
    log_vector = start.copy()
    log_vector[free] = np.clip(start, low, high)[free]
    vector, low, high = _with_rate(log_vector), _with_rate(low), _with_rate(high)
    slope, longest = np.zeros_like(vector), np.full_like(vector, np.inf)
    longest[_roughnesses(model)] = LONGEST_ANGSTROM
    last, least, move = vector, np.inf, np.zeros_like(vector)
    for _ in range(STEPS):
        step = 1e-6 * (high - low)
        rough = _roughnesses(model)
        step[rough] = np.maximum(step[rough], ROUGHNESS_ANGSTROM - vector[rough])
        moved = np.vstack([vector, vector + np.diag(step)])
        moved[:, 1] = np.log10(moved[:, 1])
        ratio = graded_over_sharp(model, moved[0], curve.two_theta_deg)
        graded = replace(curve, exposure=curve.exposure * ratio)
        expected, known = expected_intensity(model, graded, moved), known_beforehand(model, moved, chosen)
        sigma = np.sqrt(expected[0]) if curve.sigma is None else curve.sigma
        off = np.append((expected[0] - curve.intensity) / sigma, known[0])
        jacobian = np.hstack([(expected[1:] - expected[0]) / sigma, known[1:] - known[0]]).T / step
        misfit = deviance_residual(curve.intensity, expected[0]) if curve.is_counts else off[: len(sigma)]
        chi_square = float(np.sum(misfit**2) + np.sum(known[0] ** 2))
        if chi_square > least + WORSE:
            move *= SHORTER
            vector = np.clip(last + move, low, high)
            continue
        uphill = jacobian.T @ off
        pressed = ((vector <= low) & (uphill > 0)) | ((vector >= high) & (uphill < 0))
        inside = free[~pressed[free]]
        spread = inverse(jacobian[:, inside])
        last, least, kept, shape, move = vector, chi_square, jacobian, ratio, np.zeros_like(vector)
        move[inside] = np.clip(-spread @ uphill[inside], -longest[inside], longest[inside])
        slope[:] = 0.0
        slope[place] = 1.0
        slope[inside] = -spread @ (jacobian[:, inside].T @ jacobian[:, place])
        if np.all(np.abs(move[inside]) < MOVED * np.sqrt(np.maximum(np.diag(spread), 1e-300))):
            break
        vector = np.clip(vector + move, low, high)
    spread = inverse(kept[:, free])
    _, volume = np.linalg.slogdet(spread)
    covariance = np.zeros((len(last), len(last)))
    covariance[np.ix_(free, free)] = spread
    decades = np.ones(len(last))
    decades[1] = 1.0 / (np.log(10.0) * (last[1] + np.sqrt(covariance[1, 1])))
    slope[1] = 0.0
    last = last.copy()
    last[1] = np.log10(last[1])
    covariance *= np.outer(decades, decades)
    return Conditional(float(last[place]), last, slope, covariance, volume, least, shape)


def _with_rate(vector: FloatArray) -> FloatArray:
    """Return the parameters with the background's rate in place of its logarithm: what is measured is linear in it."""
    changed = vector.copy()
    changed[1] = 10.0 ** vector[1]
    return changed


def _roughnesses(model: Model) -> list[int]:
    first, count = model.first_layer, len(model.stack.layers)
    return [first - 1, *range(first + 1, first + 3 * count, 3)]


@dataclass(frozen=True)
class Marginal:
    """The parameters over every thickness of the adsorbate.

    Parameters
    ----------
    mean, covariance : ndarray
        (n,) and (n, n) of the law exp(-chi-square/2), integrated over the others as Gaussians (Laplace); a standard
        deviation that holds less than 68 % of the law is widened until it does.
    best : Conditional
        Where that law is highest.
    log_evidence : float
        Logarithm of the law's integral, but for a constant.
    """

    mean: FloatArray
    covariance: FloatArray
    best: Conditional
    log_evidence: float


def as_crystals(model: Model, vector: FloatArray) -> FloatArray:
    """Return the same thicknesses with the crystals' densities and small roughness, (n,).

    Two layers can exchange density for roughness and look almost the same, and a roughness of 0 is stationary whatever
    the truth; the right optimum is next to this start.
    """
    first, count = model.first_layer, len(model.stack.layers)
    other = vector.copy()
    other[first - 1], other[first + 1 : first + 3 * count : 3] = 2.0, 2.5
    other[first + 2 : first + 3 * count : 3] = 1.0
    return other


def mixed(marginals: list[Marginal]) -> Marginal:
    """Return the law of several optima, each with the weight of its evidence; an optimum found twice stays itself."""
    evidence = np.array([m.log_evidence for m in marginals])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    mean = np.asarray(weights @ np.array([m.mean for m in marginals]))
    covariance = np.zeros_like(marginals[0].covariance)
    for weight, m in zip(weights, marginals, strict=True):
        covariance += weight * (m.covariance + np.outer(m.mean - mean, m.mean - mean))
    likeliest = marginals[int(np.argmax(evidence))]
    return Marginal(mean, covariance, likeliest.best, likeliest.log_evidence)


def marginal(
    model: Model, curve: Curve, start: FloatArray, chosen: XrrFitParameters, *, from_crystals: bool = False
) -> Marginal | None:
    """Return the parameters over every thickness of the adsorbate.

    Parameters
    ----------
    model, curve, chosen
        With a free adsorbate; as measured.
    start : ndarray
        (n,) an optimum, or near one.
    from_crystals : bool
        Begin at each thickness with `as_crystals`, not with what the next thickness had.

    Returns
    -------
    Marginal or None
        None where `start` is no optimum at any thickness: chi-square jumps from one to the next.
    """
    place = model.adsorbate
    assert place is not None
    found: list[Conditional] = []

    def visit(thickness: float) -> float:
        near = min(found, key=lambda c: abs(c.adsorbate - thickness)) if found else None
        begin = start.copy() if near is None else near.vector + (thickness - near.adsorbate) * near.slope
        begin = as_crystals(model, begin) if from_crystals else begin
        begin[place] = thickness
        found.append(conditional(model, curve, begin, chosen))
        return found[-1].chi_square

    lowest = np.inf
    first = int(np.searchsorted(LATTICE_ANGSTROM, start[place]))
    for way in (LATTICE_ANGSTROM[first:], LATTICE_ANGSTROM[:first][::-1]):
        for thickness in way:
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
    fine, weights, _ = _law(found)
    alive = fine[weights > np.exp(-0.5 * IMPOSSIBLE) * weights.max()]
    known = np.array([c.adsorbate for c in found])
    for thickness in np.linspace(alive[0], alive[-1], REFINED):
        if np.abs(known - thickness).min() > 0.02 * (alive[-1] - alive[0]):
            visit(float(thickness))
    found = _likely(found)
    fine, weights, log_evidence = _law(found)
    order = np.argsort([c.adsorbate for c in found])
    nodes = np.array([found[i].adsorbate for i in order])
    means = CubicSpline(nodes, np.array([found[i].vector for i in order]))(fine)
    spreads = interp1d(nodes, np.array([found[i].covariance for i in order]), axis=0)(fine)
    mean = weights @ means
    off = means - mean
    covariance = np.einsum("t,tij->ij", weights, spreads) + (off * weights[:, None]).T @ off
    widen = _half_widths(weights, off, spreads) / np.sqrt(np.diag(covariance))
    covariance *= np.outer(np.maximum(widen, 1.0), np.maximum(widen, 1.0))
    best = max(found, key=lambda c: float(np.interp(c.adsorbate, fine, weights)))
    return Marginal(mean, covariance, best, log_evidence)


def _half_widths(weights: FloatArray, off: FloatArray, spreads: FloatArray) -> FloatArray:
    """Return (n,) how far from the mean 68.27 % of the law of each parameter lies.

    `off` (T, n) from the mean, with the covariances `spreads` (T, n, n), at thicknesses of the probabilities `weights`
    (T,). On a plateau the standard deviation holds 58 % alone.
    """
    sigma = np.sqrt(np.maximum(np.diagonal(spreads, axis1=1, axis2=2), 1e-30))
    short, far = np.zeros(off.shape[1]), np.abs(off).max(axis=0) + 5.0 * sigma.max(axis=0)
    for _ in range(BISECTIONS):
        middle = 0.5 * (short + far)
        held = weights @ (ndtr((middle - off) / sigma) - ndtr((-middle - off) / sigma))
        short, far = np.where(held < ONE_SIGMA, middle, short), np.where(held < ONE_SIGMA, far, middle)
    return np.asarray(far)


def _likely(found: list[Conditional]) -> list[Conditional]:
    """Return those near the likeliest, each thickness once, thinnest first."""
    lowest = min(c.chi_square for c in found)
    once = {round(c.adsorbate, 6): c for c in found if c.chi_square < lowest + TOO_FAR}
    return [once[thickness] for thickness in sorted(once)]


def _law(found: list[Conditional]) -> tuple[FloatArray, FloatArray, float]:
    """Return thicknesses (T,), their probabilities (T,) and the log of the integral, from the optima at some."""
    order = np.argsort([c.adsorbate for c in found])
    nodes = np.array([found[i].adsorbate for i in order])
    log_law = np.array([0.5 * (found[i].log_volume - found[i].chi_square) for i in order])
    smooth = CubicSpline(nodes, log_law)
    fine = np.linspace(nodes[0], nodes[-1], FINE)
    value = smooth(fine)
    if value.max() > log_law.max() + OVERSHOOT:
        value = PchipInterpolator(nodes, log_law)(fine)
    weights = np.exp(value - value.max())
    integral = float(weights.sum() * (fine[1] - fine[0]))
    return fine, weights / weights.sum(), float(value.max()) + np.log(integral)
