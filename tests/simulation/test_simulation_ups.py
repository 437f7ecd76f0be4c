"""Simulated photoelectron spectra: levels where they belong, counts, a faulty axis, files that read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from rutile_assets import formats
from rutile_assets.formats.measurement import Source
from rutile_assets.simulation.files import ups_files
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import UNCAPPED, FilmTruth, film_truth, substrate_truth
from rutile_assets.simulation.ups import HE_I_EV, Surface, UpsSetup, expected_counts, simulate_ups

SETUP = UpsSetup()


def test_without_blur_the_levels_are_where_lamp_bias_and_analyser_put_them() -> None:
    sharp = replace(SETUP, resolution_fwhm_ev=0.005)
    seen = expected_counts(Surface(4.6, rise_ev=1e-3), sharp, IDEAL)
    above = seen.counts - SETUP.background_counts
    first = seen.kinetic_energy_ev[np.argmax(above > 0.5 * above.max())]
    assert first == pytest.approx(4.6 + 5.0, abs=1.01 * SETUP.step_ev)
    level = HE_I_EV + 5.0
    near = np.abs(seen.kinetic_energy_ev - level) < 0.3
    inside = above[seen.kinetic_energy_ev < level - 0.3][-1]
    half = np.interp(-0.5 * inside, -above[near], seen.kinetic_energy_ev[near])
    assert half == pytest.approx(level, abs=0.01)
    assert above[seen.kinetic_energy_ev < first - 0.05].max() == 0.0


def test_a_band_edge_is_no_fermi_edge_and_charging_moves_all_of_it() -> None:
    metal, gap, charged = (
        expected_counts(Surface(4.6, is_metal=m), replace(SETUP, charging_ev=c), IDEAL)
        for m, c in ((True, 0.0), (False, 0.0), (False, 0.4))
    )
    binding = SETUP.fermi_kinetic_ev - metal.kinetic_energy_ev
    in_gap = (binding > 0.5) & (binding < 1.5)
    assert (gap.counts[in_gap] - SETUP.background_counts < 0.01 * (metal.counts[in_gap] - 60.0)).all()
    moved = np.interp(gap.kinetic_energy_ev + 0.4, gap.kinetic_energy_ev, gap.counts)
    assert charged.counts[:-50] == pytest.approx(moved[:-50], rel=0.01, abs=1.0)


def test_the_satellite_is_the_bands_again_and_nothing_else() -> None:
    with_it, without = (expected_counts(Surface(4.6), SETUP, lab) for lab in (Realism(), IDEAL))
    beyond = SETUP.fermi_kinetic_ev - with_it.kinetic_energy_ev < -0.4
    assert (with_it.counts[beyond] > without.counts[beyond] + 5.0).all()
    assert with_it.counts.max() == pytest.approx(without.counts.max())


def test_counts_are_poissons_and_a_seed_repeats_them() -> None:
    true = expected_counts(Surface(5.0), SETUP, IDEAL)
    drawn = [simulate_ups(5.0, SETUP, IDEAL, np.random.default_rng(seed))[0] for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0].counts, drawn[1].counts)
    assert not np.array_equal(drawn[0].counts, drawn[2].counts)
    chi_square = float(np.mean((drawn[2].counts - true.counts) ** 2 / true.counts))
    assert chi_square == pytest.approx(1.0, abs=5 * np.sqrt(2 / len(true.counts)))


def test_a_wrong_zero_and_scale_move_the_axis_as_they_say() -> None:
    true, shown = (expected_counts(Surface(5.0), SETUP, IDEAL, zero_ev=z, gain=g) for z, g in ((0, 1), (0.1, 1.001)))
    back = np.interp((true.kinetic_energy_ev + 0.1) * 1.001, shown.kinetic_energy_ev, shown.counts)
    assert back[60:-60] == pytest.approx(true.counts[60:-60], rel=0.08)


@pytest.mark.parametrize("bare", [False, True])
def test_files_read_back_with_gold_beside_a_bare_substrate_only(bare: bool, tmp_path: Path) -> None:
    truth: FilmTruth = (
        substrate_truth("SIM-SUB", Realism(), np.random.default_rng(1))
        if bare
        else film_truth("SIM-REF", UNCAPPED, 5.2, Realism(), np.random.default_rng(1))
    )
    files = [ups_files(truth, datetime(2025, 3, 9, 10), Realism(), np.random.default_rng(7)) for _ in range(2)]
    assert files[0] == files[1]
    path = tmp_path / Path(files[0][0].path).name
    path.write_bytes(files[0][0].content)
    measurement = formats.read(Source.of(path))
    assert [s.settings["region"] for s in measurement.scans] == [
        f"UPS He I {truth.growth_id}",
        *(["UPS He I Au foil"] if bare else []),
    ]
    assert measurement.technique == "ups"
    assert measurement.settings["bias_v"] == -5.0
    assert measurement.settings["photon_energy_ev"] == 21.2
    first = measurement.scans[0].columns
    assert len(first["kinetic_energy_ev"]) == 1126
    assert first["detected_counts"].max() == pytest.approx(2e4, rel=0.05)
    assert "simulated" in str(measurement.settings["comment"])
