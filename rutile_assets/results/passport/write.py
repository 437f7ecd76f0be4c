"""Write the pages: a film's, where what it shows has changed, and the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from rutile_assets.lake import vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.film_asset import Room
from rutile_assets.results.passport.curves import film_curves
from rutile_assets.results.passport.index import INDEX_QUANTITIES, index_rows, searchable, summary
from rutile_assets.results.passport.lineage import drawn_lineage
from rutile_assets.results.passport.notes import shown_notes, texts
from rutile_assets.results.passport.numbers import with_history
from rutile_assets.results.passport.read import FilmRows, read_films
from rutile_assets.results.passport.render import as_json, digest_of_code, put, rendered, state_of
from rutile_assets.results.passport.series import write_series_pages
from rutile_assets.results.passport.series_lineage import write_series_lineage
from rutile_assets.results.passport.stack import drawn_stack

ASSETS = (
    "passport.css", "film.js", "index.js", "compare.js", "claims.js", "charts.js", "uPlot.iife.min.js", "uPlot.min.css",
    "uPlot.LICENSE",
)  # fmt: skip
WRITTEN_BY_COMMANDS = (("verify.html", "Verification"), ("diff.html", "What changed"), ("stale.html", "Out of date"))
RECIPE = ("growth_log", "rheed", "growth")  # techniques whose numbers tell how the film was grown


def write_pages(
    lake: Lake, home: Home, rooms: Sequence[Room], growth_ids: Sequence[str] | None = None, *, everything: bool = True
) -> list[Path]:
    """Write reports/films/<growth_id>/index.html and data.js of these films, or of all.

    Parameters
    ----------
    lake, home
        The lab's.
    rooms : sequence of Room
        All rooms in the order in which the page shows them: what is out of date is told by their assets.
    growth_ids : sequence of str, optional
        Only these films.
    everything : bool
        Whether to write a page even where it shows what it would show now.

    Returns
    -------
    list of Path
        The pages written.
    """
    assets = sorted((asset for room in rooms for asset in room.assets), key=lambda asset: asset.spans_films)
    films = read_films(lake, home, assets, growth_ids)
    copy_assets(home)
    words = {asset.name: " ".join(asset.description.split()) for asset in assets}
    titles = {room.name: room.title for room in rooms}
    written = []
    for film in films.values():
        folder = home.reports / "films" / film.growth_id
        figures = _figures(folder)
        state = f"{film.state}{digest_of_code()}"
        page = page_path(home, film.growth_id)
        if not everything and state_of(page) == state and (folder / "data.js").is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        content, data = _film_page(lake, home, film, figures, words, titles, state)
        put(folder / "data.js", data)
        put(page, content)
        written.append(page)
    return written


def page_path(home: Home, growth_id: str) -> Path:
    """Return where a film's page stands."""
    return home.reports / "films" / growth_id / "index.html"


def write_index(lake: Lake, home: Home) -> Path:
    """Write reports/index.html, one row a film, what spans films beside it, and the numbers that they search."""
    copy_assets(home)
    numbers = lake.rows(
        "SELECT growth_id, quantity, subject, value, sigma, result_id FROM results"
        " WHERE is_current AND growth_id IS NOT NULL ORDER BY growth_id, quantity, subject, result_id"
    )
    films = index_rows(lake.rows("FROM film_passport ORDER BY growth_id"), _series_of(lake), numbers)
    across = lake.rows(
        "SELECT * FROM results WHERE is_current AND growth_id IS NULL ORDER BY series, quantity, subject, result_id"
    )
    refused = lake.rows("SELECT * FROM rejected_files")
    quantities = sorted({row["quantity"] for row in numbers})
    path = home.reports / "index.html"
    put(home.reports / "assets" / "numbers.js", "rutileNumbers = " + as_json(searchable(numbers)) + ";\n")
    put(home.reports / "assets" / "texts.js", "rutileTexts = " + as_json(texts(lake)) + ";\n")
    put(
        path,
        rendered(
            "index.html", films=films, columns=INDEX_QUANTITIES, across=across, refused=refused,
            quantities=quantities, root="", figures=_figures(home.reports / "series"),
            series_pages=write_series_lineage(lake, home),
            is_simulated=any(film["origin"] == "simulated" for film in films), snapshot=lake.snapshot(),
            pages=[*write_series_pages(lake, home), *_pages_there(home)],
        ),
    )  # fmt: skip
    put(
        home.reports / "compare.html",
        rendered("compare.html", films=[film["growth_id"] for film in films], root=""),
    )
    return path


def _pages_there(home: Home) -> list[tuple[str, str]]:
    """Return address and name of the pages that a command wrote."""
    return [(name, title) for name, title in WRITTEN_BY_COMMANDS if (home.reports / name).is_file()]


def copy_assets(home: Home) -> None:
    """Put style, scripts and the chart library once beside the pages, where they differ from those there."""
    static = resources.files("rutile_assets.results.passport") / "static"
    (home.reports / "assets").mkdir(parents=True, exist_ok=True)
    for name in ASSETS:
        content = (static / name).read_bytes()
        target = home.reports / "assets" / name
        if not target.is_file() or target.read_bytes() != content:
            put(target, content.decode())


def _film_page(
    lake: Lake,
    home: Home,
    film: FilmRows,
    figures: Sequence[str],
    words: dict[str, str],
    titles: dict[str, str],
    state: str,
) -> tuple[str, str]:
    order = {name: place for place, name in enumerate(titles)}
    numbers = sorted(with_history(film.numbers), key=lambda n: order.get(n["technique"], len(order)))
    paths = {row["file_id"]: row["original_path"] for row in film.files}
    curves = film_curves(lake, film.growth_id, {row["asset"] for row in film.entities}, paths)
    for row in film.entities:
        row["stale"] = film.stale.get(row["asset"], [])
        row["parameters"] = json.loads(row["parameters"])
    for row in film.files:
        row["vault"] = vault.path_of(home.vault, row["sha256"]).relative_to(home.root).as_posix()
        row["settings"] = json.loads(row["settings"])
    thicknesses = {n["subject"]: n["shown"] for n in numbers if n["quantity"] == "thickness_nm"}
    page = rendered(
        "film.html", root="../../", film=film, growth=film.growth, layers=film.layers, numbers=numbers, curves=curves,
        state=state, stack=drawn_stack(film.growth, film.layers, thicknesses), figures=figures,
        drawn={chart["asset"] for chart in curves}, words=words, titles=titles, recipe=RECIPE,
        summary=summary(numbers), snapshot=lake.snapshot(),
        lineage=drawn_lineage(film.files, film.entities, film.edges, numbers),
        notes=shown_notes(film.notes.get("note", ()), film.files),
    )  # fmt: skip
    growth = film.growth or {}
    data = {
        "growth_id": film.growth_id,
        "stack": growth.get("stack"),
        "series": growth.get("series"),
        "origin": growth.get("origin"),
        "numbers": [
            {
                "label": n["label"], "quantity": n["quantity"], "subject": n["subject"], "unit": n["unit"],
                "value": n["value"], "sigma": n["sigma"], "shown": n["shown"], "technique": n["technique"],
            }
            for n in numbers
        ],
        "curves": curves,
    }  # fmt: skip
    script = f"(window.rutileFilms = window.rutileFilms || {{}})[{as_json(film.growth_id)}] = {as_json(data)};\n"
    return page, script


def _figures(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.svg"))


def _series_of(lake: Lake) -> dict[str, dict[str, Any]]:
    return {row["growth_id"]: row for row in lake.rows("SELECT growth_id, series, growth_method FROM lake.growth")}
