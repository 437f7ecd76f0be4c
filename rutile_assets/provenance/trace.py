"""From a number back to bytes, and from a file forward to every number that rests on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake

_BACK = """
    WITH RECURSIVE up(child, parent, role, depth) AS (
        SELECT child, parent, role, 1 FROM lake.edge WHERE child = ?
        UNION
        SELECT edge.child, edge.parent, edge.role, up.depth + 1 FROM lake.edge INNER JOIN up ON edge.child = up.parent
    )
    SELECT up.child, up.parent, up.role, up.depth, entity.kind, entity.asset, entity.data_version,
        entity.activity_id, activity.code_version, activity.parameters, activity.snapshot, activity.started_at,
        raw_file.original_path, raw_file.sha256, raw_file.reader, raw_file.growth_id
    FROM up
    INNER JOIN lake.entity ON up.parent = entity.entity_id
    INNER JOIN lake.activity ON entity.activity_id = activity.activity_id
    LEFT JOIN lake.raw_file ON up.parent = raw_file.file_id
    ORDER BY up.depth, up.role, raw_file.original_path, up.parent
"""
_FORWARD = """
    WITH RECURSIVE down(entity_id) AS (
        SELECT unnest(?::BIGINT[])
        UNION
        SELECT edge.child FROM lake.edge INNER JOIN down ON edge.parent = down.entity_id
    )
    SELECT * EXCLUDE (entity_id) FROM results
    WHERE entity_id IN (SELECT entity_id FROM down) AND (file_id IS NULL OR file_id IN (SELECT unnest(?::BIGINT[])))
    ORDER BY is_current DESC, technique, quantity, subject, result_id
"""


@dataclass(frozen=True)
class Step:
    """One step back from a number.

    Parameters
    ----------
    entity_id, depth : int
        The entity, and how many steps from the number it stands.
    kind, asset, role : str
        raw_file or asset; its name; what it served as.
    details : dict
        data_version, activity_id, code_version, parameters, snapshot, original_path, sha256, reader.
    parents : tuple of Step
        What it was made from.
    """

    entity_id: int
    depth: int
    kind: str
    asset: str
    role: str
    details: dict[str, Any]
    parents: tuple[Step, ...]


def results_named(lake: Lake, growth_id: str, quantity: str, *, everything: bool = False) -> list[dict[str, Any]]:
    """Return the results of a film that have this quantity, the current ones unless `everything`.

    Raises
    ------
    InvalidRecord
        The film has no such number; the message lists those it has.
    """
    rows = lake.rows("SELECT * FROM results WHERE growth_id = ? AND (is_current OR ?)", [growth_id, everything])
    chosen = [row for row in rows if row["quantity"] == quantity]
    if not chosen:
        has = sorted({row["quantity"] for row in rows})
        raise InvalidRecord(
            f"no {quantity!r} of {growth_id!r}",
            f"one of {', '.join(has)}" if has else "a film with results",
            "rutile sql 'SELECT DISTINCT growth_id, quantity FROM results' lists them.",
        )
    return chosen


def back(lake: Lake, entity_id: int) -> Step:
    """Return the tree of everything that an entity was made from, down to the raw files."""
    top = lake.rows(
        "SELECT * FROM lake.entity INNER JOIN lake.activity USING (activity_id) WHERE entity_id = ?", [entity_id]
    )
    if not top:
        raise InvalidRecord(f"no entity {entity_id}", "an entity_id of `results`", "Take it from rutile sql.")
    below: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in lake.rows(_BACK, [entity_id]):
        if all(row["parent"] != other["parent"] or row["role"] != other["role"] for other in below[row["child"]]):
            below[row["child"]].append(row)

    def step(entity: int, depth: int, role: str, row: dict[str, Any]) -> Step:
        parents = tuple(step(p["parent"], depth + 1, p["role"], p) for p in below[entity])
        return Step(entity, depth, row["kind"], row["asset"], role, row, parents)

    return step(entity_id, 0, "result", top[0])


def forward(lake: Lake, sha256_or_path: str) -> list[dict[str, Any]]:
    """Return every number that rests on a raw file, by the file's sha256 (or its start) or its path in the film.

    Raises
    ------
    InvalidRecord
        No such file was accepted.
    """
    files = lake.rows(
        "SELECT file_id FROM lake.raw_file WHERE sha256 LIKE ? || '%' OR original_path = ?"
        " OR growth_id || '/' || original_path = ?",
        [sha256_or_path, sha256_or_path, sha256_or_path],
    )
    if not files:
        raise InvalidRecord(
            f"no raw file {sha256_or_path!r}", "a path or sha256 of raw_file", "rutile sql 'FROM raw_file'."
        )
    ids = [row["file_id"] for row in files]
    return lake.rows(_FORWARD, [ids, ids])


def raw_files(step: Step) -> Sequence[Step]:
    """Return the raw files at the ends of a tree, each once."""
    found: dict[int, Step] = {}
    waiting = [step]
    while waiting:
        here = waiting.pop()
        if here.kind == "raw_file":
            found[here.entity_id] = here
        waiting.extend(here.parents)
    return sorted(found.values(), key=lambda s: str(s.details.get("original_path")))
