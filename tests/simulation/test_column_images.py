"""Drawn images: their truth is where the columns are, by means that share nothing with the drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.column_images import ColumnImageSetup, Distortion, draw_columns
from rutile_assets.simulation.crystals import Displacement

QUIET = ColumnImageSetup(planes=(3, 2, 2), columns=5, signal_to_noise=1e9, height_spread=0.0, background=0.0)


def test_a_column_far_from_others_has_its_centre_of_mass_and_height_where_it_was_drawn() -> None:
    """Only titanium, so that neighbours are symmetric; a shear and a turn move it and the truth together."""
    setup = replace(QUIET, heights={"Ti": 8.0}, tail_share=0.0, distortion=Distortion(12.0, 0.03, -0.02, 0.01, 10.0))
    drawn = draw_columns(setup, np.random.default_rng(0))
    far = (np.array(drawn.image.shape) - 1) * drawn.pixel_angstrom
    inner = np.minimum(drawn.positions_angstrom, far - drawn.positions_angstrom).min(axis=1) > 2.0
    grid = np.argwhere(np.ones(drawn.image.shape, dtype=bool)) * drawn.pixel_angstrom
    for place in drawn.positions_angstrom[inner]:
        near = np.hypot(*(grid - place).T) < 1.5
        weight = drawn.image.ravel()[near]
        assert np.abs(weight @ (grid[near] - place) / weight.sum()).max() < 2e-3
        assert weight.max() == pytest.approx(8.0, rel=0.05)  # pixels integrate, and their centres miss the column's


def test_pixels_integrate_and_tails_are_exponential() -> None:
    setup = replace(QUIET, planes=(3, 0, 0), columns=3, heights={"Ti": 8.0}, tail_share=0.2, pixel_angstrom=0.1)
    drawn = draw_columns(setup, np.random.default_rng(1))
    volume = 8.0 * (0.8 * 2 * np.pi * 0.34**2)
    assert drawn.image.mean() * 3.2483**2 > volume  # a column a cell, more than its core
    fine = draw_columns(replace(setup, pixel_angstrom=0.05), np.random.default_rng(1))
    n = np.array(fine.image.shape) // 2
    blocks = fine.image[: 2 * n[0], : 2 * n[1]].reshape(n[0], 2, n[1], 2).mean(axis=(1, 3))
    assert blocks.max() == pytest.approx(drawn.image.max(), rel=0.02)
    assert fine.image.max() > drawn.image.max()


def test_truth_of_a_null_stack_and_of_an_imposed_displacement() -> None:
    null = draw_columns(QUIET, np.random.default_rng(2))
    cations = (null.element != "O") & np.isfinite(null.displacement_pm[:, 0])
    assert np.abs(null.displacement_pm[cations]).max() < 0.35  # from different u and d alone
    moved = draw_columns(replace(QUIET, displacement=Displacement(9.0, 1.2)), np.random.default_rng(2))
    at_interface = (moved.plane_index == 2) & np.isfinite(moved.displacement_pm[:, 0])
    change = moved.displacement_pm[at_interface, 0] - null.displacement_pm[at_interface, 0]
    near, far = 3.2483 / 2, 3.2483 / 2 + 2 * 3.27  # the two interfaces pull in opposite directions
    assert change.mean() == pytest.approx(9.0 * (np.exp(-near / 12.0) - np.exp(-far / 12.0)), abs=0.05)
    assert moved.interface_planes == (2.5, 4.5)


def test_noise_is_as_asked_and_flaws_are_named() -> None:
    noisy = replace(QUIET, signal_to_noise=10.0, contaminated_columns=2, missing_columns=2)
    drawn = draw_columns(noisy, np.random.default_rng(3))
    clean = draw_columns(replace(noisy, signal_to_noise=1e9), np.random.default_rng(3))
    assert (drawn.image - clean.image).std() == pytest.approx(drawn.noise_std, rel=0.02)
    assert drawn.is_contaminated.sum() == 2
    assert (drawn.height == 0).sum() == 2
    coloured = draw_columns(replace(noisy, noise_correlation_px=1.5), np.random.default_rng(3))
    rest = coloured.image - clean.image
    assert rest.std() == pytest.approx(drawn.noise_std, rel=0.1)
    assert np.corrcoef(rest[1:].ravel(), rest[:-1].ravel())[0, 1] == pytest.approx(np.exp(-1 / (4 * 1.5**2)), abs=0.05)
    with pytest.raises(InvalidRecord):
        draw_columns(replace(QUIET, planes=(0, 0, 0)), np.random.default_rng(0))
