"""Films spread over processes: the same numbers as one process makes, each film's commits whole."""

from __future__ import annotations

import pytest

from rutile_assets.ops import parallel, runner
from rutile_assets.ops.house import House
from rutile_assets.ops.in_memory import compute_folder
from rutile_assets.provenance.context import RunContext
from rutile_assets.simulation.campaign import simulate


@pytest.mark.slow
def test_two_processes_make_the_numbers_of_one_and_leave_nothing_stale(house: House) -> None:
    made = simulate(house.home.root, films=4, light=True)
    house.ingest([made.inbox], RunContext("cli"))
    work = runner.plan(house)
    told: list[tuple[str, str]] = []
    report = parallel.run(house, work, 2, lambda film, asset: told.append((film, asset)))
    assert report.failures == []
    assert report.done == len(work) == len(told)
    assert sorted(told) == sorted((stale.growth_id or "all films", stale.asset) for stale in work)
    assert runner.plan(house) == []
    index = (house.home.reports / "index.html").read_text()
    for film in made.films:
        rows = house.lake.rows(
            "SELECT quantity, subject, value FROM results WHERE is_current AND growth_id = ? AND file_id IS NOT NULL"
            " OR is_current AND growth_id = ? AND technique = 'transport'",
            [film.growth_id, film.growth_id],
        )
        here = {(row["quantity"], row["subject"]): row["value"] for row in rows}
        alone = {(row["quantity"], row["subject"]): row["value"] for row in compute_folder(
            made.inbox / film.growth_id).results}  # fmt: skip
        assert here.items() <= alone.items()
        assert len(here) > 5
        assert film.growth_id in index
