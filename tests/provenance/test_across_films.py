"""Assets that span films: one version for all, lineage to every film, stale when any film's data change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from growths import drop_growth

from rutile_assets.columns import GROWTH_ID, NOTES, series_table
from rutile_assets.estimate import Estimate
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.ops.house import SQL_FOLDER, House
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.film import Films, Outcome, Result
from rutile_assets.provenance.film_asset import across_films
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets, all_tables

GROWTH = next(asset for asset in all_assets() if asset.name == "growth")
TOY = series_table("toy", "Films.", grain="one film", key=("growth_id",), columns=(GROWTH_ID, NOTES))


@across_films(room="toys", reads=("growth",), writes=(TOY,))
def toy(films: Films) -> Outcome:
    """Mean nominal thickness of the RuO2 layers."""
    layers = films.table("growth_layer")
    values = layers.nominal_thickness_nm.to_numpy(dtype=float)
    mean = Estimate(("mean_thickness_nm",), np.array([values.mean()]), np.zeros((1, 1)), "mean", "repeat")
    each = Estimate(("own_thickness_nm",) * len(values), values, np.diag(values * 0.0), "as grown", "datasheet")
    rows = pd.DataFrame({"growth_id": layers.growth_id, "notes": "seen"})
    return Outcome({"toy": rows}, [Result(mean, series="all"), Result(each, growth_id=list(layers.growth_id))])


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[House]:
    home = Home(tmp_path / "home")
    opened = House(home, Lake(home.lake, [*all_tables(), TOY], sorted(SQL_FOLDER.glob("*.sql"))))
    for name, thickness in (("A-1", 2.0), ("A-2", 4.0)):
        _grow(opened, name, thickness)
    yield opened
    opened.lake.close()


def _grow(house: House, name: str, thickness: float) -> None:
    house.ingest([drop_growth(house.home.inbox, name, thickness)], RunContext("cli"))
    materialize(house.lake, house.home, GROWTH, name, RunContext("cli"))


def _reasons(house: House) -> list[tuple[str, ...]]:
    return [s.reasons for s in stale_assets(house.lake, house.home, [GROWTH, toy]) if s.asset == "toy"]


def test_numbers_of_a_series_and_of_its_films_lead_back_to_every_film(toys: House) -> None:
    made = materialize(toys.lake, toys.home, toy, None, RunContext("cli"))
    rows = toys.lake.rows(
        "SELECT growth_id, series, quantity, value FROM results WHERE technique = 'toys' ORDER BY ALL"
    )
    assert [(r["growth_id"], r["series"], r["value"]) for r in rows] == [
        ("A-1", None, 2.0), ("A-2", None, 4.0), (None, "all", 3.0),
    ]  # fmt: skip
    assert trace.results_named(toys.lake, "all", "mean_thickness_nm")[0]["value"] == 3.0
    files = trace.raw_files(trace.back(toys.lake, made.entity_id))
    assert {f.details["growth_id"] for f in files} == {"A-1", "A-2"}


def test_a_new_film_and_a_changed_film_make_it_stale_by_name(toys: House) -> None:
    assert _reasons(toys) == [("never computed",)]
    materialize(toys.lake, toys.home, toy, None, RunContext("cli"))
    assert _reasons(toys) == []
    _grow(toys, "A-3", 6.0)
    assert _reasons(toys) == [("upstream growth of A-3 is new",)]
    materialize(toys.lake, toys.home, toy, None, RunContext("cli"))
    toys.ingest([drop_growth(toys.home.inbox, "A-1", 8.0)], RunContext("cli"))
    assert _reasons(toys) == [("upstream growth of A-1 is stale, because file growth.yaml was replaced",)]
    _grow(toys, "A-1", 8.0)
    made = materialize(toys.lake, toys.home, toy, None, RunContext("cli"))
    assert len(made.frames["toy"]) == 3
    assert toys.lake.rows("SELECT count(*) AS n FROM toy") == [{"n": 3}]
    current = toys.lake.rows("SELECT value FROM results WHERE quantity = 'mean_thickness_nm' AND is_current")
    assert current == [{"value": 6.0}]


def test_films_asked_for_alone_leave_what_spans_films_alone(toys: House) -> None:
    asked = stale_assets(toys.lake, toys.home, [GROWTH, toy], ["A-1"])
    assert [s.asset for s in asked] == []


def test_numbers_of_upstream_assets_and_their_systematics_are_at_hand(toys: House) -> None:
    materialize(toys.lake, toys.home, toy, None, RunContext("cli"))
    seen: dict[str, pd.DataFrame] = {}

    def look(films: Films) -> Outcome:
        seen.update(numbers=films.numbers("toy"), systematics=films.systematics("toy"))
        return Outcome({"toy": films.table("toy").drop(columns="entity_id")})

    materialize(toys.lake, toys.home, replace(toy, compute=look, reads=("toy",)), None, RunContext("cli"))
    assert sorted(seen["numbers"].value) == [2.0, 3.0, 4.0]
    assert seen["systematics"].empty
