"""The film passport: what is on the page, what is rebuilt when, and that nothing on it can run or lead away."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from passport_lake import fit_again, put_films

from rutile_assets.cli import main
from rutile_assets.lake import vault
from rutile_assets.ops.house import House, open_house
from rutile_assets.ops.serve_pages import page_server
from rutile_assets.results.passport import page_path, write_index, write_pages
from rutile_assets.results.passport.curves import MOST_POINTS
from rutile_assets.results.passport.numbers import concise, measured, sparkline
from rutile_assets.results.passport.stack import drawn_stack
from rutile_assets.rooms import ROOMS


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return one home for all: each test has films of its own."""
    opened = open_house(tmp_path_factory.mktemp("passport") / "home")
    yield opened
    opened.lake.close()


def written(house: House, growth_id: str) -> str:
    write_pages(house.lake, house.home, ROOMS, [growth_id])
    return page_path(house.home, growth_id).read_text()


def film_data(house: House, growth_id: str) -> dict[str, object]:
    text = (page_path(house.home, growth_id).parent / "data.js").read_text()
    found = json.loads(text.split("] = ", 1)[1].rstrip().rstrip(";"))
    assert isinstance(found, dict)
    return found


def test_every_number_leads_to_its_raw_file_and_the_file_to_its_bytes(house: House) -> None:
    put_films(house, ["B1"])
    page = written(house, "B1")
    numbers = house.lake.rows("SELECT * FROM results WHERE growth_id = 'B1' AND is_current")
    assert len(numbers) == 4
    for n in numbers:
        row = page.split(f'id="number-{n["result_id"]}"')[1].split("</tr>")[0]
        assert f'href="#file-{n["file_id"]}"' in row
        assert measured(n["value"], n["sigma"]) in row
        assert f'id="picture-number-{n["result_id"]}"' in page
    file = page.split(f'<tr id="file-{numbers[0]["file_id"]}"')[1].split("</tr>")[0]
    href = re.search(r'href="(\.\./[^"]+)"', file)
    assert href is not None
    bytes_there = (page_path(house.home, "B1").parent / href.group(1)).resolve()
    assert bytes_there.read_bytes() == b"B1 xrr/scan.xrdml"
    assert vault.path_of(house.home.vault, bytes_there.name) == bytes_there


def test_lineage_of_a_number_is_its_asset_what_that_read_and_its_own_file(house: House) -> None:
    put_films(house, ["C1"])
    page = written(house, "C1")
    number = house.lake.rows("SELECT result_id FROM results WHERE growth_id = 'C1' LIMIT 1")[0]["result_id"]
    up = re.search(rf'id="picture-number-{number}"[^>]*data-up="([^"]*)"', page)
    assert up is not None
    named = {row["entity_id"]: row["asset"] for row in house.lake.rows("FROM lake.entity")}
    assert {named[int(name.split("-")[1])] for name in up.group(1).split()} >= {"xrr_fit", "xrr_scan", "xrr"}


def test_a_number_keeps_its_history_and_the_page_says_which_is_current(house: House) -> None:
    put_films(house, ["D1"])
    assert "Versions of this number" not in written(house, "D1")
    fit_again(house, "D1", 3.25)
    page = written(house, "D1")
    assert page.count("Versions of this number") == 4
    history = page.split("Versions of this number")[1].split("</table>")[0]
    assert "1.500 ± 0.012" in history.split("(current)")[0]
    assert "3.250 ± 0.012" in history.split("(current)")[1]
    assert film_data(house, "D1")["numbers"][0]["value"] == 3.25  # type: ignore[index]


def test_the_page_says_what_is_out_of_date_and_why(house: House) -> None:
    rooms = [room for room in ROOMS if room.name in ("growth", "xrr")]
    put_films(house, ["E1"])
    write_pages(house.lake, house.home, rooms, ["E1"])
    assert "Nothing is out of date" in page_path(house.home, "E1").read_text()
    house.home.settings_file.write_text("parameters: {xrr_fit: {generations: 77}}\n")
    assert write_pages(house.lake, house.home, rooms, ["E1"], everything=False) == [page_path(house.home, "E1")]
    house.home.settings_file.unlink()
    page = page_path(house.home, "E1").read_text()
    assert re.search(r"xrr_fit is out of date</span>: parameter generations: was 200, is 77", page)


def test_one_changed_film_rebuilds_one_page_and_the_index(house: House) -> None:
    films = ["F1", "F2", "F3"]
    put_films(house, films)
    assert len(write_pages(house.lake, house.home, ROOMS, films, everything=False)) == 3
    index = write_index(house.lake, house.home).read_text()
    before = {path: path.stat().st_mtime_ns for path in house.home.reports.rglob("*") if path.is_file()}
    assert write_pages(house.lake, house.home, ROOMS, films, everything=False) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    fit_again(house, "F2", 9.75)
    assert write_pages(house.lake, house.home, ROOMS, films, everything=False) == [page_path(house.home, "F2")]
    assert write_index(house.lake, house.home).read_text() != index
    changed = {p.relative_to(house.home.reports).as_posix() for p, t in before.items() if p.stat().st_mtime_ns != t}
    assert changed == {"films/F2/index.html", "films/F2/data.js", "index.html", "assets/numbers.js"}


def test_what_a_file_or_a_grower_says_is_text_and_never_markup(house: House) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    put_films(house, ["G<b>1"], notes=evil)
    page = written(house, "G<b>1")
    assert evil not in page
    assert "<b>1" not in page
    assert "</script" not in (page_path(house.home, "G<b>1").parent / "data.js").read_text()
    write_index(house.lake, house.home)
    assert "<b>1" not in (house.home.reports / "index.html").read_text()
    assert "</script><script>" not in (house.home.reports / "assets/numbers.js").read_text()


def test_the_page_loads_nothing_but_what_stands_beside_it(house: House) -> None:
    put_films(house, ["H1"])
    pages = [written(house, "H1"), write_index(house.lake, house.home).read_text()]
    pages.append((house.home.reports / "compare.html").read_text())
    for page in pages:
        assert "http://" not in page
        assert "https://" not in page
    for source in re.findall(r'(?:src|href)="(\.\./\.\./assets/[^"]+)"', pages[0]):
        assert (page_path(house.home, "H1").parent / source).resolve().is_file()
    assert (house.home.reports / "assets/uPlot.LICENSE").read_text().startswith("The MIT License")


def test_a_long_curve_is_thinned_and_says_so(house: House) -> None:
    put_films(house, ["I1"], points=2 * MOST_POINTS + 1)
    written(house, "I1")
    chart = film_data(house, "I1")["curves"][0]  # type: ignore[index]
    assert chart["every"] == 3
    assert len(chart["series"][0]["x"]) == (2 * MOST_POINTS + 1 + 2) // 3


def test_layers_are_drawn_to_scale() -> None:
    growth = {"substrate_material": "TiO2", "substrate_orientation": "110"}
    layers = [
        {"layer_index": i, "material": m, "nominal_thickness_nm": t, "layer_role": None}
        for i, (m, t) in enumerate([("TiO2", 2.5), ("RuO2", 3.8), ("TiO2", 0.1)], 1)
    ]
    drawn = drawn_stack(growth, layers, {"2 RuO2": "3.79 ± 0.02"})
    top, film, buffer, substrate = drawn["boxes"]
    assert film["height"] / buffer["height"] == pytest.approx(3.8 / 2.5, rel=1e-3)
    assert top["height"] / film["height"] == pytest.approx(0.1 / 3.8, abs=3e-4)
    assert drawn["bar"]["pixels"] / drawn["bar"]["nm"] == pytest.approx(film["height"] / 3.8, rel=1e-2)
    assert film["detail"] == "measured 3.79 ± 0.02 nm"
    assert substrate["detail"] == "substrate, not to scale"
    lines = sorted(box["label_y"] for box in drawn["boxes"])
    assert min(b - a for a, b in pairwise(lines)) >= 17


@pytest.mark.parametrize(
    ("value", "sigma", "long", "short"),
    [
        (3.8712, 0.0134, "3.871 ± 0.013", "3.871(13)"),
        (15875.0, 192.0, "15875 ± 192", "15875(192)"),
        (-0.3864, 2.1e-6, "−0.3864000 ± 0.0000021", "−0.3864000(21)"),
        (12.3, 4.5, "12.3 ± 4.5", "12.3(4.5)"),
        (1.615e15, 8e9, "(1.6150000 ± 0.0000080) × 10¹⁵", "(1.6150000 ± 0.0000080) × 10¹⁵"),
        (-1.2e-4, 3e-4, "(−1.2 ± 3.0) × 10⁻⁴", "−0.00012(30)"),
        (2.0, None, "2 ± unknown", "2"),
        (2.0, 0.0, "2 ± 0", "2"),
    ],
)
def test_numbers_are_written_as_people_write_them(value: float, sigma: float | None, long: str, short: str) -> None:
    assert measured(value, sigma) == long
    assert concise(value, sigma) == short


def test_a_sparkline_keeps_every_error_bar_inside() -> None:
    history = [{"value": v, "sigma": s} for v, s in [(1.0, 0.5), (2.0, None), (1.5, 0.1)]]
    drawn = sparkline(history)
    assert [p["x"] for p in drawn] == sorted(p["x"] for p in drawn)
    assert all(0 <= p["top"] <= p["y"] <= p["bottom"] <= 26 for p in drawn)
    assert drawn[1]["y"] < drawn[2]["y"] < drawn[0]["y"]
    assert sparkline(history[:1]) == []


def test_the_server_gives_pages_and_raw_bytes_and_nothing_else(house: House) -> None:
    put_films(house, ["N1"])
    written(house, "N1")
    write_index(house.lake, house.home)
    (house.home.root / "rutile.yaml").write_text("parameters: {}\n")
    (house.home.reports / "out").symlink_to(house.home.root)
    server = page_server(house.home, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.server_address[1]
        assert server.server_address[0] == "127.0.0.1"

        def status(path: str, host: str | None = None) -> int:
            request = Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host} if host else {})
            try:
                with urlopen(request, timeout=10) as answer:
                    return int(answer.status)
            except HTTPError as fault:
                fault.close()
                return fault.code

        sha = house.lake.rows("SELECT sha256 FROM lake.raw_file LIMIT 1")[0]["sha256"]
        there = vault.path_of(house.home.vault, sha).relative_to(house.home.root).as_posix()
        assert [status(p) for p in ("/", "/reports/films/N1/index.html", f"/{there}")] == [200, 200, 200]
        for path in ("/rutile.yaml", "/reports/../rutile.yaml", "/reports/out/rutile.yaml", "/lake/", "/reports/",
                     "/%2e%2e/", "/vault/"):  # fmt: skip
            assert status(path) == 404, path
        assert status("/reports/index.html", "evil.example") == 404
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_rutile_pages_writes_what_changed_and_says_how_much(house: House) -> None:
    put_films(house, ["O1", "O2"])
    home = str(house.home.root)
    told = [CliRunner().invoke(main, ["--home", home, "pages", "--films", "O1,O2"]).output for _ in range(2)]
    assert told[0].startswith("2 pages written")
    assert told[1].startswith("0 pages written")
    assert Path(home, "reports/compare.html").is_file()
