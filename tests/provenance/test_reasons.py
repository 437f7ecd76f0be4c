"""Each kind of change by its name, the root at the end of a chain, and the relation, command and page that tell it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from growths import drop_growth
from passport_lake import fit_again, put_films

from rutile_assets.cli import main
from rutile_assets.formats import FORMATS
from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.results.passport.stale_page import write_stale
from rutile_assets.rooms import ROOMS, all_assets

ASSETS = {asset.name: asset for asset in all_assets()}
OTHER = next(form.name for form in FORMATS if "rasx" in form.name)
PUT = [ASSETS[name] for name in ("growth", "xrr_scan", "xrr_fit")]


def _reasons(house: House, films: list[str] | None = None) -> dict[tuple[str | None, str], tuple[str, ...]]:
    return {(s.growth_id, s.asset): s.reasons for s in stale_assets(house.lake, house.home, PUT, films)}


def _put_file(house: House, growth_id: str, path: str, technique: str, *, withdrawn: bool = False, data: str = "d" * 20,
              reader: str = "panalytical-xrdml", sha256: str = "e" * 64) -> None:  # fmt: skip
    """Put a newer row of a raw file there."""
    row = dict(house.lake.rows("SELECT * FROM lake.raw_file WHERE growth_id = ? AND technique = 'xrr'", [growth_id])[0])
    with house.lake.write() as writer:
        row |= {
            "file_id": writer.next_id(), "original_path": path, "technique": technique, "is_withdrawn": withdrawn,
            "data_version": data, "reader": reader, "sha256": sha256,
        }  # fmt: skip
        writer.append("raw_file", [row])


def test_a_new_a_replaced_a_withdrawn_and_a_declared_file_are_told_apart(house: House) -> None:
    films = ["A1", "A2", "A3", "A4", "A5", "A6"]
    put_films(house, films)
    assert _reasons(house) == {}
    same = house.lake.rows("SELECT sha256 FROM lake.raw_file WHERE growth_id = 'A4' AND technique = 'xrr'")[0]["sha256"]
    _put_file(house, "A1", "xrr/more.xrdml", "xrr")
    _put_file(house, "A2", "xrr/scan.xrdml", "xrr")
    _put_file(house, "A3", "xrr/scan.xrdml", "xrr", withdrawn=True)
    _put_file(house, "A4", "xrr/scan.xrdml", "xrr", sha256=same)
    _put_file(house, "A5", "xrr/scan.xrdml", "xrd")
    data = house.lake.rows("SELECT data_version FROM lake.raw_file WHERE growth_id = 'A6' AND technique = 'xrr'")
    _put_file(house, "A6", "xrr/scan.xrdml", "xrr", data=data[0]["data_version"])
    told = {
        "A1": "file xrr/more.xrdml is new", "A2": "file xrr/scan.xrdml was replaced",
        "A3": "file xrr/scan.xrdml was withdrawn", "A4": "file xrr/scan.xrdml has other declared settings",
        "A5": "file xrr/scan.xrdml is read as xrd now",
    }  # fmt: skip
    expected = {}
    for film, text in told.items():
        left = ("no file is read as panalytical-xrdml any more",) if film in ("A3", "A5") else ()
        expected[film, "xrr_scan"] = (text, *left)
        because = " and ".join((text, *left))
        expected[film, "xrr_fit"] = (text, *left, f"upstream xrr_scan is stale, because {because}")
    assert _reasons(house) == expected
    assert _reasons(house, ["A2", "A6"]) == {key: text for key, text in expected.items() if key[0] == "A2"}


def test_two_readers_of_one_technique_are_both_part_of_the_code(house: House) -> None:
    put_films(house, ["B1", "B2"])
    _put_file(house, "B1", "xrr/other.rasx", "xrr", reader=OTHER)
    reasons = _reasons(house)[("B1", "xrr_scan")]
    assert reasons == ("file xrr/other.rasx is new", f"files are read as {OTHER} now")
    assert ("B2", "xrr_scan") not in _reasons(house)


def test_a_parameter_of_one_film_alone_makes_that_film_stale(house: House) -> None:
    put_films(house, ["C1", "C2"])
    house.home.settings_file.write_text("films: {C2: {xrr_fit: {generations: 77}}}\n")
    assert _reasons(house) == {("C2", "xrr_fit"): ("parameter generations: was 200, is 77",)}


def test_new_upstream_data_are_led_back_to_the_file_that_made_them(house: House) -> None:
    """growth is computed again by itself; what reads it names the file that was replaced before."""
    for name in ("D1", "D2"):
        house.ingest([drop_growth(house.home.inbox, name)], RunContext("cli"))
        materialize(house.lake, house.home, ASSETS["growth"], name, RunContext("cli"))
    trend, assets = ASSETS["conductivity"], [ASSETS["growth"], ASSETS["conductivity"]]
    materialize(house.lake, house.home, trend, None, RunContext("cli"))
    assert stale_assets(house.lake, house.home, assets) == []
    house.ingest([drop_growth(house.home.inbox, "D1", thickness=5.0)], RunContext("cli"))
    materialize(house.lake, house.home, ASSETS["growth"], "D1", RunContext("cli"))
    materialize(house.lake, house.home, ASSETS["growth"], "D2", RunContext("cli"))
    (found,) = stale_assets(house.lake, house.home, assets)
    assert found.reasons == ("upstream growth of D1 has new data, because file growth.yaml was replaced",)
    assert found.roots == (("growth", "file growth.yaml was replaced"),)


def test_code_that_the_lake_knows_no_details_of_is_named_all_the_same(house: House) -> None:
    put_films(house, ["E1"])
    with house.lake.write() as writer:
        code = writer.frame("SELECT code_version, parts FROM lake.code WHERE parts LIKE '%xrr_scan%'")
        parts = json.loads(code.parts.iloc[0])
        name = next(name for name in parts if name.endswith(".xrr_scan"))
        parts[name] = "another"
        writer.append("code", [{"code_version": "older", "parts": json.dumps(parts)}])
        writer.cursor.execute("UPDATE lake.activity SET code_version = 'older' WHERE asset = 'xrr_scan'")
    assert _reasons(house)["E1", "xrr_scan"] == (f"code: {name} changed",)


def test_the_command_the_relation_and_the_page_say_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    put_films(house, ["F1", "F2"])
    house.home.settings_file.write_text("parameters: {xrr_fit: {generations: 77}}\n")
    told = "parameter generations: was 200, is 77"
    monkeypatch.setattr("rutile_assets.rooms.all_assets", lambda: tuple(PUT))

    def rutile(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["--home", str(house.home.root), *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    rows = json.loads(rutile("stale", "--format", "json"))
    row = {"asset": "xrr_fit", "change_kind": "parameter", "changed": "generations", "reason": told,
           "root_cause": f"xrr_fit: {told}"}  # fmt: skip
    assert rows == [{"growth_id": film, **row} for film in ("F1", "F2")]
    assert json.loads(rutile("sql", "FROM stale ORDER BY growth_id", "--format", "json")) == rows
    assert [r["growth_id"] for r in json.loads(rutile("stale", "--films", "F2", "--format", "json"))] == ["F2"]
    shown = rutile("stale")
    assert "F1, F2" in shown
    assert told in shown
    assert "recompute: rutile run" in shown
    rooms = [room for room in ROOMS if room.name in ("growth", "xrr")]
    page = write_stale(house.lake, house.home, rooms).read_text()
    assert page.count(told) == 3
    assert "2 results of 2 films" in page
    assert "rutile run --films F1" in page
    refused = CliRunner().invoke(main, ["--home", str(house.home.root), "sql", "FROM stale", "--at", "1"])
    assert refused.exit_code == 2
    assert "`stale` with --at" in refused.output


def test_a_recomputation_with_the_same_data_makes_nothing_stale(house: House) -> None:
    put_films(house, ["G1"])
    fit_again(house, "G1", 3.25)
    assert _reasons(house) == {}
