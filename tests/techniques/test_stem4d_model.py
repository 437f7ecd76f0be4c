"""Disc, orientation, dose and faults of 4D-STEM scans, against scans whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from weak_stem4d import ALPHA_MRAD, STEP_ANGSTROM, WeakScan, weak_scan

from rutile_assets.errors import FitFailed, WrongContent
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.techniques.stem4d.disc import Disc, fit_disc
from rutile_assets.techniques.stem4d.model import (
    Found,
    doses,
    expected_electrons,
    find_orientation,
    scan_com,
    survey,
    usable_frames,
    virtual_images,
)
from rutile_assets.techniques.stem4d.orientation import Orientation, matrix_of

OVERFOCUS_NM = 10.0
WAVES = 13.5  # 10 nm, 26 mrad, 200 kV


def _disc(scan: WeakScan) -> Disc:
    return Disc(16.0, 16.0, ALPHA_MRAD / scan.pixel_mrad, np.zeros((3, 3)))


def _found(scan: WeakScan, overfocus_nm: float | None = OVERFOCUS_NM, step_angstrom: float = STEP_ANGSTROM) -> Found:
    everything = np.ones(scan.patterns.shape[:2], dtype=bool)
    images = virtual_images(scan.patterns, everything, _disc(scan))
    waves = 0.0 if overfocus_nm is None else WAVES * overfocus_nm / OVERFOCUS_NM
    return find_orientation(images, scan.pixel_mrad, 0.1 * step_angstrom, overfocus_nm, 5.0, waves)


def _apart(one: float, two: float) -> float:
    return (one - two + 180.0) % 360.0 - 180.0


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
@pytest.mark.parametrize("transpose", [False, True])
def test_each_of_the_eight_flips_is_found(quarter: int, transpose: bool) -> None:
    scan = weak_scan(quarter, rotation_deg=90.0 * quarter, transpose=transpose)
    found = _found(scan)
    assert found.decided
    assert found.orientation.transpose is transpose
    assert abs(_apart(found.orientation.rotation_deg, 90.0 * quarter)) < 1.0


@pytest.mark.parametrize("rotation_deg", [-123.0, 8.0])
def test_any_rotation_is_found_with_its_mirror_image(rotation_deg: float) -> None:
    for transpose in (False, True):
        found = _found(weak_scan(7, rotation_deg=rotation_deg, transpose=transpose))
        assert found.orientation.transpose is transpose
        apart = _apart(found.orientation.rotation_deg, rotation_deg)
        assert abs(apart) < max(4.0 * found.orientation.rotation_deg_std, 0.5)


def test_the_sign_of_the_overfocus_decides_between_two_orientations() -> None:
    """Underfocus with the right sign gives the truth; with the wrong one, the truth turned by 180 deg."""
    scan = weak_scan(3, rotation_deg=25.0, transpose=False, overfocus_angstrom=-100.0)
    assert abs(_apart(_found(scan, -12.0).orientation.rotation_deg, 25.0)) < 1.5
    assert abs(_apart(_found(scan, 8.0).orientation.rotation_deg, -155.0)) < 1.5


def test_in_focus_the_curl_finds_rotation_mirror_and_sign_and_says_what_it_took_for_granted() -> None:
    for transpose in (False, True):
        scan = weak_scan(
            5,
            rotation_deg=140.0,
            transpose=transpose,
            overfocus_angstrom=0.0,
            step_angstrom=0.4,
            scan=24,
            electrons=1e6,
        )
        found = _found(scan, None, 0.4)
        assert found.orientation.method == "curl"
        assert found.decided
        assert found.orientation.transpose is transpose
        assert abs(_apart(found.orientation.rotation_deg, 140.0)) < 3.0
        assert "takes for granted" in found.notes[0]


@pytest.mark.slow
def test_orientation_pulls_over_200_seeds() -> None:
    pulls, wrong = [], 0
    for seed in range(200):
        scan = weak_scan(1000 + seed)
        best = _found(scan).orientation
        apart = _apart(best.rotation_deg, scan.rotation_deg)
        wrong += best.transpose is not scan.transpose or abs(apart) > 20.0
        pulls.append(apart / best.rotation_deg_std)
    assert wrong == 0
    assert abs(np.mean(pulls)) <= 0.1 + 2.0 / np.sqrt(200)
    assert 0.9 <= np.std(pulls) <= 1.1, np.std(pulls)


@pytest.mark.slow
def test_the_curl_in_focus_is_right_over_200_seeds_and_its_error_is_no_smaller_than_the_truth() -> None:
    """The error is too wide here (pulls 0.35 measured): directions differ more than their sum does."""
    pulls = []
    for seed in range(200):
        scan = weak_scan(seed, overfocus_angstrom=0.0, scan=20, step_angstrom=0.4, electrons=2e5)
        found = _found(scan, None, 0.4).orientation
        apart = _apart(found.rotation_deg, scan.rotation_deg)
        assert found.transpose is scan.transpose
        assert abs(apart) < 5.0
        pulls.append(apart / found.rotation_deg_std)
    assert abs(np.mean(pulls)) <= 0.1 + 2.0 * np.std(pulls) / np.sqrt(200)
    assert np.std(pulls) <= 1.1


def test_the_real_interface_has_its_orientation_and_reversed_centres_of_mass(realdata: Path) -> None:
    path = realdata.parent / "sim4dstem" / "null.raw"
    frames = np.memmap(path, dtype="<f4", mode="r", shape=(20, 20, 130, 128))[:, :, :128]
    disc = Disc(64.0, 64.0, ALPHA_MRAD / 0.78, np.zeros((3, 3)))
    images = virtual_images(frames, np.ones((20, 20), dtype=bool), disc)
    found = find_orientation(images, 0.78, 0.0886, OVERFOCUS_NM, 25.0, WAVES)
    assert found.decided
    assert found.orientation.transpose is False
    assert abs(found.orientation.rotation_deg) < 1.0
    assert 11.0 < found.orientation.height_nm < 19.0  # crossover 10 nm above a sample of 10 nm
    assert found.curl is not None
    assert abs(_apart(found.curl.rotation_deg, 180.0)) < 2.0  # the thin sample's sign would be wrong here
    assert any("reverse the thin sample's sign" in note for note in found.notes)


def _vacuum(seed: int, electrons: float = 1e4) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    truth = np.array([*rng.uniform(30, 34, 2), rng.uniform(14, 22)])
    fine, size = 8, 64
    y, x = (np.mgrid[: size * fine, : size * fine] + 0.5) / fine - 0.5
    edge = 1.0 / (1.0 + np.exp((np.hypot(y - truth[0], x - truth[1]) - truth[2]) / 0.3))
    pattern = edge.reshape(size, fine, size, fine).mean(axis=(1, 3))
    level = electrons / pattern.sum()
    return rng.poisson(level * (pattern + 0.01)).astype(float), truth


def test_disc_of_vacuum_is_found_to_a_few_hundredths_of_a_pixel() -> None:
    for seed in range(6):
        pattern, truth = _vacuum(seed, 1e6)
        found = fit_disc(pattern)
        assert [found.row, found.column, found.radius] == pytest.approx(truth, abs=0.06)


@pytest.mark.slow
def test_disc_pulls_over_200_seeds() -> None:
    pulls = []
    for seed in range(200):
        pattern, truth = _vacuum(seed, 3e4)
        found = fit_disc(pattern)
        pulls.append((np.array([found.row, found.column, found.radius]) - truth) / np.sqrt(np.diag(found.covariance)))
    table = np.array(pulls)
    assert (np.abs(table.mean(axis=0)) <= 0.1 + 2.0 / np.sqrt(200)).all()
    assert (table.std(axis=0) >= 0.9).all(), table.std(axis=0)
    assert (table.std(axis=0) <= 1.1).all(), table.std(axis=0)


@pytest.mark.parametrize(
    "pattern",
    [np.zeros((32, 32)), np.ones((32, 32)), np.eye(32), np.pad(np.ones((4, 4)), 14), np.full((32, 32), np.nan)],
)
def test_patterns_without_a_disc_are_refused(pattern: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(FitFailed, match="disc"):
        fit_disc(pattern)


def test_a_disc_that_the_detector_cuts_is_refused() -> None:
    y, x = np.mgrid[:64, :64]
    with pytest.raises(FitFailed, match="cut"):
        fit_disc((np.hypot(y - 32, x - 10) < 16).astype(float))


def test_faults_of_patterns_are_a_sentence_each() -> None:
    good = np.random.default_rng(0).poisson(9.0, (8, 8, 16, 16)).astype(np.float32)
    assert survey(good, None).notes == ()
    broken = good.copy()
    broken[2, 5, 3, 3] = np.nan
    broken[4, 4] = 0
    broken[6, 0, 1:3, 1] = 63
    seen = survey(broken, 63.0)
    assert seen.usable.sum() == 62
    assert seen.mean_pattern == pytest.approx(broken[seen.usable].mean(axis=0), rel=1e-5)
    told = " ".join(seen.notes)
    assert "1 of 64 patterns with NaN or infinite pixels; the first: line 3, position 6." in told
    assert "1 of 64 patterns missing: next to no counts; the first: line 5, position 5." in told
    assert "2 pixels saturate (at 63)" in told
    for bad, words in ((0.0, "median dose is 0"), (np.nan, "NaN"), (-1.0, "median dose is -"), (np.inf, "NaN")):
        with pytest.raises(WrongContent, match=words):
            usable_frames(doses(np.full((4, 4, 8, 8), bad, dtype=np.float32)))
    broken[:2] = 0
    with pytest.raises(WrongContent, match="missing: next to no counts"):
        usable_frames(doses(broken))


def test_virtual_images_add_up_and_centres_of_mass_follow_a_shift() -> None:
    y, x = np.mgrid[:32, :32]
    frames = np.stack(
        [[(np.hypot(y - 16 - 0.5 * i, x - 15 + 0.25 * j) < 8) + 0.01 for j in range(5)] for i in range(4)]
    ).astype(np.float32)
    images = virtual_images(frames, np.ones((4, 5), dtype=bool), Disc(16.0, 15.0, 8.0, np.eye(3)))
    distance = np.hypot(y - 16, x - 15)
    assert images.bright_field == pytest.approx(frames[:, :, distance < 6.5].sum(axis=2), rel=1e-4)
    assert images.dark_field == pytest.approx(frames[:, :, distance > 9.5].sum(axis=2), rel=1e-4)
    total = frames.sum(axis=(2, 3))
    assert images.com_pixels[0] == pytest.approx((frames * (y - 16)).sum(axis=(2, 3)) / total, abs=1e-4)
    assert images.com_pixels[1] == pytest.approx((frames * (x - 15)).sum(axis=(2, 3)) / total, abs=1e-4)


def test_momenta_go_back_into_the_scan_through_the_same_matrix() -> None:
    momenta = np.random.default_rng(0).normal(size=(2, 6, 6))
    momenta -= momenta.mean(axis=(1, 2), keepdims=True)
    for transpose in (False, True):
        lies = Orientation(transpose, 33.0, 0.1, 10.0, 1.0, 0.0, "")
        on_detector = np.einsum("ij,jyx->iyx", matrix_of(33.0, transpose), momenta)
        assert scan_com(on_detector, 1.0, lies) == pytest.approx(momenta)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("rotation_deg", [0.0, 90.0, 180.0, -90.0, 97.0, -170.0])
def test_upright_patterns_have_their_rows_along_the_slow_axis(rotation_deg: float, transpose: bool) -> None:
    """A momentum p on a detector that lies anyhow comes back at R(rest) p from the middle."""
    centre = (17.2, 14.9)
    momenta = np.array([[3, 0], [0, 5], [2, -4], [-1, 1]])
    frames = np.zeros((2, 2, 32, 32), dtype=np.float32)
    for (i, j), momentum in zip(np.ndindex(2, 2), momenta, strict=True):
        at = np.round(np.round(centre) + matrix_of(90.0 * round(rotation_deg / 90.0), transpose) @ momentum).astype(int)
        frames[i, j, at[0], at[1]] = 1.0
    upright = UprightPatterns(frames, centre, rotation_deg, transpose)
    assert upright.shape == (4, 32, 32)
    for number, momentum in enumerate(momenta):
        row, column = np.unravel_index(np.argmax(upright[number]), (32, 32))
        assert (row - 16, column - 16) == tuple(momentum)
    assert upright[np.array([2, 0])].shape == (2, 32, 32)
    # a scan step is seen by the detector as matrix @ step; upright frames see what is left of it
    step = upright.positions_angstrom(0.1).reshape(2, 2, 2)
    rest = rotation_deg - 90.0 * round(rotation_deg / 90.0)
    turned = matrix_of(-rest if transpose else rest, False)
    assert step[1, 0] == pytest.approx(turned @ [1.0, 0.0])
    assert step[0, 1] == pytest.approx(turned @ [0.0, 1.0])
    full = matrix_of(rotation_deg, transpose)
    flips = matrix_of(90.0 * round(rotation_deg / 90.0), transpose)
    assert flips @ turned == pytest.approx(full)
    assert np.hypot(*upright.centre_rest_pixels) == pytest.approx(np.hypot(0.2, 0.1))


def test_electrons_of_a_pattern() -> None:
    assert expected_electrons(12.0, 1.0) == pytest.approx(74898.109, abs=1e-3)
