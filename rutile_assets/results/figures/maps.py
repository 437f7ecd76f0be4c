"""Figs. 2c and 2d: reciprocal space maps of a coherent and of a partly relaxed film."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import FigureBase
from matplotlib.patheffects import withStroke
from matplotlib.tri import Triangulation

from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.reciprocal import Reflection, reflection
from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_paper import BARE
from rutile_assets.results.figures.panel import Panel, digest_of, lacking, nearest_film, simulated, stack_words
from rutile_assets.results.figures.style import BLACK, ORANGE, VERMILION, YELLOW, log_ticks
from rutile_assets.results.passport.numbers import measured

TITLE = "Reciprocal space map"
ASSETS = ("growth", "rsm_fit")
REFLECTION = "332"
GAP = 4.0  # median distances between points: what is wider was not measured
HALO = [withStroke(linewidth=2.2, foreground="white")]
IN_PLANE = {"001": "$Q_{[001]}$", "1m10": r"$Q_{[1\bar{1}0]}$", "both": r"$Q_{\parallel}$"}


def coherent_map(films: Films) -> Panel:
    """Return the panel of the bare film nearest to 4 nm."""
    return _panel(films, 4.0)


def relaxed_map(films: Films) -> Panel:
    """Return the panel of the bare film nearest to 6.5 nm."""
    return _panel(films, 6.5)


def _panel(films: Films, thickness_nm: float) -> Panel:
    title = f"{TITLE}, about {thickness_nm:g} nm"
    fits = films.table("rsm_fit")
    wanted = fits[fits.reflection == REFLECTION]
    film = nearest_film(films, wanted if len(wanted) else fits, BARE, thickness_nm)
    if film is None:
        return lacking(title, ASSETS, "No fitted reciprocal space map of a film with a RuO₂ layer.")
    mine = (wanted if len(wanted) else fits).query("growth_id == @film")
    rows = mine[mine.file_id == mine.file_id.min()].sort_values("component_index")
    points = films.table_of("rsm_fit_point", film)
    points = points[points.file_id == rows.file_id.iloc[0]]
    first = rows.to_dict("records")[0]
    h, k, m = (int(digit) for digit in first["reflection"])
    bulk = reflection(rutile("RuO2", first["lattices"]), (h, k, m))
    relaxed = _relaxation(films, film, int(first["file_id"]))
    caption = (
        f"Reciprocal space map of {film}, {stack_words(films, film)} (110), nominal, about the substrate's"
        f" ({first['reflection']}) reflection. +: substrate; ×: bulk RuO₂; circle: film, with one σ; dotted: where a"
        f" coherent film stands. {relaxed}"
    )
    alt = f"Map of diffracted rate over in-plane and out-of-plane momentum transfer for {film}. {relaxed}"
    return Panel(
        title, ASSETS, caption, alt, (film,), simulated(films, [film]), digest_of(points, rows, caption),
        lambda host: _draw(host, rows, points, bulk, film),
    )  # fmt: skip


def _relaxation(films: Films, film: str, file_id: int) -> str:
    numbers = films.numbers("rsm_fit")
    if numbers.empty:
        return ""
    mine = numbers[(numbers.growth_id == film) & numbers.quantity.str.startswith("relaxation_")]
    if "file_id" in mine:
        mine = mine[mine.file_id.isna() | (mine.file_id == file_id)]
    told = []
    for row in mine.sort_values(["quantity", "subject"]).to_dict("records"):
        way = "[001]" if "001" in row["quantity"] else "[1-10]"
        sigma = None if pd.isna(row["sigma"]) else float(row["sigma"])
        of = f" ({row['subject']})" if row["subject"] else ""
        told.append(f"R {way}{of} = {measured(float(row['value']), sigma)}")
    return f"Relaxation {'; '.join(told)}." if told else ""


def _covered(points: pd.DataFrame) -> Triangulation:
    """Return triangles between neighbouring points: what was not measured, or masked, stays empty."""
    x = points.q_in_plane_per_angstrom.to_numpy(dtype=float)
    y = points.q_normal_per_angstrom.to_numpy(dtype=float)
    mesh = Triangulation(x, y)
    corners = np.stack([x[mesh.triangles], y[mesh.triangles]], axis=2)
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    mesh.set_mask(longest > GAP * np.median(longest))
    return mesh


def _draw(host: FigureBase, rows: pd.DataFrame, points: pd.DataFrame, bulk: Reflection, film: str) -> None:
    axes = host.subplots()
    first: dict[Any, Any] = rows.to_dict("records")[0]
    seen = points.measured_counts_per_s.astype(float)
    rate = np.maximum(seen, 0.5 * float(seen[seen > 0].min()))
    drawn = axes.tripcolor(_covered(points), rate, norm=LogNorm(), cmap="viridis", shading="gouraud", rasterized=True)
    across, along = first["substrate_q_1m10_per_angstrom"], first["substrate_q_001_per_angstrom"]
    parallel = float(np.hypot(across, along))
    axes.axvline(parallel, color="white", lw=0.7, ls=":")
    axes.plot(parallel, first["substrate_q_110_per_angstrom"], "+", color=BLACK, ms=7, mew=1.0, path_effects=HALO)
    axes.plot(bulk.parallel, bulk.q_110, "x", color=YELLOW, ms=5, mew=1.2)
    axes.errorbar(
        rows.q_parallel_per_angstrom.astype(float), rows.q_110_per_angstrom.astype(float),
        rows.q_110_per_angstrom_std.astype(float), rows.q_parallel_per_angstrom_std.astype(float), fmt="o", mfc="none",
        color=ORANGE, ecolor=VERMILION, ms=6, mew=1.1, lw=1.0,
    )  # fmt: skip
    name = IN_PLANE["both" if along and across else "001" if along else "1m10"]
    axes.set_xlabel(f"{name} (Å$^{{-1}}$)")
    axes.set_ylabel("$Q_{[110]}$ (Å$^{-1}$)")
    axes.set_title(f"({first['reflection']}), {film}")
    bar = host.colorbar(drawn, ax=axes, label="Rate (counts/s)", aspect=25, pad=0.02)
    log_ticks(bar.ax.yaxis)
