"""DuckDB with DuckLake: extensions from their wheels by path, no network, one catalog attached as `lake`."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import duckdb

from rutile_assets.errors import InvalidRecord

EXTENSIONS = ("sqlite_scanner", "ducklake")
INLINED_ROWS = 200
_SEARCH_PATH = "SET search_path = 'memory.main,lake.main'"


def extension_path(name: str) -> Path:
    """Return the binary of a DuckDB extension inside its wheel.

    Raises
    ------
    InvalidRecord
        The wheel is not installed or has no build for this DuckDB.
    """
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    binary = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" if folder else None
    if binary is None or not binary.is_file():
        raise InvalidRecord(
            f"no DuckDB extension {name} for DuckDB {duckdb.__version__}",
            f"the wheel duckdb-extension-{name.replace('_', '-')} of the same version",
            "Install the pinned set: pip install -r deploy/requirements.lock.",
        )
    return binary


def loaded_extension(name: str) -> Path:
    """Load an extension in a throw-away DuckDB and return the binary's path.

    Raises
    ------
    InvalidRecord
        The wheel is missing or DuckDB refuses the binary.
    """
    path = extension_path(name)
    try:
        duckdb.connect(":memory:").execute(f"LOAD '{path}'")
    except duckdb.Error as fault:
        raise InvalidRecord(
            f"{path} ({str(fault).splitlines()[0]})", "a binary for this machine", "Reinstall."
        ) from fault
    return path


def connect(folder: Path, *, read_only: bool = False, at: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB that has the lake in `folder` attached as `lake`.

    Parameters
    ----------
    folder : Path
        Holds catalog.sqlite and data/.
    read_only : bool
        Refuse every change.
    at : int, optional
        A snapshot to see the lake as it was then; implies `read_only`.
    """
    connection = duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": _threads()},
    )
    for name in EXTENSIONS:
        connection.execute(f"LOAD '{extension_path(name)}'")
    options = [
        f"DATA_PATH '{folder / 'data'}'",
        "OVERRIDE_DATA_PATH true",  # a home that was moved or restored elsewhere: its files are named from here
        f"DATA_INLINING_ROW_LIMIT {INLINED_ROWS}",
    ]
    if read_only or at is not None:
        options.append("READ_ONLY")
    if at is not None:
        options.append(f"SNAPSHOT_VERSION {int(at)}")
    connection.execute(f"ATTACH 'ducklake:sqlite:{folder / 'catalog.sqlite'}' AS lake ({', '.join(options)})")
    connection.execute(_SEARCH_PATH)
    return connection


def cursor_of(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a cursor, with its own transaction, that finds the views and the lake's tables by bare name."""
    cursor = connection.cursor()
    cursor.execute(_SEARCH_PATH)
    return cursor


def _threads() -> str:
    """Return how many threads a query gets: two, or one where the process is to use one core.

    A question about one film is too small to share: two threads then cost more than twice the processor time of one.
    """
    return "1" if os.environ.get("OMP_NUM_THREADS") == "1" else "2"
