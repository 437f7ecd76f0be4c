"""The lake: files a second, commits from the first to the thousandth, lineage at a million edges."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.campaign_lake import fill
from benchmarks.pages import opened_s
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.results.passport import page_path, write_pages
from rutile_assets.results.passport.series_lineage import series_path, write_series_lineage
from rutile_assets.rooms import ROOMS, all_assets
from rutile_assets.simulation.campaign import simulate

FILMS = 10_000
EVERY_EDGE = "SELECT sum(child), sum(parent) FROM lake.edge"


def _home(name: str) -> tuple[House, Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"rutile-bench-{name}-"))
    return open_house(folder), folder


def run_ingest() -> Iterator[str]:
    """Yield files ingested a second, against the floor of reading and hashing the same bytes."""
    from rutile_assets.lake import vault  # noqa: PLC0415

    house, folder = _home("ingest")
    simulate(folder, films=8, seed=1)
    files = [p for p in (folder / "inbox").rglob("*") if p.is_file()]
    start = time.perf_counter()
    for path in files:
        vault.sha256_of(path)
    floor = time.perf_counter() - start
    start = time.perf_counter()
    verdicts = house.ingest([house.home.inbox], RunContext("cli"))
    spent = time.perf_counter() - start
    size = sum(p.stat().st_size for p in files) / 1e6
    yield f"{len(verdicts)} files, {size:.1f} MB: {spent:.2f} s, {len(verdicts) / spent:.0f} files/s"
    yield f"hashing the same bytes alone: {floor:.3f} s"
    shutil.rmtree(folder)


def run_load(films: int = 200) -> Iterator[str]:
    """Yield light films simulated, ingested and computed a second."""
    from rutile_assets.ops import parallel, runner  # noqa: PLC0415

    house, folder = _home("load")
    start = time.perf_counter()
    made = simulate(folder, films=films, seed=1, light=True)
    spent = time.perf_counter() - start
    size = made.size_bytes / films / 1e3
    yield f"{films} light films, {made.files} files, {size:.0f} kB a film: simulated {films / spent:.1f} films/s"
    start = time.perf_counter()
    verdicts = house.ingest([made.inbox], RunContext("cli"))
    spent = time.perf_counter() - start
    yield f"ingested {films / spent:.2f} films/s, {len(verdicts) / spent:.0f} files/s"
    work = [stale for stale in runner.plan(house) if stale.growth_id in {film.growth_id for film in made.films[:20]}]
    start = time.perf_counter()
    report = parallel.run(house, work, 2)
    spent = time.perf_counter() - start
    yield f"20 of them computed by two processes: {spent / 20:.2f} s a film, {report.done} assets"
    shutil.rmtree(folder)


def run_commits() -> Iterator[str]:
    """Yield the latency of a materialization's commit as the lake grows."""
    from rutile_assets.techniques.growth.record import GROWTH_FILE  # noqa: PLC0415

    house, folder = _home("commits")
    growth = next(a for a in all_assets() if a.name == "growth")
    inbox = house.home.inbox / "B-1"
    inbox.mkdir()
    (inbox / GROWTH_FILE).write_text("growth_id: B-1\norigin: simulated\nsubstrate: {material: TiO2}\n")
    house.ingest([inbox], RunContext("cli"))
    run, spent = RunContext("cli"), []
    for _ in range(1000):
        start = time.perf_counter()
        materialize(house.lake, house.home, growth, "B-1", run)
        spent.append(1e3 * (time.perf_counter() - start))
    for place in (slice(0, 10), slice(95, 105), slice(495, 505), slice(990, 1000)):
        yield f"commits {place.start + 1} to {place.stop}: median {np.median(spent[place]):.0f} ms"
    start = time.perf_counter()
    house.lake.maintain()
    yield f"maintenance: {time.perf_counter() - start:.1f} s"
    after = []
    for _ in range(10):
        start = time.perf_counter()
        materialize(house.lake, house.home, growth, "B-1", run)
        after.append(1e3 * (time.perf_counter() - start))
    yield f"after maintenance: median {np.median(after):.0f} ms"
    shutil.rmtree(folder)


def run_lineage() -> Iterator[str]:
    """Yield how long trace, stale and the pages of lineage take at 10,000 films and a million edges."""
    house, folder = _home("lineage")
    films = fill(house, FILMS)
    edges = house.lake.rows("SELECT count(*) AS n FROM lake.edge")[0]["n"]
    yield f"{FILMS} films, {edges} edges, every one of them between versions that stand now"
    lake, assets = house.lake, all_assets()
    film, other = films[FILMS // 2], films[FILMS // 3]
    number = trace.results_named(lake, film, "xrr_fit_0_nm")[0]
    across = trace.results_named(lake, "RuO2/TiO2", "claims_nm")[0]
    file_id = number["file_id"]
    yield _timed(
        "floor: every edge read and counted", lambda: lake.rows("SELECT sum(child), sum(parent) FROM lake.edge")
    )
    yield _timed("floor: every version's id read", lambda: lake.rows("SELECT sum(hash(asset)) FROM lake.entity"))
    yield _timed("one number back to its files", lambda: trace.back(lake, number["entity_id"]))
    yield _timed("the same in SQL, trace_of", lambda: lake.rows("FROM trace_of(?)", [number["result_id"]]))
    yield _timed("one file forward to its numbers", lambda: lake.rows("FROM resting_on(?)", [file_id]))
    yield _timed("a number of a series, films as groups", lambda: trace.grouped(lake, [across["entity_id"]]))
    yield _timed("its every step", lambda: trace.lineage_of(lake, [across["entity_id"]]), 3)
    yield _timed("stale, nothing is", lambda: stale_assets(lake, house.home, assets))
    yield _timed("stale, one film", lambda: stale_assets(lake, house.home, assets, [film]))
    house.home.settings_file.write_text(f"films: {{{other}: {{xrr_fit: {{generations: 77}}}}}}\n")
    yield _timed("stale, a parameter of one film", lambda: stale_assets(lake, house.home, assets))
    house.home.settings_file.write_text("parameters: {transport_hall: {significance: 4.0}}\n")
    found = len(stale_assets(lake, house.home, assets))
    yield _timed(f"stale, a parameter of every film, {found} results", lambda: stale_assets(lake, house.home, assets))
    house.home.settings_file.unlink()
    yield _timed("a film's page with its lineage written", lambda: write_pages(lake, house.home, ROOMS, [film]))
    pages = [page_path(house.home, film)]
    clock = time.perf_counter()
    write_series_lineage(lake, house.home)
    yield f"a series' page with its lineage written: {time.perf_counter() - clock:.2f} s"
    pages.append(series_path(house.home, "RuO2/TiO2"))
    for page in pages:
        named = page.relative_to(house.home.reports)
        yield f"{named}, {page.stat().st_size / 1e3:.0f} kB, opened in Chromium: {opened_s(page)}"
    house.lake.close()
    shutil.rmtree(folder)


def _timed(what: str, work: Callable[[], object], times: int = 7) -> str:
    """Return the best and the median wall time and the processor time of some work, after a run that is not counted."""
    work()
    walls, processor = [], []
    for _ in range(times):
        wall, used = time.perf_counter(), time.process_time()
        work()
        walls.append(1e3 * (time.perf_counter() - wall))
        processor.append(1e3 * (time.process_time() - used))
    return f"{what}: best {min(walls):.0f} ms, median {np.median(walls):.0f} ms; processor {min(processor):.0f} ms"
