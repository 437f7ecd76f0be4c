"""Fit a reflectivity curve: global search on the logarithm, least squares on the counts, covariance, MCMC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import emcee
import numpy as np
import numpy.typing as npt
from scipy.optimize import differential_evolution, least_squares

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.counting import deviance_residual
from rutile_assets.techniques.xrr.model import Curve, Instrument, Model, Stack, fft_thickness_nm

FloatArray = npt.NDArray[np.float64]

GLOBAL_POINTS = 240
SEARCH_STEPS = 40
MAX_PERMUTED = 4
SEARCH_ERROR = 0.05  # relative error while searching, so that every decade of the curve counts
MISFIT = 2.0  # reduced chi-square beyond which the model, not the counting, limits the fit
MAX_MODEL_ERROR = 1.0


@dataclass(frozen=True)
class XrrFitParameters:
    """What a person may choose about a reflectivity fit.

    Parameters
    ----------
    two_theta_min_deg, two_theta_max_deg : float
        Range that is fitted.
    resolution_fwhm_deg : float
        Angular resolution in 2theta where the file's sidecar does not say (``resolution_fwhm_deg``); 0 fits it.
    thickness_range : float
        The nominal thickness may be wrong by this factor, up and down.
    density_tolerance : float
        The density factor of a layer lies within 1 +- this.
    roughness_max_nm : float
        Upper bound of every roughness.
    two_theta_zero_std_deg : float
        How well the goniometer's zero is known; the fit may move it at this price.
    adsorbate_nm : float
        Thickness of the CH2 layer on top whose possible presence is quoted as a systematic; 0 leaves it out.
    uncertainty : str
        ``covariance`` or ``mcmc``.
    generations, population : int
        Of the global search.
    mcmc_steps : int
        Kept steps of each walker.
    """

    two_theta_min_deg: float = 0.5
    two_theta_max_deg: float = 20.0
    resolution_fwhm_deg: float = 0.0
    thickness_range: float = 1.5
    density_tolerance: float = 0.15
    roughness_max_nm: float = 2.0
    two_theta_zero_std_deg: float = 0.005
    adsorbate_nm: float = 0.5
    uncertainty: str = "covariance"
    generations: int = 200
    population: int = 90
    mcmc_steps: int = 400


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
    expected : ndarray
        (Q,) the model at these points, in the unit of the curve's intensity.
    at_bounds : tuple of str
        Parameters that ran into a bound.
    adsorbate_shift : ndarray or None
        (n,) change of the parameters when the adsorbate is put on top.
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
    model = Model(stack, instrument)
    if len(used.two_theta_deg) < 3 * len(model.names):
        raise FitFailed(
            f"{len(used.two_theta_deg)} points from {chosen.two_theta_min_deg} to {chosen.two_theta_max_deg} deg",
            f"at least {3 * len(model.names)} for {len(model.names)} parameters", "Measure more points or fit less.",
        )  # fmt: skip
    low, high = _bounds(model, used, chosen)
    start = _global(model, used, low, high, chosen, seed)
    vector, _, _ = _local(model, used, start, low, high, 0.0, chosen.two_theta_zero_std_deg)
    chi_square = _chi_square(model, used, vector, 0.0)
    model_error = 0.0
    if chi_square > MISFIT:
        vector, model_error = _with_model_error(model, used, start, vector, low, high, chosen.two_theta_zero_std_deg)
    return _told(model, used, vector, model_error, chi_square, (low, high), chosen, seed)


def refine(model: Model, curve: Curve, vector: FloatArray, chosen: XrrFitParameters) -> tuple[FloatArray, FloatArray]:
    """Return the least-squares optimum next to `vector` and its covariance, (n,) and (n, n)."""
    low, high = _bounds(model, curve, chosen)
    best, jacobian, _ = _local(model, curve, np.clip(vector, low, high), low, high, 0.0, chosen.two_theta_zero_std_deg)
    return best, _inverse(jacobian)


def residuals(model: Model, curve: Curve, vectors: FloatArray, model_error: float, nodes: int = 5) -> FloatArray:
    """Return (B, Q) residuals in sigma.

    Counts without model error: the signed square root of the Poisson deviance. Otherwise (measured - expected) over
    the quadrature sum of the noise and the relative model error; for rates without sigma the noise is that of counts.
    """
    expected = np.maximum(model.rate(vectors, curve.two_theta_deg, nodes) * curve.exposure, 1e-12)
    measured = curve.intensity[None, :]
    if curve.is_counts and model_error == 0.0:
        return deviance_residual(measured, expected)
    variance = expected if curve.sigma is None else curve.sigma**2
    return (measured - expected) / np.sqrt(variance + (model_error * expected) ** 2)


def _bounds(model: Model, curve: Curve, chosen: XrrFitParameters) -> tuple[FloatArray, FloatArray]:
    rate = curve.intensity / curve.exposure
    top = np.log10(rate.max())
    lowest = np.sort(rate)[: max(1, len(rate) // 4)]
    floor = np.log10(max(float(lowest.mean()), 0.3 / float(curve.exposure.max()) if curve.is_counts else 1e-12))
    shift = 4.0 * chosen.two_theta_zero_std_deg
    low, high = [top - 0.5, floor - 4.0, -shift], [top + 2.0, floor + 0.5, shift]
    if model.instrument.width_over_length is None:
        low, high = [*low, -3.5], [*high, -0.7]
    if model.instrument.resolution_fwhm_deg is None:
        low, high = [*low, 0.003], [*high, 0.15]
    rough = 10.0 * chosen.roughness_max_nm
    low, high = [*low, 0.0], [*high, rough]
    for layer in model.stack.layers:
        nominal = 10.0 * layer.thickness_nm
        low += [nominal / chosen.thickness_range, 0.0, 1.0 - chosen.density_tolerance]
        high += [nominal * chosen.thickness_range, rough, 1.0 + chosen.density_tolerance]
    return np.array(low), np.array(high)


def _global(
    model: Model, curve: Curve, low: FloatArray, high: FloatArray, chosen: XrrFitParameters, seed: int
) -> FloatArray:
    thin = curve.part(np.arange(len(curve.intensity)) % max(1, len(curve.intensity) // GLOBAL_POINTS) == 0)
    rate = thin.intensity / thin.exposure
    floor = max(float(np.percentile(rate, 2)), 1e-12)
    target = np.log10(rate + floor)

    def misfit(vectors: FloatArray) -> FloatArray:
        expected = model.rate(vectors.T, thin.two_theta_deg, nodes=1)
        return np.asarray(np.mean(np.abs(np.log10(expected + floor) - target), axis=1))

    zero = chosen.two_theta_zero_std_deg
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
        tried.append(_local(model, thin, np.asarray(found.x), low, high, SEARCH_ERROR, zero, SEARCH_STEPS))
    return _best_order(model, thin, min(tried, key=lambda trial: trial[2])[0], low, high, zero)


def _best_order(
    model: Model, curve: Curve, start: FloatArray, low: FloatArray, high: FloatArray, zero_std_deg: float
) -> FloatArray:
    """Try the stack with its layers' thicknesses in other orders, as long as that helps.

    Fringes know the distances between interfaces, so the true stack and one with layers of exchanged thickness are
    minima with a wall between them that a population rarely crosses.
    """
    first, count = model.first_layer, len(model.stack.layers)
    places = first + 3 * np.arange(count)
    best, _, chi_square = _local(model, curve, start, low, high, SEARCH_ERROR, zero_std_deg, SEARCH_STEPS)
    orders = [list(order) for order in permutations(range(count))] if count <= MAX_PERMUTED else []
    improved = True
    while improved:
        improved = False
        for order in orders[1:]:
            swapped = best.copy()
            swapped[places] = np.clip(best[places[order]], low[places], high[places])
            swapped[places + 1] = 0.5 * np.minimum(best[places + 1], 10.0)
            found, _, value = _local(model, curve, swapped, low, high, SEARCH_ERROR, zero_std_deg, SEARCH_STEPS)
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


def _local(
    model: Model,
    curve: Curve,
    start: FloatArray,
    low: FloatArray,
    high: FloatArray,
    model_error: float,
    zero_std_deg: float,
    steps: int = 200,
) -> tuple[FloatArray, FloatArray, float]:
    """Return the optimum next to `start`, the Jacobian of the residuals there and chi-square.

    The last residual is the goniometer's zero in units of how well it is known.
    """
    width = high - low
    step = 1e-6

    def all_residuals(vectors: FloatArray) -> FloatArray:
        from_data = residuals(model, curve, vectors, model_error)
        return np.hstack([from_data, np.atleast_2d(vectors)[:, 2, None] / zero_std_deg])

    def unit(x: FloatArray) -> FloatArray:
        return np.asarray(all_residuals(low + x * width)[0])

    def jacobian(x: FloatArray) -> FloatArray:
        ahead = np.where(x + step <= 1.0, step, -step)
        shifted = low + (x + np.diag(ahead)) * width
        moved = all_residuals(np.vstack([shifted, low + x * width]))
        return np.asarray((moved[:-1] - moved[-1]).T / ahead)

    inside = np.clip((start - low) / width, 1e-9, 1.0 - 1e-9)
    found = least_squares(unit, inside, jac=jacobian, bounds=(0.0, 1.0), x_scale="jac", max_nfev=steps)
    return low + found.x * width, jacobian(found.x) / width, float(2.0 * found.cost)


def _with_model_error(
    model: Model,
    curve: Curve,
    start: FloatArray,
    poisson: FloatArray,
    low: FloatArray,
    high: FloatArray,
    zero_std_deg: float,
) -> tuple[FloatArray, float]:
    """Find the relative model error that makes the reduced chi-square 1, and the optimum that belongs to it."""
    free = len(curve.intensity) - len(low)
    best, error = start, 0.1
    for _ in range(8):
        trials = [_local(model, curve, begin, low, high, error, zero_std_deg) for begin in (best, start, poisson)]
        best, _, chi_square = min(trials, key=lambda trial: trial[2])
        ratio = chi_square / free
        error = float(np.clip(error * np.sqrt(ratio), 1e-4, MAX_MODEL_ERROR))
        start = poisson = best
        if abs(ratio - 1.0) < 0.02:
            break
    return best, error


def _inverse(jacobian: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.pinv(jacobian.T @ jacobian), dtype=np.float64)


def _chi_square(model: Model, curve: Curve, vector: FloatArray, model_error: float) -> float:
    total = float(np.sum(residuals(model, curve, vector, model_error)[0] ** 2))
    return total / (len(curve.intensity) - len(vector))


def _told(
    model: Model,
    curve: Curve,
    vector: FloatArray,
    model_error: float,
    chi_square: float,
    bounds: tuple[FloatArray, FloatArray],
    chosen: XrrFitParameters,
    seed: int,
) -> XrrFit:
    low, high = bounds
    vector, jacobian, _ = _local(model, curve, vector, low, high, model_error, chosen.two_theta_zero_std_deg)
    covariance = _inverse(jacobian)
    source = "covariance"
    hugging = tuple(
        name
        for name, x, a, b in zip(model.names, vector, low, high, strict=True)
        if min(x - a, b - x) < 1e-3 * (b - a) and name not in ("log10_background", "resolution_fwhm_deg")
    )
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
    if hugging:
        notes.append(f"At a bound, so its neighbours' uncertainties are too small: {', '.join(hugging)}.")
    if chosen.uncertainty == "mcmc":
        vector, covariance = _sampled(model, curve, vector, covariance, bounds, model_error, chosen, seed)
        source = "mcmc"
    elif chosen.uncertainty != "covariance":
        raise FitFailed(f"uncertainty {chosen.uncertainty!r}", "covariance or mcmc", "Correct rutile.yaml.")
    expected = (model.rate(vector, curve.two_theta_deg) * curve.exposure)[0]
    shift = _adsorbate_shift(model, curve, vector, bounds, model_error, chosen)
    return XrrFit(
        model, vector, covariance, source, chi_square, model_error, curve, expected, hugging, shift, tuple(notes)
    )


def _adsorbate_shift(
    model: Model,
    curve: Curve,
    vector: FloatArray,
    bounds: tuple[FloatArray, FloatArray],
    model_error: float,
    chosen: XrrFitParameters,
) -> FloatArray | None:
    """Refit with a CH2 layer on top: how far an adsorbate that nobody modelled would pull each parameter."""
    if chosen.adsorbate_nm <= 0 or model.stack.adsorbate_nm > 0:
        return None
    covered = Model(replace(model.stack, adsorbate_nm=chosen.adsorbate_nm), model.instrument)
    return _local(covered, curve, vector, *bounds, model_error, chosen.two_theta_zero_std_deg)[0] - vector


def _sampled(
    model: Model,
    curve: Curve,
    vector: FloatArray,
    covariance: FloatArray,
    bounds: tuple[FloatArray, FloatArray],
    model_error: float,
    chosen: XrrFitParameters,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Return posterior mean and covariance under flat priors within the bounds (emcee, stretch moves)."""
    low, high = bounds

    def log_probability(vectors: FloatArray) -> FloatArray:
        inside = ((vectors >= low) & (vectors <= high)).all(axis=1)
        values = np.full(len(vectors), -np.inf)
        if inside.any():
            values[inside] = -0.5 * np.sum(residuals(model, curve, vectors[inside], model_error, nodes=3) ** 2, axis=1)
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
