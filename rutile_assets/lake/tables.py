"""The tables of the lake: checked rows in, one transaction at a time; Arrow out, at any snapshot."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock, local
from typing import Any, cast

import duckdb
import pandas as pd
import pyarrow as arrow
from filelock import FileLock

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.connection import connect, cursor_of
from rutile_assets.table import Table

_EPOCH_MS = 1767225600000  # 2026-01-01: ids stay below 2**53, so that no JSON or float64 on their way can round them
_RETRIES = 8


@dataclass
class Writer:
    """An open transaction on the lake; `known_code` outlives it: code versions that are in the lake for certain."""

    cursor: duckdb.DuckDBPyConnection
    tables: dict[str, Table]
    last_id: int
    known_code: set[str]
    _afterwards: list[Callable[[], None]] = field(default_factory=list)

    def on_commit(self, action: Callable[[], None]) -> None:
        """Do something once the transaction has committed."""
        self._afterwards.append(action)

    def committed(self) -> None:
        """Do what waited for the commit."""
        for action in self._afterwards:
            action()

    def next_id(self) -> int:
        """Return a new id below 2**53: time-ordered, and larger than any given before in this lake."""
        now = (time.time_ns() // 1_000_000 - _EPOCH_MS) << 12
        self.last_id = max(self.last_id + 1, now)
        return self.last_id

    def append(self, name: str, rows: pd.DataFrame | Sequence[dict[str, object]]) -> None:
        """Add rows after checking them against the table's declaration."""
        if len(rows):
            self._insert(name, self.tables[name].frame(rows))

    def replace(self, name: str, checked: pd.DataFrame, growth_id: str | None) -> None:
        """Put rows that `Table.frame` has checked in the place of the film's (None: of all); snapshots keep those."""
        here, values = ("", []) if growth_id is None else (" WHERE growth_id = ?", [growth_id])
        if self.cursor.execute(f'SELECT 1 FROM lake."{name}"{here} LIMIT 1', values).fetchone():
            self.cursor.execute(f'DELETE FROM lake."{name}"{here}', values)  # costs far more than to look
        if len(checked):
            self._insert(name, checked)

    def _insert(self, name: str, checked: pd.DataFrame) -> None:
        self.cursor.register("incoming", self.tables[name].arrow_table(checked))
        self.cursor.execute(f'INSERT INTO lake."{name}" BY NAME SELECT * FROM incoming')
        self.cursor.unregister("incoming")

    def frame(self, sql: str, values: Sequence[object] = ()) -> pd.DataFrame:
        """Query inside the transaction."""
        return cast("pd.DataFrame", self.cursor.execute(sql, list(values)).to_arrow_table().to_pandas())


@dataclass(frozen=True)
class Reading:
    """Several questions of one snapshot, with temporary tables that nobody else sees."""

    cursor: duckdb.DuckDBPyConnection

    def make(self, name: str, sql: str, values: Sequence[object] = ()) -> None:
        """Keep a query's answer as a temporary table until the reading ends."""
        self.cursor.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {sql}', list(values))

    def give(self, name: str, table: arrow.Table) -> None:
        """Let queries name an Arrow table."""
        self.cursor.register(name, table)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a query and return its rows as dicts."""
        return cast("list[dict[str, Any]]", self.arrow(sql, values).to_pylist())

    def arrow(self, sql: str, values: Sequence[object] = ()) -> arrow.Table:
        """Run a query and return all of it."""
        return self.cursor.execute(sql, list(values)).to_arrow_table()


@dataclass
class Lake:
    """The lake of one home.

    Parameters
    ----------
    folder : Path
        Where catalog, Parquet files and lock stand.
    declared : sequence of Table
        Every table of every room; made on first use, missing columns are added.
    views : sequence of Path
        SQL files that create views, in the order in which they build on each other.
    """

    folder: Path
    declared: Sequence[Table]
    views: Sequence[Path] = ()
    _threads: Lock = field(default_factory=Lock, init=False, repr=False)
    _known_code: set[str] = field(default_factory=set, init=False, repr=False)
    _mine: local = field(default_factory=local, init=False, repr=False)

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The declarations by name."""
        return {table.name: table for table in self.declared}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lake: one thread of one process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._threads, FileLock(self.folder / "write.lock"):
            yield

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._locked():
            connection = connect(self.folder)
            self._declare(connection)
        self._create_views(connection)
        return connection

    def arrow(self, sql: str, values: Sequence[object] = ()) -> arrow.Table:
        """Run a query on the present snapshot and return all of it.

        Raises
        ------
        InvalidRecord
            The SQL is wrong; the message quotes DuckDB.
        """
        return fetch(self._asking, sql, values)

    @property
    def _asking(self) -> duckdb.DuckDBPyConnection:
        """The thread's own cursor for single questions, each a transaction of its own; made once."""
        connection = self._connection
        if getattr(self._mine, "of", None) is not connection:
            self._mine.cursor, self._mine.of = cursor_of(connection), connection
        return cast("duckdb.DuckDBPyConnection", self._mine.cursor)

    def frame(self, sql: str, values: Sequence[object] = ()) -> pd.DataFrame:
        """Run a query and return a pandas frame that keeps integers with NULLs as integers."""
        return fetch_frame(self._asking, sql, values)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a query and return its rows as dicts."""
        return cast("list[dict[str, Any]]", self.arrow(sql, values).to_pylist())

    def at(self, snapshot: int) -> duckdb.DuckDBPyConnection:
        """Open a read-only view of the lake as it was at a snapshot.

        Raises
        ------
        InvalidRecord
            There is no such snapshot.
        """
        try:
            connection = connect(self.folder, at=snapshot)
        except duckdb.Error as fault:
            gone = 0 <= snapshot < self.snapshot()
            raise InvalidRecord(
                f"snapshot {snapshot}, which has expired (rutile gc)" if gone
                else f"snapshot {snapshot}: {str(fault).splitlines()[0]}",
                "a snapshot of this lake",
                "List them: rutile sql 'FROM ducklake_snapshots(''lake'')'.",
            ) from fault  # fmt: skip
        self._create_views(connection, only_possible=True)
        return connection

    def reader(self, at: int | None = None) -> duckdb.DuckDBPyConnection:
        """Open a read-only connection with all views, at a snapshot if one is given."""
        self.snapshot()  # makes the catalog on a fresh home
        if at is not None:
            return self.at(at)
        connection = connect(self.folder, read_only=True)
        self._create_views(connection)
        return connection

    def snapshot(self) -> int:
        """Return the number of the present snapshot."""
        return int(self._asking.execute("SELECT id FROM lake.current_snapshot()").fetchall()[0][0])

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Ask several questions of the present snapshot, whatever is committed meanwhile."""
        cursor = cursor_of(self._connection)
        cursor.begin()
        try:
            yield Reading(cursor)
        finally:
            cursor.rollback()
            cursor.close()

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Open a transaction under the lake's lock: all of it commits, or none.

        Another process's reader can make SQLite answer 'locked' at the commit; the commit is then tried again.
        """
        connection = self._connection
        with self._locked():
            cursor = cursor_of(connection)
            cursor.begin()
            writer = Writer(cursor, self.tables, self._last_id(), self._known_code)
            try:
                yield writer
                self._keep_last_id(writer.last_id)
            except BaseException:
                cursor.rollback()
                raise
            _commit(cursor)
        writer.committed()

    def maintain(self) -> None:
        """Write inlined rows out to Parquet and merge small files; no snapshot is lost."""
        with self.exclusive() as cursor:
            cursor.execute("CALL ducklake_flush_inlined_data('lake')")
            cursor.execute("CALL ducklake_merge_adjacent_files('lake')")

    @contextmanager
    def exclusive(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Hold the lake's lock and give a cursor without a transaction: nobody commits meanwhile, others may read."""
        connection = self._connection
        with self._locked():
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        if "_connection" in self.__dict__:
            self._connection.close()
            del self.__dict__["_connection"]

    def _last_id(self) -> int:
        kept = self.folder / "last_id"
        return int(kept.read_text()) if kept.exists() else 0

    def _keep_last_id(self, last_id: int) -> None:
        """Put it in place whole: a process killed meanwhile leaves the number of before."""
        written = self.folder / "last_id.new"
        written.write_text(str(last_id))
        written.replace(self.folder / "last_id")

    def _create_views(self, connection: duckdb.DuckDBPyConnection, *, only_possible: bool = False) -> None:
        """Create the views; `only_possible`: those whose tables were there at the snapshot that is looked at."""
        for file in self.views:
            try:
                connection.execute(file.read_text(encoding="utf-8"))
            except (duckdb.CatalogException, duckdb.BinderException):
                if not only_possible:
                    raise

    def _declare(self, connection: duckdb.DuckDBPyConnection) -> None:
        statements = [statement for table in self.declared for statement in table.sql("lake.main")]
        digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
        stamp = self.folder / "declared.sha256"
        if stamp.exists() and stamp.read_text() == digest:
            return
        present: dict[str, set[str]] = {}
        for name, column in connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'lake'"
        ).fetchall():
            present.setdefault(name, set()).add(column)
        connection.begin()
        for table in self.declared:
            create, *comments = table.sql("lake.main")
            connection.execute(create)
            for column in table.columns if table.name in present else ():
                if column.name not in present[table.name]:
                    connection.execute(f'ALTER TABLE lake.main."{table.name}" ADD COLUMN {table.sql_field(column)}')
            for comment in comments:
                connection.execute(comment)
        connection.commit()
        stamp.write_text(digest)


def fetch(cursor: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] = ()) -> arrow.Table:
    """Run a query on a connection and return all of it; raise InvalidRecord where DuckDB refuses."""
    try:
        return cursor.execute(sql, list(values)).to_arrow_table()
    except duckdb.Error as fault:
        raise InvalidRecord(
            f"SQL that DuckDB refuses ({str(fault).splitlines()[0]})",
            "a query on the tables and views of docs/tables.md",
            "SHOW ALL TABLES lists them.",
        ) from fault


def fetch_frame(cursor: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] = ()) -> pd.DataFrame:
    """Run a query on a connection and return a frame that keeps integers with NULLs as integers."""
    return cast("pd.DataFrame", fetch(cursor, sql, values).to_pandas(types_mapper=_nullable_types))


def _commit(cursor: duckdb.DuckDBPyConnection) -> None:
    for attempt in range(_RETRIES):
        try:
            cursor.commit()
        except duckdb.Error as fault:
            if "locked" not in str(fault) or attempt == _RETRIES - 1:
                raise
            time.sleep(0.05 * 2**attempt)
        else:
            return


def _nullable_types(kind: arrow.DataType) -> object:
    return {arrow.int64(): pd.Int64Dtype(), arrow.int32(): pd.Int32Dtype(), arrow.bool_(): pd.BooleanDtype()}.get(kind)
