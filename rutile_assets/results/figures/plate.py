"""A figure of several panels: how they stand, and how they become SVG, PDF and PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure, FigureBase
from matplotlib.gridspec import GridSpec

from rutile_assets.provenance.film import Films, Imprint, Outcome
from rutile_assets.results.figures.panel import Panel, digest_of
from rutile_assets.results.figures.style import MM_PER_INCH, PNG_DPI, STYLE, head, say

SENTENCE_MM = 14.0
CANVASES: dict[str, type[FigureCanvasBase]] = {"svg": FigureCanvasSVG, "pdf": FigureCanvasPdf, "png": FigureCanvasAgg}
FORMATS = tuple(CANVASES)
CREATOR = "rutile_assets"
PAPER = "doi 10.1038/s41467-026-69200-x"
_STATE = re.compile(r"state ([0-9a-f]{20})")
_STATE_STANDS_IN = 4000


@dataclass(frozen=True)
class Place:
    """Where a panel stands on its plate.

    Parameters
    ----------
    letter : str
        As in the paper.
    left_mm, top_mm, width_mm, height_mm : float
        From the plate's upper left corner [mm].
    panel : callable
        Films -> Panel.
    """

    letter: str
    left_mm: float
    top_mm: float
    width_mm: float
    height_mm: float
    panel: Callable[[Films], Panel]


@dataclass(frozen=True)
class Plate:
    """A figure.

    Parameters
    ----------
    name, title : str
        The asset, and what the figure is about.
    places : tuple of Place
        Its panels.
    omitted : str
        What of the paper's figure holds no data and is left out.
    """

    name: str
    title: str
    places: tuple[Place, ...]
    omitted: str = ""


def panel_rows(plate: Plate, films: Films) -> Outcome:
    """Return the rows of a figure's table: what each panel shows of these films, in words."""
    rows: list[dict[str, Any]] = []
    for place in plate.places:
        panel = place.panel(films)
        rows.append(
            {
                "panel_letter": place.letter, "panel_title": panel.title, "panel_caption": panel.caption,
                "panel_alt": panel.alt, "is_drawn": panel.draw is not None, "panel_lacks": panel.lacks or None,
                "shown_growth_ids": " ".join(panel.growth_ids), "shown_assets": " ".join(panel.assets),
                "drawn_digest": panel.digest, "is_simulated": panel.is_simulated,
            }
        )  # fmt: skip
    outcome = Outcome({plate.name: pd.DataFrame(rows)})
    lacks = [f"{plate.name} {row['panel_letter']}: {row['panel_lacks']}" for row in rows if row["panel_lacks"]]
    outcome.notes += lacks
    return outcome


def print_plate(plate: Plate, films: Films, imprint: Imprint) -> bytes | None:
    """Write each panel and the whole figure as SVG, PDF and PNG; return the PNG, or None where no panel has data.

    Files that show the same data, drawn by the same code, stay as they are, and so do the activities that they name.
    """
    panels = _compact([(place, place.panel(films)) for place in plate.places])
    if all(panel.draw is None for _, panel in panels):
        _remove(plate, imprint.folder)
        return None
    with mpl.rc_context(STYLE):
        for place, panel in panels:
            name = f"{plate.name}{place.letter}"
            if panel.draw is None:
                _remove_files(imprint.folder, name)
            else:
                _put(imprint, name, [(place, panel)], (place.width_mm, place.height_mm), alone=True)
        return _put(imprint, plate.name, panels, _size_mm(panels), alone=False)


def _compact(panels: Sequence[tuple[Place, Panel]]) -> list[tuple[Place, Panel]]:
    """Return the panels on a plate whose rows without any drawing are as low as a sentence."""
    _, down = _edges([place for place, _ in panels])
    moved = {down[0]: down[0]}
    for top, bottom in pairwise(down):
        crossing = [panel for p, panel in panels if p.top_mm < bottom and p.top_mm + p.height_mm > top]
        is_empty = all(panel.draw is None for panel in crossing)
        moved[bottom] = moved[top] + (min(bottom - top, SENTENCE_MM) if is_empty else bottom - top)
    return [
        (replace(p, top_mm=moved[p.top_mm], height_mm=moved[p.top_mm + p.height_mm] - moved[p.top_mm]), panel)
        for p, panel in panels
    ]


def _put(
    imprint: Imprint, name: str, panels: Sequence[tuple[Place, Panel]], size_mm: tuple[float, float], *, alone: bool
) -> bytes:
    """Write one drawing in all formats unless the same stands there, and return its PNG."""
    places = [(p.letter, p.left_mm, p.top_mm, p.width_mm, p.height_mm, panel.digest) for p, panel in panels]
    state = digest_of(imprint.code_version, places, [panel.is_simulated for _, panel in panels])
    paths = {ending: imprint.folder / f"{name}.{ending}" for ending in FORMATS}
    if all(path.is_file() for path in paths.values()) and _state_of(paths["svg"]) == state:
        return paths["png"].read_bytes()
    figure = _drawn(panels, size_mm, alone=alone)
    imprint.folder.mkdir(parents=True, exist_ok=True)
    said = _said(imprint, name, panels, state)
    for ending, path in paths.items():
        beside = path.with_name(f".{path.name}")
        beside.write_bytes(_printed(figure, ending, _metadata(ending, said)))
        beside.replace(path)
    return paths["png"].read_bytes()


def _printed(figure: Figure, ending: str, metadata: dict[str, Any]) -> bytes:
    """Return a figure, already laid out, in a format; `Figure.savefig` would draw it twice for each."""
    figure.set_dpi(PNG_DPI)
    content = io.BytesIO()
    canvas: Any = CANVASES[ending](figure)
    getattr(canvas, f"print_{ending}")(content, metadata=metadata)
    return content.getvalue()


def _drawn(panels: Sequence[tuple[Place, Panel]], size_mm: tuple[float, float], *, alone: bool) -> Figure:
    width, height = size_mm
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH), dpi=PNG_DPI, layout="constrained")
    places = [place for place, _ in panels]
    grid = _grid(figure, places)
    for place, panel in panels:
        host: FigureBase = figure if alone else _part(figure, grid, places, place)
        head(host, place.letter, is_simulated=panel.is_simulated)
        if panel.draw is None:
            say(host, panel.lacks)
        else:
            panel.draw(host)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def _part(figure: Figure, grid: GridSpec, places: Sequence[Place], place: Place) -> FigureBase:
    """Return the part of a plate that belongs to a panel."""
    across, down = _edges(places)
    columns = slice(across.index(place.left_mm), across.index(place.left_mm + place.width_mm))
    rows = slice(down.index(place.top_mm), down.index(place.top_mm + place.height_mm))
    return figure.add_subfigure(grid[rows, columns])


def _size_mm(panels: Sequence[tuple[Place, Panel]]) -> tuple[float, float]:
    """Return a plate's width and height [mm]."""
    across, down = _edges([place for place, _ in panels])
    return across[-1], down[-1]


def _grid(figure: Figure, places: Sequence[Place]) -> GridSpec:
    """Return a plate's grid: a line wherever a panel begins or ends."""
    across, down = _edges(places)
    return figure.add_gridspec(
        len(down) - 1,
        len(across) - 1,
        width_ratios=np.diff(across),
        height_ratios=np.diff(down),
        wspace=0.0,
        hspace=0.0,
    )


def _edges(places: Sequence[Place]) -> tuple[list[float], list[float]]:
    """Return where panels begin and end, across and down [mm]."""
    across = {edge for p in places for edge in (p.left_mm, p.left_mm + p.width_mm)}
    down = {edge for p in places for edge in (p.top_mm, p.top_mm + p.height_mm)}
    return sorted(across), sorted(down)


def _said(imprint: Imprint, name: str, panels: Sequence[tuple[Place, Panel]], state: str) -> dict[str, str]:
    letters = ", ".join(place.letter for place, _ in panels)
    shown = list(dict.fromkeys(film for _, panel in panels for film in panel.growth_ids))
    words = ["simulated"] if any(panel.is_simulated for _, panel in panels) else []
    return {
        "title": f"{name.replace('_', ' ')}, panels {letters}" if len(panels) > 1 else name.replace("_", " "),
        "description": " ".join(f"({place.letter}) {panel.caption or panel.lacks}" for place, panel in panels),
        "activity": f"activity {imprint.activity_id}",
        "source": f"entity {imprint.entity_id} of {imprint.asset}; films {', '.join(shown) or 'none'}",
        "keywords": "; ".join([f"activity {imprint.activity_id}", f"state {state}", *words]),
    }


def _metadata(ending: str, said: dict[str, str]) -> dict[str, Any]:
    """Return what a format carries about a figure; no date, so that equal inputs give equal bytes."""
    if ending == "svg":
        return {
            "Date": None, "Creator": CREATOR, "Title": said["title"], "Identifier": said["activity"],
            "Source": said["source"], "Description": said["description"], "Keywords": said["keywords"].split("; "),
            "Relation": PAPER,
        }  # fmt: skip
    if ending == "pdf":
        return {
            "CreationDate": None, "ModDate": None, "Creator": CREATOR, "Producer": CREATOR, "Title": said["title"],
            "Subject": f"{said['description']} {said['source']}", "Keywords": said["keywords"],
        }  # fmt: skip
    return {
        "Software": CREATOR, "Title": said["title"], "Description": said["description"], "Source": said["source"],
        "Activity": said["activity"], "Keywords": said["keywords"],
    }  # fmt: skip


def _state_of(svg: Path) -> str | None:
    """Return the digest of what an SVG was drawn from, read off its head."""
    with svg.open(encoding="utf-8") as handle:
        found = _STATE.search(handle.read(_STATE_STANDS_IN))
    return found.group(1) if found else None


def _remove(plate: Plate, folder: Path) -> None:
    for name in (plate.name, *(f"{plate.name}{place.letter}" for place in plate.places)):
        _remove_files(folder, name)


def _remove_files(folder: Path, name: str) -> None:
    for ending in FORMATS:
        (folder / f"{name}.{ending}").unlink(missing_ok=True)
