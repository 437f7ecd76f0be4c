"""The daemon alone with an inbox: files in random order, twice, half-written, broken; then killed and started again."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster_server import Server, until

from rutile_assets.ops.house import House, open_house
from rutile_assets.ops.inbox_watch import folders_in, not_judged
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.campaign import simulate

pytestmark = pytest.mark.slow
FIRST_FILES = 50
RUNS = (
    "{ runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}) { ... on Runs { count } } }"
)
COMPUTED_TWICE = """
    WITH made AS (
        SELECT entity.asset, entity.growth_id, activity.code_version, activity.parameters, entity.entity_id,
            list(parent.asset || parent.data_version ORDER BY parent.asset, parent.data_version) AS inputs
        FROM lake.entity
        INNER JOIN lake.activity USING (activity_id)
        INNER JOIN lake.edge ON edge.child = entity.entity_id
        INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
        WHERE entity.kind = 'asset' GROUP BY ALL
    )
    SELECT asset, growth_id, count(*) AS times FROM made
    GROUP BY asset, growth_id, code_version, parameters, inputs HAVING times > 1
"""


@dataclass(frozen=True)
class Drop:
    """A file on its way into the inbox: whole, in two halves with a pause, or cut short for good."""

    source: Path
    name: str
    how: str


def _drops(campaign: Path, films: list[str], chance: random.Random) -> list[Drop]:
    """Return the films' files in random order: one in six twice, one in six half-written at first, one in eight cut."""
    drops = []
    for film in films:
        for path in sorted(p for p in (campaign / film).rglob("*") if p.is_file()):
            name = path.relative_to(campaign).as_posix()
            whole_needed = path.suffix == ".yaml"
            how = "whole" if whole_needed else chance.choice(["whole"] * 5 + ["halves"] + ["cut"])
            drops.append(Drop(path, name, how))
            if chance.random() < 1 / 6:
                drops.append(Drop(path, name, "again" if how != "cut" else "cut"))
    chance.shuffle(drops)
    return drops


def _drop(inbox: Path, drops: list[Drop], seconds: float) -> None:
    """Put the files there, over so many seconds; the second halves come at the end."""
    rest = []
    for drop in drops:
        target = inbox / drop.name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = drop.source.read_bytes()
        if drop.how == "cut":
            target.write_bytes(content[: len(content) // 3])
        elif drop.how == "halves" and not target.exists():
            target.write_bytes(content[: len(content) // 2])
            rest.append((target, content))
        else:
            target.write_bytes(content)
        time.sleep(seconds / len(drops))
    time.sleep(12)  # longer than the sensor waits for a file to settle: it may take a half for the whole
    for target, content in rest:
        target.write_bytes(content)


def _is_done(server: Server, house: House) -> bool:
    if server.ask(RUNS)["runsOrError"]["count"]:
        return False
    folders = [f for f in folders_in(house.home) if f.is_growth]
    return not not_judged(house, folders) and not stale_assets(house.lake, house.home, all_assets())


def _all_is_well(house: House, drops: list[Drop]) -> None:
    """Every good file stands in the lake and every cut one is refused; nothing was computed twice."""
    rows = house.lake.rows("SELECT growth_id || '/' || original_path AS name FROM current_raw_file")
    accepted = {row["name"] for row in rows}
    refused = {r["name"] for r in house.lake.rows("SELECT growth_id || '/' || path AS name FROM rejected_files")}
    good = {drop.name for drop in drops if drop.how != "cut"}
    assert accepted | refused >= {drop.name for drop in drops}
    assert good <= accepted, sorted(good - accepted)
    assert {drop.name for drop in drops if drop.how == "cut"} <= accepted | refused
    assert not accepted & refused
    assert house.lake.rows(COMPUTED_TWICE) == []
    assert stale_assets(house.lake, house.home, all_assets()) == []


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = simulate(tmp_path_factory.mktemp("campaign"), films=12, light=True, seed=11)
    for bad in made.rejections:  # its own bad files: those here are cut
        (made.inbox / bad.growth_id / bad.path).unlink()
    return made.inbox


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lab") / "home"
    (root / "inbox").mkdir(parents=True)
    return root


def test_fifty_files_in_a_minute_and_then_a_power_cut(campaign: Path, home: Path) -> None:
    chance = random.Random(5)
    films = sorted(p.name for p in campaign.iterdir() if (p / "growth.yaml").is_file())
    drops: list[Drop] = []
    first: list[str] = []
    while len(drops) < FIRST_FILES:
        first.append(films[len(first)])
        drops = _drops(campaign, first, random.Random(5))
    assert Counter(drop.how for drop in drops).keys() == {"whole", "halves", "cut", "again"}
    server = Server(home)
    try:
        _drop(home / "inbox", drops, 60)
        house = open_house(home)
        until(lambda: _is_done(server, house), 1500, "the first batch to be done")
        _all_is_well(house, drops)
        _the_ui_shows_it(server, house, first)
        second = _drops(campaign, films[len(first) : len(first) + 2], chance)
        second += [Drop(d.source, d.name, "whole") for d in drops if d.how == "cut"][:2]  # copied again, now whole
        _drop(home / "inbox", second, 20)
        until(lambda: bool(server.ask(RUNS)["runsOrError"]["count"]), 120, "a run of the second batch")
        server.kill()
        server = Server(home)
        until(lambda: _is_done(server, house), 1500, "the second batch to be done after the power cut")
        mended = {d.name for d in second}
        _all_is_well(house, [d for d in drops if d.name not in mended] + second)
    finally:
        server.stop()


def _the_ui_shows_it(server: Server, house: House, films: list[str]) -> None:
    """Look at Dagster in a browser: the asset is there with its plot and check; no error on the page."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the look at Dagster's page needs playwright")
    with playwright.sync_playwright() as opened:
        browser = opened.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{server.address}/assets/raw_files?view=partitions", wait_until="networkidle", timeout=120_000)
        for film in films:
            page.get_by_text(film).first.wait_for(timeout=60_000)
        page.screenshot(path=str(house.home.root / "partitions.png"))
        page.goto(f"{server.address}/runs", wait_until="networkidle", timeout=120_000)
        page.get_by_text("Success").first.wait_for(timeout=60_000)
        page.screenshot(path=str(house.home.root / "runs.png"))
        browser.close()
