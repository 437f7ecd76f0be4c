"""Conductance, carriers and onsets of a series from tables alone: known truth, joint errors, and what is not told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from transport_campaign import campaign, run

from rutile_assets.physics.two_channel import KINK
from rutile_assets.provenance.film import Outcome
from rutile_assets.results import conductivity_figures as figures
from rutile_assets.results.carriers import carriers
from rutile_assets.results.conductivity import conductivity
from rutile_assets.results.conductivity_tables import AS_UNCAPPED, INSULATING, LITERAL
from rutile_assets.results.film_transport import ConductivityParameters
from rutile_assets.results.onsets import onset
from rutile_assets.simulation.series_transport import onset_nm, transport_truth
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, FilmTruth, LayerTruth

TEMPERATURES = (1.8, 100.0, 300.0)
DIP_NM, PEAK_NM = 3.436, 3.542  # of the true curves, uncapped, 300 K
TRILAYER_PEAK_NM = 1.953


def _numbers(outcome: Outcome) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return an outcome's results as the lake would serve them: numbers, and named effects."""
    rows: list[dict[str, object]] = []
    effects: list[dict[str, object]] = []
    for result in outcome.results:
        e = result.estimate
        for i, quantity in enumerate(e.quantities):
            kelvin = list(result.temperature_k)[i] if len(result.temperature_k) else np.nan
            rows.append(
                {
                    "result_id": len(rows) + 1, "growth_id": None, "series": result.series, "quantity": quantity,
                    "subject": e.subjects[i], "temperature_k": kelvin, "value": e.values[i], "sigma": e.std[i],
                    "sigma_statistical": e.statistical_std[i],
                }
            )  # fmt: skip
            effects += [{"result_id": len(rows), "effect": n, "shift": s[i]} for n, s in e.systematics.items()]
    return pd.DataFrame(rows), pd.DataFrame(effects, columns=["result_id", "effect", "shift"])


def _onsets(seed: int) -> Outcome:
    tables, numbers = campaign(seed, 0.05, 0.02, shared_nm=0.08)
    made = run(carriers, tables, numbers)
    found, effects = _numbers(made)
    shg = {
        "result_id": 1, "growth_id": None, "series": UNCAPPED, "quantity": "shg_onset_nm", "subject": "ss part",
        "temperature_k": np.nan, "value": 4.2, "sigma": 0.3, "sigma_statistical": 0.3,
    }  # fmt: skip
    tables |= {"carriers": made.tables["carriers"], "systematics of carriers": effects}
    return run(onset, tables, {**numbers, "carriers": found, "shg_trend": pd.DataFrame([shg])})


def test_every_temperature_has_its_line_and_trilayers_have_only_that() -> None:
    tables, numbers = campaign(3, 0.05, 0.02, TEMPERATURES)
    outcome = run(conductivity, tables, numbers)
    rows = outcome.tables["conductivity"].set_index(["series", "temperature_k"])
    assert len(rows) == 6
    assert (rows.loc[UNCAPPED].channel_shape == KINK).all()
    for kelvin, bulk, intercept in ((1.8, 33500.0, 1.71), (100.0, 27000.0, 1.66), (300.0, 15875.0, 1.59)):
        row = rows.loc[(UNCAPPED, kelvin)]
        assert abs(row.bulk_conductivity_s_per_cm - bulk) < 3.0 * row.bulk_conductivity_s_per_cm_std
        assert abs(row.line_intercept_nm - intercept) < 3.0 * row.line_intercept_nm_std
        assert row.bulk_intercept_correlation_ratio > 0.3
    capped = rows.loc[TRILAYER]
    assert capped.interface_thickness_nm.isna().all()
    assert capped.notes.str.contains("measures sigma_b and x0 only").all()
    told = {(r.series, q, s) for r in outcome.results for q, s in zip(r.estimate.quantities, r.estimate.subjects)}  # noqa: B905
    assert (UNCAPPED, "interface_thickness_nm", "300 K") in told
    assert (TRILAYER, "line_intercept_nm", "1.8 K") in told
    assert (TRILAYER, "interface_thickness_nm", "300 K") not in told


def test_readings_of_the_intercept_stand_beside_each_other() -> None:
    tables, numbers = campaign(3, 0.05, 0.02)
    outcome = run(conductivity, tables, numbers)
    readings = outcome.tables["conductivity_reading"].set_index(["series", "assumption"])
    row = outcome.tables["conductivity"].set_index("series").loc[TRILAYER]
    sigma_i = outcome.tables["conductivity"].set_index("series").loc[UNCAPPED, "interface_conductivity_s_per_cm"]
    mean, literal = readings.loc[(TRILAYER, AS_UNCAPPED)], readings.loc[(TRILAYER, LITERAL)]
    assert readings.loc[(TRILAYER, INSULATING), "read_thickness_nm"] == pytest.approx(row.line_intercept_nm)
    ratio = sigma_i / row.bulk_conductivity_s_per_cm
    assert mean.read_thickness_nm == pytest.approx(row.line_intercept_nm / (1.0 - ratio))
    assert literal.read_thickness_nm == pytest.approx(row.line_intercept_nm / (1.0 - 2.0 * ratio))
    assert mean.read_thickness_nm_std > row.line_intercept_nm_std


def test_films_below_the_kink_are_named_and_foretold_from_the_others() -> None:
    tables, numbers = campaign(3, 0.05, 0.02)
    points = run(conductivity, tables, numbers).tables["conductivity_point"].set_index("growth_id")
    assert not points.is_on_line["Ru-1.5"]
    assert points.is_on_line["Ru-3.5"]
    assert points.line_2d_s["Ru-1.5"] < 0.2 * points.sigma_2d_s["Ru-1.5"]
    thick = points[points.trend_thickness_nm > 3.0]
    off = (thick.sigma_2d_s - thick.foretold_2d_s) / np.hypot(thick.foretold_2d_s_std, 0.02 * thick.sigma_2d_s)
    assert np.abs(off).max() < 4.0
    assert np.abs(points.channel_residual).max() < 4.0


def test_a_thickness_error_that_films_share_is_a_named_part_and_moves_the_intercept_one_to_one() -> None:
    tables, numbers = campaign(3, 0.05, 0.02, shared_nm=0.08)
    film, trilayer = (
        next(r.estimate for r in run(conductivity, tables, numbers).results if r.series == s)
        for s in (UNCAPPED, TRILAYER)
    )
    place = film.quantities.index("line_intercept_nm")
    assert film.systematics["adsorbate"][place] == pytest.approx(0.08, rel=0.03)
    assert abs(film.systematics["adsorbate"][0]) < 1.0  # S/cm: the slope stays
    assert film.sigma("line_intercept_nm", "300 K") > 0.08
    assert np.allclose(trilayer.systematics["adsorbate"], 0.0)
    more = run(conductivity, tables, numbers, ConductivityParameters(thickness_shared_nm=0.1))
    assert more.results[0].estimate.systematics["shared thickness"][place] == pytest.approx(0.1, rel=0.03)


def test_too_few_films_get_no_number_but_a_sentence() -> None:
    tables, numbers = campaign(3, 0.05, 0.02)
    few = tables["growth"].growth_id.isin(["Ru-3.5", "Ru-8"])
    tables["growth"] = tables["growth"][few]
    outcome = run(conductivity, tables, numbers)
    assert outcome.tables["conductivity"].empty
    assert "2 thicknesses" in outcome.notes[0]
    made = run(carriers, tables, numbers)
    assert "2 thicknesses" in made.notes[0]
    assert made.tables["carriers"].density_dip_thickness_nm.isna().all()


def test_dip_and_peak_are_told_with_their_correlation_and_a_featureless_density_has_no_dip() -> None:
    tables, numbers = campaign(4, 0.05, 0.02)
    rows = run(carriers, tables, numbers).tables["carriers"].set_index("series")
    film, trilayer = rows.loc[UNCAPPED], rows.loc[TRILAYER]
    assert abs(film.density_dip_thickness_nm - DIP_NM) < 3.0 * film.density_dip_thickness_nm_std
    assert abs(film.mobility_peak_thickness_nm - PEAK_NM) < 3.0 * film.mobility_peak_thickness_nm_std
    assert film.mobility_peak_thickness_nm_std < 0.08
    assert film.dip_peak_correlation_ratio > 0.5
    assert pd.isna(trilayer.density_dip_thickness_nm)
    assert "No dip" in trilayer.notes
    if pd.notna(trilayer.mobility_peak_thickness_nm):
        off = trilayer.mobility_peak_thickness_nm - TRILAYER_PEAK_NM
        assert abs(off) < 4.0 * trilayer.mobility_peak_thickness_nm_std


def test_a_density_in_proportion_to_the_thickness_has_neither_dip_nor_peak_and_its_slope_is_n3d() -> None:
    told, slopes = 0, []
    for seed in range(2):
        tables, numbers = campaign(seed, 0.05, 0.02, density=lambda _, t: 1e15 * t)
        rows = run(carriers, tables, numbers).tables["carriers"].set_index("series")
        told += int(rows.density_dip_thickness_nm.notna().sum()) + int(rows.mobility_peak_thickness_nm.notna().sum())
        film = rows.loc[UNCAPPED]
        slopes.append((film.carrier_density_per_cm3 - 1e22) / film.carrier_density_per_cm3_std)
    assert told == 0
    assert np.abs(slopes).max() < 3.5


def test_orders_are_probabilities_and_what_films_share_cancels() -> None:
    outcome = _onsets(5)
    events = outcome.tables["onset"].set_index(["series", "event"])
    relaxed = events.loc[(UNCAPPED, "relaxation [001]")]
    assert relaxed.event_verdict == "onset"
    assert abs(relaxed.event_thickness_nm - 4.5) < 3.0 * relaxed.event_thickness_nm_std
    assert relaxed.event_after_nm < relaxed.event_before_nm
    orders = outcome.tables["onset_ordering"].query("series == @UNCAPPED").set_index(["first_event", "second_event"])
    pair = orders.loc[("mobility peak", "relaxation [001]")]
    back = orders.loc[("relaxation [001]", "mobility peak")]
    assert pair.ordering_probability > 0.999
    assert pair.ordering_probability + back.ordering_probability == pytest.approx(1.0)
    apart = np.hypot(relaxed.event_thickness_nm_std, events.loc[(UNCAPPED, "mobility peak"), "event_thickness_nm_std"])
    assert pair.ordering_distance_nm_std < apart
    assert 0.5 < orders.loc[("second harmonic (ss part)", "relaxation [001]"), "ordering_probability"] < 1.0
    assert {r.estimate.subjects[0] for r in outcome.results} == {"[001]", "[1-10]"}


def test_films_that_stay_coherent_give_bounds_and_no_onset() -> None:
    tables, numbers = campaign(5, 0.05, 0.02)
    rng = np.random.default_rng(1)
    flat = numbers["rsm_fit"].assign(value=0.01 * rng.normal(size=len(numbers["rsm_fit"])))
    tables["carriers"] = pd.DataFrame(columns=["series", "temperature_k", "dip_peak_correlation_ratio"])
    rows = run(onset, tables, {**numbers, "rsm_fit": flat}).tables["onset"]
    assert rows.event_thickness_nm.isna().all()
    assert (rows.event_verdict == "coherent").all()
    assert rows.event_after_nm.min() > 10.0
    assert rows.notes.str.contains("95 %").all()


def test_figures_show_what_the_tables_hold() -> None:
    tables, numbers = campaign(3, 0.05, 0.02, TEMPERATURES[1:])
    drawn = figures.conductance(None, run(conductivity, tables, numbers))  # type: ignore[arg-type]
    assert drawn is not None
    assert [axes.get_title() for axes in drawn.axes] == [UNCAPPED, TRILAYER]
    labels = [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
    assert len(labels) == 2
    assert "t_i" in labels[0]
    none = Outcome({"conductivity": pd.DataFrame(), "carriers": pd.DataFrame(), "onset": pd.DataFrame()})
    assert figures.conductance(None, none) is None  # type: ignore[arg-type]
    assert figures.density_and_mobility(None, none) is None  # type: ignore[arg-type]
    assert figures.onsets(None, none) is None  # type: ignore[arg-type]


def test_the_truth_of_a_series_is_that_of_its_curves() -> None:
    films = [
        FilmTruth(f"F{t}", UNCAPPED, (LayerTruth("RuO2", t, t, 0.2, 7.05, "film"),), 0.2, 0.0, 5.0, 4.95, 200.0, ())
        for t in (1.5, 2.5, 3.5, 17.2)
    ]
    known = {(r["quantity"], r["subject"]): r["value"] for r in transport_truth(films)}
    assert known[("bulk_conductivity_s_per_cm", "300 K")] == 15875.0
    assert known[("interface_thickness_nm", "300 K")] == pytest.approx(2.147, abs=1e-3)
    assert known[("density_dip_thickness_nm", "300 K")] == pytest.approx(DIP_NM, abs=2e-3)
    assert known[("mobility_peak_thickness_nm", "300 K")] == pytest.approx(PEAK_NM, abs=2e-3)
    assert onset_nm(0) == onset_nm(1) == pytest.approx(4.5, abs=2e-3)
    assert known[("relaxation_onset_nm", "[001]")] == pytest.approx(4.5, abs=2e-3)
    assert transport_truth(films[:3]) == []
