"""Figures of the atom column room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.provenance.film import Film, Outcome

COLOURS = {"Ti": "#3b7dd8", "Ru": "#e0533d", "O": "#f2c14e"}


def columns(film: Film, outcome: Outcome) -> Figure | None:
    """Draw each image with its fitted columns by element, and what the fit leaves of it."""
    images, rows = outcome.tables.get("atom_column_image"), outcome.tables.get("atom_column")
    if images is None or rows is None:
        return None
    figure = Figure(figsize=(9.0, 4.6 * len(images)), layout="constrained")
    panels = figure.subplots(len(images), 2, squeeze=False)
    for (seen, left), image in zip(panels, images.to_dict("records"), strict=True):
        values, residual = film.array(image["image_array"]), film.array(image["residual_array"])
        half = 0.5 * image["image_pixel_nm"]
        extent = (
            -half,
            values.shape[1] * image["image_pixel_nm"] - half,
            values.shape[0] * image["image_pixel_nm"] - half,
            -half,
        )
        seen.imshow(values, cmap="gray", extent=extent)
        mine = rows[(rows.file_id == image["file_id"]) & (rows.image_kind == image["image_kind"])]
        for element, colour in COLOURS.items():
            some = mine[mine.element == element]
            seen.plot(
                some.column_x_nm, some.column_y_nm, ".", color=colour, ms=2.5, label=element if len(some) else None
            )
        seen.set_title(f"{image['image_kind']}: {image['columns_count']} columns", fontsize=9)
        seen.legend(fontsize=7, framealpha=0.6)
        reach = float(np.nanquantile(np.abs(residual), 0.995))
        drawn = left.imshow(residual, cmap="RdBu_r", vmin=-reach, vmax=reach, extent=extent)
        left.set_title("image less model", fontsize=9)
        figure.colorbar(drawn, ax=left, shrink=0.8)
        for axes in (seen, left):
            axes.set_xlabel("along the image's columns (nm)")
        seen.set_ylabel("down its rows (nm)")
    return figure
