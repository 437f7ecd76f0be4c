"""The likelihood of counts or rates, with priors whose shares of the error stay apart by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, nnls

from rutile_assets.errors import FitFailed
from rutile_assets.physics.counting import deviance_residual

FloatArray = npt.NDArray[np.float64]
LEAST_COUNTS = 1e-6
TRIAL_STEPS = 12
FEWEST_POINTS = 5


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter before the fit: a Gaussian.

    Parameters
    ----------
    effect : str
        Name of the systematic effect.
    place : int
        Of the parameter in the vector.
    centre, std : float
        In the parameter's unit.
    """

    effect: str
    place: int
    centre: float
    std: float


@dataclass(frozen=True)
class Found:
    """The most probable parameters and their errors.

    Parameters
    ----------
    vector : ndarray
        (N,) parameters.
    covariance : ndarray
        (N, N) what the noise of the data makes of them, priors held.
    shifts : mapping of str to ndarray
        Name of a prior's effect -> (N,) shifts for one sigma of what the prior says. Covariance and shifts together
        are the posterior's covariance.
    gain : ndarray
        (N, Q) change of the parameters for a unit change of each residual.
    reduced_chi_square : float
        1 where the model says all.
    """

    vector: FloatArray
    covariance: FloatArray
    shifts: Mapping[str, FloatArray]
    gain: FloatArray
    reduced_chi_square: float


@dataclass(frozen=True)
class Signal:
    """Counts, or an intensity whose noise was read off the data.

    Parameters
    ----------
    values : ndarray
        (Q,) counts or intensity.
    noise : ndarray or None
        (Q,) standard deviation of each value; None for counts.
    """

    values: FloatArray
    noise: FloatArray | None = None

    @classmethod
    def of(cls, values: FloatArray, *, is_counts: bool) -> Signal:
        """Return values, (Q,), with their noise: Poisson for counts, else as neighbouring points differ."""
        return cls(values, None if is_counts else neighbour_noise(values))

    def part(self, used: npt.NDArray[np.bool_]) -> Signal:
        """Return some of the points."""
        return Signal(self.values[used], None if self.noise is None else self.noise[used])

    def residual(self, expected: FloatArray) -> FloatArray:
        """Return (values - expected) in sigma, (Q,); the signed root of the deviance for counts."""
        if self.noise is None:
            return deviance_residual(self.values, np.maximum(expected, LEAST_COUNTS))
        return np.asarray((self.values - expected) / self.noise)

    def draw(self, expected: FloatArray, rng: np.random.Generator) -> Signal:
        """Return what another measurement of `expected`, (Q,), might have shown."""
        if self.noise is None:
            return Signal(rng.poisson(np.maximum(expected, 0.0)).astype(np.float64))
        return Signal(expected + self.noise * rng.normal(size=len(expected)), self.noise)


def neighbour_noise(values: FloatArray) -> FloatArray:
    """Return the noise of each of (Q,) values, from how neighbours differ: sqrt(a + b value), a and b not negative.

    Second differences of a smooth curve are noise alone, with 6 times its variance.

    Raises
    ------
    FitFailed
        Fewer than 5 values.
    """
    if len(values) < FEWEST_POINTS:
        raise FitFailed(f"{len(values)} points", f"{FEWEST_POINTS} or more", "Measure the edge in finer steps.")
    square = (values[2:] - 2.0 * values[1:-1] + values[:-2]) ** 2 / 6.0
    level = np.maximum(np.convolve(values, np.full(3, 1.0 / 3.0), mode="valid"), 0.0)
    parts, _ = nnls(np.column_stack([np.ones_like(level), level]), square)
    whole = np.convolve(np.pad(values, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    variance = parts[0] + parts[1] * np.maximum(whole, 0.0)
    floor = max(1e-12 * float(np.max(np.abs(values))) ** 2, 1e-3 * float(np.median(square)), 1e-60)
    return np.asarray(np.sqrt(np.maximum(variance, floor)))


def maximise(
    model: Callable[[FloatArray], FloatArray],
    signal: Signal,
    starts: Sequence[FloatArray],
    bounds: tuple[Sequence[float], Sequence[float]],
    priors: Sequence[Prior] = (),
) -> Found:
    """Return the most probable parameters, from several starts: a few steps from each, the best to its end.

    A misfit beyond the noise (reduced chi-square above 1) widens the statistical covariance by as much.

    Parameters
    ----------
    model : callable
        (N,) -> (Q,) expectation.
    signal : Signal
        (Q,) what was measured.
    starts : sequence of ndarray
        (N,) each.
    bounds : pair of sequences
        (N,) lower, upper.
    priors : sequence of Prior
        At most one a parameter.

    Raises
    ------
    FitFailed
        No start leads anywhere finite.
    """
    low, high = np.array(bounds[0], dtype=float), np.array(bounds[1], dtype=float)
    rows = np.zeros((len(priors), len(low)))
    rows[np.arange(len(priors)), [p.place for p in priors]] = [1.0 / p.std for p in priors]
    centres = np.array([p.centre / p.std for p in priors])

    def residual(vector: FloatArray) -> FloatArray:
        return np.concatenate([signal.residual(model(vector)), rows @ vector - centres])

    margin = 1e-9 * np.where(np.isfinite(high - low), high - low, 1.0)
    found = []
    for start in starts:
        inside = np.clip(start, low + margin, high - margin)
        if np.isfinite(residual(inside)).all():
            found.append(least_squares(residual, inside, bounds=(low, high), x_scale="jac", max_nfev=TRIAL_STEPS))
    if not found:
        raise FitFailed("a model that is not finite at any start", "a spectrum with an edge", "Look at the spectrum.")
    first = min(found, key=lambda f: float(f.cost))
    best = least_squares(residual, np.clip(first.x, low + margin, high - margin), bounds=(low, high), x_scale="jac")
    count = len(signal.values)
    data, said = best.jac[:count], rows
    inverse = np.linalg.pinv(data.T @ data + said.T @ said)
    expected = model(best.x)
    square = np.maximum(expected, LEAST_COUNTS) if signal.noise is None else signal.noise**2
    chi_square = float(np.sum((signal.values - expected) ** 2 / square))
    reduced = chi_square / max(count - len(best.x) + len(priors), 1)
    return Found(
        best.x,
        inverse @ (data.T @ data) @ inverse * max(1.0, reduced),
        {p.effect: inverse[:, p.place] / p.std for p in priors},
        -inverse @ data.T,
        reduced,
    )
