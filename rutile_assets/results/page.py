"""A film's page and the index of films: static HTML that opens from disk, made from the lake alone."""

from __future__ import annotations

import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake

_LAYER_COLOURS = {"RuO2": "#5b6c8f", "TiO2": "#c9b27c"}  # greyed blue and sand: told apart without colour vision


def write_film_page(lake: Lake, home: Home, growth_id: str) -> str:
    """Write reports/films/<growth_id>/index.html and return its path.

    The page holds the growth, the stack to scale, every current number with its uncertainty, method, source file and
    notes, the figures that stand beside it, the raw files with their hashes, and what was refused.
    """
    folder = home.reports / "films" / growth_id
    folder.mkdir(parents=True, exist_ok=True)
    growth = lake.rows("SELECT * FROM lake.growth WHERE growth_id = ?", [growth_id])
    layers = lake.rows("SELECT * FROM lake.growth_layer WHERE growth_id = ? ORDER BY layer_index", [growth_id])
    numbers = lake.rows(
        "SELECT * FROM results WHERE growth_id = ? AND is_current ORDER BY technique, quantity, subject, result_id",
        [growth_id],
    )
    page = (
        _environment()
        .get_template("film.html")
        .render(
            growth_id=growth_id,
            growth=growth[0] if growth else None,
            stack=_drawn(layers, growth[0] if growth else None),
            numbers=numbers,
            figures=sorted(path.name for path in folder.glob("*.svg")),
            files=lake.rows("SELECT * FROM current_raw_file WHERE growth_id = ? ORDER BY original_path", [growth_id]),
            refused=lake.rows("SELECT * FROM rejected_files WHERE growth_id = ?", [growth_id]),
            snapshot=lake.snapshot(),
        )
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return str(path)


def write_index(lake: Lake, home: Home) -> str:
    """Write reports/index.html, one row a film, and return its path."""
    films = lake.rows("SELECT * FROM film_passport ORDER BY growth_id")
    rejected = lake.rows("SELECT * FROM rejected_files")
    path = home.reports / "index.html"
    path.write_text(_environment().get_template("index.html").render(films=films, rejected=rejected), encoding="utf-8")
    return str(path)


def measured(value: float, sigma: float | None) -> str:
    """Return a value and its uncertainty as people write them: two digits of sigma, the value to the same place.

    Examples
    --------
    >>> measured(3.8712, 0.0134), measured(15875.0, 192.0), measured(2.0, None)
    ('3.871 ± 0.013', '15875 ± 192', '2 ± unknown')
    """
    if sigma is None or not math.isfinite(sigma):
        return f"{value:.6g} ± unknown"
    if sigma == 0:
        return f"{value:.6g} ± 0"
    places = 1 - math.floor(math.log10(sigma))
    if abs(value) >= 1e6 or (value and abs(value) < 1e-4):
        power = math.floor(math.log10(abs(value)))
        scale = 10.0**power
        digits = max(places + power, 0)
        return f"({value / scale:.{digits}f} ± {sigma / scale:.{digits}f}) × 10^{power}"
    return f"{value:.{max(places, 0)}f} ± {sigma:.{max(places, 0)}f}"


def _drawn(layers: list[dict[str, Any]], growth: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the stack from the top down with heights in proportion to the nominal thicknesses."""
    total = sum(layer["nominal_thickness_nm"] for layer in layers) or 1.0
    drawn = [
        {
            "text": f"{layer['material']} {layer['nominal_thickness_nm']:g} nm {layer['layer_role'] or ''}".strip(),
            "height": max(18.0, 180.0 * layer["nominal_thickness_nm"] / total),
            "colour": _LAYER_COLOURS.get(layer["material"], "#8a8a8a"),
        }
        for layer in reversed(layers)
    ]
    if growth is not None:
        facing = f" ({growth['substrate_orientation']})" if growth["substrate_orientation"] else ""
        text = f"{growth['substrate_material']}{facing} substrate"
        drawn.append(
            {"text": text, "height": 34.0, "colour": _LAYER_COLOURS.get(growth["substrate_material"], "#8a8a8a")}
        )
    return drawn


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rutile_assets.results", "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["measured"] = lambda row: measured(row["value"], row["sigma"])
    return environment
