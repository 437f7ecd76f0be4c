"""Export, import into an empty home, trace: the same tree, numbers and hashes; the crate is one to others, too."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
import zarr
from crate_home import ASSETS, SETTINGS, make_home, numbers, trees
from pyarrow import parquet

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake import vault
from rutile_assets.ops.export import pages_of, write_export
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.crate.adopt import take_in
from rutile_assets.provenance.crate.archive import pack
from rutile_assets.provenance.crate.parts import MANIFEST, METADATA
from rutile_assets.provenance.crate.rows import FILM
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets
from rutile_assets.techniques.growth.record import ID_PATTERN

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = os.environ.get("ROC_VALIDATOR_PYTHON") or str(ROOT / ".venv-validator" / "bin" / "python")
FILMS = ["SIM-F015", "SIM-F025"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = make_home(tmp_path_factory.mktemp("lab") / "home")
    yield house
    house.lake.close()


@pytest.fixture(scope="module")
def crate(lab: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "films"
    pages_of(lab, FILMS)
    write_export(lab, out, None, None, "crate")
    return out


@pytest.fixture(scope="module")
def other(crate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return an empty home that took the crate in."""
    house = open_house(tmp_path_factory.mktemp("other") / "home")
    take_in(house.lake, house.home, crate, RunContext("cli"))
    yield house
    house.lake.close()


def _graph(crate: Path) -> dict[str, dict[str, object]]:
    return {node["@id"]: node for node in json.loads((crate / METADATA).read_text(encoding="utf-8"))["@graph"]}


def test_taken_in_by_an_empty_home_trees_numbers_and_bytes_are_the_same(lab: House, other: House) -> None:
    assert trees(other) == trees(lab)
    assert len(trees(other)) == 7
    assert numbers(other) == numbers(lab)
    files = "SELECT growth_id, original_path, sha256, data_version, declared FROM current_raw_file ORDER BY ALL"
    assert other.lake.rows(files) == lab.lake.rows(files)
    assert all(vault.is_intact(other.home.vault, row["sha256"]) for row in other.lake.rows(files))
    arrays = 'SELECT growth_id, channel_index, "array" FROM afm_image ORDER BY ALL'
    assert other.lake.rows(arrays) == lab.lake.rows(arrays)
    for row in other.lake.rows(arrays):
        ours, theirs = (zarr.open_array(h.home.arrays / f"{row['array']}.zarr", mode="r") for h in (lab, other))
        np.testing.assert_array_equal(ours[...], theirs[...])
        assert dict(ours.attrs) == dict(theirs.attrs)


def test_nothing_is_stale_where_the_code_is_the_same_and_a_film_can_be_computed_anew(lab: House, other: House) -> None:
    def reasons(house: House) -> list[tuple[str | None, str, tuple[str, ...]]]:
        return [(s.growth_id, s.asset, s.reasons) for s in stale_assets(house.lake, house.home, all_assets())]

    made = [ASSETS[name] for name in ("growth", "afm_image", "afm_roughness")]
    assert stale_assets(other.lake, other.home, made) == []
    assert reasons(other) == reasons(lab)
    then = other.lake.rows("SELECT data_version FROM entity WHERE asset = 'afm_image' AND growth_id = 'SIM-F015'")
    again = materialize(other.lake, other.home, ASSETS["afm_image"], "SIM-F015", RunContext("cli"))
    assert again.data_version == then[0]["data_version"]


def test_where_it_came_from_is_told(lab: House, other: House, crate: Path) -> None:
    origin = other.lake.rows("FROM origin")[0]
    assert origin["organisation"] == "The Thin Film Lab"
    assert origin["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert origin["crate_id"] == hashlib.sha256((crate / MANIFEST).read_bytes()).hexdigest()
    assert [row["original_growth_id"] for row in other.lake.rows("FROM origin_film ORDER BY growth_id")] == FILMS
    ids = other.lake.rows(
        "SELECT original_id, data_version, asset FROM origin_number INNER JOIN entity ON local_id = entity_id"
    )
    theirs = {row["entity_id"]: row for row in lab.lake.rows("FROM entity")}
    assert len(ids) == len(theirs)
    assert all(theirs[row["original_id"]]["data_version"] == row["data_version"] for row in ids)
    pages_of(other, FILMS[:1])
    page = (other.home.reports / "films" / "SIM-F015" / "index.html").read_text(encoding="utf-8")
    assert "made by The Thin Film Lab, taken in" in page
    snapshots = other.lake.rows(
        "SELECT a.snapshot, n.original_snapshot FROM activity a INNER JOIN origin_number n ON n.local_id ="
        " a.activity_id WHERE a.asset = 'afm_image'"
    )
    assert all(row["snapshot"] is None and row["original_snapshot"] is not None for row in snapshots)


def test_again_it_is_known_and_other_bytes_under_the_same_name_are_refused(other: House, crate: Path) -> None:
    before = other.lake.rows("SELECT count(*) AS n FROM entity")
    again = take_in(other.lake, other.home, crate, RunContext("cli"))
    assert (again.films, list(again.known)) == ((), FILMS)
    assert other.lake.rows("SELECT count(*) AS n FROM entity") == before
    with pytest.raises(InvalidRecord, match=r"LAB-SIM-F015 with the same bytes as SIM-F015/"):
        take_in(other.lake, other.home, crate, RunContext("cli"), prefix="LAB-")


def test_a_taken_name_is_refused_and_a_prefix_helps(crate: Path, house: House) -> None:
    folder = house.home.inbox / "SIM-F015"
    folder.mkdir()
    growth = (crate / "raw" / "SIM-F015" / "growth.yaml").read_text(encoding="utf-8")
    (folder / "growth.yaml").write_text(f"{growth}# another film of that name\n", encoding="utf-8")
    house.ingest([folder], RunContext("cli"))
    materialize(house.lake, house.home, ASSETS["growth"], "SIM-F015", RunContext("cli"))
    with pytest.raises(InvalidRecord, match=r"SIM-F015, which is here already with another .*--prefix LAB-"):
        take_in(house.lake, house.home, crate, RunContext("cli"))
    assert house.films() == ["SIM-F015"]
    assert house.lake.rows("SELECT found FROM rejected_files")[0]["found"].startswith("SIM-F015, which is here")
    adopted = take_in(house.lake, house.home, crate, RunContext("cli"), prefix="LAB-")
    assert house.films() == ["LAB-SIM-F015", "LAB-SIM-F025", "SIM-F015"]
    assert adopted.films == ("LAB-SIM-F015", "LAB-SIM-F025")
    assert house.lake.rows("SELECT found FROM rejected_files") == []
    step = trace.results_named(house.lake, "LAB-SIM-F015", "roughness_sq_pm")[0]
    files = trace.raw_files(trace.back(house.lake, step["entity_id"]))
    assert {file.details["growth_id"] for file in files} == {"LAB-SIM-F015"}


def test_one_film_of_two_leaves_what_spans_films_to_be_computed_anew(lab: House, house: House, tmp_path: Path) -> None:
    told = write_export(lab, tmp_path / "one.eln", ["SIM-F025"], None, "eln")
    assert "rest on films that are not in it" in told[1]
    adopted = take_in(house.lake, house.home, tmp_path / "one.eln", RunContext("cli"))
    assert adopted.films == ("SIM-F025",)
    assert "rutile run computes them anew" in adopted.sentences[0]
    of_film = {name: tree for name, tree in trees(lab).items() if name.endswith("of SIM-F025")}
    assert trees(house) == of_film
    with zipfile.ZipFile(tmp_path / "one.eln") as archive:
        names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {"one"}
        assert names[0] == f"one/{METADATA}"
        assert not any("SIM-F015" in name for name in names)
        claims = parquet.read_table(io.BytesIO(archive.read("one/tables/claims.parquet"))).to_pylist()
        outside = parquet.read_table(io.BytesIO(archive.read("one/provenance/outside.parquet"))).to_pylist()
    assert {row["growth_id"] for row in claims} <= {None, "SIM-F025"}
    assert {row["growth_id"] for row in outside} == {"SIM-F015"}


def test_the_same_lake_gives_the_same_bytes(lab: House, crate: Path, tmp_path: Path) -> None:
    write_export(lab, tmp_path / "films", FILMS, None, "crate")
    assert (tmp_path / "films" / MANIFEST).read_bytes() == (crate / MANIFEST).read_bytes()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pack(tmp_path / "films" if name == "a" else crate, tmp_path / name / "films.zip")
    assert (tmp_path / "a" / "films.zip").read_bytes() == (tmp_path / "b" / "films.zip").read_bytes()
    with pytest.raises(InvalidRecord, match="something at"):
        write_export(lab, tmp_path / "films", FILMS, None, "crate")


def test_every_file_is_described_with_hash_and_size(lab: House, crate: Path) -> None:
    graph = _graph(crate)
    files = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    listed = {key for key, node in graph.items() if "sha256" in node}
    assert files - listed == {METADATA, MANIFEST}
    assert listed <= files
    for place in sorted(listed):
        content = (crate / place).read_bytes()
        assert graph[place]["sha256"] == hashlib.sha256(content).hexdigest()
        assert graph[place]["contentSize"] == str(len(content))
        assert "encodingFormat" in graph[place]
    root = graph["./"]
    assert root["description"].startswith("SIMULATED DATA")
    assert {node["@id"] for node in root["hasPart"]} >= listed
    assert graph["https://spdx.org/licenses/CC-BY-4.0"]["name"] == "CC-BY-4.0"
    activity = lab.lake.rows("SELECT * FROM activity WHERE asset = 'afm_roughness' AND partition = 'SIM-F015'")[0]
    action = graph[f"#activity-{activity['activity_id']}"]
    assert action["agent"] == {"@id": "https://ror.org/000000000"}
    assert action["instrument"] == {"@id": f"#tool-afm_roughness-{activity['code_version']}"}
    made = lab.lake.rows("FROM entity WHERE activity_id = ?", [activity["activity_id"]])[0]["entity_id"]
    assert action["result"] == {"@id": f"#entity-{made}"}
    above = lab.lake.rows("SELECT parent FROM edge WHERE child = ?", [made])
    assert {f"#entity-{row['parent']}" for row in above} <= {node["@id"] for node in action["object"]}
    used = {node["@id"] for node in action["object"] if node["@id"].startswith("#value-")}
    assert {graph[value]["name"]: graph[value]["value"] for value in used} == json.loads(activity["parameters"])


def test_tables_read_without_us_carry_units_and_meanings(lab: House, crate: Path, tmp_path: Path) -> None:
    table = parquet.read_table(crate / "tables" / "afm_roughness.parquet")
    assert table.schema.field("roughness_sq_pm").metadata[b"unit"] == b"pm"
    with (crate / "tables" / "columns.csv").open(encoding="utf-8") as handle:
        columns = {(row["table"], row["column"]): row for row in csv.DictReader(handle)}
    assert columns["afm_roughness", "roughness_sq_pm"]["unit"] == "pm"
    connection = duckdb.connect()
    meta = connection.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata('{crate}/tables/afm_roughness.parquet')"
        " WHERE decode(key) = 'columns'"
    ).fetchall()
    assert json.loads(meta[0][0])["roughness_sq_pm"]["unit"] == "pm"
    results = pd.read_csv(crate / "results.csv")
    assert len(results) == len(numbers(lab))
    citation = yaml.safe_load((crate / "CITATION.cff").read_text())
    assert citation["license"] == "CC-BY-4.0"
    assert citation["authors"][0]["name"] == "The Thin Film Lab"
    page = (crate / "pages" / "films" / "SIM-F015" / "index.html").read_text(encoding="utf-8")
    assert "vault/" not in page
    assert "../../../raw/SIM-F015/growth.yaml" in page


def test_the_lineage_as_prov_is_what_the_package_prov_reads(lab: House, crate: Path) -> None:
    model = pytest.importorskip("prov.model")
    document = model.ProvDocument.deserialize(str(crate / "prov.json"), format="json")
    counts = {
        kind: len(list(document.get_records(getattr(model, kind))))
        for kind in ("ProvEntity", "ProvActivity", "ProvDerivation", "ProvGeneration")
    }
    edges = lab.lake.rows("SELECT count(*) AS n FROM edge")[0]["n"]
    entities = lab.lake.rows("SELECT count(*) AS n FROM entity")[0]["n"]
    assert counts["ProvDerivation"] == edges
    assert counts["ProvEntity"] == entities + 1
    assert counts["ProvGeneration"] == entities
    assert counts["ProvActivity"] == lab.lake.rows("SELECT count(*) AS n FROM activity")[0]["n"]


def test_a_duckdb_file_opens_without_us(lab: House, tmp_path: Path) -> None:
    out = tmp_path / "films.duckdb"
    assert len(write_export(lab, out, FILMS, None, "duckdb", raw=True)) == 1
    connection = duckdb.connect(str(out.rename(tmp_path / "other_name.duckdb")), read_only=True)
    views = [row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    assert {"results", "film_passport", "lineage_edge", "current_raw_file"} <= set(views)
    for view in views:
        connection.execute(f'SELECT * FROM "{view}"').fetchall()
    assert connection.execute("SELECT count(*) FROM results WHERE is_current").fetchall() == [(len(numbers(lab)),)]
    comment = connection.execute(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'afm_roughness' AND column_name = 'roughness_sq_pm'"
    ).fetchall()
    assert comment[0][0].endswith("[pm]")
    for sha256, content in connection.execute("FROM raw_bytes").fetchall():
        assert hashlib.sha256(content).hexdigest() == sha256


@pytest.mark.skipif(not Path(VALIDATOR).is_file(), reason="NO RO-CRATE VALIDATOR (docs/export.md)")
def test_the_official_validator_finds_nothing(crate: Path) -> None:
    script = ROOT / "tests" / "validate_crate.py"
    profile = "provenance-run-crate-0.5"
    answer = subprocess.run(
        [VALIDATOR, str(script), str(crate), profile, "REQUIRED"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert int(answer.stdout.split()[-4]) > 80


def test_what_a_film_may_be_called_is_one_rule() -> None:
    assert f"^{FILM.pattern}$" == ID_PATTERN


def test_settings_of_the_lab_are_checked(house: House) -> None:
    from rutile_assets.provenance.crate.lab import lab_of  # noqa: PLC0415

    assert "No licence is given" in lab_of(house.home).terms
    house.home.settings_file.write_text(SETTINGS.replace("url:", "adress:"), encoding="utf-8")
    with pytest.raises(InvalidRecord, match=r"lab\.adress"):
        lab_of(house.home)
