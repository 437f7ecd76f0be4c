"""Thickness from the position-averaged pattern: limits, truth of a finer simulator, and the room."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from growths import drop_growth

from rutile_assets.errors import FitFailed
from rutile_assets.ops.house import House
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.physics.electrons import electron_form_factor, lorentz_factor, wavelength_angstrom
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.simulation.crystals import NO_DISPLACEMENT, Displacement, trilayer
from rutile_assets.simulation.stem4d import SMALL, film_crystal, sidecar, simulate_stem4d
from rutile_assets.techniques.ptychography.parameters import PtychographyParameters
from rutile_assets.techniques.stem4d.assets import ROOM
from rutile_assets.techniques.stem4d.beams import BeamTable, Cone, beam_table
from rutile_assets.techniques.stem4d.pacbed import (
    MATERIALS,
    Thickness,
    ThicknessParameters,
    mean_pattern,
    thickness_of,
)
from rutile_assets.techniques.stem4d.thickness import materials_of

SIM4DSTEM = Path(__file__).resolve().parents[3] / "shared" / "sim4dstem"
CONE = Cone(200.0, 26.0)
FAST = ThicknessParameters(vibration_fraction=0.0, thickest_nm=16.0)
GROWTH = "MBE-1"


@pytest.fixture(scope="module")
def table() -> BeamTable:
    lattice = rutile("TiO2")
    return beam_table(lattice, lattice.c_angstrom, replace(CONE, step_mrad=4.0), 6.0)


def test_the_mean_wave_loses_what_vibrations_take_and_gains_nothing(table: BeamTable) -> None:
    total = table.intensity[:, :, 0, 0].sum(axis=1)
    assert (np.diff(total) < 0).all()
    assert 0.9 < total[-1] < total[0] <= 1.0
    assert (np.diff(table.diffuse, axis=0) > 0).all()
    calm = beam_table(rutile("TiO2"), rutile("TiO2").c_angstrom, replace(CONE, step_mrad=8.0), 3.0, vibration=1e-6)
    assert calm.intensity[:, :, 0, 0].sum(axis=1) == pytest.approx(1.0, abs=0.02)  # what leaves the band is lost
    assert np.abs(calm.diffuse).max() < 1e-8


def test_a_thin_crystal_scatters_as_its_structure_factor() -> None:
    """Kinematic limit: |psi_g|^2 = (gamma lambda t |F_g| / V)^2 for one period, F with Debye-Waller factors."""
    lattice = rutile("TiO2")
    found = beam_table(lattice, lattice.c_angstrom, replace(CONE, step_mrad=8.0), 0.5)
    u, a = lattice.u, lattice.a_angstrom
    for h, k in ((1, 1), (2, 0), (2, 2), (1, -1)):
        length = np.array(np.hypot(h, k) / a)
        factors = {
            e: electron_form_factor(e, length) * np.exp(-2.0 * (np.pi * length * vibration) ** 2)
            for e, vibration in (("Ti", 0.068), ("O", 0.080))
        }
        cations = [(0.0, 0.0), (0.5, 0.5)]
        oxygens = [(u, u), (-u, -u), (0.5 + u, 0.5 - u), (0.5 - u, 0.5 + u)]
        sites = [("Ti", y, x) for y, x in cations] + [("O", y, x) for y, x in oxygens]
        wave = sum(factors[e] * np.exp(-2j * np.pi * (h * y + k * x)) for e, y, x in sites)
        expected = np.abs(lorentz_factor(200.0) * wavelength_angstrom(200.0) * wave / a**2) ** 2
        beam = int(np.flatnonzero((found.beams == (h, k)).all(axis=1))[0])
        assert found.intensity[0, beam, 0, 0] == pytest.approx(float(expected), rel=0.2)


def test_beams_that_the_glide_forbids_stay_dark(table: BeamTable) -> None:
    """On the zone axis h00 with odd h are forbidden by the glide, at every thickness of whole periods."""
    place = int(np.flatnonzero((table.beams == (1, 0)).all(axis=1))[0])
    allowed = int(np.flatnonzero((table.beams == (1, 1)).all(axis=1))[0])
    assert table.intensity[:, place, 0, 0].max() < 1e-3 * table.intensity[:, allowed, 0, 0].max()


def _expected(kind: str, thickness_nm: float, seed: int, **how: Any) -> tuple[npt.NDArray[np.float64], float]:
    """Return expected electrons (slow, fast, Y, X) of our simulator, and the true thickness [nm]."""
    setup = replace(
        SMALL, **({"scan": (12, 12), "thickness_nm": thickness_nm, "poisson": False, "jitter_nm": 0.002} | how)
    )
    rng = np.random.default_rng(seed)
    crystal, first = film_crystal(setup, Displacement())
    if kind != "mixed":
        crystal = trilayer((12, 0, 0) if kind == "TiO2" else (0, 12, 0), 12, NO_DISPLACEMENT)
        first = np.array([14.2, 14.2]) + rng.uniform(0.0, 1.0, 2)
    patterns = simulate_stem4d(setup, crystal, first, rng).patterns / setup.adu_per_electron
    periods = max(1, round(10.0 * thickness_nm / crystal.period_angstrom))
    return np.asarray(patterns, dtype=float), 0.1 * periods * crystal.period_angstrom


def _found(
    patterns: npt.NDArray[Any], materials: tuple[str, ...], chosen: ThicknessParameters = FAST, **how: Any
) -> Thickness:
    middle = float(patterns.shape[-1] // 2)
    upright = UprightPatterns(patterns, (middle, middle), 0.0, False)
    pattern = mean_pattern(upright, np.ones(patterns.shape[:2], dtype=bool), 1.0, 1.56, chosen, **how)
    return thickness_of(pattern, CONE, materials, chosen)


def test_the_thickness_of_a_finer_simulation_is_found() -> None:
    """Frozen phonons, defocused probes at 144 places that jitter, counted electrons: nothing of that is in the fit."""
    expected, truth = _expected("TiO2", 8.0, 0)
    found = _found(np.random.default_rng(1).poisson(expected).astype(float), ("TiO2",))
    assert abs(found.thickness_nm - truth) < 0.5
    assert abs(found.thickness_nm - truth) < 3.0 * found.total_nm
    assert 0.03 < found.total_nm < 0.2
    assert found.runner_up_ratio > 2.0
    assert np.hypot(*found.tilt_mrad) < 0.5
    assert found.curve.min() == 1.0


def test_a_sample_beyond_the_bounds_is_refused_with_what_to_do() -> None:
    expected, _ = _expected("TiO2", 8.0, 0, phonons=1, scan=(8, 8))
    with pytest.raises(FitFailed, match="a bound"):
        _found(expected, ("TiO2",), replace(FAST, thickest_nm=6.0, is_tilted=False))


def test_materials_come_from_the_film() -> None:
    growth = pd.DataFrame({"substrate_material": ["TiO2"]})
    assert materials_of(growth, pd.DataFrame({"material": ["RuO2", "TiO2"]})) == (MATERIALS, ())
    only, told = materials_of(growth, pd.DataFrame({"material": ["VO2"]}))
    assert only == ("TiO2",)
    assert "VO2 is not modelled" in told[0]
    nobody, told = materials_of(pd.DataFrame(), pd.DataFrame())
    assert nobody == MATERIALS
    assert "No layer is known" in told[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["TiO2", "RuO2", "mixed"])
@pytest.mark.parametrize("thickness_nm", [5.0, 8.0, 11.0, 14.0, 20.0])
def test_thin_and_thick_pure_and_mixed(kind: str, thickness_nm: float) -> None:
    expected, truth = _expected(kind, thickness_nm, 0)
    chosen = ThicknessParameters(vibration_fraction=0.0)
    materials = MATERIALS if kind == "mixed" else (kind,)
    found = _found(np.random.default_rng(2).poisson(expected).astype(float), materials, chosen)
    assert abs(found.thickness_nm - truth) < 0.5
    assert abs(found.thickness_nm - truth) < 3.0 * found.total_nm


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lower", "null"])
def test_another_programs_scans_are_as_thick_as_they_were_made(name: str) -> None:
    if not (SIM4DSTEM / f"{name}.raw").exists():
        pytest.skip(f"NO 4D-STEM at {SIM4DSTEM}: the check against truth did not run")
    said = json.loads((SIM4DSTEM / f"{name}.json").read_text())
    frames = np.fromfile(SIM4DSTEM / f"{name}.raw", "<f4").reshape(said["ny"], said["nx"], 130, 128)[:, :, :128]
    chosen = ThicknessParameters()
    upright = UprightPatterns(frames, (64.0, 64.0), 0.0, False)
    usable = np.ones(frames.shape[:2], dtype=bool)
    pattern = mean_pattern(upright, usable, said["adu"], said["mrad"], chosen)
    found = thickness_of(pattern, CONE, MATERIALS, chosen)
    truth = 0.1 * said["cell_A"][2]
    assert truth == pytest.approx(10.06, abs=0.005)
    assert abs(found.thickness_nm - truth) < 0.5
    assert abs(found.thickness_nm - truth) < 3.0 * found.total_nm
    assert found.runner_up_ratio > 2.0
    assert abs(found.vibration_nm) < 0.1


def test_the_room_writes_thickness_curve_and_figure_and_ptychography_reads_it(house: House) -> None:
    setup = replace(SMALL, scan=(12, 12), phonons=1, transpose=True, rotation_deg=90.0)
    crystal, first = film_crystal(setup, Displacement())
    here = drop_growth(house.home.inbox, GROWTH) / "stem4d"
    here.mkdir(exist_ok=True)
    np.save(here / "film.npy", simulate_stem4d(setup, crystal, first, np.random.default_rng(0)).patterns)
    (here / "film.npy.yaml").write_bytes(sidecar(setup))
    settings = {"parameters": {"stem4d_thickness": {"vibration_fraction": 0.0, "thickest_nm": 9.0, "is_tilted": False}}}
    house.home.settings_file.write_text(yaml.safe_dump(settings))
    house.ingest([here.parent], RunContext("cli"))
    made = [materialize(house.lake, house.home, ROOM.assets[i], GROWTH, RunContext("cli")) for i in (0, 2)][-1]
    (row,) = house.lake.rows("FROM stem4d_thickness")
    assert abs(row["lamella_thickness_nm"] - 5.92) < 0.5
    assert row["lamella_thickness_nm_std"] > row["statistical_nm"] > 0
    (result,) = made.outcome.results
    assert result.estimate.quantities == ("sample_thickness_nm",)
    assert set(result.estimate.systematics) == {"whole atomic planes", "strength of diffuse scattering"}
    curve = house.lake.rows("SELECT * FROM stem4d_thickness_curve ORDER BY misfit_ratio")
    assert abs(curve[0]["curve_thickness_nm"] - row["lamella_thickness_nm"]) < 0.3
    assert "cells of 0.65 nm" in row["notes"]
    assert ROOM.assets[2].figure is not None
    drawn = ROOM.assets[2].figure(made.film, made.outcome)
    assert drawn is not None
    from rutile_assets.techniques.ptychography.run import sample_thickness  # noqa: PLC0415 torch loads for seconds

    (file,) = made.film.files
    film = replace(made.film, parameters=PtychographyParameters(), tables=lambda name: made.frames[name])
    value, told = sample_thickness(film, file, {"sample_thickness_nm": None})
    assert value == row["lamella_thickness_nm"]
    assert "from the position-averaged pattern" in told[0]
    assert sample_thickness(film, file, {"sample_thickness_nm": 9.0}) == (9.0, ())
