"""A number's lineage as tree, table, groups and picture; SQL says the same; the raw files come out with their bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from growths import drop_growth
from passport_lake import fit_again, put_films

from rutile_assets.cli import main
from rutile_assets.ops.house import House
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.results.passport.series_lineage import series_path, write_series_lineage
from rutile_assets.rooms import all_assets

ASSETS = {asset.name: asset for asset in all_assets()}


@pytest.fixture
def rutile(house: House) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(main, ["--home", str(house.home.root), *map(str, words)])


def _series(house: House) -> int:
    """Put three films and a number of their series there; return its result_id."""
    for name, thickness in (("S1", 2.0), ("S2", 4.0), ("S3", 6.0)):
        house.ingest([drop_growth(house.home.inbox, name, thickness)], RunContext("cli"))
        materialize(house.lake, house.home, ASSETS["growth"], name, RunContext("cli"))
    made = materialize(house.lake, house.home, ASSETS["conductivity"], None, RunContext("cli"))
    with house.lake.write() as writer:
        result_id = writer.next_id()
        row = {
            "result_id": result_id, "entity_id": made.entity_id, "series": "RuO2/TiO2", "technique": "conductivity",
            "quantity": "bulk_conductivity_s_per_cm", "subject": "300 K", "value": 2.0e4, "sigma": 100.0,
            "sigma_systematic": 0.0, "sigma_source": "covariance", "unit": "S/cm", "method": "put there", "notes": "",
        }  # fmt: skip
        writer.append("result", [row])
    return result_id


def test_a_step_that_serves_several_is_walked_once_and_named_again(house: House, rutile: Callable[..., Result]) -> None:
    put_films(house, ["A1"])
    number = trace.results_named(house.lake, "A1", "total_thickness_nm")[0]
    lineage = trace.lineage_of(house.lake, [number["entity_id"]])
    assert lineage.steps.entity_id.is_unique
    assert sorted(lineage.steps.asset) == ["growth", "growth", "xrr", "xrr_fit", "xrr_scan"]
    assert dict(zip(lineage.steps.asset, lineage.steps.depth, strict=True))["xrr"] == 1
    tree = rutile("trace", "A1", "thickness_nm").output
    assert tree.count("xrr/scan.xrdml") == 2
    why = rutile("trace", "A1", "thickness_nm", "--why").output
    for told in ("commit 0123456789ab", "python 3.11", "snapshot 1", '"generations": 200', "read as panalytical-xrdml"):
        assert told in why


def test_the_table_the_macro_and_the_tree_name_the_same_steps(house: House, rutile: Callable[..., Result]) -> None:
    put_films(house, ["B1", "B2"])
    number = trace.results_named(house.lake, "B1", "total_thickness_nm")[0]
    rows = json.loads(rutile("trace", number["result_id"], "--why", "--format", "json").output)
    expected = {(row["entity_id"], row["asset"]) for row in rows}
    assert {
        (r["entity_id"], r["asset"]) for r in house.lake.rows("FROM trace_of(?)", [number["result_id"]])
    } == expected
    assert {row["git_commit"] for row in rows if row["kind"] == "asset"} == {"0123456789abcdef"}
    assert {row["result_id"] for row in rows} == {number["result_id"]}
    files = house.lake.rows("FROM files_of(?)", [number["result_id"]])
    assert [row["original_path"] for row in files] == ["growth.yaml", "xrr/scan.xrdml"]
    xrr = next(row["file_id"] for row in files if row["original_path"].startswith("xrr"))
    resting = {row["result_id"] for row in house.lake.rows("FROM resting_on(?)", [xrr])}
    assert resting == {row["result_id"] for row in trace.forward(house.lake, "B1/xrr/scan.xrdml")}
    assert len(resting) == 4
    by_entity = json.loads(rutile("trace", number["entity_id"], "--format", "json").output)
    assert {row["entity_id"] for row in by_entity} == {entity for entity, _ in expected}


def test_of_a_number_that_rests_on_one_file_the_others_do_not_count(house: House) -> None:
    put_films(house, ["C1"])
    number = trace.results_named(house.lake, "C1", "total_thickness_nm")[0]
    with house.lake.write() as writer:
        other = dict(writer.frame("SELECT * FROM lake.raw_file WHERE file_id = ?", [number["file_id"]]).iloc[0])
        entity = dict(writer.frame("SELECT * FROM lake.entity WHERE entity_id = ?", [number["file_id"]]).iloc[0])
        new = writer.next_id()
        writer.append("raw_file", [other | {"file_id": new, "original_path": "xrr/other.xrdml"}])
        writer.append("entity", [entity | {"entity_id": new}])
        writer.append("edge", [{"child": number["entity_id"], "parent": new, "role": "file"}])
    paths = {row["original_path"] for row in house.lake.rows("FROM files_of(?)", [number["result_id"]])}
    assert paths == {"growth.yaml", "xrr/scan.xrdml"}
    steps = trace.lineage_of(house.lake, [number["entity_id"]], number["file_id"]).steps
    assert set(steps.original_path.dropna()) == paths
    assert "xrr/other.xrdml" in set(trace.lineage_of(house.lake, [number["entity_id"]]).steps.original_path.dropna())


def test_long_lists_of_ids_are_walked_as_short_ones(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    put_films(house, ["D1", "D2"])
    starts = [row["entity_id"] for row in trace.results_named(house.lake, "D1", "total_thickness_nm")]
    short = trace.lineage_of(house.lake, starts)
    monkeypatch.setattr(trace, "_LISTED", 0)
    long = trace.lineage_of(house.lake, starts)
    assert long.steps.equals(short.steps)
    assert sorted(long.edges.itertuples(index=False)) == sorted(short.edges.itertuples(index=False))


def test_a_number_of_a_series_stands_on_groups_of_films_that_open(house: House, rutile: Callable[..., Result]) -> None:
    result_id = _series(house)
    tree = rutile("trace", "RuO2/TiO2", "bulk_conductivity_s_per_cm").output
    assert "growth  3 versions of 3 films" in tree
    assert "raw files of growth  3 files of 3 films" in tree
    table = json.loads(rutile("trace", result_id, "--format", "json").output)
    assert sorted(row["growth_id"] for row in table if row["kind"] == "raw_file") == ["S1", "S2", "S3"]
    assert write_series_lineage(house.lake, house.home)["RuO2/TiO2"].startswith("series/RuO2-TiO2-")
    path = series_path(house.home, "RuO2/TiO2")
    page = path.read_text()
    assert 'href="#group-growth"' in page
    assert f'id="picture-number-{result_id}"' in page
    assert "growth × 3" in page
    group = page.split('<details id="group-growth"')[1].split("</details>")[0]
    assert len(re.findall(r'href="\.\./\.\./films/S\d/index\.html#entity-\d+"', group)) == 3
    files = page.split('<details id="group-files-growth"')[1].split("</details>")[0]
    assert len(re.findall(r'#file-\d+">S\d/growth\.yaml', files)) == 3
    before = path.stat().st_mtime_ns
    write_series_lineage(house.lake, house.home)
    assert path.stat().st_mtime_ns == before
    said = rutile("trace", result_id, "--page")
    assert f"{path}#picture-number-{result_id}" in said.stderr.replace("\n", "")


def test_the_picture_of_a_number_and_of_a_file_shows_what_belongs_and_no_more(
    house: House, rutile: Callable[..., Result], tmp_path: Path
) -> None:
    put_films(house, ["E1"])
    fit_again(house, "E1", 3.25)
    svg = tmp_path / "number.svg"
    assert rutile("trace", "E1", "roughness_nm", "--picture", svg).exit_code == 0
    root = ElementTree.fromstring(svg.read_text())
    boxes = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert boxes[0] == "Lineage of roughness of E1, simulated data"
    assert {"raw file xrr/scan.xrdml", "raw file growth.yaml", "asset growth", "asset xrr_scan", "asset xrr_fit"} < set(
        boxes
    )
    assert len([box for box in boxes if box and box.startswith("roughness")]) == 1
    html = tmp_path / "file.html"
    assert rutile("trace", "E1/xrr/scan.xrdml", "--picture", html).exit_code == 0
    page = html.read_text()
    assert "What rests on E1/xrr/scan.xrdml" in page
    assert page.count('class="node number"') == 4
    assert "growth.yaml" not in page.split("<h2>Steps")[0]
    assert "src=" not in page
    refused = rutile("trace", "E1", "roughness_nm", "--picture", tmp_path / "x.jpg")
    assert refused.exit_code == 2
    assert "a name that ends in .svg or .html" in refused.output


def test_the_raw_files_behind_a_number_come_out_with_their_bytes(
    house: House, rutile: Callable[..., Result], tmp_path: Path
) -> None:
    put_films(house, ["F1"])
    out = tmp_path / "originals"
    assert rutile("trace", "F1", "total_thickness_nm", "--raw", out).exit_code == 0
    written = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    assert set(written) == {"F1/growth.yaml", "F1/xrr/scan.xrdml"}
    hashes = {row["original_path"]: row["sha256"] for row in house.lake.rows("FROM lake.raw_file")}
    for name, path in written.items():
        assert sha256(path.read_bytes()).hexdigest() == hashes[name.removeprefix("F1/")]
    stored = next(house.home.vault.rglob(hashes["xrr/scan.xrdml"]))
    stored.chmod(0o644)
    stored.write_bytes(b"other")
    refused = rutile("trace", "F1", "total_thickness_nm", "--raw", tmp_path / "again")
    assert refused.exit_code == 2
    assert "F1/xrr/scan.xrdml" in refused.output
