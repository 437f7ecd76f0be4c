"""Claims, figures and the lineage of what spans films as pages: what is on them, where they lead, when they change."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from series_lake import asset_named, drawn, put_series

from rutile_assets.cli import main
from rutile_assets.ops import runner
from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance.stale import Stale
from rutile_assets.results.claims_paper import CLAIMS
from rutile_assets.results.passport import write_index, write_pages
from rutile_assets.rooms import ROOMS

FILMS = ["SIM-S1", "SIM-S2"]
NAMES = ("claims", "figure_2", "figure_3")
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "figure_2b.py"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = open_house(tmp_path_factory.mktemp("series") / "home")
    put_series(opened, FILMS)
    for name in NAMES:
        drawn(opened, name)
    write_pages(opened.lake, opened.home, ROOMS, FILMS)
    write_index(opened.lake, opened.home)
    yield opened
    opened.lake.close()


def page(house: House, name: str) -> str:
    return (house.home.reports / name).read_text()


def links(text: str) -> set[str]:
    found = {html.unescape(href) for href in re.findall(r'(?:href|src)="([^"]+)"', text)}
    return {href for href in found if not href.startswith(("https:", "data:"))}


@pytest.mark.parametrize("name", ["claims.html", "figures.html", "lineage.html"])
def test_every_link_of_the_pages_leads_somewhere(house: House, name: str) -> None:
    here = page(house, name)
    known = {row["growth_id"] for row in house.lake.rows("SELECT DISTINCT growth_id FROM current_raw_file")}
    for href in links(here):
        address, _, anchor = href.partition("#")
        if address.startswith("films/") and address.split("/")[1] not in known:
            continue  # put there as rows of a series, without files and so without a page
        target = house.home.reports / address if address else house.home.reports / name
        assert target.is_file(), href
        if anchor:
            assert f'id="{anchor}"' in target.read_text(), href


def test_the_index_leads_to_claims_figures_and_lineage(house: House) -> None:
    assert {"claims.html", "figures.html", "lineage.html"} <= links(page(house, "index.html"))


def test_each_claim_stands_with_its_place_verdict_and_both_numbers(house: House) -> None:
    text = html.unescape(page(house, "claims.html"))
    rows = house.lake.rows("SELECT * FROM lake.claims ORDER BY claim_number")
    assert len(rows) > len(CLAIMS)
    for row in rows:
        mine = text.split(f'id="claim-{row["claim_number"]}"')[1].split("</tr>")[0]
        assert row["statement"] in mine
        assert row["locator"] in mine
        assert f'data-verdict="{row["claim_verdict"]}"' in mine
    own = next(row for row in rows if row["statement"] == "t_i1 = 1.59 nm.")
    mine = text.split(f'id="claim-{own["claim_number"]}"')[1].split("</tr>")[0]
    assert "1.59" in mine
    assert "2.147 nm" in mine
    assert "contradicted by the paper's own numbers" in mine
    assert text.count("<td>unsourced") == 0
    benchmark = text.split('id="benchmark"')[1]
    assert benchmark.count(">unsourced</span>") == 7


def test_each_panel_has_words_for_who_cannot_see_it_downloads_and_its_activity(house: House) -> None:
    text = page(house, "figures.html")
    made = {
        row["asset"]: row["activity_id"]
        for row in house.lake.rows("SELECT asset, activity_id FROM lake.entity WHERE asset LIKE 'figure_%'")
    }
    assert set(made) == {"figure_2", "figure_3"}
    figure = text.split('id="figure_2b"')[1].split("</figure>")[0]
    assert "Maximum at" in figure
    assert re.search(r'alt="Work function of \d+ samples', figure)
    for ending in ("svg", "pdf", "png"):
        assert f'href="figures/figure_2b.{ending}" download' in figure
    assert f'href="lineage.html#activity-{made["figure_2"]}"' in figure
    assert "simulated" in figure
    assert "Not drawn: No fitted reciprocal space map" in text.split('id="figure_2c"')[1].split("</figure>")[0]
    svg = (house.home.reports / "figures" / "figure_2b.svg").read_text()
    assert f"activity {made['figure_2']}" in svg


def test_lineage_names_code_parameters_and_parents_of_each_version(house: House) -> None:
    text = page(house, "lineage.html")
    for row in house.lake.rows(
        "SELECT entity_id, code_version, data_version FROM lake.entity JOIN lake.activity USING (activity_id)"
        " WHERE kind = 'asset' AND growth_id IS NULL"
    ):
        section = text.split(f'id="entity-{row["entity_id"]}"')[1].split("</section>")[0]
        assert row["code_version"] in section
        assert row["data_version"] in section
    claims = house.lake.rows("SELECT entity_id FROM lake.entity WHERE asset = 'claims'")[0]["entity_id"]
    figure = text.split("figure_3</h2>")[1].split("</section>")[0]
    assert f'href="#entity-{claims}"' in figure


def test_the_pages_are_written_anew_when_what_they_show_changed_and_not_before(house: House) -> None:
    files = [house.home.reports / name for name in ("claims.html", "figures.html", "lineage.html")]
    before = [path.stat().st_mtime_ns for path in files]
    write_index(house.lake, house.home)
    assert [path.stat().st_mtime_ns for path in files] == before
    earlier = page(house, "figures.html")
    made = drawn(house, "figure_3")
    write_index(house.lake, house.home)
    assert all(path.stat().st_mtime_ns > was for path, was in zip(files, before, strict=True))
    drew = re.findall(r'id="figure_3".*?activity-(\d+)', earlier, re.DOTALL)[0]
    assert f'href="lineage.html#activity-{drew}"' in page(house, "figures.html")
    assert "an earlier version" in page(house, "lineage.html").split(f'id="activity-{drew}"')[1].split("</h2>")[0]
    assert f'id="entity-{made.entity_id}"' in page(house, "lineage.html")


@pytest.mark.slow
def test_dagster_shows_a_figure_inline_and_one_that_has_no_data_in_words(tmp_path: Path) -> None:
    house = open_house(tmp_path / "home")
    put_series(house, FILMS)
    drawn(house, "claims")
    report = runner.run(house, [Stale(None, name, ("asked for",)) for name in ("figure_3", "figure_4")])
    assert (report.done, report.failures) == (2, [])
    instance = runner.prepare_dagster(house)
    metadata = {}
    for name in ("figure_3", "figure_4"):
        event = instance.get_latest_materialization_event(runner.dg.AssetKey(name))
        assert event is not None
        assert event.asset_materialization is not None
        metadata[name] = event.asset_materialization.metadata
    plot = str(metadata["figure_3"]["plot"].value)
    picture = base64.b64decode(plot.split("base64,")[1].rstrip(")"))
    assert picture == (house.home.reports / "figures" / "figure_3.png").read_bytes()
    assert "plot" not in metadata["figure_4"]
    assert "figure_4 a: Too few films of RuO₂/TiO₂" in str(metadata["figure_4"]["notes"].value)
    assert "Not drawn" in page(house, "figures.html")
    house.lake.close()


def test_rutile_figures_draws_what_is_up_to_date_and_says_what_is_not(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--home", str(house.home.root), "figures", "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(main, asked)
    assert told.exit_code == 1, told.output
    assert "figure_2 is left out: upstream work_function was never computed" in told.output
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr("rutile_assets.ops.redraw.stale_assets", lambda *_: [])
    told = CliRunner().invoke(main, asked)
    assert "figure_2 c: No fitted reciprocal space map" in told.output
    assert re.search(r"figure_[14] is left out: never computed", told.output)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"figure_2b.svg", "figure_2b.pdf", "figure_2b.png", "figure_3.pdf"} <= names
    assert asset_named("figure_1").prints is not None
    assert not any(name.startswith("figure_1") for name in names)


def test_the_notebook_goes_from_sql_to_the_figure(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("marimo", reason="NO MARIMO: the notebook was not run. `pip install -e .[notebooks]` brings it")
    monkeypatch.setenv("RUTILE_HOME", str(house.home.root))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "notebook"}
    exec(compile(NOTEBOOK.read_text(), str(NOTEBOOK), "exec"), names)
    _, found = names["app"].run()  # type: ignore[attr-defined]
    samples = house.lake.rows("SELECT * FROM lake.work_function WHERE work_function_kpfm_ev IS NOT NULL")
    assert len(found["samples"]) == len(samples)
    axes = found["figure"].axes[0]
    drawn_at = [
        sorted(np.asarray(line.get_xydata()).tolist()) for line in axes.lines if len(line.get_xdata()) == len(samples)
    ]
    expected = sorted([row["film_thickness_nm"], row["work_function_kpfm_ev"]] for row in samples)
    assert any(np.allclose(at, expected) for at in drawn_at)
    assert "simulated" in [text.get_text() for text in found["figure"].texts]
    assert (tmp_path / "figure_2b.png").stat().st_size > 20_000
