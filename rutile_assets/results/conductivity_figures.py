"""Conductance, sheet density, mobility and relaxation of series against thickness, as in Figs. 4a to 4f."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rutile_assets.physics.two_channel import S_CM_NM_PER_S, kinked, line
from rutile_assets.provenance.film import Films, Outcome

# Okabe and Ito's colours, from cold to warm, and a marker each: told apart without colour vision and in grey
STYLES = (("#0072B2", "s"), ("#009E73", "^"), ("#D55E00", "o"), ("#CC79A7", "D"), ("#56B4E9", "v"))


def conductance(_: Films, outcome: Outcome) -> Figure | None:
    """Draw sigma_2D against thickness, a panel a series: films, fit, the line to its intercept, the kink."""
    points, fits = outcome.tables.get("conductivity_point"), outcome.tables["conductivity"]
    if points is None or points.empty:
        return None
    series = list(points.series.unique())
    figure = Figure(figsize=(4.6 * len(series), 3.8), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(series))), series, strict=True):
        for style, fit in zip(STYLES, _by_temperature(fits[fits.series == name]), strict=False):
            here = points[(points.series == name) & (points.temperature_k == fit["temperature_k"])]
            _conductance_of(axes, here, fit, style)
        axes.axhline(0.0, lw=0.6, color="0.5")
        axes.set(title=name, xlabel="t(RuO₂) (nm)", ylabel="σ₂D (mS)", xlim=(0.0, None))
        axes.set_ylim(bottom=min(axes.get_ylim()[0], 0.0))
        axes.legend(fontsize=7, frameon=False)
    return figure


def _conductance_of(axes: Axes, here: pd.DataFrame, fit: dict[str, float], style: tuple[str, str]) -> None:
    colour, marker = style
    top = 1.05 * float(here.trend_thickness_nm.max())
    values = np.array([fit["bulk_conductivity_s_per_cm"], fit["line_intercept_nm"]], dtype=float)
    x = np.linspace(0.0, top, 400)
    axes.plot(x[x >= values[1]], 1e3 * line(values, x[x >= values[1]]) / S_CM_NM_PER_S, "--", lw=0.8, color=colour)
    kink = fit["interface_thickness_nm"]
    label = f"{fit['temperature_k']:.4g} K: σ_b {values[0]:.0f} S/cm, x₀ {values[1]:.2f} nm"
    if pd.notna(kink):
        bent = np.append(values, float(fit["interface_conductivity_s_per_cm"]))
        axes.plot(x, 1e3 * kinked(bent, x) / S_CM_NM_PER_S, "-", lw=1.2, color=colour)
        axes.axvline(float(kink), lw=0.6, ls=":", color=colour)
        label += f", t_i {kink:.2f} nm"
    axes.errorbar(
        here.trend_thickness_nm, 1e3 * here.sigma_2d_s, 1e3 * here.sigma_2d_s_std, here.trend_thickness_own_nm,
        fmt=marker, ms=4, lw=0.8, color=colour, mfc="white", label=label,
    )  # fmt: skip


def density_and_mobility(_: Films, outcome: Outcome) -> Figure | None:
    """Draw sheet density (above) and mobility (below) against thickness, a column a series, with dip and peak."""
    points, found = outcome.tables.get("carriers_point"), outcome.tables["carriers"]
    if points is None or points.empty:
        return None
    series = list(points.series.unique())
    figure = Figure(figsize=(4.6 * len(series), 6.0), layout="constrained")
    panels = np.asarray(figure.subplots(2, len(series), sharex="col")).reshape(2, len(series))
    rows = (
        ("sheet_density_per_cm2", "curve_density_per_cm2", "density_dip_thickness_nm", "n₂D (10¹⁵ cm⁻²)", 1e-15),
        ("mobility_cm2_per_vs", "curve_mobility_cm2_per_vs", "mobility_peak_thickness_nm", "μ (cm²/Vs)", 1.0),
    )
    for at, name in enumerate(series):
        for row, what in enumerate(rows):
            for style, one in zip(STYLES, _by_temperature(found[found.series == name]), strict=False):
                _extremum_of(panels[row, at], outcome, one, what, style)
            panels[row, at].set_ylabel(what[3])
            panels[row, at].legend(fontsize=7, frameon=False)
        panels[0, at].set_title(name)
        panels[1, at].set_xlabel("t(RuO₂) (nm)")
    return figure


def _extremum_of(
    axes: Axes, outcome: Outcome, one: dict[str, float], what: tuple[str, str, str, str, float], style: tuple[str, str]
) -> None:
    column, curve, place, _, scale = what
    colour, marker = style
    here, drawn = _at(outcome.tables["carriers_point"], one), _at(outcome.tables.get("carriers_curve"), one)
    label = f"{one['temperature_k']:.4g} K"
    if pd.notna(one[place]):
        at, std = float(one[place]), float(one[f"{place}_std"])
        axes.axvspan(at - std, at + std, color=colour, alpha=0.15, lw=0)
        label += f": {at:.2f} ± {std:.2f} nm"
    if drawn is not None:
        axes.plot(drawn.curve_thickness_nm, scale * drawn[curve], "-", lw=1.0, color=colour)
    if here is not None:
        axes.errorbar(
            here.trend_thickness_nm, scale * here[column], scale * here[f"{column}_std"], here.trend_thickness_own_nm,
            fmt=marker, ms=4, lw=0.8, color=colour, mfc="white", label=label,
        )  # fmt: skip


def onsets(_: Films, outcome: Outcome) -> Figure | None:
    """Draw the relaxation along each direction against thickness, and the thickness of each event below."""
    points, events = outcome.tables.get("onset_point"), outcome.tables["onset"]
    if points is None and events.empty:
        return None
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    if points is not None:
        for (colour, marker), (direction, here) in zip(STYLES, points.groupby("direction"), strict=False):
            upper.errorbar(
                here.trend_thickness_nm, here.relaxation_fraction, here.relaxation_fraction_std,
                here.trend_thickness_own_nm, fmt=marker, ms=4, lw=0.8, color=colour, mfc="white", label=direction,
            )  # fmt: skip
        upper.legend(fontsize=8, frameon=False)
    upper.axhline(0.0, lw=0.6, color="0.5")
    upper.set_ylabel("relaxation R")
    told = events[events.event_thickness_nm.notna()].sort_values("event_thickness_nm")
    names = [f"{row.event} ({row.series})" for row in told.itertuples()]
    lower.errorbar(
        told.event_thickness_nm, range(len(told)), xerr=told.event_thickness_nm_std, fmt="o", ms=4, color="#333333"
    )
    lower.set_yticks(range(len(told)), names, fontsize=7)
    lower.set(xlabel="t(RuO₂) (nm)", ylim=(-0.6, max(len(told), 1) - 0.4))
    return figure


def _by_temperature(rows: pd.DataFrame) -> list[dict[str, float]]:
    return [{str(k): v for k, v in row.items()} for row in rows.sort_values("temperature_k").to_dict("records")]


def _at(frame: pd.DataFrame | None, one: dict[str, float]) -> pd.DataFrame | None:
    if frame is None:
        return None
    return frame[(frame.series == one["series"]) & (frame.temperature_k == one["temperature_k"])]
