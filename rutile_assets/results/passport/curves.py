"""Curves that a film's page draws: which table, which columns, on which axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rutile_assets.lake.tables import Lake

MOST_POINTS = 1500
_DIGITS = 6


@dataclass(frozen=True)
class Curve:
    """A kind of curve.

    Parameters
    ----------
    table : str
        Table of the lake that holds its points.
    asset : str
        The asset that writes the table; its figure shows the same curve in print.
    title : str
        For the heading.
    x, x_label : str
        Column of the abscissa, and its axis.
    y : tuple of (str, str, str)
        Column, name, and "points" or "line".
    y_label : str
        The common ordinate.
    split : tuple of str
        Columns whose values tell one curve from the next, such as the file or the channel.
    each : bool
        Whether each gets a chart of its own, instead of all in one.
    is_log : bool
        Whether the ordinate starts out logarithmic.
    """

    table: str
    asset: str
    title: str
    x: str
    x_label: str
    y: tuple[tuple[str, str, str], ...]
    y_label: str
    split: tuple[str, ...] = ("file_id",)
    each: bool = True
    is_log: bool = False


_FIT = (("measured_counts_per_s", "measured", "points"), ("fitted_counts_per_s", "fit", "line"))
CURVES: tuple[Curve, ...] = (
    Curve(
        "xrr_fit_curve", "xrr_fit", "X-ray reflectivity", "two_theta_deg", "2θ (deg)", _FIT, "rate (counts/s)",
        is_log=True,
    ),
    Curve(
        "xrd_fit_curve", "xrd_fit", "θ–2θ about (110)", "two_theta_deg", "2θ (deg)", _FIT, "rate (counts/s)",
        is_log=True,
    ),
    Curve(
        "transport_hall_curve", "transport_hall", "Hall resistance, odd part", "field_t", "μ₀H (T)",
        (("odd_part_ohm", "measured", "points"), ("model_ohm", "fit", "line")), "R_xy (Ω)",
        split=("file_id", "temperature_index", "temperature_k"), each=False,
    ),
    Curve(
        "ups_fit_curve", "ups_fit", "Photoelectrons", "energy_ev", "kinetic energy (eV)",
        (("measured_counts", "measured", "points"), ("fitted_counts", "fit", "line")), "counts",
        split=("file_id", "edge"),
    ),
    Curve(
        "shg_fit_point", "shg_fit", "Second harmonic against azimuth", "azimuth_deg", "azimuth (deg)",
        (("net_counts", "measured", "points"), ("best_model_counts", "best model", "line")), "net counts",
        split=("angle_of_incidence_deg", "channel"), each=False,
    ),
    Curve(
        "rheed_oscillation_point", "rheed_oscillation", "Specular RHEED intensity", "fit_time_s", "time (s)",
        (("spot_counts", "measured", "points"), ("model_counts", "model", "line"), ("drift_counts", "drift", "line")),
        "counts", split=(),
    ),
    Curve(
        "growth_log_resampled", "growth_log_resampled", "Growth log", "common_time_s", "time (s)",
        (("grid_reading", "reading", "line"),), "reading", split=("log_channel", "reading_unit"),
    ),
    Curve(
        "ptychography_correlation", "ptychography", "Agreement of halves (FRC)", "frequency_per_angstrom",
        "spatial frequency (1/Å)",
        (("correlation_factor", "correlation", "line"), ("half_bit_factor", "half-bit threshold", "line")),
        "correlation",
    ),
    Curve(
        "stem4d_thickness_curve", "stem4d_thickness", "Misfit of the mean diffraction pattern", "curve_thickness_nm",
        "thickness (nm)", (("misfit_ratio", "χ² over its least", "line"),), "misfit",
    ),
)  # fmt: skip


def film_curves(lake: Lake, growth_id: str, assets: set[str], paths: dict[int, str]) -> list[dict[str, Any]]:
    """Return a film's charts, ready for JSON.

    Parameters
    ----------
    lake : Lake
        Where the points are read.
    growth_id : str
        The film.
    assets : set of str
        The assets that it has; tables of others are not asked for.
    paths : dict of int to str
        Names of the raw files by file_id.

    Returns
    -------
    list of dict
        key, title, asset, x_label, y_label, log, every (1, or n where every n-th point is kept) and series: name,
        style, x, y, and group where several curves share the chart.
    """
    charts: list[dict[str, Any]] = []
    for kind in CURVES:
        if kind.asset in assets and kind.table in lake.tables:
            charts += _charts(lake, growth_id, kind, paths)
    return charts


def _charts(lake: Lake, growth_id: str, kind: Curve, paths: dict[int, str]) -> list[dict[str, Any]]:
    named = ", ".join(dict.fromkeys((*kind.split, kind.x, *(column for column, _, _ in kind.y))))
    order = ", ".join((*kind.split, kind.x))
    rows = lake.frame(f'SELECT {named} FROM lake."{kind.table}" WHERE growth_id = ? ORDER BY {order}', [growth_id])
    if not len(rows):
        return []
    groups = rows.groupby(list(kind.split), dropna=False, sort=True) if kind.split else [((), rows)]
    telling = [c for c in kind.split if kind.each or rows[c].nunique(dropna=False) > 1]
    charts: list[dict[str, Any]] = []
    for key, points in groups:
        values = dict(zip(kind.split, key, strict=True)) if kind.split else {}
        name = _named({c: v for c, v in values.items() if c in telling}, paths)
        every = math.ceil(len(points) / MOST_POINTS)
        series = [_series(points.iloc[::every], kind, column, text, style) for column, text, style in kind.y]
        if kind.each or not charts:
            charts.append(
                {
                    "key": f"{kind.asset}-{len(charts)}",
                    "asset": kind.asset,
                    "kind": kind.table if not values.get("log_channel") else f"{kind.table} {values['log_channel']}",
                    "title": f"{kind.title}: {name}" if kind.each and name else kind.title,
                    "x_label": kind.x_label,
                    "y_label": _ordinate(kind, values),
                    "log": kind.is_log,
                    "every": every,
                    "series": [],
                }
            )
        if not kind.each:
            for one in series:
                one["group"], one["name"] = name, f"{name} {one['name']}".strip()
        charts[-1]["series"] += series
    return charts


def _ordinate(kind: Curve, values: dict[str, Any]) -> str:
    unit = values.get("reading_unit")
    return f"{kind.y_label} ({unit})" if isinstance(unit, str) else kind.y_label


def _named(values: dict[str, Any], paths: dict[int, str]) -> str:
    words = []
    for column, value in values.items():
        if column == "file_id":
            if "temperature_k" not in values and "edge" not in values:
                words.append(paths.get(int(value), ""))
        elif column == "temperature_k":
            words.append(f"{value:.4g} K")
        elif column == "angle_of_incidence_deg":
            words.append(f"{value:g}° incidence,")
        elif column not in ("temperature_index", "reading_unit"):
            words.append(str(value).replace("_", " "))
    return " ".join(word for word in words if word)


def _series(points: pd.DataFrame, kind: Curve, column: str, name: str, style: str) -> dict[str, Any]:
    return {"name": name, "style": style, "x": _short(points[kind.x]), "y": _short(points[column])}


def _short(values: Iterable[Any]) -> list[float | None]:
    """Return numbers with six digits, None where there is none."""
    return [None if pd.isna(v) or not math.isfinite(v) else float(f"{float(v):.{_DIGITS}g}") for v in values]
