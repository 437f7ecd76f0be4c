"""rutile gc: what goes and what stays; the vault and every number stand as they were."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock
from growths import drop_growth

from rutile_assets.cli import main
from rutile_assets.errors import InvalidRecord
from rutile_assets.lake import arrays, retention
from rutile_assets.ops.gc import Line, collect
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.provenance.trace import back, raw_files
from rutile_assets.rooms import all_assets
from rutile_assets.table import Table

DAY_S = 86_400.0
GROWTH = next(asset for asset in all_assets() if asset.name == "growth")
FILMS = ("A-1", "A-2")
VERSIONS = 2


def _home(root: Path) -> House:
    """Return a home whose two films were described anew, and computed anew, four times."""
    house = open_house(root)
    run = RunContext("cli")
    for version in range(VERSIONS):
        for film in FILMS:
            drop_growth(house.home.inbox, film, 2.0 + 0.5 * version)
        house.ingest([house.home.inbox], run)
        for film in FILMS:
            materialize(house.lake, house.home, GROWTH, film, run)
    return house


def _later(days: float = 40.0) -> float:
    return time.time() + days * DAY_S


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _rows(house: House) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table that stands now."""
    return {
        table.name: sorted(house.lake.rows(f'SELECT * FROM lake."{table.name}"'), key=str)
        for table in house.lake.declared
    }


def _line(lines: list[Line], what: str) -> Line:
    return next(line for line in lines if line.what == what)


def _read_at(house: House, snapshot: int) -> list[object]:
    """Return what a snapshot shows of the tables that every computation writes."""
    connection = house.lake.at(snapshot)
    tables = ("growth", "growth_layer", "activity", "entity", "edge", "raw_file")
    try:
        return [connection.execute(f"FROM lake.{table} ORDER BY ALL").fetchall() for table in tables]
    finally:
        connection.close()


def _referred(house: House) -> set[int]:
    rows = house.lake.rows(
        "SELECT snapshot FROM lake.activity JOIN lake.entity USING (activity_id) WHERE kind = 'asset'"
        " QUALIFY entity_id = max(entity_id) OVER (PARTITION BY entity.asset, growth_id)"
    )
    return {row["snapshot"] for row in rows}


def test_what_people_have_stays_and_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    house = _home(tmp_path / "home")
    vault, rows, stale = _files(house.home.vault), _rows(house), stale_assets(house.lake, house.home, all_assets())
    referred = _referred(house)
    shown = {snapshot: _read_at(house, snapshot) for snapshot in referred}
    snapshots = retention.lake_state(house.lake).snapshots
    newest = house.lake.rows("SELECT max(entity_id) AS newest FROM lake.entity WHERE asset = 'growth'")[0]["newest"]
    before = _files(house.home.root)
    foreseen = collect(house, yes=False, now=_later())
    assert _files(house.home.root) == before
    lines = collect(house, yes=True, at_once=True, now=_later())
    assert _files(house.home.vault) == vault
    assert _rows(house) == rows
    assert stale_assets(house.lake, house.home, all_assets()) == stale
    assert [step.details["original_path"] for step in raw_files(back(house.lake, newest))] == ["growth.yaml"]
    assert referred
    assert {snapshot: _read_at(house, snapshot) for snapshot in referred} == shown
    kept = set(retention.lake_state(house.lake).snapshots)
    assert referred <= kept
    gone = sorted(set(snapshots) - kept)
    assert gone
    with pytest.raises(InvalidRecord, match=f"snapshot {gone[-1]}, which has expired"):
        house.lake.at(gone[-1])
    assert _line(lines, "inlined rows").count_after == 0
    # writing inlined rows out makes a snapshot of its own
    before_, after = (_line(foreseen, "snapshots").count, _line(foreseen, "snapshots").count_after)
    assert len(gone) - 1 <= before_ - (after or 0) <= len(gone)
    house.lake.close()


@pytest.mark.slow
def test_files_become_fewer_and_wait_an_hour_unless_told_otherwise(tmp_path: Path) -> None:
    house = open_house(tmp_path / "home")
    run = RunContext("cli")
    drop_growth(house.home.inbox, "A-1")
    house.ingest([house.home.inbox], run)
    for version in range(4):
        materialize(house.lake, house.home, GROWTH, "A-1", run)
        with house.lake.exclusive() as ask:  # every version in files of its own
            for table in ("growth", "growth_layer", "activity", "entity", "edge") if version else (None,):
                named = "" if table is None else f", table_name => '{table}'"
                ask.execute(f"CALL ducklake_flush_inlined_data('lake'{named})")
    rows, before = _rows(house), retention.lake_state(house.lake)
    lines = collect(house, yes=True, now=_later())
    waiting = retention.lake_state(house.lake)
    assert "deleted by a gc in an hour" in _line(lines, "Parquet files").said
    assert waiting.waiting > 0
    assert waiting.files >= before.files  # nothing that a reader may have open is gone
    final = collect(house, yes=True, at_once=True, now=_later())
    assert (_line(final, "Parquet files").count_after or 0) < before.files
    assert (_line(final, "Parquet files").bytes_after or 0) < before.files_bytes
    assert retention.lake_state(house.lake).waiting == 0
    assert _rows(house) == rows
    house.lake.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = open_house(tmp_path_factory.mktemp("retention") / "home")
    yield house
    house.lake.close()


def _array(house: House, value: float, age_s: float) -> Path:
    reference = arrays.store(house.home.arrays, "height_nm", np.full((3, 3), value), {"unit": "nm"})
    path = house.home.arrays / f"{reference}.zarr"
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_an_array_goes_when_it_is_old_and_no_row_names_it(small: House) -> None:
    named, lost, young = _array(small, 1.0, 3 * DAY_S), _array(small, 2.0, 3 * DAY_S), _array(small, 3.0, 0.0)
    unfinished = small.home.arrays / "height_nm" / ".writing-x"
    unfinished.mkdir()
    os.utime(unfinished, (time.time() - 3 * DAY_S,) * 2)
    reference = named.relative_to(small.home.arrays).as_posix().removesuffix(".zarr")
    with small.lake.write() as writer:
        writer.append("code", [{"code_version": "c", "parts": json.dumps({"deep": {"in": [reference]}})}])
    foreseen = _line(collect(small, yes=False), "arrays")
    assert (foreseen.count, foreseen.count_after) == (4, 2)
    assert lost.exists()
    snapshots = retention.lake_state(small.lake).snapshots
    for _ in range(2):  # inlined at first, in a file then
        line = _line(collect(small, yes=True), "arrays")
        assert (line.count_after, lost.exists(), unfinished.exists()) == (2, False, False)
        assert named.exists()
        assert young.exists()
    assert arrays.read(small.home.arrays, reference).sum() == 9.0
    assert set(snapshots) <= set(retention.lake_state(small.lake).snapshots)  # they are young
    shutil.rmtree(young)


def test_an_array_that_is_stored_again_is_young_again(small: House) -> None:
    path = _array(small, 5.0, 3 * DAY_S)
    chosen = retention.unused_arrays(small.lake, small.home.arrays, time.time())
    assert chosen == [path]
    arrays.store(small.home.arrays, "height_nm", np.full((3, 3), 5.0), {"unit": "nm"})
    assert not retention.delete_array(path, time.time())
    assert path.exists()
    assert retention.unused_arrays(small.lake, small.home.arrays, time.time()) == []


def test_where_the_lake_cannot_be_read_through_no_array_goes(small: House) -> None:
    lost = _array(small, 1.0, 3 * DAY_S)
    folder = small.home.lake / "data" / "main" / "growth"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "damaged.parquet").write_bytes(b"PAR1 no")
    line = _line(collect(small, yes=True), "arrays")
    assert "cannot be read through" in line.said
    assert lost.exists()
    (folder / "damaged.parquet").unlink()


def test_scratch_goes_when_it_is_old_and_no_run_is_alive(small: House) -> None:
    scratch = small.home.scratch
    old, young = scratch / "fit" / "A-1", scratch / "fit" / "A-2"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "state.npz").write_bytes(b"x" * 100)
    past = time.time() - 9 * DAY_S
    for path in (old / "state.npz", old):
        os.utime(path, (past, past))
    (scratch / "runs").mkdir()
    with FileLock(scratch / "runs" / "r1.lock", thread_local=False):
        line = _line(collect(small, yes=True), "scratch folders")
        assert "1 run in progress" in line.said
        assert old.exists()
    line = _line(collect(small, yes=True), "scratch folders")
    assert (line.count, line.bytes, line.count_after, line.bytes_after) == (2, 200, 1, 100)
    assert not old.exists()
    assert (young / "state.npz").exists()


@pytest.mark.slow
def test_others_read_and_write_meanwhile(tmp_path: Path) -> None:
    house = _home(tmp_path / "home")
    faults: list[BaseException] = []
    stop = threading.Event()

    def busy(work: Table | None) -> None:
        run = RunContext("cli")
        try:
            while not stop.is_set():
                if work is None:
                    materialize(house.lake, house.home, GROWTH, "A-1", run)
                else:
                    assert len(house.lake.rows(f'SELECT * FROM lake."{work.name}"')) == len(FILMS)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=busy, args=(work,)) for work in (None, house.lake.tables["growth"])]
    for thread in threads:
        thread.start()
    for _ in range(2):
        collect(house, yes=True, now=_later())
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert house.lake.rows("SELECT count(*) AS n FROM lake.growth") == [{"n": len(FILMS)}]
    house.lake.close()


def test_the_command_says_that_it_changed_nothing(small: House) -> None:
    said = CliRunner().invoke(main, ["--home", str(small.home.root), "gc"])
    assert said.exit_code == 0, said.output
    assert "dry run" in said.output
    assert "snapshots" in said.output
