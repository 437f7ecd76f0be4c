"""Parratt's recursion against refnx and against analytic limits."""

from __future__ import annotations

import numpy as np
import pytest
from refnx.reflect import reflectivity as refnx_reflectivity

from rutile_assets.errors import InvalidRecord
from rutile_assets.physics.reflectivity import footprint, parratt
from rutile_assets.physics.scattering import density_of, sld


@pytest.mark.parametrize("seed", range(60))
def test_reflectivity_equals_refnx_to_1e_10(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(0, 6))
    q = np.linspace(0.005, 0.8, 500)
    thickness = rng.uniform(3, 200, layers)
    real, imaginary = rng.uniform(5, 120, layers + 2), rng.uniform(0.05, 9, layers + 2)
    real[0] = imaginary[0] = 0.0
    roughness = rng.uniform(0, 8, layers + 1)
    slabs = np.zeros((layers + 2, 4))
    slabs[1:-1, 0], slabs[:, 1], slabs[:, 2], slabs[1:, 3] = thickness, real, imaginary, roughness
    theirs = refnx_reflectivity(q, slabs, dq=0.0)
    ours = parratt(q, ((real - 1j * imaginary) * 1e-6)[None], thickness[None], roughness[None])[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=0)


def test_a_batch_is_the_same_as_its_members_one_by_one() -> None:
    rng = np.random.default_rng(3)
    q = np.linspace(0.02, 0.5, 50)
    slds = (rng.uniform(10, 60, (7, 4)) - 1j * rng.uniform(0.1, 3, (7, 4))) * 1e-6
    slds[:, 0] = 0
    thickness, roughness = rng.uniform(5, 90, (7, 2)), rng.uniform(0, 5, (7, 3))
    batch = parratt(q, slds, thickness, roughness)
    for i in range(7):
        np.testing.assert_array_equal(
            batch[i], parratt(q, slds[i : i + 1], thickness[i : i + 1], roughness[i : i + 1])[0]
        )


def test_below_the_critical_angle_a_lossless_substrate_reflects_everything() -> None:
    q = np.linspace(0.001, 0.04, 20)
    reflected = parratt(q, np.array([[0.0, 34.6e-6 + 0j]]), np.empty((1, 0)), np.zeros((1, 1)))
    np.testing.assert_allclose(reflected, 1.0, rtol=1e-12)


def test_far_above_the_critical_angle_it_falls_as_the_fourth_power() -> None:
    q = np.array([0.4, 0.8])
    reflected = parratt(q, np.array([[0.0, 34.6e-6 + 0j]]), np.empty((1, 0)), np.zeros((1, 1)))[0]
    expected = (4 * np.pi * 34.6e-6) ** 2 / q**4 * 1.0
    np.testing.assert_allclose(reflected, expected, rtol=0.03)


def test_a_layer_of_the_substrates_density_changes_nothing() -> None:
    q = np.linspace(0.03, 0.6, 200)
    rho = 34.6e-6 - 1.75e-6j
    bare = parratt(q, np.array([[0, rho]]), np.empty((1, 0)), np.full((1, 1), 2.0))
    buried = parratt(q, np.array([[0, rho, rho]]), np.full((1, 1), 25.0), np.array([[2.0, 5.0]]))
    np.testing.assert_allclose(bare, buried, rtol=1e-9)


def test_scattering_length_densities_are_those_of_the_books() -> None:
    # physics.md section a, Cu K alpha 1
    assert sld("TiO2", density_of("TiO2")) * 1e6 == pytest.approx(34.61 - 1.75j, abs=0.02)
    assert sld("RuO2", density_of("RuO2")) * 1e6 == pytest.approx(54.10 - 2.99j, abs=0.02)


def test_an_unknown_material_or_density_says_what_to_write() -> None:
    with pytest.raises(InvalidRecord, match="density_g_per_cm3"):
        density_of("Ti2O3Ru")
    with pytest.raises(InvalidRecord, match="chemical formula"):
        density_of("??")
    assert density_of("Ru") == pytest.approx(12.4, abs=0.2)


def test_the_footprint_goes_from_nothing_to_all_of_the_beam() -> None:
    angle = np.array([0.0, 0.5, 20.0])
    hit = footprint(angle, np.array([0.02]))
    assert hit[0] == 0
    assert hit[2] == pytest.approx(1.0)
    # small angles: a Gaussian beam hits with L sin(theta) times its peak density
    sigma = 0.02 / 2.354820045
    assert footprint(np.array([0.05]), np.array([0.02]))[0] == pytest.approx(
        np.sin(np.radians(0.025)) / (sigma * np.sqrt(2 * np.pi)), rel=1e-2
    )
