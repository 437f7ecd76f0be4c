"""Surfaces and potentials as scanning probes see them: the numbers of the truth come out of the images."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation import afm, kpfm, sessions
from rutile_assets.simulation.afm import AfmSetup
from rutile_assets.simulation.kpfm import KpfmSetup
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import D110_TIO2_NM, TIP_WORK_FUNCTION_EV, UNCAPPED, TipVisit, film_truth


def test_a_staircase_about_its_plane_has_sq_of_step_over_root_12(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afm, "TIP_NM", 0.0)
    setup = AfmSetup(pixels=128, meander=0.0)
    stairs = [afm.plane_removed(afm._staircase(setup, 0.5, generator(seed, "stairs"))).std() for seed in range(5)]
    assert np.mean(stairs) == pytest.approx(D110_TIO2_NM / np.sqrt(12.0), rel=0.02)


def test_steps_are_one_plane_high() -> None:
    heights = afm._staircase(AfmSetup(pixels=64), 0.1, generator(0, "stairs"))
    steps = np.unique(np.round(heights / D110_TIO2_NM, 9))
    assert len(steps) > 5
    assert steps == pytest.approx(np.round(steps))


@pytest.mark.parametrize("sq_pm", [155.0, 200.0])
def test_images_of_a_surface_scatter_about_the_films_sq(sq_pm: float) -> None:
    heights = [afm.surface(AfmSetup(pixels=64), sq_pm, Realism(), generator(seed, "surface")) for seed in range(12)]
    own = np.array([1e3 * image.std() for image in heights])
    error = own.std(ddof=1) / np.sqrt(len(own))
    assert own.mean() == pytest.approx(sq_pm, abs=3.5 * error)
    assert 0.001 * sq_pm < error < 0.02 * sq_pm
    assert afm.plane_removed(heights[0]) == pytest.approx(heights[0], abs=1e-12)


def test_a_surface_smoother_than_its_own_steps_is_refused_in_words() -> None:
    with pytest.raises(InvalidRecord, match="steps of"):
        afm.surface(AfmSetup(pixels=64), 50.0, Realism(), generator(0, "surface"))


def test_an_ideal_scanner_returns_the_surface() -> None:
    heights = afm.surface(AfmSetup(pixels=64), 200.0, IDEAL, generator(0, "surface"))
    assert np.array_equal(afm.scanned(heights, IDEAL, generator(1, "scan")), heights)


def test_line_jumps_raise_sq_of_raw_rows_and_leave_each_row_alone() -> None:
    heights = afm.surface(AfmSetup(pixels=64), 200.0, IDEAL, generator(0, "surface"))
    jumping = afm.scanned(heights, replace(IDEAL, line_jump_nm=0.15), generator(1, "scan"))
    difference = jumping - heights
    assert difference.std(axis=1).max() < 1e-12
    assert difference[:, 0].std() == pytest.approx(0.15, rel=0.35)


def test_a_changed_tip_steps_the_height_and_blunts_what_follows() -> None:
    heights = afm.surface(AfmSetup(pixels=64), 200.0, IDEAL, generator(0, "surface"))
    image = afm.scanned(heights, replace(IDEAL, tip_change_probability=1.0), generator(2, "scan"))
    changed = np.abs(image - heights).max(axis=1) > 0
    assert 0 < changed.sum() < 64
    assert not changed[: np.argmax(changed)].any()
    assert np.diff(image, axis=1)[changed].std() < np.diff(heights, axis=1)[changed].std()


def test_the_mean_of_potential_maps_is_the_films_and_their_spread_the_papers() -> None:
    truth = film_truth("SIM", UNCAPPED, 3.5, IDEAL, generator(0, "SIM", "film"))
    maps = [kpfm.potential(KpfmSetup(), truth.v_cpd_v, IDEAL, generator(seed, "kpfm")) for seed in range(40)]
    means = np.array([m.mean() for m in maps])
    assert means.mean() == pytest.approx(truth.v_cpd_v, abs=4 * means.std() / np.sqrt(len(maps)))
    assert np.sqrt(np.mean([m.var() for m in maps])) == pytest.approx(1.6e-3, rel=0.03)
    # smooth patches: the mean of a map is known far less well than pixels over root N
    assert means.std() > 5 * 1.6e-3 / 128


def test_tip_offset_differs_from_map_to_map_and_drift_vanishes_in_the_mean() -> None:
    quiet = KpfmSetup(patch_sd_v=0.0)
    offsets = [
        kpfm.potential(quiet, 0.1, replace(IDEAL, tip_offset_v=3e-3), generator(seed, "kpfm")).mean() - 0.1
        for seed in range(300)
    ]
    assert np.std(offsets) == pytest.approx(3e-3, rel=0.15)
    drifting = kpfm.potential(quiet, 0.1, replace(IDEAL, tip_drift_v=5e-3), generator(0, "kpfm"))
    assert drifting.mean() == pytest.approx(0.1, abs=1e-12)
    assert np.ptp(drifting[:, 0]) > 1e-4
    assert np.ptp(drifting[0]) == 0.0


def test_a_kpfm_file_holds_topography_and_potential_of_one_area() -> None:
    truth = film_truth("SIM", UNCAPPED, 3.5, Realism(), generator(0, "SIM", "film"))
    images = kpfm.simulate_kpfm(truth, KpfmSetup(pixels=32), Realism(), generator(0, "kpfm"))
    assert [i.label for i in images] == ["HeightRetrace", "AmplitudeRetrace", "PhaseRetrace", "NapPotentialRetrace"]
    assert {i.values.shape for i in images} == {(32, 32)}


def test_a_session_has_one_tip_that_drifts_and_the_next_another() -> None:
    began = datetime(2025, 3, 17, 9)
    realism = Realism()
    first, last = sessions.reference_visits(0, 3, began, realism)
    films = [sessions.sample_visit(0, 3, turn, began, realism) for turn in range(sessions.SAMPLES)]
    visits = [first, *films, last]
    assert {visit.tip for visit in visits} == {"T04"}
    assert [v.started_at for v in visits] == sorted(v.started_at for v in visits)
    # a straight line between the visits of the reference, each at the middle of its maps
    at = np.array([v.started_at.timestamp() + 600.0 * v.maps for v in visits])
    level = np.array([v.tip_work_function_ev for v in visits])
    assert np.interp(at, at[[0, -1]], level[[0, -1]]) == pytest.approx(level, abs=1e-9)
    spans = [np.subtract(*[v.tip_work_function_ev for v in sessions.reference_visits(0, s, began, realism)])
             for s in range(200)]  # fmt: skip
    tips = [sessions.sample_visit(0, s, 2, began, realism).tip_work_function_ev for s in range(200)]
    assert np.std(spans) == pytest.approx(realism.session_drift_ev, rel=0.15)
    assert np.std(tips) == pytest.approx(realism.tip_scatter_ev, rel=0.15)
    assert sessions.reference_visits(0, 3, began, IDEAL)[0].tip_work_function_ev == TIP_WORK_FUNCTION_EV


def test_a_truth_of_several_visits_names_them_as_the_room_does_and_of_one_visit_not() -> None:
    truth = film_truth("SIM", UNCAPPED, 5.2, IDEAL, generator(0, "SIM", "film"))
    visits = tuple(TipVisit(tip, datetime(2025, 3, 17, hour), 4.9, 2) for tip, hour in (("T01", 9), ("T01", 18)))
    named = {q.subject: q.value for q in replace(truth, visits=visits).quantities() if q.quantity == "v_cpd_v"}
    assert set(named) == {"tip T01, 2025-03-17 09:00", "tip T01, 2025-03-17 18:00"}
    assert set(named.values()) == {4.9 - truth.work_function_ev}
    assert {q.subject for q in replace(truth, visits=visits[:1]).quantities() if q.quantity == "v_cpd_v"} == {""}
