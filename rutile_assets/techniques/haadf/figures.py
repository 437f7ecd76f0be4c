"""Figure of the HAADF room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome


def series(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first series: the average with [110] and a scale bar, its spectrum, and each frame's drift."""
    rows = outcome.tables.get("haadf")
    if rows is None or rows.empty:
        return None
    row = rows.to_dict("records")[0]
    frames = outcome.tables["haadf_frame"]
    frames = frames[frames.file_id == row["file_id"]]
    image = film.array(row["haadf_array"])
    side = row["pixel_nm"]
    extent = (0.0, side * image.shape[1], side * image.shape[0], 0.0)
    figure = Figure(figsize=(11.0, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.imshow(image, extent=extent, cmap="gray")
    left.set_title(f"average of {row['scan_frames_count']} frames")
    left.set_xlabel("nm")
    normal = row["normal_angle_deg"]
    if normal is not None and not np.isnan(normal):
        turn, length = np.deg2rad(normal), 0.15 * extent[1]
        start = 0.12 * extent[1] + 0.5 * length, 0.88 * extent[2]
        tip = start[0] + length * np.cos(turn), start[1] - length * np.sin(turn)
        left.annotate("", tip, start, arrowprops={"arrowstyle": "->", "color": "#e4b363"})
        left.text(*start, "[110]", color="#e4b363", ha="center", va="top")
    filled = np.where(np.isfinite(image), image, np.nanmean(image)) - np.nanmean(image)
    taper = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.log10(np.abs(np.fft.fftshift(np.fft.fft2(filled * taper))) + 1.0)
    edge = 0.5 / side
    middle.imshow(power, extent=(-edge, edge, edge, -edge), cmap="magma", vmin=float(np.median(power)))
    middle.set_xlim(-7.0, 7.0)
    middle.set_ylim(7.0, -7.0)
    middle.set_xlabel("1/nm")
    error = row["scale_error_percent"]
    known = error is not None and not np.isnan(error)
    middle.set_title(f"given scale {error:+.2f} %, axes {row['axis_angle_deg']:.2f} deg" if known else "spectrum")
    right.axhline(0.0, color="0.8", linewidth=0.8)
    for name, label, colour in (
        ("drift_row_pm", "down", "#1f5f8a"),
        ("drift_column_pm", "right", "#c0392b"),
    ):
        values = frames[name].astype(float)
        std = frames[f"{name}_std"].astype(float)
        right.errorbar(frames.frame_rotation_deg, values, std, fmt="o", color=colour, label=label)
    right.set_xlabel("scan rotation (deg)")
    right.set_ylabel("drift over a frame (pm)")
    right.legend(frameon=False)
    return figure
