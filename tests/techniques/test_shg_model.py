"""Second harmonic: tensors against sympy, azimuth harmonics, verdicts, pulls, dependence across films."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rutile_assets.errors import FitFailed, InvalidRecord
from rutile_assets.physics.second_harmonic import (
    CHANNELS,
    at_azimuth,
    azimuth_coefficients,
    channel_angles,
    element_names,
    group,
    invariant_tensors,
    local_fields,
    mean_power,
    point_coefficients,
)
from rutile_assets.simulation import shg
from rutile_assets.simulation.realism import Realism
from rutile_assets.techniques.shg.dependence import CHANGE, NO_CHANGE, composition_slope, onset
from rutile_assets.techniques.shg.fraction import ss_fraction
from rutile_assets.techniques.shg.harmonics import azimuth_harmonics
from rutile_assets.techniques.shg.likelihood import ShgPoints, identifiable
from rutile_assets.techniques.shg.mixture import dipole_fraction
from rutile_assets.techniques.shg.model import (
    BOTH,
    CAVEAT,
    DIPOLE,
    QUADRUPOLE,
    UNDECIDED,
    ShgFitParameters,
    decide,
    hypotheses,
    response,
)

CHOSEN = ShgFitParameters()
AZIMUTHS = np.tile(np.arange(0.0, 360.0, 5.0), 4)
POLARISER, ANALYSER = np.repeat(np.array([channel_angles(c) for c in CHANNELS]), 72, axis=0).T
RATES = 200


def _points(counts: np.ndarray, background: float = 3.0) -> ShgPoints:
    full = np.full(288, background)
    return ShgPoints(AZIMUTHS, POLARISER, ANALYSER, counts, np.ones(288), full)


def _expected(weight: float, peak: float, offset_deg: float = 0.0) -> np.ndarray:
    here = point_coefficients(shg.mixed(weight)[..., None], POLARISER, ANALYSER)
    intensity = np.abs(at_azimuth(here, AZIMUTHS - offset_deg)[:, 0]) ** 2
    return intensity * peak / intensity.max() + 3.0


def _measured(weight: float, peak: float, seed: int) -> ShgPoints:
    setup = shg.ShgSetup(peak_counts=peak)
    scans = shg.simulate_shg(weight, setup, Realism(), np.random.default_rng(seed))
    relative = scans.reference / scans.reference.mean()
    return ShgPoints(
        np.tile(scans.azimuth_deg, 4),
        POLARISER,
        ANALYSER,
        scans.counts.T.ravel(),
        np.tile(relative, 4),
        np.full(288, scans.background_counts),
    )


def test_groups_and_their_tensors_have_the_sizes_of_the_tables() -> None:
    assert (len(group("mm2")), len(group("4/mmm")), len(group("1"))) == (4, 16, 1)
    assert element_names("mm2", 3) == ("xxz", "yyz", "zxx", "zyy", "zzz")
    assert len(invariant_tensors("4/mmm", 3)) == 0
    assert len(invariant_tensors("4/mmm", 4)) == 8
    assert len(invariant_tensors("1", 3)) == 18
    for name, rank in (("mm2", 3), ("4/mmm", 4)):
        for tensor in invariant_tensors(name, rank):
            for turn in group(name):
                moved = tensor
                for axis in range(rank):
                    moved = np.moveaxis(np.tensordot(turn, moved, axes=(1, axis)), 0, axis)
                assert moved == pytest.approx(tensor, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "rank", "orders"),
    [
        ("mm2", 3, {"pp": {0, 2}, "ps": {2}, "sp": {0, 2}, "ss": set()}),
        ("4/mmm", 4, {"pp": {0, 2, 4}, "ps": {2, 4}, "sp": {0, 2, 4}, "ss": {2, 4}}),
    ],
)
@pytest.mark.parametrize("index", [1.0, 2.1 + 0.9j])
def test_azimuth_harmonics_of_the_amplitude(name: str, rank: int, orders: dict[str, set[int]], index: complex) -> None:
    seen = azimuth_coefficients(invariant_tensors(name, rank), 45.0, index, index)
    for channel, expected in orders.items():
        i, o = ("ps".index(letter) for letter in channel)
        size = np.abs(seen[o, i, i]).max(axis=1)
        assert {abs(h - 4) for h in np.flatnonzero(size > 1e-10)} == expected


def test_intensities_agree_with_sympy() -> None:
    sp = pytest.importorskip("sympy")
    phi, theta = sp.symbols("phi theta", real=True)
    # the sample turned by +phi: its axes in the laboratory
    x = sp.Matrix([sp.cos(phi), sp.sin(phi), 0])
    y = sp.Matrix([-sp.sin(phi), sp.cos(phi), 0])
    z = sp.Matrix([0, 0, 1])
    axes = {"x": x, "y": y, "z": z}
    fields = {"p": sp.Matrix([sp.cos(theta), 0, sp.sin(theta)]), "s": sp.Matrix([0, 1, 0])}
    outputs = {"p": sp.Matrix([sp.cos(theta), 0, -sp.sin(theta)]), "s": sp.Matrix([0, 1, 0])}
    wave = sp.Matrix([sp.sin(theta), 0, -sp.cos(theta)])
    angles = np.array([0.0, 13.0, 77.0, 200.0])
    for name, rank in (("mm2", 3), ("4/mmm", 4)):
        tensors = invariant_tensors(name, rank)
        ours = azimuth_coefficients(tensors, 33.0)
        for m in (0, 2, len(tensors) - 1):
            for channel in CHANNELS:
                e = {a: fields[channel[0]].dot(axes[a]) for a in "xyz"}
                k = {a: wave.dot(axes[a]) for a in "xyz"}
                polarisation = sp.zeros(3, 1)
                for place in np.argwhere(np.abs(tensors[m]) > 0):
                    letters = ["xyz"[i] for i in place]
                    value = sp.Float(float(tensors[m][tuple(place)])) * e[letters[1]] * e[letters[-1]]
                    polarisation += (value * k[letters[2]] if rank == 4 else value) * axes[letters[0]]
                amplitude = sp.lambdify((phi, theta), outputs[channel[1]].dot(polarisation), "numpy")
                polariser, analyser = (np.full(4, a) for a in channel_angles(channel))
                found = at_azimuth(point_coefficients(ours, polariser, analyser), angles)[:, m]
                assert np.abs(found.imag).max() < 1e-12
                assert found.real == pytest.approx(amplitude(np.radians(angles), np.radians(33.0)) * np.ones(4))


def test_fields_below_the_surface_keep_the_fresnel_limits() -> None:
    p, s, k = local_fields(0.0, 2.5 + 1.0j)
    assert p[0] == pytest.approx(2.0 / (3.5 + 1.0j))
    assert s[1] == pytest.approx(2.0 / (3.5 + 1.0j))
    assert k[2] == pytest.approx(-(2.5 + 1.0j))
    p, _, k = local_fields(60.0, 1.7)
    assert p @ k == pytest.approx(0.0, abs=1e-12)
    assert k @ k == pytest.approx(1.7**2)
    brewster = np.degrees(np.arctan(1.7))
    p, _, _ = local_fields(float(brewster), 1.7)
    assert np.linalg.norm(p) == pytest.approx(1.0 / 1.7)


def test_rank_at_one_angle_of_incidence_is_4_of_5_and_6_of_8_and_7_together() -> None:
    seen, points = response(45.0, CHOSEN), _points(np.ones(288))
    found = [point_coefficients(c, POLARISER, ANALYSER) for c in (seen.dipole, seen.quadrupole)]
    assert identifiable(found[0], points).shape == (5, 4)
    assert identifiable(found[1], points).shape == (8, 6)
    assert identifiable(np.concatenate(found, axis=2), points).shape == (13, 7)
    fits = decide(_points(_expected(1.0, 300.0)), 45.0, CHOSEN, np.random.default_rng(0)).fits
    ranks = {f.hypothesis.name: f.rank for f in fits}  # each with the azimuth's zero
    assert (ranks["dipole, one phase"], ranks["quadrupole, one phase"]) == (5, 7)
    assert (ranks["dipole, free phases"], ranks["quadrupole, free phases"]) == (8, 12)


@pytest.mark.parametrize(("weight", "kind"), [(1.0, DIPOLE), (0.0, QUADRUPOLE), (0.4, BOTH)])
def test_the_verdict_without_noise_and_its_caveat(weight: float, kind: str) -> None:
    told = decide(_points(_expected(weight, 600.0, 3.0)), 45.0, CHOSEN, np.random.default_rng(0))
    assert told.verdict == kind
    assert CAVEAT in told.notes
    assert np.degrees(told.best.vector[-2]) == pytest.approx(3.0, abs=0.05) or weight == 0.4
    assert (told.delta_bic > 0) == (weight == 1.0)


def test_a_free_background_is_found() -> None:
    told = decide(_points(_expected(1.0, 300.0), 0.0), 45.0, CHOSEN, np.random.default_rng(0), is_background_free=True)
    assert told.verdict == DIPOLE
    assert told.best.vector[-1] == pytest.approx(3.0, abs=0.05)


def test_what_cannot_be_told_is_undecided_and_says_why() -> None:
    points = _points(_expected(1.0, 300.0))
    two = (POLARISER == 0) & (ANALYSER == 0) | (POLARISER == 90) & (ANALYSER == 0)
    part = ShgPoints(*(getattr(points, name)[two] for name in points.__dataclass_fields__))
    rng = np.random.default_rng(0)
    for given, incidence, words in (
        (part, 45.0, "No azimuth scan in ps, ss"),
        (_points(_expected(1.0, 10.0)), 45.0, "The highest point has"),
        (points, 0.5, "normal incidence"),
        (_points(_expected(1.0, 300.0) + 300.0 * (np.cos(3.0 * np.radians(AZIMUTHS)) > 0)), 45.0, "No model"),
    ):
        told = decide(given, incidence, CHOSEN, rng)
        assert told.verdict == UNDECIDED
        assert any(words in note for note in told.notes), told.notes
    with pytest.raises(FitFailed):
        decide(ShgPoints(*(getattr(points, n)[:9] for n in points.__dataclass_fields__)), 45.0, CHOSEN, rng)
    with pytest.raises(InvalidRecord, match="phases"):
        decide(points, 45.0, ShgFitParameters(phases="some"), rng)


def test_a_dipole_of_free_phases_is_not_told_from_a_quadrupole_of_free_phases() -> None:
    seen = response(45.0, CHOSEN)
    elements = np.array(shg.DIPOLE_ELEMENTS) * np.exp(1j * np.array([0.0, 0.9, 1.7, -0.8, 2.2]))
    here = point_coefficients(seen.dipole, POLARISER, ANALYSER)
    intensity = np.abs(at_azimuth(here, AZIMUTHS) @ elements) ** 2
    points = _points(intensity * 500.0 / intensity.max() + 3.0)
    for phases in ("free", "either"):
        told = decide(points, 45.0, ShgFitParameters(phases=phases), np.random.default_rng(0))
        assert told.verdict == UNDECIDED
        assert told.best.hypothesis.source == "dipole"
        assert any("only the simpler one" in note for note in told.notes)


def _like_a_dipole(seed: int) -> np.ndarray:
    """Elements of a quadrupole, (8,), whose four channels look like some dipole's: 3 of its 6 combinations do."""
    seen = response(45.0, CHOSEN)
    spans = [at_azimuth(point_coefficients(c, POLARISER, ANALYSER), AZIMUTHS) for c in (seen.dipole, seen.quadrupole)]
    dipole, quadrupole = (np.vstack([span.real, span.imag]) for span in spans)
    base, size, _ = np.linalg.svd(dipole, full_matrices=False)
    base = base[:, size > 1e-9 * size[0]]
    _, size, rows = np.linalg.svd(quadrupole, full_matrices=False)
    told = rows[size > 1e-9 * size[0]].T / size[size > 1e-9 * size[0]]
    beyond = quadrupole @ told
    _, size, rows = np.linalg.svd(beyond - base @ (base.T @ beyond), full_matrices=False)
    assert (size < 1e-6).sum() == 3
    return np.asarray(told @ rows[size < 1e-6].T @ np.random.default_rng(seed).normal(size=3))


def test_a_quadrupole_that_looks_like_a_dipole_is_undecided_and_not_the_simpler_dipole() -> None:
    seen = response(45.0, CHOSEN)
    for seed in range(3):
        amplitude = at_azimuth(point_coefficients(seen.quadrupole, POLARISER, ANALYSER), AZIMUTHS) @ _like_a_dipole(
            seed
        )
        intensity = np.abs(amplitude) ** 2
        told = decide(_points(300.0 * intensity / intensity.max() + 3.0), 45.0, CHOSEN, np.random.default_rng(0))
        assert told.verdict == UNDECIDED
        assert any("only the simpler one" in note for note in told.notes)
        assert told.delta_bic > CHOSEN.least_delta_bic  # BIC alone would have said dipole


@pytest.mark.slow
@pytest.mark.parametrize("peak", [300.0, 30.0])
@pytest.mark.parametrize(("weight", "kind"), [(1.0, DIPOLE), (0.0, QUADRUPOLE)])
def test_tensors_drawn_at_random_are_told_right_or_not_at_all(
    weight: float, kind: str, peak: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Counter[str]()
    for pair in range(40):
        rng = np.random.default_rng([pair, 77])
        monkeypatch.setattr(shg, "DIPOLE_ELEMENTS", tuple(rng.normal(size=5)))
        monkeypatch.setattr(shg, "QUADRUPOLE_ELEMENTS", tuple(rng.normal(size=8)))
        told += _verdicts(weight, peak, range(5000 + pair, 5001 + pair))
    assert told[kind] + told[UNDECIDED] == 40, told
    assert told[kind] >= 5, told


def _verdicts(weight: float, peak: float, seeds: range) -> Counter[str]:
    rng = np.random.default_rng(1)
    return Counter(decide(_measured(weight, peak, seed), 45.0, CHOSEN, rng).verdict for seed in seeds)


@pytest.mark.parametrize(("weight", "kind"), [(1.0, DIPOLE), (0.0, QUADRUPOLE)])
def test_three_of_three_are_right_at_300_counts(weight: float, kind: str) -> None:
    assert _verdicts(weight, 300.0, range(3)) == {kind: 3}


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "kind"), [(1.0, DIPOLE), (0.0, QUADRUPOLE)])
def test_200_films_at_300_counts_and_at_30(weight: float, kind: str) -> None:
    bright = _verdicts(weight, 300.0, range(RATES))
    assert bright[kind] >= 0.97 * RATES, bright
    assert bright[kind] + bright[UNDECIDED] == RATES, bright
    faint = _verdicts(weight, 30.0, range(RATES))
    assert faint[kind] + faint[UNDECIDED] >= 0.99 * RATES, faint


@pytest.mark.parametrize(
    ("truth", "peak", "seeds"),
    [
        (0.45, 300.0, 200),
        pytest.param(1.0, 300.0, 800, marks=pytest.mark.slow),
        pytest.param(0.0, 300.0, 400, marks=pytest.mark.slow),
        pytest.param(0.45, 2000.0, 400, marks=pytest.mark.slow),
    ],
)
def test_pulls_of_the_dipole_fraction_with_known_shapes(truth: float, peak: float, seeds: int) -> None:
    weight = np.sqrt(truth) / (np.sqrt(truth) + np.sqrt(1.0 - truth))
    seen, pulls = response(45.0, CHOSEN), []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        points = _points(rng.poisson(_expected(float(weight), peak, rng.uniform(-4, 4))).astype(float))
        found = dipole_fraction(points, seen, np.array(shg.DIPOLE_ELEMENTS), np.array(shg.QUADRUPOLE_ELEMENTS), 10.0)
        pulls.append((found.dipole_fraction - truth) / found.dipole_fraction_std)
    assert abs(np.mean(pulls)) < 0.1 + 2.0 / np.sqrt(seeds)
    assert 0.9 < np.std(pulls) < 1.1


def test_shapes_are_checked() -> None:
    seen, points = response(45.0, CHOSEN), _points(_expected(1.0, 300.0))
    with pytest.raises(InvalidRecord, match="5 numbers"):
        dipole_fraction(points, seen, np.ones(4), np.ones(8), 10.0)
    ss = ShgPoints(*(getattr(points, n)[-72:] for n in points.__dataclass_fields__))
    with pytest.raises(FitFailed):
        dipole_fraction(ss, seen, np.array(shg.DIPOLE_ELEMENTS), np.array(shg.QUADRUPOLE_ELEMENTS), 10.0)


def test_pulls_of_harmonics_and_of_the_ss_part_over_300_films() -> None:
    seen, dark_std = shg.mixed(0.4), 3.0**0.5 / 20.0
    azimuths = np.concatenate([np.arange(0.0, 360.0, 5.0), [360.0]])  # 0 and 360 both measured
    waves = at_azimuth(np.repeat(seen[0, 0, 0][None, :, None], 73, axis=0), azimuths)[:, 0]
    expected = 120.0 * np.abs(waves) ** 2 / np.max(np.abs(waves) ** 2)
    truth = azimuth_harmonics(azimuths, expected, 8)
    power = mean_power(seen[..., None], np.ones(1, dtype=complex))
    four = _expected(0.4, 120.0)
    pulls, squares, parts = [], [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        exposure = rng.uniform(0.8, 1.2, 73)
        counts = rng.poisson(expected * exposure + 3.0).astype(float)
        found = azimuth_harmonics(azimuths, counts, 8, exposure, np.full(73, 3.0))
        pulls.append((found.coefficients - truth.coefficients) / np.sqrt(np.diag(found.covariance)))
        squares.append(found.squares[6] - truth.amplitudes[6] ** 2)
        known = _points(rng.poisson(four).astype(float), 3.0 + dark_std * rng.normal())
        part = ss_fraction(known, dark_std)
        parts.append((part.value - power[3] / power.sum()) / np.hypot(part.std, part.background_shift))
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.1 + 3.0 / np.sqrt(300)  # 17 of them
    assert 0.9 < np.std(pulls) < 1.1
    assert abs(np.mean(squares)) < 3.0 * np.std(squares) / np.sqrt(300)
    assert abs(np.mean(parts)) < 0.1 + 2.0 / np.sqrt(300)
    assert 0.9 < np.std(parts) < 1.1


def test_harmonics_need_angles_all_around_and_an_intensity_takes_its_residuals() -> None:
    with pytest.raises(FitFailed, match="angles all around"):
        azimuth_harmonics(np.linspace(0.0, 40.0, 60), np.ones(60), 6)
    rng, phi = np.random.default_rng(2), np.arange(0.0, 360.0, 5.0)
    found = azimuth_harmonics(phi, 2.0 + np.cos(np.radians(2.0 * phi + 30.0)) + 0.05 * rng.normal(size=72), 4)
    assert found.residual_std == pytest.approx(0.05, rel=0.25)
    assert found.amplitudes[2] == pytest.approx(1.0, abs=5.0 * found.amplitudes_std[2])
    assert np.degrees(np.arctan2(-found.sines[2], found.cosines[2])) == pytest.approx(30.0, abs=3.0)


THICKNESS = np.array([1.5, 2.1, 2.5, 3.1, 3.5, 3.9, 4.5, 5.2, 6.5, 8.0, 11.0, 17.2])


def test_onset_of_the_paper_is_between_3_9_and_4_5_nm() -> None:
    truth = np.array([shg.dipole_fraction(t) for t in THICKNESS])
    found = [
        onset(THICKNESS, truth + 0.03 * np.random.default_rng(seed).normal(size=12), np.full(12, 0.03))
        for seed in range(30)
    ]
    assert all(one.verdict == CHANGE for one in found)
    assert np.mean([one.onset_nm for one in found]) == pytest.approx(shg.CRITICAL_NM, abs=0.15)
    assert 0.1 < np.median([float(one.onset_nm_std or 0.0) for one in found]) < 0.4
    with pytest.raises(FitFailed):
        onset(THICKNESS[:5], truth[:5], np.full(5, 0.03))


@pytest.mark.parametrize("slope", [0.0, pytest.param(0.02, marks=pytest.mark.slow)])
def test_a_constant_and_a_straight_line_are_no_change(slope: float) -> None:
    told = []
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(size=12)
        told.append(onset(THICKNESS, 1.0 + slope * THICKNESS + 0.05 * noise, np.full(12, 0.05)).verdict)
    assert told.count(CHANGE) <= 0.03 * 200
    assert told.count(NO_CHANGE) > 0


def test_slope_against_the_titanium_content() -> None:
    x, pulls, false = np.array([0.0, 0.05, 0.1, 0.2, 0.35]), [], 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        sigma = 0.04 * 10.0 ** (-2.0 * x)
        found = composition_slope(x, 10.0 ** (-2.0 * x) + sigma * rng.normal(size=5), sigma)
        pulls.append((found.slope + 2.0) / found.slope_std)
        flat = composition_slope(x, 1.0 + 0.04 * rng.normal(size=5), np.full(5, 0.04))
        false += flat.probability < 0.05
    assert abs(np.mean(pulls)) < 0.1 + 2.0 / np.sqrt(400)
    assert 0.9 < np.std(pulls) < 1.1
    assert false / 400 == pytest.approx(0.05, abs=0.03)
    assert "falls with x" in found.sentence
    assert not composition_slope(x, np.array([1.0, 0.5, 0.9, 0.2, 0.1]), np.full(5, 0.01)).is_monotonic
    with pytest.raises(FitFailed):
        composition_slope(x, np.full(5, 0.1), np.full(5, 0.2))


def test_hypotheses_leave_out_what_the_geometry_cannot_make() -> None:
    points = _points(np.ones(288))
    only_ss = ShgPoints(*(getattr(points, n)[-72:] for n in points.__dataclass_fields__))
    assert {h.source for h in hypotheses(only_ss, response(45.0, CHOSEN))} == {"quadrupole", "both"}
