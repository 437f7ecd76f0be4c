"""A DuckDB file that needs nothing of us: plain tables with comments, the views over them, no extension."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as arrow

from rutile_assets.table import Table

_VIEW = re.compile(r"CREATE OR REPLACE VIEW memory\.main\.(\w+)")


def write_database(
    out: Path,
    tables: Mapping[str, arrow.Table],
    declared: Sequence[Table],
    views: Sequence[Path],
    raw: Iterator[tuple[str, Path]] | None = None,
) -> list[str]:
    """Write a DuckDB file.

    Parameters
    ----------
    out : Path
        The file; there must be none.
    tables : mapping of str to arrow.Table
        Rows by table.
    declared : sequence of Table
        Every table; those without rows are there, empty, so that the views hold.
    views : sequence of Path
        SQL files in the order in which they build on each other.
    raw : iterator of (str, Path), optional
        sha256 and file of the bytes to put into the table ``raw_bytes``.

    Returns
    -------
    list of str
        Views that cannot stand without the lake, and were left out.
    """
    connection = duckdb.connect(
        str(out), config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": "1"}
    )
    try:
        connection.begin()
        connection.execute(";\n".join(statement for table in declared for statement in table.sql("main")))
        for table in declared:
            if table.name in tables:
                connection.register("incoming", tables[table.name])
                connection.execute(f'INSERT INTO main."{table.name}" BY NAME SELECT * FROM incoming')
                connection.unregister("incoming")
        if raw is not None:
            connection.execute("CREATE TABLE main.raw_bytes (sha256 VARCHAR NOT NULL, content BLOB NOT NULL)")
            connection.execute("COMMENT ON TABLE main.raw_bytes IS 'The raw files themselves, by their sha256.'")
            for sha256, path in raw:
                connection.execute("INSERT INTO main.raw_bytes VALUES (?, ?)", [sha256, path.read_bytes()])
        connection.commit()
        left_out = _put_views(connection, views)
        connection.execute("CHECKPOINT")
    finally:
        connection.close()
    return left_out


def _put_views(connection: duckdb.DuckDBPyConnection, views: Sequence[Path]) -> list[str]:
    left_out = []
    for file in views:
        text = file.read_text(encoding="utf-8")
        names = _VIEW.findall(text)
        here = re.sub(r"\b(?:memory\.main|lake)\.", "main.", text)
        try:
            connection.execute(here)
        except duckdb.Error:
            left_out += names
    return left_out
