"""Two channels with errors in both variables: York's formula, odrpack, known truth over many campaigns, limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rutile_assets.errors import FitFailed
from rutile_assets.physics.errors_in_variables import Points, adjust, with_scatter
from rutile_assets.physics.two_channel import (
    KINK,
    interface_thickness_nm,
    kinked,
    line,
    two_channel,
)
from rutile_assets.simulation.truth import CHANNELS, INTERFACE_RATIO, TRILAYER, UNCAPPED, sigma_2d_s

FILMS = np.array([1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2])
TRILAYERS = np.array([1.5, 1.9, 2.5, 3.1, 3.8, 5.0, 7.0])
# Pearson's data with York's weights: York et al. (2004) give slope -0.480533407 +- 0.057617 and intercept 5.479910224
PEARSON_X = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
PEARSON_Y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
WEIGHT_X = np.array([1000.0, 1000.0, 500.0, 800.0, 200.0, 80.0, 60.0, 20.0, 1.8, 1.0])
WEIGHT_Y = np.array([1.0, 1.8, 4.0, 8.0, 20.0, 20.0, 70.0, 70.0, 100.0, 500.0])


def _straight(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (p[0] + p[1] * x)[None]


def _york(x: np.ndarray, y: np.ndarray, x_std: np.ndarray, y_std: np.ndarray) -> tuple[float, float, float, float]:
    """York's own iteration, Am. J. Phys. 72, 367 (2004), eq. 13: intercept, slope, and their errors."""
    b = np.polyfit(x, y, 1)[0]
    wx, wy = x_std**-2.0, y_std**-2.0
    for _ in range(100):
        w = wx * wy / (wx + b**2 * wy)
        u, v = x - w @ x / w.sum(), y - w @ y / w.sum()
        beta = w * (u / wy + b * v / wx)
        b = float((w * beta) @ v / ((w * beta) @ u))
    at = w @ x / w.sum() + beta
    mean = w @ at / w.sum()
    slope_std = float(1.0 / np.sqrt(w @ (at - mean) ** 2))
    a = float(w @ y / w.sum() - b * (w @ x) / w.sum())
    return a, b, float(np.sqrt(1.0 / w.sum() + mean**2 * slope_std**2)), slope_std


def test_pearsons_data_with_yorks_weights_give_yorks_line() -> None:
    points = Points(PEARSON_X, WEIGHT_X**-0.5, PEARSON_Y[None], WEIGHT_Y[None] ** -0.5)
    fit = adjust(_straight, points, np.array([5.0, -0.5]))
    assert fit.values == pytest.approx([5.479910224, -0.480533407], abs=1e-6)
    assert fit.chi_square / 8 == pytest.approx(1.4832942, abs=1e-5)
    a, b, a_std, b_std = _york(PEARSON_X, PEARSON_Y, WEIGHT_X**-0.5, WEIGHT_Y**-0.5)
    assert fit.values == pytest.approx([a, b], abs=1e-6)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([a_std, b_std], rel=0.02)


def test_odrpack_finds_the_same_kink() -> None:
    odrpack = pytest.importorskip("odrpack")
    rng = np.random.default_rng(5)
    truth = np.array([15875.0, 1.59, 4117.0])
    x, x_std = FILMS + 0.05 * rng.normal(size=12), np.full(12, 0.05)
    y = kinked(truth, FILMS) * (1.0 + 0.02 * rng.normal(size=12))
    ours = adjust(lambda p, t: kinked(p, t)[None], Points(x, x_std, y[None], 0.02 * y[None]), truth)
    weights = {"weight_x": x_std**-2.0, "weight_y": (0.02 * y) ** -2.0}
    theirs = odrpack.odr_fit(lambda t, p: kinked(p, t), x, y, beta0=truth, **weights)
    assert ours.values == pytest.approx(theirs.beta, rel=1e-5)
    unscaled = theirs.sd_beta / np.sqrt(theirs.res_var)  # odrpack scales by the residual variance
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(unscaled, rel=0.02)


def test_without_errors_the_kink_is_found_exactly_and_moves_with_a_shared_thickness_error() -> None:
    sigma = np.array([sigma_2d_s(UNCAPPED, float(t), 300.0) for t in FILMS])
    found = two_channel(FILMS, np.full(12, 0.05), sigma, 0.02 * sigma)
    values, jacobian = found.derived()
    assert found.shape == KINK
    assert values == pytest.approx([15875.0, 1.59, 4117.0, 1.59 / (1.0 - 4117.0 / 15875.0)], rel=1e-6)
    assert values[3] == pytest.approx(interface_thickness_nm(1.59, 15875.0, 4117.0))
    moved = two_channel(FILMS + 0.08, np.full(12, 0.05), sigma, 0.02 * sigma)
    shift = jacobian @ found.fit.moved(np.full(12, 0.08), np.zeros((1, 12)))
    assert shift[1] == pytest.approx(0.08, rel=0.02)  # one to one
    assert moved.intercept_nm - found.intercept_nm == pytest.approx(shift[1], rel=0.05)


def test_responses_are_derivatives_of_the_fit() -> None:
    rng = np.random.default_rng(2)
    y = 3.0 + 2.0 * FILMS + 0.3 * rng.normal(size=12)
    x, own, std = FILMS + 0.1 * rng.normal(size=12), np.full(12, 0.1), np.full((1, 12), 0.3)
    fit = adjust(_straight, Points(x, own, y[None], std), np.array([3.0, 2.0]))
    for i in (0, 7):
        dx, dy = np.zeros(12), np.zeros((1, 12))
        dx[i], dy[0, 11 - i] = 1e-3, 1e-3
        again = adjust(_straight, Points(x + dx, own, y[None] + dy, std), np.array([3.0, 2.0]))
        assert again.values - fit.values == pytest.approx(fit.moved(dx, dy), rel=0.15, abs=3e-6)


@pytest.mark.parametrize(
    ("thickness_nm", "sigma", "words"),
    [
        (np.array([2.0, 2.0, 2.0]), np.full(3, 1e-3), "1 thicknesses"),
        (np.array([2.0, 3.0, 4.0]), np.array([1e-3, -1e-3, 2e-3]), "positive"),
    ],
)
def test_too_few_or_senseless_films_are_said(thickness_nm: np.ndarray, sigma: np.ndarray, words: str) -> None:
    with pytest.raises(FitFailed, match=words):
        two_channel(thickness_nm, np.full(3, 0.05), sigma, np.full(3, 1e-5))
    with pytest.raises(ValueError, match="no thickness"):
        interface_thickness_nm(1.0, 100.0, 200.0)


def test_scatter_between_films_is_found_and_widens_the_errors() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(12):
        y = line(np.array([15875.0, 0.7]), TRILAYERS) * (1.0 + 0.08 * rng.normal(size=7))
        fit = two_channel(TRILAYERS, np.full(7, 0.01), y * 1e-7, 0.005 * y * 1e-7)
        found.append(fit.scatter)
    assert 0.05 < np.median(found) < 0.10
    same, none = with_scatter(lambda _: fit.fit, np.ones(7), np.ones(7), fit.fit)
    assert none == 0.0 or same.freedom > 0


@pytest.mark.parametrize(
    ("series", "films", "thickness_std_nm", "relative_std", "count"),
    [
        (UNCAPPED, FILMS, 0.05, 0.02, 200),
        (UNCAPPED, FILMS, 0.1, 0.03, 200),
        (TRILAYER, TRILAYERS, 0.05, 0.02, 200),
        (TRILAYER, TRILAYERS, 0.1, 0.03, 200),
    ],
)
@pytest.mark.slow
def test_pulls_over_many_campaigns(
    series: str, films: np.ndarray, thickness_std_nm: float, relative_std: float, count: int
) -> None:
    pulls, errors, shapes = _campaigns(series, films, thickness_std_nm, relative_std, count)
    told = ~np.isnan(pulls)
    for i, name in enumerate(("sigma_b", "x0")):
        _honest(pulls[told[:, i], i], name)
    if series == UNCAPPED and thickness_std_nm <= 0.05:
        for i, name in ((2, "sigma_i"), (3, "t_i")):
            _honest(pulls[told[:, i], i], name)
        assert shapes.count(KINK) == count
        assert np.std(errors[:, 0]) < 320.0
        assert np.std(errors[:, 3]) < 0.055
    if series == TRILAYER:
        assert shapes.count(KINK) <= 0.03 * count  # no film is thinner than its interface


def test_sigma_b_and_t_i_meet_their_bars_on_fewer_campaigns() -> None:
    pulls, errors, _ = _campaigns(UNCAPPED, FILMS, 0.05, 0.02, 40)
    assert np.std(errors[:, 0]) < 320.0
    assert np.std(errors[:, 1]) < 0.05
    assert (np.abs(pulls.mean(axis=0)) < 0.1 + 2.5 / np.sqrt(40)).all()
    assert ((pulls.std(axis=0) > 0.75) & (pulls.std(axis=0) < 1.25)).all()


def _honest(pulls: np.ndarray, name: str) -> None:
    error = 1.0 / np.sqrt(len(pulls))
    assert abs(pulls.mean()) <= 0.1 + 2.0 * error, f"{name}: mean pull {pulls.mean():.3f}"
    assert 0.9 - error <= pulls.std(ddof=1) <= 1.1 + error, f"{name}: width {pulls.std(ddof=1):.3f}"


def _campaigns(
    series: str, films: np.ndarray, thickness_std_nm: float, relative_std: float, count: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(17)
    bulk, intercept = CHANNELS[series][300.0]
    truth = np.array([bulk, intercept, bulk * INTERFACE_RATIO, intercept / (1.0 - INTERFACE_RATIO)])
    draw: Callable[[], np.ndarray] = lambda: rng.normal(size=len(films))  # noqa: E731
    pulls, errors, shapes = np.full((count, 4), np.nan), np.full((count, 4), np.nan), []
    for i in range(count):
        true = films * (1.0 + 0.02 * draw())
        sigma = np.array([sigma_2d_s(series, float(t), 300.0) for t in true]) * (1.0 + relative_std * draw())
        measured = true + thickness_std_nm * draw()
        found = two_channel(measured, np.full(len(films), thickness_std_nm), sigma, relative_std * sigma)
        values, jacobian = found.derived()
        std = np.sqrt(np.diag(jacobian @ found.fit.covariance @ jacobian.T))
        errors[i, : len(values)] = values - truth[: len(values)]
        pulls[i, : len(values)] = errors[i, : len(values)] / std
        shapes.append(found.shape)
    return pulls, errors, shapes
