"""The paper's transport numbers: its arithmetic where it is right, and flags where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rutile_assets.physics.two_channel import paper_literal, trilayer
from rutile_assets.results.published_transport import (
    PUBLISHED,
    single_band_mobility_cm2_per_vs,
    transport_arithmetic,
)

PAPER = Path(__file__).resolve().parents[3] / "shared" / "paper.txt"
FLAGS = {flag.name: flag for flag in transport_arithmetic().flags}


def test_a_line_through_the_printed_numbers_gives_them_back() -> None:
    found = transport_arithmetic()
    assert found.film_line == pytest.approx((15875.0, 1.59))
    assert found.trilayer_line == pytest.approx((11700.0, 0.71))


def test_the_interface_is_not_much_less_conducting() -> None:
    assert transport_arithmetic().interface_ratio == pytest.approx(0.259, abs=5e-4)
    assert FLAGS["interface is much less than bulk"].follows == pytest.approx(0.259, abs=5e-4)


def test_with_sigma_i_put_back_the_interface_is_thicker_than_the_film_it_is_taken_from() -> None:
    assert transport_arithmetic().interface_thickness_nm == pytest.approx(2.147, abs=5e-4)
    flag = FLAGS["interface thickness"]
    assert (flag.stated, flag.follows) == (1.59, pytest.approx(2.147, abs=5e-4))
    assert flag.follows > 2.1


def test_the_representative_film_is_an_outlier_of_the_line_that_it_completes() -> None:
    found = transport_arithmetic()
    assert found.line_at_representative == pytest.approx(8096, abs=0.5)
    assert found.with_interface == pytest.approx(14642, abs=0.5)
    assert found.sheet_resistance_ohm == pytest.approx(683, abs=0.5)
    assert found.over_line_ratio == pytest.approx(1.81, abs=5e-3)
    assert found.solved == pytest.approx((6973, 2.835), rel=2e-4)
    assert "1.81 times" in FLAGS["representative film"].sentence


def test_read_as_all_interface_that_film_lies_near_the_line() -> None:
    found = transport_arithmetic()
    assert found.all_interface == pytest.approx(8646, abs=0.5)
    assert found.all_interface_over_line_ratio == pytest.approx(1.068, abs=5e-4)


def test_bulk_conductivities_beside_each_other_and_beside_the_literature() -> None:
    found = transport_arithmetic()
    ratios = found.film_over_bulk_ratio, found.trilayer_over_bulk_ratio, found.trilayer_over_film_ratio
    assert ratios == pytest.approx((0.559, 0.412, 0.737), abs=5e-4)
    assert 1e6 / np.array([15875.0, 11700.0, 28400.0]) == pytest.approx([63.0, 85.5, 35.2], abs=0.05)


def test_the_trilayers_formula_as_printed_is_not_the_right_one() -> None:
    found = transport_arithmetic()
    assert found.trilayer_mean_nm == pytest.approx(1.095, abs=1e-3)
    assert found.trilayer_literal_nm == pytest.approx(2.397, abs=1e-3)
    t = np.array([3.0, 5.0])
    same = (0.7, 11700.0), (0.7, 11700.0)
    assert trilayer(t, 11700.0, *same) == pytest.approx(t * 11700.0)
    assert paper_literal(t, 11700.0, *same) == pytest.approx((t + 1.4) * 11700.0)
    dead = (0.7, 0.0), (0.7, 0.0)
    assert trilayer(t, 11700.0, *dead) == pytest.approx(paper_literal(t, 11700.0, *dead))
    lower, upper = (0.4, 3000.0), (0.6, 5000.0)
    cross = 0.4 * 5000.0 + 0.6 * 3000.0
    assert paper_literal(t, 11700.0, lower, upper) - trilayer(t, 11700.0, lower, upper) == pytest.approx(cross)


def test_two_unit_cells_are_two_planes() -> None:
    assert transport_arithmetic().intercept_planes_count == pytest.approx(2.24, abs=0.01)
    assert single_band_mobility_cm2_per_vs(15875.0, 1e22) == pytest.approx(9.9, abs=0.02)


@pytest.mark.skipif(not PAPER.is_file(), reason="the paper's text is not here")
def test_every_printed_number_stands_in_the_paper() -> None:
    text = PAPER.read_text(encoding="utf-8")
    for number in PUBLISHED.values():
        written = f"{number.value:,.10g}"
        assert written in text or f"{number.value:g}" in text, number.name


def test_without_reason_there_is_no_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "rutile_assets.results.published_transport.printed",
        lambda name: {"film_interface_s_per_cm": 100.0, "trilayer_bulk_s_per_cm": 15800.0}.get(
            name, PUBLISHED[name].value
        ),
    )
    assert transport_arithmetic().flags == ()
