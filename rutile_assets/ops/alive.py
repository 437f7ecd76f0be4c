"""Which runs still have a process: each holds a file lock that the system releases when the process ends, however."""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter
from filelock import FileLock, Timeout

from rutile_assets.lake.home import Home

GRACE_S = 120.0  # between the start of a run and its first step, when it takes its lock
GONE = "The process of this run is gone: it was killed, or the machine went down. What it committed stands."
_HELD: dict[str, FileLock] = {}


def hold(home: Home, run_id: str) -> None:
    """Hold the run's lock until this process ends or starts another run."""
    if run_id in _HELD:
        return
    while _HELD:
        _, lock = _HELD.popitem()
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
    path = _lock_of(home, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    lock.acquire()
    _HELD[run_id] = lock


def has_process(home: Home, run_id: str) -> bool:
    """Tell whether a process holds the run's lock; a run that never took it has none."""
    if run_id in _HELD:
        return True
    path = _lock_of(home, run_id)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def bury_dead_runs(instance: dg.DagsterInstance, home: Home, now: float | None = None) -> list[str]:
    """Mark started runs without a process as failed, so that their work is asked for again; return their ids."""
    buried = []
    for record in instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        run = record.dagster_run
        age = (time.time() if now is None else now) - (record.start_time or record.create_timestamp.timestamp())
        if age > GRACE_S and not has_process(home, run.run_id):
            instance.report_run_failed(run, GONE)
            _lock_of(home, run.run_id).unlink(missing_ok=True)
            buried.append(run.run_id)
    return buried


def _lock_of(home: Home, run_id: str) -> Path:
    return home.scratch / "runs" / f"{run_id}.lock"
