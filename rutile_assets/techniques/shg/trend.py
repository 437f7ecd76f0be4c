"""Across films: the second harmonic against thickness and against titanium content."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.second_harmonic import CHANNELS
from rutile_assets.provenance.film import Films, Outcome, Result
from rutile_assets.provenance.film_asset import across_films
from rutile_assets.techniques.shg import figures
from rutile_assets.techniques.shg.dependence import Onset, composition_slope, onset
from rutile_assets.techniques.shg.tables import SHG_TREND, SHG_TREND_CONTENT, SHG_TREND_POINT

SURFACE = (
    "A (110) surface of 4/mmm rutile is itself mm2: a change tells of strain or polarity only beside other evidence."
)
SOLID_SOLUTION = re.compile(r"^Ti(0?\.\d+)Ru(0?\.\d+)O2$")
FRACTIONS = {"ss part": "shg_ss_fraction", "dipole part": "shg_ed_fraction"}
LEAST_STD = 1e-6


@across_films(
    room="shg",
    reads=("growth", "xrr_fit", "shg_fit", "shg_scan"),
    writes=(SHG_TREND, SHG_TREND_POINT, SHG_TREND_CONTENT),
    kinds=("python", "numpy"),
    figure=figures.trend,
)
def shg_trend(films: Films) -> Outcome:
    """Where the second harmonic of a series changes with thickness, and how it falls with titanium content.

    Thicknesses are XRR's, else the nominal ones. A series needs six thicknesses; a change is claimed where BIC prefers
    it to a straight line and to no change by 6.
    """
    outcome = Outcome()
    rows, seen = [], []
    for series, observable, points in _observables(films):
        seen.append(points.assign(series=series, observable=observable))
        columns = ("trend_thickness_nm", "observable_fraction", "observable_fraction_std")
        try:
            found = onset(*(points[c].to_numpy(dtype=float) for c in columns))
        except FitFailed as fault:
            outcome.notes.append(f"{series}, {observable}: {fault}")
            continue
        rows.append(_row(series, observable, len(points), found))
        if found.onset_nm is not None:
            outcome.results.append(Result(_estimate(observable, found), series=series))
    outcome.tables["shg_trend"] = pd.DataFrame(rows, columns=SHG_TREND.column_names[1:])
    if seen:
        outcome.tables["shg_trend_point"] = pd.concat(seen, ignore_index=True)
    content = pd.DataFrame(_content_rows(films), columns=SHG_TREND_CONTENT.column_names[1:])
    outcome.tables["shg_trend_content"] = content
    return outcome


def thicknesses(films: Films) -> pd.DataFrame:
    """Return growth_id, series and thickness_nm [nm] of films with one layer that is not the substrate's material."""
    growth, layers = films.table("growth"), films.table("growth_layer")
    layers = layers.merge(growth[["growth_id", "series", "substrate_material"]], on="growth_id")
    others = layers[layers.material != layers.substrate_material].drop_duplicates("growth_id", keep=False)
    numbers = films.numbers("xrr_fit")
    measured = numbers[numbers.quantity == "thickness_nm"].sort_values("result_id")
    measured = measured.drop_duplicates(["growth_id", "material"], keep="last")
    joined = others.merge(measured[["growth_id", "material", "value"]], on=["growth_id", "material"], how="left")
    thickness = joined.value.fillna(joined.nominal_thickness_nm)
    return joined.assign(thickness_nm=thickness)[["growth_id", "series", "material", "thickness_nm"]]


def _observables(films: Films) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield series, observable, and the rows of ``shg_trend_point`` for the films of the series."""
    fits = films.table("shg_fit").merge(thicknesses(films), on="growth_id")
    harmonics = films.table("shg_scan_harmonic").merge(thicknesses(films), on="growth_id")
    mean = harmonics[(harmonics.channel == "pp") & (harmonics.harmonic_order == 0) & harmonics.is_counted]
    for series in sorted(set(fits.series) | set(mean.series)):
        for observable, column in FRACTIONS.items():
            here = fits[(fits.series == series) & fits[column].notna()]
            if len(here):
                yield series, observable, _points(here, here[column], here[f"{column}_std"])
        here = mean[(mean.series == series) & (mean.cosine_counts > 3.0 * mean.cosine_counts_std)]
        if len(here):
            logs, std = np.log10(here.cosine_counts), here.cosine_counts_std / here.cosine_counts / np.log(10.0)
            yield series, "log10 of the pp mean", _points(here, logs, std)


def _points(here: pd.DataFrame, value: pd.Series[float], std: pd.Series[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "growth_id": here.growth_id,
            "trend_thickness_nm": here.thickness_nm.astype(float),
            "observable_fraction": value.astype(float),
            "observable_fraction_std": np.maximum(std.astype(float), LEAST_STD),
            "observable_fraction_std_source": "counting",
        }
    )


def _row(series: str, observable: str, count: int, found: Onset) -> dict[str, object]:
    return {
        "series": series,
        "observable": observable,
        "films_count": count,
        "dependence": found.verdict,
        "shg_onset_nm": found.onset_nm,
        "shg_onset_nm_std": found.onset_nm_std,
        "shg_onset_nm_std_source": None if found.onset_nm is None else "covariance",
        "trend_delta_bic": found.delta_bic,
        "below_onset_fraction": found.level,
        "jump_fraction": found.jump,
        "slope_per_nm": found.slope_per_nm,
        "notes": SURFACE,
    }


def _estimate(observable: str, found: Onset) -> Estimate:
    return Estimate(
        ("shg_onset_nm",),
        np.array([found.onset_nm]),
        np.array([[found.onset_nm_std]]) ** 2,
        f"{observable} of the second harmonic: constant, then a step and a slope; likelihood of the place of the step",
        "covariance",
        (observable,),
        notes=(SURFACE,),
    )


def _content_rows(films: Films) -> list[dict[str, object]]:
    known = thicknesses(films)
    content = known.material.map(lambda m: float(found[1]) if (found := SOLID_SOLUTION.match(m)) else np.nan)
    content = content.where(known.material != "RuO2", 0.0)
    known = known.assign(content=content).dropna(subset="content")
    harmonics = films.table("shg_scan_harmonic").merge(known, on="growth_id")
    means = harmonics[(harmonics.harmonic_order == 0) & harmonics.is_counted & harmonics.channel.isin(CHANNELS)]
    rows: list[dict[str, object]] = []
    if not (means.content > 0).any():
        return rows
    for channel, here in means.groupby("channel"):
        columns = ("content", "cosine_counts", "cosine_counts_std")
        try:
            found = composition_slope(*(here[c].to_numpy(dtype=float) for c in columns))
        except FitFailed:
            continue
        rows.append(
            {
                "channel": channel,
                "films_count": len(here),
                "log10_amplitude_slope_ratio": found.slope,
                "log10_amplitude_slope_ratio_std": found.slope_std,
                "log10_amplitude_slope_ratio_std_source": "covariance",
                "rise_probability": found.probability,
                "is_monotonic": found.is_monotonic,
                "notes": found.sentence,
            }
        )
    return rows
