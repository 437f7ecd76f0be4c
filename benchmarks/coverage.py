"""Are the errors honest? Simulate campaigns of many seeds, compute every film in memory, pool the pulls.

`python -m benchmarks.coverage --seeds 10 --processes 2 --out .coverage-of-errors`. One JSON a film; what is there is
not computed again, so a run that was stopped goes on. `--only SIM-F035` and `--techniques kpfm,afm` narrow it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from rutile_assets.ops.in_memory import compute_folder
from rutile_assets.ops.score import compared, summarise
from rutile_assets.simulation.campaign import CAMPAIGN_FILMS, film_files, plan, sample_truth, write_files
from rutile_assets.simulation.files import MAKERS
from rutile_assets.simulation.realism import Realism

Job = tuple[int, int, Path, tuple[str, ...]]


def compute(job: Job) -> Path:
    """Simulate and compute the film of one seed and one place in the plan; write its pulls."""
    seed, place, _, techniques = job
    target = _target(job)
    if target.exists():
        return target
    planned = next(islice(plan(), place, None))
    truth = sample_truth(planned, Realism(), seed)
    makers = {technique: make for technique, make in MAKERS.items() if not techniques or technique in techniques}
    files, _ = film_files(planned, truth, Realism(), seed, makers)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / planned.growth_id
        write_files(folder, files)
        made = compute_folder(folder)
    known = {(truth.growth_id, q.quantity, q.subject): q.value for q in truth.quantities()}
    rows = [{**row, "seed": seed} for row in compared(made.results, known)]
    record = {"rows": rows, "seconds": made.seconds, "refused": made.refused}
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".part")
    temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    temporary.replace(target)
    return target


def _target(job: Job) -> Path:
    seed, place, out, techniques = job
    return out / ("+".join(sorted(techniques)) or "all") / f"seed{seed:03d}" / f"film{place:03d}.json"


def report(paths: list[Path]) -> Iterator[str]:
    """Yield the pooled table, the time each asset took, and what was refused."""
    records: list[dict[str, Any]] = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    yield f"{'quantity':32} {'n':>5} {'bias':>7} {'+-':>5} {'width':>6} {'cover':>6} {'95 %':>12}  verdict"
    for s in summarise(row for record in records for row in record["rows"]):
        yield (
            f"{s.quantity:32} {s.count:5d} {s.bias:7.2f} {s.bias_std:5.2f} {s.width:6.2f} {100 * s.coverage:5.0f}%"
            f" {100 * s.coverage_low:4.0f}..{100 * s.coverage_high:3.0f} %  {s.verdict}"
        )
    seconds: dict[str, list[float]] = defaultdict(list)
    for record in records:
        for asset, spent in record["seconds"].items():
            seconds[asset].append(spent)
    for asset, spent in sorted(seconds.items(), key=lambda item: -sum(item[1])):
        yield f"{asset:32} {len(spent):5d} films, {np.mean(spent):6.2f} s a film, {max(spent):6.2f} s at most"
    for path, record in zip(paths, records, strict=True):
        for name, why in record["refused"].items():
            yield f"{path.parent.name}/{path.stem} {name}: {why}"


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(".coverage-of-errors"))
    parser.add_argument("--only", default="", help="growth_ids, separated by commas")
    parser.add_argument("--techniques", default="", help="folders, separated by commas; all of them by default")
    chosen = parser.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    techniques = tuple(filter(None, chosen.techniques.split(",")))
    places = [
        place
        for place, planned in zip(range(CAMPAIGN_FILMS), plan(), strict=False)
        if not only or planned.growth_id in only
    ]
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    jobs = [(seed, place, chosen.out, techniques) for seed in seeds for place in places]
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(compute, job): job for job in jobs if not _target(job).exists()}
        for done, finished in enumerate(as_completed(running), start=1):
            print(f"{done}/{len(running)} {finished.result()}", file=sys.stderr, flush=True)
    for line in report([_target(job) for job in jobs]):
        print(line, flush=True)


if __name__ == "__main__":
    main()
