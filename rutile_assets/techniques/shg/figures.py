"""Figures of the second harmonic room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.physics.second_harmonic import CHANNELS
from rutile_assets.provenance.film import Film, Films, Outcome

COLOURS = ("#3b7dd8", "#e0533d", "#2a9d6f", "#8a5fbf")


def polar(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the four channels on polar axes of one scale: counts, the best model, and dipole and quadrupole alone.

    An intensity cannot be negative: points whose net counts are below zero stand at the centre.
    """
    fits, points = outcome.tables.get("shg_fit"), outcome.tables.get("shg_fit_point")
    if fits is None or points is None:
        return None
    incidence = float(fits.angle_of_incidence_deg.iloc[0])
    points = points[points.angle_of_incidence_deg == incidence]
    figure = Figure(figsize=(11.5, 3.9), layout="constrained")
    panels = figure.subplots(1, 4, subplot_kw={"projection": "polar"})
    top = 1.08 * float(points[["net_counts", "best_model_counts"]].max().max())
    for axes, channel in zip(panels, CHANNELS, strict=True):
        here = points[points.channel == channel].sort_values("azimuth_deg")
        axes.set_title(f"{channel[0]} in, {channel[1]} out", fontsize=10)
        axes.set_ylim(0.0, top)
        axes.set_yticks([round(0.5 * top, 0), round(top / 1.08, 0)])
        axes.tick_params(labelsize=7)
        axes.set_rlabel_position(-22.5)
        if here.empty:
            axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", fontsize=8)
            continue
        phi = np.radians(here.azimuth_deg.to_numpy(dtype=float))
        around = np.append(phi, phi[0] + 2.0 * np.pi)
        for name, colour, style, label in (
            ("dipole_counts", "#3b7dd8", ":", "mm2 dipole alone"),
            ("quadrupole_counts", "#2a9d6f", "--", "4/mmm quadrupole alone"),
            ("best_model_counts", "#e0533d", "-", "best model"),
        ):
            if name in here and here[name].notna().all():
                curve = np.maximum(here[name].to_numpy(dtype=float), 0.0)
                axes.plot(around, np.append(curve, curve[0]), color=colour, ls=style, lw=1.3, label=label)
        net = np.maximum(here.net_counts.to_numpy(dtype=float), 0.0)
        axes.plot(phi, net, "o", color="#333333", ms=2.2, label="net counts", zorder=0)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    told = fits.to_dict("records")[0]
    figure.suptitle(
        f"{told['symmetry']} (ΔBIC to the next {told['margin_delta_bic']:.0f}), {incidence:g}° incidence,"
        f" azimuth from [001]",
        fontsize=10,
    )
    return figure


def trend(_: Films, outcome: Outcome) -> Figure | None:
    """Draw each observable against thickness, a panel each, with the place where it changes."""
    points, changes = outcome.tables.get("shg_trend_point"), outcome.tables["shg_trend"]
    if points is None or points.empty:
        return None
    names = list(points.observable.unique())
    figure = Figure(figsize=(3.8 * len(names), 3.3), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        for colour, (series, here) in zip(COLOURS, points[points.observable == name].groupby("series"), strict=False):
            x, y, std = here.trend_thickness_nm, here.observable_fraction, here.observable_fraction_std
            axes.errorbar(x, y, std, fmt="o", ms=4, color=colour, label=series)
            for row in changes[(changes.observable == name) & (changes.series == series)].to_dict("records"):
                if row["shg_onset_nm_std_source"] is not None:
                    at, sigma = row["shg_onset_nm"], row["shg_onset_nm_std"]
                    axes.axvspan(at - sigma, at + sigma, color=colour, alpha=0.25, lw=0)
                axes.set_title(f"{name}: {row['dependence']} (ΔBIC {row['trend_delta_bic']:.0f})", fontsize=9)
        axes.set_xlabel("thickness (nm)")
        axes.set_ylabel(name)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure
