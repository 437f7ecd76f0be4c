"""Simulated resistances obey van der Pauw, the Hall effect and their own noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.transport import (
    FieldLoop,
    TransportSetup,
    simulate_transport,
    van_der_pauw_resistances,
)
from rutile_assets.simulation.truth import TransportTruth

STATE = TransportTruth(300.0, 330.0, 1.9e15)
SETUP = TransportSetup()


def _loop(realism: Realism, seed: int = 0, state: TransportTruth = STATE) -> FieldLoop:
    return simulate_transport(state, SETUP, realism, generator(seed, "transport"))


@pytest.mark.parametrize("cross_ratio", [0.1, 0.5, 0.83])
def test_resistances_satisfy_van_der_pauws_equation(cross_ratio: float) -> None:
    a, b = van_der_pauw_resistances(330.0, cross_ratio)
    assert np.exp(-np.pi * a / 330.0) + np.exp(-np.pi * b / 330.0) == pytest.approx(1.0, abs=1e-14)


def test_a_square_has_pi_over_ln_2_times_its_resistance() -> None:
    a, b = van_der_pauw_resistances(330.0, 0.5)
    assert a == b == pytest.approx(330.0 * np.log(2.0) / np.pi, rel=1e-14)


def test_the_field_is_swept_both_ways_to_nine_tesla() -> None:
    field = _loop(IDEAL).field_t
    middle = len(field) // 2
    assert field[0] == pytest.approx(9.0, abs=1e-2)
    assert field[middle] == pytest.approx(-9.0, abs=1e-2)
    assert field[-1] == pytest.approx(9.0, abs=1e-2)
    assert (np.diff(field[:middle]) < 0).all()
    assert (np.diff(field[middle:]) > 0).all()


def test_an_ideal_hall_reading_is_a_line_through_the_origin_with_the_densitys_slope() -> None:
    loop = _loop(IDEAL)
    slope, offset = np.polyfit(loop.field_t, loop.resistance_ohm["hall"], 1)
    assert slope == pytest.approx(-1.0 / (1.602176634e-19 * 1.9e19), rel=1e-9)
    assert offset == pytest.approx(0.0, abs=1e-9)


def test_pickup_offset_and_drift_leave_the_odd_part_with_the_slope() -> None:
    slopes = []
    for seed in range(40):
        loop = _loop(Realism(), seed)
        slope, offset = np.polyfit(loop.field_t, loop.resistance_ohm["hall"], 1)
        slopes.append(slope / STATE.hall_slope_ohm_per_t - 1.0)
        assert abs(offset) > 1e-3
    assert abs(np.mean(slopes)) < 1e-4
    assert np.std(slopes) < 1e-3


def test_noise_of_readings_is_what_the_instrument_says() -> None:
    loop = _loop(replace(IDEAL, hall_noise_ohm=2e-4, resistance_noise=1e-5))
    hall = loop.resistance_ohm["hall"] - STATE.hall_slope_ohm_per_t * loop.field_t
    assert hall.std() == pytest.approx(loop.resistance_std_ohm["hall"], rel=0.15)
    assert loop.resistance_ohm["vdp_a"].std() == pytest.approx(loop.resistance_std_ohm["vdp_a"], rel=0.15)


def test_magnetoresistance_is_even_in_the_field() -> None:
    loop = _loop(replace(IDEAL, magnetoresistance_per_t2=1e-4))
    high = np.abs(np.abs(loop.field_t) - 9.0) < 0.05
    low = np.abs(loop.field_t) < 0.05
    growth = loop.resistance_ohm["vdp_a"][high] / loop.resistance_ohm["vdp_a"][low].mean()
    assert growth == pytest.approx(1.0 + 81e-4, abs=2e-5)


def test_mobility_from_the_readings_is_the_truths() -> None:
    loop = _loop(Realism())
    low = np.abs(loop.field_t) < 0.5
    a, b = (loop.resistance_ohm[name][low].mean() for name in ("vdp_a", "vdp_b"))
    # to second order in the asymmetry, van der Pauw's factor is 1 - ln2/2 ((a-b)/(a+b))^2
    factor = 1.0 - 0.5 * np.log(2.0) * ((a - b) / (a + b)) ** 2
    sheet = np.pi / np.log(2.0) * 0.5 * (a + b) * factor
    slope = np.polyfit(loop.field_t, loop.resistance_ohm["hall"], 1)[0]
    assert abs(slope) * 1e4 / sheet == pytest.approx(STATE.mobility_cm2_per_vs, rel=2e-3)
