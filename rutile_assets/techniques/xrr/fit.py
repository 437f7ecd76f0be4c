"""Fit a reflectivity curve: global search on the logarithm, least squares on the counts, covariance, MCMC."""

from __future__ import annotations

from dataclasses import dataclass, replace

import emcee
import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.techniques.xrr.adsorbate import as_crystals, marginal, mixed
from rutile_assets.techniques.xrr.likelihood import (
    bounds,
    expected_intensity,
    inverse,
    known_beforehand,
    optimum,
    reduced_chi_square,
    residuals,
)
from rutile_assets.techniques.xrr.model import Curve, Instrument, Model, Stack
from rutile_assets.techniques.xrr.parameters import XrrFitParameters
from rutile_assets.techniques.xrr.profile import graded_over_sharp
from rutile_assets.techniques.xrr.search import global_optimum

FloatArray = npt.NDArray[np.float64]

MISFIT = 2.0  # reduced chi-square beyond which the model, not the counting, limits the fit
DOUBTFUL = 1.5  # beyond this the search is repeated from other populations
SEARCHES = 3
MAX_MODEL_ERROR = 1.0
MAY_BE_COVERED = 30.0  # reduced chi-square beyond which an adsorbate cannot be all that is amiss
USUAL_ANGSTROM = 3.0  # of an adsorbate
THIN_NM = 2.0  # below, density and roughness have two optima
GRADED_ROUNDS, GRADED_SIGMAS = 6, 0.03
MAY_END = ("log10_background", "resolution_fwhm_deg", "adsorbate")  # at a bound these are no warning


@dataclass(frozen=True)
class XrrFit:
    """A fitted curve.

    Parameters
    ----------
    model : Model
        Stack and instrument.
    vector : ndarray
        (n,) the best parameters, in the order of ``model.names``.
    covariance : ndarray
        (n, n) of the parameters.
    std_source : str
        covariance or mcmc.
    reduced_chi_square : float
        With counting noise alone.
    model_error : float
        Relative error of the model (1 sigma) that was added to the counting noise; 0 where the fit is good.
    curve : Curve
        The points that were fitted.
    expected, residual : ndarray
        (Q,) the model at these points, in the unit of the curve's intensity; measured minus model in sigma.
    at_bounds : tuple of str
        Parameters that ran into a bound.
    adsorbate_shift : ndarray or None
        (n,) change of the parameters when the adsorbate is put on top; None where it was fitted.
    notes : tuple of str
        What a reader must know.
    """

    model: Model
    vector: FloatArray
    covariance: FloatArray
    std_source: str
    reduced_chi_square: float
    model_error: float
    curve: Curve
    expected: FloatArray
    residual: FloatArray
    at_bounds: tuple[str, ...]
    adsorbate_shift: FloatArray | None
    notes: tuple[str, ...]

    def estimate(self) -> Estimate:
        """Return thickness, roughness and density of each layer and the total thickness, with their covariance."""
        rows, quantities, subjects = [], [], []
        first = self.model.first_layer
        scale = np.eye(len(self.vector))
        total = np.zeros(len(self.vector))
        for number, layer in enumerate(self.model.stack.layers):
            subject = f"{layer.index} {layer.material}"
            places = first + 3 * number
            for step, (quantity, factor) in enumerate(
                (("thickness_nm", 0.1), ("roughness_nm", 0.1), ("density_g_per_cm3", layer.density_g_per_cm3))
            ):
                rows.append(scale[places + step] * factor)
                quantities.append(quantity)
                subjects.append(subject)
            total += scale[places] * 0.1
        rows.append(scale[first - 1] * 0.1)
        quantities.append("roughness_nm")
        subjects.append("substrate")
        if self.model.stack.layers:
            rows.append(total)
            quantities.append("total_thickness_nm")
            subjects.append("")
        matrix = np.array(rows)
        systematics = {}
        if self.adsorbate_shift is not None:
            systematics["adsorbate"] = matrix @ self.adsorbate_shift
        method = "Parratt with Nevot-Croce roughness; differential evolution on log intensity, then least squares on "
        method += "counts" if self.curve.is_counts else "intensity"
        return Estimate(
            tuple(quantities),
            matrix @ self.vector,
            matrix @ self.covariance @ matrix.T,
            method + (f" with a relative model error of {self.model_error:.1%}" if self.model_error else ""),
            self.std_source,
            tuple(subjects),
            systematics,
            self.notes,
        )


def fit_curve(curve: Curve, stack: Stack, instrument: Instrument, chosen: XrrFitParameters, seed: int) -> XrrFit:
    """Fit a stack to a curve, with no start values but the nominal thicknesses.

    Parameters
    ----------
    curve : Curve
        Measured; only the chosen range is used.
    stack, instrument
        From `visible_stack` and the file's settings.
    chosen : XrrFitParameters
        See there.
    seed : int
        Of the global search and of MCMC.

    Raises
    ------
    FitFailed
        Too few points, or no parameters describe the curve at all.
    """
    angle = curve.two_theta_deg
    used = curve.part((angle >= chosen.two_theta_min_deg) & (angle <= chosen.two_theta_max_deg))
    model = Model(stack, instrument, _absorbers(used))
    if len(used.two_theta_deg) < 3 * len(model.names):
        raise FitFailed(
            f"{len(used.two_theta_deg)} points from {chosen.two_theta_min_deg} to {chosen.two_theta_max_deg} deg",
            f"at least {3 * len(model.names)} for {len(model.names)} parameters", "Measure more points or fit less.",
        )  # fmt: skip
    best: _Found | None = None
    for attempt in range(SEARCHES if used.is_counts else 1):
        start = global_optimum(model, used, chosen, seed + 1000 * attempt)
        found = _counting_limited(model, used, start, chosen)
        if best is None or found.chi_square < best.chi_square:
            best = found
        if best.chi_square < DOUBTFUL:
            break
    assert best is not None
    if best.chi_square <= MISFIT:
        return _told(best, used, 0.0, best.chi_square, chosen, seed)
    limits = bounds(model, used, chosen)
    vector, _, _ = optimum(model, used, best.start, limits, chosen)
    chi_square = reduced_chi_square(model, used, vector)
    vector, model_error = _with_model_error(model, used, best.start, vector, chosen)
    return _told(_Found(model, used, vector, chi_square, best.start), used, model_error, chi_square, chosen, seed)


@dataclass(frozen=True)
class _Found:
    """An optimum, the curve whose exposure makes the sharp model a graded one, where the search had ended.

    With an adsorbate also mean and covariance over all its thicknesses.
    """

    model: Model
    curve: Curve
    vector: FloatArray
    chi_square: float
    start: FloatArray
    mean: FloatArray | None = None
    covariance: FloatArray | None = None


def _absorbers(curve: Curve) -> int:
    """Return how many absorbers but the thinnest were in the beam."""
    return 0 if curve.attenuator is None else int(curve.attenuator.max())


def _counting_limited(model: Model, curve: Curve, start: FloatArray, chosen: XrrFitParameters) -> _Found:
    """Return the optimum on counting noise alone: with an adsorbate, absorbers' errors and graded interfaces."""
    limits = bounds(model, curve, chosen)
    vector, _, chi = optimum(model, curve, start, limits, chosen)
    if len(model.stack.layers) > 1 or chi / len(curve.intensity) < MAY_BE_COVERED:
        rival, _, other = optimum(model, curve, as_crystals(model, start), limits, chosen)
        vector, chi = (rival, other) if other < chi else (vector, chi)
    if chosen.adsorbate_nm > 0 and chi / len(curve.intensity) < MAY_BE_COVERED:
        place = len(model.names) - model.attenuators_count
        covered = Model(replace(model.stack, has_adsorbate=True), model.instrument, model.attenuators_count)
        ends = bounds(covered, curve, chosen)
        begins = [np.insert(v, place, USUAL_ANGSTROM) for v in (vector, as_crystals(model, vector))]
        tried = min((optimum(covered, curve, b, ends, chosen) for b in begins), key=lambda trial: trial[2])
        begin = tried[0] if tried[2] < chi else np.insert(vector, place, 0.0)
        begin[place] = max(begin[place], 0.0)
        thin = sum(layer.thickness_nm for layer in model.stack.layers) < THIN_NM
        sums = [marginal(covered, curve, begin, chosen)]
        sums += [marginal(covered, curve, begin, chosen, from_crystals=True)] if thin else []
        found = [one for one in sums if one is not None]
        if found:
            summed = mixed(found)
            graded = replace(curve, exposure=curve.exposure * summed.best.graded_over_sharp)
            chi_square = reduced_chi_square(covered, graded, summed.best.vector)
            return _Found(covered, graded, summed.best.vector, chi_square, start, summed.mean, summed.covariance)
    graded = curve
    if chi / len(curve.intensity) < 2.0 * MISFIT:
        for _ in range(GRADED_ROUNDS):
            ratio = graded_over_sharp(model, vector, curve.two_theta_deg)
            graded = replace(curve, exposure=curve.exposure * ratio)
            moved, jacobian, _ = optimum(model, graded, vector, limits, chosen)
            far = np.abs(moved - vector) / np.sqrt(np.maximum(np.diag(inverse(jacobian)), 1e-300))
            vector = moved
            if far.max() < GRADED_SIGMAS:
                break
    return _Found(model, graded, vector, reduced_chi_square(model, graded, vector), start)


def refine(model: Model, curve: Curve, vector: FloatArray, chosen: XrrFitParameters) -> tuple[FloatArray, FloatArray]:
    """Return the least-squares optimum next to `vector` and its covariance, (n,) and (n, n)."""
    limits = bounds(model, curve, chosen)
    best, jacobian, _ = optimum(model, curve, np.clip(vector, *limits), limits, chosen)
    return best, inverse(jacobian)


def _with_model_error(
    model: Model, curve: Curve, start: FloatArray, poisson: FloatArray, chosen: XrrFitParameters
) -> tuple[FloatArray, float]:
    """Find the relative model error that makes the reduced chi-square 1, and the optimum that belongs to it."""
    limits = bounds(model, curve, chosen)
    free = len(curve.intensity) - len(start)
    best, error = start, 0.1
    for _ in range(8):
        trials = [optimum(model, curve, begin, limits, chosen, error) for begin in (best, start, poisson)]
        best, _, chi_square = min(trials, key=lambda trial: trial[2])
        ratio = chi_square / free
        error = float(np.clip(error * np.sqrt(ratio), 1e-4, MAX_MODEL_ERROR))
        start = poisson = best
        if abs(ratio - 1.0) < 0.02:
            break
    return best, error


def _told(
    found: _Found, measured: Curve, model_error: float, chi_square: float, chosen: XrrFitParameters, seed: int
) -> XrrFit:
    model, curve = found.model, found.curve
    limits = bounds(model, curve, chosen)
    best, covariance = found.vector, found.covariance
    if covariance is None:
        best, jacobian, _ = optimum(model, curve, best, limits, chosen, model_error)
        covariance = inverse(jacobian)
    mean = best if found.mean is None else found.mean
    shift = _adsorbate_shift(model, curve, best, limits, model_error, chosen)
    notes = [
        f"{layer.material} {layer.thickness_nm:g} nm on the substrate: nominal, not measured (it has its density)."
        for layer in model.stack.merged
    ]
    if model_error:
        notes.append(
            f"Misfit: reduced chi-square {chi_square:.1f} with counting noise alone; a relative model error of "
            f"{model_error:.1%} was added so that it is 1."
        )
    elif chi_square > 1.0:
        covariance = covariance * chi_square
    hugging = _at_bounds(model, best, limits)
    if hugging:
        notes.append(f"At a bound, so its neighbours' uncertainties are too small: {', '.join(hugging)}.")
    source = "covariance"
    if chosen.uncertainty == "mcmc":
        mean, covariance = _sampled(model, curve, mean, covariance, limits, model_error, chosen, seed)
        source = "mcmc"
    elif chosen.uncertainty != "covariance":
        raise FitFailed(f"uncertainty {chosen.uncertainty!r}", "covariance or mcmc", "Correct rutile.yaml.")
    if model.adsorbate is not None:
        notes.append(
            f"An adsorbate of {0.1 * mean[model.adsorbate]:.2f} +- "
            f"{0.1 * np.sqrt(covariance[model.adsorbate, model.adsorbate]):.2f} nm CH2 lies on top; it is no part of "
            "the thicknesses, and they allow for it."
        )
    expected = expected_intensity(model, curve, best)[0]
    residual = residuals(model, curve, best, model_error)[0]
    return XrrFit(
        model, mean, covariance, source, chi_square, model_error, measured, expected, residual, hugging, shift,
        tuple(notes),
    )  # fmt: skip


def _at_bounds(model: Model, vector: FloatArray, limits: tuple[FloatArray, FloatArray]) -> tuple[str, ...]:
    return tuple(
        name
        for name, x, a, b in zip(model.names, vector, *limits, strict=True)
        if min(x - a, b - x) < 1e-3 * (b - a) and name not in MAY_END
    )


def _adsorbate_shift(
    model: Model,
    curve: Curve,
    vector: FloatArray,
    limits: tuple[FloatArray, FloatArray],
    model_error: float,
    chosen: XrrFitParameters,
) -> FloatArray | None:
    """Refit with a CH2 layer on top: how far an adsorbate that nobody modelled would pull each parameter."""
    if chosen.adsorbate_nm <= 0 or model.stack.has_adsorbate:
        return None
    covered = Model(replace(model.stack, adsorbate_nm=chosen.adsorbate_nm), model.instrument, model.attenuators_count)
    return optimum(covered, curve, vector, limits, chosen, model_error)[0] - vector


def _sampled(
    model: Model,
    curve: Curve,
    vector: FloatArray,
    covariance: FloatArray,
    limits: tuple[FloatArray, FloatArray],
    model_error: float,
    chosen: XrrFitParameters,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of the posterior: flat within the bounds, times what is known beforehand (emcee)."""
    low, high = limits
    if model.adsorbate is not None:
        low = low.copy()
        low[model.adsorbate] = 0.0

    def log_probability(vectors: FloatArray) -> FloatArray:
        inside = ((vectors >= low) & (vectors <= high)).all(axis=1)
        values = np.full(len(vectors), -np.inf)
        if inside.any():
            off = residuals(model, curve, vectors[inside], model_error, nodes=3)
            known = known_beforehand(model, vectors[inside], chosen)
            values[inside] = -0.5 * (np.sum(off**2, axis=1) + np.sum(known**2, axis=1))
        return values

    generator = np.random.default_rng(seed)
    walkers = 4 * len(vector)
    spread = generator.normal(size=(walkers, len(vector))) * np.sqrt(np.diag(covariance))
    first = np.clip(vector + spread, low + 1e-9 * (high - low), high - 1e-9 * (high - low))
    sampler = emcee.EnsembleSampler(walkers, len(vector), log_probability, vectorize=True)
    sampler.random_state = np.random.RandomState(seed).get_state()
    sampler.run_mcmc(first, 2 * chosen.mcmc_steps, progress=False)
    chain = sampler.get_chain(discard=chosen.mcmc_steps, flat=True)
    return chain.mean(axis=0), np.cov(chain.T)
