"""Global search for a stack: differential evolution on the logarithm, then the same layers in other orders."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt
from scipy.optimize import differential_evolution

from rutile_assets.techniques.xrr.likelihood import bounds, optimum
from rutile_assets.techniques.xrr.model import Curve, Model, fft_thickness_nm
from rutile_assets.techniques.xrr.parameters import XrrFitParameters

FloatArray = npt.NDArray[np.float64]

GLOBAL_POINTS = 240
SEARCH_STEPS = 40
MAX_PERMUTED = 4
SEARCH_ERROR = 0.05  # relative error while searching, so that every decade of the curve counts


def global_optimum(model: Model, curve: Curve, chosen: XrrFitParameters, seed: int) -> FloatArray:
    """Return the best stack that a search with no start values finds, (n,), on every n-th point of the curve."""
    limits = bounds(model, curve, chosen)
    low, high = limits
    thin = curve.part(np.arange(len(curve.intensity)) % max(1, len(curve.intensity) // GLOBAL_POINTS) == 0)
    rate = thin.intensity / thin.exposure
    floor = max(float(np.percentile(rate, 2)), 1e-12)
    target = np.log10(rate + floor)

    def misfit(vectors: FloatArray) -> FloatArray:
        expected = model.rate(vectors.T, thin.two_theta_deg, nodes=1)
        return np.asarray(np.mean(np.abs(np.log10(expected + floor) - target), axis=1))

    tried = []
    for restart in range(max(1, len(model.stack.layers) - 1)):
        found = differential_evolution(
            misfit,
            list(zip(low, high, strict=True)),
            rng=np.random.default_rng([seed, restart]),
            vectorized=True,
            updating="deferred",
            init=_population(model, curve, low, high, chosen, seed + restart),
            maxiter=chosen.generations,
            tol=1e-6,
            polish=False,
            strategy="currenttobest1bin",
            mutation=(0.4, 0.9),
            recombination=0.9,
        )
        tried.append(optimum(model, thin, np.asarray(found.x), limits, chosen, SEARCH_ERROR, SEARCH_STEPS))
    return _best_order(model, thin, min(tried, key=lambda trial: trial[2])[0], chosen, limits)


def _best_order(
    model: Model, curve: Curve, start: FloatArray, chosen: XrrFitParameters, limits: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Try the stack with its layers' thicknesses in other orders, as long as that helps.

    Fringes know the distances between interfaces, so the true stack and one with layers of exchanged thickness are
    minima with a wall between them that a population rarely crosses.
    """
    low, high = limits
    first, count = model.first_layer, len(model.stack.layers)
    places = first + 3 * np.arange(count)
    best, _, chi_square = optimum(model, curve, start, limits, chosen, SEARCH_ERROR, SEARCH_STEPS)
    orders = [list(order) for order in permutations(range(count))] if count <= MAX_PERMUTED else []
    improved = True
    while improved:
        improved = False
        for order in orders[1:]:
            swapped = best.copy()
            swapped[places] = np.clip(best[places[order]], low[places], high[places])
            swapped[places + 1] = 0.5 * np.minimum(best[places + 1], 10.0)
            found, _, value = optimum(model, curve, swapped, limits, chosen, SEARCH_ERROR, SEARCH_STEPS)
            if value < 0.999 * chi_square:
                best, chi_square, improved = found, value, True
    return best


def _population(
    model: Model, curve: Curve, low: FloatArray, high: FloatArray, chosen: XrrFitParameters, seed: int
) -> FloatArray:
    """Latin hypercube; for a single film half of it with the thickness that the fringes tell."""
    generator = np.random.default_rng(seed)
    count, size = chosen.population, len(low)
    cells = (np.array([generator.permutation(count) for _ in range(size)]).T + generator.random((count, size))) / count
    members = low + cells * (high - low)
    if len(model.stack.layers) == 1:
        wave = model.instrument.wavelength_angstrom
        guess = 10.0 * fft_thickness_nm(curve.two_theta_deg, curve.intensity / curve.exposure, wave, 0.05)
        place = model.first_layer
        if low[place] < guess < high[place]:
            members[::2, place] = np.clip(
                guess * generator.normal(1.0, 0.04, len(members[::2])), low[place], high[place]
            )
    return members
