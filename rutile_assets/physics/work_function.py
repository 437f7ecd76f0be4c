"""The work function of a series against thickness: peak, modulation, and what is left over a band's share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.physics.peaked_curve import (
    BANDS,
    CENTRE,
    LAST,
    PeakedFit,
    Points,
    curve,
    draws,
    fit_band,
    fit_peaked,
)
from rutile_assets.physics.smooth_curve import SMOOTHNESS, SmoothFit, fit_smooth

FloatArray = npt.NDArray[np.float64]

GRID, BELOW = 160, 12  # nodes between the thinnest and the thickest film, and below
PEAK_PAYS = 6.0  # a peak is claimed where BIC prefers it to a band alone by this
AT_THE_END = 0.05  # part of the draws that may have their maximum at an end of the series
QUANTITIES = ("peak_nm", "peak_ev", "modulation_ev", "linear_ev", "saturating_ev")

VACUUM_F_PER_M = 8.8541878188e-12
DEBYE_C_M = 3.33564e-30
CELL_NM2 = 0.29587 * 0.45937 * np.sqrt(2.0)  # (110) 1x1 of the TiO2 that the film is coherent to


@dataclass(frozen=True)
class Model:
    """One description of the curve.

    Parameters
    ----------
    name : str
        ``linear`` or ``saturating`` (band and peak), ``smooth 3/2`` or ``smooth 5/2`` (no shape assumed).
    weight : float
        Its probability among the descriptions, by BIC.
    fit : PeakedFit or SmoothFit
        As fitted.
    drawn : mapping of str to ndarray
        `QUANTITIES` -> (D,) draws; ``saturating_ev`` needs a band's saturation length, from `saturating`'s draws.
    centre_nm, saturation_nm : ndarray or None
        (D,) t_c of the sigmoid and 1/kappa [nm], where the description has them.
    """

    name: str
    weight: float
    fit: PeakedFit | SmoothFit
    drawn: Mapping[str, FloatArray]
    centre_nm: FloatArray | None = None
    saturation_nm: FloatArray | None = None


@dataclass(frozen=True)
class SeriesCurve:
    """A series' curve, averaged over descriptions.

    Parameters
    ----------
    models : tuple of Model
        All that the points allow.
    grid_nm : ndarray
        (G,) thicknesses from 0 to the thickest film.
    mean_ev, std_ev : ndarray
        (G,) the curve and its error, the descriptions' disagreement included [eV].
    values : ndarray
        (5,) `QUANTITIES`.
    covariance : ndarray
        (5, 5) within the descriptions, mean over them.
    disagreement : ndarray
        (5,) signed one-sigma shift of the descriptions about their mean; one effect that moves all five.
    above : mapping of str to float
        ``linear`` and ``saturating`` -> probability that the component exceeds the threshold.
    peak_delta_bic : float
        BIC of the best band alone less that of the best curve with a peak.
    has_peak : bool
        Whether a maximum between the films is claimed.
    """

    models: tuple[Model, ...]
    grid_nm: FloatArray
    mean_ev: FloatArray
    std_ev: FloatArray
    values: FloatArray
    covariance: FloatArray
    disagreement: FloatArray
    above: Mapping[str, float]
    peak_delta_bic: float
    has_peak: bool


def baseline(
    thickness_nm: FloatArray, start_ev: FloatArray, end_ev: FloatArray, end_nm: FloatArray, saturation_nm: FloatArray
) -> FloatArray:
    r"""Return the band's share [eV]: from the substrate's value to that of the thickest film.

    .. math:: \Phi_0 + (\Phi_T - \Phi_0)\,\frac{1 - e^{-t/\lambda}}{1 - e^{-T/\lambda}}

    and a straight line where lambda is infinite.

    Parameters
    ----------
    thickness_nm : ndarray
        Where [nm]; all arguments broadcast.
    start_ev, end_ev : ndarray
        Work functions at thickness 0 and of the thickest film [eV].
    end_nm : ndarray
        Thickness of the latter [nm].
    saturation_nm : ndarray
        lambda [nm].
    """
    straight = np.isinf(saturation_nm)
    length = np.where(straight, 1.0, saturation_nm)
    risen = np.where(straight, thickness_nm / end_nm, np.expm1(-thickness_nm / length) / np.expm1(-end_nm / length))
    return np.asarray(start_ev + (end_ev - start_ev) * risen)


def series_curve(points: Points, count: int, rng: np.random.Generator, threshold_ev: float = 1.0) -> SeriesCurve:
    """Describe the work function of a series in every way that its films allow, and average by BIC.

    Averages over descriptions follow Hoeting et al., Stat. Sci. 14, 382 (1999), doi 10.1214/ss/1009212519.

    Parameters
    ----------
    points : Points
        (N,) films and, at thickness 0, the bare substrate where it was measured [nm] and [eV]; N >= 5.
    count : int
        Draws of each description.
    rng : Generator
        Where the numbers come from.
    threshold_ev : float
        What the component is compared with [eV].
    """
    films = points.thickness_nm[points.thickness_nm > 0.0]
    first, last = float(films.min()), float(films.max())
    grid = np.concatenate([np.linspace(0.0, first, BELOW, endpoint=False), np.geomspace(first, last, GRID)])
    places = np.concatenate([grid, points.thickness_nm])
    smooth = [fit_smooth(points, s) for s in SMOOTHNESS]
    slope = min(smooth, key=lambda fit: fit.bic).slope(points.thickness_nm)
    peaked = [fit for band in BANDS if (fit := fit_peaked(points, band, slope)) is not None]
    bands = [fit for band in BANDS if (fit := fit_band(points, band, slope)) is not None]
    fits: list[PeakedFit | SmoothFit] = [*peaked, *smooth]
    bics = np.array([fit.bic for fit in fits])
    allowed = np.array([not (isinstance(fit, PeakedFit) and fit.misfits) for fit in fits])
    weights = np.where(allowed, np.exp(-0.5 * (bics - bics[allowed].min())), 0.0)
    weights /= weights.sum()
    drawn = [draws(points, f, count, rng) if isinstance(f, PeakedFit) else f.draws(places, count, rng) for f in fits]
    lengths = next(
        (
            np.exp(-d[:, -1])
            for f, d in zip(fits, drawn, strict=True)
            if d.shape[1] == LAST and isinstance(f, PeakedFit)
        ),
        None,
    )
    curves = [curve(d, places) if isinstance(f, PeakedFit) else d for f, d in zip(fits, drawn, strict=True)]
    lowest = [
        _lowest(points, f.points_covariance if isinstance(f, PeakedFit) else f.errors, c[:, len(grid) :], rng)
        for f, c in zip(fits, curves, strict=True)
    ]
    curves = [c[:, : len(grid)] for c in curves]
    models = tuple(
        _model(*one, grid, lengths, rng) for one in zip(fits, weights.tolist(), drawn, curves, lowest, strict=True)
    )
    return _averaged(models, curves, grid, _gain(bands, bics), threshold_ev)


def three_point_parabola_nm(thickness_nm: FloatArray, value_ev: FloatArray) -> float | None:
    """Return where a parabola through the highest film and its neighbours peaks [nm], of (N,) films [nm], [eV]."""
    order = np.argsort(thickness_nm)
    t, y = thickness_nm[order], value_ev[order]
    top = int(y.argmax())
    if not 0 < top < len(y) - 1:
        return None
    curvature, slope, _ = np.polyfit(t[top - 1 : top + 2] - t[top], y[top - 1 : top + 2], 2)
    return float(t[top] - 0.5 * slope / curvature)


def dipole_note(modulation_ev: float) -> str:
    r"""Return what a change of the work function means as a dipole layer, and which sign it has.

    .. math:: \Delta\Phi = -\frac{e\,\mu_\perp}{\varepsilon_0 A}

    Parameters
    ----------
    modulation_ev : float
        Change of the work function [eV].
    """
    moment = modulation_ev * VACUUM_F_PER_M * CELL_NM2 * 1e-18
    debye, electron_angstrom = moment / DEBYE_C_M, moment / (ELEMENTARY_CHARGE_C.value * 1e-10)
    return (
        f"A rise of {modulation_ev:.2f} eV is a dipole layer of {debye:.2f} D ({electron_angstrom:.2f} e angstrom) a "
        "(110) cell with its negative end outward: with a level Fermi energy a positive end outward lowers the work "
        "function. A metal screens a buried dipole within less than 0.1 nm, so a dipole at the interface cannot reach "
        "the surface of a film of nanometres by electrostatics alone; no cause is claimed here."
    )


def _gain(bands: list[PeakedFit], bics: FloatArray) -> float:
    return float("nan") if not bands else min(fit.bic for fit in bands) - float(bics.min())


def _lowest(points: Points, errors: FloatArray, at_points: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the work function of the film that has the lowest, (D,) [eV], given curves (D, N) at the points.

    A film's own value is known better than its place on the curve where the curve is steep and thickness has an error.
    """
    place = int(np.where(points.thickness_nm > 0.0, points.value_ev, np.inf).argmin())
    gain = np.linalg.solve(errors, points.covariance_ev2[:, place])
    left = points.covariance_ev2[place, place] - points.covariance_ev2[place] @ gain
    noise = np.sqrt(max(float(left), 0.0)) * rng.normal(size=len(at_points))
    return np.asarray(points.value_ev[place] - (points.value_ev - at_points) @ gain + noise)


def _model(
    fit: PeakedFit | SmoothFit,
    weight: float,
    drawn: FloatArray,
    curves: FloatArray,
    lowest: FloatArray,
    grid: FloatArray,
    lengths: FloatArray | None,
    rng: np.random.Generator,
) -> Model:
    centre = saturation = None
    name = f"smooth {2.0 * fit.smoothness:g}/2" if isinstance(fit, SmoothFit) else fit.band
    if isinstance(fit, PeakedFit):
        centre = drawn[:, CENTRE]
        saturation = np.exp(-drawn[:, -1]) if fit.band == "saturating" else None
    length = saturation if saturation is not None or lengths is None else rng.permutation(lengths)
    return Model(name, weight, fit, _quantities(curves, lowest, grid, length), centre, saturation)


def _quantities(
    curves: FloatArray, lowest: FloatArray, grid: FloatArray, lengths: FloatArray | None
) -> dict[str, FloatArray]:
    """Return `QUANTITIES` of curves (D, G) on a grid that begins at thickness 0."""
    t, y = grid[BELOW:], curves[:, BELOW:]
    peak_nm, peak_ev = _maximum(t, y)
    start, end, last = curves[:, 0], y[:, -1], np.array(t[-1])
    linear = peak_ev - baseline(peak_nm, start, end, last, np.array(np.inf))
    bent = np.full_like(linear, np.nan) if lengths is None else peak_ev - baseline(peak_nm, start, end, last, lengths)
    return {
        "peak_nm": peak_nm,
        "peak_ev": peak_ev,
        "modulation_ev": peak_ev - lowest,
        "linear_ev": linear,
        "saturating_ev": bent,
    }


def _maximum(t: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return place and height of each row's maximum, by a parabola through three nodes in ln t."""
    rows, top = np.arange(len(y)), y.argmax(axis=1)
    inner = np.clip(top, 1, y.shape[1] - 2)
    below, at, above = (y[rows, inner + k] for k in (-1, 0, 1))
    bend = below - 2.0 * at + above
    off = np.where((top == inner) & (bend < 0.0), 0.5 * (below - above) / np.where(bend < 0.0, bend, -1.0), 0.0)
    ratio = np.log(t[1] / t[0])
    height = np.where(top == inner, at - 0.25 * (below - above) * off, y[rows, top])
    return np.where(top == inner, t[inner] * np.exp(off * ratio), t[top]), height


def _averaged(
    models: tuple[Model, ...], curves: list[FloatArray], grid: FloatArray, gain: float, threshold_ev: float
) -> SeriesCurve:
    weights = np.array([model.weight for model in models])
    table = np.array([[model.drawn[q] for q in QUANTITIES] for model in models])  # (M, 5, D)
    means = table.mean(axis=2)
    values = weights @ means
    within = np.einsum("m,mij->ij", weights, np.array([np.cov(of) for of in table]))
    size = np.sqrt(weights @ (means - values) ** 2)
    sign = np.sign(np.einsum("m,mq->q", weights * (means[:, 0] - values[0]), means - values))
    averages = np.array([c.mean(axis=0) for c in curves])
    mean = weights @ averages
    spread = weights @ (np.array([c.var(axis=0) for c in curves]) + (averages - mean) ** 2)
    above = {
        band: float(weights @ np.mean(table[:, QUANTITIES.index(f"{band}_ev")] > threshold_ev, axis=1))
        for band in BANDS
    }
    films = grid[BELOW:]
    ends = (table[:, 0] <= films[1]) | (table[:, 0] >= films[-2])
    inside = float(weights @ ends.mean(axis=1)) < AT_THE_END
    has_peak = inside and (np.isnan(gain) or gain > PEAK_PAYS)
    signed = np.where(sign == 0.0, 1.0, sign) * size
    return SeriesCurve(models, grid, mean, np.sqrt(spread), values, within, signed, above, gain, bool(has_peak))
