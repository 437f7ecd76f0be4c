"""Fig. 1b: the theta-2theta scan of a capped film with its model, and the AFM map of its surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from rutile_assets.physics.maps import LEVELLING
from rutile_assets.provenance.film import Films
from rutile_assets.results.claims_paper import CAPPED
from rutile_assets.results.figures.panel import (
    Panel,
    digest_of,
    lacking,
    nearest_film,
    numbers_of,
    simulated,
    spelled,
    stack_words,
)
from rutile_assets.results.figures.style import GREY, VERMILION, log_ticks, nice_length, scale_bar

FloatArray = npt.NDArray[np.float64]

TITLE = "θ-2θ scan with its model, and the surface by AFM"
ASSETS = ("growth", "xrd_fit", "afm_image", "afm_roughness")
THICKNESS_NM = 3.8
GAP = 5.0  # steps of the scan: what is wider was masked


def diffraction(films: Films) -> Panel:
    """Return the panel of the capped film that is nearest to the paper's; each half stands without the other."""
    fits, images = films.table("xrd_fit"), films.table("afm_image")
    film = nearest_film(films, fits, CAPPED, THICKNESS_NM)
    seen = nearest_film(films, images, CAPPED, THICKNESS_NM)
    if film is None and seen is None:
        return lacking(TITLE, ASSETS, "Neither a fitted θ-2θ scan nor an AFM image of a film with a RuO₂ layer.")
    scan = None if film is None else _scan(films, fits, film)
    surface = None if seen is None else _surface(films, images, seen)
    parts = [part for part in (scan, surface) if part is not None]
    lacks = [] if scan is not None else ["No fitted θ-2θ scan."]
    lacks += [] if surface is not None else ["No AFM image."]
    caption, alt = (" ".join([*(part[at] for part in parts), *lacks]) for at in ("caption", "alt"))
    shown = tuple(dict.fromkeys(part["film"] for part in parts))
    return Panel(
        TITLE, ASSETS, caption, alt, shown, simulated(films, shown),
        digest_of(*(piece for part in parts for piece in part["drawn"]), caption),
        lambda host: _draw(host, scan, surface),
    )  # fmt: skip


def _scan(films: Films, fits: pd.DataFrame, film: str) -> dict[str, Any]:
    mine = fits[fits.growth_id == film]
    file_id = mine.file_id.min()
    curve = films.table_of("xrd_fit_curve", film)
    curve = curve[curve.file_id == file_id].sort_values("two_theta_deg")
    planes, spacings = (numbers_of(films, "xrd_fit", film, name) for name in ("planes_count", "plane_spacing_nm"))
    told = "; ".join(
        f"{spelled(of.split()[-1])}: {planes[of]} planes of {spacings.get(of, 'unknown')} nm"
        for of in sorted(planes, reverse=True)
    )
    caption = (
        f"θ-2θ scan of {film}, {stack_words(films, film)} (110), nominal, about the substrate's (110) peak: measured"
        f" (points) and coherent model (line); the peak itself is left out of the fit. {told}."
    )
    alt = f"Diffracted rate against 2 theta on a logarithmic scale with Laue oscillations; {told}."
    return {"film": film, "caption": caption, "alt": alt, "drawn": (curve,), "curve": curve}


def _surface(films: Films, images: pd.DataFrame, film: str) -> dict[str, Any]:
    image = images[images.growth_id == film].sort_values(["file_id", "channel_index"]).to_dict("records")[0]
    rows = films.table("afm_roughness")
    same = (rows.growth_id == film) & (rows.file_id == image["file_id"]) & rows.is_default
    quoted = rows[same & (rows.channel_index == image["channel_index"])].to_dict("records")
    how = str(quoted[0]["levelling"]) if quoted else "plane"
    height = np.asarray(LEVELLING[how](films.array(image["array"])), dtype=float)
    found = numbers_of(films, "afm_roughness", film, "roughness_sq_pm")
    sq = f"Sq {next(iter(found.values()))} pm" if found else "Sq not known"
    size = (float(image["scan_size_x_nm"]), float(image["scan_size_y_nm"]))
    caption = f"Right: AFM height of {film}, {size[0] / 1e3:g} µm × {size[1] / 1e3:g} µm, {sq}, levelled by {how}."
    return {
        "film": film, "caption": caption, "alt": f"AFM map of {film}: {sq}.", "height": height, "size": size, "sq": sq,
        "drawn": (height.astype(np.float32), size),
    }  # fmt: skip


def _draw(host: FigureBase, scan: dict[str, Any] | None, surface: dict[str, Any] | None) -> None:
    if scan is None or surface is None:
        axes = host.subplots()
        if scan is not None:
            _draw_scan(axes, scan["curve"])
        elif surface is not None:
            _draw_surface(host, axes, surface)
        return
    left, right = host.subplots(1, 2, width_ratios=(1.35, 1.0))
    _draw_scan(left, scan["curve"])
    _draw_surface(host, right, surface)


def _draw_scan(axes: Axes, curve: pd.DataFrame) -> None:
    rate = curve.measured_counts_per_s.astype(float)
    axes.semilogy(curve.two_theta_deg, rate.where(rate > 0), "o", ms=1.2, mew=0, color=GREY, label="measured")
    step = curve.two_theta_deg.diff()
    fitted = curve.fitted_counts_per_s.astype(float).mask(step > GAP * step.median())
    axes.semilogy(curve.two_theta_deg, fitted, "-", lw=0.9, color=VERMILION, label="model")
    axes.set(xlabel="2θ (°)", ylabel="Rate (counts/s)")
    log_ticks(axes.yaxis)
    axes.margins(x=0.01)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    low, high = axes.get_ylim()
    axes.set_ylim(low, 8.0 * high)
    axes.legend(loc="upper right", ncols=2, markerscale=2.5, columnspacing=0.8, handletextpad=0.4)


def _draw_surface(host: FigureBase, axes: Axes, surface: dict[str, Any]) -> None:
    height, (wide, high) = surface["height"], surface["size"]
    low, top = np.percentile(height, [0.5, 99.5])
    drawn = axes.imshow(
        height, extent=(0.0, wide, 0.0, high), cmap="cividis", vmin=low, vmax=top, interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[])
    axes.set_title(surface["sq"])
    length = nice_length(wide)
    label = f"{length / 1e3:g} µm" if length >= 1e3 else f"{length:g} nm"
    scale_bar(axes, length, label, width=wide, height=high)
    host.colorbar(drawn, ax=axes, label="Height (nm)", shrink=0.62, aspect=16, pad=0.03)
