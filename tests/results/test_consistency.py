"""Each flag agrees, disagrees and cannot be told; what numbers share is subtracted; warnings name what breaks them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from flag_lake import BARE, CAP, CAPPED, FILM, FlagLake

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.elasticity import coherent_spacing_nm
from rutile_assets.results.consistency import consistency
from rutile_assets.results.consistency_flags import CONSISTENCY, FLAGS
from rutile_assets.results.numbers import AGREES, DISAGREES, UNTOLD, Number, at_most, same
from rutile_assets.techniques.shg.model import DIPOLE

E = ELEMENTARY_CHARGE_C.value


def _rows(lake: FlagLake) -> pd.DataFrame:
    outcome = consistency.compute(lake.films())
    rows = CONSISTENCY.frame(outcome.tables["consistency"].assign(entity_id=1))
    for flag in FLAGS.values():
        off = rows[(rows.flag_number == flag.number) & (rows.flag_verdict == DISAGREES)]
        assert len(off) == len(outcome.warnings.get(flag.check, []))
    return rows


def _thick(lake: FlagLake, value: float = 3.9, sigma: float = 0.03, film: str = FILM, layer: str = "1 RuO2") -> None:
    lake.number("xrr_fit", film, "thickness_nm", value, sigma, layer)


def laue(lake: FlagLake, value: float, sigma: float | None) -> None:
    _thick(lake)
    lake.number("xrd_fit", FILM, "laue_thickness_nm", value, sigma, "1 RuO2")


def image(lake: FlagLake, value: float, sigma: float | None) -> None:
    _thick(lake, 3.87)
    lake.number("displacement_plane", FILM, "ruo2_thickness_nm", value, sigma)


def image_planes(lake: FlagLake, value: float, sigma: float | None) -> None:
    _thick(lake, 3.87, sigma or float("nan"))
    lake.number("displacement_plane", FILM, "ru_planes_count", value, 0.0)


def spacing(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("rsm_fit", FILM, "relaxation_001_fraction", 0.0, 0.01)
    lake.number("rsm_fit", FILM, "relaxation_1m10_fraction", 0.0, 0.01)
    lake.number("xrd_fit", FILM, "plane_spacing_nm", value, sigma, "1 RuO2")


def relaxed(lake: FlagLake, value: float, sigma: float | None) -> None:
    _thick(lake, 6.5)
    lake.number("onset", BARE, "relaxation_onset_nm", 4.5, 0.2, "[001]")
    lake.number("rsm_fit", FILM, "relaxation_001_fraction", value, sigma)


def peak_and_onset(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("onset", BARE, "relaxation_onset_nm", 4.5, 0.3, "[001]")
    lake.number("work_function", BARE, "work_function_peak_thickness_nm", value, sigma)


def peak_between_maps(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.row("onset", series=BARE, event="relaxation [001]", event_after_nm=4.0, event_before_nm=6.5)
    lake.number("work_function", BARE, "work_function_peak_thickness_nm", value, sigma)


def density(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("conductivity", BARE, "bulk_conductivity_s_per_cm", 15875.0, 200.0, "300 K", 300.0)
    lake.number("carriers", BARE, "carrier_density_per_cm3", 1e22, 1e20 if sigma else None, "300 K", 300.0)
    for thickness in (5.2, 6.5, 8.0):
        lake.row(
            "carriers_point", series=BARE, temperature_k=300.0, trend_thickness_nm=thickness,
            mobility_cm2_per_vs=value, mobility_cm2_per_vs_std=0.1,
        )  # fmt: skip


def sheet(lake: FlagLake, value: float, sigma: float | None) -> None:
    if sigma is not None:
        lake.number("transport_hall", FILM, "sheet_density_per_cm2", 4e15, 1e13, "300 K", 300.0)
    lake.number("transport_hall", FILM, "mobility_cm2_per_vs", 9.0, 0.1, "300 K", 300.0)
    lake.number("transport_sheet", FILM, "sigma_2d_s", value * E * 4e15 * 9.0, sigma, "300 K", 300.0)


def bulk(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("conductivity", BARE, "bulk_conductivity_s_per_cm", value, sigma, "300 K", 300.0)


def interface(lake: FlagLake, value: float, sigma: float | None) -> None:
    bulk(lake, 15875.0, 200.0)
    lake.number("conductivity", BARE, "interface_conductivity_s_per_cm", value, sigma, "300 K", 300.0)


def interface_thickness(lake: FlagLake, value: float, sigma: float | None) -> None:
    bulk(lake, 15875.0, 200.0)
    lake.row("conductivity", series=BARE, temperature_k=300.0, thinnest_nm=2.5)
    lake.number("conductivity", BARE, "interface_thickness_nm", value, sigma, "300 K", 300.0)


def left_out(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.row(
        "conductivity_point", growth_id=FILM, series=BARE, temperature_k=300.0, sigma_2d_s=value, sigma_2d_s_std=1e-5,
        is_on_line=False, foretold_2d_s=1e-3 if sigma else None, foretold_2d_s_std=sigma,
    )  # fmt: skip


def under_a_cap(lake: FlagLake, value: float, sigma: float | None) -> None:
    bulk(lake, 15875.0, 200.0)
    lake.number("conductivity", CAPPED, "bulk_conductivity_s_per_cm", value, sigma, "300 K", 300.0)


def reference(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.row("work_function", growth_id=FILM, series=BARE, reference_growth_id=FILM)
    lake.number("work_function", FILM, "work_function_kpfm_ev", value, 0.04)
    if sigma is not None:
        lake.number("ups_fit", FILM, "work_function_ev", 5.2, sigma)


def potential(lake: FlagLake, _: float, sigma: float | None) -> None:
    lake.number("work_function", BARE, "work_function_modulation_ev", 1.15, 0.02)
    lake.number("kpfm_potential", FILM, "v_cpd_v", 0.3, sigma)
    lake.number("kpfm_potential", FILM, "v_cpd_v", 0.3, 0.5, "map 1")


def signs(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("work_function", BARE, "work_function_modulation_ev", 1.15, 0.02)
    lake.number("displacement_plane", CAP, "displacement_peak_pm", value, sigma, "lower interface, less the null")


def polarization(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("work_function", BARE, "work_function_modulation_ev", 1.15, 0.02)
    lake.number(
        "displacement_plane", CAP, "polarization_uc_per_cm2", value, sigma, "TiO2 plane at the lower interface"
    )  # fmt: skip


def smooth(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("afm_roughness", FILM, "roughness_sq_pm", value, sigma)


def surface(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("afm_roughness", FILM, "roughness_sq_pm", 155.0, 5.0)
    lake.number("xrr_fit", FILM, "roughness_nm", value, sigma, "1 RuO2")


def cap(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("xrr_fit", CAP, "thickness_nm", 2.5, 0.03, "3 TiO2")
    lake.number("xrd_fit", CAP, "laue_thickness_nm", value, sigma, "3 TiO2")


def isotropy(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.row(
        "transport_sheet", growth_id=FILM, temperature_k=300.0, r_a_ohm=100.0, r_b_ohm=100.0 * value,
        sheet_resistance_ohm=600.0, sheet_resistance_ohm_std=sigma,
    )  # fmt: skip


def capped_mobility(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.number("conductivity", CAPPED, "line_intercept_nm", 0.71, 0.05, "300 K", 300.0)
    lake.number("carriers", CAPPED, "mobility_peak_thickness_nm", value, sigma, "300 K", 300.0)


def no_ss(lake: FlagLake, value: float, sigma: float | None) -> None:
    lake.row("shg_fit", growth_id=FILM, angle_of_incidence_deg=45.0, symmetry=DIPOLE)
    lake.number("shg_fit", FILM, "shg_ss_fraction", value, sigma)


Fill = Callable[[FlagLake, float, float | None], None]
D110 = coherent_spacing_nm(rutile("RuO2"), rutile("TiO2"))
# flag, comparison, film or series, how it is filled, and (value, sigma) that agrees, disagrees, cannot be told
CASES: list[tuple[int, str, str, Fill, tuple[float, float], tuple[float, float], tuple[float, float | None]]] = [
    (1, "", FILM, laue, (3.95, 0.02), (4.2, 0.02), (4.2, None)),
    (2, "thickness", FILM, image, (3.8, 0.05), (4.3, 0.05), (4.3, None)),
    (2, "planes", FILM, image_planes, (12.0, 0.03), (14.0, 0.03), (13.0, 0.3)),
    (3, "", FILM, spacing, (D110 + 0.001, 0.0003), (D110 + 0.006, 0.0003), (D110 + 0.006, 0.02)),
    (4, "relaxation", FILM, relaxed, (0.2, 0.02), (0.005, 0.01), (0.2, None)),
    (4, "work function and relaxation", BARE, peak_and_onset, (4.1, 0.1), (3.0, 0.1), (3.0, 2.0)),
    (4, "work function and relaxation", BARE, peak_between_maps, (5.0, 0.1), (3.0, 0.1), (3.9, 0.1)),
    (5, "300 K", BARE, density, (9.9, 1.0), (5.0, 1.0), (5.0, None)),
    (6, "300 K", FILM, sheet, (1.0, 1e-5), (1.05, 1e-5), (1.0, None)),
    (7, "sigma_b and bulk", BARE, bulk, (15875.0, 200.0), (33000.0, 200.0), (28300.0, 200.0)),
    (7, "sigma_i and sigma_b", BARE, interface, (4117.0, 100.0), (17000.0, 100.0), (15800.0, 100.0)),
    (7, "t_i and thinnest film", BARE, interface_thickness, (2.147, 0.03), (2.8, 0.03), (2.48, 0.03)),
    (7, "film off the line", FILM, left_out, (1.01e-3, 2e-5), (1.5e-3, 2e-5), (1e-3, None)),
    (8, "300 K", BARE, under_a_cap, (15700.0, 200.0), (11700.0, 200.0), (11700.0, 6000.0)),
    (9, "", FILM, reference, (5.2, 0.04), (5.21, 0.04), (5.2, None)),
    (10, "", FILM, potential, (0.0, 0.01), (0.0, 0.05), (0.0, None)),
    (11, "", CAP, signs, (-9.0, 0.5), (9.0, 0.5), (9.0, 6.0)),
    (12, "", CAP, polarization, (20.0, 3.0), (600.0, 30.0), (20.0, 15.0)),
    (13, "Sq and plane", FILM, smooth, (155.0, 10.0), (500.0, 10.0), (315.0, 10.0)),
    (13, "Sq and XRR", FILM, surface, (0.2, 0.01), (0.6, 0.01), (0.31, 0.02)),
    (14, "", CAP, cap, (2.55, 0.02), (3.0, 0.02), (3.0, None)),
    (15, "300 K", FILM, isotropy, (1.2, 5.0), (2.0, 5.0), (1.5, 5.0)),
    (16, "300 K", CAPPED, capped_mobility, (0.75, 0.1), (1.9, 0.1), (1.9, 2.0)),
    (17, "", FILM, no_ss, (0.001, 0.001), (0.05, 0.001), (0.05, None)),
]


# what a flag compares where nothing is there to name it, or where the angle of incidence does
UNDER_ANOTHER_NAME = {6: ("",), 17: ("45 deg",)}


def test_every_flag_is_tried() -> None:
    assert {case[0] for case in CASES} == set(FLAGS) == set(range(1, 18))


@pytest.mark.parametrize(
    ("flag", "comparison", "judged", "fill", "value", "verdict"),
    [
        pytest.param(*case[:4], value, verdict, id=f"{case[0]}-{case[3].__name__}-{verdict}")
        for case in CASES
        for value, verdict in zip(case[4:], (AGREES, DISAGREES, UNTOLD), strict=True)
    ],
)
def test_a_flag_agrees_disagrees_and_cannot_be_told(
    flag: int, comparison: str, judged: str, fill: Fill, value: tuple[float, float | None], verdict: str
) -> None:
    lake = FlagLake()
    fill(lake, *value)
    rows = _rows(lake)
    mine = rows[(rows.flag_number == flag) & (rows.judged == judged)]
    mine = mine[mine.comparison.isin([comparison, *UNDER_ANOTHER_NAME.get(flag, ())])]
    assert list(mine.flag_verdict) == [verdict], mine.notes.tolist()
    assert mine.is_simulated.all()


def test_an_empty_lake_says_of_every_flag_what_is_missing() -> None:
    rows = _rows(FlagLake(origin="measured"))
    assert (rows.flag_verdict == UNTOLD).all()
    assert set(rows.flag_number) == set(FLAGS) - {9}  # no sample is the reference of a scale that is not there
    assert rows.notes.str.startswith("Missing:").all()
    assert not rows.is_simulated.any()


def test_what_two_numbers_share_is_subtracted() -> None:
    lake = FlagLake()
    std, shifts = float(np.hypot(0.1, 0.3)), {"adsorbate": 0.3}
    lake.number("onset", BARE, "relaxation_onset_nm", 4.5, std, "[001]", shifts=shifts)
    lake.number("work_function", BARE, "work_function_peak_thickness_nm", 4.0, std, shifts=shifts)
    row = _rows(lake).set_index(["judged", "comparison"]).loc[(BARE, "work function and relaxation")]
    assert row.difference_sigma_reading == pytest.approx(np.sqrt(2.0) * 0.1)
    assert row.difference_in_sigma_pull == pytest.approx(-0.5 / (np.sqrt(2.0) * 0.1))
    assert row.flag_verdict == DISAGREES
    assert "independent" not in row.notes


def test_an_effect_of_one_name_in_two_assets_is_not_shared_unless_it_moves_all_films() -> None:
    apart = Number("a", 1.0, 0.5, shifts={(1, "ruler"): 0.4}), Number("b", 1.0, 0.5, shifts={(2, "ruler"): 0.4})
    assert apart[0].covariance(apart[1]) == 0.0
    together = Number("a", 1.0, 0.5, shifts={(1, "ruler"): 0.4}), Number("b", 1.0, 0.5, shifts={(1, "ruler"): 0.4})
    assert together[0].covariance(together[1]) == pytest.approx(0.16)


def test_verdicts_by_chance_are_as_rare_as_two_sigma_say() -> None:
    rng = np.random.default_rng(7)
    drawn = 3.0 + 0.1 * rng.normal(size=(2000, 2))
    off = [same(Number("a", a, 0.1), Number("b", b, 0.1)).verdict == DISAGREES for a, b in drawn]
    assert np.mean(off) == pytest.approx(0.0455, abs=0.014)
    over = [at_most(Number("a", a, 0.1), Number("b", b, 0.1)).verdict == DISAGREES for a, b in drawn]
    assert np.mean(over) == pytest.approx(0.0228, abs=0.01)


def test_elasticity_gives_the_notes_figures_and_bulk_where_relaxed() -> None:
    film, substrate = rutile("RuO2", "rounded"), rutile("TiO2", "rounded")
    assert coherent_spacing_nm(film, substrate) == pytest.approx(0.3225, abs=5e-5)
    assert coherent_spacing_nm(film, substrate, 1.0, 1.0) == pytest.approx(film.d110_nm)
    assert coherent_spacing_nm(film, film) == pytest.approx(film.d110_nm)
