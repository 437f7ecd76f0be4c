"""A page a series: its numbers, and the lineage of each, films collapsed into groups that open."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance import trace
from rutile_assets.provenance.materialize import simulated_mark
from rutile_assets.results.passport.numbers import label, measured
from rutile_assets.results.passport.picture import drawn_groups, group_anchor
from rutile_assets.results.passport.render import digest_of_code, put, rendered, state_of

MOST_NAMED = 120  # members of a group that the page names; of each film and file where there are fewer
_NUMBERS = """
    SELECT results.*, entity.asset FROM results INNER JOIN lake.entity AS entity ON results.entity_id = entity.entity_id
    WHERE results.growth_id IS NULL AND results.is_current
    ORDER BY results.technique, results.quantity, results.temperature_k, results.subject, results.result_id
"""
_MEMBERS = """
    SELECT named.kind, named.asset, named.entity_id, named.growth_id, file.original_path,
        growth.series IS NOT DISTINCT FROM $1 AS is_of_series
    FROM named
    LEFT JOIN lake.raw_file AS file ON named.entity_id = file.file_id
    LEFT JOIN lake.growth AS growth ON named.growth_id = growth.growth_id
    QUALIFY row_number() OVER (
        PARTITION BY named.kind, named.asset ORDER BY is_of_series DESC, named.growth_id, file.original_path
    ) <= $2
    ORDER BY ALL
"""


def series_path(home: Home, series: str | None) -> Path:
    """Return where the page of a series stands."""
    name = series or "all films"
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.") or "series"
    if plain != name:
        plain += "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return home.reports / "series" / plain / "index.html"


def write_series_lineage(lake: Lake, home: Home) -> dict[str, str]:
    """Write reports/series/<series>/index.html of each series that has numbers, where what it shows has changed.

    Returns
    -------
    dict of str to str
        Series ("" for numbers that belong to none) -> address of its page from the index.
    """
    of_series: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lake.rows(_NUMBERS):
        of_series[row["series"] or ""].append(row)
    written = {}
    for series, numbers in of_series.items():
        path = series_path(home, series)
        shown = [(row["result_id"], row["value"], row["sigma"]) for row in numbers]
        state = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:20] + digest_of_code()
        if state_of(path) != state:
            path.parent.mkdir(parents=True, exist_ok=True)
            put(path, _page(lake, series, numbers, state))
        written[series] = path.relative_to(home.reports).as_posix()
    return written


def _page(lake: Lake, series: str, numbers: Sequence[dict[str, Any]], state: str) -> str:
    told = [{**row, "label": label(row["quantity"]), "shown": measured(row["value"], row["sigma"])} for row in numbers]
    entity_ids = sorted({row["entity_id"] for row in numbers})
    groups, members = trace.grouped_with(lake, entity_ids, _MEMBERS, [series or None, MOST_NAMED])
    named: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in members:
        named[row["kind"], row["asset"]].append(row)
    opened = [
        {
            "anchor": group_anchor(row["kind"], row["asset"]), "kind": row["kind"], "asset": row["asset"],
            "films": row["films_count"], "count": row["entities_count"], "members": named[row["kind"], row["asset"]],
            "more": row["entities_count"] - len(named[row["kind"], row["asset"]]),
        }
        for row in groups.steps
    ]  # fmt: skip
    return rendered(
        "series.html", root="../../", state=state, series=series or "all films", numbers=told, groups=opened,
        lineage=drawn_groups(groups, entity_ids, lake, told), is_simulated=simulated_mark(lake, None),
        snapshot=lake.snapshot(),
    )  # fmt: skip
