"""What is true of a simulated film goes through the paper's numbers and agrees with itself."""

from __future__ import annotations

import numpy as np
import pytest

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.simulation.noise import gaussian_field, generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import (
    CHANNELS,
    TEMPERATURES_K,
    TRILAYER,
    UNCAPPED,
    FilmTruth,
    film_truth,
    sheet_density_per_cm2,
    sigma_2d_s,
    work_function_ev,
)
from rutile_assets.units import unit_of

THICKNESSES_NM = np.arange(1.0, 17.3, 0.05)


def _film(series: str = UNCAPPED, nominal_nm: float = 3.5, realism: Realism = IDEAL) -> FilmTruth:
    return film_truth("SIM", series, nominal_nm, realism, generator(0, "SIM", "film"))


@pytest.mark.parametrize(("thickness_nm", "paper_ev"), [(0.0, 4.10), (1.5, 4.25), (3.5, 5.40), (17.2, 5.05)])
def test_work_function_goes_through_the_papers_numbers(thickness_nm: float, paper_ev: float) -> None:
    assert work_function_ev(thickness_nm) == pytest.approx(paper_ev, abs=1e-12)


def test_work_function_peaks_at_3_5_nm_falls_to_7_nm_and_then_rises_linearly() -> None:
    curve = np.array([work_function_ev(t) for t in THICKNESSES_NM])
    assert THICKNESSES_NM[curve.argmax()] == pytest.approx(3.5, abs=0.051)
    falling = (THICKNESSES_NM > 3.6) & (THICKNESSES_NM < 7.0)
    assert (np.diff(curve[falling]) < 0).all()
    rising = curve[THICKNESSES_NM > 7.05]
    assert (np.diff(rising) > 0).all()
    assert np.abs(np.diff(rising, 2)).max() < 1e-12
    assert work_function_ev(6.999) == pytest.approx(work_function_ev(7.001), abs=1e-3)


@pytest.mark.parametrize(
    ("series", "slope_s_per_cm", "intercept_nm"), [(UNCAPPED, 15875, 1.59), (TRILAYER, 11700, 0.71)]
)
def test_conductance_at_300_k_is_the_papers_line_above_its_kink(
    series: str, slope_s_per_cm: float, intercept_nm: float
) -> None:
    thick = np.array([3.0, 5.0, 8.0])
    line = np.array([sigma_2d_s(series, t, 300.0) for t in thick])
    assert line == pytest.approx(slope_s_per_cm * (thick - intercept_nm) * 1e-7, rel=1e-12)


def test_conductance_of_the_interface_alone_is_the_papers_4117_s_per_cm() -> None:
    assert sigma_2d_s(UNCAPPED, 1.0, 300.0) == pytest.approx(4117e-7, rel=1e-12)


@pytest.mark.parametrize("series", [UNCAPPED, TRILAYER])
@pytest.mark.parametrize("temperature_k", TEMPERATURES_K)
def test_conductance_is_positive_and_continuous_down_to_nothing(series: str, temperature_k: float) -> None:
    fine = np.linspace(1e-3, 5.0, 5000)
    curve = np.array([sigma_2d_s(series, t, temperature_k) for t in fine])
    assert (curve > 0).all()
    assert (np.diff(curve) > 0).all()
    assert np.diff(curve).max() <= CHANNELS[series][temperature_k][0] * (fine[1] - fine[0]) * 1e-7 * (1 + 1e-9)


def test_on_cooling_bulk_conductivity_and_interface_thickness_rise_as_the_paper_says() -> None:
    for series in (UNCAPPED, TRILAYER):
        bulk, intercept = np.array([CHANNELS[series][t] for t in TEMPERATURES_K]).T
        assert (np.diff(bulk) > 0).all()
        assert (np.diff(intercept) > 0).all()
    for t in TEMPERATURES_K:
        assert CHANNELS[TRILAYER][t][0] < CHANNELS[UNCAPPED][t][0]
        assert CHANNELS[TRILAYER][t][1] < CHANNELS[UNCAPPED][t][1]


@pytest.mark.parametrize(("series", "paper_nm"), [(UNCAPPED, 3.5), (TRILAYER, 1.9)])
def test_mobility_peaks_where_the_paper_sees_it(series: str, paper_nm: float) -> None:
    mobility = np.array([sigma_2d_s(series, t, 300.0) / sheet_density_per_cm2(series, t) for t in THICKNESSES_NM])
    thin = THICKNESSES_NM < 8.0
    assert THICKNESSES_NM[thin][mobility[thin].argmax()] == pytest.approx(paper_nm, abs=0.15)


def test_density_dips_near_3_5_nm_in_uncapped_films_and_only_there() -> None:
    for series, dips in ((UNCAPPED, True), (TRILAYER, False)):
        density = np.array([sheet_density_per_cm2(series, t) for t in THICKNESSES_NM])
        falling = np.diff(density) < 0
        assert falling.any() == dips
        if dips:
            lowest = THICKNESSES_NM[1:][falling][-1]
            assert lowest == pytest.approx(3.5, abs=0.2)


def test_mobility_density_and_conductance_agree_to_rounding() -> None:
    for state in _film(realism=Realism()).transport:
        product = ELEMENTARY_CHARGE_C.value * state.sheet_density_per_cm2 * state.mobility_cm2_per_vs
        assert product == pytest.approx(state.sigma_2d_s, rel=1e-14)
        assert state.sigma_2d_s * state.sheet_resistance_ohm == pytest.approx(1.0, rel=1e-14)
        from_slope = 1e-4 / (ELEMENTARY_CHARGE_C.value * abs(state.hall_slope_ohm_per_t))
        assert from_slope == pytest.approx(state.sheet_density_per_cm2, rel=1e-14)
        assert state.hall_slope_ohm_per_t < 0


def test_contact_potential_is_tip_minus_sample_for_a_bias_on_the_tip() -> None:
    film = _film()
    assert film.v_cpd_v == pytest.approx(film.tip_work_function_ev - 5.40)


def test_quantities_carry_units_and_name_the_layers_as_the_rooms_do() -> None:
    truth = _film(TRILAYER, 3.8)
    known = {(q.quantity, q.subject): q.value for q in truth.quantities()}
    assert len(known) == len(truth.quantities())
    assert all(unit_of(quantity) is not None for quantity, _ in known)
    assert known["thickness_nm", "2 RuO2"] == pytest.approx(3.8)
    assert known["thickness_nm", "3 TiO2"] == pytest.approx(2.5)
    # the homoepitaxial buffer cannot be seen: no thickness, not in the total, its surface is the substrate's
    assert ("thickness_nm", "1 TiO2") not in known
    assert known["total_thickness_nm", ""] == pytest.approx(6.3)
    assert known["roughness_nm", "substrate"] == truth.layers[0].roughness_nm
    assert ("sheet_resistance_ohm", "1.8 K") in known


def test_ideal_growth_gives_the_nominal_film() -> None:
    assert _film().film.thickness_nm == 3.5
    assert _film().adsorbate_nm == 0.0
    assert _film(realism=Realism()).film.thickness_nm != 3.5


def test_streams_of_films_and_techniques_are_independent_and_repeatable() -> None:
    first = generator(0, "SIM-1", "afm").normal(size=2000)
    assert np.array_equal(first, generator(0, "SIM-1", "afm").normal(size=2000))
    for other in (generator(1, "SIM-1", "afm"), generator(0, "SIM-2", "afm"), generator(0, "SIM-1", "xrr")):
        assert abs(np.corrcoef(first, other.normal(size=2000))[0, 1]) < 0.1


def test_a_correlated_field_has_unit_variance_and_falls_to_1_over_e_at_its_length() -> None:
    fields = [gaussian_field((96, 96), 6.0, generator(seed, "field")) for seed in range(60)]
    assert np.mean([np.mean(f**2) for f in fields]) == pytest.approx(1.0, abs=0.03)
    at_length = np.mean([np.mean(f[:, 6:] * f[:, :-6]) for f in fields])
    assert at_length == pytest.approx(np.exp(-1.0), abs=0.03)
    # opposite edges are not neighbours
    assert abs(np.mean([np.mean(f[:, 0] * f[:, -1]) for f in fields])) < 0.1
