"""How well a parameter vector describes a curve, where its numbers may lie, and the optimum next to a start."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from rutile_assets.physics.counting import deviance_residual
from rutile_assets.techniques.xrr.model import Curve, Model
from rutile_assets.techniques.xrr.parameters import XrrFitParameters

FloatArray = npt.NDArray[np.float64]

BELOW_ZERO_ANGSTROM = 8.0  # how far an adsorbate's thickness may fall below 0 while its optimum is sought


def expected_intensity(model: Model, curve: Curve, vectors: FloatArray, nodes: int = 5) -> FloatArray:
    """Return what the model says of each point in the unit of the curve, (B, Q)."""
    expected = model.rate(vectors, curve.two_theta_deg, nodes) * curve.exposure
    place = model.first_attenuator
    if place is not None and curve.attenuator is not None:
        errors = np.hstack([np.zeros((len(expected), 1)), np.atleast_2d(vectors)[:, place:]])
        expected = expected * (1.0 - errors[:, curve.attenuator])
    return np.asarray(np.maximum(expected, 1e-12))


def residuals(model: Model, curve: Curve, vectors: FloatArray, model_error: float, nodes: int = 5) -> FloatArray:
    """Return (B, Q) residuals in sigma.

    Counts without model error: the signed square root of the Poisson deviance. Otherwise (measured - expected) over
    the quadrature sum of the noise and the relative model error; for rates without sigma the noise is that of counts.
    """
    expected = expected_intensity(model, curve, vectors, nodes)
    measured = curve.intensity[None, :]
    if curve.is_counts and model_error == 0.0:
        return deviance_residual(measured, expected)
    variance = expected if curve.sigma is None else curve.sigma**2
    return np.asarray((measured - expected) / np.sqrt(variance + (model_error * expected) ** 2))


def known_beforehand(model: Model, vectors: FloatArray, chosen: XrrFitParameters) -> FloatArray:
    """Return (B, K) zero, densities, adsorbate and absorbers' errors over how well they are known."""
    vectors = np.atleast_2d(vectors)
    first, count = model.first_layer, len(model.stack.layers)
    known = [vectors[:, 2, None] / chosen.two_theta_zero_std_deg]
    known.append((vectors[:, first + 2 : first + 3 * count : 3] - 1.0) / chosen.density_std_ratio)
    if model.adsorbate is not None:
        known.append(vectors[:, model.adsorbate, None] / (10.0 * chosen.adsorbate_std_nm))
    if model.first_attenuator is not None:
        known.append(vectors[:, model.first_attenuator :] / chosen.attenuator_std_ratio)
    return np.hstack(known)


def bounds(model: Model, curve: Curve, chosen: XrrFitParameters) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest value of each parameter, (n,) and (n,)."""
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
    if model.adsorbate is not None:
        low, high = [*low, -BELOW_ZERO_ANGSTROM], [*high, 60.0 * chosen.adsorbate_std_nm]
    wrong = 6.0 * chosen.attenuator_std_ratio
    low, high = low + [-wrong] * model.attenuators_count, high + [wrong] * model.attenuators_count
    return np.array(low), np.array(high)


def optimum(
    model: Model,
    curve: Curve,
    start: FloatArray,
    limits: tuple[FloatArray, FloatArray],
    chosen: XrrFitParameters,
    model_error: float = 0.0,
    steps: int = 200,
) -> tuple[FloatArray, FloatArray, float]:
    """Return the optimum next to `start` (n,), the Jacobian of the residuals there (R, n), and chi-square.

    The last residuals are what is known beforehand, in sigma.
    """
    low, width = limits[0], limits[1] - limits[0]
    step = 1e-6

    def all_residuals(vectors: FloatArray) -> FloatArray:
        return np.hstack([residuals(model, curve, vectors, model_error), known_beforehand(model, vectors, chosen)])

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


def inverse(jacobian: FloatArray) -> FloatArray:
    """Return (J^T J)^-1, (n, n)."""
    scale = 1.0 / np.maximum(np.linalg.norm(jacobian, axis=0), 1e-300)
    scaled = jacobian * scale
    return np.asarray(np.linalg.pinv(scaled.T @ scaled) * np.outer(scale, scale), dtype=np.float64)


def reduced_chi_square(
    model: Model, curve: Curve, vector: FloatArray, model_error: float = 0.0, nodes: int = 5
) -> float:
    """Return the sum of squared residuals over the degrees of freedom."""
    total = float(np.sum(residuals(model, curve, vector, model_error, nodes)[0] ** 2))
    return total / (len(curve.intensity) - len(vector))
