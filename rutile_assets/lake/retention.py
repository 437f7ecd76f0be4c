"""What the lake can do without: rows and files laid together, snapshots that nothing refers to, arrays without a row.

DuckLake's own `older_than` compares times as text and lets files go that came out of use the same day, so files that
went out of use are deleted all together or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from rutile_assets.lake.tables import Lake

GRACE_S = 3600.0  # a reader may still have a file open that the present snapshot no longer names
YOUNG_S = 86_400.0  # what a computation may have written and not committed yet
_CATALOG = "__ducklake_metadata_lake"
_DIGEST = re.compile(r"[0-9a-f]{40}")
_TRIES = 8
# everything that current versions were made from, and the snapshots that their inputs were read at
_REFERRED = """
    WITH RECURSIVE up(entity_id) AS (
        SELECT entity_id FROM lake.main.entity
        QUALIFY entity_id = max(entity_id) OVER (PARTITION BY kind, asset, growth_id) OR kind = 'raw_file'
        UNION
        SELECT edge.parent FROM lake.main.edge AS edge INNER JOIN up ON edge.child = up.entity_id
    )

    SELECT DISTINCT activity.snapshot FROM lake.main.entity AS entity
    SEMI JOIN up ON entity.entity_id = up.entity_id
    INNER JOIN lake.main.activity AS activity ON entity.activity_id = activity.activity_id
    WHERE activity.snapshot IS NOT NULL
"""
_OUT_OF_USE = """
    SELECT count(*), coalesce(sum(file_size_bytes), 0)::BIGINT FROM (
        SELECT begin_snapshot, end_snapshot, file_size_bytes FROM {catalog}.ducklake_data_file
        UNION ALL
        SELECT begin_snapshot, end_snapshot, file_size_bytes FROM {catalog}.ducklake_delete_file
    ) AS file
    WHERE file.end_snapshot IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM (SELECT unnest(?::BIGINT[]) AS kept)
        WHERE file.begin_snapshot <= kept AND kept < file.end_snapshot
    )
"""
_TO_MERGE = """
    SELECT coalesce(sum(files), 0)::BIGINT, count(*) FROM (
        SELECT table_id, count(*) AS files FROM {catalog}.ducklake_data_file
        WHERE end_snapshot IS NULL GROUP BY table_id HAVING count(*) > 1
    )
"""


@dataclass(frozen=True)
class LakeState:
    """What the lake consists of.

    Parameters
    ----------
    inlined_rows : int
        Rows that stand in the catalog.
    files, files_bytes : int
        Parquet files on the disk.
    snapshots : tuple of int
        All, ascending.
    waiting : int
        Files out of use that wait for their deletion.
    """

    inlined_rows: int
    files: int
    files_bytes: int
    snapshots: tuple[int, ...]
    waiting: int


def lake_state(lake: Lake) -> LakeState:
    """Return what the lake consists of now."""
    lake.snapshot()
    with lake.exclusive() as ask:
        inlined = sum(_inlined_counts(ask).values())
        snapshots = tuple(row[0] for row in ask.execute(_snapshots_sql()).fetchall())
        waiting = _one(ask, f"SELECT count(*) FROM {_CATALOG}.ducklake_files_scheduled_for_deletion")
        sizes = [path.stat().st_size for path in _parquet(lake)]
    return LakeState(inlined, len(sizes), sum(sizes), snapshots, waiting)


def expirable(lake: Lake, keep_days: int, now: datetime) -> list[int]:
    """Return the snapshots that may go: nothing current was made from what they show, they are old, not the newest.

    Parameters
    ----------
    lake : Lake
        The lake.
    keep_days : int
        How old a snapshot must be [days].
    now : datetime
        The time, with its zone.
    """
    with lake.exclusive() as ask:
        return _expirable(ask, keep_days, now)


def out_of_use(lake: Lake, expired: Set[int]) -> tuple[int, int]:
    """Return number and bytes of the files that only these snapshots show."""
    with lake.exclusive() as ask:
        kept = [row[0] for row in ask.execute(_snapshots_sql()).fetchall() if row[0] not in expired]
        files, size = ask.execute(_OUT_OF_USE.format(catalog=_CATALOG), [kept]).fetchall()[0]
    return int(files), int(size)


def mergeable(lake: Lake) -> tuple[int, int]:
    """Return how many files stand in tables that have several, and how many such tables there are."""
    with lake.exclusive() as ask:
        files, tables = ask.execute(_TO_MERGE.format(catalog=_CATALOG)).fetchall()[0]
    return int(files), int(tables)


def delete_unused(lake: Lake, grace_s: float = GRACE_S) -> int:
    """Delete the files that went out of use, if the last of them did so long enough ago; return how many."""
    with lake.exclusive() as ask:
        newest = _one(
            ask,
            f"SELECT max(epoch(schedule_start::TIMESTAMPTZ)) FROM {_CATALOG}.ducklake_files_scheduled_for_deletion",
        )
        if newest is None or time.time() - newest < grace_s:
            return 0
        return len(_called(ask, "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)"))


def delete_orphans(lake: Lake, *, dry_run: bool) -> int:
    """Delete Parquet files that no catalog entry names and that are older than a day; return how many there are."""
    with lake.exclusive() as ask:
        call = (
            "CALL ducklake_delete_orphaned_files('lake',"
            f" older_than => now() - to_seconds({int(YOUNG_S)}), dry_run => {str(dry_run).lower()})"
        )
        return len(_called(ask, call))


def lay_together(lake: Lake) -> None:
    """Write inlined rows out to Parquet, write anew what is mostly deleted rows, and merge small files."""
    with lake.exclusive() as ask:
        if sum(_inlined_counts(ask).values()):
            _called(ask, "CALL ducklake_flush_inlined_data('lake')")
        if _one(ask, f"SELECT count(*) FROM {_CATALOG}.ducklake_delete_file WHERE end_snapshot IS NULL"):
            _called(ask, "CALL ducklake_rewrite_data_files('lake')")
        if _one(ask, _TO_MERGE.format(catalog=_CATALOG)):
            _called(ask, "CALL ducklake_merge_adjacent_files('lake')")


def expire(lake: Lake, keep_days: int, now: datetime) -> list[int]:
    """Let go of the snapshots of `expirable`, asked anew under the lock; return them."""
    with lake.exclusive() as ask:
        chosen = _expirable(ask, keep_days, now)
        if chosen:
            _called(ask, f"CALL ducklake_expire_snapshots('lake', versions => {chosen})")
        return chosen


def arrays_of(folder: Path) -> list[Path]:
    """Return the arrays of a home, and those that were never finished."""
    found = []
    for place, folders, _ in os.walk(folder):
        for name in list(folders):
            if name.endswith(".zarr") or name.startswith((".writing-", ".gone-")):
                folders.remove(name)
                found.append(Path(place) / name)
    return sorted(found)


def unused_arrays(lake: Lake, folder: Path, now_s: float) -> list[Path]:
    """Return arrays older than a day whose digest stands in no text of any Parquet file or inlined row of the lake.

    More than the kept snapshots show is looked through, so that an array may stay though no snapshot shows it.

    Raises
    ------
    duckdb.Error
        A file of the lake cannot be read: then nothing can be proved.
    """
    old = [path for path in arrays_of(folder) if now_s - path.stat().st_mtime > YOUNG_S]
    if not old:
        return []
    with lake.exclusive() as ask:
        named = _digests(ask, lake)
    return [path for path in old if path.name.removesuffix(".zarr") not in named]


def delete_array(path: Path, now_s: float) -> bool:
    """Delete an array; where a computation took it up again meanwhile it stays, and False is returned."""
    aside = path if path.name.startswith(".gone-") else path.with_name(f".gone-{path.name}")
    if aside != path:
        path.rename(aside)
        if now_s - aside.stat().st_mtime <= YOUNG_S:
            if path.exists():
                shutil.rmtree(aside)
            else:
                aside.rename(path)
            return False
    shutil.rmtree(aside)
    return True


def _expirable(ask: duckdb.DuckDBPyConnection, keep_days: int, now: datetime) -> list[int]:
    before = now - timedelta(days=keep_days)
    snapshots = ask.execute("SELECT snapshot_id, snapshot_time FROM ducklake_snapshots('lake') ORDER BY 1").fetchall()
    referred = {row[0] for row in ask.execute(_REFERRED).fetchall()}
    return [number for number, made in snapshots[:-1] if made < before and number not in referred]


def _digests(ask: duckdb.DuckDBPyConnection, lake: Lake) -> set[str]:
    """Return every run of 40 hexadecimal digits in the texts of the lake, whichever snapshot shows it."""
    found: set[str] = set()
    for folder in sorted({path.parent for path in _parquet(lake)}):
        source = f"read_parquet('{folder}/*.parquet', union_by_name => true)"
        columns = ask.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        for name, kind, *_ in columns:
            if kind == "VARCHAR":
                found.update(
                    row[0] for row in ask.execute(
                        f"SELECT DISTINCT unnest(regexp_extract_all(\"{name}\", '{_DIGEST.pattern}')) FROM {source}"
                    ).fetchall()
                )  # fmt: skip
    for table in _inlined_counts(ask):
        for row in ask.execute(f'SELECT * FROM {_CATALOG}."{table}"').fetchall():
            for cell in row:
                if isinstance(cell, (str, bytes)):
                    text = cell if isinstance(cell, str) else cell.decode("latin-1")
                    found.update(_DIGEST.findall(text))
    return found


def _inlined_counts(ask: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the tables of the catalog that hold rows of the lake, and how many rows each has."""
    listed = ask.execute(f"SELECT table_name FROM {_CATALOG}.ducklake_inlined_data_tables").fetchall()
    return {table: int(_one(ask, f'SELECT count(*) FROM {_CATALOG}."{table}"')) for (table,) in listed}


def _parquet(lake: Lake) -> Iterator[Path]:
    return (lake.folder / "data").rglob("*.parquet")


def _snapshots_sql() -> str:
    return "SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY 1"


def _one(ask: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return ask.execute(sql).fetchall()[0][0]


def _called(ask: duckdb.DuckDBPyConnection, call: str) -> list[Any]:
    """Call DuckLake; a reader of another process can hold SQLite for a moment, then it is tried again."""
    return _again(lambda: ask.execute(call).fetchall())


def _again(action: Callable[[], list[Any]]) -> list[Any]:
    for attempt in range(_TRIES):
        try:
            return action()
        except duckdb.Error as fault:
            if "locked" not in str(fault) or attempt == _TRIES - 1:
                raise
            time.sleep(0.05 * 2**attempt)
    raise AssertionError("unreachable")
