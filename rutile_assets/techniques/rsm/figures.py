"""Figures of the reciprocal space map room."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.reciprocal import reflection
from rutile_assets.provenance.film import Film, Outcome

IN_PLANE = {"001": "$Q_{[001]}$", "1m10": r"$Q_{[1\bar{1}0]}$", "both": r"$Q_{\parallel}$"}


def maps(film: Film, outcome: Outcome) -> Figure | None:
    """Draw each map in reciprocal space on a logarithmic scale, as measured, with the places of substrate and film.

    Crosses: the substrate's reflection, the film's centres with one sigma, and the bulk film's reflection; the dotted
    line is where a coherent film stands.
    """
    fits, points = outcome.tables.get("rsm_fit"), outcome.tables.get("rsm_fit_point")
    if fits is None or points is None:
        return None
    groups = list(fits.groupby("file_id"))
    figure = Figure(figsize=(4.4 * len(groups), 4.6), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (file_id, rows) in zip(panels, groups, strict=True):
        seen = points[points.file_id == file_id]
        first = rows.to_dict("records")[0]
        rate = np.maximum(
            seen.measured_counts_per_s, 0.5 * seen.measured_counts_per_s[seen.measured_counts_per_s > 0].min()
        )
        drawn = axes.tripcolor(
            seen.q_in_plane_per_angstrom, seen.q_normal_per_angstrom, rate, norm=LogNorm(), cmap="viridis",
            shading="gouraud", rasterized=True,
        )  # fmt: skip
        across, along = first["substrate_q_1m10_per_angstrom"], first["substrate_q_001_per_angstrom"]
        parallel = float(np.hypot(across, along))
        axes.axvline(parallel, color="white", lw=0.8, ls=":")
        axes.plot(parallel, first["substrate_q_110_per_angstrom"], "+", color="white", ms=10, label="substrate")
        h, k, m = (int(digit) for digit in first["reflection"])
        bulk = reflection(rutile("RuO2", first["lattices"]), (h, k, m))
        axes.plot(bulk.parallel, bulk.q_110, "x", color="#f2c14e", ms=8, label="bulk film")
        axes.errorbar(
            rows.q_parallel_per_angstrom, rows.q_110_per_angstrom, rows.q_110_per_angstrom_std,
            rows.q_parallel_per_angstrom_std, fmt="o", mfc="none", color="#e0533d", ms=7, label="film",
        )  # fmt: skip
        name = IN_PLANE["both" if along and across else "001" if along else "1m10"]
        axes.set_xlabel(f"{name} (1/Å)")
        axes.set_ylabel("$Q_{[110]}$ (1/Å)")
        axes.set_title(f"({first['reflection']})", fontsize=10)
        axes.legend(loc="upper left", fontsize=7, framealpha=0.6)
        figure.colorbar(drawn, ax=axes, label="rate (counts/s)")
    return figure
