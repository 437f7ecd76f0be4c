"""Write the pages: a film's, where what it shows has changed, and the index."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rutile_assets.lake import vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.film_asset import Room
from rutile_assets.results.passport.curves import film_curves
from rutile_assets.results.passport.index import INDEX_QUANTITIES, index_rows, searchable, summary
from rutile_assets.results.passport.lineage import drawn_lineage
from rutile_assets.results.passport.numbers import label, measured, reading, with_history
from rutile_assets.results.passport.read import FilmRows, read_films
from rutile_assets.results.passport.stack import drawn_stack

ASSETS = (
    "passport.css", "film.js", "index.js", "compare.js", "charts.js", "uPlot.iife.min.js", "uPlot.min.css",
    "uPlot.LICENSE",
)  # fmt: skip
RECIPE = ("growth_log", "rheed", "growth")  # techniques whose numbers tell how the film was grown
_STATE = re.compile(r'<meta name="rutile-state" content="([0-9a-f]+)">')
_STATE_STANDS_IN = 600


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
        state = f"{film.state}{_digest_of_code()}"
        page = page_path(home, film.growth_id)
        if not everything and _state_of(page) == state and (folder / "data.js").is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        content, data = _film_page(lake, home, film, figures, words, titles, state)
        _put(folder / "data.js", data)
        _put(page, content)
        written.append(page)
    return written


def page_path(home: Home, growth_id: str) -> Path:
    """Return where a film's page stands."""
    return home.reports / "films" / growth_id / "index.html"


def write_index(lake: Lake, home: Home) -> Path:
    """Write reports/index.html, one row a film, compare.html beside it, and the numbers that they search."""
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
    environment = _environment()
    path = home.reports / "index.html"
    _put(home.reports / "assets" / "numbers.js", "rutileNumbers = " + _json(searchable(numbers)) + ";\n")
    _put(
        path,
        environment.get_template("index.html").render(
            films=films, columns=INDEX_QUANTITIES, across=across, refused=refused, quantities=quantities, root="",
            figures=_figures(home.reports / "series"),
            is_simulated=any(film["origin"] == "simulated" for film in films), snapshot=lake.snapshot(),
        ),
    )  # fmt: skip
    _put(
        home.reports / "compare.html",
        environment.get_template("compare.html").render(films=[film["growth_id"] for film in films], root=""),
    )
    return path


def copy_assets(home: Home) -> None:
    """Put style, scripts and the chart library once beside the pages, where they differ from those there."""
    static = resources.files("rutile_assets.results.passport") / "static"
    (home.reports / "assets").mkdir(parents=True, exist_ok=True)
    for name in ASSETS:
        content = (static / name).read_bytes()
        target = home.reports / "assets" / name
        if not target.is_file() or target.read_bytes() != content:
            _put(target, content.decode())


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
    page = (
        _environment()
        .get_template("film.html")
        .render(
            root="../../", film=film, growth=film.growth, layers=film.layers, numbers=numbers, curves=curves,
            state=state, stack=drawn_stack(film.growth, film.layers, thicknesses), figures=figures,
            drawn={chart["asset"] for chart in curves}, words=words, titles=titles, recipe=RECIPE,
            summary=summary(numbers), reading=reading, snapshot=lake.snapshot(),
            lineage=drawn_lineage(film.files, film.entities, film.edges, numbers),
        )
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
    script = f"(window.rutileFilms = window.rutileFilms || {{}})[{_json(film.growth_id)}] = {_json(data)};\n"
    return page, script


def _figures(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.svg"))


def _series_of(lake: Lake) -> dict[str, dict[str, Any]]:
    return {row["growth_id"]: row for row in lake.rows("SELECT growth_id, series, growth_method FROM lake.growth")}


def _state_of(page: Path) -> str | None:
    """Return the state that a page was made from, read off its head."""
    if not page.is_file():
        return None
    with page.open(encoding="utf-8") as handle:
        found = _STATE.search(handle.read(_STATE_STANDS_IN))
    return found.group(1) if found else None


@cache
def _digest_of_code() -> str:
    """Return a digest of the modules and templates that make a page: a page of another release is written anew."""
    folder = Path(__file__).parent
    parts = [*sorted(folder.glob("*.py")), *sorted((folder / "templates").glob("*"))]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:8]


def _put(path: Path, content: str) -> None:
    """Write a file whole, and only where it differs: who reads meanwhile sees the old one or the new one."""
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return
    beside = path.with_name(f".{path.name}.{id(content):x}")
    beside.write_text(content, encoding="utf-8")
    shutil.move(beside, path)


def _json(value: Any) -> str:
    """Return JSON that may stand in a script: no tag can end it."""
    return json.dumps(value, separators=(",", ":"), default=str, ensure_ascii=False, allow_nan=False).replace(
        "<", "\\u003c"
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rutile_assets.results.passport", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["label"] = label
    environment.filters["measured"] = lambda row: measured(row["value"], row["sigma"])
    environment.filters["day"] = lambda moment: f"{moment:%Y-%m-%d %H:%M}" if moment else ""
    return environment
