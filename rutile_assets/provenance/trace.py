"""From a number back to bytes, and from a file forward to every number that rests on it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as arrow

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake, Reading

Ids = pd.Index
_LISTED = 2000  # ids that stand in a query by themselves, so that the lake skips the files that cannot hold them
_ENTITIES = "SELECT entity_id, kind, asset, growth_id, data_version, activity_id FROM lake.entity WHERE {entity_id}"
_ACTIVITIES = """
    SELECT activity_id, run_id, code_version, parameters, seed, snapshot, started_at, wall_time_s
    FROM lake.activity WHERE {activity_id}
"""
_FILES = "SELECT file_id AS entity_id, original_path, sha256, reader FROM lake.raw_file WHERE {file_id}"
_RUNS = """
    SELECT run.run_id, run.git_commit, run.git_dirty, run.trigger, environment.python, environment.platform,
        environment.environment_id
    FROM lake.run LEFT JOIN lake.environment AS environment ON run.environment_id = environment.environment_id
    WHERE {run_id}
"""
_REACHED = """
    WITH RECURSIVE up(entity_id) AS (
        SELECT unnest([{starts}]::BIGINT[])
        UNION
        SELECT edge.parent FROM lake.edge INNER JOIN up ON edge.child = up.entity_id
    )

    SELECT entity_id, kind, asset, growth_id FROM lake.entity SEMI JOIN up USING (entity_id)
"""
_LINKS = """
    SELECT child.asset AS child, child.kind AS child_kind, parent.asset AS parent, parent.kind AS parent_kind,
        count(*) AS links_count
    FROM lake.edge
    INNER JOIN named AS child ON edge.child = child.entity_id
    INNER JOIN named AS parent ON edge.parent = parent.entity_id
    GROUP BY ALL ORDER BY ALL
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
        data_version, activity_id, code_version, parameters, snapshot, original_path, sha256, reader, python, ...
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


@dataclass(frozen=True)
class Lineage:
    """Everything that some entities were made from.

    Parameters
    ----------
    steps : DataFrame
        One row an entity: entity_id, depth (steps from the nearest start), kind, asset, growth_id, data_version,
        activity_id, code_version, parameters, seed, snapshot, started_at, wall_time_s, original_path, sha256, reader,
        git_commit, git_dirty, trigger, python, platform, environment_id.
    edges : DataFrame
        child, parent, role.
    """

    steps: pd.DataFrame
    edges: pd.DataFrame


@dataclass(frozen=True)
class Groups:
    """A lineage with the versions of one asset, and the raw files of one technique, as one step each.

    Parameters
    ----------
    steps : list of dict
        kind, asset, entities_count, films_count (0 for what spans films).
    links : list of dict
        child, child_kind, parent, parent_kind, links_count.
    """

    steps: list[dict[str, Any]]
    links: list[dict[str, Any]]


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


def result_numbered(lake: Lake, identity: int) -> dict[str, Any] | None:
    """Return the result with this result_id, whether it is current or not; None where there is none."""
    rows = lake.rows("SELECT * FROM results WHERE result_id = ?", [identity])
    return rows[0] if rows else None


def lineage_of(lake: Lake, entity_ids: Iterable[int], only_file: int | None = None) -> Lineage:
    """Return everything that entities were made from, down to the raw files, each once.

    Parameters
    ----------
    lake : Lake
        The lake.
    entity_ids : iterable of int
        Where to start.
    only_file : int, optional
        Of a number that rests on one raw file: the other files that the same versions read are left out.

    Raises
    ------
    InvalidRecord
        There is no such entity.
    """
    starts = pd.Index(list(dict.fromkeys(entity_ids)), dtype="int64")
    found: list[pd.DataFrame] = []
    depth = [starts]
    seen = level = starts
    with lake.reading() as ask:
        while len(level):
            edges = _asked(ask, "SELECT child, parent, role FROM lake.edge WHERE {child}", child=level)
            if only_file is not None:
                reads_it = edges.child.isin(edges.child[edges.parent == only_file])
                edges = edges[~(reads_it & (edges.role == "file") & (edges.parent != only_file))]
            found.append(edges)
            level = pd.Index(edges.parent.unique(), dtype="int64").difference(seen, sort=False)
            seen = seen.append(level)
            depth.append(level)
        steps = _steps(ask, seen)
    missing = starts.difference(pd.Index(steps.entity_id))
    if len(missing):
        raise InvalidRecord(f"no entity {missing[0]}", "an entity_id of `results`", "Take it from rutile sql.")
    away = pd.Series(np.repeat(range(len(depth)), [len(ids) for ids in depth]), index=seen, dtype="int64")
    steps.insert(1, "depth", steps.entity_id.map(away))
    order = ["depth", "kind", "asset", "growth_id", "original_path", "entity_id"]
    return Lineage(steps.sort_values(order, ignore_index=True), pd.concat(found, ignore_index=True))


def _steps(ask: Reading, ids: Ids) -> pd.DataFrame:
    """Return what is known of entities; each table is asked by ids, which skips most of its files."""
    steps = _asked(ask, _ENTITIES, entity_id=ids)
    activities = _asked(ask, _ACTIVITIES, activity_id=pd.Index(steps.activity_id.unique()))
    files = _asked(ask, _FILES, file_id=pd.Index(steps.entity_id[steps.kind == "raw_file"]))
    runs = _asked(ask, _RUNS, run_id=pd.Index(activities.run_id.dropna().unique()))
    return (
        steps.merge(activities, "left", on="activity_id").merge(runs, "left", on="run_id").merge(
            files, "left", on="entity_id")
    )  # fmt: skip


def _asked(ask: Reading, sql: str, **ids: Ids) -> pd.DataFrame:
    """Run a query whose {column} holds for ids of a list, however long the list."""
    conditions = {}
    for column, listed in ids.items():
        name = "run.run_id" if column == "run_id" else column
        if len(listed) <= _LISTED:
            conditions[column] = f"{name} IN ({', '.join(map(str, listed)) or '0'})"
        else:
            ask.give(f"ids_of_{column}", arrow.table({"id": arrow.array(listed, arrow.int64())}))
            conditions[column] = f"{name} IN (SELECT id FROM ids_of_{column})"
    return cast("pd.DataFrame", ask.arrow(sql.format(**conditions)).to_pandas())


def back(lake: Lake, entity_id: int) -> Step:
    """Return the tree of everything that an entity was made from, down to the raw files."""
    return tree_of(lineage_of(lake, [entity_id]), entity_id)


def tree_of(lineage: Lineage, entity_id: int) -> Step:
    """Return a lineage as a tree below one of its entities; what serves several is one object that each of them has."""
    details = {row["entity_id"]: row for row in records(lineage.steps)}
    below: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for child, parent, role in lineage.edges.itertuples(index=False):
        below[child].append((parent, role))
    made: dict[tuple[int, str], Step] = {}

    def step(entity: int, role: str) -> Step:
        if (entity, role) not in made:
            row = details[entity]
            order = sorted(below[entity], key=lambda p: (p[1], str(details[p[0]]["original_path"]), p[0]))
            parents = tuple(step(parent, how) for parent, how in order)
            made[entity, role] = Step(entity, row["depth"], row["kind"], row["asset"], role, row, parents)
        return made[entity, role]

    return step(entity_id, "result")


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dicts of plain Python values, None where there is none."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in rows.astype(object).to_dict("records")
    ]


def grouped(lake: Lake, entity_ids: Iterable[int]) -> Groups:
    """Return what entities were made from, films grouped: hundreds of versions of 21 films become a step an asset."""
    return grouped_with(lake, entity_ids, None, [])[0]


def grouped_with(
    lake: Lake, entity_ids: Iterable[int], members: str | None, values: Sequence[object]
) -> tuple[Groups, list[dict[str, Any]]]:
    """Return `grouped`, and an answer about ``named``: entity_id, kind, asset, growth_id of all in it."""
    starts = ", ".join(str(int(i)) for i in entity_ids)
    with lake.reading() as ask:
        ask.make("named", _REACHED.format(starts=starts or "0"))
        steps = ask.rows(
            "SELECT kind, asset, count(*) AS entities_count, count(DISTINCT growth_id) AS films_count"
            " FROM named GROUP BY ALL ORDER BY ALL"
        )
        links = ask.rows(_LINKS)
        named = ask.rows(members, values) if members else []
    return Groups(steps, links), named


def files_named(lake: Lake, sha256_or_path: str) -> list[dict[str, Any]]:
    """Return the rows of ``raw_file`` with this sha256 (or its start) or this path in the film, every version.

    Raises
    ------
    InvalidRecord
        No such file was accepted.
    """
    files = lake.rows(
        "SELECT * FROM lake.raw_file WHERE sha256 LIKE ? || '%' OR original_path = ?"
        " OR growth_id || '/' || original_path = ? ORDER BY file_id",
        [sha256_or_path, sha256_or_path, sha256_or_path],
    )
    if not files:
        raise InvalidRecord(
            f"no raw file {sha256_or_path!r}", "a path or sha256 of raw_file", "rutile sql 'FROM raw_file'."
        )
    return files


def forward(lake: Lake, sha256_or_path: str) -> list[dict[str, Any]]:
    """Return every number that rests on a raw file, by the file's sha256 (or its start) or its path in the film.

    Raises
    ------
    InvalidRecord
        No such file was accepted.
    """
    ids = [row["file_id"] for row in files_named(lake, sha256_or_path)]
    return lake.rows(_FORWARD, [ids, ids])


def raw_files(step: Step) -> Sequence[Step]:
    """Return the raw files at the ends of a tree, each once."""
    found: dict[int, Step] = {}
    waiting, seen = [step], set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        if here.kind == "raw_file":
            found[here.entity_id] = here
        waiting.extend(here.parents)
    return sorted(found.values(), key=lambda s: str(s.details.get("original_path")))


def parameters_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a step as values."""
    return dict(json.loads(row["parameters"] or "{}"))
