"""From another program's 4D-STEM files to plane means and their test, through the lake; the truth is read last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from growths import drop_growth

from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "sim4dstem"
GROWTH = "MBE-1"
CHAIN = ("growth", "stem4d_calibration", "ptychography", "atom_column", "null_column", "displacement_plane")


def _computed(house: House, name: str, replicates: int) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Drop a file with what its operator knows, compute the chain, and return planes, image row and the truth."""
    if not (FOLDER / f"{name}.raw").exists():
        pytest.skip(f"NO 4D-STEM at {FOLDER}: the check against truth did not run")
    told = json.loads((FOLDER / f"{name}.json").read_text())
    here = drop_growth(house.home.inbox, GROWTH) / "stem4d"
    here.mkdir()
    (here / "scan.raw").write_bytes((FOLDER / f"{name}.raw").read_bytes())
    known = {
        "accelerating_voltage_kv": told["energy_eV"] / 1e3,
        "convergence_semi_angle_mrad": told["alpha"],
        "detector_pixel_mrad": told["mrad"],
        "scan_shape": [told["ny"], told["nx"]],
        "scan_step_nm": 0.1 * told["step"],
        "overfocus_nm": 0.1 * told["overfocus"],
        "beam_current_pa": told["current"],
        "dwell_time_ms": told["dwell"],
        "adu_per_electron": told["adu"],
        "slow_axis": "[110]",
        "sample_thickness_nm": 10.06,
        "detector_rotation_deg": 0.0,
        "detector_transpose": False,
    }
    (here / "scan.raw.yaml").write_text(yaml.safe_dump(known))
    chosen = {
        "ptychography": {"has_halves": False, "workers": 2},
        "null_column": {"replicates": replicates, "workers": 2},
    }
    house.home.settings_file.write_text(yaml.safe_dump({"parameters": chosen}))
    house.ingest([here.parent], RunContext("cli"))
    assets = {asset.name: asset for asset in all_assets()}
    for step in CHAIN:
        materialize(house.lake, house.home, assets[step], GROWTH, RunContext("cli"))
    planes = house.lake.rows("SELECT * FROM displacement_plane ORDER BY plane_index")
    (image,) = house.lake.rows("FROM displacement_plane_image")
    return planes, image, told


def _truth_of(planes: list[dict[str, Any]], told: dict[str, Any]) -> np.ndarray:
    """Return each plane's true mean displacement [pm], matched by height over the lower interface."""
    low = told["interfaces_y_A"][0]
    cations = [c for c in told["columns"] if c["element"] != "O"]
    heights = np.array([c["y"] for c in cations])
    true = np.array([c["disp_y_pm"] for c in cations])
    return np.array([true[np.abs(heights - low - 10.0 * p["depth_nm"]) < 1.0].mean() for p in planes])


def _held(planes: list[dict[str, Any]], true: np.ndarray, name: str) -> np.ndarray:
    value = np.array([p["displacement_out_of_plane_pm"] for p in planes])
    std = np.array([p["displacement_out_of_plane_pm_std"] for p in planes])
    error = value - true
    assert np.sqrt(np.mean(error**2)) <= 1.0, (name, error.round(2))
    assert np.mean(np.abs(error) < 1.96 * std) >= 0.95, (name, (error / std).round(2))
    return value


@pytest.mark.slow
def test_both_interfaces_twelve_planes_and_the_profile(house: House) -> None:
    planes, image, told = _computed(house, "full", 0)
    assert image["ru_planes_count"] == 12
    assert abs(image["ruo2_thickness_nm"] - 3.924) < 2.0 * image["ruo2_thickness_nm_std"]
    value = _held(planes, _truth_of(planes, told), "full")
    assert len(value) >= 18
    assert image["zero_probability"] < 1e-6
    assert image["odd_chi_square_ratio"] > 10.0 * image["even_chi_square_ratio"]


@pytest.mark.slow
def test_a_displaced_interface_is_not_null_against_its_own_control(house: House) -> None:
    planes, image, told = _computed(house, "lower", 1)
    _held(planes, _truth_of(planes, told), "lower")
    assert {p["null_source"] for p in planes} == {"pipeline"}
    assert image["null_rms_pm"] < 1.0
    assert image["zero_probability"] < 1e-6
    assert image["null_probability"] < 1e-6


@pytest.mark.slow
def test_an_interface_without_displacement_is_null(house: House) -> None:
    planes, image, told = _computed(house, "null", 0)
    _held(planes, _truth_of(planes, told), "null")
    assert image["zero_probability"] > 0.05
    assert image["null_probability"] > 0.05
