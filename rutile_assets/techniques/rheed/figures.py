"""Figures of the RHEED room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rutile_assets.provenance.film import Film, Outcome


def oscillation(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first picture with the spot's window, and the spot's intensity against time with the model."""
    frames = film.table("rheed_frame").sort_values("frame_index")
    if frames.empty:
        return None
    first = frames.to_dict("records")[0]
    points, found = outcome.tables.get("rheed_oscillation_point"), outcome.tables.get("rheed_oscillation")
    figure = Figure(figsize=(8.4 if points is not None else 4.2, 3.3), layout="constrained")
    panels = figure.subplots(1, 2 if points is not None else 1, squeeze=False)[0]
    picture = np.asarray(film.array(first["frames"]))[int(first["channel_index"]) - 1].astype(float)
    limits = np.percentile(picture, (1, 99.7))
    drawn = panels[0].imshow(picture, cmap="magma", vmin=limits[0], vmax=limits[1])
    half = first["window_half_count"]
    corner = (first["spot_x_index"] - half - 0.5, first["spot_y_index"] - half - 0.5)
    panels[0].add_patch(Rectangle(corner, 2 * half + 1, 2 * half + 1, fill=False, ec="#6ec4e8", lw=1.2))
    panels[0].set_xlabel("x (pixels)")
    panels[0].set_ylabel("y (pixels)")
    figure.colorbar(drawn, ax=panels[0], label="counts")
    if points is None or found is None:
        return figure
    axes = panels[1]
    axes.plot(points.fit_time_s, points.spot_counts, ".", color="0.35", ms=4, label="specular spot")
    axes.plot(points.fit_time_s, points.model_counts, color="#b2452f", lw=1.3, label="model")
    axes.plot(points.fit_time_s, points.drift_counts, color="#2f5f8a", lw=0.9, ls="--", label="drift")
    row = found.to_dict("records")[0]
    title = "no oscillation"
    if row["oscillates"]:
        title = f"{row['growth_rate_layers_per_s']:.5f} ± {row['growth_rate_layers_per_s_std']:.5f} layers/s"
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("mean of the spot's window (counts)")
    axes.legend(fontsize=7)
    return figure
