"""What is stale and why; from a number to bytes and back."""

from __future__ import annotations

import pytest
from growths import drop_growth

from rutile_assets.errors import InvalidRecord
from rutile_assets.ops.house import House
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets

ASSETS = {asset.name: asset for asset in all_assets()}


def _reasons(house: House) -> dict[str, tuple[str, ...]]:
    return {s.asset: s.reasons for s in stale_assets(house.lake, house.home, [ASSETS["growth"]])}


def test_a_film_goes_from_never_computed_to_current_to_replaced(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    house.ingest([folder], RunContext("cli"))
    assert _reasons(house) == {"growth": ("never computed",)}
    first = materialize(house.lake, house.home, ASSETS["growth"], "MBE-1", RunContext("cli"))
    assert _reasons(house) == {}
    drop_growth(house.home.inbox, "MBE-1", thickness=5.0)
    house.ingest([folder], RunContext("cli"))
    assert _reasons(house) == {"growth": ("file growth.yaml was replaced",)}
    second = materialize(house.lake, house.home, ASSETS["growth"], "MBE-1", RunContext("cli"))
    assert _reasons(house) == {}
    assert first.data_version != second.data_version
    assert house.lake.rows("SELECT nominal_thickness_nm AS t FROM growth_layer") == [{"t": 5.0}]


def test_recomputing_the_same_gives_the_same_data_version(house: House) -> None:
    house.ingest([drop_growth(house.home.inbox, "MBE-1")], RunContext("cli"))
    made = [materialize(house.lake, house.home, ASSETS["growth"], "MBE-1", RunContext("cli")) for _ in range(2)]
    assert made[0].data_version == made[1].data_version
    assert made[0].entity_id < made[1].entity_id


def test_an_entity_leads_back_to_the_bytes_of_its_file(house: House) -> None:
    house.ingest([drop_growth(house.home.inbox, "MBE-1")], RunContext("cli"))
    made = materialize(house.lake, house.home, ASSETS["growth"], "MBE-1", RunContext("cli"))
    files = trace.raw_files(trace.back(house.lake, made.entity_id))
    stored = house.lake.rows("SELECT sha256, original_path FROM lake.raw_file")
    assert [(f.details["sha256"], f.details["original_path"]) for f in files] == [(stored[0]["sha256"], "growth.yaml")]


def test_asking_for_what_is_not_there_says_what_is(house: House) -> None:
    with pytest.raises(InvalidRecord, match="no raw file 'x'"):
        trace.forward(house.lake, "x")
    with pytest.raises(InvalidRecord, match="no 'thickness_nm' of 'MBE-9'"):
        trace.results_named(house.lake, "MBE-9", "thickness_nm")
    with pytest.raises(InvalidRecord, match="no film 'MBE-9'"):
        stale_assets(house.lake, house.home, list(ASSETS.values()), ["MBE-9"])


def test_what_an_asset_cannot_do_without_decides_whether_it_is_due(house: House) -> None:
    folder = drop_growth(house.home.inbox, "MBE-1")
    house.ingest([folder], RunContext("cli"))
    due = {s.asset for s in stale_assets(house.lake, house.home, all_assets(), ["MBE-1"])}
    assert ASSETS["displacement_plane"].needs == ("atom_column",)
    assert "growth" in due
    assert not {"atom_column", "null_column", "displacement_plane"} & due
