"""Work functions: limits, pulls, the tangent's bias, other shapes than the fit's, insulators, real spectra, a peer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import erf, erfc

from rutile_assets import formats
from rutile_assets.errors import FitFailed, RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement, Scan, Source
from rutile_assets.provenance.film import Film, Outcome, RawFile
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.ups import HE_I_EV, Spectrum, Surface, UpsSetup, expected_counts, simulate_ups
from rutile_assets.techniques.ups.assets import UPS_SPECTRUM, check, ups_fit, ups_spectrum
from rutile_assets.techniques.ups.levels import LINES_EV, Photon, photon_energy, work_function
from rutile_assets.techniques.ups.likelihood import Prior, Signal, maximise, neighbour_noise
from rutile_assets.techniques.ups.model import (
    CutOff,
    FermiEdge,
    UpsFitParameters,
    find_fermi_edge,
    fit_cutoff,
    fit_fermi_edge,
)
from rutile_assets.techniques.ups.regions import read_levels
from rutile_assets.techniques.ups.shapes import (
    BOLTZMANN_EV_PER_K,
    cutoff_shape,
    fermi_function,
    fermi_shape,
    power_cutoff_shape,
    tangent_cutoff,
)
from rutile_assets.techniques.ups.tables import UPS_FIT, UPS_FIT_CURVE

CHOSEN = UpsFitParameters()
HE_I = Photon(HE_I_EV)


def _fit(seen: Spectrum, chosen: UpsFitParameters = CHOSEN) -> tuple[FermiEdge, CutOff]:
    x, signal = seen.kinetic_energy_ev, Signal(seen.counts)
    fermi = fit_fermi_edge(x, signal, chosen, find_fermi_edge(x, seen.counts))
    return fermi, fit_cutoff(x, signal, fermi.fwhm_ev, float(fermi.std_ev[1]), chosen)


def _scan(seen: Spectrum, setup: UpsSetup, region: str, *, bias_v: float | None = None) -> Scan:
    counts = {"detected_counts": seen.counts, "intensity_counts_per_s": seen.counts / setup.dwell_s}
    return Scan(
        {"kinetic_energy_ev": seen.kinetic_energy_ev, **counts},
        {
            "region": region,
            "photon_energy_ev": 21.2,
            "bias_v": setup.bias_v if bias_v is None else bias_v,
            "analyser_work_function_ev": setup.analyser_work_function_ev,
        },
    )


# the shapes


@pytest.mark.parametrize(("temperature_k", "sigma_ev"), [(300, 0.05), (300, 0.0129), (300, 0.003), (4, 0.05)])
def test_a_fermi_edge_is_the_convolution_that_quadrature_gives(temperature_k: float, sigma_ev: float) -> None:
    energies = np.linspace(-0.3, 0.3, 7)

    def at(energy: float, t: float) -> float:
        e = energy - sigma_ev * t
        occupied = float(fermi_function(np.array(e), temperature_k))
        return (1 - 0.3 * e + 0.2 * e**2) * occupied * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)

    whole = [
        quad(lambda t, e=e: at(e, t), -9, 9, points=[np.clip(e / sigma_ev, -8.9, 8.9)], limit=500)[0] for e in energies
    ]
    assert fermi_shape(energies, 0.0, sigma_ev, temperature_k, -0.3, 0.2) == pytest.approx(whole, abs=3e-7)


def test_a_fermi_edge_meets_its_limits() -> None:
    energies = np.linspace(-0.3, 0.3, 601)
    cold = fermi_shape(energies, 0.0, 0.04, 1e-3)
    assert cold == pytest.approx(0.5 * erfc(energies / 0.04 / np.sqrt(2)), abs=1e-9)
    sharp = fermi_shape(energies, 0.0, 1e-5, 300.0)
    assert sharp == pytest.approx(1 / (np.exp(energies / (BOLTZMANN_EV_PER_K * 300)) + 1), abs=1e-6)
    step = fermi_shape(energies, 1e-4, 1e-7, 1e-3)
    assert step == pytest.approx((energies < 1e-4).astype(float), abs=1e-9)


def test_a_cutoff_is_the_convolution_that_quadrature_gives_and_meets_its_limits() -> None:
    energies = np.linspace(-0.4, 0.8, 9)

    def at(energy: float, x: float) -> float:
        blur = np.exp(-0.5 * ((energy - x) / 0.05) ** 2) / 0.05 / np.sqrt(2 * np.pi)
        return -np.expm1(-x / 0.15) * np.exp(0.3 * x) * blur

    whole = [quad(lambda x, e=e: at(e, x), 0, 2, points=[max(e, 0)], limit=400)[0] for e in energies]
    assert cutoff_shape(energies, 0.0, 0.05, 0.15, 0.3) == pytest.approx(whole, abs=1e-12)
    assert power_cutoff_shape(energies, 0.0, 0.05, 0.15, 0.3, 1.0) == pytest.approx(whole, abs=5e-4)
    step = cutoff_shape(energies, 0.0, 0.05, 1e-4, 0.0)
    assert step == pytest.approx(0.5 * erfc(-(energies - 1e-4) / 0.05 / np.sqrt(2)), abs=1e-3)
    sharp = cutoff_shape(energies, 0.0, 1e-6, 0.15, 0.0)
    assert sharp == pytest.approx(np.where(energies > 0, -np.expm1(-np.maximum(energies, 0) / 0.15), 0), abs=1e-5)


def test_the_tangent_of_an_error_function_meets_the_baseline_where_geometry_says() -> None:
    energies = np.arange(-3.0, 3.0, 0.02)
    rise = 50.0 + 1000.0 * 0.5 * (1.0 + erf((energies - 0.3) / 0.4 / np.sqrt(2)))
    assert tangent_cutoff(energies, rise, 0.03) == pytest.approx(0.3 - 0.4 * np.sqrt(np.pi / 2), abs=0.02)
    with pytest.raises(FitFailed, match="baseline"):
        tangent_cutoff(energies[150:], rise[150:], 0.12)


# accuracy


@pytest.mark.parametrize("fwhm_ev", [0.05, 0.12, 0.2, 0.3])
def test_the_convolved_edge_is_right_where_the_tangent_is_off_by_what_is_quoted(fwhm_ev: float) -> None:
    setup = UpsSetup(resolution_fwhm_ev=fwhm_ev)
    true = expected_counts(Surface(5.0), setup, Realism())
    seen = Spectrum(true.kinetic_energy_ev, np.random.default_rng(4).poisson(true.counts).astype(float))
    fermi, cutoff = _fit(seen)
    numbers = work_function(fermi, cutoff, HE_I, CHOSEN)
    assert numbers.value("work_function_ev") == pytest.approx(5.0, abs=min(0.03, 2.5 * numbers.std[0]))
    assert fermi.position_ev == pytest.approx(setup.fermi_kinetic_ev, abs=0.01)
    assert fermi.fwhm_ev == pytest.approx(fwhm_ev, abs=3.5 * fermi.std_ev[1])
    without_noise = tangent_cutoff(true.kinetic_energy_ev, true.counts, CHOSEN.tangent_window_ev)
    off = without_noise - (setup.fermi_kinetic_ev - HE_I_EV + 5.0)
    assert -0.13 < off < -0.025
    assert numbers.value("tangent_bias_ev") == pytest.approx(off, abs=2.0 * numbers.sigma("tangent_bias_ev"))
    assert {"energy scale", "secondary rise", "secondary onset", "density of states"} <= set(numbers.systematics)


@pytest.mark.parametrize("peak_counts", [500.0, 2000.0, 2e4])
def test_the_tangent_repeats_within_what_it_claims(peak_counts: float) -> None:
    setup = UpsSetup(peak_counts=peak_counts)
    true = expected_counts(Surface(5.0), setup, IDEAL)
    low = true.kinetic_energy_ev < 12.4
    x, rng = true.kinetic_energy_ev[low], np.random.default_rng(1)
    readings = [tangent_cutoff(x, rng.poisson(true.counts[low]).astype(float), 0.12) for _ in range(300)]
    assert np.std(readings) < 0.01
    claims = [
        np.sqrt(
            fit_cutoff(x, Signal(rng.poisson(true.counts[low]).astype(float)), 0.12, 0.005, CHOSEN).covariance[1, 1]
        )
        for _ in range(5)
    ]
    assert np.mean(claims) == pytest.approx(np.std(readings), rel=0.35)


def _pulls(seeds: int, setup: UpsSetup) -> tuple[np.ndarray, np.ndarray]:
    """Return pulls of work function, Fermi level, resolution, cut-off, tangent less bias; errors of the first [eV]."""
    pulls, errors = [], []
    for seed in range(seeds):
        seen, _ = simulate_ups(5.0, setup, Realism(), np.random.default_rng(seed))
        axis = np.random.default_rng(seed)  # the first two draws are the axis'
        zero, gain = 0.05 * axis.normal(), 1.0 + 3e-4 * axis.normal()
        level, cut = (gain * (setup.fermi_kinetic_ev + zero + e) for e in (0.0, 5.0 - HE_I_EV))
        fermi, cutoff = _fit(seen)
        numbers = work_function(fermi, cutoff, HE_I, CHOSEN)
        tangent_error = np.hypot(cutoff.std_ev[2], cutoff.std_ev[1])
        pulls.append(
            (
                (numbers.values[0] - 5.0) / numbers.std[0],
                (fermi.position_ev - level) / fermi.std_ev[0],
                (fermi.fwhm_ev - setup.resolution_fwhm_ev) / fermi.std_ev[1],
                (cutoff.position_ev - cut) / cutoff.std_ev[0],
                (cutoff.tangent_ev - cutoff.tangent_bias_ev - cut) / tangent_error,
            )
        )
        errors.append(numbers.values[0] - 5.0)
    return np.array(pulls), np.array(errors)


def test_errors_stay_below_the_bar_when_the_lab_draws_everything() -> None:
    pulls, errors = _pulls(4, UpsSetup())
    assert np.abs(errors).max() < 0.03
    assert np.abs(pulls).max() < 4.0


@pytest.mark.slow
@pytest.mark.parametrize("fwhm_ev", [0.12, 0.2])
def test_pulls_over_220_seeds(fwhm_ev: float) -> None:
    pulls, errors = _pulls(220, UpsSetup(resolution_fwhm_ev=fwhm_ev))
    standard = 1.0 / np.sqrt(len(pulls))
    assert (np.abs(pulls.mean(axis=0)) < 0.1 + 2.0 * standard).all(), pulls.mean(axis=0)
    width = pulls[:, :4].std(axis=0, ddof=1)
    assert (np.abs(width - 1.0) < 0.1 + np.sqrt(2.0) * standard).all(), width
    assert np.mean(np.abs(errors) < 0.03) > 0.95


@pytest.mark.parametrize(
    ("name", "onset"),
    [
        ("tanh", np.tanh),
        ("hyperbola", lambda x: x / (1.0 + x)),
        ("arctan", lambda x: 2.0 / np.pi * np.arctan(0.5 * np.pi * x)),
        ("error function", lambda x: erf(0.886 * x)),
        ("slow", lambda x: -np.expm1(-(x**1.2))),
        ("steep", lambda x: -np.expm1(-(x**0.9))),
    ],
)
@pytest.mark.parametrize("fwhm_ev", [0.05, 0.12, 0.2])
def test_onsets_of_another_shape_are_covered_by_the_named_systematic(
    name: str, onset: Callable[[np.ndarray], np.ndarray], fwhm_ev: float
) -> None:
    fine = np.arange(-2.0, 4.0, 0.002)
    above = np.maximum(fine, 0.0)
    kernel = np.exp(-0.5 * (np.arange(-0.6, 0.601, 0.002) * 2.3548 / fwhm_ev) ** 2)
    curve = np.convolve(onset(above / 0.15) * (1.0 + above / 2.5) ** -1.7, kernel / kernel.sum(), mode="same")
    x = np.arange(-1.5, 2.0, 0.02)
    seen = np.interp(x, fine, curve)
    found = fit_cutoff(x, Signal(2e4 * seen / seen.max() + 60.0), fwhm_ev, 0.005, CHOSEN)
    assert abs(found.position_ev) < 0.03
    assert abs(found.position_ev) < 2.5 * found.std_ev[0], name
    assert abs(found.shifts["secondary onset"][0]) > 0.9 * found.std_ev[0]


def test_a_wrong_temperature_goes_into_the_resolution_and_not_into_the_level() -> None:
    setup = UpsSetup()
    seen = expected_counts(Surface(5.0), setup, IDEAL)
    fits = [_fit(seen, replace(CHOSEN, temperature_k=t))[0] for t in (250.0, 300.0)]
    assert fits[0].position_ev == pytest.approx(fits[1].position_ev, abs=5e-4)
    assert fits[0].fwhm_ev > fits[1].fwhm_ev + 0.005


def test_intensities_without_counts_find_their_noise() -> None:
    rng = np.random.default_rng(3)
    smooth = 100.0 + 3000.0 * np.exp(-0.5 * (np.linspace(-3, 3, 4000)) ** 2)
    noise = neighbour_noise(1e-9 * rng.poisson(smooth))
    assert noise[5:-5] == pytest.approx(1e-9 * np.sqrt(smooth[5:-5]), rel=0.25)
    setup = UpsSetup()
    seen, _ = simulate_ups(5.0, setup, IDEAL, rng)
    signal = Signal.of(seen.counts / 37.0, is_counts=False)
    x = seen.kinetic_energy_ev
    fermi = fit_fermi_edge(x, signal, CHOSEN, find_fermi_edge(x, seen.counts))
    counted, cutoff = _fit(seen)
    assert fermi.position_ev == pytest.approx(counted.position_ev, abs=0.001)
    assert fermi.std_ev[0] == pytest.approx(counted.std_ev[0], rel=0.25)
    other = fit_cutoff(x, signal, fermi.fwhm_ev, float(fermi.std_ev[1]), CHOSEN)
    assert other.position_ev == pytest.approx(cutoff.position_ev, abs=0.002)
    assert other.std_ev == pytest.approx(cutoff.std_ev, rel=0.35)


def test_covariance_and_minimum_agree_with_iminuit() -> None:
    iminuit = pytest.importorskip("iminuit")
    rng = np.random.default_rng(8)
    x = np.arange(-0.7, 0.5, 0.02)

    def model(p: np.ndarray) -> np.ndarray:
        return np.asarray(p[3] + p[4] * cutoff_shape(x, p[0], p[1], p[2], p[5]))

    truth = np.array([0.0, 0.05, 0.15, 60.0, 2000.0, -0.3])
    signal = Signal(rng.poisson(model(truth)).astype(float))
    priors = (Prior("resolution", 1, 0.051, 0.005), Prior("rise", 2, 0.15, 0.06))
    bounds = ([-1, 1e-3, 5e-3, 0, 0, -1.5], [1, 1, 1.5, np.inf, np.inf, 5])
    ours = maximise(model, signal, [truth], bounds, priors)

    def cost(p: np.ndarray) -> float:
        expected = model(p)
        said = sum(((p[prior.place] - prior.centre) / prior.std) ** 2 for prior in priors)
        return float(2.0 * np.sum(expected - signal.values * np.log(expected)) + said)

    peer = iminuit.Minuit(cost, truth)
    peer.limits = list(zip(*bounds, strict=True))
    peer.errordef = iminuit.Minuit.LEAST_SQUARES
    peer.tol = 1e-4
    peer.migrad()
    peer.hesse()
    std = np.array(peer.errors)
    assert peer.valid
    assert (np.abs(ours.vector - np.array(peer.values)) < 0.02 * std).all()
    whole = ours.covariance / max(1.0, ours.reduced_chi_square) + sum(np.outer(s, s) for s in ours.shifts.values())
    assert np.sqrt(np.diag(whole)) == pytest.approx(std, rel=0.06)


# photons, biases, insulators


def test_a_rounded_helium_line_is_the_line_and_costs_18_mev_otherwise() -> None:
    rounded = photon_energy(21.2, CHOSEN)
    assert rounded.energy_ev == LINES_EV["He I"]
    assert rounded.std_ev == 0.0
    assert "-18 meV" in rounded.note
    as_chosen = photon_energy(21.218, replace(CHOSEN, photon_energy_ev=21.2))
    assert as_chosen.energy_ev == 21.2
    assert as_chosen.std_ev == pytest.approx(0.05 / np.sqrt(3))
    assert photon_energy(40.8, CHOSEN).energy_ev == LINES_EV["He II"]
    synchrotron = photon_energy(60.0, CHOSEN)
    assert synchrotron == Photon(60.0, pytest.approx(0.5 / np.sqrt(3)))
    with pytest.raises(FitFailed, match=r"photon_energy_ev: 21\.218"):
        photon_energy(None, CHOSEN)
    seen = expected_counts(Surface(5.0), UpsSetup(), IDEAL)
    fermi, cutoff = _fit(seen)
    values = [work_function(fermi, cutoff, p, CHOSEN) for p in (rounded, as_chosen)]
    assert values[0].values[0] - values[1].values[0] == pytest.approx(0.018)
    assert values[1].sigma("work_function_ev") > 0.028


def _numbers(outcome: Outcome, quantity: str) -> Estimate:
    return next(r.estimate for r in outcome.results if quantity in r.estimate.quantities)


def _outcome(measurement: Measurement, *, layers: int = 1, parameters: UpsFitParameters = CHOSEN) -> Outcome:
    tables = {
        "growth": pd.DataFrame([{"substrate_material": "TiO2"}]),
        "growth_layer": pd.DataFrame([{"material": "RuO2"}] * layers),
    }
    file = RawFile(1, "00", "ups/spectrum", Path("spectrum"))
    film = Film("F", parameters, 0, lambda name: tables[name], [file], lambda _: measurement)
    spectrum = ups_spectrum.compute(film).tables["ups_spectrum"]
    tables["ups_spectrum"] = UPS_SPECTRUM.frame(spectrum.assign(growth_id="F", entity_id=1))
    outcome = ups_fit.compute(film)
    for table in (UPS_FIT, UPS_FIT_CURVE):
        if table.name in outcome.tables:
            table.frame(outcome.tables[table.name].assign(growth_id="F", entity_id=1))
    if outcome.tables:
        assert ups_fit.figure is not None
        assert ups_fit.figure(film, outcome) is not None
    return outcome


def test_an_insulators_fermi_level_is_the_metals_beside_it_and_never_its_own_edge() -> None:
    setup = UpsSetup()
    seen, gold = simulate_ups(4.1, setup, IDEAL, np.random.default_rng(2), is_metal=False)
    assert gold is not None
    both = Measurement("x", (_scan(seen, setup, "TiO2"), _scan(gold, setup, "Au foil")))
    outcome = _outcome(both, layers=0)
    assert _numbers(outcome, "work_function_ev").values[0] == pytest.approx(4.1, abs=0.02)
    assert outcome.tables["ups_fit"].fermi_region[0] == "Au foil"
    assert any("charges" in note for note in outcome.notes)
    alone = _outcome(Measurement("x", (_scan(seen, setup, "TiO2"),)), layers=0)
    assert not alone.results
    assert "without a metal's" in alone.notes[0]
    not_told = _outcome(Measurement("x", (_scan(seen, setup, "TiO2"),)), layers=1)
    assert not not_told.results
    declared = Measurement(
        "x", (_scan(seen, setup, "TiO2"),), settings={"fermi_edge_kinetic_ev": setup.fermi_kinetic_ev}
    )
    numbers = _numbers(_outcome(declared, layers=0), "work_function_ev")
    assert numbers.values[0] == pytest.approx(4.1, abs=0.03)
    assert numbers.systematics["declared Fermi level"][0] == pytest.approx(-0.02)


def test_a_metal_measured_without_bias_is_put_onto_the_same_axis() -> None:
    setup = UpsSetup()
    rng = np.random.default_rng(5)
    seen, _ = simulate_ups(4.1, setup, IDEAL, rng, is_metal=False)
    _, gold = simulate_ups(4.1, replace(setup, bias_v=0.0), IDEAL, rng, is_metal=False)
    assert gold is not None
    file = Measurement("x", (_scan(seen, setup, "TiO2"), _scan(gold, setup, "Ef", bias_v=0.0)))
    outcome = _outcome(file, layers=0)
    assert outcome.tables["ups_fit"].bias_difference_ev[0] == 5.0
    assert _numbers(outcome, "work_function_ev").values[0] == pytest.approx(4.1, abs=0.02)


def test_charging_shifts_the_work_function_one_to_one_and_has_a_name() -> None:
    setup = UpsSetup(charging_ev=0.3)
    seen, gold = simulate_ups(4.1, setup, IDEAL, np.random.default_rng(2), is_metal=False)
    assert gold is not None
    both = Measurement("x", (_scan(seen, setup, "TiO2"), _scan(gold, setup, "Au foil")))
    numbers = _numbers(_outcome(both, layers=0, parameters=replace(CHOSEN, charging_std_ev=0.3)), "work_function_ev")
    assert numbers.values[0] == pytest.approx(3.8, abs=0.02)
    assert numbers.sigma("work_function_ev") > 0.3


def test_the_fermi_edge_is_told_where_it_stood_and_a_wrong_bias_is_refused() -> None:
    setup = UpsSetup()
    seen = expected_counts(Surface(5.0), setup, IDEAL, zero_ev=-0.25)
    outcome = _outcome(Measurement("x", (_scan(seen, setup, "film"),)))
    numbers = _numbers(outcome, "fermi_edge_binding_ev")
    assert numbers.value("fermi_edge_binding_ev") == pytest.approx(0.25, abs=0.005)
    assert "+0.250 eV after the bias of -5 V" in outcome.notes[0]
    assert "off by that" in outcome.notes[0]
    assert _numbers(outcome, "work_function_ev").values[0] == pytest.approx(5.0, abs=0.01)
    wrong = _outcome(Measurement("x", (_scan(seen, setup, "film", bias_v=0.0),)))
    assert "belongs" in wrong.notes[0]
    assert not wrong.results
    energies = HE_I_EV - seen.kinetic_energy_ev  # a program that knows no bias
    counts = {"detected_counts": seen.counts, "intensity_counts_per_s": seen.counts}
    bound = Scan({"binding_energy_ev": energies, **counts}, {"photon_energy_ev": 21.2, "bias_v": -5.0})
    by_binding = _outcome(Measurement("x", (bound,)))
    assert _numbers(by_binding, "fermi_edge_binding_ev").values[1] == pytest.approx(0.25, abs=0.005)
    assert _numbers(by_binding, "work_function_ev").values[0] == pytest.approx(5.0, abs=0.01)


def test_an_axis_against_the_vacuum_is_declared() -> None:
    setup = UpsSetup()
    seen = expected_counts(Surface(5.0), setup, IDEAL)
    lower = replace(seen, kinetic_energy_ev=seen.kinetic_energy_ev - setup.analyser_work_function_ev)
    scans = (_scan(lower, setup, "film"),)
    assert "belongs" in _outcome(Measurement("x", scans)).notes[0]
    told = _outcome(Measurement("x", scans, settings={"kinetic_energy_reference": "vacuum"}))
    assert _numbers(told, "fermi_edge_binding_ev").value("fermi_edge_binding_ev") == pytest.approx(0.0, abs=0.005)


def test_xray_spectra_stay_a_table_and_a_file_without_energies_is_refused() -> None:
    x = np.linspace(300.0, 310.0, 101)
    scan = Scan({"kinetic_energy_ev": x, "intensity_counts_per_s": x}, {"photon_energy_ev": 1486.6, "region": "C1s"})
    outcome = _outcome(Measurement("x", (scan,)))
    assert not outcome.results
    assert "C1s: X-rays" in outcome.notes[0]
    with pytest.raises(WrongContent, match="energies of electrons"):
        check(Measurement("x", (Scan({"two_theta_deg": x}),)))
    flat = Scan({"kinetic_energy_ev": x - 290, "intensity_counts_per_s": np.ones(101)}, {"photon_energy_ev": 21.2})
    with pytest.raises(FitFailed, match="Fermi edge"):
        read_levels(Measurement("x", (flat,)), CHOSEN, is_insulator=False)


@pytest.mark.parametrize("seed", range(8))
def test_nonsense_ends_in_a_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for count in (1, 2, 4, 11, 60, 250):
        x = np.cumsum(rng.uniform(0.001, 0.1, count)) + rng.uniform(-5, 5)
        kinds = (
            rng.poisson(50, count).astype(float),
            np.zeros(count),
            np.full(count, 7.0),
            rng.normal(size=count),
            np.exp(-x),
            np.where(np.arange(count) == count // 2, 1e9, 0.0),
        )
        for values in kinds:
            signal = {"detected_counts": np.abs(np.round(values))} if seed % 2 else {"intensity_counts_per_s": values}
            axis = "kinetic_energy_ev" if seed % 3 else "binding_energy_ev"
            file = Measurement("x", (Scan({axis: x, **signal}, {"photon_energy_ev": 21.2}),))
            with contextlib.suppress(RutileError):
                assert read_levels(file, CHOSEN, is_insulator=False).fermi.fwhm_ev > 0.0


# real files


def test_golds_fermi_edge_stands_where_others_found_it(realdata: Path) -> None:
    path = realdata / "xps_ups" / "LG4X_170109_1712_Ef.csv"
    outcome = _outcome(formats.read(Source.of(path)))
    numbers = _numbers(outcome, "fermi_edge_binding_ev")
    assert numbers.value("fermi_edge_binding_ev") == pytest.approx(0.034, abs=0.006)
    assert 0.003 < numbers.sigma("fermi_edge_binding_ev") < 0.008
    # the authors' error function has the thermal edge in it: (2.355 * 0.102)^2 less about (3.5 kT)^2
    assert numbers.value("resolution_fwhm_ev") == pytest.approx(0.22, abs=0.03)
    assert not any("work_function_ev" in r.estimate.quantities for r in outcome.results)
    assert pd.isna(outcome.tables["ups_fit"].work_function_ev[0])
    assert "photon energy" in outcome.notes[1]


@pytest.mark.parametrize("name", ["pynx_regular.vms", "LG4X_Multipak_vms.npl", "pynx_scienta_Ag_0002.ibw"])
def test_real_xray_spectra_have_no_work_function(realdata: Path, name: str) -> None:
    outcome = _outcome(formats.read(Source.of(realdata / "xps_ups" / name)))
    assert not outcome.results
    assert "X-rays" in outcome.notes[0]
