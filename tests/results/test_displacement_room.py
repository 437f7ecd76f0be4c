"""From rows of fitted columns to plane means, their null, the peak and polarization: no images, no lake."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fitted_stacks import Drawn

from rutile_assets.provenance.film import Outcome
from rutile_assets.results.displacement import ROOM, displacement_plane

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


def _checked(outcome: Outcome) -> tuple[pd.DataFrame, dict[str, Any]]:
    frames = {
        table.name: table.frame(outcome.tables[table.name].assign(growth_id="g", entity_id=0)) for table in ROOM.tables
    }
    return frames["displacement_plane"], frames["displacement_plane_image"].to_dict("records")[0]


def _value(outcome: Outcome, quantity: str, subject: str) -> tuple[float, float]:
    for result in outcome.results:
        one = result.estimate
        if (quantity, subject) in zip(one.quantities, one.subjects, strict=True):
            return one.value(quantity, subject), one.sigma(quantity, subject)
    raise AssertionError(f"no {quantity} of {subject!r}")


def test_a_displaced_stack_gives_its_profile_its_peak_its_planes_and_polarization() -> None:
    drawn = Drawn(9.0)
    film = drawn.film(1)
    outcome = displacement_plane.compute(film)
    planes, image = _checked(outcome)
    truth = drawn.made.moved_pm[planes.plane_index.to_numpy(dtype=int)]
    pulls = (planes.displacement_out_of_plane_pm - truth) / planes.displacement_out_of_plane_pm_std
    assert np.abs(pulls).max() < 3.5
    assert np.abs(planes.displacement_in_plane_pm / planes.displacement_in_plane_pm_std).max() < 3.5
    assert list(planes.element) == ["Ru" if 6 <= p <= 13 else "Ti" for p in planes.plane_index]
    assert image["zero_probability"] < 1e-6
    assert image["null_probability"] < 1e-6
    assert image["midplane_index_number"] == 9.5
    assert image["odd_chi_square_ratio"] > 5.0 * image["even_chi_square_ratio"]
    true_peak = float(np.mean(drawn.made.moved_pm[[5, 6]]))
    for subject, sign in (("lower interface", 1.0), ("upper interface", -1.0), ("from TiO2 into RuO2", 1.0)):
        value, sigma = _value(outcome, "displacement_peak_pm", subject)
        assert abs(value - sign * true_peak) < 3.5 * sigma
        value, sigma = _value(outcome, "displacement_peak_pm", f"{subject}, less the null")
        assert abs(value - sign * true_peak) < 3.5 * sigma
    assert _value(outcome, "ru_planes_count", "")[0] == 8.0
    thick, sigma = _value(outcome, "ruo2_thickness_nm", "")
    assert abs(thick - 2.614) < 0.03
    assert sigma == pytest.approx(0.327 / np.sqrt(12.0), rel=0.05)
    assert image["agrees_with_xrr"]
    assert not image["agrees_with_laue"]  # 3.2 nm are ten planes
    assert "disagrees with Laue" in image["notes"]
    polar, sigma = _value(outcome, "polarization_uc_per_cm2", "TiO2 plane at the lower interface")
    assert abs(polar - 6.3 * drawn.made.moved_pm[5] * 16.02 / 31.22) < 2.0 * sigma
    assert planes.polarization_plane_uc_per_cm2[planes.element == "Ru"].isna().all()
    figure = displacement_plane.figure
    assert figure is not None
    assert figure(film, outcome) is not None


def test_an_undisplaced_stack_is_consistent_with_nothing_and_its_peak_is_not_the_largest_mean() -> None:
    drawn = Drawn(0.0)
    pulls, probabilities = [], []
    for seed in range(24):
        outcome = displacement_plane.compute(drawn.film(seed))
        value, sigma = _value(outcome, "displacement_peak_pm", "from TiO2 into RuO2")
        pulls.append(value / sigma)
        probabilities.append(_value(outcome, "displacement_null_probability", "against zero")[0])
    assert abs(np.mean(pulls)) < 0.1 + 2.0 / np.sqrt(len(pulls))
    assert np.mean(np.array(probabilities) < 0.05) <= 0.15


def test_what_the_fit_invents_passes_for_polarity_against_zero_and_not_against_the_null() -> None:
    drawn = Drawn(0.0)
    for source, pipeline in (("image", 0), ("pipeline", 3)):
        outcome = displacement_plane.compute(drawn.film(7, bias_pm=3.0, pipeline=pipeline))
        planes, image = _checked(outcome)
        assert image["zero_probability"] < 1e-3
        assert image["null_probability"] > 0.01
        assert set(planes.null_source) == {source}
        assert planes.image_null_pm.notna().all()
        assert "proves no polarity" in image["antisymmetry"]
        assert image["odd_chi_square_ratio"] > 2.0 * image["even_chi_square_ratio"]
        left, sigma = _value(outcome, "displacement_peak_pm", "from TiO2 into RuO2, less the null")
        assert abs(left) < 3.0 * sigma
        _, wide = _value(outcome, "displacement_peak_pm", "from TiO2 into RuO2")
        assert wide > 2.0  # the null's value is a named part of what is reported as measured


def test_a_sign_that_nobody_knows_is_said_and_the_direction_into_ruo2_is_known_all_the_same() -> None:
    outcome = displacement_plane.compute(Drawn(9.0).film(3, is_known=False))
    assert any("may be the other way round" in note for note in outcome.notes)
    assert _value(outcome, "displacement_peak_pm", "from TiO2 into RuO2")[0] > 0


def test_an_image_without_oxygen_has_planes_and_thickness_and_no_displacement() -> None:
    outcome = displacement_plane.compute(Drawn(9.0).film(3, has_oxygen=False))
    assert not outcome.tables
    assert _value(outcome, "ru_planes_count", "ptychography")[0] == 8.0
    assert any("no oxygen" in note for note in outcome.notes)
