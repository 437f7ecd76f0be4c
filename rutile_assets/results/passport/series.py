"""Pages of what spans films: the paper's claims, the figures for print, and the lineage of both."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.materialize import prints_path
from rutile_assets.results.passport.numbers import measured
from rutile_assets.results.passport.render import digest_of_code, put, rendered, state_of

FIGURES = ("figure_1", "figure_2", "figure_3", "figure_4")
CLAIMS, FIGURES_PAGE, LINEAGE = "claims.html", "figures.html", "lineage.html"
MOST_FILMS = 60  # of one parent that are named
_HEAD = 6000  # bytes of an SVG within which its metadata stand
_ACTIVITY = re.compile(r"activity (\d+)")
_ENTITIES = """
    SELECT entity.entity_id, entity.asset, entity.data_version, entity.activity_id, activity.code_version,
        activity.parameters, activity.seed, activity.started_at, activity.wall_time_s, run.git_commit, run.git_dirty,
        run.trigger, entity.entity_id = max(entity.entity_id) OVER (PARTITION BY entity.asset) AS is_current
    FROM lake.entity AS entity
    INNER JOIN lake.activity AS activity USING (activity_id)
    LEFT JOIN lake.run AS run USING (run_id)
    WHERE entity.kind = 'asset' AND entity.growth_id IS NULL
    QUALIFY is_current OR entity.activity_id IN (SELECT unnest(?::BIGINT[]))
    ORDER BY entity.asset, entity.entity_id DESC
"""
_PARENTS = """
    SELECT edge.child, parent.entity_id, parent.asset, parent.growth_id
    FROM lake.edge INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
    WHERE edge.child IN (SELECT unnest(?::BIGINT[])) ORDER BY parent.asset, parent.growth_id
"""


def write_series_pages(lake: Lake, home: Home) -> list[tuple[str, str]]:
    """Write claims.html, figures.html and lineage.html, where what they show has changed.

    Parameters
    ----------
    lake, home
        The lab's.

    Returns
    -------
    list of (str, str)
        Address and name of each of the pages that there is.
    """
    files = {path.stem: _activity_of(path) for path in sorted(prints_path(home).glob("*.svg"))}
    entities = lake.rows(_ENTITIES, [sorted({made for made in files.values() if made is not None})])
    names = [(CLAIMS, "Claims"), (FIGURES_PAGE, "Figures"), (LINEAGE, "Lineage of series")]
    if not entities:
        return []
    shown = [(row["entity_id"], row["is_current"]) for row in entities]
    state = hashlib.sha256(json.dumps([shown, files]).encode()).hexdigest()[:20] + digest_of_code()
    if any(state_of(home.reports / name) != state for name, _ in names):
        common = {"root": "", "state": state, "pages": names}
        made = {row["entity_id"] for row in entities}
        put(home.reports / CLAIMS, rendered("claims.html", **common, **_claims(lake, made)))
        put(home.reports / FIGURES_PAGE, rendered("figures.html", **common, figures=_figures(lake, files)))
        put(home.reports / LINEAGE, rendered("lineage.html", **common, entities=_with_parents(lake, entities)))
    return names


def _claims(lake: Lake, made: set[int]) -> dict[str, Any]:
    rows = lake.rows("SELECT * FROM lake.claims ORDER BY claim_number")
    for row in rows:
        row["lineage"] = _lineage_of(row, made)
        row["ours"] = "" if row["found_reading"] is None else _told(row)
    verdicts: dict[str, int] = defaultdict(int)
    for row in rows:
        verdicts[row["claim_verdict"]] += 1
    return {
        "claims": rows,
        "verdicts": dict(verdicts),
        "benchmark": lake.rows("SELECT * FROM lake.claims_benchmark ORDER BY benchmark_index"),
        "is_simulated": any(row["is_simulated"] for row in rows),
    }


def _told(row: Mapping[str, Any]) -> str:
    if row["claim_kind"] != "lake":
        return f"{row['found_reading']:.4g}".replace("-", "−")
    return measured(row["found_reading"], row["found_sigma_reading"])


def _lineage_of(row: Mapping[str, Any], made: set[int]) -> str | None:
    """Return the address that leads from a claim's number to what it was made from."""
    if row["growth_id"] and row["found_result_id"] is not None:
        return f"films/{row['growth_id']}/index.html#number-{row['found_result_id']}"
    if row["found_entity_id"] in made:
        return f"{LINEAGE}#entity-{row['found_entity_id']}"
    return None


def _figures(lake: Lake, files: Mapping[str, int | None]) -> list[dict[str, Any]]:
    figures = []
    for name in FIGURES:
        panels = lake.rows(
            f'SELECT shown.*, entity.activity_id FROM lake."{name}" AS shown'
            " INNER JOIN lake.entity AS entity ON shown.entity_id = entity.entity_id ORDER BY panel_letter"
        )
        for panel in panels:
            panel["file"] = f"{name}{panel['panel_letter']}"
            panel["activity_id"] = files.get(panel["file"]) or panel["activity_id"]
            panel["films"] = panel["shown_growth_ids"].split()
            panel["assets"] = panel["shown_assets"].split()
        if panels:
            whole = name if name in files and len(panels) > 1 else None
            title = lake.tables[name].description.split(";")[0].removeprefix("Panels of ")
            simulated = any(panel["is_simulated"] for panel in panels)
            figures.append(
                {"name": name, "title": title, "panels": panels, "whole": whole, "activity_id": files.get(name),
                 "is_simulated": simulated}
            )  # fmt: skip
    return figures


def _with_parents(lake: Lake, entities: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return versions of what spans films, each with what it was made from, by asset."""
    of_child: dict[int, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for edge in lake.rows(_PARENTS, [[row["entity_id"] for row in entities]]):
        of_child[edge["child"]][edge["asset"]].append(edge)
    here = {row["entity_id"] for row in entities}
    for row in entities:
        row["parameters"] = json.loads(row["parameters"])
        row["parents"] = [_parents(asset, edges, here) for asset, edges in of_child[row["entity_id"]].items()]
    return list(entities)


def _parents(asset: str, edges: Iterable[Mapping[str, Any]], here: set[int]) -> dict[str, Any]:
    films = [(e["growth_id"], e["entity_id"]) for e in edges if e["growth_id"] is not None]
    across = [(e["entity_id"], e["entity_id"] in here) for e in edges if e["growth_id"] is None]
    return {"asset": asset, "films": films[:MOST_FILMS], "more": max(len(films) - MOST_FILMS, 0), "across": across}


def _activity_of(svg: Path) -> int | None:
    """Return the activity that a figure names, read off its head."""
    with svg.open(encoding="utf-8") as handle:
        found = _ACTIVITY.search(handle.read(_HEAD))
    return int(found.group(1)) if found else None
