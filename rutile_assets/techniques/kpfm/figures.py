"""Figures of the KPFM room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.physics.contact_potential import v_cpd_of_bias
from rutile_assets.provenance.film import Film, Outcome


def potential(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first map about its mean, and the distribution of V_CPD of every map with the mean's error."""
    maps = film.table("kpfm_map").to_dict("records")
    numbers = outcome.tables.get("kpfm_potential")
    if not maps or numbers is None:
        return None
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    first = maps[0]
    values = v_cpd_of_bias(film.array(first["array"]), first["bias_on"])
    shown = 1e3 * (values - values.mean())
    limit = float(np.percentile(np.abs(shown), 99))
    extent = (0.0, first["scan_size_x_nm"] / 1e3, 0.0, first["scan_size_y_nm"] / 1e3)
    drawn = left.imshow(shown, extent=extent, cmap="cividis", vmin=-limit, vmax=limit)
    left.set_xlabel("x (µm)")
    left.set_ylabel("y (µm)")
    figure.colorbar(drawn, ax=left, label="V_CPD − mean (mV)")
    for colour, row in zip(("#2f5f8a", "#b2452f", "#5b8a5b", "#8a6fa8"), maps, strict=False):
        values = v_cpd_of_bias(film.array(row["array"]), row["bias_on"])
        right.hist(1e3 * values.ravel(), bins=100, histtype="step", color=colour)
    for row in numbers.to_dict("records"):
        right.axvspan(*(1e3 * (row["v_cpd_v"] + s * row["v_cpd_v_std"]) for s in (-1, 1)), color="0.7", alpha=0.5)
    right.set_xlabel("V_CPD (mV)")
    right.set_ylabel("pixels")
    return figure
