"""Figures of the AFM room."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from rutile_assets.physics.maps import LEVELLING
from rutile_assets.provenance.film import Film, Outcome


def heights(film: Film, outcome: Outcome) -> Figure | None:
    """Draw the first image, levelled as quoted, with its height distribution."""
    images = film.table("afm_image")
    if images.empty or "afm_roughness" not in outcome.tables:
        return None
    image = images.to_dict("records")[0]
    levelled = LEVELLING[film.parameters.levelling](film.array(image["array"]))
    low, high = np.percentile(levelled, [0.5, 99.5])
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    extent = (0.0, image["scan_size_x_nm"] / 1e3, 0.0, image["scan_size_y_nm"] / 1e3)
    drawn = left.imshow(levelled, extent=extent, cmap="cividis", vmin=low, vmax=high)
    left.set_xlabel("x (µm)")
    left.set_ylabel("y (µm)")
    figure.colorbar(drawn, ax=left, label="height (nm)")
    right.hist(levelled.ravel(), bins=120, range=(low, high), color="#2f5f8a")
    right.set_xlabel("height (nm)")
    right.set_ylabel("pixels")
    return figure
