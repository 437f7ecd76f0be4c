"""Cations against their oxygens, plane means and their uncertainty, the tests of null: known truth, many seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from physics.displaced_stacks import UPRIGHT, D, Stack, covariance, drawn, stack
from scipy import sparse, stats

from rutile_assets.errors import FitFailed
from rutile_assets.physics.displacement import (
    AtomColumns,
    CrystalFrame,
    displacement_map,
    displacements,
    frame_from_lattice,
    octahedra,
)
from rutile_assets.physics.null_tests import (
    antisymmetry,
    interface_means,
    null_profile,
    null_test,
    subtracted,
)
from rutile_assets.physics.plane_profile import PlaneProfile, plane_profile, with_spread

SEEDS = 200


def _exact(made: Stack) -> AtomColumns:
    count = len(made.plane)
    return AtomColumns(
        made.positions, sparse.csr_matrix(1e-6 * np.eye(2 * count)), made.is_oxygen, np.ones(count, dtype=bool),
        made.plane, made.row,
    )  # fmt: skip


def test_displacements_of_a_stack_are_those_put_in_to_the_strain_of_its_interfaces() -> None:
    made = stack((5, 6, 5), 8, 9.0)
    columns = _exact(made)
    found = octahedra(columns, UPRIGHT)
    moved = displacements(columns, found, UPRIGHT, 0)
    assert np.abs(moved.value_pm - made.moved_pm[moved.plane]).max() < 0.3  # other u and d beyond the interface
    aside = displacements(columns, found, UPRIGHT, 1)
    assert np.abs(aside.value_pm).max() < 0.3
    assert found.missing > 0  # the rim has no four neighbours
    even = (made.plane[found.cation] + made.row[found.cation]) % 2 == 0
    assert np.array_equal(found.is_site_a, even)


def test_octahedron_weights_count_each_atom_once() -> None:
    made = stack((5, 0, 0), 6, 0.0)
    columns = _exact(made)
    found = octahedra(columns, UPRIGHT)
    oxygen = found.oxygen[found.is_site_a][0]
    shifted = made.positions.copy()
    shifted[oxygen[0], 0] += 0.06  # the apical oxygen outwards, one atom of six
    shifted[oxygen[2], 0] += 0.06  # an equatorial column, two of six
    columns = replace(columns, positions_angstrom=shifted)
    where = int(np.flatnonzero(found.is_site_a)[0])
    plain = displacements(columns, found, UPRIGHT, 0).value_pm[where]
    whole = displacements(columns, found, UPRIGHT, 0, "octahedron").value_pm[where]
    assert plain == pytest.approx(-3.0, abs=1e-9)
    assert whole == pytest.approx(-(6.0 / 6.0 + 6.0 / 3.0), abs=1e-9)


def test_a_cation_without_one_of_its_oxygens_is_left_out_and_takes_no_other() -> None:
    made = stack((6, 0, 0), 6, 0.0)
    columns = _exact(made)
    before = octahedra(columns, UPRIGHT)
    names, serves = np.unique(before.oxygen, return_counts=True)
    lost = int(names[np.flatnonzero(serves == 2)[0]])
    usable = columns.is_usable.copy()
    usable[lost] = False
    after = octahedra(replace(columns, is_usable=usable), UPRIGHT)
    assert len(after.cation) == len(before.cation) - 2  # an oxygen belongs to two cations
    assert lost not in after.oxygen
    with pytest.raises(FitFailed, match="four neighbours"):
        octahedra(replace(columns, is_usable=~columns.is_oxygen), UPRIGHT)


def test_scale_turn_and_shear_of_the_image_are_taken_out_by_the_substrate() -> None:
    made = stack((6, 6, 6), 8, 9.0)
    image = np.array([[1.035, 0.01], [-0.02, 0.98]]) @ np.array([[-0.6, 0.8], [0.8, 0.6]])
    seen = replace(_exact(made), positions_angstrom=made.positions @ image.T)
    frame = frame_from_lattice(image @ [D, 0.0], image @ [0.0, D], D)
    found = octahedra(seen, frame)
    moved = displacements(seen, found, frame, 0)
    assert np.abs(moved.value_pm - made.moved_pm[moved.plane]).max() < 0.3
    with pytest.raises(FitFailed, match="one line"):
        frame_from_lattice(np.array([1.0, 0.0]), np.array([2.0, 0.0]), D)


@pytest.mark.parametrize(("true_scale", "peak_pm"), [(1.0, 0.0), (1.0, 9.0), (1.6, 9.0)])
def test_pulls_of_plane_means_and_of_the_interfaces(true_scale: float, peak_pm: float) -> None:
    # stated errors may be too small by a factor that the columns' scatter has to find
    made = stack((6, 8, 6), 9, peak_pm)
    stated = covariance(made, 1.0, 2.0)
    root = np.linalg.cholesky(stated.toarray())
    exact = _exact(made)
    found = octahedra(exact, UPRIGHT)
    truth = plane_profile(displacements(exact, found, UPRIGHT, 0), np.random.default_rng(0))
    below, signs = (5, 13), (1, -1)
    true_peak = interface_means(truth.plane, truth.value_pm, truth.covariance_pm2, below, signs)
    assert true_peak is not None
    if peak_pm:
        assert true_peak.value_pm[2] == pytest.approx(np.mean(made.moved_pm[[5, 6]]), rel=0.03)
    pulls, peak_pulls, probabilities, largest = [], [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        columns = drawn(made, stated, root, rng, true_scale)
        profile = plane_profile(displacements(columns, found, UPRIGHT, 0), rng, resamples=0)
        pulls.append((profile.value_pm - truth.value_pm) / profile.std_pm)
        peak = interface_means(profile.plane, profile.value_pm, profile.covariance_pm2, below, signs)
        assert peak is not None
        peak_pulls.append((peak.value_pm - true_peak.value_pm) / np.sqrt(np.diag(peak.covariance_pm2)))
        probabilities.append(null_test(replace(profile, value_pm=profile.value_pm - truth.value_pm)).probability)
        largest.append(float(np.abs(profile.value_pm).max()))
    for found_pulls in (np.array(pulls), np.array(peak_pulls)):
        assert abs(found_pulls.mean()) < 0.1 + 2.0 / np.sqrt(found_pulls.size)
        assert 0.9 < found_pulls.std() < 1.1
    assert 0.9 < np.array(peak_pulls)[:, 2].std() < 1.1
    assert 0.35 < np.mean(probabilities) < 0.65
    assert np.mean(np.array(probabilities) < 0.05) < 0.12
    if not peak_pm:
        assert np.mean(largest) > 1.0  # what a maximum of noisy planes would have called a displacement


def test_neighbours_share_an_oxygen_and_a_mean_that_forgets_it_is_wrong() -> None:
    made = stack((9, 0, 0), 40, 0.0)
    stated = covariance(made, 0.5, 2.0, coupling=0.0)
    root = np.sqrt(stated.diagonal())
    found = octahedra(_exact(made), UPRIGHT)
    means, stated_std, naive, witness = [], [], [], []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        columns = drawn(made, stated, np.diag(root), rng)
        moved = displacements(columns, found, UPRIGHT, 0)
        profile = plane_profile(moved, rng)
        means.append(profile.value_pm)
        stated_std.append(profile.std_pm)
        witness.append(profile.bootstrap_std_pm)
        naive.append([moved.value_pm[moved.plane == p].std(ddof=1) / np.sqrt((moved.plane == p).sum())
                      for p in profile.plane])  # fmt: skip
    true_std = float(np.std(means))
    assert float(np.mean(stated_std)) == pytest.approx(true_std, rel=0.07)
    assert float(np.sqrt(np.mean(np.square(witness)))) == pytest.approx(true_std, rel=0.12)
    # in the plane every oxygen counts for two cations with one sign: sd / sqrt(n) takes them for independent
    assert float(np.mean(naive)) < 0.93 * true_std


def test_depth_spread_adds_what_noise_does_not_explain_and_no_more() -> None:
    rng = np.random.default_rng(3)
    planes = np.arange(30)

    def profile(values: np.ndarray, std: float) -> PlaneProfile:
        both = np.stack([values, values], axis=1)
        wide = std**2 * np.eye(60)
        return PlaneProfile(
            planes, values, std**2 * np.eye(30), np.full(30, 8), both, wide, 1.0, 100, np.full(30, np.nan)
        )

    plain, spread = [], []
    for _ in range(50):
        noise = rng.standard_normal((2, 30)) * 0.7
        extra = rng.standard_normal((2, 30)) * 1.2
        whole = profile(noise.mean(0), 0.7 / np.sqrt(2.0))
        plain.append(with_spread(whole, (profile(noise[0], 0.7), profile(noise[1], 0.7)), None).depth_std_pm)
        worse = with_spread(whole, None, (profile((noise + extra)[0], 0.7), profile((noise + extra)[1], 0.7)))
        spread.append(worse.data_std_pm)
        assert worse.std_pm[0] == pytest.approx(np.hypot(0.7 / np.sqrt(2.0), worse.data_std_pm))
    assert np.mean(plain) < 0.2
    assert np.mean(spread) == pytest.approx(1.2 / np.sqrt(2.0), rel=0.1)


def test_a_null_with_a_bias_is_taken_off_with_its_own_covariance() -> None:
    made = stack((6, 8, 6), 9, 0.0)
    stated = covariance(made, 1.0, 2.0)
    root = np.linalg.cholesky(stated.toarray())
    found = octahedra(_exact(made), UPRIGHT)
    exact = plane_profile(displacements(_exact(made), found, UPRIGHT, 0), np.random.default_rng(0))
    bias = np.where(exact.plane == 5, 1.5, np.where(exact.plane == 13, -1.5, 0.0))

    def profile(rng: np.random.Generator) -> PlaneProfile:
        moved = displacements(drawn(made, stated, root, rng), found, UPRIGHT, 0)
        got = plane_profile(moved, rng, resamples=0)
        return replace(got, value_pm=got.value_pm + bias)

    against_zero, against_null, pulls = [], [], []
    for seed in range(SEEDS // 2):
        rng = np.random.default_rng(seed)
        null = null_profile([profile(rng) for _ in range(4)])
        measured = profile(rng)
        against_zero.append(null_test(measured).probability)
        against_null.append(null_test(measured, null).probability)
        difference, wide, _ = subtracted(measured, null)
        pulls.append(difference / np.sqrt(np.diag(wide)))
    assert np.mean(np.array(against_null) < 0.05) < 0.1
    assert np.mean(against_null) > 0.4
    assert np.median(against_zero) < 0.1  # the bias passes for a displacement where no null is at hand
    assert 0.9 < np.std(pulls) < 1.1


def test_the_f_distribution_holds_where_few_columns_set_the_scale() -> None:
    made = stack((4, 0, 0), 6, 0.0)
    stated = covariance(made, 1.0, 2.0)
    root = np.linalg.cholesky(stated.toarray())
    found = octahedra(_exact(made), UPRIGHT)
    exact = plane_profile(displacements(_exact(made), found, UPRIGHT, 0), np.random.default_rng(0)).value_pm
    got = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        profile = plane_profile(displacements(drawn(made, stated, root, rng, 3.0), found, UPRIGHT, 0), rng)
        assert profile.scatter_freedom < 12
        got.append(null_test(replace(profile, value_pm=profile.value_pm - exact)).probability)
    assert stats.kstest(got, "uniform").pvalue > 0.01


def test_antisymmetry_is_seen_and_proves_nothing() -> None:
    made = stack((9, 12, 9), 7, 9.0)
    stated = covariance(made, 1.0, 2.0)
    root = np.linalg.cholesky(stated.toarray())
    rng = np.random.default_rng(5)
    found = octahedra(_exact(made), UPRIGHT)
    profile = plane_profile(displacements(drawn(made, stated, root, rng), found, UPRIGHT, 0), rng)
    mirrored = antisymmetry(profile, 14.5)
    assert mirrored is not None
    assert mirrored.midplane == 14.5
    assert mirrored.chi_square_odd > 20.0 * mirrored.chi_square_even
    assert stats.chi2.sf(mirrored.chi_square_even, mirrored.pairs) > 1e-3
    assert "proves no polarity" in mirrored.sentence
    assert antisymmetry(profile.part(np.arange(6)), 14.5) is None


def test_the_map_is_linear_and_blind_to_a_shift_of_everything() -> None:
    made = stack((5, 4, 5), 6, 3.0)
    found = octahedra(_exact(made), UPRIGHT)
    for axis in (0, 1):
        for weighting in ("plain", "octahedron"):
            linear = displacement_map(found, len(made.plane), UPRIGHT, axis, weighting)  # type: ignore[arg-type]
            everything = np.tile([0.3, -0.2], len(made.plane))
            assert np.abs(linear @ everything).max() < 1e-9
    turned = CrystalFrame(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert len(octahedra(_exact(made), turned).cation) == len(found.cation)
