"""What of a lake belongs to some films: the newest versions, all they were made from, and their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow as arrow

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.tables import ENTITY, PROVENANCE_TABLES
from rutile_assets.table import Table

OUTSIDE = Table(
    "outside",
    "Versions of films that are not in this crate, from which a number across films was also made.",
    "one entity",
    ("entity_id",),
    ENTITY.columns,
)
# tables whose rows an id of origin_number can name, and the column that holds it
NUMBERED = (("entity", "entity_id"), ("activity", "activity_id"), ("run", "run_id"), ("result", "result_id"))
_IDS = "IN (SELECT unnest($1::BIGINT[]))"
_FILMS = "IN (SELECT unnest($1::VARCHAR[]))"
_NEWEST = f"""
    SELECT entity_id FROM lake.entity WHERE kind = 'asset' AND (growth_id {_FILMS} OR growth_id IS NULL)
    QUALIFY entity_id = max(entity_id) OVER (PARTITION BY asset, growth_id)
"""
_FILES = f"SELECT file_id AS entity_id FROM current_raw_file WHERE growth_id {_FILMS}"
_FILE_ROWS = f"""
    SELECT * FROM lake.raw_file WHERE file_id {_IDS}
    UNION ALL
    SELECT newest.* FROM lake.raw_file AS newest
    WHERE newest.is_withdrawn AND (newest.growth_id, newest.original_path) IN (
        SELECT (growth_id, original_path) FROM lake.raw_file WHERE file_id {_IDS}
    )
    QUALIFY newest.file_id = max(newest.file_id) OVER (PARTITION BY newest.growth_id, newest.original_path)
"""
_REFUSED = f"""
    SELECT * FROM lake.rejected_file WHERE rejection_id IN
    (SELECT rejection_id FROM rejected_files WHERE growth_id {_FILMS})
"""
_OF_RESULTS = {
    "result_covariance": f"SELECT * FROM lake.result_covariance WHERE result_id {_IDS} AND other_result_id {_IDS}",
    "result_systematic": f"SELECT * FROM lake.result_systematic WHERE result_id {_IDS}",
}


@dataclass(frozen=True)
class Selection:
    """The rows of some films.

    Parameters
    ----------
    growth_ids : tuple of str
        The films.
    tables : dict of str to arrow.Table
        Rows of every table that has some, with units and descriptions in the fields' metadata, in the order of
        their keys.
    declared : mapping of str to Table
        The declarations of those tables.
    is_closed : bool
        Whether everything that the numbers across films rest on is here.
    """

    growth_ids: tuple[str, ...]
    tables: dict[str, arrow.Table]
    declared: Mapping[str, Table]
    is_closed: bool
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table as dicts; none where there is no such table."""
        if name not in self._rows:
            self._rows[name] = self.tables[name].to_pylist() if name in self.tables else []
        return self._rows[name]

    @cached_property
    def newest(self) -> datetime:
        """When the newest step was taken: the crate's date, so that the same lake gives the same bytes."""
        moments = [row["started_at"] for row in self.rows("activity")]
        newest: datetime = max(moments + [row["ingested_at"] for row in self.rows("raw_file")])
        return newest

    @cached_property
    def places(self) -> dict[int, str]:
        """Where each raw file stands in the crate, by file_id: what was replaced stands apart; withdrawn, nowhere."""
        newest = {(row["growth_id"], row["original_path"]): row["file_id"] for row in self.rows("raw_file")}
        return {
            row["file_id"]: place_of(row, is_newest=newest[row["growth_id"], row["original_path"]] == row["file_id"])
            for row in self.rows("raw_file")
            if not row["is_withdrawn"]
        }

    @property
    def is_simulated(self) -> bool:
        """Whether any of the films is simulated."""
        return any(row["origin"] == "simulated" for row in self.rows("growth"))


def place_of(row: Mapping[str, Any], *, is_newest: bool) -> str:
    """Return where a raw file stands in a crate."""
    folder = "raw" if is_newest else f"superseded/{row['file_id']}"
    return f"{folder}/{row['growth_id']}/{row['original_path']}"


def films_of(lake: Lake, films: Sequence[str] | None, series: str | None) -> list[str]:
    """Return the films that were asked for: those named, those of a series, or all.

    Raises
    ------
    InvalidRecord
        A film or the series is not in the lake.
    """
    known = [row["growth_id"] for row in lake.rows("SELECT DISTINCT growth_id FROM current_raw_file ORDER BY 1")]
    if films is not None:
        missing = sorted(set(films) - set(known))
        if missing:
            raise InvalidRecord(
                f"no film {missing[0]!r}", f"one of {len(known)} films", "rutile sql 'FROM growth' lists them."
            )
        return sorted(set(films))
    if series is None:
        if not known:
            raise InvalidRecord("a lake without films", "at least one film", "rutile ingest takes files in.")
        return known
    found = lake.rows("SELECT growth_id FROM lake.growth WHERE series = ? ORDER BY growth_id", [series])
    if not found:
        names = [row["series"] for row in lake.rows("SELECT DISTINCT series FROM lake.growth ORDER BY series")]
        raise InvalidRecord(
            f"no series {series!r}", f"one of {', '.join(names)}" if names else "computed films",
            "rutile sql 'SELECT growth_id, series FROM growth'.",
        )  # fmt: skip
    return [row["growth_id"] for row in found]


def select(lake: Lake, growth_ids: Sequence[str]) -> Selection:
    """Return the rows that belong to films: newest versions, their lineage, data, numbers, refused files.

    What spans films comes along where it rests on one of these films; of its tables only rows about them, or about
    their series, unless it rests on these films alone.

    Raises
    ------
    InvalidRecord
        A film's growth.yaml has not been computed: nothing would say that simulated data are simulated.
    """
    films = list(growth_ids)
    roots = {row["entity_id"] for sql in (_NEWEST, _FILES) for row in lake.rows(sql, [films])}
    edges, entities = _ancestry(lake, roots)
    above = _ancestors(edges)
    spanning = {i for i in roots if entities[i]["growth_id"] is None}
    ours = {i for i, row in entities.items() if row["growth_id"] in films}
    across = {i for i in spanning if above(i) & ours}
    kept = {i for i in roots - spanning} | across
    inside = {i for root in kept for i in {root, *above(root)} if entities[i]["growth_id"] in {*films, None}}
    outside = {i for child, parent, _ in edges if child in inside and (i := parent) not in inside}
    tables: dict[str, arrow.Table] = {}

    def put(table: Table, sql: str, values: Sequence[object]) -> None:
        rows = _typed(table, lake.arrow(f"FROM ({sql}) ORDER BY {_order(table)}", values))
        if rows.num_rows:
            tables[table.name] = rows

    ids, lost = sorted(inside), sorted(outside)
    put(ENTITY, f"SELECT * FROM lake.entity WHERE entity_id {_IDS}", [ids])
    put(OUTSIDE, f"SELECT * FROM lake.entity WHERE entity_id {_IDS}", [lost])
    put(lake.tables["edge"], f"SELECT * FROM lake.edge WHERE child {_IDS}", [ids])
    put(lake.tables["raw_file"], _FILE_ROWS, [ids])
    put(lake.tables["rejected_file"], _REFUSED, [films])
    put(lake.tables["origin_film"], f"SELECT * FROM lake.origin_film WHERE growth_id {_FILMS}", [films])
    _put_data(lake, put, ids, films, is_closed=not outside)
    numbers = tables["result"].column("result_id").to_pylist() if "result" in tables else []
    for name, sql in _OF_RESULTS.items():
        put(lake.tables[name], sql, [numbers])
    _put_records(lake, put, tables)
    grown = set(tables["growth"].column("growth_id").to_pylist()) if "growth" in tables else set()
    if lost_films := sorted(set(films) - grown):
        raise InvalidRecord(
            f"{lost_films[0]}, of which growth.yaml was not computed: whether it is simulated cannot be told",
            "computed films", f"rutile run --films {','.join(lost_films)}",
        )  # fmt: skip
    declared = {name: lake.tables.get(name, OUTSIDE) for name in tables}
    return Selection(tuple(films), tables, declared, not outside)


def _ancestry(lake: Lake, roots: Iterable[int]) -> tuple[list[tuple[int, int, str]], dict[int, dict[str, Any]]]:
    """Return every edge above these entities, and the entities."""
    edges: list[tuple[int, int, str]] = []
    seen, level = set(roots), set(roots)
    while level:
        found = lake.rows(f"SELECT child, parent, role FROM lake.edge WHERE child {_IDS} ORDER BY ALL", [sorted(level)])
        edges += [(row["child"], row["parent"], row["role"]) for row in found]
        level = {row["parent"] for row in found} - seen
        seen |= level
    rows = lake.rows(f"SELECT entity_id, growth_id FROM lake.entity WHERE entity_id {_IDS}", [sorted(seen)])
    return edges, {row["entity_id"]: row for row in rows}


def _ancestors(edges: Iterable[tuple[int, int, str]]) -> Any:
    parents: dict[int, set[int]] = defaultdict(set)
    for child, parent, _ in edges:
        parents[child].add(parent)
    known: dict[int, set[int]] = {}

    def of(entity: int) -> set[int]:
        if entity not in known:
            found: set[int] = set()
            waiting = list(parents[entity])
            while waiting:
                here = waiting.pop()
                if here not in found:
                    found.add(here)
                    waiting.extend(parents[here])
            known[entity] = found
        return known[entity]

    return of


def _put_data(lake: Lake, put: Any, ids: list[int], films: list[str], *, is_closed: bool) -> None:
    """Put the rows of the tables that assets write, and of those that people write about a film, and the results."""
    done = {table.name for table in PROVENANCE_TABLES} - {"result", "verification"}
    named = lake.rows(f"SELECT DISTINCT asset FROM lake.entity WHERE entity_id {_IDS} AND kind = 'asset'", [ids])
    made = {row["asset"] for row in named}
    series = [
        row["series"] for row in lake.rows(f"SELECT DISTINCT series FROM lake.growth WHERE growth_id {_FILMS}", [films])
    ]
    for name, table in lake.tables.items():
        columns = set(table.column_names)
        if name in done:
            continue
        if "entity_id" in columns:
            if name not in ("result", "verification") and not any(name == a or name.startswith(f"{a}_") for a in made):
                continue
            sql = f'SELECT * FROM lake."{name}" WHERE entity_id {_IDS}'
            values: list[object] = [ids]
            if not is_closed:
                for column, chosen in (("growth_id", films), ("series", series)):
                    if column in columns:
                        values.append(chosen)
                        sql += f" AND ({column} IS NULL OR {column} IN (SELECT unnest(${len(values)}::VARCHAR[])))"
            put(table, sql, values)
        elif "growth_id" in columns:
            put(table, f'SELECT * FROM lake."{name}" WHERE growth_id {_FILMS}', [films])


def _put_records(lake: Lake, put: Any, tables: dict[str, arrow.Table]) -> None:
    """Put the activities that the rows name, their runs and environments, their code, and the bytes' records."""
    origins = _named(tables, [("origin_film", "origin_id")])
    put(lake.tables["origin"], f"SELECT * FROM lake.origin WHERE origin_id {_IDS}", [origins])
    made = ("entity", "raw_file", "rejected_file", "origin", "verification")
    activities = _named(tables, [(name, "activity_id") for name in made])
    put(lake.tables["activity"], f"SELECT * FROM lake.activity WHERE activity_id {_IDS}", [activities])
    runs = _named(tables, [("activity", "run_id")])
    put(lake.tables["run"], f"SELECT * FROM lake.run WHERE run_id {_IDS}", [runs])
    codes = _named(tables, [("activity", "code_version"), ("verification", "code_version")])
    put(lake.tables["code"], f"SELECT * FROM lake.code WHERE code_version {_FILMS}", [codes])
    environments = _named(tables, [("run", "environment_id"), ("verification", "environment_id")])
    put(lake.tables["environment"], f"SELECT * FROM lake.environment WHERE environment_id {_FILMS}", [environments])
    hashes = _named(tables, [("raw_file", "sha256")])
    put(lake.tables["raw_object"], f"SELECT * FROM lake.raw_object WHERE sha256 {_FILMS}", [hashes])
    if "origin" in tables:
        ids = _named(tables, NUMBERED)
        put(lake.tables["origin_number"], f"SELECT * FROM lake.origin_number WHERE local_id {_IDS}", [ids])


def _named(tables: dict[str, arrow.Table], columns: Iterable[tuple[str, str]]) -> list[Any]:
    """Return the distinct values of columns of the tables that are there, sorted."""
    return sorted({v for name, column in columns if name in tables for v in tables[name][column].to_pylist()})


def _order(table: Table) -> str:
    return ", ".join(f'"{name}"' for name in table.key)


def _typed(table: Table, rows: arrow.Table) -> arrow.Table:
    """Return rows in the declared order and types, units and descriptions with them."""
    schema = table.arrow_schema
    columns = [rows.column(field.name).cast(field.type) for field in schema]
    return arrow.Table.from_arrays(columns, schema=schema)
