r"""Where a film begins to relax: R = 0 up to a thickness, then it rises, by several laws and with errors in both.

Laws: :math:`A (1 - e^{-(t-t_0)/L})`, with A = 1 or free; :math:`A (1 - t_0/t)`, the equilibrium of misfit dislocations
(Matthews and Blakeslee, J. Cryst. Growth 27, 118 (1974), doi 10.1016/S0022-0248(74)80055-2), with A = 1 or free; a
straight line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.physics.errors_in_variables import MISFIT_PROBABILITY, Adjusted, Points, adjust

FloatArray = npt.NDArray[np.float64]

ONSET, COHERENT, UNDECIDED = VERDICTS = ("onset", "coherent", "undecided")
LEAST_DELTA_BIC = 6.0
LEAST_WEIGHT = 0.02
SEEN, UNSEEN = 3.0, 2.0  # sigma above which a film is relaxed, and below which it may be coherent
LIMIT_95 = 1.645


def _exponential(p: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(1.0 - np.exp(-np.maximum(t - p[0], 0.0) / np.abs(p[1])))


def _equilibrium(p: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(1.0 - p[0] / t, 0.0))


LAWS: dict[str, tuple[Callable[[FloatArray, FloatArray], FloatArray], tuple[float, ...]]] = {
    "exponential to 1": (_exponential, (5.0,)),
    "exponential": (lambda p, t: p[2] * _exponential(p, t), (5.0, np.nan)),
    "equilibrium to 1": (_equilibrium, ()),
    "equilibrium": (lambda p, t: p[1] * _equilibrium(p, t), (np.nan,)),
    "linear": (lambda p, t: p[1] * np.maximum(t - p[0], 0.0), (0.05,)),
}


@dataclass(frozen=True)
class RelaxationOnset:
    """Where a series begins to relax along one direction.

    Parameters
    ----------
    verdict : str
        ``onset``: BIC prefers one to films that are coherent throughout, by 6; ``coherent``; ``undecided``.
    onset_nm, statistical_nm, law_nm : float or None
        Thickness, one sigma by the measurements and one by the choice of the law [nm]; None without an onset.
    after_nm : float or None
        The thickest film below the first relaxed one that is within two sigma of coherent, no law assumed [nm].
    before_nm : float or None
        The thinnest film that is relaxed by three sigma and is followed by none that is not [nm].
    largest : float
        R that the thickest film does not exceed, 95 %.
    delta_bic : float
        BIC of no relaxation minus that of the best law.
    laws : tuple of (str, float)
        Those that count with their weights, the best first.
    best : Adjusted or None
        Fit of the best law; its first parameter is the onset [nm].
    """

    verdict: str
    onset_nm: float | None
    statistical_nm: float | None
    law_nm: float | None
    after_nm: float | None
    before_nm: float | None
    largest: float
    delta_bic: float
    laws: tuple[tuple[str, float], ...]
    best: Adjusted | None


def relaxation_onset(
    thickness_nm: FloatArray, thickness_nm_std: FloatArray, relaxed: FloatArray, relaxed_std: FloatArray
) -> RelaxationOnset:
    """Find where relaxation begins.

    Parameters
    ----------
    thickness_nm, thickness_nm_std : ndarray
        (N,) thickness of each film and its own one sigma [nm].
    relaxed, relaxed_std : ndarray
        (N,) R along one direction, 0 coherent, 1 bulk, and one sigma [1].

    Raises
    ------
    FitFailed
        Fewer than four thicknesses, or a film without a sigma.
    """
    if len(np.unique(thickness_nm)) < 4 or not (relaxed_std > 0).all():
        raise FitFailed(
            f"{len(np.unique(thickness_nm))} thicknesses", "four or more, each with a sigma", "Map more films."
        )
    order = np.argsort(thickness_nm)
    points = Points(
        thickness_nm[order], np.asarray(thickness_nm_std)[order], relaxed[order][None], relaxed_std[order][None]
    )
    after, before = _bracket(points)
    largest = float(points.y[0, -1] + LIMIT_95 * points.y_std[0, -1])
    none = float(np.sum((points.y / points.y_std) ** 2))
    fits = {name: fit for name in LAWS if (fit := _law(name, points)) is not None}
    if not fits:
        return RelaxationOnset(UNDECIDED, None, None, None, after, before, largest, 0.0, (), None)
    delta = none - min(fit.bic for fit in fits.values())
    if delta <= LEAST_DELTA_BIC:
        verdict = COHERENT if before is None else UNDECIDED
        return RelaxationOnset(verdict, None, None, None, after, before, largest, delta, (), None)
    names = list(fits)
    aic = np.array([fits[name].chi_square + 2.0 * len(fits[name].values) for name in names])
    weight = np.exp(-0.5 * (aic - aic.min()))
    weight = np.where(weight / weight.sum() >= LEAST_WEIGHT, weight, 0.0)
    weight /= weight.sum()
    places = np.array([fits[name].values[0] for name in names])
    onset = float(weight @ places)
    best = fits[names[int(np.argmax(weight))]]
    misfit = min(fit.chi_square / max(fit.freedom, 1) for fit in fits.values())
    ruled_out = all(fit.probability < MISFIT_PROBABILITY for fit in fits.values())
    variances = np.array([fit.covariance[0, 0] for fit in fits.values()]) * (misfit if ruled_out else 1.0)
    ranked = sorted(((n, float(w)) for n, w in zip(names, weight, strict=True) if w > 0), key=lambda pair: -pair[1])
    back = np.argsort(order)
    best = Adjusted(
        best.values, best.covariance, best.x[back], best.chi_square, best.freedom,
        best.response_x[:, back], best.response_y[:, :, back],
    )  # fmt: skip
    return RelaxationOnset(
        ONSET, onset, float(np.sqrt(weight @ variances)), float(np.sqrt(weight @ (places - onset) ** 2)),
        after, before, largest, delta, tuple(ranked), best,
    )  # fmt: skip


def _law(name: str, points: Points) -> Adjusted | None:
    law, rest = LAWS[name]
    highest = max(float(points.y.max()), 1e-3)
    own = [highest if np.isnan(value) else value for value in rest]
    if points.count <= len(own) + 1:
        return None
    fits = []
    for start in 0.5 * (points.x[:-1] + points.x[1:]):
        try:
            fit = adjust(lambda p, t: law(p, t)[None], points, np.array([start, *own]))
        except FitFailed:
            continue
        relaxed = int((fit.x > fit.values[0]).sum())
        if 0 < fit.values[0] < points.x[-1] and relaxed >= len(own) + 1 and fit.chi_square >= 0:
            fits.append(fit)
    return min(fits, key=lambda fit: fit.chi_square) if fits else None


def _bracket(points: Points) -> tuple[float | None, float | None]:
    significance = points.y[0] / points.y_std[0]
    below = np.flatnonzero(significance < UNSEEN)
    seen = [i for i in np.flatnonzero(significance > SEEN) if (significance[i:] > UNSEEN).all()]
    first = seen[0] if seen else len(points.x)
    coherent = [i for i in below if i < first]
    return (
        float(points.x[coherent[-1]]) if coherent else None,
        float(points.x[first]) if seen else None,
    )
