"""Reciprocal space maps: angles to Q, accuracy from nominal values, pulls, mixed reflections, real files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

from rutile_assets import formats
from rutile_assets.errors import FitFailed, InvalidRecord, WrongContent
from rutile_assets.formats.measurement import Measurement, Scan, Source
from rutile_assets.formats.xray import xray_technique
from rutile_assets.physics.counting import inverse, poisson_information
from rutile_assets.physics.crystal import LATTICE_SETS, rutile
from rutile_assets.physics.reciprocal import Reflection, identify, momentum, reflection
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.rsm import (
    COHERENCE_PER_ANGSTROM,
    SETUPS,
    Film,
    RsmSetup,
    _tabulated,
    expected_rate,
    film_of,
    simulate_films,
    simulate_rsm,
)
from rutile_assets.simulation.rsm_line import line
from rutile_assets.simulation.truth import UNCAPPED, FilmTruth, film_truth, relaxation
from rutile_assets.simulation.writers.scan import XrayScan
from rutile_assets.techniques.rsm import assets
from rutile_assets.techniques.rsm.fit import MapFit, RsmFitParameters, fit_map, refine
from rutile_assets.techniques.rsm.model import (
    ASIDE,
    COHERENCE,
    NORMAL_ZERO,
    Q110_FILM,
    Q_FILM,
    Q_SUB,
    RADIAL,
    MapModel,
)
from rutile_assets.techniques.rsm.plane import MeshPoints, Plane, substrate_peak, to_plane
from rutile_assets.techniques.rsm.relaxation import component_estimate, in_plane, relaxation_estimate

REAL = Path(__file__).resolve().parents[3] / "shared" / "realdata" / "rsm"
WAVE = 1.5405929
TIO2, RUO2 = rutile("TiO2"), rutile("RuO2")
CHOSEN = RsmFitParameters()
SPAN_310 = reflection(RUO2, (3, 1, 0)).parallel - reflection(TIO2, (3, 1, 0)).parallel
# (332) of films below 4 nm: the gap's phase and the planes' spacing move the broad peak alike
BELOW_THE_BOUND = (("332", 2.5), ("332", 3.9))
WEAK_310 = "|dR| < 0.01 at 30 counts: Cramer-Rao 0.008"


@pytest.mark.parametrize(
    ("hkl", "q", "two_theta_deg", "tilt_deg"),
    [
        ((3, 3, 2), (4.2473, 0.0, 5.8030), 123.68, 36.20),
        ((3, 0, 1), (2.1236, 2.9015, 2.9015), 69.00, 51.10),
        ((3, 1, 0), (0.0, 1.9343, 3.8687), 64.05, 26.57),
        ((4, 2, 0), (0.0, 1.9343, 5.8030), 97.17, 18.43),
    ],
)
def test_reflections_of_the_substrate_stand_where_the_physics_notes_put_them(
    hkl: tuple[int, int, int], q: tuple[float, float, float], two_theta_deg: float, tilt_deg: float
) -> None:
    here = reflection(TIO2, hkl)
    assert (here.q_001, here.q_1m10, here.q_110) == pytest.approx(q, abs=1e-4)
    assert here.two_theta_deg(WAVE) == pytest.approx(two_theta_deg, abs=0.01)
    assert here.tilt_deg == pytest.approx(tilt_deg, abs=0.01)
    assert identify(TIO2, two_theta_deg + 0.2, tilt_deg - 0.3, WAVE, 1.5).hkl == hkl


def test_angles_to_q_agree_with_xrayutilities() -> None:
    xu = pytest.importorskip("xrayutilities")
    # chi turns the sample about the beam's direction along the surface, as an Eulerian cradle does
    goniometer = xu.QConversion(["x+", "y+"], "x+", [0, 1, 0], wl=WAVE)
    rng = np.random.default_rng(4)
    omega, two_theta = rng.uniform(5, 60, 50), rng.uniform(30, 130, 50)
    chi = rng.uniform(0, 60, 50)
    ours = momentum(omega, two_theta, chi, WAVE)
    theirs = np.array([goniometer(o, c, t, deg=True) for o, c, t in zip(omega, chi, two_theta, strict=True)])
    assert ours[2] == pytest.approx(theirs[:, 2], abs=1e-9)
    assert np.abs(ours[0]) == pytest.approx(np.abs(theirs[:, 1]), abs=1e-9)
    assert np.abs(ours[1]) == pytest.approx(np.abs(theirs[:, 0]), abs=1e-9)
    flat = xu.HXRD([1, 1, 0], [0, 0, 1], wl=WAVE, qconv=xu.QConversion(["x+"], "x+", [0, 1, 0], wl=WAVE))
    theirs = np.array(flat.Ang2Q(omega, two_theta)).T
    ours = momentum(omega, two_theta, np.zeros(50), WAVE)
    assert ours[2] == pytest.approx(theirs[:, 2], abs=1e-6)
    assert np.abs(ours[0]) == pytest.approx(np.abs(theirs[:, 1]), abs=1e-6)


def test_grazing_incidence_has_positive_q_along_the_beam() -> None:
    here = reflection(TIO2, (3, 3, 2))
    theta = here.two_theta_deg(WAVE) / 2.0
    x, y, z = momentum(np.array([25.64]), np.array([2.0 * theta]), np.zeros(1), WAVE)
    assert (x[0], y[0], z[0]) == pytest.approx((4.2473, 0.0, 5.803), abs=2e-3)
    tilted = reflection(TIO2, (3, 0, 1))
    half = tilted.two_theta_deg(WAVE) / 2.0
    x, y, z = momentum(np.array([half]), np.array([2 * half]), np.array([tilted.tilt_deg]), WAVE)
    assert (x[0], y[0], z[0]) == pytest.approx((0.0, tilted.parallel, tilted.q_110), abs=1e-9)


def test_misfits_of_the_lattice_sets() -> None:
    misfit = {
        name: (
            100 * (of["TiO2"].c_angstrom / of["RuO2"].c_angstrom - 1),
            100 * (of["TiO2"].a_angstrom / of["RuO2"].a_angstrom - 1),
        )
        for name, of in LATTICE_SETS.items()
    }
    assert misfit["bolzan_1997"] == pytest.approx((-4.71, 2.15), abs=0.005)
    assert misfit["boman_1970"] == pytest.approx((-4.76, 2.27), abs=0.005)
    assert misfit["rounded"] == pytest.approx((-4.74, 2.26), abs=0.005)
    assert misfit["paper_pbe"] == pytest.approx((-4.78, 3.03), abs=0.01)
    with pytest.raises(InvalidRecord, match="lattice set"):
        rutile("RuO2", "guessed")


def _points(scans: list[XrayScan]) -> MeshPoints:
    omega = [s.positions_deg["Omega"] + 0.5 * (s.two_theta_deg - s.two_theta_deg[0]) for s in scans]
    chi = [np.full(len(s.two_theta_deg), s.positions_deg["Chi"]) for s in scans]
    return MeshPoints(
        np.concatenate(omega),
        np.concatenate([s.two_theta_deg for s in scans]),
        np.concatenate(chi),
        np.concatenate([s.detected_counts for s in scans]),
        1.0 / np.concatenate([s.attenuation_factor for s in scans]),
        WAVE,
    )


def _plane(scans: list[XrayScan]) -> Plane:
    points = _points(scans)
    peak = substrate_peak(points)
    return to_plane(points, peak, identify(TIO2, peak.two_theta_deg, peak.tilt_deg, WAVE, 1.5))


def _truth(nominal_nm: float) -> FilmTruth:
    return film_truth("x", UNCAPPED, nominal_nm, IDEAL, np.random.default_rng(1))


def _fit(setup: RsmSetup, nominal_nm: float, seed: int = 0) -> MapFit:
    scans = simulate_rsm(_truth(nominal_nm), setup, Realism(), np.random.default_rng(seed))
    return fit_map(_plane(scans), "TiO2", "RuO2", 1.1 * nominal_nm, CHOSEN)


def _normal(here: Reflection, film: Film) -> float:
    return here.q_110 * 10 * TIO2.d110_nm / film.spacing_angstrom


def _noiseless(setup: RsmSetup, nominal_nm: float) -> tuple[MapFit, Film]:
    here = reflection(TIO2, setup.hkl)
    film = film_of(_truth(nominal_nm), here, Realism().terrace_share)
    scans = simulate_films(here, (film,), setup, IDEAL, np.random.default_rng(1), is_noisy=False)
    return fit_map(_plane(scans), "TiO2", "RuO2", nominal_nm, CHOSEN), film


def _cramer_rao(setup: RsmSetup, nominal_nm: float, fit: MapFit | None = None) -> np.ndarray:
    """Return the least sigma, (2,), of the film's centre in the plane and along the normal [1/angstrom].

    Of any unbiased estimator of the film's 14 parameters from the counts of the map, given where the substrate's peak
    puts the zeros and how far apart rod and film interfere (the coherence): nothing else is known before. At the truth,
    or as it is at what a fit found: below 4 nm a tenth of a radian of the gap's phase changes it threefold.
    """
    fit = fit or _noiseless(setup, nominal_nm)[0]
    model = MapModel(fit.plane.reflection, "TiO2", "RuO2", "bolzan_1997", WAVE)
    rate, slopes = model.slopes(fit.vector, fit.plane)
    exposure = fit.plane.exposure
    information = poisson_information(slopes * exposure[:, None], rate * exposure)
    known = {
        Q_SUB: fit.plane.parallel_std_per_angstrom, NORMAL_ZERO: fit.plane.normal_std_per_angstrom,
        COHERENCE: 1.0, ASIDE: 1.0, RADIAL: 1.0,
    }  # fmt: skip
    for place, std in known.items():
        information[place, place] += std**-2.0
    return np.asarray(np.sqrt(np.diag(inverse(information))[[Q_FILM, Q110_FILM]]))


@pytest.mark.parametrize(
    ("name", "nominal_nm"),
    [("332", 2.5), ("332", 3.9), ("332", 6.5), ("332", 17.2), ("310", 8.0), ("301", 3.9), ("301", 6.5)],
)
def test_accuracy_with_unknown_zeros_and_nominal_thickness_ten_percent_off(name: str, nominal_nm: float) -> None:
    fit = _fit(SETUPS[name], nominal_nm, seed=3)
    here = fit.plane.reflection
    film = film_of(_truth(nominal_nm), here)
    assert fit.components == 1
    assert fit.reduced_chi_square < 1.3
    q = component_estimate(fit)
    assert q.values[0] == pytest.approx(film.q_parallel, abs=5e-4)
    if (name, nominal_nm) in BELOW_THE_BOUND:  # no estimator reaches the bar: this one claims what its map can tell
        assert q.values[1] == pytest.approx(_normal(here, film), abs=3.0 * q.std[1])
        assert q.std[1] == pytest.approx(_cramer_rao(SETUPS[name], nominal_nm, fit)[1], rel=0.15)
    else:
        assert q.values[1] == pytest.approx(_normal(here, film), abs=1e-3)
    told, _ = relaxation_estimate([here], q.values[:1], q.std[:1], "TiO2", "RuO2", "bolzan_1997")
    true = relaxation(_truth(nominal_nm).film.thickness_nm)
    if name == "301":
        assert told is None
    else:
        assert told is not None
        assert told.values[0] == pytest.approx(true[0 if name == "332" else 1], abs=0.01)


@pytest.mark.parametrize(
    ("name", "nominal_nm", "film_counts", "direction", "bar"),
    [
        pytest.param("332", 2.5, 3e3, 1, 1e-3, marks=pytest.mark.xfail(strict=True, reason="Cramer-Rao 8.9e-4")),
        pytest.param("332", 3.9, 3e3, 1, 1e-3, marks=pytest.mark.xfail(strict=True, reason="Cramer-Rao 1.8e-3")),
        pytest.param("310", 8.0, 30.0, 0, 0.01 * SPAN_310, marks=pytest.mark.xfail(strict=True, reason=WEAK_310)),
        ("332", 6.5, 3e3, 1, 1e-3),
        ("310", 3.9, 3e3, 1, 1e-3),
        ("310", 8.0, 30.0, 0, 1e-3),
        ("332", 6.5, 30.0, 0, 1e-3),
    ],
)
def test_the_information_of_a_map_allows_the_bar_in_19_of_20(
    name: str, nominal_nm: float, film_counts: float, direction: int, bar: float
) -> None:
    setup = replace(SETUPS[name], film_counts=film_counts)
    assert 1.96 * _cramer_rao(setup, nominal_nm)[direction] < bar


@pytest.mark.parametrize("nominal_nm", [3.9, 6.5])
def test_thirty_counts_with_free_widths_stay_within_the_bar(nominal_nm: float) -> None:
    weak = RsmSetup((3, 3, 2), film_counts=30.0)
    fit = _fit(weak, nominal_nm, seed=5)
    film = film_of(_truth(nominal_nm), fit.plane.reflection)
    q = component_estimate(fit)
    assert q.values[0] == pytest.approx(film.q_parallel, abs=1e-3)
    assert abs(q.values[0] - film.q_parallel) < 4.0 * q.std[0] + 2e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hkl", "nominal_nm", "film_counts"), [("332", 6.5, 30.0), ("332", 6.5, 3e3), ("310", 8.0, 30.0), ("310", 8.0, 3e3)]
)
def test_pulls_with_unknown_zeros_and_free_widths_at_few_and_at_many_counts(
    hkl: str, nominal_nm: float, film_counts: float
) -> None:
    setup = replace(
        SETUPS[hkl], aside_start_deg=-0.9, aside_stop_deg=1.5, two_theta_range_deg=3.0, film_counts=film_counts
    )
    rng = np.random.default_rng(11)
    here = reflection(TIO2, setup.hkl)
    film = film_of(_truth(nominal_nm), here, Realism().terrace_share)
    model = MapModel(here, "TiO2", "RuO2", "bolzan_1997", WAVE)
    true = np.array([film.q_parallel - here.parallel, _normal(here, film)])
    span = reflection(RUO2, setup.hkl).parallel - here.parallel
    start: np.ndarray | None = None
    errors, stds = [], []
    for _ in range(220):
        plane = _plane(simulate_films(here, (film,), setup, Realism(), rng))
        if start is None:
            start = fit_map(plane, "TiO2", "RuO2", 1.1 * nominal_nm, CHOSEN).vector
        away = np.hypot(plane.q_parallel - here.parallel, plane.q_normal - here.q_110)
        used = plane.part((away > CHOSEN.mask_per_angstrom) & (np.abs(plane.q_normal - here.q_110) < 0.45))
        found, covariance = refine(used, model, start)
        errors.append(found[[Q_FILM, Q110_FILM]] - true)
        stds.append(np.sqrt(np.diag(covariance))[[Q_FILM, Q110_FILM]])
    pull = np.array(errors) / np.array(stds)
    count = len(pull)
    assert (np.abs(pull.mean(axis=0)) < 0.1 + 2.0 / np.sqrt(count)).all(), (pull.mean(axis=0), pull.std(axis=0))
    width = pull.std(axis=0, ddof=1)
    assert (np.abs(width - 1.0) < 0.1 + 2.0 / np.sqrt(2 * count)).all(), width
    # 1e-3 for every map, but for those that the information of the counts itself puts beyond it
    beyond = int((np.abs(np.array(errors)[:, 0]) > 1e-3).sum())
    chance = 2.0 * norm.sf(1e-3 / _cramer_rao(setup, nominal_nm)[0])
    assert beyond <= binom.ppf(0.99, count, chance), (beyond, chance)
    assert film_counts < 1e3 or np.abs(np.array(errors)[:, 0]).max() / abs(span) < 0.01


@pytest.mark.parametrize(
    ("name", "nominal_nm"), [("332", 2.5), ("332", 17.2), ("310", 2.5), ("310", 4.5), ("310", 17.2), ("301", 3.9)]
)
def test_the_substrates_line_sets_the_zeros_without_bias(name: str, nominal_nm: float) -> None:
    here = reflection(TIO2, SETUPS[name].hkl)
    film = film_of(_truth(nominal_nm), here, Realism().terrace_share)
    scans = simulate_films(here, (film,), SETUPS[name], IDEAL, np.random.default_rng(1), is_noisy=False)
    peak = substrate_peak(_points(scans))
    omega, two_theta, chi = (np.array([v]) for v in (peak.omega_deg, peak.two_theta_deg, peak.chi_deg))
    x, y, z = momentum(omega, two_theta, chi, WAVE)
    assert (y if name == "301" else x)[0] == pytest.approx(here.parallel, abs=1.5e-6)
    assert z[0] == pytest.approx(here.q_110, abs=1.5e-6)


def test_a_film_beside_the_substrates_line_does_not_draw_it() -> None:
    here = reflection(TIO2, SETUPS["301"].hkl)
    film = film_of(_truth(6.5), here, Realism().terrace_share)  # a relaxed film 0.4 deg of chi away, 1 % as bright
    scans = simulate_films(here, (film,), SETUPS["301"], IDEAL, np.random.default_rng(1), is_noisy=False)
    peak = substrate_peak(_points(scans))
    _, y, _ = momentum(*(np.array([v]) for v in (peak.omega_deg, peak.two_theta_deg, peak.chi_deg)), WAVE)
    assert y[0] == pytest.approx(here.parallel, abs=1.5e-5)


@pytest.mark.parametrize(
    ("hkl", "nominal_nm"), [("332", 2.5), ("332", 4.5), ("332", 17.2), ("310", 2.5), ("310", 6.5), ("310", 17.2)]
)
def test_without_noise_the_relaxation_has_no_bias_at_any_thickness(hkl: str, nominal_nm: float) -> None:
    fit, film = _noiseless(SETUPS[hkl], nominal_nm)
    q = component_estimate(fit)
    assert fit.reduced_chi_square < 0.01
    assert abs(q.values[0] - film.q_parallel) < 0.15 * q.std[0]
    assert abs(q.values[0] - film.q_parallel) < 5e-6
    assert q.values[1] == pytest.approx(_normal(fit.plane.reflection, film), abs=1e-4)


@pytest.mark.parametrize(("hkl", "nominal_nm"), [("332", 17.2), ("310", 8.0), ("301", 6.5)])
def test_the_simulated_blur_is_that_of_angles_drawn_at_random(hkl: str, nominal_nm: float) -> None:
    setup, rng, count = SETUPS[hkl], np.random.default_rng(3), 400_000
    here = reflection(TIO2, setup.hkl)
    film = film_of(_truth(nominal_nm), here)
    normal = here.q_110 * 10 * TIO2.d110_nm / film.spacing_angstrom
    length, tilt = np.hypot(film.q_parallel, normal), np.degrees(np.arctan2(film.q_parallel, normal))
    ladder = _tabulated(here, film)
    per_sigma = 2.0 * np.sqrt(2.0 * np.log(2.0))
    aside_deg = np.hypot((setup.chi_fwhm_deg if setup.is_tilted else setup.omega_fwhm_deg) / per_sigma, film.mosaic_deg)
    for leaning, longer in ((0.0, 0.0), (0.15, 0.1), (-0.1, -0.2)):
        two_theta = 2.0 * np.degrees(np.arcsin(length * WAVE / (4.0 * np.pi))) + longer
        omega, chi = (two_theta / 2, tilt + leaning) if setup.is_tilted else (two_theta / 2 - tilt + leaning, 0.0)
        at = (np.array([omega]), np.array([two_theta]), np.array([chi]))
        expected = expected_rate(here, (film,), setup, *at)[1][0] / (0.5 + 0.5 * np.cos(np.radians(two_theta)) ** 2)
        aside = aside_deg * rng.normal(size=count)
        radial = setup.two_theta_fwhm_deg / per_sigma * rng.normal(size=count)
        if setup.is_tilted:
            _, parallel, high = momentum(omega + radial / 2, two_theta + radial, chi + aside, WAVE)
        else:
            parallel, _, high = momentum(omega + aside, two_theta + radial, np.zeros(count), WAVE)
        across = (parallel - film.q_parallel) / COHERENCE_PER_ANGSTROM
        drawn = np.exp(-0.5 * across**2) / COHERENCE_PER_ANGSTROM * np.abs(ladder(high)) ** 2
        assert expected == pytest.approx(drawn.mean(), abs=4.0 * drawn.std() / np.sqrt(count))


@pytest.mark.parametrize("name", ["332", "301"])
def test_the_simulated_line_of_the_substrate_is_the_mean_over_angles(name: str) -> None:
    setup, here = SETUPS[name], reflection(TIO2, SETUPS[name].hkl)
    pole, coherence, deviations = 1e-3, 2e-3, (4e-4, 9e-4)
    theta, tilt = np.radians(here.two_theta_deg(WAVE) / 2.0), np.radians(here.tilt_deg)
    at = tilt if setup.is_tilted else theta - tilt

    def rod(q: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 / ((q - here.q_110) ** 2 + pole**2))

    turned, two_theta = at + np.array([0.0, 6e-4, -6e-4]), 2.0 * theta + np.array([0.0, 1e-3, 1e-3])
    found = line(
        (here.parallel, here.q_110), pole, coherence, rod, deviations, turned, two_theta, is_tilted=setup.is_tilted
    )
    normal = np.linspace(-7.0, 7.0, 1201)
    weight = np.exp(-0.5 * (normal[:, None] ** 2 + normal**2))
    for seen, one, two in zip(found, np.degrees(turned), np.degrees(two_theta), strict=True):
        aside, radial = np.degrees(deviations[0] * normal[:, None]), np.degrees(deviations[1] * normal)
        angle = np.broadcast_to(two + radial, weight.shape)
        omega, chi = (angle / 2.0, one + aside) if setup.is_tilted else (one + aside, 0.0 * aside)
        x, y, z = momentum(omega + 0.0 * angle, angle, chi + 0.0 * angle, WAVE)
        across = ((y if setup.is_tilted else x) - here.parallel) / coherence
        mean = np.average(np.exp(-0.5 * across**2) / coherence * rod(z), weights=weight)
        assert seen == pytest.approx(mean, rel=2e-5)


def test_the_slopes_of_the_rate_are_its_derivatives() -> None:
    fit = _fit(SETUPS["332"], 4.5, seed=2)
    model = MapModel(fit.plane.reflection, "TiO2", "RuO2", "bolzan_1997", WAVE)
    second = [0.5 * fit.vector[Q_FILM] - 0.03, fit.vector[Q110_FILM] + 0.03, -1.0, -5.5]
    vector = np.append(fit.vector, second)
    _, slopes = model.slopes(vector, fit.plane)
    for place in range(len(vector)):
        step = np.zeros(len(vector))
        step[place] = 1e-6
        found = (model.rate(vector + step, fit.plane) - model.rate(vector - step, fit.plane)) / 2e-6
        assert slopes[:, place] == pytest.approx(found, abs=3e-3 * np.abs(found).max()), place


def test_a_strained_and_a_relaxed_part_are_two_components_and_one_stays_one() -> None:
    here = reflection(TIO2, (3, 3, 2))
    bulk = reflection(RUO2, (3, 3, 2))
    spacing = 10 * TIO2.d110_nm * here.q_110 / 5.845
    strained = Film(here.parallel, spacing, 30.0, 0.01, 0.5)
    relaxed = Film(bulk.parallel + 0.03, 10 * TIO2.d110_nm * here.q_110 / 5.92, 30.0, 0.08, 0.5)
    scans = simulate_films(here, (strained, relaxed), SETUPS["332"], Realism(), np.random.default_rng(2))
    fit = fit_map(_plane(scans), "TiO2", "RuO2", 9.7, CHOSEN)
    assert fit.components == 2
    assert fit.delta_bic > 100
    q = component_estimate(fit)
    found = sorted((q.value("q_parallel_per_angstrom", f"332 component {i}") for i in (1, 2)), reverse=True)
    assert found == pytest.approx([here.parallel, relaxed.q_parallel], abs=2e-3)
    mean = q.value("q_parallel_per_angstrom", "332")
    assert found[1] < mean < found[0]


def test_a_mixed_reflection_is_never_read_as_one_direction() -> None:
    pure, mixed = reflection(TIO2, (3, 3, 2)), reflection(TIO2, (3, 0, 1))
    true = np.array([0.2, 0.0])
    q = np.array([in_plane(r, true, "TiO2", "RuO2", "bolzan_1997") for r in (pure, mixed)])
    assert q[1] - mixed.parallel == pytest.approx(-0.0124, abs=2e-4)  # read as [1-10] alone: R = -23 %
    std = np.array([1e-4, 1e-4])
    alone, notes = relaxation_estimate([mixed], q[1:], std[1:], "TiO2", "RuO2", "bolzan_1997")
    assert alone is None
    assert "both in-plane components" in notes[0]
    both, _ = relaxation_estimate([pure, mixed], q, std, "TiO2", "RuO2", "bolzan_1997")
    assert both is not None
    assert both.quantities == ("relaxation_001_fraction", "relaxation_1m10_fraction")
    assert both.values == pytest.approx(true, abs=1e-6)
    assert both.covariance[0, 1] != 0.0
    one, notes = relaxation_estimate([pure], q[:1], std[:1], "TiO2", "RuO2", "bolzan_1997")
    assert one is not None
    assert one.quantities == ("relaxation_001_fraction",)
    other, _ = relaxation_estimate([pure], q[:1], std[:1], "TiO2", "RuO2", "boman_1970")
    assert other is not None
    assert one.values[0] - other.values[0] == pytest.approx(0.2 * 0.012, rel=0.2)  # the lattice set is an input


def test_a_map_at_one_tilt_and_too_few_counts_are_refused() -> None:
    points = _points(simulate_rsm(_truth(6.5), SETUPS["332"], IDEAL, np.random.default_rng(1)))
    peak = substrate_peak(points)
    leaning = MeshPoints(
        points.omega_deg, points.two_theta_deg, points.chi_deg + 50.0, points.counts, points.exposure, WAVE
    )
    with pytest.raises(FitFailed, match="scan chi"):
        to_plane(leaning, type(peak)(34.5, 69.0, 50.0, 0.01, 0.01), reflection(TIO2, (3, 0, 1)))
    dark = MeshPoints(
        points.omega_deg, points.two_theta_deg, points.chi_deg, np.minimum(points.counts, 3.0), points.exposure, WAVE
    )
    with pytest.raises(FitFailed, match="brightest"):
        substrate_peak(dark)
    with pytest.raises(FitFailed, match="one reflection"):
        identify(TIO2, 50.0, 3.0, WAVE, 0.5)


def test_scans_at_several_chi_are_a_map() -> None:
    def scan(chi: float) -> Scan:
        angle = np.linspace(60.0, 70.0, 11)
        return Scan({"two_theta_deg": angle}, {"scan_axis": "TwoThetaOmega", "chi_deg": chi, "omega_deg": 30.0})

    assert xray_technique([scan(50.0), scan(50.5)]) == "rsm"
    assert xray_technique([scan(50.0), scan(50.0)]) == "xrd"
    with pytest.raises(WrongContent, match="belongs in xrd"):
        assets.check(Measurement("x", (scan(50.0),)))
    still = Scan({"two_theta_deg": np.arange(3.0)}, {"scan_axis": "TwoTheta"})
    with pytest.raises(WrongContent, match="omega"):
        assets.check(Measurement("x", (still, still)))


def test_only_one_film_on_rutile_is_fitted() -> None:
    growth = pd.DataFrame([{"substrate_material": "TiO2", "substrate_orientation": "110"}])
    film = {"layer_index": 1, "material": "RuO2", "nominal_thickness_nm": 4.0}
    cap = {"layer_index": 2, "material": "TiO2", "nominal_thickness_nm": 2.5}
    assert assets.film_on_substrate(growth, pd.DataFrame([film])) == ("TiO2", "RuO2", 4.0)
    with pytest.raises(InvalidRecord, match="several layers"):
        assets.film_on_substrate(growth, pd.DataFrame([film, cap]))
    with pytest.raises(InvalidRecord, match="orientation"):
        assets.film_on_substrate(growth.assign(substrate_orientation="001"), pd.DataFrame([film]))


@pytest.mark.parametrize(
    ("name", "omega_deg", "two_theta_deg", "spacing_angstrom"),
    [
        ("nomad_RSM_111_sdd350.rasx", 19.712, 39.564, 2.276),
        ("epytaxy_P0031bCL_RSM_003_phi_0.xrdml", 36.285, 72.573, 3.905 / 3),
        ("nomad_m82762_-420_mesh.xrdml", 61.8227, 69.3805, None),
        ("xu_rsm_1.xrdml.bz2", 34.3046, 69.1235, 5.431 / 4),
    ],
)
def test_brightest_points_of_real_maps(
    name: str, omega_deg: float, two_theta_deg: float, spacing_angstrom: float | None
) -> None:
    if not (REAL / name).exists():
        pytest.skip(f"SKIPPED, NOT PASSED: {REAL / name} is absent")
    measurement = formats.read(Source.of(REAL / name))
    assets.check(measurement)
    frames = [
        pd.DataFrame(dict(scan.columns)).assign(omega_deg=assets.omega_of(scan), chi_deg=0.0)
        for scan in measurement.scans
    ]
    row = assets._brightest(pd.concat(frames, ignore_index=True), 1, len(frames), assets.wavelength(measurement))
    assert row["brightest_omega_deg"] == pytest.approx(omega_deg, abs=1e-3)
    assert row["brightest_two_theta_deg"] == pytest.approx(two_theta_deg, abs=1e-3)
    if spacing_angstrom is not None:
        assert row["brightest_spacing_angstrom"] == pytest.approx(spacing_angstrom, abs=5e-4)


def test_the_rods_centre_is_shared_by_film_and_substrate() -> None:
    fit = _fit(SETUPS["332"], 3.9, seed=9)
    assert fit.vector[Q_SUB] == pytest.approx(fit.plane.reflection.parallel, abs=1e-3)
