"""The films' pages: a thousand of them written, one film changed, and the index opened in headless Chromium."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rutile_assets.ops.house import open_house
from rutile_assets.results.passport import page_path, write_index, write_pages
from rutile_assets.rooms import ROOMS

FILMS, LOADS = 1000, 5


def run() -> Iterator[str]:
    """Yield times and sizes; the films are rows put into the lake, each with a reflectivity curve of 750 points."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from passport_lake import fit_again, put_films  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="rutile-bench-pages-"))
    house = open_house(folder)
    films = [f"SIM-{i:04d}" for i in range(FILMS)]
    put_films(house, films, points=750)
    clock = time.perf_counter()
    write_pages(house.lake, house.home, ROOMS, everything=False)
    yield f"{FILMS} pages written in {time.perf_counter() - clock:.1f} s"
    fit_again(house, films[500], 9.75)
    clock = time.perf_counter()
    changed = len(write_pages(house.lake, house.home, ROOMS, everything=False))
    yield f"one film changed: {changed} page written in {time.perf_counter() - clock:.1f} s, all {FILMS} looked at"
    clock = time.perf_counter()
    index = write_index(house.lake, house.home)
    yield f"index written in {time.perf_counter() - clock:.1f} s"
    page = page_path(house.home, films[0])
    for path in (index, house.home.reports / "assets/numbers.js", page, page.parent / "data.js"):
        yield f"{path.relative_to(house.home.reports)}: {path.stat().st_size / 1e3:.0f} kB"
    for name, path in (("index", index), ("film", page)):
        yield f"{name} opened in Chromium: {opened_s(path)}"
    house.lake.close()
    shutil.rmtree(folder)


def opened_s(path: Path) -> str:
    """Return how long a page takes to load in headless Chromium, in words."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError:
        return "not tried, playwright is not installed"
    chromium = shutil.which("chromium")
    if chromium is None:
        return "not tried, apt-get install chromium"
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(LOADS):
            tab = browser.new_page()
            tab.goto(path.as_uri())
            entry = "performance.getEntriesByType('navigation')[0]"
            times.append(tab.evaluate(f"{entry}.loadEventEnd - {entry}.startTime") / 1000)
            tab.close()
        browser.close()
    return f"median {statistics.median(times):.2f} s of {LOADS}, longest {max(times):.2f} s"
