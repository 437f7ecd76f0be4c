r"""Where carriers are fewest and most mobile: a dip of the density and the peak of the mobility that it makes.

A film's conductance and density share its thickness, and its mobility is their ratio: both curves are fitted together,
:math:`\sigma_{2D}(t)` as two channels and :math:`n_{2D} = n_3 t\, B(t)\, (1 - d\, g((t - c)/w))` with several shapes g
of the dip and baselines B, errors in both variables. What the shapes that fit differ by is a part of the error.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import FitFailed
from rutile_assets.physics.errors_in_variables import Adjusted, Points, adjust
from rutile_assets.physics.two_channel import LEAST_DELTA_BIC, S_CM_NM_PER_S, TwoChannel

FloatArray = npt.NDArray[np.float64]
Curve = Callable[[FloatArray, FloatArray], FloatArray]

NM_PER_CM = 1e7
GRID_NM = 0.002
LEAST_WEIGHT = 0.01
LEAST_PROMINENCE = 3.0  # sigma
LEAST_HEIGHT = 0.01  # a bump of less than 1 % is none
PLAUSIBLE = 0.05  # probability of chi-square below which a model is dropped where others do better

SHAPES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "Gaussian": lambda z: np.exp(-(z**2)),
    "sech2": lambda z: np.cosh(np.clip(z, -300.0, 300.0)) ** -2.0,
    "Lorentzian": lambda z: 1.0 / (1.0 + z**2),
}


@dataclass(frozen=True)
class Extremum:
    """A dip or a peak.

    Parameters
    ----------
    place_nm, statistical_nm, shape_nm : float
        Thickness, one sigma by the measurements, and one sigma by the choice of the model [nm].
    height : float
        ln of the curve there less that at the higher (for a dip: lower) end of its surroundings; positive.
    height_std : float
        One sigma.
    """

    place_nm: float
    statistical_nm: float
    shape_nm: float
    height: float
    height_std: float


@dataclass(frozen=True)
class Candidate:
    """One model, fitted.

    Parameters
    ----------
    name : str
        Shape of the dip and baseline.
    fit : Adjusted
        To ln of sigma_2D and of n_2D.
    density, mobility : callable
        Parameters (P,) and thicknesses (N,) [nm] -> ln n_2D [1/cm^2] and ln of the mobility [cm^2/Vs], (N,).
    has_dip : bool
        Whether its density has one.
    weight : float
        Of the model among all.
    """

    name: str
    fit: Adjusted
    density: Curve
    mobility: Curve
    has_dip: bool
    weight: float = 0.0


@dataclass(frozen=True)
class Carriers:
    """Density and mobility of a series against thickness.

    Parameters
    ----------
    candidates : tuple of Candidate
        Those that count, the best first.
    dip, peak : Extremum or None
        Of the density and of the mobility; None where no dip pays or no extremum among the films stands out.
    dip_covariance_nm2 : float
        Statistical covariance of the places of dip and peak [nm^2]; 0 unless there are both.
    """

    candidates: tuple[Candidate, ...]
    dip: Extremum | None
    peak: Extremum | None
    dip_covariance_nm2: float

    def place_shift(self, x_shift: FloatArray, y_shift: FloatArray) -> tuple[float, float]:
        """Return how dip and peak move [nm] with shifts of thicknesses (N,) [nm] and of ln sigma, ln n (2, N)."""
        best = self.candidates[0]
        moved = best.fit.moved(x_shift, y_shift)
        low, high = float(best.fit.x.min()), float(best.fit.x.max())
        places = []
        for curve, sign, told in ((best.density, -1.0, self.dip), (best.mobility, 1.0, self.peak)):
            if told is None:
                places.append(0.0)
                continue
            slope = _place_slope(curve, best.fit, sign, (low, high))
            places.append(float(slope @ moved))
        return places[0], places[1]


def locate(
    thickness_nm: FloatArray,
    thickness_nm_std: FloatArray,
    sigma_2d_s: FloatArray,
    sigma_2d_s_std: FloatArray,
    density_per_cm2: FloatArray,
    density_per_cm2_std: FloatArray,
    channels: TwoChannel,
) -> Carriers:
    """Locate the dip of the density and the peak of the mobility.

    Parameters
    ----------
    thickness_nm, thickness_nm_std : ndarray
        (N,) thickness of each film and its own one sigma [nm].
    sigma_2d_s, sigma_2d_s_std, density_per_cm2, density_per_cm2_std : ndarray
        (N,) sheet conductance [S] and sheet density [1/cm^2] with one sigma, independent of each other.
    channels : TwoChannel
        The fit of the conductance, where the joint fit begins.

    Raises
    ------
    FitFailed
        Fewer than six films, a value that is not positive, or no model that can be fitted.
    """
    positive = all((v > 0).all() for v in (sigma_2d_s, sigma_2d_s_std, density_per_cm2, density_per_cm2_std))
    if len(np.unique(thickness_nm)) < 6 or not positive:
        raise FitFailed(
            f"{len(np.unique(thickness_nm))} thicknesses with density and conductance",
            "six or more, each positive and with a sigma",
            "Measure more films.",
        )
    y = np.log(np.stack([sigma_2d_s * S_CM_NM_PER_S, density_per_cm2]))
    y_std = np.stack([sigma_2d_s_std / sigma_2d_s, density_per_cm2_std / density_per_cm2])
    points = Points(thickness_nm, thickness_nm_std, y, y_std)
    found = [c for model in _models(channels) if (c := _fitted(model, points, channels)) is not None]
    if not found:
        raise FitFailed("no model of the density that fits", "films that tell one", "Measure more films.")
    return _told(_weighted(_paying(found)), thickness_nm)


@dataclass(frozen=True)
class _Model:
    name: str
    dip: str | None
    baseline: str
    bulk: int  # parameters of the conductance


BASELINES = {"level": 0, "power": 1, "step": 3}


def _models(channels: TwoChannel) -> list[_Model]:
    bulk = len(channels.fit.values)
    return [
        _Model(f"{dip or 'no dip'}, {baseline}", dip, baseline, bulk)
        for dip in (None, *SHAPES)
        for baseline in BASELINES
    ]


def _curves(model: _Model) -> tuple[Curve, Curve]:
    """Return ln sigma_2D [(S/cm) nm] and ln n_2D [1/cm^2] as functions of parameters and thickness."""
    first, extra = model.bulk, BASELINES[model.baseline]

    def conductance(p: FloatArray, t: FloatArray) -> FloatArray:
        bulk, intercept = _size(p[0]), p[1]
        above = bulk * np.maximum(t - intercept, 1e-6)
        if first == 2:
            return np.asarray(np.log(above))
        interface = _size(p[2])
        thick = t * (bulk - interface) > intercept * bulk
        return np.asarray(np.log(np.where(thick, above, interface * np.maximum(t, 1e-6))))

    def density(p: FloatArray, t: FloatArray) -> FloatArray:
        level = p[first] + np.log(np.maximum(t, 1e-6)) - np.log(NM_PER_CM)
        own = p[first + 1 : first + 1 + extra]
        if model.baseline == "power":
            level = level + own[0] * np.log(np.maximum(t, 1e-6) / 4.0)
        if model.baseline == "step":
            level = level + own[0] / (1.0 + np.exp(-np.clip((t - own[1]) / _size(own[2]), -50.0, 50.0)))
        if model.dip is not None:
            depth, centre, width = p[first + 1 + extra :]
            left = 1.0 - SHAPES[model.dip]((t - centre) / _size(width)) / (1.0 + _size(-depth))
            level = level + np.log(np.maximum(left, 1e-9))
        return np.asarray(level)

    return conductance, density


def _size(logarithm: FloatArray) -> FloatArray:
    return np.asarray(np.exp(np.clip(logarithm, -20.0, 20.0)))


def _fitted(model: _Model, points: Points, channels: TwoChannel) -> Candidate | None:
    conductance, density = _curves(model)

    def both(p: FloatArray, t: FloatArray) -> FloatArray:
        return np.stack([conductance(p, t), density(p, t)])

    def mobility(p: FloatArray, t: FloatArray) -> FloatArray:
        return np.asarray(conductance(p, t) - density(p, t) - np.log(ELEMENTARY_CHARGE_C.value * S_CM_NM_PER_S))

    if points.count <= model.bulk + 1 + BASELINES[model.baseline] + 3 * (model.dip is not None):
        return None
    fits = []
    for start in _starts(model, points, channels):
        with suppress(FitFailed):
            fits.append(adjust(both, points, start, np.maximum(np.abs(start), 0.1)))
    best = min(fits, key=lambda fit: fit.chi_square, default=None)
    if best is None or not _is_sound(model, best, points):
        return None
    return Candidate(model.name, best, density, mobility, model.dip is not None)


def _is_sound(model: _Model, fit: Adjusted, points: Points) -> bool:
    """Tell whether a dip lies among the films and is no spike between two of them, nor wider than all."""
    if model.dip is None:
        return True
    centre, width = fit.values[-2], np.exp(fit.values[-1])
    t = np.unique(points.x)
    near = np.sort(np.abs(t - centre))[1]
    return bool(t[0] <= centre <= t[-1] and 0.5 * near < width < 0.5 * (t[-1] - t[0]))


def _starts(model: _Model, points: Points, channels: TwoChannel) -> list[FloatArray]:
    bulk = channels.fit.values.copy()
    positive = [0, *range(2, len(bulk))]
    bulk[positive] = np.log(np.maximum(bulk[positive], 1.0))
    if len(bulk) == 2:
        bulk[1] = min(bulk[1], 0.9 * points.x.min())
    per_nm = points.y[1] - np.log(points.x / NM_PER_CM)
    thick = float(np.median(per_nm[points.x >= np.median(points.x)]))
    base = {
        "level": np.array([]),
        "power": np.array([0.0]),
        "step": np.array([0.1, 1.5 * float(np.median(points.x)), 0.0]),
    }[model.baseline]
    start = np.concatenate([bulk, [thick], base])
    if model.dip is None:
        return [start]
    deepest = points.x[np.argsort(per_nm)[:2]]
    return [np.concatenate([start, [0.0, centre, np.log(0.8)]]) for centre in deepest]


def _paying(found: list[Candidate]) -> list[Candidate]:
    """Return the models with a dip where BIC prefers one by 6 to every model without, else those without."""
    with_dip, without = ([c for c in found if c.has_dip is told] for told in (True, False))
    if not with_dip or not without:
        return found
    pays = min(c.fit.bic for c in without) - min(c.fit.bic for c in with_dip) > LEAST_DELTA_BIC
    return with_dip if pays else without


def _weighted(found: list[Candidate]) -> tuple[Candidate, ...]:
    """Return the models that count, by Akaike's criterion, the best first; those that chance rules out do not.

    Akaike's and not Schwarz's criterion: the curve between the films is wanted, not the one true model (Burnham and
    Anderson, Sociol. Methods Res. 33, 261 (2004), doi 10.1177/0049124104268644). Where chance rules out all, the one of
    least chi-square, its covariance widened by chi-square over its degrees of freedom.
    """
    plausible = [c for c in found if c.fit.probability >= PLAUSIBLE]
    if not plausible:
        best = min(found, key=lambda c: c.fit.chi_square)
        wider = best.fit.covariance * max(best.fit.chi_square / max(best.fit.freedom, 1), 1.0)
        return (replace(best, fit=replace(best.fit, covariance=wider), weight=1.0),)
    aic = np.array([c.fit.chi_square + 2.0 * len(c.fit.values) for c in plausible])
    weights = np.exp(-0.5 * (aic - aic.min()))
    weights /= weights.sum()
    kept = [(w, c) for w, c in zip(weights, plausible, strict=True) if w >= LEAST_WEIGHT]
    total = sum(w for w, _ in kept)
    ordered = sorted(kept, key=lambda pair: -pair[0])
    return tuple(replace(c, weight=float(w / total)) for w, c in ordered)


def _told(candidates: tuple[Candidate, ...], thickness_nm: FloatArray) -> Carriers:
    span = (float(thickness_nm.min()), float(thickness_nm.max()))
    if not candidates[0].has_dip:
        return Carriers(candidates, None, None, 0.0)
    dips = [_extremum(c.density, c.fit, -1.0, span) for c in candidates]
    peaks = [_extremum(c.mobility, c.fit, 1.0, span) for c in candidates]
    weights = [c.weight for c in candidates]
    dip, peak = _averaged(dips, weights), _averaged(peaks, weights)
    covariance = 0.0
    best = candidates[0]
    if dip is not None and peak is not None and dips[0] is not None and peaks[0] is not None:
        slopes = [_place_slope(c, best.fit, s, span) for c, s in ((best.density, -1.0), (best.mobility, 1.0))]
        covariance = float(slopes[0] @ best.fit.covariance @ slopes[1])
    return Carriers(candidates, dip, peak, covariance)


def _averaged(each: list[Extremum | None], weights: list[float]) -> Extremum | None:
    """Return the mean over models; None where most of the weight tells no extremum."""
    told = [(w, e) for w, e in zip(weights, each, strict=True) if e is not None]
    total = sum(w for w, _ in told)
    if total < 0.5:
        return None
    part = np.array([w for w, _ in told]) / total

    def mean(name: str, power: int = 1) -> float:
        return float(part @ np.array([getattr(e, name) ** power for _, e in told]))

    place = mean("place_nm")
    spread = float(np.sqrt(part @ (np.array([e.place_nm for _, e in told]) - place) ** 2))
    found = Extremum(place, np.sqrt(mean("statistical_nm", 2)), spread, mean("height"), np.sqrt(mean("height_std", 2)))
    return found if found.height > max(LEAST_PROMINENCE * found.height_std, LEAST_HEIGHT) else None


def _place(curve: Curve, p: FloatArray, sign: float, span: tuple[float, float]) -> tuple[float, float] | None:
    """Return place [nm] and height of the highest local extremum within the films' thicknesses."""
    grid = np.arange(span[0], span[1], GRID_NM)
    values = sign * curve(p, grid)
    inner = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])) + 1
    if not len(inner):
        return None
    heights = [min(values[i] - values[:i].min(), values[i] - values[i:].min()) for i in inner]
    at = int(inner[int(np.argmax(heights))])
    low, here, high = values[at - 1 : at + 2]
    bend = low - 2.0 * here + high
    offset = 0.5 * (low - high) / bend if bend < 0 else 0.0
    return float(grid[at] + np.clip(offset, -1.0, 1.0) * GRID_NM), float(max(heights))


def _place_slope(curve: Curve, fit: Adjusted, sign: float, span: tuple[float, float]) -> FloatArray:
    """Return d place / d parameter, (P,)."""
    return np.asarray(_slopes(curve, fit, sign, span)[0])


def _slopes(curve: Curve, fit: Adjusted, sign: float, span: tuple[float, float]) -> FloatArray:
    """Return the derivatives of place and height to the parameters, (2, P), by central differences of half a sigma."""
    step = 0.5 * np.sqrt(np.maximum(np.diag(fit.covariance), 0.0))
    here = _place(curve, fit.values, sign, span)
    rows = np.zeros((2, len(step)))
    for i, size in enumerate(step):
        near = np.zeros_like(step)
        near[i] = size
        up, down = _place(curve, fit.values + near, sign, span), _place(curve, fit.values - near, sign, span)
        ends = [(p or here or (0.0, 0.0)) for p in (up, down)]
        reach = size * ((up is not None) + (down is not None)) or np.inf
        rows[:, i] = (np.array(ends[0]) - np.array(ends[1])) / reach
    return rows


def _extremum(curve: Curve, fit: Adjusted, sign: float, span: tuple[float, float]) -> Extremum | None:
    found = _place(curve, fit.values, sign, span)
    if found is None:
        return None
    slopes = _slopes(curve, fit, sign, span)
    place_std, height_std = np.sqrt(np.einsum("qp,pr,qr->q", slopes, fit.covariance, slopes))
    return Extremum(found[0], float(place_std), 0.0, found[1], float(height_std))
