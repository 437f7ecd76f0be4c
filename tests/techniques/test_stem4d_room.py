"""The 4D-STEM room from dropped files to rows: calibration with its sources, orientation, dose, and faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from growths import drop_growth
from weak_stem4d import weak_scan

from rutile_assets.ops.house import House
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import Materialized, materialize
from rutile_assets.simulation.crystals import Displacement
from rutile_assets.simulation.stem4d import SMALL, film_crystal, sidecar, simulate_stem4d
from rutile_assets.techniques.stem4d.assets import ROOM, disc_of, orientation_of

GROWTH = "MBE-1"
WEAK: dict[str, object] = {
    "accelerating_voltage_kv": 200,
    "convergence_semi_angle_mrad": 26,
    "detector_pixel_mrad": 2.03125,
    "scan_step_nm": 0.0886,
    "overfocus_nm": 10,
    "adu_per_electron": 1,
}


def _drop(house: House, name: str, stack: Any, said: dict[str, object]) -> Path:
    folder = drop_growth(house.home.inbox, GROWTH)
    here = folder / "stem4d"
    here.mkdir(exist_ok=True)
    np.save(here / name, stack)
    (here / f"{name}.yaml").write_text(yaml.safe_dump(said))
    return folder


def _run(house: House) -> list[Materialized]:
    return [materialize(house.lake, house.home, asset, GROWTH, RunContext("cli")) for asset in ROOM.assets[:2]]


def _row(made: Materialized) -> dict[str, Any]:
    (frame,) = made.frames.values()
    (row,) = frame.to_dict("records")
    return {str(key): value for key, value in row.items()}


def test_a_simulated_film_is_calibrated_and_looked_at(house: House) -> None:
    setup = replace(SMALL, scan=(12, 12), phonons=1, rotation_deg=90.0, transpose=True)
    crystal, first = film_crystal(setup, Displacement())
    dataset = simulate_stem4d(setup, crystal, first, np.random.default_rng(0))
    said = yaml.safe_load(sidecar(setup))
    folder = _drop(house, "film.npy", dataset.patterns, said)
    verdicts = {v.path.name: v for v in house.ingest([folder], RunContext("cli"))}
    assert (verdicts["film.npy"].status, verdicts["film.npy"].technique) == ("accepted", "stem4d")
    calibration, look = _run(house)
    row = _row(calibration)
    assert row["detector_transpose"]
    assert abs(row["detector_rotation_deg"] - 90.0) < 3.0
    assert row["orientation_source"] == "data"
    assert {row[f"{key}_source"] for key in said if f"{key}_source" in row} == {"sidecar"}
    assert row["slow_axis"] == "[110]"
    assert pd.isna(row["sample_thickness_nm"])
    assert abs(row["pixel_disagreement_pull"]) < 3.0
    assert row["disc_radius_count"] == pytest.approx(26 / 1.56, rel=0.015)
    assert row["electrons_per_pattern_count"] == pytest.approx(row["electrons_from_current_count"], rel=0.05)
    (view,) = house.lake.rows("SELECT is_calibrated, source_file FROM stem4d")
    assert view == {"is_calibrated": True, "source_file": "stem4d/film.npy"}
    results = {r.estimate.quantities[0] for r in calibration.outcome.results}
    assert results == {"pixel_from_disc_mrad", "detector_rotation_deg"}
    seen = _row(look)
    assert look.film.array(seen["com_array"]).shape == (2, 12, 12)
    assert look.film.array(seen["mean_pattern_array"]).shape == (64, 64)
    assert seen["bright_field_fraction"] + seen["dark_field_fraction"] == pytest.approx(1.0)
    asset = ROOM.assets[1]
    assert asset.figure is not None
    assert asset.figure(look.film, look.outcome) is not None
    # RuO2 above the interface scatters more: the dark field says which way the slow axis runs
    dark = look.film.array(seen["dark_field_array"]).mean(axis=1)
    assert dark[8:].mean() > dark[:4].mean()
    patterns = UprightPatterns(
        dataset.patterns, (row["disc_row_index"], row["disc_column_index"]), orientation_of(row).rotation_deg,
        orientation_of(row).transpose,
    )  # fmt: skip
    assert patterns.positions_angstrom(0.0886)[12] == pytest.approx([0.886, 0.0], abs=0.06)
    assert disc_of(row).radius == row["disc_radius_count"]


def test_values_that_the_data_contradict_are_flagged(house: House) -> None:
    scan = weak_scan(2, rotation_deg=30.0, transpose=False)
    said = {
        **WEAK,
        "detector_pixel_mrad": 2.4,
        "beam_current_pa": 12,
        "dwell_time_ms": 1,
        "detector_rotation_deg": -60.0,
    }
    house.ingest([_drop(house, "a.npy", scan.patterns.astype(np.float32), said)], RunContext("cli"))
    row = _row(_run(house)[0])
    assert row["pixel_disagreement_pull"] > 3.0
    assert "convergence angle or pixel is wrong" in row["notes"]
    assert "gain, current or dwell time is wrong" in row["notes"]
    assert "the data say otherwise" in row["notes"]
    assert abs(row["detector_rotation_deg"] - 30.0) < 2.0
    assert row["pixel_from_disc_mrad"] == pytest.approx(2.031, rel=0.03)


def test_what_nobody_gave_stays_unknown(house: House) -> None:
    scan = weak_scan(2)
    house.ingest([_drop(house, "a.npy", scan.patterns.astype(np.float32), {})], RunContext("cli"))
    calibration, look = _run(house)
    row = _row(calibration)
    unknown = ("detector_pixel_mrad", "pixel_from_disc_mrad", "detector_rotation_deg", "electrons_per_pattern_count")
    for key in unknown:
        assert pd.isna(row[key]), key
    assert "How the detector lies is not known: no detector_pixel_mrad." in row["notes"]
    assert "No adu_per_electron" in row["notes"]
    assert len(look.frames["stem4d_quicklook"]) == 1


def test_a_pixel_that_nobody_gave_comes_from_the_disc(house: House) -> None:
    scan = weak_scan(2, rotation_deg=10.0, transpose=True)
    said = {k: v for k, v in WEAK.items() if k != "detector_pixel_mrad"}
    house.ingest([_drop(house, "a.npy", scan.patterns.astype(np.float32), said)], RunContext("cli"))
    row = _row(_run(house)[0])
    assert row["detector_pixel_mrad_source"] == "data"
    assert row["detector_pixel_mrad"] == pytest.approx(2.031, rel=0.03)
    assert row["detector_transpose"]
    assert abs(row["detector_rotation_deg"] - 10.0) < 2.0


def test_faulty_scans_are_refused_at_ingest_or_noted(house: House) -> None:
    stack = weak_scan(2, scan=8).patterns.astype(np.float32)
    few = stack.copy()
    few[1, 2] = 0
    few[3, 4, 5, 6] = np.nan
    _drop(house, "few.npy", few, {**WEAK, "saturation_counts": float(np.nanmax(few))})
    _drop(house, "nan.npy", np.full_like(stack, np.nan), WEAK)
    _drop(house, "dark.npy", np.zeros_like(stack), WEAK)
    many = stack.copy()
    many[:4] = 0
    _drop(house, "many.npy", many, WEAK)
    folder = _drop(house, "series.npy", stack.reshape(1, 64, 32, 32), WEAK)
    told = {v.path.name: v.sentence for v in house.ingest([folder], RunContext("cli")) if v.status == "rejected"}
    assert set(told) == {"nan.npy", "dark.npy", "many.npy", "series.npy"}
    assert "no numbers (NaN)" in told["nan.npy"]
    assert "median dose is 0" in told["dark.npy"]
    assert "missing: next to no counts" in told["many.npy"] or "median dose is 0" in told["many.npy"]
    assert "a series of 64 patterns" in told["series.npy"]
    row = _row(_run(house)[0])
    assert (row["missing_frames_count"], row["saturated_pixels_count"]) == (2, 1)
    assert "line 2, position 3" in row["notes"]
    assert "line 4, position 5" in row["notes"]
    assert "1 pixels saturate" in row["notes"]


def test_a_scan_without_a_disc_is_rejected_in_a_sentence(house: House) -> None:
    noise = np.random.default_rng(0).poisson(5.0, (6, 6, 32, 32)).astype(np.uint16)
    house.ingest([_drop(house, "a.npy", noise, WEAK)], RunContext("cli"))
    made = materialize(house.lake, house.home, ROOM.assets[0], GROWTH, RunContext("cli"))
    ((_, fault),) = made.outcome.rejected
    assert "a bright-field disc inside the detector" in str(fault)


@pytest.mark.slow
def test_the_shared_interface_file_end_to_end(house: House, realdata: Path) -> None:
    folder = drop_growth(house.home.inbox, GROWTH)
    here = folder / "stem4d"
    here.mkdir()
    (here / "lower.raw").write_bytes((realdata.parent / "sim4dstem" / "lower.raw").read_bytes())
    said = {
        **WEAK, "detector_pixel_mrad": 0.78, "scan_shape": [20, 20], "beam_current_pa": 12, "dwell_time_ms": 1,
        "adu_per_electron": 250,
    }  # fmt: skip
    (here / "lower.raw.yaml").write_text(yaml.safe_dump(said))
    house.ingest([folder], RunContext("cli"))
    row = _row(_run(house)[0])
    assert not row["detector_transpose"]
    assert abs(row["detector_rotation_deg"]) < 1.0
    assert row["electrons_per_pattern_count"] == pytest.approx(72549, rel=1e-3)
    assert abs(row["pixel_disagreement_pull"]) < 2.0
