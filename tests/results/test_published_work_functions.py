"""The paper's own numbers give the paper's arithmetic, and what its text does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from rutile_assets.physics.work_function import dipole_note
from rutile_assets.results.published import PUBLISHED, paper_arithmetic

PAPER = Path(__file__).resolve().parents[3] / "shared" / "paper.txt"
# physics.md g: component at 3.5 nm by saturation length [nm]
KNOWN_EV = {1.0: 0.379, 2.0: 0.515, 3.0: 0.644, 5.0: 0.806, 8.0: 0.919, 12.0: 0.984, 20.0: 1.036}


def test_the_papers_arithmetic_is_reproduced_where_it_is_right() -> None:
    found = paper_arithmetic()
    assert found.modulation_ev == pytest.approx(1.15, abs=1e-9)
    assert found.linear_component_ev == pytest.approx(1.107, abs=5e-4)
    assert found.thinnest_linear_component_ev == pytest.approx(0.067, abs=5e-4)


@pytest.mark.parametrize(("length_nm", "component_ev"), KNOWN_EV.items())
def test_a_band_that_saturates_leaves_less(length_nm: float, component_ev: float) -> None:
    assert paper_arithmetic().saturating_component_ev[length_nm] == pytest.approx(component_ev, abs=5e-4)


def test_more_than_1_ev_hangs_on_the_straight_line_and_is_flagged() -> None:
    found = paper_arithmetic()
    assert found.longest_below_nm == pytest.approx(13.6, abs=0.05)
    assert len(found.flags) == 1
    assert "0.64 to 0.92 eV" in found.flags[0]


def test_every_point_stands_in_the_paper() -> None:
    if not PAPER.is_file():
        pytest.skip("the paper is not at hand")
    text = PAPER.read_text(encoding="utf-8")
    for point in PUBLISHED:
        assert f"{point.work_function_ev:.2f} eV" in text or f"{point.work_function_ev:g} eV" in text


def test_a_rise_is_told_as_a_dipole_with_its_negative_end_outward() -> None:
    """physics.md g: 1.15 eV is 0.587 D, 0.122 e angstrom, a (110) cell of coherent RuO2."""
    note = dipole_note(1.15)
    assert "0.59 D" in note
    assert "0.12 e angstrom" in note
    assert "negative end outward" in note
