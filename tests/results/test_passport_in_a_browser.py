"""The pages in headless Chromium, from disk and from `rutile pages`: what a person does with them, and who else can."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from figure_lake import figure_lake
from passport_lake import fit_again, put_films
from series_lake import drawn, put_tables

from rutile_assets.ops.house import House, open_house
from rutile_assets.ops.serve_pages import page_server
from rutile_assets.results.passport import page_path, write_index, write_pages
from rutile_assets.rooms import ROOMS

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FILMS = [f"SIM-B{i:03d}" for i in range(12)]
MANY = 1000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("NO CHROMIUM: the pages were not tried in a browser. `apt-get install chromium` brings it")
    sync_api = pytest.importorskip(
        "playwright.sync_api",
        reason="NO PLAYWRIGHT: the pages were not tried in a browser. `pip install playwright` brings it",
    )
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = open_house(tmp_path_factory.mktemp("pages") / "home")
    put_films(house, FILMS)
    fit_again(house, FILMS[0], 3.25)
    put_tables(house, figure_lake(), ("work_function", "work_function_curve", "work_function_fit"))
    for name in ("claims", "figure_2", "figure_3"):
        drawn(house, name)
    write_pages(house.lake, house.home, ROOMS)
    write_index(house.lake, house.home)
    yield house
    house.lake.close()


class Watched:
    """A page whose console, errors and requests are kept."""

    def __init__(self, browser: Any, width: int = 1280, height: int = 900, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def finish(self, *schemes: str) -> None:
        self.context.close()
        assert self.complaints == []
        assert self.requests
        assert [url for url in self.requests if not url.startswith(("data:", "blob:", *schemes))] == []


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    one = Watched(browser)
    yield one
    one.finish("file://")


@contextmanager
def served(browser: Any, house: House) -> Iterator[tuple[str, Any]]:
    """Serve the pages, give their address and a page that is watched until it closes."""
    server = page_server(house.home, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    one = Watched(browser)
    root = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield root, one.page
    finally:
        one.finish(root)
        server.shutdown()
        thread.join()
        server.server_close()


def film_url(house: House, film: str) -> str:
    return page_path(house.home, film).as_uri()


def index_url(house: House) -> str:
    return (house.home.reports / "index.html").as_uri()


def test_search_finds_words_and_numbers_and_sorting_sorts(watched: Watched, home: House) -> None:
    page = watched.page
    page.goto(index_url(home))
    assert page.locator("#films tbody tr:visible").count() == len(FILMS)
    page.fill("#search", "sim-b003")
    page.wait_for_function("document.querySelector('#count').textContent === '1'")
    assert page.locator("#films tbody tr:visible th").all_inner_texts() == ["SIM-B003"]
    page.fill("#search", "ruo2 total_thickness_nm > 2.45")
    page.wait_for_function("document.querySelector('#count').textContent === '3'")
    assert page.locator("#films tbody tr:visible th").all_inner_texts() == ["SIM-B000", "SIM-B010", "SIM-B011"]
    page.fill("#search", "no_such_number > 1")
    page.get_by_text("No number is called no_such_number.").wait_for()
    page.fill("#search", "")
    page.wait_for_function("document.querySelector('#count').textContent === '12'")
    heading = page.locator("#films thead th", has_text="thickness")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert page.locator("#films tbody tr th").first.inner_text() == "SIM-B001"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.locator("#films tbody tr th").first.inner_text() == "SIM-B000"


def test_chosen_films_are_compared_number_by_number_and_curve_over_curve(watched: Watched, home: House) -> None:
    page = watched.page
    page.goto(index_url(home))
    assert page.locator("#compare").is_disabled()
    for film in FILMS[1:4]:
        page.get_by_label(f"compare {film}").check()
    page.get_by_role("button", name="Compare 3 chosen").click()
    page.get_by_text("3 films compared.").wait_for()
    row = page.locator("#numbers tbody tr", has=page.get_by_role("rowheader", name="total thickness"))
    assert row.locator("td.n").all_inner_texts() == ["1.600 ± 0.012", "1.700 ± 0.012", "1.800 ± 0.012"]
    page.locator(".chart canvas").first.wait_for()
    names = page.evaluate("document.querySelector('.plot').chart.plot.series.slice(1).map((s) => s.label)")
    assert names == [f"{film} {what}" for film in FILMS[1:4] for what in ("measured", "fit")]
    page.get_by_role("button", name=f"remove {FILMS[2]}").click()
    page.get_by_text("2 films compared.").wait_for()
    page.fill("#add", "../../etc")
    page.get_by_role("button", name="Add").click()
    page.get_by_text("No film is called ../../etc.").wait_for()


def test_from_a_number_one_comes_to_its_raw_file_through_table_and_picture(watched: Watched, home: House) -> None:
    page = watched.page
    page.goto(film_url(home, FILMS[0]))
    assert page.get_by_text("simulated data").is_visible()
    row = page.locator("tr.number", has_text="total thickness")
    row.get_by_role("link", name="xrr/scan.xrdml").click()
    file = page.locator("tr:target")
    assert "xrr/scan.xrdml" in file.inner_text()
    bytes_at = file.get_by_role("link").evaluate("(link) => link.href")
    assert Path(url2pathname(urlsplit(bytes_at).path)).read_bytes() == f"{FILMS[0]} xrr/scan.xrdml".encode()
    row.get_by_role("button").click()
    page.get_by_role("link", name="see it in the lineage").first.click()
    on = page.locator(".lineage .node.on")
    texts = on.locator("text").all_inner_texts() if on.count() else []
    assert page.locator(".lineage.traced .node.on.file").count() == 2, texts
    assert page.locator(".lineage .node.asset.on").count() == 3
    assert "made from 2 files" in page.locator("#lineage-said").inner_text()
    page.locator(".lineage .node.asset", has_text="xrr_fit").click()
    assert "xrr_fit" in page.locator("tr:target").inner_text()
    page.locator(".lineage .node.file", has_text="scan.xrdml").focus()
    page.keyboard.press("Enter")
    assert "xrr/scan.xrdml" in page.locator("tr:target").inner_text()


def test_curves_are_drawn_when_reached_and_answer_mouse_and_keys(watched: Watched, home: House) -> None:
    page = watched.page
    page.set_viewport_size({"width": 1000, "height": 300})
    page.goto(film_url(home, FILMS[0]))
    assert page.locator(".plot canvas").count() == 0
    page.locator(".chart").first.scroll_into_view_if_needed()
    page.locator(".plot canvas").first.wait_for()
    span = "(() => { const x = document.querySelector('.plot').chart.plot.scales.x; return x.max - x.min; })()"
    whole = page.evaluate(span)
    assert whole == pytest.approx(7.5)
    page.locator(".plot").first.focus()
    page.keyboard.press("+")
    page.wait_for_function(f"{span} < 6")
    page.keyboard.press("0")
    page.wait_for_function(f"{span} > 7")
    log = page.get_by_role("button", name="log scale")
    assert log.get_attribute("aria-pressed") == "true"
    log.click()
    assert log.get_attribute("aria-pressed") == "false"
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").first.click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == '"2θ (deg)","measured","fit"'
    assert len(lines) == 41


def test_keyboard_alone_skips_to_the_content_and_unfolds_a_number(watched: Watched, home: House) -> None:
    page = watched.page
    page.goto(film_url(home, FILMS[0]))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    button = page.locator(".more").first
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator(".detail.open")
    assert "Parratt" in detail.inner_text()
    assert "3.250 ± 0.012" in detail.locator("table").inner_text()


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [pytest.param(1280, 900, "light", marks=pytest.mark.slow), (375, 800, "dark")]
)
def test_no_page_breaks_an_accessibility_rule_or_the_screen(
    browser: Any, home: House, width: int, height: int, scheme: str
) -> None:
    axe_playwright = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="NO AXE: accessibility was not checked. `pip install axe-playwright-python` brings it",
    )
    watched = Watched(browser, width, height, color_scheme=scheme)
    page = watched.page
    compare = (home.home.reports / "compare.html").as_uri() + f"#{FILMS[0]},{FILMS[1]}"
    series = [(home.home.reports / f"{name}.html").as_uri() for name in ("claims", "figures", "lineage")]
    for url in (index_url(home), compare, film_url(home, FILMS[0]), *series):
        page.goto(url)
        page.wait_for_timeout(200)
        if page.locator("#unfold").count():
            page.locator("#unfold").click()
            page.locator(".chart").first.scroll_into_view_if_needed()
            page.locator(".plot canvas").first.wait_for()
        found = axe_playwright.Axe().run(page, options={"preload": False}).response["violations"]
        serious = [(v["id"], v["nodes"][0]["target"]) for v in found if v["impact"] in ("serious", "critical")]
        assert serious == [], url
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url
    watched.finish("file://")


def test_claims_are_found_by_word_verdict_and_what_tests_them(watched: Watched, home: House) -> None:
    page = watched.page
    page.goto(index_url(home))
    page.get_by_role("link", name="claims").click()
    rows = page.locator("#claims tbody tr")
    count = rows.count()
    page.get_by_text(f"{count} of {count} claims", exact=True).wait_for()
    page.get_by_label("Search").fill("mobility 3.5 nm")
    page.get_by_text(f"1 of {count} claims", exact=True).wait_for()
    assert "The mobility of films peaks near 3.5 nm." in page.locator("#claims tbody tr:visible").inner_text()
    page.get_by_label("Search").fill("")
    page.get_by_label("Verdict").select_option("contradicted by the paper's own numbers")
    page.get_by_text(f"13 of {count} claims", exact=True).wait_for()
    page.get_by_label("Tested by").select_option("text")
    page.get_by_text(f"0 of {count} claims", exact=True).wait_for()
    page.get_by_label("Verdict").select_option("")
    page.get_by_text(f"8 of {count} claims", exact=True).wait_for()


def test_a_figure_is_seen_taken_home_and_followed_to_the_film_it_rests_on(browser: Any, home: House) -> None:
    with served(browser, home) as (root, page):
        page.goto(f"{root}reports/index.html")
        page.get_by_role("link", name="figures").click()
        figure = page.locator("#figure_2b")
        figure.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector('#figure_2b img').naturalWidth > 100")
        assert page.locator("#figure_2b img").get_attribute("alt").startswith("Work function of")
        with page.expect_download() as download:
            figure.get_by_role("link", name="figure 2b as PDF").click()
        assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
        figure.get_by_role("link", name="activity").click()
        version = page.locator("section.version", has=page.locator("h2:target"))
        assert version.locator("h2").inner_text() == "figure_2"
        version.get_by_role("link", name=FILMS[0], exact=True).first.click()
        assert "growth" in page.locator("tr:target").inner_text()


def test_the_printed_page_holds_numbers_stack_and_curves(watched: Watched, home: House) -> None:
    page = watched.page
    page.goto(film_url(home, FILMS[0]))
    page.emulate_media(media="print")
    assert page.locator("nav").first.is_hidden()
    assert page.locator("#unfold").is_hidden()
    assert page.locator("tr.number").first.is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".plot canvas").count() == 1
    assert len(page.pdf(format="A4")) > 20_000


def test_served_pages_ask_nobody_but_this_machine(browser: Any, home: House) -> None:
    with served(browser, home) as (root, page):
        page.goto(root)
        page.get_by_role("link", name=FILMS[0]).click()
        page.locator(".chart").first.scroll_into_view_if_needed()
        page.locator(".plot canvas").first.wait_for()
        with page.expect_download() as download:
            page.locator(".files a[download]").first.click()
        assert Path(download.value.path()).read_bytes().startswith(FILMS[0].encode())


@pytest.mark.slow
def test_the_index_of_a_thousand_films_opens_and_searches_quickly(browser: Any, tmp_path: Path) -> None:
    house = open_house(tmp_path / "home")
    put_films(house, [f"SIM-{i:04d}" for i in range(MANY)], points=3)
    write_index(house.lake, house.home)
    house.lake.close()
    watched = Watched(browser)
    page = watched.page
    page.goto(index_url(house))
    assert page.locator("#films tbody tr").count() == MANY
    opened_s = page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart") / 1000
    page.fill("#search", "total_thickness_nm > 21.35")
    page.wait_for_function("document.querySelector('#count').textContent === '5'")
    watched.finish("file://")
    assert opened_s < 2.0
