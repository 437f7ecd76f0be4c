"""Growth logs: gaps, limits, shutters, and the error of a correlated mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from rutile_assets import formats
from rutile_assets.errors import WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.physics.series import mean_and_std, resampled, spikes
from rutile_assets.provenance.film import Film, Outcome, RawFile
from rutile_assets.simulation.growth_log import GrowthLogSetup, paradim_text, simulate_growth_log
from rutile_assets.simulation.growth_steps import PYROMETER, SHUTTERS, growth_truth
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import UNCAPPED, film_truth
from rutile_assets.techniques.growth_log.assets import (
    channels_of,
    growth_log,
    growth_log_resampled,
    growth_log_window,
)
from rutile_assets.techniques.growth_log.model import Channel, GrowthLogParameters, opening, plateau, role_of

CHOSEN = GrowthLogParameters()


def _correlated(count: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    forget = np.exp(-1 / memory)
    return lfilter([np.sqrt(1 - forget**2)], [1, -forget], rng.normal(size=count + 500))[500:]


@pytest.mark.parametrize(
    ("memory", "white", "count"),
    [
        (0.01, 0.0, 400),
        (8, 0.3, 400),
        pytest.param(3, 0.3, 400, marks=pytest.mark.slow),
        pytest.param(3, 0.3, 100, marks=pytest.mark.slow),
    ],
)
def test_pulls_of_a_correlated_mean_have_mean_0_and_width_1(memory: float, white: float, count: int) -> None:
    """Widths over 2000 other seeds: 0.97 to 1.03; the width of 600 has an error of 0.03."""
    pulls, naive = [], []
    for seed in range(600):
        rng = np.random.default_rng([seed, 41])
        values = 300 + _correlated(count, memory, rng) + white * rng.normal(size=count)
        values += rng.normal() * np.linspace(-1, 1, count)
        mean, std = mean_and_std(values)
        pulls.append((mean - 300) / std)
        naive.append((mean - 300) / (values.std() / np.sqrt(count)))
    assert abs(np.mean(pulls)) < 0.1 + 2 / np.sqrt(600)
    assert 0.9 < np.std(pulls, ddof=1) < 1.1
    assert memory < 1 or np.std(naive) > 1.6


def test_white_noise_has_the_textbook_error_and_a_constant_has_none() -> None:
    ratios = [mean_and_std(np.random.default_rng(s).normal(size=400))[1] * 20 for s in range(60)]
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.08)
    assert mean_and_std(np.full(50, 3.0)) == (3.0, 0.0)
    with pytest.raises(ValueError, match="16"):
        mean_and_std(np.ones(15))


def test_pauses_are_never_bridged_and_shutters_hold_their_state() -> None:
    time, values = np.array([0.0, 2, 4, 30, 32]), np.array([0.0, 2, 4, 30, 32])
    read = resampled(time, values, np.arange(0.0, 36, 1), 10.0)
    np.testing.assert_allclose(read[[0, 1, 2, 3, 4, 30, 31, 32]], [0, 1, 2, 3, 4, 30, 31, 32])
    assert np.isnan(read[5:30]).all()
    assert np.isnan(read[33:]).all()
    held = resampled(time, np.array([0.0, 1, 1, 1, 0]), np.array([1.0, 3.0, 31.0, 32.0]), 10.0, hold=True)
    np.testing.assert_array_equal(held, [0, 1, 1, 0])


def test_spikes_are_told_from_noise_steps_and_ramps() -> None:
    rng = np.random.default_rng(0)
    values = 300 + 0.3 * rng.normal(size=500) + np.linspace(0, 50, 500)
    assert spikes(values).sum() <= 1
    values[[50, 222]] += 40
    assert set(np.flatnonzero(spikes(values))) >= {50, 222}
    assert not spikes(np.full(100, 1.0)).any()


def test_limits_mark_readings_but_not_the_two_states_of_a_switch() -> None:
    time = np.arange(4.0)
    pyro = Channel("p", time, np.array([249.847, 250.0, 251.0, 400.0]), limits=(250.0, 1250.0))
    np.testing.assert_array_equal(pyro.saturated, [True, True, False, False])
    gauge = Channel("g", time, np.full(4, 2e-7), limits=(1e-13, 0.1))
    assert not gauge.saturated.any()
    assert not Channel("s", time, np.array([0.0, 1, 1, 0]), limits=(0.0, 1.0)).saturated.any()
    assert Channel("p", time, np.full(4, 250.0), limits=(250.0, 1250.0)).saturated.all()


def test_a_shutters_time_and_its_error_over_400_phases() -> None:
    pulls = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        time = 2.0 * (np.arange(300) + rng.uniform())
        start, stop = 100 + rng.uniform(0, 10), 400 + rng.uniform(0, 10)
        found = opening(Channel("s", time, ((time >= start) & (time < stop)).astype(float)))
        assert found is not None
        pulls.append((found.open_s - (stop - start)) / found.open_std_s)
    assert abs(np.mean(pulls)) < 0.2
    assert 0.9 < np.std(pulls, ddof=1) < 1.1
    assert opening(Channel("s", time, np.ones(300))) is None
    assert opening(Channel("s", time, (time > 50).astype(float))) is None


def test_a_mean_needs_a_unit_and_readings_inside_the_range() -> None:
    time = np.arange(100.0)
    noise = np.random.default_rng(0).normal(size=100)
    channel = Channel("Pyro", time, 573.15 + noise, "K", "pyrometer", (523.0, 1500.0))
    found = plateau(channel, 0, 100, CHOSEN)
    assert isinstance(found, Estimate)
    assert found.value("growth_temperature_c", "Pyro") == pytest.approx(300, abs=0.5)
    assert found.sigma("growth_temperature_c", "Pyro") == pytest.approx(3.0, abs=0.05)
    assert "nobody says its unit" in str(plateau(replace(channel, unit=None), 0, 100, CHOSEN))
    assert "no unit of" in str(plateau(replace(channel, unit="furlong"), 0, 100, CHOSEN))
    assert "limit of its range" in str(plateau(replace(channel, limits=(573.0, 1500.0)), 0, 100, CHOSEN))
    assert "16 are needed" in str(plateau(channel, 0, 5, CHOSEN))
    pressure = plateau(Channel("g", time, 6.67e-6 * (1 + 0.01 * noise), "mbar", "pressure"), 0, 100, CHOSEN)
    assert isinstance(pressure, Estimate)
    assert pressure.value("growth_pressure_torr", "g") == pytest.approx(5.0e-6, rel=0.01)


def test_roles_are_read_from_names_and_declarations_win() -> None:
    named = {"BASF_Exactus.Reading": "pyrometer", "Growth module #1.IonGauge1.Measured": "pressure",
             "Ru(acac)3 cell": "source_temperature", "Ru.Shutter": "shutter",
             "GM1_subs_Laser.Measured": None}  # fmt: skip
    assert {name: role_of(name, None) for name in named} == named
    assert role_of("x", "pressure") == "pressure"
    assert role_of("Ru.Shutter", "nonsense") == "other"


def test_other_data_in_the_folder_are_refused() -> None:
    with pytest.raises(WrongContent, match="a growth log"):
        channels_of(Measurement(format="x"))


def _run(paths: dict[str, Path], declared: dict[str, object]) -> dict[str, Outcome]:
    tables: dict[str, pd.DataFrame] = {}
    files = [RawFile(i, "0", name, path) for i, (name, path) in enumerate(sorted(paths.items()), start=1)]
    outcomes = {}
    for asset in (growth_log, growth_log_resampled, growth_log_window):
        film = Film("F", CHOSEN, 0, lambda name: tables.get(name, pd.DataFrame()), files,
                    lambda file: formats.read(Source(file.path, file.name, declared)))  # fmt: skip
        outcome = asset.compute(film)
        outcomes[asset.name] = outcome
        for table in asset.writes:
            if table.name in outcome.tables:
                tables[table.name] = table.frame(outcome.tables[table.name].assign(growth_id="F", entity_id=1))
        if asset.figure is not None:
            assert asset.figure(film, outcome) is not None
    return outcomes


def test_a_simulated_log_gives_the_truth_back_and_keeps_its_pause(tmp_path: Path) -> None:
    pulls = []
    for seed in range(6):
        truth = film_truth("SIM", UNCAPPED, 3.5, IDEAL, generator(seed, "SIM", "film"))
        channels = simulate_growth_log(truth, GrowthLogSetup(), Realism(), generator(seed, "SIM", "growth_log"))
        paths = {}
        for channel in channels:
            paths[f"growth_log/{channel.name}.txt"] = tmp_path / f"{channel.name}.txt"
            paths[f"growth_log/{channel.name}.txt"].write_bytes(paradim_text(channel))
        declared = {"started_at": "2025-03-03T09:30:00", "channels": {c.name: {"unit": c.unit} for c in channels}}
        outcomes = _run(paths, declared)
        found = {(q, s): e for r in outcomes["growth_log_window"].results
                 for e in [r.estimate] for q, s in zip(e.quantities, e.subjects, strict=True)}  # fmt: skip
        layers = [(layer.material, layer.thickness_nm) for layer in truth.layers]
        for quantity, subject, value in growth_truth(layers):
            estimate = found[quantity, subject]
            if quantity != "source_temperature_c":
                pulls.append((estimate.value(quantity, subject) - value) / estimate.sigma(quantity, subject))
        assert SHUTTERS["RuO2"] in {subject for _, subject in found}
    assert 0.6 < np.std(pulls) < 1.4
    assert np.abs(pulls).max() < 4
    summary = outcomes["growth_log"].tables["growth_log_channel"].set_index("log_channel")
    assert summary.loc[PYROMETER, "longest_gap_s"] == pytest.approx(66, abs=3)
    assert 0.1 < summary.loc[PYROMETER, "saturated_fraction"] < 0.7
    grid = outcomes["growth_log_resampled"].tables["growth_log_resampled"]
    pyro = grid[grid.log_channel == PYROMETER]
    assert 28 < pyro.grid_reading.isna().sum() < 40
    assert pyro.is_saturated.any()


def test_real_logs_have_gaps_limits_and_no_unit_so_no_mean(realdata: Path) -> None:
    paths = {f"mbe/{path.name}": path for path in sorted((realdata / "mbe_logs").iterdir())}
    outcomes = _run(paths, {})
    summary = outcomes["growth_log"].tables["growth_log_channel"].set_index("log_channel")
    pyro = summary.loc["paradim_BASF_Exactus.Reading"]
    assert pyro.longest_gap_s == pytest.approx(64.42, abs=0.005)
    assert pyro.saturated_fraction == pytest.approx(0.1947, abs=0.001)
    assert summary.reading_unit.isna().all()
    assert outcomes["growth_log_window"].results == []
    assert "No shutter" in outcomes["growth_log_window"].notes[0]
    grid = outcomes["growth_log_resampled"].tables["growth_log_resampled"]
    assert grid.grid_reading.isna().any()
