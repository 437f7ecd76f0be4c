"""From a number back to bytes, and from a file forward to every number that rests on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake

_PARENTS = "SELECT child, parent, role FROM lake.edge WHERE child IN ({ids})"
_DETAILS = """
    SELECT entity.entity_id, entity.kind, entity.asset, entity.data_version, entity.activity_id,
        activity.code_version, activity.parameters, activity.snapshot, activity.started_at,
        raw_file.original_path, raw_file.sha256, raw_file.reader, raw_file.growth_id
    FROM lake.entity
    INNER JOIN lake.activity ON entity.activity_id = activity.activity_id
    LEFT JOIN (FROM lake.raw_file WHERE file_id IN ({ids})) AS raw_file ON entity.entity_id = raw_file.file_id
    WHERE entity.entity_id IN ({ids})
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
    """Return the results of a film, or of a series, that have this quantity, the current ones unless `everything`.

    Raises
    ------
    InvalidRecord
        The film has no such number; the message lists those it has.
    """
    rows = lake.rows(
        "SELECT * FROM results WHERE (growth_id = $1 OR series = $1) AND (is_current OR $2)", [growth_id, everything]
    )
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
    edges: list[dict[str, Any]] = []
    seen, level = {entity_id}, {entity_id}
    while level:  # a level a query: a list of ids lets the lake skip the files that cannot hold them
        found = lake.rows(_PARENTS.format(ids=_listed(level)))
        edges += found
        level = {row["parent"] for row in found} - seen
        seen |= level
    details = {row["entity_id"]: row for row in lake.rows(_DETAILS.format(ids=_listed(seen)))}
    if entity_id not in details:
        raise InvalidRecord(f"no entity {entity_id}", "an entity_id of `results`", "Take it from rutile sql.")
    below: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for row in edges:
        below[row["child"]].append((row["parent"], row["role"]))

    def step(entity: int, depth: int, role: str) -> Step:
        row = details[entity]
        order = sorted(below[entity], key=lambda p: (p[1], str(details[p[0]]["original_path"]), p[0]))
        parents = tuple(step(parent, depth + 1, how) for parent, how in order)
        return Step(entity, depth, row["kind"], row["asset"], role, row, parents)

    return step(entity_id, 0, "result")


def _listed(ids: set[int]) -> str:
    return ", ".join(str(int(i)) for i in sorted(ids))


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
