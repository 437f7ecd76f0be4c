"""One scale under many tips: against the closed form, tips that change, sessions, pulls."""

from __future__ import annotations

import numpy as np
import pytest

from rutile_assets.physics.contact_potential import work_functions
from rutile_assets.physics.tip_sessions import Reference, Scale, TipHabits, Visit, one_scale, sessions

LIGHT = Reference("R", 5.0, 0.03, {"onset": 0.04})


def test_one_visit_of_one_reference_is_the_closed_form() -> None:
    visits = [Visit("R", "T1", 0.0, 0.1, 0.01), Visit("A", "T1", 0.0, 0.3, 0.01), Visit("B", "T1", 0.0, -0.2, 0.02)]
    found = one_scale(visits, [Reference("R", 5.0, 0.05)])
    values, covariance = work_functions(np.array([0.1, 0.3, -0.2]), np.array([0.01, 0.01, 0.02]), 0, 5.0, 0.05)
    np.testing.assert_allclose(found.values_ev, values, atol=1e-9)
    np.testing.assert_allclose(found.covariance_ev2, covariance, atol=1e-12)
    np.testing.assert_allclose(found.own_std_ev, [0.0, 0.01, 0.02], atol=1e-9)


def test_drift_between_two_looks_at_the_reference_is_taken_off_and_shared() -> None:
    visits = [
        Visit("R", "T1", 0.0, 0.100, 0.002),
        Visit("A", "T1", 3.0, 0.310, 0.002),
        Visit("B", "T1", 6.0, 0.320, 0.002),
        Visit("R", "T1", 9.0, 0.130, 0.002),
    ]
    found = one_scale(visits, [LIGHT], TipHabits(drift_v_per_h=0.1))
    np.testing.assert_allclose(found.values_ev, [5.0, 4.80, 4.80], atol=2e-5)
    assert found.drift_v_per_h["T1"] == pytest.approx(0.030 / 9.0, rel=1e-3)
    a, b = 1, 2
    # var of the line at 1/3 and 2/3 of the way, and what both share of it
    assert found.covariance_ev2[a, a] - 0.03**2 == pytest.approx(0.002**2 * (1 + 5 / 9), rel=1e-2)
    assert found.covariance_ev2[a, b] - 0.03**2 == pytest.approx(0.002**2 * 4 / 9, rel=1e-2)
    np.testing.assert_allclose(found.systematics_ev["onset"], 0.04, atol=1e-9)


def test_a_tip_that_changed_widens_what_lies_between_and_says_so() -> None:
    visits = [Visit("R", "T1", 0.0, 0.1, 0.002), Visit("A", "T1", 4.5, 0.3, 0.002), Visit("R", "T1", 9.0, 0.4, 0.002)]
    found = one_scale(visits, [LIGHT])
    assert np.sqrt(found.covariance_ev2[1, 1]) == pytest.approx(np.hypot(0.15, 0.03), rel=0.01)
    assert "the tip has changed" in found.notes[0]


def test_a_session_without_a_reference_gives_nothing_and_says_why() -> None:
    found = one_scale([Visit("R", "T1", 0.0, 0.1, 0.01), Visit("A", "T2", 0.0, 0.2, 0.01)], [LIGHT])
    assert found.samples == ("R",)
    assert "T2" in found.left_out["A"]
    assert one_scale([], [LIGHT]).samples == ()


def test_long_pauses_part_sessions_and_unknown_times_do_not() -> None:
    assert sessions(["T1", "T1", "T1", "T2"], np.array([0.0, 2.0, 300.0, 1.0]), 6.0) == [
        "T1, session 1", "T1, session 1", "T1, session 2", "T2, session 1",
    ]  # fmt: skip
    assert sessions(["T1", "T1"], np.array([np.nan, np.nan]), 6.0) == ["T1", "T1"]


def test_pulls_over_tips_with_drift_and_a_sample_under_two_tips() -> None:
    pulls: dict[str, list[float]] = {"A": [], "A-B": [], "C": []}
    for seed in range(300):
        found, true = _drawn(np.random.default_rng([seed, 1]))
        place = {name: i for i, name in enumerate(found.samples)}
        whole = found.covariance_ev2 + sum(np.outer(s, s) for s in found.systematics_ev.values())
        for name in ("A", "C"):
            off = found.values_ev[place[name]] - true[name]
            pulls[name].append(off / np.sqrt(whole[place[name], place[name]]))
        a, b = place["A"], place["B"]
        off = found.values_ev[a] - found.values_ev[b] - true["A"] + true["B"]
        pulls["A-B"].append(off / np.sqrt(whole[a, a] + whole[b, b] - 2.0 * whole[a, b]))
    for name, values in pulls.items():
        assert abs(np.mean(values)) <= 0.1 + 2.0 / np.sqrt(300), name
        assert 0.9 <= np.std(values, ddof=1) <= 1.1, name


def _drawn(rng: np.random.Generator) -> tuple[Scale, dict[str, float]]:
    """Return the scale of three samples under two drifting tips, one of them under both, and the truth."""
    true = {"R": 5.0, "A": 4.3, "B": 5.4, "C": 4.9}
    visits = []
    for tip, order in (("T1", "RABR"), ("T2", "RCAR")):
        own, drift = 4.95 + 0.1 * rng.normal(), 0.003 * rng.normal()
        for turn, sample in enumerate(order):
            hours = 2.0 * turn
            v = own + drift * hours - true[sample] + 0.005 * rng.normal()
            visits.append(Visit(sample, tip, hours, v, 0.005))
    light = Reference("R", 5.0 + 0.03 * rng.normal() + 0.04 * rng.normal(), 0.03, {"onset": 0.04})
    return one_scale(visits, [light]), true
