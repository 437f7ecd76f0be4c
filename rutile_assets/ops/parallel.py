"""Several films at a time, each in a process of its own: the lake's lock orders their commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from rutile_assets.ops import runner
from rutile_assets.ops.house import House, open_house
from rutile_assets.ops.one_thread import one_thread_each
from rutile_assets.ops.runner import RunReport
from rutile_assets.provenance.stale import Stale
from rutile_assets.results.passport import write_index
from rutile_assets.rooms import all_assets


def run(
    house: House, work: Sequence[Stale], processes: int = 1, tell: Callable[[str, str], None] | None = None
) -> RunReport:
    """Compute what `runner.plan` returned, with films spread over processes; the same rows as with one.

    A film is computed by one process, upstream before downstream. What spans films comes last, here. A film that fails
    is computed once more, alone, so that only what fails by itself is reported.

    Parameters
    ----------
    house : House
        The home.
    work : sequence of Stale
        From `runner.plan`.
    processes : int
        How many films at a time.
    tell : callable, optional
        Called with (growth_id or "all films", asset) for each that was computed.
    """
    films: dict[str, list[Stale]] = {}
    for stale in work:
        if stale.growth_id is not None:
            films.setdefault(stale.growth_id, []).append(stale)
    if processes == 1 or len(films) < 2:
        return runner.run(house, work, tell)
    runner.prepare_dagster(house)
    done, again = 0, []
    with one_thread_each(), ProcessPoolExecutor(min(processes, len(films)), mp_context=get_context("spawn")) as pool:
        longest_first = sorted(films.items(), key=lambda item: -_weight(item[1]))
        running = {pool.submit(_compute, house.home.root, mine): film for film, mine in longest_first}
        for finished in as_completed(running):
            film = running[finished]
            try:
                computed, failed = finished.result()
            except BrokenProcessPool:
                computed, failed = [], True
            if failed:
                again += films[film]
                continue
            done += len(computed)
            if tell is not None:
                for asset in computed:
                    tell(film, asset)
    rest = runner.run(house, [*again, *(stale for stale in work if stale.growth_id is None)], tell)
    write_index(house.lake, house.home)
    return RunReport(done + rest.done, rest.failures)


def _weight(work: Sequence[Stale]) -> int:
    """Return how long a film's work may take: what has a pool is heavy, then the number of assets."""
    pooled = {asset.name for asset in all_assets() if asset.pool}
    return sum(1000 if stale.asset in pooled else 1 for stale in work)


def _compute(root: Path, work: Sequence[Stale]) -> tuple[list[str], bool]:
    computed: list[str] = []
    report = runner.run(open_house(root), work, lambda _, asset: computed.append(asset))
    return computed, bool(report.failures)
