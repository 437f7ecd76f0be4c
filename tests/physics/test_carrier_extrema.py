"""Dip of the density, peak of the mobility, onset of relaxation: known truth, other shapes than the fit's, nulls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rutile_assets.errors import FitFailed
from rutile_assets.physics.carrier_extrema import Carriers, locate
from rutile_assets.physics.relaxation_onset import COHERENT, ONSET, relaxation_onset
from rutile_assets.physics.two_channel import two_channel
from rutile_assets.simulation.series_transport import most_prominent_nm
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, relaxation, sheet_density_per_cm2, sigma_2d_s

FILMS = {
    UNCAPPED: np.array([1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2]),
    TRILAYER: np.array([1.5, 1.9, 2.5, 3.1, 3.8, 5.0, 7.0]),
}
Density = Callable[[str, float], float]


def lopsided(_: str, t: float) -> float:
    """A dip of compact support, wider on one side, over a slow rise: no shape of the fit's family."""
    z = (t - 3.5) / (1.1 if t < 3.5 else 1.5)
    dip = 0.55 * np.cos(0.5 * np.pi * z) ** 2 if abs(z) < 1 else 0.0
    return float(1e15 * t * (1.0 + 0.15 * (np.tanh((t - 6.0) / 3.0) + 1.0)) * (1.0 - dip))


def _found(series: str, density: Density, x_std: float, part: float, rng: np.random.Generator) -> Carriers:
    nominal = FILMS[series]
    true = nominal * (1.0 + 0.02 * rng.normal(size=len(nominal)))
    sigma = np.array([sigma_2d_s(series, float(t), 300.0) for t in true])
    n = np.array([density(series, float(t)) for t in true])
    sigma *= 1.0 + part * rng.normal(size=len(true))
    n *= 1.0 + part * rng.normal(size=len(true))
    t, t_std = true + x_std * rng.normal(size=len(true)), np.full(len(true), x_std)
    return locate(t, t_std, sigma, part * sigma, n, part * n, two_channel(t, t_std, sigma, part * sigma))


def _truth(series: str, density: Density) -> tuple[float | None, float | None]:
    grid = np.arange(FILMS[series].min(), FILMS[series].max(), 0.002)
    n = np.log([density(series, float(t)) for t in grid])
    sigma = np.log([sigma_2d_s(series, float(t), 300.0) for t in grid])
    return most_prominent_nm(grid, -n), most_prominent_nm(grid, sigma - n)


def _pulls(series: str, density: Density, x_std: float, part: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(31)
    errors, stds = np.full((count, 2), np.nan), np.full((count, 2), np.nan)
    truth = _truth(series, density)
    for i in range(count):
        found = _found(series, density, x_std, part, rng)
        for k, told in enumerate((found.dip, found.peak)):
            known = truth[k]
            if told is not None and known is not None:
                errors[i, k], stds[i, k] = told.place_nm - known, np.hypot(told.statistical_nm, told.shape_nm)
    return errors / stds, errors


def _honest(pulls: np.ndarray) -> None:
    pulls = pulls[~np.isnan(pulls)]
    error = 1.0 / np.sqrt(len(pulls))
    assert abs(pulls.mean()) <= 0.1 + 2.0 * error, f"mean pull {pulls.mean():.3f} of {len(pulls)}"
    assert 0.9 - error <= pulls.std(ddof=1) <= 1.1 + error, f"width {pulls.std(ddof=1):.3f} of {len(pulls)}"


@pytest.mark.slow
def test_pulls_of_dip_and_peak_over_many_campaigns() -> None:
    pulls, errors = _pulls(UNCAPPED, sheet_density_per_cm2, 0.05, 0.02, 200)
    _honest(pulls[:, 0])
    _honest(pulls[:, 1])
    assert (~np.isnan(pulls)).mean() > 0.9
    assert np.nanstd(errors[:, 1]) < 0.05


@pytest.mark.slow
def test_a_dip_of_another_shape_is_off_by_no_more_than_the_shapes_are_from_each_other() -> None:
    pulls, errors = _pulls(UNCAPPED, lopsided, 0.05, 0.02, 60)
    assert np.abs(np.nanmean(errors, axis=0)).max() < 0.08
    assert np.nanmax(np.abs(errors)) < 0.25
    assert (np.abs(pulls) < 2.5).mean() > 0.5


def test_dip_and_peak_of_single_campaigns_are_near_the_truth() -> None:
    pulls, errors = _pulls(UNCAPPED, sheet_density_per_cm2, 0.05, 0.02, 5)
    assert np.nanmax(np.abs(pulls)) < 3.5
    assert np.nanmax(np.abs(errors)) < 0.15


def test_an_error_that_films_share_moves_both_places_with_it() -> None:
    found = _found(UNCAPPED, sheet_density_per_cm2, 0.05, 0.02, np.random.default_rng(3))
    dip, peak = found.place_shift(np.full(12, 0.1), np.zeros((2, 12)))
    assert dip == pytest.approx(0.1, rel=0.05)
    assert peak == pytest.approx(0.1, rel=0.05)
    assert sum(c.weight for c in found.candidates) == pytest.approx(1.0)
    assert found.dip is not None
    assert found.peak is not None
    assert 0.0 < found.dip_covariance_nm2 <= 1.05 * found.dip.statistical_nm * found.peak.statistical_nm


def test_a_constant_density_has_no_dip() -> None:
    rng = np.random.default_rng(6)
    for _ in range(3):
        found = _found(UNCAPPED, lambda _, t: 1e15 * t, 0.05, 0.02, rng)
        assert found.dip is None
        assert found.peak is None


def test_too_few_films_or_no_density_are_said() -> None:
    t, ones = FILMS[UNCAPPED], np.ones(12)
    sigma = np.array([sigma_2d_s(UNCAPPED, float(v), 300.0) for v in t])
    channels = two_channel(t, 0.05 * ones, sigma, 0.02 * sigma)
    with pytest.raises(FitFailed, match="six or more"):
        locate(t[:5], ones[:5], sigma[:5], sigma[:5], ones[:5], ones[:5], channels)
    with pytest.raises(FitFailed, match="six or more"):
        locate(t, ones, sigma, sigma, -ones, ones, channels)


def _relaxed(direction: int, x_std: float, std: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    true = FILMS[UNCAPPED] * (1.0 + 0.02 * rng.normal(size=12))
    r = np.array([relaxation(float(t))[direction] for t in true]) + std * rng.normal(size=12)
    return true + x_std * rng.normal(size=12), np.full(12, x_std), r, np.full(12, std)


@pytest.mark.slow
@pytest.mark.parametrize(("x_std", "std"), [(0.02, 0.005), (0.05, 0.01)])
def test_pulls_of_the_onset_along_001(x_std: float, std: float) -> None:
    rng, pulls = np.random.default_rng(8), []
    for _ in range(200):
        found = relaxation_onset(*_relaxed(0, x_std, std, rng))
        assert found.onset_nm is not None
        assert found.statistical_nm is not None
        assert found.law_nm is not None
        pulls.append((found.onset_nm - 4.5) / np.hypot(found.statistical_nm, found.law_nm))
    _honest(np.array(pulls))


def test_an_onset_is_told_with_its_bracket_and_a_coherent_series_has_bounds_only() -> None:
    rng = np.random.default_rng(9)
    for _ in range(5):
        found = relaxation_onset(*_relaxed(0, 0.02, 0.005, rng))
        assert found.verdict == ONSET
        assert found.onset_nm == pytest.approx(4.5, abs=0.2)
        assert found.before_nm is not None
        assert found.after_nm is not None
        assert found.after_nm < found.before_nm < 7.0
        flat = relaxation_onset(FILMS[UNCAPPED], np.full(12, 0.05), 0.01 * rng.normal(size=12), np.full(12, 0.01))
        assert flat.verdict == COHERENT
        assert flat.onset_nm is None
        assert flat.before_nm is None
        assert flat.largest < 0.06
    with pytest.raises(FitFailed, match="four or more"):
        relaxation_onset(FILMS[UNCAPPED][:3], np.ones(3), np.zeros(3), np.ones(3))


def test_the_law_of_matthews_and_blakeslee_is_recognised() -> None:
    t = FILMS[UNCAPPED]
    r = np.maximum(1.0 - 4.0 / t, 0.0)
    found = relaxation_onset(t, np.full(12, 0.02), r, np.full(12, 0.005))
    assert found.laws[0][0].startswith("equilibrium")
    assert found.onset_nm == pytest.approx(4.0, abs=0.05)
