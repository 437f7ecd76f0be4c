"""The lake under several writers, under kill -9, without network, and back in time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from growths import drop_growth

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.table import Column, Table

NOTE = Table(
    "note",
    "Test rows.",
    "one note",
    ("note_id",),
    (
        Column("note_id", "bigint", "id"),
        Column("growth_id", "text", "film"),
        Column("size_nm", "double", "a size", minimum=0),
    ),
)

WRITER = """
import sys
from pathlib import Path
from rutile_assets.lake.tables import Lake
from rutile_assets.table import Column, Table
NOTE = Table("note", "Test rows.", "one note", ("note_id",), (
    Column("note_id", "bigint", "id"), Column("growth_id", "text", "film"), Column("size_nm", "double", "a size"),
))
lake = Lake(Path(sys.argv[1]), [NOTE])
for i in range(15):
    with lake.write() as writer:
        writer.append("note", [{"note_id": writer.next_id(), "growth_id": sys.argv[2], "size_nm": float(i)}])
print("done")
"""

MATERIALIZER = """
import sys
from rutile_assets.ops.house import open_house
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets
house = open_house(sys.argv[1])
growth = next(a for a in all_assets() if a.name == "growth")
print("ready", flush=True)
while True:
    for film in house.films():
        materialize(house.lake, house.home, growth, film, RunContext("cli"))
"""


def _children(command: list[list[str]]) -> list[subprocess.Popen[str]]:
    return [subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True) for words in command]


def test_four_processes_writing_fifteen_times_each_all_commit(tmp_path: Path) -> None:
    Lake(tmp_path, [NOTE]).snapshot()
    children = _children([[WRITER, str(tmp_path), f"film {k}"] for k in range(4)])
    assert [child.communicate(timeout=120)[0].strip() for child in children] == ["done"] * 4
    lake = Lake(tmp_path, [NOTE])
    rows = lake.rows("SELECT growth_id, count(*) AS n, count(DISTINCT note_id) AS ids FROM note GROUP BY growth_id")
    assert sorted((r["n"], r["ids"]) for r in rows) == [(15, 15)] * 4
    assert lake.rows("SELECT count(DISTINCT note_id) AS n FROM note")[0]["n"] == 60


def test_kill_9_leaves_data_and_lineage_in_step_and_the_next_run_finishes(house: House) -> None:
    for k in range(3):
        drop_growth(house.home.inbox, f"MBE-{k}")
    house.ingest([house.home.inbox], RunContext("cli"))
    chance = random.Random(1)
    for _ in range(10):
        child = _children([[MATERIALIZER, str(house.home.root)]])[0]
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        time.sleep(chance.uniform(0.05, 0.4))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        _data_and_lineage_agree(house.lake)
    child = _children([[MATERIALIZER, str(house.home.root)]])[0]
    assert child.stdout is not None
    child.stdout.readline()
    before = house.lake.rows("SELECT count(*) AS n FROM lake.entity WHERE kind = 'asset'")[0]["n"]
    for _ in range(100):
        time.sleep(0.1)
        if house.lake.rows("SELECT count(*) AS n FROM lake.entity WHERE kind = 'asset'")[0]["n"] > before + 3:
            break
    child.kill()
    child.wait()
    child.stdout.close()
    _data_and_lineage_agree(house.lake)
    assert house.lake.rows("SELECT count(*) AS n FROM growth")[0]["n"] == 3


def _data_and_lineage_agree(lake: Lake) -> None:
    """Every visible row has its entity, activity, code and edge; every newest entity has its rows."""
    orphans = lake.rows(
        "SELECT 1 FROM lake.growth LEFT JOIN lake.entity USING (entity_id) LEFT JOIN lake.activity USING (activity_id)"
        " LEFT JOIN lake.code USING (code_version) LEFT JOIN lake.edge ON growth.entity_id = edge.child"
        " WHERE entity.entity_id IS NULL OR activity.activity_id IS NULL OR code.parts IS NULL OR edge.parent IS NULL"
    )
    assert orphans == []
    newest = lake.rows(
        "SELECT growth_id, max(entity_id) AS entity_id FROM lake.entity WHERE kind = 'asset' GROUP BY ALL ORDER BY 1"
    )
    for name in ("growth", "growth_layer"):
        rows = lake.rows(f"SELECT growth_id, entity_id FROM lake.{name} ORDER BY 1")
        assert rows == newest


def test_an_exception_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path, [NOTE])

    def half_wrong() -> None:
        with lake.write() as writer:
            writer.append("note", [{"note_id": 1, "growth_id": "a", "size_nm": 1.0}])
            writer.append("note", [{"note_id": 2, "growth_id": "a", "size_nm": -1.0}])

    with pytest.raises(InvalidRecord, match="size_nm"):
        half_wrong()
    assert lake.rows("FROM note") == []


def test_a_snapshot_shows_the_lake_as_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path, [NOTE])
    with lake.write() as writer:
        writer.append("note", [{"note_id": 1, "growth_id": "a", "size_nm": 1.0}])
    then = lake.snapshot()
    with lake.write() as writer:
        writer.replace("note", NOTE.frame([{"note_id": 2, "growth_id": "a", "size_nm": 2.0}]), "a")
    lake.maintain()
    assert lake.rows("SELECT size_nm FROM note") == [{"size_nm": 2.0}]
    assert lake.at(then).execute("SELECT size_nm FROM note").fetchall() == [(1.0,)]
    with pytest.raises(InvalidRecord, match="snapshot 9999"):
        lake.at(9999)


def test_readers_cannot_write(house: House) -> None:
    with pytest.raises(Exception, match="read-only"):
        house.lake.reader().execute("DELETE FROM lake.run")


def test_extensions_load_from_their_wheels_with_an_empty_home_and_no_network(tmp_path: Path) -> None:
    empty = tmp_path / "nobody"
    empty.mkdir()
    code = (
        "import json, sys; from pathlib import Path; from rutile_assets.lake.connection import connect;"
        'c = connect(Path(sys.argv[1])); print(json.dumps(c.execute("SELECT extension_name, install_path FROM'
        " duckdb_extensions() WHERE loaded AND extension_name IN ('ducklake', 'sqlite_scanner')\").fetchall()))"
    )
    environment = {
        **os.environ,
        "HOME": str(empty),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert {name for name, _ in json.loads(answer.stdout)} == {"ducklake", "sqlite_scanner"}
    assert not list(empty.rglob("*.duckdb_extension"))


def test_a_column_that_a_new_version_declares_is_added_to_a_lake_that_has_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path, [NOTE])
    with lake.write() as writer:
        writer.append("note", [{"note_id": 1, "growth_id": "a", "size_nm": 1.0}])
    lake.close()
    wider = Table(
        "note", "Test rows.", "one note", ("note_id",), (*NOTE.columns, Column("word", "text", "w", nullable=True))
    )
    assert Lake(tmp_path, [wider]).rows("SELECT size_nm, word FROM note") == [{"size_nm": 1.0, "word": None}]


def test_two_homes_share_nothing(tmp_path: Path) -> None:
    one, two = Home.find(tmp_path / "one"), Home.find(tmp_path / "two")
    first, second = Lake(one.lake, [NOTE]), Lake(two.lake, [NOTE])
    with first.write() as writer:
        writer.append("note", [{"note_id": 1, "growth_id": "a", "size_nm": 1.0}])
    assert second.rows("FROM note") == []


def test_a_home_that_was_moved_opens_with_all_that_is_in_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "here" / "lake", [NOTE])
    many = [{"note_id": i, "growth_id": "A", "size_nm": 1.0} for i in range(1, 2001)]  # beyond what is inlined
    with lake.write() as writer:
        writer.append("note", many)
    lake.close()
    (tmp_path / "here").rename(tmp_path / "there")
    moved = Lake(tmp_path / "there" / "lake", [NOTE])
    with moved.write() as writer:
        writer.append("note", [{"note_id": 9999, "growth_id": "A", "size_nm": 2.0}])
    moved.maintain()
    assert moved.rows("SELECT count(*) AS n, sum(size_nm) AS total FROM lake.note") == [{"n": 2001, "total": 2002.0}]
    assert not (tmp_path / "here").exists()
    moved.close()
