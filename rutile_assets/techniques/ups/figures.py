"""Figures of the photoelectron room."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome

FITTED, TANGENT, MEASURED = "#b2452f", "#2f5f8a", "0.5"
TITLES = {"cutoff": "secondary cut-off", "fermi": "Fermi edge"}


def edges(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first file with a work function (else with a Fermi edge): the spectrum over binding energy, both edges.

    The cut-off shows both readings; the Fermi level stands at 0.
    """
    fits, curves = outcome.tables.get("ups_fit"), outcome.tables.get("ups_fit_curve")
    if fits is None or curves is None:
        return None
    fit = fits.sort_values("work_function_ev", na_position="last", kind="stable").to_dict("records")[0]
    parts = {name: curves[(curves.file_id == fit["file_id"]) & (curves.edge == name)] for name in TITLES}
    shown = [name for name, part in parts.items() if len(part)]
    figure = Figure(figsize=(3.4 * (len(shown) + 1), 3.2), layout="constrained")
    wide, *narrow = figure.subplots(1, len(shown) + 1)
    _whole(wide, film.table("ups_spectrum"), fit)
    for axes, name in zip(narrow, shown, strict=True):
        zero = fit["fermi_edge_kinetic_ev"] + (fit["bias_difference_ev"] if name == "cutoff" else 0.0)
        axes.plot(zero - parts[name].energy_ev, parts[name].measured_counts, ".", ms=3, color=MEASURED)
        axes.plot(zero - parts[name].energy_ev, parts[name].fitted_counts, "-", lw=1.2, color=FITTED)
        axes.set_title(TITLES[name], fontsize=9)
        if name == "cutoff":
            axes.axvline(zero - fit["cutoff_kinetic_ev"], color=FITTED, lw=0.9, label="convolved edge")
            axes.axvline(zero - fit["tangent_kinetic_ev"], color=TANGENT, lw=0.9, ls="--", label="tangent")
            axes.legend(fontsize=7)
        else:
            axes.axvline(0.0, color=FITTED, lw=0.9)
    for axes in (wide, *narrow):
        axes.invert_xaxis()
        axes.set_xlabel("binding energy (eV)")
    return figure


def _whole(axes: Axes, points: pd.DataFrame, fit: Mapping[Hashable, Any]) -> None:
    regions = {fit["fermi_region"]: ("0.65", 0.0)} | {fit["cutoff_region"]: ("0.15", fit["bias_difference_ev"])}
    points = points[points.file_id == fit["file_id"]]
    for region, (colour, more) in regions.items():
        part = points[points.region == region]
        energy = part.kinetic_energy_ev.fillna(-part.binding_energy_ev)
        axes.plot(fit["fermi_edge_kinetic_ev"] + more - energy, part.intensity_counts_per_s, lw=0.8, color=colour)
    axes.set_yscale("log" if (points.intensity_counts_per_s > 0).all() else "linear")
    axes.set_ylabel("intensity (counts/s)")
