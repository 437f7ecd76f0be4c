"""RHEED: the spot, clipped pixels, and the growth rate from an oscillation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rutile_assets import formats
from rutile_assets.errors import FitFailed, WrongContent
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.provenance.film import Film, RawFile
from rutile_assets.simulation.growth_log import RheedSetup, ksa_movie, simulate_rheed, spot_intensity
from rutile_assets.techniques.rheed.assets import Recording, frame_times, pictures, rheed_frame, rheed_oscillation
from rutile_assets.techniques.rheed.model import RheedParameters, find_window, fit_oscillation, full_scale

CHOSEN = RheedParameters()
TIME = 2.0 * np.arange(100)


def _sequence(
    rate: float, noise: float, rng: np.random.Generator, damping_s: float = 120.0, amplitude: float = 0.25
) -> np.ndarray:
    """Exposed over each interval, cusped at whole layers, an exponential drift: none of it in the fit."""
    inside = (np.arange(9) + 0.5) / 9 * 2.0
    fine = spot_intensity((TIME[:, None] + inside).ravel(), rate, RheedSetup(damping_s=damping_s, amplitude=amplitude))
    return 1000 * fine.reshape(-1, 9).mean(axis=1) + noise * rng.normal(size=len(TIME))


def test_pulls_of_the_growth_rate_have_mean_0_and_width_1() -> None:
    pulls = []
    for seed in range(200):
        rng = np.random.default_rng([seed, 5])
        rate = 0.031 * (1 + 0.1 * rng.normal())
        found = fit_oscillation(TIME, _sequence(rate, 12.0, rng))
        assert found.found
        pulls.append((found.frequency_hz - rate) / found.frequency_std_hz)
    assert abs(np.mean(pulls)) < 0.1 + 2 / np.sqrt(200)
    assert 0.9 < np.std(pulls, ddof=1) < 1.1


@pytest.mark.slow
def test_pulls_of_the_growth_rate_where_the_wave_dies_in_noise() -> None:
    """Amplitude 100 in noise of 40, gone after two cycles: seen in one of four, and then honest."""
    pulls = []
    for seed in range(700):
        rng = np.random.default_rng([seed, 6])
        rate = 0.031 * (1 + 0.1 * rng.normal())
        found = fit_oscillation(TIME, _sequence(rate, 40.0, rng, damping_s=60.0, amplitude=0.1))
        if found.found:
            pulls.append((found.frequency_hz - rate) / found.frequency_std_hz)
    assert len(pulls) >= 140
    assert abs(np.mean(pulls)) < 0.1 + 2 / np.sqrt(len(pulls))
    assert 0.9 < np.std(pulls, ddof=1) < 1.1


def test_drifts_recoveries_and_wandering_lamps_are_no_oscillation() -> None:
    claims = 0
    for seed in range(100):
        rng = np.random.default_rng([seed, 9])
        values = 1000 - 200 * (1 - np.exp(-TIME / rng.uniform(20, 200))) + 10 * rng.normal(size=100)
        if seed % 2:
            walk = 0.0
            for i in range(100):
                walk = 0.8 * walk + 8 * rng.normal()
                values[i] += walk
        claims += fit_oscillation(TIME, values).found
    assert claims <= 2


def test_a_pure_cosine_has_its_period_to_the_cramer_rao_bound() -> None:
    ratios = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = fit_oscillation(TIME, 50 * np.cos(2 * np.pi * 0.04 * TIME) + 5 * rng.normal(size=100))
        bound = np.sqrt(6.0) * 5 / (np.pi * 50 * TIME[-1] * np.sqrt(100))
        ratios.append(found.frequency_std_hz / bound)
        assert found.frequency_hz == pytest.approx(0.04, abs=5 * found.frequency_std_hz)
    assert 0.9 < np.median(ratios) < 1.6  # damping and drift are free as well


def test_short_or_constant_sequences_are_refused() -> None:
    with pytest.raises(FitFailed):
        fit_oscillation(TIME[:10], np.arange(10.0))
    with pytest.raises(FitFailed):
        fit_oscillation(TIME, np.ones(100))


def test_the_real_picture_has_its_spot_and_its_clipped_pixels(realdata: Path) -> None:
    measurement = formats.read(Source.of(realdata / "rheed" / "paradim_Image107.img"))
    frame = pictures(measurement)[0].values
    assert full_scale(frame[None], CHOSEN) == 4096
    assert (frame >= 4096).sum() == 626
    window = find_window(frame, CHOSEN)
    assert window.cut(frame).mean() > 3.5 * frame.mean()
    with pytest.raises(FitFailed, match="640 x 480"):
        find_window(frame, RheedParameters(spot_x_index=700, spot_y_index=5))


def test_a_lost_picture_is_a_gap_and_without_an_interval_there_are_no_times() -> None:
    def shot(number: int, interval: float | None) -> Recording:
        return Recording(RawFile(number, "", "", Path()), np.zeros((1, 2, 2)), number, interval, None)

    np.testing.assert_allclose(frame_times([shot(n, 2.0) for n in (7, 8, 10)]), [0, 2, 6])
    assert np.isnan(frame_times([shot(n, None) for n in (7, 8)])).all()
    assert np.isnan(frame_times([shot(7, 2.0), shot(7, 2.0)])).all()


@pytest.mark.parametrize("said", [{"frame_interval_s": -1}, {"frame_interval_s": "x"}, {"frame_times_s": [1, 2]}])
def test_times_that_cannot_be_are_refused(realdata: Path, said: dict[str, object]) -> None:
    measurement = formats.read(Source.of(realdata / "rheed" / "paradim_Image107.img"))
    with pytest.raises(WrongContent, match="Correct the sidecar"):
        pictures(Measurement(**{**vars(measurement), "settings": {**measurement.settings, **said}}))


def test_a_movie_goes_from_bytes_to_a_growth_rate_and_a_figure(tmp_path: Path) -> None:
    path = tmp_path / "m.imm"
    path.write_bytes(ksa_movie(simulate_rheed(0.031, RheedSetup(), np.random.default_rng(0))))
    tables: dict[str, pd.DataFrame] = {}
    arrays: dict[str, np.ndarray] = {}

    def read(file: RawFile) -> Measurement:
        measurement = formats.read(Source(path, "rheed/m.imm"))
        return Measurement(**{**vars(measurement), "settings": {**measurement.settings, "frame_interval_s": 2.0}})

    def store(name: str, array: np.ndarray, attributes: object) -> str:
        arrays[name] = array
        return name

    film = Film("F", CHOSEN, 0, tables.__getitem__, [RawFile(1, "0", "rheed/m.imm", path)], read, arrays.get, store)
    for asset in (rheed_frame, rheed_oscillation):
        outcome = asset.compute(film)
        for table in asset.writes:
            tables[table.name] = table.frame(outcome.tables[table.name].assign(growth_id="F", entity_id=1))
    assert arrays["rheed_counts"].shape == (100, 32, 48)
    (result,) = outcome.results
    rate = result.estimate.value("growth_rate_layers_per_s")
    sigma = result.estimate.sigma("growth_rate_layers_per_s")
    assert rate == pytest.approx(0.031, abs=4 * sigma)
    assert sigma < 0.02 * rate
    figure = rheed_oscillation.figure(film, outcome)
    assert figure is not None
    figure.savefig(tmp_path / "rheed.png", dpi=110)
