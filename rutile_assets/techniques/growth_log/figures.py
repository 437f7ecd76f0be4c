"""Figures of the growth log room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome

MANY = 8


def log(film: Film, outcome: Outcome) -> Figure | None:
    """Draw each channel on the common clock: pauses stay open, readings at a limit of the range are marked."""
    grid = outcome.tables.get("growth_log_resampled")
    if grid is None:
        return None
    drawn = list(grid.groupby(["file_id", "log_channel"], sort=False))[:MANY]
    figure = Figure(figsize=(8.0, 0.6 + 1.05 * len(drawn)), layout="constrained")
    panels = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    for axes, ((_, name), rows) in zip(panels, drawn, strict=True):
        time_min = rows["common_time_s"].to_numpy(float) / 60.0
        values = rows["grid_reading"].to_numpy(float)
        at_limit = rows["is_saturated"].to_numpy(bool)
        axes.plot(time_min, values, color="#2f5f8a", lw=0.9)
        axes.plot(time_min, np.where(at_limit, values, np.nan), color="#b2452f", lw=2.2, label="at the range's limit")
        for start, stop in _pauses(time_min, np.isfinite(values)):
            axes.axvspan(start, stop, color="0.88", lw=0)
        unit = rows["reading_unit"].iloc[0]
        axes.set_ylabel(unit if isinstance(unit, str) else "no unit", fontsize=8)
        axes.set_title(str(name), fontsize=8, loc="left", pad=2)
        axes.tick_params(labelsize=7)
        positive = values[np.isfinite(values) & (values > 0)]
        if len(positive) == np.isfinite(values).sum() and len(positive) and positive.max() > 50 * positive.min():
            axes.set_yscale("log")
        if at_limit.any():
            axes.legend(loc="upper right", fontsize=6, framealpha=0.6)
    panels[-1].set_xlabel("time since the start of the first log (min)")
    return figure


def _pauses(time_min: np.ndarray, seen: np.ndarray) -> list[tuple[float, float]]:
    """Return the spans without readings inside a channel's log."""
    inside = np.flatnonzero(seen)
    if not len(inside):
        return []
    steps = np.flatnonzero(np.diff(inside) > 1)
    return [(float(time_min[inside[i]]), float(time_min[inside[i + 1]])) for i in steps]
