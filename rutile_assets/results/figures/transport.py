"""Fig. 4: conductance, sheet density and mobility of both series against thickness, and the Hall effect of one film."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from rutile_assets.physics.two_channel import S_CM_NM_PER_S, kinked, line
from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_paper import BARE, CAPPED
from rutile_assets.results.figures.panel import Panel, digest_of, lacking, nearest_film, simulated, spelled
from rutile_assets.results.figures.style import BARS, BLACK, BLUE, GREEN, GREY, VERMILION
from rutile_assets.results.passport.numbers import measured

FloatArray = npt.NDArray[np.float64]

COLOURS = {BARE: VERMILION, CAPPED: BLUE}
HALL_NM = 1.9
MILLI = 1e3
TO_1E15 = 1e-15
DENSITY = ("sheet_density_per_cm2", "curve_density_per_cm2", "density_dip_thickness_nm")
MOBILITY = ("mobility_cm2_per_vs", "curve_mobility_cm2_per_vs", "mobility_peak_thickness_nm")


def bare_conductance(films: Films) -> Panel:
    """Return Fig. 4a."""
    return _conductance(films, BARE)


def capped_conductance(films: Films) -> Panel:
    """Return Fig. 4b."""
    return _conductance(films, CAPPED)


def bare_density(films: Films) -> Panel:
    """Return Fig. 4c."""
    return _extremum(films, BARE, DENSITY, "Sheet density", r"$n_\mathrm{2D}$ (10¹⁵ cm⁻²)", TO_1E15, "dip")


def capped_density(films: Films) -> Panel:
    """Return Fig. 4d, the Hall effect of a thin film beside it."""
    panel = _extremum(films, CAPPED, DENSITY, "Sheet density", r"$n_\mathrm{2D}$ (10¹⁵ cm⁻²)", TO_1E15, "dip")
    return _with_hall(films, panel)


def bare_mobility(films: Films) -> Panel:
    """Return Fig. 4e."""
    return _extremum(films, BARE, MOBILITY, "Mobility", "μ (cm² V⁻¹ s⁻¹)", 1.0, "peak")


def capped_mobility(films: Films) -> Panel:
    """Return Fig. 4f."""
    return _extremum(films, CAPPED, MOBILITY, "Mobility", "μ (cm² V⁻¹ s⁻¹)", 1.0, "peak")


def _conductance(films: Films, series: str) -> Panel:
    title = f"Sheet conductance of {spelled(series)}"
    assets = ("growth", "conductivity")
    fits, points = films.table("conductivity"), films.table("conductivity_point")
    mine = fits[fits.series == series].sort_values("temperature_k")
    if mine.empty:
        return lacking(title, assets, f"Too few films of {spelled(series)} for a line of conductance.")
    fit = mine.to_dict("records")[-1]
    here = points[(points.series == series) & (points.temperature_k == fit["temperature_k"])]
    kink = _told(fit, "interface_thickness_nm", "nm")
    told = (
        f"σ_b {_told(fit, 'bulk_conductivity_s_per_cm', 'S/cm')}, intercept x₀ {_told(fit, 'line_intercept_nm', 'nm')}"
        + (f", t_i {kink}, σ_i {_told(fit, 'interface_conductivity_s_per_cm', 'S/cm')}" if kink else "; no kink told")
    )
    caption = (
        f"Sheet conductance σ₂D of {spelled(series)} (110) films at {fit['temperature_k']:.4g} K against the thickness"
        f" of RuO₂, with one σ in both; line of bulk and interface in parallel with its 1σ band; diamond: the"
        f" line's intercept. {told}."
    )
    alt = f"Sheet conductance of {len(here)} films rising with thickness; {told}."
    shown = tuple(sorted(here.growth_id))
    return Panel(
        title, assets, caption, alt, shown, simulated(films, shown), digest_of(here, mine.tail(1), caption),
        lambda host: _draw_conductance(host.subplots(), here, fit, series),
    )  # fmt: skip


def _told(row: dict[Any, Any], name: str, unit: str) -> str:
    if pd.isna(row[name]):
        return ""
    sigma = row[f"{name}_std"]
    return f"{measured(float(row[name]), None if pd.isna(sigma) else float(sigma))} {unit}"


def _draw_conductance(axes: Axes, here: pd.DataFrame, fit: dict[Any, Any], series: str) -> None:
    colour = COLOURS[series]
    bulk, x0 = float(fit["bulk_conductivity_s_per_cm"]), float(fit["line_intercept_nm"])
    top = 1.06 * float(here.trend_thickness_nm.max())
    x = np.linspace(0.0, top, 400)
    seen = x >= x0
    to_ms = MILLI / S_CM_NM_PER_S
    values = to_ms * line(np.array([bulk, x0]), x[seen])
    wide = to_ms * _line_std(fit, x[seen])
    axes.fill_between(x[seen], values - wide, values + wide, color=colour, alpha=0.2, lw=0)
    kink = float(fit["interface_thickness_nm"]) if pd.notna(fit["interface_thickness_nm"]) else top
    below = x[seen] <= kink
    axes.plot(x[seen][below], values[below], "--", lw=0.9, color=colour, label=r"line to its intercept x₀")
    if kink < top:
        bent = np.array([bulk, x0, float(fit["interface_conductivity_s_per_cm"])])
        axes.plot(x, to_ms * kinked(bent, x), "-", lw=1.0, color=colour, label="bulk and interface")
    axes.errorbar(
        here.trend_thickness_nm.astype(float), MILLI * here.sigma_2d_s.astype(float),
        MILLI * here.sigma_2d_s_std.astype(float).fillna(0.0), here.trend_thickness_own_nm.astype(float),
        color=BLACK, mfc="white", label="films", **BARS,
    )  # fmt: skip
    axes.errorbar(
        [x0], [0.0], xerr=[float(fit["line_intercept_nm_std"])], color=colour, clip_on=False, zorder=5,
        **{**BARS, "fmt": "D"},
    )  # fmt: skip
    high = axes.get_ylim()[1]
    axes.set(
        xlabel="RuO₂ thickness (nm)",
        ylabel=r"$\sigma_\mathrm{2D}$ (mS per square)",
        xlim=(0.0, top),
        ylim=(0.0, 1.04 * high),
    )
    sides = [_told(fit, "bulk_conductivity_s_per_cm", "S/cm"), _told(fit, "line_intercept_nm", "nm")]
    said = f"{fit['temperature_k']:.4g} K\nσ_b = {sides[0]}\nx₀ = {sides[1]}".replace("σ_b", r"$\sigma_\mathrm{b}$")
    axes.text(0.97, 0.06, said, transform=axes.transAxes, ha="right", va="bottom")
    axes.legend(loc="upper left", title=f"{spelled(series)} (110)", alignment="left")


def _line_std(fit: dict[Any, Any], x: FloatArray) -> FloatArray:
    """Return one sigma of sigma_b (t - x0) from both errors and their correlation [(S/cm) nm]."""
    bulk, x0 = float(fit["bulk_conductivity_s_per_cm"]), float(fit["line_intercept_nm"])
    std_b, std_x = float(fit["bulk_conductivity_s_per_cm_std"]), float(fit["line_intercept_nm_std"])
    by_slope, by_place = (x - x0) * std_b, -bulk * std_x
    variance = by_slope**2 + by_place**2 + 2.0 * float(fit["bulk_intercept_correlation_ratio"]) * by_slope * by_place
    return np.sqrt(np.maximum(variance, 0.0))


def _extremum(
    films: Films, series: str, columns: tuple[str, str, str], what: str, label: str, scale: float, kind: str
) -> Panel:
    title = f"{what} of {spelled(series)}"
    assets = ("growth", "carriers")
    column, curve_column, place = columns
    found, points = films.table("carriers"), films.table("carriers_point")
    mine = found[found.series == series].sort_values("temperature_k")
    if mine.empty:
        return lacking(title, assets, f"Too few films of {spelled(series)} with a linear Hall effect.")
    one = mine.to_dict("records")[-1]
    curves = films.table("carriers_curve")
    at = (curves.series == series) & (curves.temperature_k == one["temperature_k"])
    curve = curves[at].sort_values("point_index")
    here = points[(points.series == series) & (points.temperature_k == one["temperature_k"])]
    here = here[here[column].notna()]
    where = _told(one, place, "nm")
    told = f"{kind} at {where}" if where else f"no {kind} told"
    caption = (
        f"{what} of {spelled(series)} (110) films at {one['temperature_k']:.4g} K by the Hall effect, one channel"
        f" assumed, against the thickness of RuO₂, with one σ in both; line: average of the models that count; dotted:"
        f" {told}."
    )
    alt = f"{what} of {len(here)} films against thickness; {told}."
    shown = tuple(sorted(here.growth_id))
    drawn = (column, curve_column, label, scale, f"{kind}: {where}" if where else f"no {kind} told")
    return Panel(
        title, assets, caption, alt, shown, simulated(films, shown), digest_of(here, curve, caption),
        lambda host: _draw_extremum(host.subplots(), here, curve, one, place, drawn, series),
    )  # fmt: skip


def _draw_extremum(
    axes: Axes,
    here: pd.DataFrame,
    curve: pd.DataFrame,
    one: dict[Any, Any],
    place: str,
    drawn: tuple[str, str, str, float, str],
    series: str,
) -> None:
    column, curve_column, label, scale, told = drawn
    colour = COLOURS[series]
    if not curve.empty:
        axes.plot(curve.curve_thickness_nm.astype(float), scale * curve[curve_column].astype(float), color=colour)
    axes.errorbar(
        here.trend_thickness_nm.astype(float), scale * here[column].astype(float),
        scale * here[f"{column}_std"].astype(float).fillna(0.0), here.trend_thickness_own_nm.astype(float),
        color=BLACK, mfc="white", **BARS,
    )  # fmt: skip
    low, high = axes.get_ylim()
    if pd.notna(one[place]):
        at, std = float(one[place]), float(one[f"{place}_std"])
        axes.fill_between([at - std, at + std], low, high, color=GREEN, alpha=0.25, lw=0)
        axes.vlines(at, low, high, color=GREEN, lw=0.8, ls=":")
    axes.set(xlabel="RuO₂ thickness (nm)", ylabel=label, ylim=(low, high + 0.28 * (high - low)))
    axes.set_xlim(0.0, None)
    axes.text(
        0.03, 0.96, f"{spelled(series)} (110), {one['temperature_k']:.4g} K\n{told}", transform=axes.transAxes, va="top"
    )


def _with_hall(films: Films, panel: Panel) -> Panel:
    """Return a panel with the Hall effect of the capped film nearest to 1.9 nm to its right, where there is one."""
    fits = films.table("transport_hall")
    film = nearest_film(films, fits, CAPPED, HALL_NM)
    if film is None or panel.draw is None:
        return panel
    curves = films.table_of("transport_hall_curve", film)
    warmest = curves.temperature_k.max()
    curve = curves[curves.temperature_k == warmest]
    curve = curve[curve.file_id == curve.file_id.min()].sort_values("field_t")
    if curve.empty:
        return panel
    mine = fits[(fits.growth_id == film) & (fits.file_id == curve.file_id.iloc[0]) & (fits.temperature_k == warmest)]
    slope = _told(mine.to_dict("records")[0], "hall_slope_ohm_per_t", "Ω/T")
    shown = tuple(sorted({*panel.growth_ids, film}))
    added = f"Right: odd part of the Hall resistance of {film} at {warmest:.4g} K with its model, {slope}."
    trend = panel.draw

    def draw(host: FigureBase) -> None:
        left, right = np.asarray(host.subfigures(1, 2, width_ratios=(1.45, 1.0)))
        trend(left)
        _draw_hall(right.subplots(), curve, film)

    return Panel(
        panel.title, (*panel.assets, "transport_hall"), f"{panel.caption} {added}", f"{panel.alt} {added}", shown,
        simulated(films, shown), digest_of(panel.digest, curve, added), draw,
    )  # fmt: skip


def _draw_hall(axes: Axes, curve: pd.DataFrame, film: str) -> None:
    axes.plot(curve.field_t, curve.odd_part_ohm, "o", ms=1.8, mew=0, color=GREY, label="measured")
    axes.plot(curve.field_t, curve.model_ohm, "-", lw=0.9, color=VERMILION, label="model")
    axes.set(xlabel="μ₀H (T)", ylabel=r"$R_\mathrm{Hall}$ (Ω)")
    axes.set_title(film)
    axes.legend(loc="best", markerscale=1.8)
