"""Figures of the 4D-STEM room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from rutile_assets.provenance.film import Film, Outcome


def quicklook(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first scan: mean pattern with its disc and the scan's axes, virtual images, centres of mass."""
    looks = outcome.tables.get("stem4d_quicklook")
    if looks is None or looks.empty:
        return None
    look = looks.to_dict("records")[0]
    row = next(r for r in film.table("stem4d_calibration").to_dict("records") if r["file_id"] == look["file_id"])
    figure = Figure(figsize=(11.0, 3.2), layout="constrained")
    pattern, bright, dark, com = figure.subplots(1, 4)
    mean = np.maximum(film.array(look["mean_pattern_array"]), 0.0)
    floor = max(float(mean.max()) * 1e-5, float(np.finfo(float).tiny))
    pattern.imshow(np.maximum(mean, floor), norm=LogNorm(), cmap="magma")
    centre = row["disc_column_index"], row["disc_row_index"]
    pattern.add_patch(Circle(centre, row["disc_radius_count"], fill=False, color="white", linewidth=0.8))
    _axes_of_the_scan(pattern, row, centre)
    pattern.set_title("mean pattern (log)")
    step = row["scan_step_nm"] if row["scan_step_nm"] == row["scan_step_nm"] and row["scan_step_nm"] else 1.0
    extent = (0.0, step * row["scan_fast_count"], step * row["scan_slow_count"], 0.0)
    for axes, key, title in ((bright, "bright_field_array", "bright field"), (dark, "dark_field_array", "dark field")):
        axes.imshow(film.array(look[key]), extent=extent, cmap="gray")
        axes.set_title(f"virtual {title}")
        axes.set_xlabel("fast (nm)")
    bright.set_ylabel("slow (nm)")
    slow, fast = film.array(look["com_array"])
    size = np.hypot(slow, fast)
    com.imshow(size, extent=extent, cmap="cividis")
    thin = max(1, max(slow.shape) // 20)
    y, x = np.mgrid[: slow.shape[0], : slow.shape[1]]
    places = slice(None, None, thin), slice(None, None, thin)
    com.quiver(
        step * (x[places] + 0.5), step * (y[places] + 0.5), fast[places], slow[places], angles="xy", color="white"
    )
    com.set_title(f"centre of mass, to {size.max():.2g} mrad")
    com.set_xlabel("fast (nm)")
    return figure


def _axes_of_the_scan(axes: Any, row: Mapping[Any, Any], centre: tuple[float, float]) -> None:
    """Draw where the slow and the fast axis of the scan point on the detector."""
    turn, transpose = row["detector_rotation_deg"], row["detector_transpose"]
    if not isinstance(turn, float) or np.isnan(turn):
        return
    angle = np.deg2rad(turn)
    first, second = (np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))
    slow, fast = (second, first) if transpose else (first, second)
    length = 0.8 * float(row["disc_radius_count"])
    for (down, right), label in ((slow, "slow"), (fast, "fast")):
        tip = centre[0] + length * right, centre[1] + length * down
        axes.annotate("", tip, centre, arrowprops={"arrowstyle": "->", "color": "#1f5f8a"})
        axes.text(*tip, label, color="#1f5f8a", fontsize=8)


def thickness(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first scan: mean pattern, its best model, what is left, and misfit against thickness."""
    rows = outcome.tables.get("stem4d_thickness")
    if rows is None or rows.empty:
        return None
    row = rows.to_dict("records")[0]
    curves = outcome.tables["stem4d_thickness_curve"]
    curve = curves[curves.file_id == row["file_id"]]
    pattern, model = film.array(row["pattern_array"]), film.array(row["model_array"])
    fitted = model > 0
    lines, columns = (np.flatnonzero(fitted.any(axis=axis)) for axis in (1, 0))
    field = slice(lines[0], lines[-1] + 1), slice(columns[0], columns[-1] + 1)
    seen = [np.where(fitted, image, np.nan)[field] for image in (pattern, model)]
    rest = (seen[0] - seen[1]) / np.nanmax(seen[0])
    figure = Figure(figsize=(12.0, 3.2), layout="constrained")
    *images, misfit = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.4))
    for axes, image, title in zip(
        images[:2], seen, ("mean pattern", f"{row['lamella_thickness_nm']:.2f} nm"), strict=True
    ):
        axes.imshow(image, vmin=0.0, vmax=np.nanmax(seen[0]), cmap="magma")
        axes.set_title(title)
    limit = float(np.nanmax(np.abs(rest)))
    drawn = images[2].imshow(100.0 * rest, vmin=-100.0 * limit, vmax=100.0 * limit, cmap="RdBu_r")
    figure.colorbar(drawn, ax=images[2], shrink=0.8, label="% of the brightest")
    images[2].set_title("difference")
    for axes in images:
        axes.set_axis_off()
    misfit.semilogy(curve.curve_thickness_nm, curve.misfit_ratio, color="#1f5f8a")
    misfit.axvspan(
        row["lamella_thickness_nm"] - row["lamella_thickness_nm_std"],
        row["lamella_thickness_nm"] + row["lamella_thickness_nm_std"],
        color="#c0392b",
        alpha=0.5,
        linewidth=0,
    )
    misfit.set_xlabel("thickness (nm)")
    misfit.set_ylabel("chi-square over its least")
    misfit.set_title(f"{row['lamella_thickness_nm']:.2f} ± {row['lamella_thickness_nm_std']:.2f} nm")
    return figure
