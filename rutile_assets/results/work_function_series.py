"""Rows and estimates of a series' work function curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.estimate import Estimate
from rutile_assets.physics.peaked_curve import PeakedFit, Points
from rutile_assets.physics.work_function import QUANTITIES, Model, SeriesCurve, baseline, three_point_parabola_nm
from rutile_assets.results.work_function_tables import WORK_FUNCTION_FIT

FloatArray = npt.NDArray[np.float64]

DISAGREEMENT = "shape of the curve"
NAMES = (
    "work_function_peak_thickness_nm",
    "work_function_peak_ev",
    "work_function_modulation_ev",
    "polarization_component_ev",
    "polarization_component_ev",
)
SUBJECTS = ("", "", "", "linear", "saturating")
TRADES = "t_c trades with the rise's length and the amplitude: its error holds for one of several ways to share them."
METHOD = (
    "band (linear, saturating) and peak, and Gaussian processes of no given shape, averaged by BIC; errors of thickness"
    " by effective variance"
)
COMPONENT = (
    "Maximum of the curve less a band from the bare substrate to the thickest film: what a straight and a saturating "
    "band leave over differs by more than their errors, so which band it is decides, not the data."
)


def series_estimates(found: SeriesCurve, effects_ev: Mapping[str, float], notes: tuple[str, ...]) -> list[Estimate]:
    """Return the numbers of a series with a peak: position, height, modulation, components and their probabilities.

    Parameters
    ----------
    found : SeriesCurve
        The curve.
    effects_ev : mapping of str to float
        Named effects that move all its work functions alike: one-sigma shifts [eV].
    notes : tuple of str
        Sentences that belong to them.
    """
    keep = [i for i in range(len(QUANTITIES)) if np.isfinite(found.values[i])]
    height = np.array([float(name == "work_function_peak_ev") for name in NAMES])
    systematics = {DISAGREEMENT: found.disagreement[keep]}
    systematics |= {effect: (shift * height)[keep] for effect, shift in effects_ev.items()}
    whole = Estimate(
        tuple(NAMES[i] for i in keep),
        found.values[keep],
        found.covariance[np.ix_(keep, keep)],
        METHOD,
        "mcmc",
        tuple(SUBJECTS[i] for i in keep),
        systematics,
        (*notes, COMPONENT),
    )
    bands = [band for band, place in (("linear", 3), ("saturating", 4)) if place in keep]
    above = Estimate(
        ("polarization_component_above_1_ev_probability",) * len(bands),
        np.array([found.above[band] for band in bands]),
        np.full((len(bands), len(bands)), np.nan),
        "part of the drawn curves whose polarization_component_ev exceeds 1 eV",
        "mcmc",
        tuple(bands),
        {},
        (COMPONENT,),
    )
    return [whole, above, *_centres(found.models)]


def comparison_estimates(points: Points) -> list[Estimate]:
    """Return what simpler readings call the critical thickness; they carry no error of their own."""
    films = points.thickness_nm > 0.0
    t, y = points.thickness_nm[films], points.value_ev[films]
    readings = {
        "film with the highest value": float(t[y.argmax()]),
        "parabola through three films": three_point_parabola_nm(t, y),
    }
    return [
        Estimate(
            ("work_function_peak_thickness_nm",),
            np.array([at]),
            np.array([[np.nan]]),
            f"{name}, for comparison",
            "repeat",
            (name,),
        )
        for name, at in readings.items()
        if at is not None
    ]


def fit_rows(series: str, points: Points, found: SeriesCurve, notes: str) -> pd.DataFrame:
    """Return the rows of ``work_function_fit``: each description, and their average."""
    shared = {"series": series, "points_count": len(points.value_ev), "has_peak": found.has_peak}
    std = np.sqrt(np.diag(found.covariance) + found.disagreement**2)
    rows = [shared | _model_row(model) for model in found.models]
    rows.append(
        shared
        | {"curve_model": "average", "curve_probability": 1.0, "notes": notes}
        | _numbers(found.values, std, found.above["linear"], found.above["saturating"])
    )
    return pd.DataFrame(rows, columns=WORK_FUNCTION_FIT.column_names[1:])


def curve_rows(series: str, found: SeriesCurve) -> pd.DataFrame:
    """Return the rows of ``work_function_curve``."""
    t, y = found.grid_nm, found.mean_ev
    lengths = [m.saturation_nm for m in found.models if m.saturation_nm is not None]
    ends = (y[0], y[-1], t[-1])
    return pd.DataFrame(
        {
            "series": series,
            "point_index": np.arange(1, len(t) + 1),
            "curve_thickness_nm": t,
            "curve_work_function_ev": y,
            "curve_work_function_ev_std": found.std_ev,
            "curve_work_function_ev_std_source": "mcmc",
            "linear_band_ev": baseline(t, *ends, np.array(np.inf)),
            "saturating_band_ev": baseline(t, *ends, np.array(np.median(lengths[0]))) if lengths else None,
        }
    )


def _model_row(model: Model) -> dict[str, object]:
    fit = model.fit
    drawn = np.array([model.drawn[q] for q in QUANTITIES])
    row: dict[str, object] = {
        "curve_model": model.name,
        "curve_bic": fit.bic,
        "curve_probability": model.weight,
        "notes": "",
    }
    if isinstance(fit, PeakedFit):
        row |= {"curve_freedom_count": fit.freedom, "curve_reduced_chi_square": fit.chi_square / fit.freedom}
        row["notes"] = "Refused by chi-square: not in the average." if fit.misfits else ""
    for name, draws in (("sigmoid_centre_nm", model.centre_nm), ("saturation_length_nm", model.saturation_nm)):
        if draws is not None:
            row |= _estimated(name, float(np.median(draws)), _half_width(draws))
    above = [float(np.mean(drawn[i] > 1.0)) if np.isfinite(drawn[i]).all() else None for i in (3, 4)]
    return row | _numbers(drawn.mean(axis=1), drawn.std(axis=1), *above)


def _numbers(values: FloatArray, std: FloatArray, linear: float | None, saturating: float | None) -> dict[str, object]:
    names = (
        "peak_thickness_nm", "peak_work_function_ev", "modulation_ev", "over_linear_ev", "over_saturating_ev",
    )  # fmt: skip
    row: dict[str, object] = {}
    for name, value, sigma in zip(names, values, std, strict=True):
        row |= _estimated(name, float(value), float(sigma)) if np.isfinite(value) else {}
    known = saturating is not None and np.isfinite(values[4])
    return row | {
        "over_linear_above_1_ev_probability": linear,
        "over_saturating_above_1_ev_probability": saturating if known else None,
    }


def _centres(models: tuple[Model, ...]) -> list[Estimate]:
    """Return where the polar term of each band has lost half, which is not where the curve peaks."""
    return [
        Estimate(
            ("polarization_centre_thickness_nm",),
            np.array([np.median(model.centre_nm)]),
            np.array([[_half_width(model.centre_nm) ** 2]]),
            "t_c of the sigmoid of band and peak; median and half of the middle 68 % of the draws",
            "mcmc",
            (model.name,),
            {},
            (TRADES,) if model.weight else (TRADES, "Refused by chi-square."),
        )
        for model in models
        if model.centre_nm is not None
    ]


def _half_width(draws: FloatArray) -> float:
    return float(0.5 * np.diff(np.quantile(draws, [0.159, 0.841]))[0])


def _estimated(name: str, value: float, std: float) -> dict[str, object]:
    return {name: value, f"{name}_std": std, f"{name}_std_source": "mcmc"}
