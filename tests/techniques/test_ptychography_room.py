"""The ptychography room from dropped files to rows, pictures and checkpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from growths import drop_growth
from matplotlib.image import imread

from rutile_assets.errors import InvalidRecord
from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import Materialized, materialize
from rutile_assets.simulation.crystals import Displacement
from rutile_assets.simulation.stem4d import SMALL, film_crystal, sidecar, simulate_stem4d
from rutile_assets.techniques.ptychography.assets import ROOM
from rutile_assets.techniques.ptychography.parameters import PtychographyParameters
from rutile_assets.techniques.ptychography.recipes import FAST
from rutile_assets.techniques.ptychography.run import recipe_of
from rutile_assets.techniques.stem4d.assets import ROOM as STEM4D

GROWTH = "MBE-1"
SETTINGS = {"parameters": {"ptychography": {"most_iterations": 3, "modes": 1, "thickness_nm": 6.0}}}


def _drop(house: House, said: dict[str, Any], **how: Any) -> None:
    setup = replace(SMALL, scan=(6, 6), phonons=1, **how)
    crystal, first = film_crystal(setup, Displacement())
    patterns = simulate_stem4d(setup, crystal, first, np.random.default_rng(0)).patterns
    here = drop_growth(house.home.inbox, GROWTH) / "stem4d"
    here.mkdir(exist_ok=True)
    np.save(here / "film.npy", patterns)
    told = {key: value for key, value in (yaml.safe_load(sidecar(setup)) | said).items() if value is not None}
    (here / "film.npy.yaml").write_text(yaml.safe_dump(told))
    house.home.settings_file.write_text(yaml.safe_dump(SETTINGS))
    house.ingest([here.parent], RunContext("cli"))
    materialize(house.lake, house.home, STEM4D.assets[0], GROWTH, RunContext("cli"))


def _run(house: House, told: list[str] | None = None) -> Materialized:
    tell = (lambda _: None) if told is None else told.append
    return materialize(house.lake, house.home, ROOM.assets[0], GROWTH, RunContext("cli"), tell)


def test_a_scan_becomes_an_object_with_depth_probe_errors_and_halves(house: House) -> None:
    _drop(house, {"detector_rotation_deg": 90.0, "detector_transpose": False}, rotation_deg=90.0)
    told: list[str] = []
    made = _run(house, told)
    assert not [note for note in made.outcome.notes if "not reconstructed" in note]
    (row,) = house.lake.rows("FROM ptychography")
    potential = made.film.array(row["object_array"])
    assert potential.shape[0] == row["slices_count"] == 12  # 6 nm in slices of 0.5
    assert potential.min() >= 0.0
    assert made.film.array(row["probe_array"]).shape == (2, row["modes_count"], 64, 64)
    assert made.film.array(row["spread_array"]).shape == potential.shape[1:]
    errors = house.lake.rows("SELECT * FROM ptychography_iteration ORDER BY iteration_index")
    assert len(errors) == row["iterations_count"]
    assert errors[-1]["fitted_chi_square_ratio"] < 0.5 * errors[0]["fitted_chi_square_ratio"]
    assert sum(e["is_kept"] for e in errors) == len(FAST.stages)
    powers = [r["power_fraction"] for r in house.lake.rows("FROM ptychography_mode")]
    assert sum(powers) == pytest.approx(1.0)
    assert house.lake.rows("SELECT count(*) AS n FROM ptychography_correlation")[0]["n"] > 5
    assert any("Foreseen memory" in line for line in told)
    assert any("iteration 1 of at most" in line and "s left" in line for line in told)
    assert ROOM.assets[0].figure is not None
    assert ROOM.assets[0].figure(made.film, made.outcome) is not None
    assert not list(house.home.scratch.rglob("*.checkpoint"))  # done: nothing is left


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_object(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(house, {"detector_rotation_deg": 0.0})
    watched = SETTINGS["parameters"]["ptychography"] | {"has_live_picture": True}
    house.home.settings_file.write_text(yaml.safe_dump({"parameters": {"ptychography": watched}}))
    whole = _run(house)

    def killed(line: str) -> None:
        if "iteration 4 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        materialize(house.lake, house.home, ROOM.assets[0], GROWTH, RunContext("cli"), killed)
    assert list(house.home.scratch.rglob("*.checkpoint"))
    (picture,) = house.home.scratch.rglob("*.png")
    assert np.ptp(imread(picture)) > 0.1
    told: list[str] = []
    resumed = _run(house, told)
    assert any(str(picture) in line for line in told)
    assert not any("iteration 1 " in line for line in told[:2])
    assert resumed.data_version == whole.data_version


def test_a_scan_without_its_calibration_is_told_what_to_write(house: House) -> None:
    _drop(house, {"overfocus_nm": None, "adu_per_electron": None})
    made = _run(house)
    assert not made.outcome.tables
    assert "no overfocus_nm, adu_per_electron" in made.outcome.notes[0]
    assert "sidecar" in made.outcome.notes[0]


def test_recipes_follow_the_sample_and_wrong_ones_are_refused() -> None:
    assert recipe_of(PtychographyParameters(), 10.06).slices == 20
    paper = recipe_of(PtychographyParameters(recipe="paper", thickness_nm=20.0), None)
    assert (paper.slices, paper.slice_angstrom, paper.modes) == (20, 10.0, 16)
    with pytest.raises(InvalidRecord, match="no thickness"):
        recipe_of(PtychographyParameters(), None)
    with pytest.raises(InvalidRecord, match="'quick'"):
        recipe_of(PtychographyParameters(recipe="quick"), 10.0)
