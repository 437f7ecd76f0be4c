"""Planes told apart by amplitude, thickness against other techniques, and polarization with its sign."""

from __future__ import annotations

import numpy as np
import pytest

from rutile_assets.constants import ELEMENTARY_CHARGE_C
from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.physics.crystal import rutile
from rutile_assets.physics.interfaces import Layers, agreement, layers, plane_amplitudes, thickness
from rutile_assets.physics.polarization import BORN_CHARGES, NO_POLARIZATION, born_charge, polarization

TIO2 = rutile("TiO2")


def _seen(planes: tuple[int, int, int], ratio: float, noise: float, seed: int, rows: int = 6) -> Layers:
    rng = np.random.default_rng(seed)
    true = np.repeat([1.0, ratio, 1.0], planes)
    plane = np.repeat(np.arange(sum(planes)), rows)
    return layers(plane_amplitudes(plane, true[plane] * (1.0 + noise * rng.standard_normal(len(plane)))))


@pytest.mark.parametrize(("ratio", "noise"), [(1.591, 0.1), (3.2, 0.15), (1.4, 0.05)])
def test_planes_are_counted_whatever_the_contrast(ratio: float, noise: float) -> None:
    for seed in range(50):
        found = _seen((8, 12, 7), ratio, noise, seed)
        assert found.film_planes == 12
        assert found.below == (7, 19)
        assert found.into_ruo2 == (1, -1)
        assert found.misassigned_probability < 0.02
        assert found.threshold == pytest.approx(np.sqrt(ratio), rel=0.05)
    ratios = np.array([_seen((8, 12, 7), ratio, noise, s) for s in range(200)], dtype=object)
    pulls = [(r.amplitude_ratio - ratio) / r.amplitude_ratio_std for r in ratios]
    assert abs(np.mean(pulls)) < 0.1 + 2.0 / np.sqrt(200)
    assert 0.85 < np.std(pulls) < 1.15


def test_one_material_has_no_interface() -> None:
    for seed in range(100):
        found = _seen((20, 0, 0), 1.0, 0.1, seed)
        assert found.below == ()
        assert found.film_planes is None
        assert not found.is_ruthenium.any()
    with pytest.raises(FitFailed, match="no amplitude"):
        layers(plane_amplitudes(np.repeat([0, 1], 3), np.array([1.0, 1.0, 1.0, -1.0, 0.5, 0.1])))
    with pytest.raises(FitFailed, match="in a plane"):
        plane_amplitudes(np.arange(5), np.ones(5))


def test_one_interface_alone_has_a_place_and_no_thickness() -> None:
    found = _seen((4, 4, 0), 1.59, 0.05, 0)
    told = thickness(found, 0.32 * np.arange(8.0), 1e-8 * np.eye(8))
    assert found.into_ruo2 == (1,)
    assert told.interface_nm[0] == pytest.approx(0.32 * 3.5)
    assert told.interface_std_nm[0] == pytest.approx(0.32 / np.sqrt(12.0), rel=0.01)
    assert np.isnan(told.thickness_nm)


def test_thickness_between_the_edges_and_its_error() -> None:
    heights = np.concatenate([[0.0], np.cumsum(np.repeat([0.3248, 0.3259, 0.327, 0.3259, 0.3248], [7, 1, 11, 1, 6]))])
    found = _seen((8, 12, 7), 1.59, 0.05, 1)
    rng = np.random.default_rng(2)
    pulls = []
    for _ in range(200):
        told = thickness(found, heights + 0.002 * rng.standard_normal(27), 4e-6 * np.eye(27))
        pulls.append((told.thickness_nm - 12 * 0.327 + (0.327 - 0.3259)) / told.statistical_nm)
    assert told.thickness_nm == pytest.approx(3.92, abs=0.02)
    assert told.rounding_nm == pytest.approx(0.327 / np.sqrt(12.0), rel=0.02)
    assert told.plane_spacing_nm == pytest.approx(0.327, abs=0.001)
    assert abs(np.mean(pulls)) < 0.1 + 2.0 / np.sqrt(200)
    assert 0.9 < np.std(pulls) < 1.1


def test_thickness_against_reflectivity_and_laue() -> None:
    # the paper: 3.9 nm in the image, 3.8 nm by reflectivity; both are 12 planes
    same = agreement(3.9, 0.02, 3.8, 0.02, 0.3225)
    assert (same.agrees, same.planes, same.other_planes) == (True, 12, 12)
    assert "agrees with XRR" in same.sentence("XRR")
    other = agreement(3.9, 0.02, 3.5, 0.02, 0.3225)
    assert not other.agrees
    assert "11 there" in other.sentence("XRR")


def test_polarization_of_the_notes_numbers_and_its_sign() -> None:
    both = np.array([[9.0, 9.0], [17.4, 17.4], [-9.0, -9.0]])
    found = polarization("TiO2", TIO2, both, np.zeros((6, 6)))
    assert found.value_uc_per_cm2 == pytest.approx([29.1, 56.3, -29.1], abs=0.15)  # Z* 6.3, V 31.2 angstrom^3
    # cation up, oxygens down: by counting charges, P along the cation's motion
    volume = TIO2.a_angstrom**2 * TIO2.c_angstrom / 2.0 * 1e-24
    cation, oxygen = 6.3, -3.15
    dipole = ELEMENTARY_CHARGE_C.value * 1e6 * (cation * 6.0 + 2 * oxygen * -3.0) * 1e-10
    assert found.value_uc_per_cm2[0] == pytest.approx(dipole / volume, rel=1e-6)
    assert found.value_uc_per_cm2[0] > 0


def test_the_two_sites_have_their_own_charges_and_the_mean_has_neither() -> None:
    charge = born_charge("TiO2")
    assert charge.along_110 == pytest.approx([7.3, 5.3])
    alone = polarization("TiO2", TIO2, np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros((4, 4))).value_uc_per_cm2
    assert alone[0] / alone[1] == pytest.approx(7.3 / 5.3)
    told = polarization("TiO2", TIO2, np.array([[9.0, 9.0]]), np.diag([1.0, 1.0]))
    assert told.systematics_uc_per_cm2["Born charge Zxy"] == pytest.approx([0.0])
    assert told.systematics_uc_per_cm2["Born charge Zxx"] == pytest.approx(told.value_uc_per_cm2 * 0.5 / 6.3)
    factor = told.value_uc_per_cm2[0] / (9.0 * 6.3)
    assert told.covariance_uc2_per_cm4[0, 0] == pytest.approx((factor / 2.0) ** 2 * (7.3**2 + 5.3**2))


def test_a_metal_has_a_displacement_and_no_polarization() -> None:
    with pytest.raises(InvalidRecord, match="metal"):
        polarization("RuO2", rutile("RuO2"), np.ones((1, 2)), np.eye(2))
    assert "unverified" in BORN_CHARGES["TiO2"].source
    assert set(NO_POLARIZATION) == {"RuO2"}
