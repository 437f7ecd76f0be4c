"""Retention: what goes, what stays, and what each costs on the disk. The vault and the reports are never touched."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rutile_assets.lake import retention
from rutile_assets.ops.alive import has_process
from rutile_assets.ops.house import House

SCRATCH_DAYS = 7
_DAY_S = 86_400.0
_RUNS = "runs"


@dataclass(frozen=True)
class Line:
    """One kind of thing before and after; None where it cannot be told (after, in a dry run)."""

    what: str
    count: int
    bytes: int | None
    count_after: int | None
    bytes_after: int | None
    said: str


def collect(
    house: House,
    *,
    yes: bool,
    keep_days: int = 30,
    at_once: bool = False,
    now: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Line]:
    """Tidy a home, or say what would be done.

    Parameters
    ----------
    house : House
        The home.
    yes : bool
        Do it; False changes nothing.
    keep_days : int
        Snapshots younger than this stay whatever refers to them [days].
    at_once : bool
        Delete files that went out of use at once, not an hour later: nobody else may be reading the lake.
    now : float, optional
        The time [s since 1970].
    tell : callable
        Takes the name of each step.
    """
    clock = time.time() if now is None else now
    return [
        *_lake(house, keep_days, clock, tell, yes=yes, at_once=at_once),
        _arrays(house, clock, tell, yes=yes),
        _scratch(house, clock, tell, yes=yes),
    ]


def _lake(
    house: House, keep_days: int, clock: float, tell: Callable[[str], None], *, yes: bool, at_once: bool
) -> list[Line]:
    lake, when = house.lake, datetime.fromtimestamp(clock, UTC)
    tell("looking at the lake")
    before = retention.lake_state(lake)
    if not yes:
        return _lake_foreseen(house, before, keep_days, when)
    grace_s = 0.0 if at_once else retention.GRACE_S
    tell("deleting files out of use")
    retention.delete_unused(lake, grace_s)
    tell("merging files")
    retention.lay_together(lake)
    tell("expiring snapshots")
    expired = retention.expire(lake, keep_days, when)
    if at_once:
        retention.delete_unused(lake, grace_s)
    retention.delete_orphans(lake, dry_run=False)
    after = retention.lake_state(lake)
    waits = f"{after.waiting} out of use, deleted by a gc in an hour or later" if after.waiting else ""
    return [
        Line("inlined rows", before.inlined_rows, None, after.inlined_rows, None, "written to Parquet"),
        Line("Parquet files", before.files, before.files_bytes, after.files, after.files_bytes, waits),
        Line("snapshots", len(before.snapshots), None, len(after.snapshots), None, f"{len(expired)} expired"),
    ]


def _lake_foreseen(house: House, before: retention.LakeState, keep_days: int, when: datetime) -> list[Line]:
    chosen = retention.expirable(house.lake, keep_days, when)
    files, size = retention.out_of_use(house.lake, set(chosen))
    many, tables = retention.mergeable(house.lake)
    orphans = retention.delete_orphans(house.lake, dry_run=True)
    said = [
        f"{many} of {tables} tables can be merged",
        f"{files} ({size} bytes) only old snapshots show",
        f"{before.waiting} out of use already",
        f"{orphans} belong to nothing",
    ]
    there = len(before.snapshots)
    return [
        Line("inlined rows", before.inlined_rows, None, 0, None, "to Parquet"),
        Line("Parquet files", before.files, before.files_bytes, None, None, "; ".join(said)),
        Line("snapshots", there, None, there - len(chosen), None, f"{len(chosen)} that nothing refers to"),
    ]


def _arrays(house: House, clock: float, tell: Callable[[str], None], *, yes: bool) -> Line:
    tell("looking for arrays without a row")
    there = retention.arrays_of(house.home.arrays)
    sizes = {path: _size(path) for path in there}
    try:
        chosen = retention.unused_arrays(house.lake, house.home.arrays, clock)
        said = f"{len(chosen)} that no row of a kept file names"
    except Exception as fault:  # a damaged file of the lake: nothing is proved, so nothing goes
        chosen, said = [], f"left: the lake cannot be read through ({str(fault).splitlines()[0]})"[:200]
    gone = [path for path in chosen if not yes or retention.delete_array(path, clock)]
    return _line("arrays", sizes, gone, said)


def _scratch(house: House, clock: float, tell: Callable[[str], None], *, yes: bool) -> Line:
    tell("looking at scratch folders")
    scratch = house.home.scratch
    locks = sorted((scratch / _RUNS).glob("*.lock"))
    alive = [lock for lock in locks if has_process(house.home, lock.stem)]
    folders = [path for path in scratch.glob("*/*") if path.is_dir() and path.parent.name != _RUNS]
    sizes = {path: _size(path) for path in folders}
    old = [path for path in folders if clock - _touched(path) > SCRATCH_DAYS * _DAY_S]
    said = f"{len(old)} older than {SCRATCH_DAYS} days"
    if alive:
        old, said = [], f"left: {len(alive)} run{'s' if len(alive) > 1 else ''} in progress"
    if yes:
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        for lock in locks:
            if lock not in alive and clock - lock.stat().st_mtime > SCRATCH_DAYS * _DAY_S:
                lock.unlink(missing_ok=True)
    return _line("scratch folders", sizes, [path for path in old if not yes or not path.exists()], said)


def _line(what: str, sizes: dict[Path, int], gone: list[Path], said: str) -> Line:
    total = sum(sizes.values())
    return Line(what, len(sizes), total, len(sizes) - len(gone), total - sum(sizes[path] for path in gone), said)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _touched(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
