"""One raw file, one constant, one parameter, one function and words change in turn, in the code and files on disk:
exactly what rests on each goes stale, the reason names it, and computing exactly that leaves nothing stale.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster_server import Server, until
from edited_package import EditedPackage

from rutile_assets.simulation.campaign import simulate

ROOMS = ("growth", "transport", "conductivity")
LOOK = """
from pathlib import Path
from rutile_assets.ops.house import open_house
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets
import rutile_assets

assert Path(rutile_assets.__file__).is_relative_to(Path.cwd()), rutile_assets.__file__
house = open_house(arguments[0])
assets = {asset.name: asset for asset in all_assets()}
house.ingest([house.home.inbox], RunContext("cli"))
found = stale_assets(house.lake, house.home, all_assets())
answer = {"stale": [[one.growth_id, one.asset, one.reasons] for one in found]}
if "compute" in arguments:
    for one in found:
        materialize(house.lake, house.home, assets[one.asset], one.growth_id, RunContext("cli"))
answer["versions"] = [
    [row["growth_id"], row["asset"]]
    for row in house.lake.rows("SELECT growth_id, asset FROM lake.entity WHERE kind = 'asset' ORDER BY entity_id")
]
answer["still"] = len(stale_assets(house.lake, house.home, all_assets()))
"""
MODEL, CONSTANTS = "rutile_assets.techniques.transport.model", "rutile_assets.constants"
CHARGE = "ELEMENTARY_CHARGE_C"
TWO_LOOKS_S = 75.0  # of a sensor that looks every 30 s
IN_PROGRESS = """{ runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}) {
    ... on Runs { count } } }"""
Stale = dict[tuple[str | None, str], tuple[str, ...]]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a home whose inbox has two films: growth.yaml and transport; and their names."""
    home = tmp_path_factory.mktemp("campaign")
    made = simulate(home, films=2, light=True)
    films = sorted(film.growth_id for film in made.films)
    for film in films:
        for folder in (home / "inbox" / film).iterdir():
            if folder.is_dir() and folder.name != "transport":
                shutil.rmtree(folder)
    return home, films


@pytest.fixture
def home(campaign: tuple[Path, list[str]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(campaign[0], tmp_path / "home"))


@pytest.fixture
def package(tmp_path: Path) -> Iterator[EditedPackage]:
    with EditedPackage(tmp_path / "code", ROOMS) as copy:
        yield copy


def _keyed(rows: list[Any]) -> Stale:
    return {(growth_id, asset): tuple(reasons) for growth_id, asset, reasons in rows}


def _transport_file(home: Path, film: str) -> Path:
    return next((home / "inbox" / film / "transport").glob("*.dat"))


def _change_a_file(home: Path, film: str) -> str:
    """Make one reading of a film's transport file another one; return its path in the film."""
    path = _transport_file(home, film)
    lines = path.read_bytes().splitlines(keepends=True)
    cells = lines[-1].split(b",")
    place = max(range(len(cells)), key=lambda i: len(cells[i].strip()))
    cells[place] = cells[place].replace(b"1", b"2") if b"1" in cells[place] else cells[place].replace(b"3", b"4")
    lines[-1] = b",".join(cells)
    path.chmod(0o644)
    path.write_bytes(b"".join(lines))
    return f"transport/{path.name}"


def _follows(films: list[str], root: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what an asset that spans films says of upstream assets that are stale from one cause."""
    of, (owner, text) = ", ".join(films), root.split(": ", 1)
    return tuple(f"upstream {name} of {of} is stale, because {text if name == owner else root}" for name in names)


def _each_change_in_turn(
    home: Path,
    films: list[str],
    package: EditedPackage,
    compute: Callable[[], tuple[Stale, list[Any], int]],
    *,
    looks_again: bool = False,
) -> None:
    """Change one thing after the other; `compute` returns what was stale, all versions after it, and what still is.

    Who `looks_again` between films and what spans them leaves out what spans them where the films came out the same:
    with the parameter and the function here, they do.
    """
    first, second = films
    both = {
        (film, name) for film in films for name in ("growth", "transport_sweep", "transport_sheet", "transport_hall")
    }
    across = {(None, "conductivity"), (None, "carriers")}
    versions: list[Any] = []

    def exactly(expected: Stale, *, films_come_out_the_same: bool = False) -> None:
        before = len(versions)
        stale, versions[:], still = compute()
        assert stale == expected
        computed = [(growth_id, asset) for growth_id, asset in versions[before:]]
        spared = across if looks_again and films_come_out_the_same else set()
        assert sorted(computed, key=str) == sorted(set(expected) - spared, key=str)
        assert still == 0

    exactly(dict.fromkeys(both | across, ("never computed",)))

    path = _change_a_file(home, first)
    root = f"transport_sweep: file {path} was replaced"
    sheet = f"upstream transport_sheet is stale, because {root}"
    sweep = f"upstream transport_sweep is stale, because file {path} was replaced"
    seen = _follows([first], root, ("transport_sheet", "transport_hall"))
    exactly({
        (first, "transport_sweep"): (f"file {path} was replaced",), (first, "transport_sheet"): (sweep,),
        (first, "transport_hall"): (sweep, sheet), (None, "conductivity"): seen, (None, "carriers"): seen,
    })  # fmt: skip

    package.edit(CONSTANTS, "1.602176634e-19", "1.602e-19")
    told = (
        f"constant {CONSTANTS}.{CHARGE}: was Constant(1.602176634e-19, 0.0, 'C', 'exact, SI 2019'),"
        " is Constant(1.602e-19, 0.0, 'C', 'exact, SI 2019')"
    )
    sheet = f"upstream transport_sheet is stale, because {told}"
    seen = (
        f"upstream transport_sheet of {first}, {second} is stale, because {told}",
        f"upstream transport_hall of {first}, {second} is stale, because {told}",
    )
    exactly({
        **{(film, "transport_sheet"): (told,) for film in films},
        **{(film, "transport_hall"): (told, sheet) for film in films},
        (None, "conductivity"): seen, (None, "carriers"): (told, *seen),
    })  # fmt: skip

    (home / "rutile.yaml").write_text("parameters: {transport_hall: {significance: 4.0}}\n")
    told = "parameter significance: was 3.0, is 4.0"
    seen = _follows(films, f"transport_hall: {told}", ("transport_hall",))
    hall = {(film, "transport_hall"): (told,) for film in films}
    exactly({**hall, (None, "conductivity"): seen, (None, "carriers"): seen}, films_come_out_the_same=True)

    package.edit(MODEL, "> 0.6 * spacing", "> 0.65 * spacing")
    told = f"code: {MODEL}.odd_part changed"
    seen = _follows(films, f"transport_hall: {told}", ("transport_hall",))
    hall = {(film, "transport_hall"): (told,) for film in films}
    exactly({**hall, (None, "conductivity"): seen, (None, "carriers"): seen}, films_come_out_the_same=True)

    package.edit(MODEL, "each of those used once; a\n    pair", "each of them once; a pair")
    package.edit(MODEL, "    table = np.array(pairs)", "    # pairs as rows\n    table = np.array(  pairs  )")
    package.edit(MODEL, "def odd_part(field_t: FloatArray,", "def odd_part(\n    field_t: object,")
    exactly({})


def test_each_change_makes_stale_what_rests_on_it_names_itself_and_is_computed(
    campaign: tuple[Path, list[str]], home: Path, package: EditedPackage
) -> None:
    def compute() -> tuple[Stale, list[Any], int]:
        said = package.ask(LOOK, str(home), "compute")
        return _keyed(said["stale"]), said["versions"], said["still"]

    _each_change_in_turn(home, campaign[1], package, compute)


@pytest.mark.slow
def test_the_commands_stale_and_run_do_the_same(
    campaign: tuple[Path, list[str]], home: Path, package: EditedPackage
) -> None:
    def stale() -> Stale:
        shown = package.rutile(home, "stale", "--format", "json")
        assert shown.returncode == 0, shown.stderr
        found: Stale = {}
        for row in json.loads(shown.stdout):
            key = (row["growth_id"], row["asset"])
            found[key] = (*found.get(key, ()), row["reason"])
        return found

    def compute() -> tuple[Stale, list[Any], int]:
        package.rutile(home, "ingest", str(home / "inbox"))
        before = stale()
        ran = package.rutile(home, "run")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        asked = "SELECT growth_id, asset FROM lake.entity WHERE kind = 'asset' ORDER BY entity_id"
        rows = json.loads(package.rutile(home, "sql", asked, "--format", "json").stdout)
        return before, [[row["growth_id"], row["asset"]] for row in rows], len(stale())

    _each_change_in_turn(home, campaign[1], package, compute)


@pytest.mark.slow
def test_the_daemon_computes_exactly_what_each_change_made_stale(
    campaign: tuple[Path, list[str]], home: Path, package: EditedPackage
) -> None:
    def compute() -> tuple[Stale, list[Any], int]:
        before = _keyed(package.ask(LOOK, str(home))["stale"])
        server = Server(home, package.folder)
        try:
            started = time.monotonic()

            def rests() -> bool:
                in_progress = server.ask(IN_PROGRESS)["runsOrError"]["count"]
                looked = time.monotonic() - started > TWO_LOOKS_S
                return looked and not in_progress and package.ask(LOOK, str(home))["still"] == 0

            until(rests, 400, "the daemon to rest")
            time.sleep(TWO_LOOKS_S - 40)  # and it does not begin again
            assert server.ask(IN_PROGRESS)["runsOrError"]["count"] == 0
        finally:
            server.stop()
        after = package.ask(LOOK, str(home))
        return before, after["versions"], after["still"]

    _each_change_in_turn(home, campaign[1], package, compute, looks_again=True)
