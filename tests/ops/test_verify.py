"""A recomputation in a clean home gives the same bits; what was spoilt is found, what changed is told apart from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from light_home import light_home

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake import vault
from rutile_assets.ops.house import House
from rutile_assets.ops.verify import Report, Scope, sentence, verify, worst
from rutile_assets.provenance.context import RunContext
from rutile_assets.results.passport.read import read_films
from rutile_assets.results.passport.verification import write_verification
from rutile_assets.rooms import all_assets

FILM = "SIM-F015"
EVERYTHING = Scope()


def _verify(house: House, scope: Scope = EVERYTHING) -> Report:
    return verify(house, scope, RunContext("cli"))


def _numbers(report: Report, verdict: str) -> set[str]:
    return {row["quantity"] for row in report.rows if row["verdict"] == verdict and row["quantity"]}


def test_everything_is_identical_and_the_date_stands_in_the_view_and_on_the_pages(mine: House) -> None:
    before = mine.lake.rows("SELECT entity_id FROM lake.entity")
    report = _verify(mine)
    numbers = mine.lake.rows("SELECT result_id FROM results WHERE is_current")
    assert len(numbers) >= 5
    assert report.counts(numbers=True) == {"identical": len(numbers)}
    assert set(report.counts(numbers=False)) == {"identical"}
    assert not report.has_failed
    assert report.objects_count == len(mine.lake.rows("SELECT DISTINCT sha256 FROM lake.raw_object"))
    view = mine.lake.rows("SELECT * FROM verified")
    assert {row["result_id"] for row in view} == {row["result_id"] for row in numbers}
    assert {(row["difference"], row["tolerance"]) for row in view} == {(0.0, "bit-exact")}
    assert mine.lake.rows("SELECT entity_id FROM lake.entity") == before
    assert not list(mine.home.scratch.iterdir())
    assert FILM in sentence(report) or "1 of 1 films" in sentence(report)
    page = write_verification(mine.lake, mine.home).read_text()
    assert "Every promise was kept" in page
    film = read_films(mine.lake, mine.home, all_assets(), [FILM])[FILM]
    assert set(film.verified) == {row["result_id"] for row in numbers}


def test_spoilt_numbers_and_rows_fail_other_code_does_not_and_parameters_are_those_of_then(mine: House) -> None:
    with mine.lake.write() as writer:
        for change in (
            "UPDATE lake.result SET value = value * (1 + 1e-12) WHERE quantity = 'roughness_sq_pm'",
            "UPDATE lake.afm_image SET pixels_x_count = pixels_x_count + 1",
            "UPDATE lake.activity SET code_version = 'older' WHERE asset = 'transport_sheet'",
        ):
            writer.cursor.execute(change)
    mine.home.settings_file.write_text("parameters: {afm_roughness: {levelling: plane}}")
    report = _verify(mine)
    assert report.has_failed
    assert _numbers(report, "differs") == {"roughness_sq_pm"}
    rows = [row for row in report.rows if row["verdict"] == "differs" and row["quantity"] is None]
    assert [row["asset"] for row in rows] == ["afm_image"]
    assert "not those that were committed: afm_image.pixels_x_count" in rows[0]["reason"]
    assert {row["asset"] for row in report.rows if row["verdict"] == "code changed"} == {
        "transport_sheet", "transport_hall",
    }  # fmt: skip
    assert len(report.setting_notes) == 1
    assert "levelling was 'median_difference_bow', is 'plane' now" in report.setting_notes[0]
    assert any("roughness_sq_pm" in told and "differs" in told for told in worst(report))
    assert not any("transport" in told for told in worst(report))
    assert "What failed" in write_verification(mine.lake, mine.home).read_text()


def test_lost_bytes_are_named_and_what_waits_for_a_run_is_out_of_date_not_wrong(mine: House) -> None:
    row = mine.lake.rows("SELECT sha256, original_path FROM lake.raw_file WHERE technique = 'afm'")[0]
    path = vault.path_of(mine.home.vault, row["sha256"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    sweep = next((mine.home.inbox / FILM / "transport").glob("*.dat"))
    sweep.write_text("\n".join(sweep.read_text().splitlines()[:-8]) + "\n")
    mine.ingest([sweep], RunContext("cli"))
    report = _verify(mine, Scope(sample=1, seed=7))
    assert report.has_failed
    assert [row["original_path"] in told for told in report.broken] == [True]
    assert _numbers(report, "could not be recomputed") == {"roughness_sq_pm"}
    assert all("as they came" in r["reason"] for r in report.rows if r["verdict"] == "could not be recomputed")
    assert "sheet_resistance_ohm" in _numbers(report, "out of date")
    kept = mine.lake.rows("SELECT seed, parameters, snapshot FROM lake.activity WHERE asset = 'verify'")[0]
    asked = json.loads(kept["parameters"])
    assert (kept["seed"], asked["sample"], asked["verified"]) == (7, 1, [FILM])
    assert asked["broken"] == report.broken
    assert kept["snapshot"] > 0


def test_a_sample_is_drawn_by_its_seed(mine: House) -> None:
    known = [f"F{i}" for i in range(50)]
    draws = [Scope(sample=5, seed=seed).chosen(known) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert len(draws[0]) == 5
    assert Scope(("F3", "F1")).chosen(known) == ["F1", "F3"]
    with pytest.raises(InvalidRecord, match="no film 'X'"):
        Scope(("X",)).chosen(known)
    with pytest.raises(InvalidRecord, match="no current number 'nothing_nm'"):
        _verify(mine, Scope(quantity="nothing_nm"))


@pytest.mark.slow
def test_films_in_processes_and_what_spans_films(tmp_path: Path) -> None:
    house = light_home(tmp_path / "home", films=3, folders=("afm", "kpfm", "transport"), across=True)
    part = _verify(house, Scope(sample=1))
    spans = {row["asset"] for row in part.rows if row["verdict"] == "not in this sample"}
    assert {"conductivity", "consistency", "claims"} <= spans
    assert not part.has_failed
    every = verify(house, Scope(), RunContext("cli"), processes=2)
    assert set(every.counts(numbers=True)) == set(every.counts(numbers=False)) == {"identical"}
    assert {"conductivity", "consistency"} <= {row["asset"] for row in every.rows}
    one = verify(house, Scope(quantity="roughness_sq_pm"), RunContext("cli"))
    assert {row["asset"] for row in one.rows} == {"afm_image", "afm_roughness"}
    house.lake.close()
