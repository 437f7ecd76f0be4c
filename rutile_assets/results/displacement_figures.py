"""Figures of polar displacements: arrows on the image, plane means with bands, a schematic drawn from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rutile_assets.physics.displacement import displacements, octahedra
from rutile_assets.provenance.film import Film, Outcome
from rutile_assets.results.displaced_image import FittedImage, fitted_image
from rutile_assets.results.figures.displaced import DRAWN_TIMES, draw_planes

FloatArray = npt.NDArray[np.float64]

COLOURS = {"Ti": "#3b7dd8", "Ru": "#e0533d"}
ARROW_NM_PER_PM = 0.02
TWO_SIDED_95 = 1.96


def displacement(film: Film, outcome: Outcome) -> Figure | None:
    """Draw, for each image, the displacement of every cation on it, the plane means with their null, and the schematic.

    Bands hold 68 and 95 %. The schematic shows only planes whose 95 % band leaves out the null.
    """
    planes, images = outcome.tables.get("displacement_plane"), outcome.tables.get("displacement_plane_image")
    if planes is None or images is None:
        return None
    columns, fits = film.table("atom_column"), film.table("atom_column_image")
    figure = Figure(figsize=(13.0, 6.2 * len(images)), layout="constrained")
    panels = figure.subplots(len(images), 4, squeeze=False, width_ratios=(1.1, 1.0, 0.8, 0.9))
    for (arrows, out, aside, schematic), row in zip(panels, images.to_dict("records"), strict=True):
        mine = planes[planes.file_id == row["file_id"]].sort_values("plane_index")
        same = (columns.file_id == row["file_id"]) & (columns.image_kind == row["image_kind"])
        fit = fits[(fits.file_id == row["file_id"]) & (fits.image_kind == row["image_kind"])].to_dict("records")[0]
        _arrows(arrows, film.array(fit["image_array"]), fit, fitted_image(columns[same], fit, film.array))
        _profile(out, mine, row)
        _in_plane(aside, mine)
        _schematic(schematic, mine, bool(fit["has_known_sign"]))
    return figure


def _arrows(axes: Axes, image: FloatArray, fit: Mapping[Any, Any], fitted: FittedImage) -> None:
    pixel = fit["image_pixel_nm"]
    extent = (-0.5 * pixel, (image.shape[1] - 0.5) * pixel, (image.shape[0] - 0.5) * pixel, -0.5 * pixel)
    axes.imshow(image, cmap="gray", extent=extent)
    if fit["plane_step_y_nm"] > 0:
        axes.invert_yaxis()  # outwards is up
    found = octahedra(fitted.columns, fitted.frame)
    both = [displacements(fitted.columns, found, fitted.frame, axis).value_pm for axis in (0, 1)]
    to_image = np.linalg.inv(fitted.frame.to_crystal)
    moved = np.stack(both, axis=1) @ to_image.T
    at = 0.1 * fitted.columns.positions_angstrom[found.cation]
    axes.quiver(
        at[:, 1], at[:, 0], ARROW_NM_PER_PM * moved[:, 1], ARROW_NM_PER_PM * moved[:, 0], angles="xy",
        scale_units="xy", scale=1.0, color="#f2c14e", width=0.006,
    )  # fmt: skip
    largest = float(np.hypot(*both).max())
    axes.set_title(f"cation minus four oxygens, largest {largest:.1f} pm", fontsize=9)
    axes.set_xlabel("along the image's columns (nm)")
    axes.set_ylabel("down its rows (nm)")


def _profile(axes: Axes, planes: pd.DataFrame, row: Mapping[Any, Any]) -> None:
    height = planes.depth_nm.to_numpy(dtype=float)
    value = planes.displacement_out_of_plane_pm.to_numpy(dtype=float)
    std = planes.displacement_out_of_plane_pm_std.to_numpy(dtype=float)
    for times, shade in ((TWO_SIDED_95, 0.15), (1.0, 0.3)):
        axes.fill_betweenx(height, value - times * std, value + times * std, color="0.3", alpha=shade, lw=0)
    axes.plot(value, height, "-", color="0.3", lw=0.8)
    for element, colour in COLOURS.items():
        some = planes.element == element
        if some.any():
            axes.plot(value[some], height[some], "o", color=colour, ms=5, label=element)
    null = planes.null_pm.to_numpy(dtype=float)
    if np.isfinite(null).any():
        wide = planes.null_pm_std.to_numpy(dtype=float)
        source = next(s for s in planes.null_source if not pd.isna(s))
        axes.errorbar(null, height, xerr=wide, fmt="k.", ms=3, lw=0.7, label=f"null ({source})")
    axes.axvline(0.0, color="0.6", lw=0.7)
    probability = row.get("null_probability")
    known = probability is not None and not pd.isna(probability)
    name, chance = ("null", float(probability or 0.0)) if known else ("zero", float(row["zero_probability"]))
    axes.set_title(f"out of plane, p({name}) {'below 1e-99' if chance < 1e-99 else f'{chance:.2g}'}", fontsize=9)
    axes.set_xlabel("displacement along [110] (pm)")
    axes.set_ylabel("height over the lowest interface (nm)")
    axes.legend(fontsize=7, frameon=False)


def _in_plane(axes: Axes, planes: pd.DataFrame) -> None:
    height = planes.depth_nm.to_numpy(dtype=float)
    value = planes.displacement_in_plane_pm.to_numpy(dtype=float)
    std = planes.displacement_in_plane_pm_std.to_numpy(dtype=float)
    for times, shade in ((TWO_SIDED_95, 0.15), (1.0, 0.3)):
        axes.fill_betweenx(height, value - times * std, value + times * std, color="0.3", alpha=shade, lw=0)
    axes.plot(value, height, "o-", color="0.3", ms=3, lw=0.8)
    axes.axvline(0.0, color="0.6", lw=0.7)
    axes.set_title("in plane", fontsize=9)
    axes.set_xlabel(r"displacement along $[1\bar{1}0]$ (pm)")


def _schematic(axes: Axes, planes: pd.DataFrame, has_known_sign: bool) -> None:
    """Draw one row of cations with their oxygens a plane, moved as measured, many times enlarged, and the dipoles."""
    draw_planes(axes, planes, size=7.0)
    axes.set_title(
        f"from the numbers, displacements x {DRAWN_TIMES:.0f};\narrows: 95 % band leaves out the null"
        + ("" if has_known_sign else "; sign not known"),
        fontsize=8,
    )
