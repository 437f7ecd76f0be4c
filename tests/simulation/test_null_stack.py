"""The null control's stack: the film's planes, each cation amid its oxygens, as far as the beam reaches."""

from __future__ import annotations

import numpy as np
import pytest

from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.crystals import NO_DISPLACEMENT, trilayer
from rutile_assets.simulation.null_stack import StackGeometry, null_stack

D = 3.2483


def test_from_planes_of_a_trilayer_comes_the_trilayer() -> None:
    made = trilayer((3, 3, 0), 6, NO_DISPLACEMENT)
    heights = np.array(sorted({round(c.y_angstrom, 6) for c in made.columns if c.element != "O"}))
    metals = ("Ti", "Ti", "Ti", "Ru", "Ru", "Ru")
    geometry = StackGeometry(metals, heights, np.array([D, 0.0]), np.array([0.0, D]), np.array([0.0, 0.5 * D]), True)
    stack = null_stack(geometry, np.array([1.0, 1.0]), np.array([18.0, 18.0]))
    places = np.array([[c.y_angstrom, c.x_angstrom] for c in stack.columns])
    inner = [c for c in made.columns if 2.0 < c.y_angstrom < 17.0 and 2.0 < c.x_angstrom < 17.0]
    assert len(inner) > 40
    for column in inner:
        away = np.hypot(*(places - [column.y_angstrom, column.x_angstrom]).T)
        nearest = stack.columns[int(away.argmin())]
        assert away.min() < 0.01  # the trilayer takes another u in RuO2
        assert (nearest.element, nearest.height) == (column.element, column.height)


def test_turned_images_and_far_corners_are_filled() -> None:
    turn = np.deg2rad(17.0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    steps = rotation @ np.diag([D, D])
    geometry = StackGeometry(("Ti", "Ru"), np.array([0.0, D]), steps[:, 0], steps[:, 1], np.array([9.0, 9.0]), False)
    stack = null_stack(geometry, np.zeros(2), np.full(2, 30.0))
    cations = np.array([[c.y_angstrom, c.x_angstrom] for c in stack.columns if c.element != "O"])
    rng = np.random.default_rng(0)
    for somewhere in rng.uniform(0.0, 30.0, (200, 2)):
        assert np.hypot(*(cations - somewhere).T).min() < D / np.sqrt(2.0) + 0.05
    for column in stack.columns:
        if column.element == "O":
            assert 1.2 < np.hypot(*(cations - [column.y_angstrom, column.x_angstrom]).T).min() < 2.05


def test_planes_that_do_not_rise_are_refused() -> None:
    geometry = StackGeometry(("Ti", "Ti"), np.array([3.0, 0.0]), np.array([D, 0]), np.array([0, D]), np.zeros(2), True)
    with pytest.raises(InvalidRecord, match="rise"):
        null_stack(geometry, np.zeros(2), np.full(2, 10.0))
