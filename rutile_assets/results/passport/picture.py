"""The lineage of one number, of a series, or of one raw file as a picture of its own: an SVG, or a page with steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance import trace
from rutile_assets.provenance.materialize import simulated_mark
from rutile_assets.results.passport.lineage import drawn_lineage
from rutile_assets.results.passport.numbers import label, measured
from rutile_assets.results.passport.render import put, rendered


@dataclass(frozen=True)
class Picture:
    """A drawn lineage, its title, and the steps that are drawn with how each was made."""

    title: str
    lineage: dict[str, Any]
    steps: Sequence[dict[str, Any]]
    is_simulated: bool

    def write(self, path: Path) -> None:
        """Write it as path says: .svg, or .html with the table of steps.

        Raises
        ------
        InvalidRecord
            Another ending.
        """
        if path.suffix.lower() == ".svg":
            mark = ", simulated data" if self.is_simulated else ""
            put(path, rendered("picture_alone.html", lineage=self.lineage, title=self.title + mark).strip() + "\n")
        elif path.suffix.lower() in (".html", ".htm"):
            style = (resources.files("rutile_assets.results.passport") / "static" / "passport.css").read_text("utf-8")
            values = {"title": self.title, "lineage": self.lineage, "steps": self.steps}
            page = rendered("lineage_picture.html", **values, style=style, is_simulated=self.is_simulated)
            put(path, page)
        else:
            raise InvalidRecord(f"a picture named {path.name}", "a name that ends in .svg or .html", "Rename it.")


def picture_of_numbers(lake: Lake, numbers: Sequence[Mapping[str, Any]]) -> Picture:
    """Return the picture of numbers (rows of ``results``): versions and files, or groups of films for a series."""
    entity_ids = sorted({row["entity_id"] for row in numbers})
    first = numbers[0]
    whose = first["growth_id"] or first["series"] or "all films"
    title = f"Lineage of {label(first['quantity']) if first['quantity'] else first['asset']} of {whose}"
    simulated = simulated_mark(lake, first["growth_id"])
    shown = [_number(row) for row in numbers if row["quantity"]]
    if any(row["growth_id"] is None for row in numbers):
        return Picture(title, drawn_groups(trace.grouped(lake, entity_ids), entity_ids, lake, shown), [], simulated)
    only_file = first["file_id"] if len({row["file_id"] for row in numbers}) == 1 else None
    lineage = trace.lineage_of(lake, entity_ids, only_file)
    return Picture(title, _drawn(lineage, shown), trace.records(lineage.steps), simulated)


def picture_of_file(lake: Lake, named: str) -> Picture:
    """Return the picture of a raw file: what was made of it, and every current number that rests on it."""
    files = trace.files_named(lake, named)
    ids = [row["file_id"] for row in files]
    numbers = [row for row in trace.forward(lake, named) if row["is_current"]]
    entities = lake.rows(_OWNERS, [[row["result_id"] for row in numbers]])
    owner = {row["result_id"]: row for row in entities}
    films = {row["growth_id"] for row in files}
    own = [row for row in numbers if owner[row["result_id"]]["of_film"] in films]
    lineage = trace.lineage_of(lake, sorted({owner[row["result_id"]]["entity_id"] for row in own}) or ids)
    kept = lineage.steps[(lineage.steps.kind == "asset") | lineage.steps.entity_id.isin(ids)]
    reaches = _descendants(lineage, ids)
    kept = kept[kept.entity_id.isin(reaches)]
    shown = [_number({**row, "entity_id": owner[row["result_id"]]["entity_id"]}) for row in own]
    title = f"What rests on {files[-1]['growth_id']}/{files[-1]['original_path']}"
    across = len(numbers) - len(own)
    if across:
        title += f" (and {across} numbers of what spans films)"
    simulated = simulated_mark(lake, files[-1]["growth_id"])
    return Picture(title, _drawn(trace.Lineage(kept, lineage.edges), shown), trace.records(kept), simulated)


_OWNERS = """
    SELECT result.result_id, result.entity_id, entity.growth_id AS of_film
    FROM lake.result INNER JOIN lake.entity ON result.entity_id = entity.entity_id
    WHERE result.result_id IN (SELECT unnest(?::BIGINT[]))
"""


def _descendants(lineage: trace.Lineage, ids: Sequence[int]) -> set[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for child, parent, _ in lineage.edges.itertuples(index=False):
        children[parent].append(child)
    found, waiting = set(ids), list(ids)
    while waiting:
        new = set(children[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def _number(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "label": label(row["quantity"]), "shown": measured(row["value"], row["sigma"])}


def _drawn(lineage: trace.Lineage, numbers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Draw versions and files; settings that a file was read with stand beside its name."""
    rows = trace.records(lineage.steps)
    paths = {row["entity_id"]: row["original_path"] for row in rows if row["kind"] == "raw_file"}
    beside: dict[int, list[str]] = defaultdict(list)
    edges = []
    for child, parent, _ in lineage.edges.itertuples(index=False):
        if child in paths and parent in paths:
            beside[child].append(str(paths[parent]).split("/")[-1])
        else:
            edges.append({"child": child, "parent": parent})
    files = [
        {
            "file_id": row["entity_id"], "technique": row["asset"],
            "original_path": " + ".join([row["original_path"], *beside[row["entity_id"]]]),
        }
        for row in rows if row["kind"] == "raw_file"
    ]  # fmt: skip
    entities = [{**row, "stale": ()} for row in rows if row["kind"] == "asset"]
    return drawn_lineage(files, entities, edges, numbers)


def drawn_groups(
    groups: trace.Groups, entity_ids: Sequence[int], lake: Lake, numbers: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Draw groups of films: an asset's versions are one box, the files of a technique another; boxes lead to #group-.

    Parameters
    ----------
    groups : Groups
        From `trace.grouped`.
    entity_ids : sequence of int
        What it started from: the owners of the numbers.
    lake : Lake
        The lake.
    numbers : sequence of dict
        Rows of ``results`` with label and shown.
    """
    place = {(row["kind"], row["asset"]): at for at, row in enumerate(groups.steps, 1)}
    asset_of = {
        row["entity_id"]: row["asset"]
        for row in lake.rows(
            "SELECT entity_id, asset FROM lake.entity WHERE entity_id IN (SELECT unnest(?::BIGINT[]))",
            [list(entity_ids)],
        )
    }
    files, entities = [], []
    for row in groups.steps:
        many = f" × {row['entities_count']}" if row["films_count"] else ""
        if row["kind"] == "raw_file":
            told = f"{row['asset']}: {row['entities_count']} files of {row['films_count']} films"
            files.append(
                {"file_id": place[row["kind"], row["asset"]], "technique": row["asset"], "original_path": told}
            )
        else:
            entity = {"entity_id": place[row["kind"], row["asset"]], "asset": row["asset"], "stale": ()}
            entities.append({**entity, "label": row["asset"] + many})
    edges = [
        {"child": place[row["child_kind"], row["child"]], "parent": place[row["parent_kind"], row["parent"]]}
        for row in groups.links
        if row["child_kind"] == "asset"
    ]
    placed = [{**row, "entity_id": place["asset", asset_of[row["entity_id"]]], "file_id": None} for row in numbers]
    drawn = drawn_lineage(files, entities, edges, placed)
    kinds = {f"{'file' if kind == 'raw_file' else 'entity'}-{at}": (kind, name) for (kind, name), at in place.items()}
    for node in drawn["nodes"]:
        if node["id"] in kinds:
            node["href"] = f"#{group_anchor(*kinds[node['id']])}"
    return drawn


def group_anchor(kind: str, asset: str) -> str:
    """Return where a page tells of a group: an asset of films, or the raw files of a technique."""
    return f"group-files-{asset}" if kind == "raw_file" else f"group-{asset}"
