"""Simulated growth logs and RHEED: what they are made to be, before any analysis."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from rutile_assets.simulation.files import growth_log_files, rheed_files
from rutile_assets.simulation.growth_log import (
    GrowthLogSetup,
    RheedSetup,
    ksa_movie,
    simulate_growth_log,
    simulate_rheed,
    spot_intensity,
)
from rutile_assets.simulation.growth_steps import (
    BETWEEN_S,
    GAUGE,
    PYROMETER,
    SHUTTERS,
    SOURCE,
    THERMOCOUPLE,
    growth_truth,
    layers_per_s,
    steps,
)
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, film_truth


def test_shutters_open_one_after_the_other_for_thickness_over_rate() -> None:
    (_, a, b), (_, c, d), (_, e, f) = steps([("TiO2", 2.5), ("RuO2", 3.8), ("TiO2", 2.5)])
    assert (b - a, d - c, f - e) == (pytest.approx(125), pytest.approx(380), pytest.approx(125))
    assert c - b == pytest.approx(BETWEEN_S)
    known = {(quantity, subject): value for quantity, subject, value in growth_truth([("TiO2", 2.5), ("TiO2", 2.5)])}
    assert known["growth_duration_s", SHUTTERS["TiO2"]] == pytest.approx(250)
    assert growth_truth([]) == []


def test_the_pyrometer_stands_at_its_limit_below_it_and_the_logger_pauses() -> None:
    truth = film_truth("SIM", TRILAYER, 3.8, IDEAL, generator(0, "SIM", "film"))
    setup = GrowthLogSetup()
    channels = {c.name: c for c in simulate_growth_log(truth, setup, Realism(), generator(0, "log"))}
    pyro = channels[PYROMETER]
    assert pyro.values.min() == setup.pyrometer_low_c
    assert (np.diff(pyro.time_s) > 0).all()
    assert np.diff(pyro.time_s).max() == pytest.approx(setup.pause_s + setup.sampling_s, abs=2.5)
    assert set(channels[SHUTTERS["TiO2"]].values) == {0.0, 1.0}


def test_an_ideal_chamber_reads_what_is_there() -> None:
    truth = film_truth("SIM", TRILAYER, 3.8, IDEAL, generator(0, "SIM", "film"))
    channels = {c.name: c for c in simulate_growth_log(truth, GrowthLogSetup(), IDEAL, generator(0, "log"))}
    grown = [(layer.material, layer.thickness_nm) for layer in truth.layers]
    start, stop = steps(grown)[0][1], steps(grown)[-1][2]
    for name, value in ((PYROMETER, 300.0), (THERMOCOUPLE, 300.0), (GAUGE, 5e-6), (SOURCE, 175.0)):
        channel = channels[name]
        inside = (channel.time_s > start + 2.0) & (channel.time_s < stop - 2.0)
        np.testing.assert_allclose(channel.values[inside], value, rtol=1e-12)


def test_the_spot_repeats_with_each_layer_and_its_wave_dies() -> None:
    setup = RheedSetup(damping_s=1e9, recovery_s=1e-9)
    time = np.linspace(10, 100, 50)
    np.testing.assert_allclose(spot_intensity(time, 0.03, setup), spot_intensity(time + 1 / 0.03, 0.03, setup))
    assert layers_per_s(0.325) == pytest.approx(0.0308, abs=1e-4)


def test_pictures_count_electrons_and_the_movie_has_their_bytes() -> None:
    setup = RheedSetup(frames=40, amplitude=0.0, recovery_s=1e9)
    frames = simulate_rheed(0.03, setup, generator(0, "rheed"))
    corner = frames[:, 0, 0].astype(float)
    assert corner.mean() == pytest.approx(setup.background_counts, rel=0.1)
    assert frames[:, :5, :5].astype(float).var() == pytest.approx(
        setup.counts_per_electron * setup.background_counts, rel=0.15
    )
    assert len(ksa_movie(frames)) == 40 * (640 + 2 * setup.width * setup.height)


def test_every_grown_film_has_a_log_and_few_have_a_movie() -> None:
    when = datetime(2025, 3, 3)
    films = {t: film_truth("S", UNCAPPED, t, IDEAL, generator(0, "S", "film")) for t in (1.5, 3.5)}
    logs = growth_log_files(films[1.5], when, IDEAL, generator(0, "a"))
    assert len(logs) == 7
    assert logs == growth_log_files(films[1.5], when, IDEAL, generator(0, "a"))
    assert rheed_files(films[1.5], when, IDEAL, generator(0, "a")) == []
    assert [file.path for file in rheed_files(films[3.5], when, IDEAL, generator(0, "a"))][1] == "rheed/S.imm"
