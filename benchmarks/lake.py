"""The lake: files a second, commits from the first to the thousandth, lineage at a million edges."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from rutile_assets.lake.tables import Lake
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext, utc_now
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.campaign import simulate

FILMS, EDGES = 10_000, 1_000_000


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
    """Yield the time of the query behind `rutile trace` at 10,000 films and a million edges."""
    house, folder = _home("lineage")
    per_film = EDGES // FILMS
    first, wanted = _fill(house.lake, per_film)
    start = time.perf_counter()
    house.lake.maintain()
    yield f"{FILMS} films, {FILMS * per_film} edges; maintenance {time.perf_counter() - start:.1f} s"
    spent = []
    for _ in range(10):
        start = time.perf_counter()
        step = trace.back(house.lake, wanted)
        spent.append(1e3 * (time.perf_counter() - start))
    assert len(trace.raw_files(step)) > 0
    files = len(trace.raw_files(step))
    yield f"one number back to its {files} files: median {np.median(spent):.0f} ms, worst {max(spent):.0f} ms"
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        house.lake.rows("SELECT value FROM results WHERE growth_id = 'F00500' AND is_current")
        spent.append(1e3 * (time.perf_counter() - start))
    yield f"one film's current numbers: median {np.median(spent):.0f} ms"
    shutil.rmtree(folder)
    assert first < wanted


def _fill(lake: Lake, per_film: int) -> tuple[int, int]:
    """Write films with raw files, one measured and many fitted entities each, in big transactions."""
    now = utc_now()
    fits = per_film // 4
    base = 1_000_000
    wanted = 0
    with lake.write() as writer:
        writer.append("code", [{"code_version": "c", "parts": json.dumps({})}])
        writer.append(
            "activity",
            [
                {
                    "activity_id": 1,
                    "run_id": 1,
                    "asset": "a",
                    "partition": None,
                    "code_version": "c",
                    "parameters": "{}",
                    "seed": None,
                    "snapshot": None,
                    "started_at": now,
                    "wall_time_s": 0.0,
                }
            ],
        )
    entities, edges, files, results = [], [], [], []
    for film in range(FILMS):
        growth_id = f"F{film:05d}"
        start = base + film * 1000
        raw = [start + i for i in range(4)]
        measured = start + 10
        made = [start + 20 + i for i in range(fits)]
        entities += [(e, "raw_file", "xrr", growth_id) for e in raw]
        entities += [(measured, "asset", "xrr_scan", growth_id)] + [(e, "asset", "xrr_fit", growth_id) for e in made]
        edges += [(measured, e, "file") for e in raw]
        for e in made:
            edges += [(e, measured, "xrr_scan")] + [(e, r, "file") for r in raw[:3]]
        files += [(raw[0], growth_id)]
        results.append((start + 900, made[-1], growth_id))
        wanted = made[-1] if film == FILMS // 2 else wanted
    columns = ["entity_id", "kind", "asset", "growth_id"]
    with lake.write() as writer:
        writer.append("entity", pd.DataFrame(entities, columns=columns).assign(data_version="d", activity_id=1))
        writer.append("edge", pd.DataFrame(edges, columns=["child", "parent", "role"]))
        writer.append(
            "raw_file",
            pd.DataFrame(files, columns=["file_id", "growth_id"]).assign(
                sha256="s",
                technique="xrr",
                original_path="x",
                settings="{}",
                declared="{}",
                reader="r",
                reader_version="v",
                data_version="d",
                activity_id=1,
                ingested_at=now,
                is_withdrawn=False,
            ),
        )
        writer.append(
            "result",
            pd.DataFrame(results, columns=["result_id", "entity_id", "growth_id"]).assign(
                technique="xrr",
                quantity="thickness_nm",
                subject="",
                value=1.0,
                sigma_systematic=0.0,
                sigma_source="covariance",
                unit="nm",
                method="m",
                notes="",
            ),
        )
    print(f"{len(edges)} edges written", file=sys.stderr)
    return base, wanted
