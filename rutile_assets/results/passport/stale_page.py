"""The page of what is out of date: each change with what it makes stale, and each film with what of it is stale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.change import listed
from rutile_assets.provenance.context import utc_now
from rutile_assets.provenance.film_asset import Room
from rutile_assets.provenance.stale import Stale, stale_assets
from rutile_assets.results.passport.render import put, rendered

STALE_PAGE = "stale.html"
MOST_FILMS = 200  # that the page tells one by one


def write_stale(lake: Lake, home: Home, rooms: Sequence[Room]) -> Path:
    """Write reports/stale.html as things stand now and return its path."""
    assets = sorted((asset for room in rooms for asset in room.assets), key=lambda asset: asset.spans_films)
    found = stale_assets(lake, home, assets)
    films: dict[str, list[Stale]] = defaultdict(list)
    for one in found:
        films[one.growth_id or ""].append(one)
    across = films.pop("", [])
    shown = dict(list(films.items())[:MOST_FILMS])
    path = home.reports / STALE_PAGE
    put(
        path,
        rendered(
            "stale.html", root="", causes=_causes(found), films=shown, across=across, count=len(found),
            films_count=len(films), more=len(films) - len(shown), now=utc_now(), snapshot=lake.snapshot(),
        ),
    )  # fmt: skip
    return path


def _causes(found: Sequence[Stale]) -> list[dict[str, Any]]:
    """Return changes with the results that they make stale, those of the same results together, most first."""
    behind: dict[str, dict[tuple[str | None, str], None]] = defaultdict(dict)
    first: dict[str, str] = {}
    for one in found:
        for asset, text in one.roots:
            behind[text][one.growth_id, one.asset] = None
            first.setdefault(text, asset)
    alike: dict[frozenset[tuple[str | None, str]], list[str]] = defaultdict(list)
    for text, results in behind.items():
        alike[frozenset(results)].append(text)
    return [
        {
            "texts": texts, "first": first[texts[0]], "count": len(results),
            "assets": list(dict.fromkeys(asset for _, asset in behind[texts[0]])),
            "films": listed(list({film: None for film, _ in behind[texts[0]] if film is not None})),
        }
        for results, texts in sorted(alike.items(), key=lambda item: -len(item[0]))
    ]  # fmt: skip
