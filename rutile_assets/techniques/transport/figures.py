"""Figures of the transport room."""

from __future__ import annotations

from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome

COLOURS = ("#2f5f8a", "#b2452f", "#5b8a5b", "#8a6fa8", "#b38a2e")


def sheet_resistance(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the sheet resistance against temperature with one-sigma bars."""
    rows = outcome.tables.get("transport_sheet")
    if rows is None:
        return None
    rows = rows.sort_values("temperature_k")
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(
        rows.temperature_k,
        rows.sheet_resistance_ohm,
        rows.sheet_resistance_ohm_std,
        fmt="o-",
        ms=4,
        lw=0.8,
        color=COLOURS[0],
    )
    axes.set_xlabel("temperature (K)")
    axes.set_ylabel("sheet resistance (Ω)")
    return figure


def hall_effect(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the odd part of the Hall resistance with its model for some temperatures, and what is left over."""
    curves = outcome.tables.get("transport_hall_curve")
    if curves is None:
        return None
    figure = Figure(figsize=(6.5, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    groups = list(curves.groupby(["file_id", "temperature_index"]))
    step = max(1, len(groups) // len(COLOURS))
    for colour, (_, curve) in zip(COLOURS, groups[::step], strict=False):
        label = f"{curve.temperature_k.iloc[0]:.4g} K"
        upper.plot(curve.field_t, curve.odd_part_ohm, "o", ms=2.5, color=colour, label=label)
        upper.plot(curve.field_t, curve.model_ohm, "-", lw=1, color=colour)
        lower.plot(curve.field_t, 1e3 * (curve.odd_part_ohm - curve.model_ohm), ".", ms=2, color=colour)
    upper.set_ylabel("odd part of R_xy (Ω)")
    upper.legend(frameon=False, fontsize=8)
    lower.axhline(0.0, lw=0.6, color="0.3")
    lower.set_ylabel("residual (mΩ)")
    lower.set_xlabel("μ₀H (T)")
    return figure
