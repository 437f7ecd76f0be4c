"""Dagster's histories in SQLite while a process writes runs into them: no wait for the disk at every event.

Dagster opens a connection for each event and closes it again. As the last one on its file, it would move the log of
changes into the file and wait for the disk, several times an event. A connection that stays leaves that to SQLite,
which does it once the log is long, and `synchronous = NORMAL` waits for the disk only then. After a power cut a
history can lack its last events; it is whole, and the lake, which has its own rules, lacks nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import event
from sqlalchemy.engine import Engine


@contextmanager
def kept_open(instance: dg.DagsterInstance, folder: Path, run_id: str) -> Iterator[None]:
    """Keep Dagster's histories, and that of a run, open meanwhile.

    Parameters
    ----------
    instance : DagsterInstance
        Of this home.
    folder : Path
        Its folder.
    run_id : str
        The run; its history is made here where it is not there.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqliteEventLogStorage):
        yield
        return
    if not event.contains(Engine, "connect", _wait_less):
        event.listen(Engine, "connect", _wait_less)
    with storage.run_connection(run_id):
        pass
    histories = [*folder.glob("history/runs.db"), *folder.glob("history/runs/index.db")]
    with ExitStack() as stack:
        for path in (*histories, Path(storage.path_for_shard(run_id))):
            kept = stack.enter_context(closing(sqlite3.connect(path)))
            kept.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()  # opens the log of changes too
        yield


def _wait_less(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = NORMAL")
