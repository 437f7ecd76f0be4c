"""Figs. 1c to 1e: atom columns with their displacements, plane means with the null, and a schematic of the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D

from rutile_assets.physics.displacement import displacements, octahedra
from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_paper import CAPPED
from rutile_assets.results.displaced_image import fitted_image
from rutile_assets.results.figures.panel import Panel, digest_of, lacking, nearest_film, simulated, stack_words
from rutile_assets.results.figures.style import BLACK, ELEMENTS, GREY, ORANGE, YELLOW, nice_length, scale_bar
from rutile_assets.results.passport.numbers import measured

FloatArray = npt.NDArray[np.float64]

ASSETS = ("growth", "atom_column", "displacement_plane")
LACKS = "No image whose atom columns tell displacements."
THICKNESS_NM = 3.8
LONGEST_ARROW_NM = 0.3  # a little less than from plane to plane
TWO_SIDED_95 = 1.96
DRAWN_TIMES = 12.0  # how much longer than in the crystal the schematic draws displacements
NAMES = {"ptychography": "phase of the ptychographic reconstruction", "haadf": "HAADF image"}


@dataclass(frozen=True)
class Shown:
    """The image that the three panels show.

    Parameters
    ----------
    growth_id, kind : str
        The film, and what the image is.
    planes : DataFrame
        Rows of ``displacement_plane``, from the lowest plane.
    row, fit : mapping
        Its rows of ``displacement_plane_image`` and ``atom_column_image``.
    """

    growth_id: str
    kind: str
    planes: pd.DataFrame
    row: Mapping[Any, Any]
    fit: Mapping[Any, Any]


def shown_image(films: Films) -> Shown | None:
    """Return the image of the capped film nearest to the paper's, a ptychographic one before any other."""
    images = films.table("displacement_plane_image")
    phases = images[images.image_kind == "ptychography"]
    film = nearest_film(films, phases if len(phases) else images, CAPPED, THICKNESS_NM)
    if film is None:
        return None
    mine = (phases if len(phases) else images).query("growth_id == @film").sort_values("file_id")
    row = mine.to_dict("records")[0]
    planes = films.table_of("displacement_plane", film)
    fits = films.table_of("atom_column_image", film)
    fit = fits[(fits.file_id == row["file_id"]) & (fits.image_kind == row["image_kind"])].to_dict("records")[0]
    planes = planes[planes.file_id == row["file_id"]].sort_values("plane_index")
    return Shown(film, str(row["image_kind"]), planes, row, fit)


def columns_with_arrows(films: Films) -> Panel:
    """Return Fig. 1c: the image with its columns, and beside it the displacement of every cation."""
    title = "Atom columns and displacements"
    shown = shown_image(films)
    if shown is None:
        return lacking(title, ASSETS, LACKS)
    image = films.array(shown.fit["image_array"])
    rows = films.table_of("atom_column", shown.growth_id)
    rows = rows[(rows.file_id == shown.fit["file_id"]) & (rows.image_kind == shown.kind)]
    at, moved = _arrows(films, rows, shown.fit)
    largest = float(np.hypot(*moved.T).max())
    sign = "" if shown.fit["has_known_sign"] else " Which way is outwards is not known."
    caption = (
        f"Left: {NAMES[shown.kind]} of {shown.growth_id}, {stack_words(films, shown.growth_id)} (110), nominal, along"
        f" [001], with fitted columns (Ti blue, Ru red, O yellow) on its right half. Right: displacement of each cation"
        f" against its four projected oxygens; the largest is {largest:.1f} pm. Dashed: interfaces.{sign}"
    )
    alt = (
        f"Image of atom columns with arrows on {len(at)} cations; the largest displacement is {largest:.1f} picometres."
    )
    return Panel(
        title, ASSETS, caption, alt, (shown.growth_id,), simulated(films, [shown.growth_id]),
        digest_of(image, rows, moved, caption), lambda host: _draw_columns(host, image, rows, at, moved, shown),
    )  # fmt: skip


def plane_profile(films: Films) -> Panel:
    """Return Fig. 1d: the mean displacement out of plane, plane by plane, beside the null's."""
    title = "Displacement out of plane, plane by plane"
    shown = shown_image(films)
    if shown is None:
        return lacking(title, ASSETS, LACKS)
    value = shown.planes.displacement_out_of_plane_pm.astype(float)
    place = int(value.abs().to_numpy().argmax())
    sigma = shown.planes.displacement_out_of_plane_pm_std.astype(float).iloc[place]
    peak = measured(float(value.iloc[place]), None if pd.isna(sigma) else float(sigma))
    caption = (
        "Mean displacement of cations against their four oxygens along [110], outwards positive, plane by plane; bands:"
        f" 68 and 95 %. Crosses: the null, a stack without displacement. Largest: {peak} pm. {_chance(shown.row)}"
    )
    alt = f"Plane means of the displacement over {len(value)} planes; the largest is {peak} picometres."
    return Panel(
        title, ASSETS, caption, alt, (shown.growth_id,), simulated(films, [shown.growth_id]),
        digest_of(shown.planes, caption), lambda host: _draw_profile(host.subplots(), shown.planes),
    )  # fmt: skip


def schematic_panel(films: Films) -> Panel:
    """Return Fig. 1e: one row of cations a plane, moved as measured, and the dipoles."""
    title = "Schematic of the displacements, drawn from the numbers"
    shown = shown_image(films)
    if shown is None:
        return lacking(title, ASSETS, LACKS)
    seen = int(sum(_is_seen(row) for row in shown.planes.to_dict("records")))
    caption = (
        f"Cations and their oxygens, plane by plane, displacements less the null drawn {DRAWN_TIMES:.0f} times"
        f" enlarged, height and width on scales of their own; arrows: electrical dipoles of the {seen} planes whose"
        " 95 % band leaves out the null."
    )
    alt = f"Schematic of {len(shown.planes)} planes; {seen} carry an arrow."
    return Panel(
        title, ASSETS, caption, alt, (shown.growth_id,), simulated(films, [shown.growth_id]),
        digest_of(shown.planes, caption), lambda host: _draw_schematic(host.subplots(), shown.planes),
    )  # fmt: skip


def _chance(row: Mapping[Any, Any]) -> str:
    known = not pd.isna(row["null_probability"])
    name, chance = ("the null", row["null_probability"]) if known else ("zero", row["zero_probability"])
    said = "below 1e-99" if chance < 1e-99 else f"{chance:.2g}"
    return f"Probability of the profile, given {name}: {said}."


def _arrows(films: Films, rows: pd.DataFrame, fit: Mapping[Any, Any]) -> tuple[FloatArray, FloatArray]:
    """Return where cations stand [nm], and how far they are displaced [pm], (N, 2) y, x in the image."""
    fitted = fitted_image(rows, fit, films.array)
    found = octahedra(fitted.columns, fitted.frame)
    both = [displacements(fitted.columns, found, fitted.frame, axis).value_pm for axis in (0, 1)]
    moved = np.stack(both, axis=1) @ np.linalg.inv(fitted.frame.to_crystal).T
    return 0.1 * fitted.columns.positions_angstrom[found.cation], moved


def _draw_columns(
    host: FigureBase, image: FloatArray, rows: pd.DataFrame, at: FloatArray, moved: FloatArray, shown: Shown
) -> None:
    left, right = host.subplots(1, 2)
    pixel = float(shown.fit["image_pixel_nm"])
    extent = (-0.5 * pixel, (image.shape[1] - 0.5) * pixel, (image.shape[0] - 0.5) * pixel, -0.5 * pixel)
    wide, high = extent[1] - extent[0], extent[2] - extent[3]
    low, top = (float(v) for v in np.quantile(image, (0.002, 0.998)))
    for axes in (left, right):
        axes.imshow(image, cmap="gray", extent=extent, vmin=low, vmax=top, interpolation="nearest")
        if shown.fit["plane_step_y_nm"] > 0:
            axes.invert_yaxis()  # outwards is up
        axes.set(xticks=[], yticks=[])
        axes.autoscale(False)
        _interfaces(axes, rows, shown)
    half = rows[rows.column_x_nm.astype(float) > extent[0] + 0.5 * wide]
    for element, colour in ELEMENTS.items():
        some = half[half.element == element]
        left.plot(some.column_x_nm.astype(float), some.column_y_nm.astype(float), "o", ms=1.6, mew=0, color=colour)
    largest = float(np.hypot(*moved.T).max())
    nm_per_pm = LONGEST_ARROW_NM / largest
    right.quiver(
        at[:, 1], at[:, 0], nm_per_pm * moved[:, 1], nm_per_pm * moved[:, 0], angles="xy", scale_units="xy", scale=1.0,
        color=YELLOW,
        width=0.008, headwidth=3.5, headlength=4.0, headaxislength=3.6,
    )  # fmt: skip
    length = nice_length(wide)
    scale_bar(left, length, f"{length:g} nm", width=wide, height=high)
    key = nice_length(2.5 * largest)
    scale_bar(right, key * nm_per_pm, f"{key:g} pm", width=wide, height=high)


def _interfaces(axes: Axes, rows: pd.DataFrame, shown: Shown) -> None:
    """Draw a line halfway between planes whose elements differ, along the planes."""
    cations = rows[rows.plane_index.notna() & rows.is_usable.astype(bool)]
    middle = cations.groupby("plane_index")[["column_y_nm", "column_x_nm"]].mean().astype(float)
    planes = shown.planes[shown.planes.plane_index.isin(middle.index)]
    along = float(shown.fit["along_step_y_nm"]) / float(shown.fit["along_step_x_nm"] or 1.0)
    for one, other in pairwise(planes.to_dict("records")):
        if one["element"] != other["element"]:
            y, x = 0.5 * (middle.loc[one["plane_index"]] + middle.loc[other["plane_index"]])
            axes.axline((x, y), slope=along, color="white", lw=0.8, ls=(0, (4, 3)))


def _draw_profile(axes: Axes, planes: pd.DataFrame) -> None:
    height = planes.depth_nm.to_numpy(dtype=float)
    value = planes.displacement_out_of_plane_pm.to_numpy(dtype=float)
    std = planes.displacement_out_of_plane_pm_std.to_numpy(dtype=float)
    for times, shade in ((TWO_SIDED_95, 0.15), (1.0, 0.3)):
        axes.fill_betweenx(height, value - times * std, value + times * std, color="0.3", alpha=shade, lw=0)
    axes.plot(value, height, "-", color="0.3", lw=0.7)
    for element in ("Ti", "Ru"):
        some = (planes.element == element).to_numpy()
        axes.plot(value[some], height[some], "o", color=ELEMENTS[element], ms=3.0, label=element)
    null = planes.null_pm.to_numpy(dtype=float)
    if np.isfinite(null).any():
        wide = planes.null_pm_std.to_numpy(dtype=float)
        axes.errorbar(null, height, xerr=wide, fmt="x", color=BLACK, ms=2.5, mew=0.6, lw=0.5, label="null")
    axes.axvline(0.0, color=GREY, lw=0.5)
    for edge in _edges_nm(planes):
        axes.axhline(edge, color=GREY, lw=0.6, ls=(0, (4, 3)))
    axes.set(xlabel="Displacement (pm)", ylabel="Height over the lower interface (nm)")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.16 * (high - low))
    axes.legend(
        loc="upper center", ncols=3, columnspacing=0.8, handletextpad=0.2, handlelength=1.0, frameon=True,
        framealpha=1.0, edgecolor="none",
    )  # fmt: skip


def _edges_nm(planes: pd.DataFrame) -> list[float]:
    """Return the heights of the interfaces: halfway between planes of different elements."""
    order = planes.sort_values("depth_nm").to_dict("records")
    return [0.5 * (a["depth_nm"] + b["depth_nm"]) for a, b in pairwise(order) if a["element"] != b["element"]]


def _is_seen(row: Mapping[Any, Any]) -> bool:
    left, wide = _less_null(row)
    return abs(left) > TWO_SIDED_95 * wide


def _less_null(row: Mapping[Any, Any]) -> tuple[float, float]:
    """Return a plane's displacement less the null's, and one sigma [pm]."""
    null, std = ((0.0 if pd.isna(row[name]) else float(row[name])) for name in ("null_pm", "null_pm_std"))
    return float(row["displacement_out_of_plane_pm"]) - null, float(
        np.hypot(row["displacement_out_of_plane_pm_std"], std)
    )


def draw_planes(axes: Axes, planes: pd.DataFrame, *, size: float) -> None:
    """Draw two cations with their oxygens a plane, moved as measured, the interfaces and the dipoles.

    Parameters
    ----------
    axes : Axes
        Height over the lowest interface stands upwards [nm].
    planes : DataFrame
        Rows of ``displacement_plane`` of one image.
    size : float
        Diameter of a cation [pt].
    """
    spacing = 0.325
    largest = float(planes.displacement_out_of_plane_pm.abs().max())
    for edge in _edges_nm(planes):
        axes.axhline(edge, color=GREY, lw=0.7, ls=(0, (4, 3)))
    for row in planes.to_dict("records"):
        height = row["depth_nm"]
        left, _ = _less_null(row)
        is_seen = _is_seen(row)
        moved = 1e-3 * DRAWN_TIMES * left if is_seen else 0.0
        for site in range(2):
            x = spacing * site
            up, across = (0.198, 0.127) if (site + row["plane_index"]) % 2 == 0 else (0.127, 0.198)
            for xs, ys in (((x, x), (height - up, height + up)), ((x - across, x + across), (height, height))):
                axes.plot(xs, ys, "o", color="#d9d9d9", mec="0.5", mew=0.4, ms=0.55 * size)
            axes.plot(x, height + moved, "o", color=ELEMENTS[row["element"]], mew=0, ms=size)
        if is_seen:
            length = np.sign(left) * max(abs(left) / largest, 0.25) * 0.85 * spacing
            arrow = {
                "arrowstyle": "-|>", "color": ORANGE, "lw": 1.2, "mutation_scale": 1.1 * size, "shrinkA": 0,
                "shrinkB": 0,
            }  # fmt: skip
            foot, head = (2.0 * spacing, height - length / 2.0), (2.0 * spacing, height + length / 2.0)
            axes.annotate("", head, foot, arrowprops=arrow)
    axes.set_xlim(-0.3, 2.6 * spacing)
    axes.set_xticks([])


def _draw_schematic(axes: Axes, planes: pd.DataFrame) -> None:
    draw_planes(axes, planes, size=4.0)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.set_yticks([])
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.16 * (high - low))
    dots = [(ELEMENTS["Ti"], "none", "Ti"), (ELEMENTS["Ru"], "none", "Ru"), ("#d9d9d9", "0.5", "O")]
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, color=colour, mec=edge, mew=0.4, label=name)
        for colour, edge, name in dots
    ]
    axes.legend(handles=handles, loc="upper center", ncols=3, columnspacing=0.6, handletextpad=0.0)
