"""Figures for print: every panel of a whole lake, what a lake lacks in words, files that name what drew them."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from figure_lake import IMAGED, FigureLake, figure_lake
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from rutile_assets.provenance.film import Films, Imprint
from rutile_assets.results.figures.assets import FIGURES, PLATES
from rutile_assets.results.figures.panel import digest_of, nearest_film
from rutile_assets.results.figures.plate import _compact, _drawn, _size_mm, panel_rows, print_plate
from rutile_assets.results.figures.style import DOUBLE_MM, MM_PER_INCH, PNG_DPI, STYLE, TEXT_PT
from rutile_assets.results.figures.tables import figure_table

CODE = "c" * 20
SOME = "bd"  # panels whose files the quick tests look at
POINTS_PER_INCH = 72.0


@cache
def films() -> Films:
    return figure_lake().films()


def printed(name: str, lake: Films, folder: Path, activity_id: int = 42, letters: str = "abcdef") -> Path:
    plate = PLATES[name]
    some = tuple(place for place in plate.places if place.letter in letters)
    print_plate(replace(plate, places=some), lake, Imprint(folder, name, CODE, activity_id, 7))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    for name in PLATES:
        printed(name, films(), folder, letters=SOME)
    return folder


def files_of(plate: str) -> list[str]:
    letters = [place.letter for place in PLATES[plate].places if place.letter in SOME]
    return sorted({plate, *(f"{plate}{letter}" for letter in letters)})


def png_texts(path: Path) -> dict[str, str]:
    with Image.open(path) as image:
        return {str(k): str(v) for k, v in image.info.items() if isinstance(v, str)}


@pytest.mark.parametrize("asset", FIGURES, ids=lambda asset: asset.name)
def test_every_panel_of_a_whole_lake_is_drawn_and_told_as_declared(asset: Any) -> None:
    rows = asset.writes[0].frame(asset.compute(films()).tables[asset.name].assign(entity_id=1))
    assert rows.is_drawn.all(), rows.panel_lacks.tolist()
    assert rows.is_simulated.all()
    assert (rows.panel_caption.str.len() > 40).all()
    assert (rows.panel_alt.str.len() > 40).all()
    assert [place.letter for place in PLATES[asset.name].places] == rows.panel_letter.tolist()


def test_captions_and_words_hold_the_lakes_numbers() -> None:
    rows = panel_rows(PLATES["figure_1"], films()).tables["figure_1"].set_index("panel_letter")
    assert "RuO₂ 3.830 ± 0.012 nm" in rows.panel_caption["a"]
    assert "11.900 ± 0.020 planes of 0.32250 ± 0.00010 nm" in rows.panel_caption["b"]
    assert "Sq 155.0 ± 3.0 pm" in rows.panel_alt["b"]
    assert set(rows.shown_growth_ids) == {IMAGED}
    phi = panel_rows(PLATES["figure_2"], films()).tables["figure_2"].set_index("panel_letter")
    assert re.search(r"Maximum at 3\.\d+ ± 0\.\d+ nm, modulation 1\.\d+ ± ", phi.panel_caption["b"])
    assert "R [001] = 0.000 ± 0.020" in phi.panel_caption["c"]
    assert (phi.shown_growth_ids["c"], phi.shown_growth_ids["d"]) == ("F-3.9", "F-6.5")


@pytest.mark.parametrize("plate", PLATES)
def test_each_format_names_the_activity_and_says_simulated(whole: Path, plate: str) -> None:
    for name in files_of(plate):
        svg = (whole / f"{name}.svg").read_text()
        head = svg.split("</metadata>")[0]
        assert "activity 42" in head
        assert "<rdf:li>simulated</rdf:li>" in head
        assert ">simulated</text>" in svg
        texts = png_texts(whole / f"{name}.png")
        assert texts["Activity"] == "activity 42"
        assert "entity 7 of" in texts["Source"]
        assert "simulated" in texts["Keywords"]
        pdf = (whole / f"{name}.pdf").read_bytes()
        assert re.search(rb"/Keywords \(activity 42; state [0-9a-f]{20}; simulated\)", pdf)
        assert b"/CreationDate" not in pdf


@pytest.mark.parametrize(("plate", "letters"), [("figure_2", "b"), ("figure_3", "")])
def test_what_instruments_measured_is_nowhere_called_simulated(plate: str, letters: str, tmp_path: Path) -> None:
    printed(plate, figure_lake().measured().films(), tmp_path, letters=letters)
    assert len(list(tmp_path.iterdir())) in (3, 6)
    for path in tmp_path.glob("*.svg"):
        assert "imulated" not in path.read_text()
        assert "simulated" not in png_texts(path.with_suffix(".png"))["Keywords"]


def test_text_stays_text_and_fonts_are_whole_ones(whole: Path) -> None:
    svg = (whole / "figure_2b.svg").read_text()
    for words in ("Work function Φ (eV)", "RuO₂ thickness (nm)", "linear band", "saturating band", "UPS"):
        assert f">{words}</text>" in svg
    pdf = (whole / "figure_2b.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf


@pytest.mark.parametrize("plate", PLATES)
def test_plates_have_a_journals_width_in_every_format(whole: Path, plate: str) -> None:
    box = re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", (whole / f"{plate}.pdf").read_bytes())
    assert box is not None
    assert float(box.group(1)) == pytest.approx(DOUBLE_MM / MM_PER_INCH * POINTS_PER_INCH, abs=1.0)
    with Image.open(whole / f"{plate}.png") as image:
        assert image.width == pytest.approx(DOUBLE_MM / MM_PER_INCH * PNG_DPI, abs=2)


@pytest.mark.parametrize("plate", PLATES)
def test_no_label_is_clipped_too_small_or_written_over_another(plate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[Text, None] = {}
    draw = Text.draw
    monkeypatch.setattr(Text, "draw", lambda text, renderer: drawn.setdefault(text) or draw(text, renderer))
    with mpl.rc_context(STYLE):
        panels = _compact([(place, place.panel(films())) for place in PLATES[plate].places])
        figure = _drawn(panels, _size_mm(panels), alone=False)
        renderer = FigureCanvasAgg(figure).get_renderer()
        drawn.clear()
        figure.draw(renderer)
        shown = [text for text in drawn if text.get_visible() and text.get_text().strip()]
        boxes = [(text.get_text(), text.get_window_extent(renderer), text.get_fontsize()) for text in shown]
    assert len(boxes) > 10
    wide, high = figure.bbox.width, figure.bbox.height
    for words, box, size in boxes:
        assert size >= TEXT_PT, words
        assert box.x0 > -1 and box.x1 < wide + 1 and box.y0 > -1 and box.y1 < high + 1, words  # noqa: PT018
    for i, (one, box, _) in enumerate(boxes):
        for other, its, _ in boxes[i + 1 :]:
            across = min(box.x1, its.x1) - max(box.x0, its.x0)
            up = min(box.y1, its.y1) - max(box.y0, its.y0)
            assert min(across, up) < 5.0, f"{one!r} over {other!r}"  # pixels of a 300 dpi drawing


def test_equal_data_give_equal_bytes_and_files_that_stand_are_left_alone(whole: Path, tmp_path: Path) -> None:
    printed("figure_3", films(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert all(path.read_bytes() == (whole / path.name).read_bytes() for path in tmp_path.iterdir())
    before = {path: path.stat().st_mtime_ns for path in whole.iterdir()}
    for name in PLATES:
        printed(name, films(), whole, activity_id=43, letters=SOME)
    assert {path: path.stat().st_mtime_ns for path in whole.iterdir()} == before


@pytest.mark.slow
def test_every_figure_is_the_same_bytes_drawn_again(tmp_path: Path) -> None:
    for name in PLATES:
        for turn in "12":
            printed(name, films(), tmp_path / turn)
    names = {path.name for path in (tmp_path / "1").iterdir()}
    assert len(names) == 3 * (4 + 5 + 3 + 6)
    assert {path.name for path in (tmp_path / "2").iterdir()} == names
    differ = [n for n in sorted(names) if (tmp_path / "1" / n).read_bytes() != (tmp_path / "2" / n).read_bytes()]
    assert differ == []


def test_changed_data_redraw_their_panel_and_the_plate_and_no_other(whole: Path, tmp_path: Path) -> None:
    for path in whole.glob("figure_4*"):
        shutil.copy(path, tmp_path)
    changed = figure_lake()
    rows = changed.tables["conductivity_point"]
    scaled = rows.sigma_2d_s.where(rows.series == "RuO2/TiO2", 1.01 * rows.sigma_2d_s)
    changed.tables["conductivity_point"] = rows.assign(sigma_2d_s=scaled)
    printed("figure_4", changed.films(), tmp_path, activity_id=43, letters=SOME)
    anew = {path.stem for path in tmp_path.glob("*.svg") if "activity 43" in path.read_text()}
    assert anew == {"figure_4", "figure_4b"}


def test_what_a_lake_lacks_is_said_and_the_other_panels_stand(whole: Path, tmp_path: Path) -> None:
    poorer = figure_lake().without("displacement_plane", "xrd_fit")
    rows = panel_rows(PLATES["figure_1"], poorer.films()).tables["figure_1"].set_index("panel_letter")
    assert rows.is_drawn.to_dict() == {"a": True, "b": True, "c": False, "d": False, "e": False}
    assert rows.panel_lacks["c"] == "No image whose atom columns tell displacements."
    assert rows.panel_caption["b"].endswith("No fitted θ-2θ scan.")
    (tmp_path / "figure_1c.svg").write_text("of yesterday")
    printed("figure_1", poorer.films(), tmp_path, letters="acde")
    assert sorted(path.stem for path in tmp_path.glob("*.svg")) == ["figure_1", "figure_1a"]
    svg = (tmp_path / "figure_1.svg").read_text()
    assert "No image whose atom columns" in svg
    with Image.open(tmp_path / "figure_1.png") as image, Image.open(whole / "figure_1.png") as all_drawn:
        assert image.height < 0.7 * all_drawn.height  # 58 mm and a sentence, against 142 mm


@pytest.mark.parametrize("asset", FIGURES, ids=lambda asset: asset.name)
def test_an_empty_lake_says_so_panel_by_panel_and_leaves_no_file(asset: Any, tmp_path: Path) -> None:
    nothing = FigureLake().films()
    outcome = asset.compute(nothing)
    rows = asset.writes[0].frame(outcome.tables[asset.name].assign(entity_id=1))
    assert not rows.is_drawn.any()
    assert rows.panel_lacks.notna().all()
    assert len(outcome.notes) == len(rows)
    (tmp_path / f"{asset.name}.svg").write_text("of yesterday")
    assert asset.prints(nothing, Imprint(tmp_path, asset.name, CODE, 1, 2)) is None
    assert list(tmp_path.iterdir()) == []


def test_unsourced_rows_are_hatched_and_sourced_ones_are_not() -> None:
    place = PLATES["figure_3"].places[0]
    panel = place.panel(films())
    assert panel.draw is not None
    figure = Figure()
    panel.draw(figure)
    rows = films().table("claims_benchmark")
    unsourced = (rows.benchmark_status == "unsourced").sum()
    for axes in figure.axes:
        assert sum(patch.get_hatch() is not None for patch in axes.patches) == unsourced


def test_without_a_peak_no_component_is_drawn_and_none_is_claimed() -> None:
    lake = figure_lake()
    lake.tables["work_function_fit"] = lake.tables["work_function_fit"].assign(has_peak=False)
    panel = PLATES["figure_2"].places[0].panel(lake.films())
    assert "No maximum between the films is claimed" in panel.caption
    assert "modulation" not in panel.caption
    assert panel.draw is not None
    figure = Figure()
    panel.draw(figure)
    assert len(figure.axes) == 1


def test_the_film_is_the_series_own_nearest_and_of_another_series_only_where_it_has_none() -> None:
    lake = films()
    one = pd.DataFrame({"growth_id": ["F-3.9", "F-17.2", IMAGED]})
    assert nearest_film(lake, one, "TiO2/RuO2/TiO2", 17.0) == IMAGED
    assert nearest_film(lake, one[:2], "TiO2/RuO2/TiO2", 17.0) == "F-17.2"
    assert nearest_film(lake, one[:0], "TiO2/RuO2/TiO2", 17.0) is None


def test_the_digest_leaves_versions_out_and_nothing_else() -> None:
    frame = pd.DataFrame({"growth_id": ["a"], "entity_id": [1], "value": [2.0]})
    assert digest_of(frame) == digest_of(frame.assign(entity_id=9))
    assert digest_of(frame) != digest_of(frame.assign(value=2.0000001))
    assert digest_of(frame, "caption") != digest_of(frame, "another")


def test_what_draws_stands_in_the_code_version() -> None:
    asset = FIGURES[1]
    parts = asset.code.parts
    assert any(name.endswith("figures.work_function.draw_work_function") for name in parts)
    assert any(name.endswith("figures.style.STYLE") for name in parts)
    assert replace(asset, prints=None).code.digest != asset.code.digest
    assert figure_table("figure_9", "a figure").name == "figure_9"
