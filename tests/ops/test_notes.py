"""Notes from the inbox to the film's page, the index and the search."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from growths import drop_growth

from rutile_assets.cli import main
from rutile_assets.errors import InvalidRecord
from rutile_assets.ops.house import House, open_house
from rutile_assets.ops.notes import write_note
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.results.passport import page_path
from rutile_assets.results.passport.notes import markdown
from rutile_assets.results.search import search, snippet
from rutile_assets.rooms import all_assets
from rutile_assets.techniques.note.assets import note

EVIL = (
    "# Head\n## <script>alert(1)</script>\n<img src=x onerror=alert(1)> [a](javascript:alert(1)) "
    "[b](JaVaScRiPt&colon;alert(1)) [d](data:text/html,x) [v](vbscript:x) ![p](http://evil.example/x.png) "
    '[t](https://ok.example "x\\" onclick=alert(1)")\n\n<iframe src="http://evil.example"></iframe>\n'
)
GROWTH = next(asset for asset in all_assets() if asset.name == "growth")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = open_house(tmp_path_factory.mktemp("notes") / "home")
    yield opened
    opened.lake.close()


def _ingest(house: House) -> dict[str, str]:
    return {v.path.name: v.status for v in house.ingest([house.home.inbox], RunContext("cli"))}


def _stale(house: House, film: str) -> dict[str, tuple[str, ...]]:
    return {s.asset: s.reasons for s in stale_assets(house.lake, house.home, all_assets(), [film])}


def test_a_note_in_the_inbox_is_a_file_like_any_other(house: House) -> None:
    folder = drop_growth(house.home.inbox, "A-1")
    (folder / "xrr").mkdir()
    (folder / "xrr" / "settings.yaml").write_text("technique: xrr\n")
    (folder / "xrr" / "README.md").write_text("Aligned twice.")
    (folder / "growth.yaml.md").write_text("From the paper log. #log")
    (folder / "gone.md").write_text("---\nabout: xrr/lost.rasx\n---\nNot copied yet.")
    (folder / "bad.md").write_text("---\nautor: x\n---\nx")
    assert _ingest(house) == {
        "growth.yaml": "accepted", "settings.yaml": "accepted", "README.md": "accepted", "growth.yaml.md": "accepted",
        "gone.md": "accepted", "bad.md": "rejected",
    }  # fmt: skip
    assert "note" in _stale(house, "A-1")
    materialize(house.lake, house.home, note, "A-1", RunContext("cli"))
    assert "note" not in _stale(house, "A-1")
    rows = house.lake.rows("SELECT note_path, about_path, about_file_id IS NULL AS lost, tags FROM notes ORDER BY ALL")
    assert [tuple(row.values()) for row in rows] == [
        ("gone.md", "xrr/lost.rasx", True, ""),
        ("growth.yaml.md", "growth.yaml", False, "log"),
        ("xrr/README.md", None, True, ""),
    ]


def test_a_note_that_is_edited_is_stale_and_one_that_is_moved_stands_once(house: House) -> None:
    folder = house.home.inbox / "A-1"
    (folder / "xrr" / "README.md").write_text("Aligned three times.")
    _ingest(house)
    assert "note" in _stale(house, "A-1")
    (folder / "notes").mkdir()
    (folder / "gone.md").rename(folder / "notes" / "moved.md")
    assert _ingest(house)["moved.md"] == "accepted"
    materialize(house.lake, house.home, note, "A-1", RunContext("cli"))
    paths = {row["note_path"] for row in house.lake.rows("SELECT note_path FROM notes WHERE growth_id = 'A-1'")}
    assert paths == {"growth.yaml.md", "xrr/README.md", "notes/moved.md"}


def test_two_films_may_have_the_same_word_said_of_them(house: House) -> None:
    for film in ("A-1", "A-2"):
        (drop_growth(house.home.inbox, film) / "same.md").write_text("Edge chipped.")
    assert _ingest(house)["same.md"] == "accepted"
    held = house.lake.rows("SELECT growth_id FROM current_raw_file WHERE original_path = 'same.md' ORDER BY growth_id")
    assert [row["growth_id"] for row in held] == ["A-1", "A-2"]


def test_the_command_writes_a_file_and_the_page_shows_it(house: House) -> None:
    for film in ("A-1", "A-2"):
        materialize(house.lake, house.home, GROWTH, film, RunContext("cli"))
    words = ("note", "A-2", "Höhe was off. #align", "--about", "growth.yaml", "--tag", "#Twin", "--author", "J & <D>")
    said = CliRunner().invoke(main, ["--home", str(house.home.root), *words])
    assert said.exit_code == 0, said.output
    path = Path(said.output.strip())
    assert path.parent == house.home.inbox / "A-2" / "notes"
    assert path.name.endswith("Z-hohe-was-off-align.md")
    page = page_path(house.home, "A-2").read_text()
    assert "Höhe was off." in page
    assert "J &amp; &lt;D&gt;" in page
    assert page.count('href="../../index.html#find=%23twin">#twin</a>') == 2  # among the notes and beside the file
    assert 'about <a href="#file-' in page
    texts = json.loads((house.home.reports / "assets/texts.js").read_text().split("= ", 1)[1].rstrip(";\n"))
    assert "#align #twin" in texts["A-2"]
    assert "höhe was off" in texts["A-2"]
    assert path.name.lower() in texts["A-2"]


def test_a_film_without_an_inbox_folder_gets_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = (house.home.inbox / "A-2" / "growth.yaml").read_bytes()
    shutil.rmtree(house.home.inbox / "A-2")
    monkeypatch.setattr(sys, "stdin", StringIO("From elsewhere."))
    noted = write_note(house, "A-2", "From elsewhere.", None, [], None)
    assert noted.verdict.status == "accepted"
    assert (house.home.inbox / "A-2" / "growth.yaml").read_bytes() == kept
    assert len(house.lake.rows("SELECT * FROM raw_file WHERE growth_id = 'A-2' AND technique = 'growth'")) == 1


@pytest.mark.parametrize(
    ("film", "text", "about", "tags", "words"),
    [
        ("A-9", "x", None, [], "no film 'A-9'; expected A-"),
        ("A-1", "x", "grwth.yaml", [], "expected growth.yaml"),
        ("A-1", "x", None, ["<b>"], "the tag '<b>'"),
        ("../A-1", "x", None, [], "no film '../A-1'"),
    ],
)
def test_a_note_that_leads_nowhere_is_refused(
    house: House, film: str, text: str, about: str | None, tags: list[str], words: str
) -> None:
    before = sorted(house.home.inbox.rglob("*"))
    with pytest.raises(InvalidRecord) as refused:
        write_note(house, film, text, about, tags, None)
    assert words in str(refused.value)
    assert sorted(house.home.inbox.rglob("*")) == before


def test_search_finds_films_that_have_all_words_best_first(house: House) -> None:
    def found(*words: str) -> list[tuple[str, str, str]]:
        return [(row["film"], row["kind"], row["where"]) for row in search(house.lake, words)[0]]

    assert found("a-2")[0][0] == "A-2"
    assert {film for film, *_ in found("chipped")} == {"A-2"}  # the notes of A-2 alone are computed since
    assert found("#TWIN") == [("A-2", "note", "growth.yaml")]
    assert [row[:2] for row in found("#align", "CrysTec")] == [("A-2", "note"), ("A-2", "growth")]
    assert search(house.lake, ["#log", "#align"]) == ([], 0)  # no film has both
    assert found("moved.md") == [("A-1", "file", "notes/moved.md")]
    assert search(house.lake, ["100%_"]) == ([], 0)
    assert search(house.lake, ["x' OR 1=1 --"]) == ([], 0)
    films = search(house.lake, ["hybrid"], limit=1)
    assert (len(films[0]), films[1]) == (1, 2)
    for none in ([], ["  "], ["w"] * 0 + [f"w{i}" for i in range(13)]):
        with pytest.raises(InvalidRecord):
            search(house.lake, none)


def test_search_prints_like_sql(house: House) -> None:
    said = CliRunner().invoke(main, ["--home", str(house.home.root), "search", "#twin", "--format", "json"])
    rows: list[dict[str, Any]] = json.loads(said.output)
    assert [(row["film"], row["kind"], row["where"]) for row in rows] == [("A-2", "note", "growth.yaml")]
    assert "#twin" in rows[0]["snippet"]
    assert "1 films found" in CliRunner().invoke(main, ["--home", str(house.home.root), "search", "#twin"]).output


def test_snippets_stand_on_one_line_around_the_word() -> None:
    text = "a " * 100 + "\nneedle\n" + "b " * 100
    assert "needle" in snippet(text, ["needle"])
    assert len(snippet(text, ["needle"])) < 140
    assert "\n" not in snippet(text, ["needle"])


def test_markdown_runs_nothing_and_fetches_nothing() -> None:
    html = str(markdown(EVIL))
    assert "<script" not in html
    assert "<img" not in html
    assert "<iframe" not in html
    assert "<h1" not in html
    links = [part.split('"')[0] for part in html.split('href="')[1:]]
    assert links == ["http://evil.example/x.png", "https://ok.example"]
    assert 'onclick=alert(1)"' not in html.replace("&quot; onclick=alert(1)", "")


@pytest.mark.parametrize("evil", ["[" * 32_000, "*_" * 16_000, "![" * 16_000, "> " * 16_000, "_a* " * 8_000])
def test_markdown_that_is_made_to_be_slow_is_not(evil: str) -> None:
    import time  # noqa: PLC0415

    clock = time.process_time()
    markdown(evil)
    assert time.process_time() - clock < 5.0


def test_a_film_that_nobody_wrote_about_has_no_rows_and_no_fault(house: House) -> None:
    house.ingest([drop_growth(house.home.inbox, "MBE-1")], RunContext("cli"))
    made = materialize(house.lake, house.home, note, "MBE-1", RunContext("cli"))
    assert len(made.frames["note"]) == 0
