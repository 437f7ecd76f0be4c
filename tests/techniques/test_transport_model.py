"""Van der Pauw, Hall and the anomalous term: limits, traps, pulls, and a real SrRuO3 film."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rutile_assets.errors import FitFailed, WrongContent
from rutile_assets.formats.measurement import Measurement, Scan, Source
from rutile_assets.physics.van_der_pauw import sensitivities, sheet_resistance
from rutile_assets.provenance.film import Film
from rutile_assets.provenance.materialize import read_declared
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.transport import TransportSetup, simulate_transport
from rutile_assets.simulation.truth import UNCAPPED, film_truth
from rutile_assets.techniques.transport.assets import tabulate, transport_hall, transport_sheet
from rutile_assets.techniques.transport.model import (
    Readings,
    TransportParameters,
    branches,
    estimate,
    hall,
    odd_part,
    sheet,
    temperatures,
)

CHOSEN = TransportParameters()


def _readings(field: np.ndarray, ohm: np.ndarray, kelvin: float = 300.0) -> Readings:
    return Readings(np.full(len(field), kelvin), field, ohm, np.zeros(len(field), dtype=np.int64))


def _loop(top: float = 9.0, points: int = 181) -> np.ndarray:
    down = np.linspace(top, -top, points)
    return np.concatenate([down, down[::-1]])


def test_a_symmetric_sheet_has_the_textbook_factor() -> None:
    assert sheet_resistance(100.0, 100.0) == pytest.approx(100.0 * np.pi / np.log(2.0), rel=1e-12)


@pytest.mark.parametrize(("ratio", "factor"), [(1.5, 0.986), (2.0, 0.960), (5.0, 0.822), (10.0, 0.699)])
def test_the_mean_of_two_resistances_overestimates_by_van_der_pauws_factor(ratio: float, factor: float) -> None:
    naive = np.pi / np.log(2.0) * 0.5 * (ratio + 1.0)
    assert sheet_resistance(ratio, 1.0) / naive == pytest.approx(factor, abs=1e-3)


@pytest.mark.parametrize("ratio", [1.0, 1e-3, 1e3, 37.0])
def test_the_answer_solves_the_equation_and_scales_with_resistance(ratio: float) -> None:
    rs = sheet_resistance(ratio, 1.0)
    assert np.exp(-np.pi * ratio / rs) + np.exp(-np.pi / rs) == pytest.approx(1.0, abs=1e-9)
    assert sheet_resistance(ratio * 1e-4, 1e-4) == pytest.approx(rs * 1e-4, rel=1e-9)
    d_a, d_b = sensitivities(ratio, 1.0)
    step = 1e-6
    assert d_a == pytest.approx((sheet_resistance(ratio * (1 + step), 1.0) - rs) / (ratio * step), rel=1e-4)
    assert d_a * ratio + d_b == pytest.approx(rs, rel=1e-9)  # Euler: degree one


@pytest.mark.parametrize("pair", [(0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0)])
def test_resistances_that_cannot_be_are_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(FitFailed, match="two positive ones"):
        sheet_resistance(*pair)


def test_a_loop_has_two_branches_and_noise_makes_no_more() -> None:
    field = _loop() + 2e-3 * np.random.default_rng(0).normal(size=362)
    assert [b.start for b in branches(field)] == [0, pytest.approx(180, abs=2)]
    assert len(branches(np.linspace(-9, 9, 50))) == 1
    assert len(branches(np.zeros(5))) == 1


def test_both_branches_of_a_loop_give_the_same_slope_and_do_not_cancel() -> None:
    """The trap: antisymmetrising a down-sweep without turning it round gives minus the slope, and the mean is zero."""
    field = _loop()
    found = hall(_readings(field, -0.4 * field + 3.0 + 0.01 * field**2))
    assert found.slope_ohm_per_t == pytest.approx(-0.4, rel=1e-12)
    assert found.branch_slopes_ohm_per_t == pytest.approx((-0.4, -0.4), rel=1e-9)


def test_pairing_is_by_field_and_not_by_place_in_the_loop() -> None:
    """The trap: R - R[::-1] over an up-and-down loop subtracts equal fields and leaves nothing."""
    field, odd = odd_part(
        np.array([3.0, 1.0, -1.0, -3.0, 2.0, -2.0]), np.array([30.0, 10.0, -10.0, -30.0, 20.0, -20.0])
    )
    np.testing.assert_allclose(field, [1, 2, 3])
    np.testing.assert_allclose(odd, [10, 20, 30])


def test_fields_without_an_opposite_are_left_out() -> None:
    field, _ = odd_part(np.linspace(-1.0, 9.0, 101), np.zeros(101))
    assert field.max() == pytest.approx(1.0, abs=0.11)


def test_hall_and_sheet_pulls_have_mean_0_and_width_1_and_density_meets_its_bar() -> None:
    """physics.md h: 362 points, noise 0.2 mOhm, 2 % pickup, 3 Ohm offset, 1 mOhm drift; n2D to 1e-3."""
    truth = film_truth("x", UNCAPPED, 3.5, Realism(), np.random.default_rng(0)).transport[0]
    quantities = ("sheet_resistance_ohm", "hall_slope_ohm_per_t", "sheet_density_per_cm2", "mobility_cm2_per_vs")
    pulls: dict[str, list[float]] = {q: [] for q in quantities}
    worst, not_linear = 0.0, 0
    for seed in range(400):
        loop = simulate_transport(truth, TransportSetup(), Realism(), np.random.default_rng([seed, 7]))
        by = {name: _readings(loop.field_t, ohm) for name, ohm in loop.resistance_ohm.items()}
        found = hall(by["hall"])
        not_linear += found.verdict != "linear"
        numbers = estimate(sheet(by["vdp_a"], by["vdp_b"], CHOSEN), found, CHOSEN)
        for quantity in set(quantities) & set(numbers.quantities):
            label = numbers.subjects[0]
            error = numbers.value(quantity, label) - getattr(truth, quantity)
            pulls[quantity].append(error / numbers.sigma(quantity, label))
            if quantity == "sheet_density_per_cm2":
                worst = max(worst, abs(error) / truth.sheet_density_per_cm2)
    for quantity, values in pulls.items():
        assert abs(np.mean(values)) < 0.1, quantity
        assert 0.9 < np.std(values, ddof=1) < 1.1, quantity
    assert worst < 1e-3
    assert not_linear <= 8  # 2 % false alarms at most


def test_an_anomalous_term_is_found_and_no_density_is_claimed() -> None:
    field = _loop()
    rng = np.random.default_rng(1)
    ohm = -0.05 * field + 0.02 * np.tanh(field / 1.5) + 2e-4 * rng.normal(size=len(field))
    found = hall(_readings(field, ohm))
    assert found.verdict == "anomalous"
    assert found.slope_ohm_per_t == pytest.approx(-0.05, abs=4 * found.slope_std_ohm_per_t)
    assert found.anomalous_ohm == pytest.approx(0.02, abs=4 * found.anomalous_std_ohm)
    numbers = estimate(None, found, CHOSEN)
    assert "sheet_density_per_cm2" not in numbers.quantities
    assert "anomalous" in " ".join(numbers.notes)


def test_a_slope_within_its_noise_gives_no_density() -> None:
    field = _loop()
    ohm = 1e-2 * np.random.default_rng(2).normal(size=len(field))
    numbers = estimate(None, replace(hall(_readings(field, ohm)), verdict="linear"), CHOSEN)
    assert numbers.quantities == ("hall_slope_ohm_per_t",)
    assert "within 3 sigma" in " ".join(numbers.notes)


def test_mobility_density_and_conductance_are_consistent_with_their_covariance() -> None:
    field = _loop()
    rng = np.random.default_rng(4)
    noise = 2e-4 * rng.normal(size=len(field))
    flat = _readings(field, np.full(len(field), 70.0) + noise)
    numbers = estimate(sheet(flat, flat, CHOSEN), hall(_readings(field, -0.4 * field + noise)), CHOSEN)
    label = "300 K"
    charge = 1.602176634e-19
    density, mobility = numbers.value("sheet_density_per_cm2", label), numbers.value("mobility_cm2_per_vs", label)
    assert density * mobility * charge == pytest.approx(numbers.value("sigma_2d_s", label), rel=1e-12)
    place = [numbers.quantities.index(q) for q in ("sheet_density_per_cm2", "mobility_cm2_per_vs")]
    gradient = np.array([mobility, density]) * charge
    propagated = gradient @ numbers.covariance[np.ix_(place, place)] @ gradient
    assert propagated == pytest.approx(numbers.sigma("sigma_2d_s", label) ** 2, rel=1e-6)


def test_temperatures_are_told_apart_and_drift_is_not() -> None:
    kelvin = np.array([300.0, 300.05, 2.0, 2.004, 100.0, 299.9, 2.3])
    assert temperatures(kelvin, 0.1).tolist() == [3, 3, 0, 0, 2, 3, 1]


def _hc3413(realdata: Path) -> Measurement:
    declared = {
        "columns": ["temperature_k", "field_oe", "source_a", "source_v", "sense_v", "configuration_index", None],
        "configurations": {"hall": [0, 1], "vdp_a": [2, 3], "vdp_b": [4, 5]},
    }
    path = realdata / "transport_hall" / "hc3413_JT029_SrRuO3_vdP_Hall.txt"
    return read_declared(Source(path, path.name, declared))


def _film(tables: dict[str, pd.DataFrame]) -> Film:
    return Film("JT029", CHOSEN, 0, tables=lambda name: tables[name])


def test_a_real_srruo3_film_has_its_sheet_resistances_hall_slope_and_anomalous_term(realdata: Path) -> None:
    rows = tabulate(_hc3413(realdata))
    sweep = rows.assign(file_id=1, point_index=np.arange(1, len(rows) + 1), growth_id="JT029")
    sheets = transport_sheet.compute(_film({"transport_sweep": sweep}))
    table = sheets.tables["transport_sheet"].set_index(sheets.tables["transport_sheet"].temperature_k.round())
    for kelvin, ohm in ((5, 301.96), (185, 357.90), (305, 418.62), (325, 427.81)):
        assert table.sheet_resistance_ohm[kelvin] == pytest.approx(ohm, rel=1e-3)
    found = transport_hall.compute(
        _film({"transport_sweep": sweep, "transport_sheet": sheets.tables["transport_sheet"]})
    )
    hall_table = found.tables["transport_hall"]
    hall_table = hall_table.set_index(hall_table.temperature_k.round())
    assert hall_table.hall_slope_ohm_per_t[305] == pytest.approx(-0.0053, abs=0.0004)
    assert hall_table.verdict[5] == "anomalous"
    assert pd.isna(hall_table.sheet_density_per_cm2[5])


def test_a_four_wire_measurement_is_refused_with_the_key_to_write(realdata: Path) -> None:
    path = realdata / "transport_hall" / "nomad_ACT_Ch1_Hall_Ch2_TMR.dat"
    with pytest.raises(WrongContent, match=r"4 wire Hall.*channels: \{1: hall"):
        tabulate(read_declared(Source.of(path)))


def test_a_real_slope_that_is_zero_gives_no_density(realdata: Path) -> None:
    path = realdata / "transport_hall" / "nomad_ACT_Ch1_Hall_Ch2_TMR.dat"
    rows = tabulate(read_declared(Source(path, path.name, {"channels": {"ch1": "hall"}})))
    cold = rows[(rows.temperature_k - 2.0).abs() < 0.05]
    found = hall(_readings(cold.field_t.to_numpy(), cold.resistance_ohm.to_numpy(), 2.0))
    assert "sheet_density_per_cm2" not in estimate(None, found, CHOSEN).quantities


@pytest.mark.parametrize(
    ("channels", "words"),
    [(None, "does not say what its contacts measured"), ({"1": "rxy"}, "'rxy'"), ({"2": "hall"}, "none is used")],
)
def test_what_a_channel_measured_is_never_guessed(channels: dict[str, str] | None, words: str) -> None:
    columns = {name: np.linspace(1, 2, 5) for name in ("temperature_k", "field_t", "resistance_ohm")}
    scan = Scan(columns, {"channel": 1, "label": "sample A"})
    settings = {} if channels is None else {"channels": channels}
    with pytest.raises(WrongContent, match=words):
        tabulate(Measurement("multivu", (scan,), settings=settings))


@pytest.mark.parametrize("readings", [2, 3, 6, 40])
def test_one_sigma_of_the_sheet_resistance_holds_two_thirds_however_few_the_readings(readings: int) -> None:
    rng = np.random.default_rng([readings, 3])
    true = sheet_resistance(100.0, 100.0)
    inside = []
    for _ in range(1500):
        a, b = (_readings(np.zeros(readings), 100.0 + 0.01 * rng.normal(size=readings)) for _ in range(2))
        found = sheet(a, b, CHOSEN)
        inside.append(abs(found.sheet_resistance_ohm - true) <= found.statistical_std_ohm)
    assert 0.64 < np.mean(inside) < 0.76
