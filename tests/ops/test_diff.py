"""Two versions side by side: what was changed appears with its reason, and nothing else does."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from light_home import compute, light_home

from rutile_assets.cli import main
from rutile_assets.errors import InvalidRecord
from rutile_assets.ops import diff
from rutile_assets.ops.house import House
from rutile_assets.ops.recompute import open_clean
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.diff import CHANGED, NEW, SAME, VANISHED
from rutile_assets.results.passport.comparison import write_diff

FILM = "SIM-F015"
OTHER_LEVELLING = "parameters: {afm_roughness: {levelling: plane}}"


def _moved(found: diff.Difference) -> dict[str, str]:
    return {change.quantity: change.kind for change in found.changes if change.kind != SAME}


def test_a_parameter_moves_its_own_numbers_alone_in_snapshots_in_a_recomputation_and_in_the_view(mine: House) -> None:
    before = mine.lake.snapshot()
    foreseen = diff.recomputed(mine, diff.parse_parameters(["afm_roughness.levelling=plane"]))
    assert _moved(foreseen) == {"roughness_sq_pm": CHANGED}
    assert {change.asset for change in foreseen.changes} == {"afm_roughness"}
    mine.home.settings_file.write_text(OTHER_LEVELLING)
    compute(mine)
    found = diff.compare(diff.at(mine, before, "before"), diff.at(mine, None, "now"))
    assert _moved(found) == {"roughness_sq_pm": CHANGED}
    assert len(found.changes) >= 5
    one = next(change for change in found.changes if change.kind == CHANGED)
    assert one.value_b == next(change for change in foreseen.changes if change.kind == CHANGED).value_b
    assert one.reason == "parameter levelling: 'median_difference_bow', then 'plane'"
    assert one.value_a is not None
    assert one.value_b is not None
    assert one.pull == pytest.approx((one.value_b - one.value_a) / (one.sigma_a or 0.0))
    view = mine.lake.rows("FROM result_change WHERE quantity = 'roughness_sq_pm'")
    assert [(row["reason"], row["previous_value"], row["value"]) for row in view] == [
        ("parameters", one.value_a, one.value_b)
    ]
    assert view[0]["difference_in_sigma_pull"] == pytest.approx(one.pull)
    assert not mine.lake.rows("FROM result_change WHERE quantity <> 'roughness_sq_pm'")
    page = write_diff(mine.home, found.a, found.b, found.changes, found.notes)
    assert "roughness_sq_pm" in (mine.home.reports / "diff.svg").read_text()
    assert "sqrt(2)" in page.read_text()
    _numbers_of_one_version_are_new_or_vanished(diff.at(mine, None, "now"))
    mine.lake.close()
    _the_command_says_the_same(mine, before)


def _numbers_of_one_version_are_new_or_vanished(now: diff.Side) -> None:
    less = diff.Side("less", now.versions, now.numbers[1:], now.parents, now.code, now.files, {})
    assert list(_moved(diff.compare(less, now)).values()) == [NEW]
    assert list(_moved(diff.compare(now, less)).values()) == [VANISHED]
    assert _moved(diff.compare(now, now)) == {}


def _the_command_says_the_same(mine: House, before: int) -> None:
    def ask(*words: str) -> tuple[int, str]:
        made = CliRunner().invoke(main, ["--home", str(mine.home.root), "diff", *words])
        return made.exit_code, made.output

    code, text = ask(str(before), "--format", "csv")
    assert code == 0
    assert [row["quantity"] for row in csv.DictReader(io.StringIO(text))] == ["roughness_sq_pm"]
    assert "| roughness_sq_pm | 1 | 1 | 0 | 0 |" in ask(str(before), "--format", "markdown")[1]
    assert ask()[0] == 2
    assert "neither a snapshot nor a home in 'nowhere'" in ask("nowhere")[1]


@pytest.mark.slow
def test_a_replaced_file_moves_what_rests_on_it_and_is_named(mine: House) -> None:
    before = mine.lake.snapshot()
    scan = next((mine.home.inbox / FILM / "transport").glob("*.dat"))
    lines = scan.read_text().splitlines()
    scan.write_text("\n".join(lines[: len(lines) - 8]) + "\n")
    mine.ingest([mine.home.inbox / FILM], RunContext("cli"))
    compute(mine)
    found = diff.compare(diff.at(mine, before, "before"), diff.at(mine, None, "now"))
    moved = [change for change in found.changes if change.kind != SAME]
    assert moved
    assert {change.asset for change in moved} <= {"transport_sheet", "transport_hall"}
    assert any("transport are not the same" in note for note in found.notes)
    assert all(row["reason"] == "upstream" for row in mine.lake.rows("FROM result_change WHERE difference <> 0"))


@pytest.mark.slow
def test_the_command_prints_tables_and_json_and_finds_no_such_snapshot(mine: House) -> None:
    before = mine.lake.snapshot()
    mine.home.settings_file.write_text(OTHER_LEVELLING)
    compute(mine)
    mine.lake.close()
    ask = ["--home", str(mine.home.root), "diff", str(before)]
    assert "roughness_sq_pm" in CliRunner().invoke(main, ask).output
    assert "none of" in CliRunner().invoke(main, [*ask, "--quantity", "sheet_resistance_ohm"]).output
    told = json.loads(CliRunner().invoke(main, [*ask, "--format", "json"]).output)
    assert [row["quantity"] for row in told["summary"] if row["changed"]] == ["roughness_sq_pm"]
    assert "expected a snapshot of this lake" in CliRunner().invoke(main, [*ask[:-1], "99999"]).output


@pytest.mark.slow
def test_the_order_in_which_files_came_moves_nothing(tmp_path: Path) -> None:
    mine = light_home(tmp_path / "one", folders=("afm", "kpfm", "transport"))
    other = open_clean(tmp_path / "other")
    folder = mine.home.inbox / FILM
    files = sorted((path for path in folder.rglob("*.*") if path.suffix != ".yaml"), reverse=True)
    for file in files:
        for one in (folder / "growth.yaml", *file.parent.glob("settings.yaml"), file):
            target = other.home.inbox / FILM / one.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(one, target)
        other.ingest([other.home.inbox / FILM], RunContext("cli"))
    arrived = other.lake.rows("SELECT original_path FROM current_raw_file WHERE technique = 'kpfm' ORDER BY file_id")
    assert arrived == sorted(arrived, key=lambda row: row["original_path"], reverse=True)
    assert len(arrived) > 1
    compute(other)
    found = diff.compare(diff.at(mine, None, "one"), diff.at(other, None, "other"))
    assert _moved(found) == {}
    assert found.notes == []
    versions = [
        house.lake.rows("SELECT asset, data_version FROM lake.entity WHERE kind = 'asset' ORDER BY asset")
        for house in (mine, other)
    ]
    assert versions[0] == versions[1]
    mine.lake.close()
    other.lake.close()


def test_parameters_that_there_are_not_are_refused() -> None:
    assert diff.parse_parameters(["afm_roughness.step_height_nm=0.3"]) == {"afm_roughness": {"step_height_nm": 0.3}}
    for text, words in (("x", "ASSET.PARAMETER=VALUE"), ("x.y=1", "asset 'x'"), ("afm_roughness.y=1", "parameter 'y'")):
        with pytest.raises(InvalidRecord, match=words):
            diff.parse_parameters([text])
