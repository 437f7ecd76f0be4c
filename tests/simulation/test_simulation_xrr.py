"""The reflectivity that is simulated: against refnx, against limits of optics, and as a counter counts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from refnx.reflect import reflectivity as refnx_reflectivity
from scipy.signal import argrelmin
from scipy.special import erf

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.simulation import xrr
from rutile_assets.simulation.noise import generator
from rutile_assets.simulation.realism import IDEAL, Realism
from rutile_assets.simulation.truth import TRILAYER, UNCAPPED, FilmTruth, film_truth
from rutile_assets.simulation.xrr import XrrSetup

WAVELENGTH = CU_K_ALPHA1_ANGSTROM.value
Q = np.linspace(0.008, 0.55, 600)


def _film(series: str = UNCAPPED, nominal_nm: float = 6.5, realism: Realism = IDEAL) -> FilmTruth:
    return film_truth("SIM", series, nominal_nm, realism, generator(0, "SIM", "film"))


@pytest.mark.parametrize(("series", "nominal_nm"), [(UNCAPPED, 1.5), (UNCAPPED, 17.2), (TRILAYER, 3.8)])
def test_reflectivity_of_the_sliced_profile_equals_refnx(series: str, nominal_nm: float) -> None:
    thickness, density = xrr.profile(_film(series, nominal_nm, replace(IDEAL, adsorbate_nm=0.4)), WAVELENGTH)
    slabs = np.zeros((len(density), 4))
    slabs[1:-1, 0], slabs[:, 1], slabs[:, 2] = 10.0 * thickness, density.real * 1e6, -density.imag * 1e6
    ours = xrr.reflectivity(Q, thickness, density)
    assert np.abs(ours / refnx_reflectivity(Q, slabs, dq=0.0) - 1.0).max() < 1e-8


def test_a_bare_sharp_substrate_has_fresnels_reflectivity() -> None:
    density = np.array([0.0, 0.0, 34.6e-6 - 1.75e-6j])
    k = Q / 2.0 + 0j
    inside = np.sqrt(k**2 - 4.0 * np.pi * density[-1])
    fresnel = np.abs((k - inside) / (k + inside)) ** 2
    assert xrr.reflectivity(Q, np.array([1.0]), density) == pytest.approx(fresnel, rel=1e-9)


def test_reflectivity_approaches_total_reflection_below_the_critical_angle() -> None:
    below = xrr.reflectivity(np.array([1e-4, 0.01]), *xrr.profile(_film(), WAVELENGTH))
    assert below[0] == pytest.approx(1.0, abs=1e-3)
    assert 0.9 < below[1] < 1.0


def test_kiessig_minima_are_spaced_by_two_pi_over_thickness() -> None:
    truth = _film(UNCAPPED, 17.2)
    fine = np.linspace(0.15, 0.4, 20001)
    curve = xrr.reflectivity(fine, *xrr.profile(truth, WAVELENGTH)) * fine**4
    # inside the film the momentum transfer is refracted
    minima = np.sqrt(fine[argrelmin(curve)[0]] ** 2 - 16.0 * np.pi * 54.1e-6)
    spacing = np.polyfit(np.arange(len(minima)), minima, 1)[0]
    assert 2.0 * np.pi / spacing / 10.0 == pytest.approx(truth.film.thickness_nm, rel=2e-3)


def test_profile_integrates_to_the_films_electrons() -> None:
    truth = _film(TRILAYER, 3.8)
    thickness, density = xrr.profile(truth, WAVELENGTH)
    below = thickness[::-1].cumsum()[::-1]  # depth is counted from the top
    substrate = density[-1].real
    excess = np.sum((density[1:-1].real - substrate) * thickness) + substrate * (below[0] - thickness.sum())
    surface = sum(layer.thickness_nm for layer in truth.layers)
    from_edges = sum(
        (xrr.sld(layer.material, layer.density_g_per_cm3, WAVELENGTH).real - substrate) * layer.thickness_nm
        for layer in truth.layers
    )
    above_surface = thickness.sum() - surface - 5.0 * truth.substrate_roughness_nm
    assert excess == pytest.approx(from_edges - substrate * above_surface, rel=1e-3)


def test_slabs_are_fine_enough_that_halving_them_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = xrr.reflectivity(Q, *xrr.profile(_film(), WAVELENGTH))
    monkeypatch.setattr(xrr, "SLAB_NM", xrr.SLAB_NM / 2.0)
    fine = xrr.reflectivity(Q, *xrr.profile(_film(), WAVELENGTH))
    assert np.abs(coarse / fine - 1.0).max() < 3e-3


def test_roughness_damps_the_reflectivity_of_a_surface_like_a_gaussian() -> None:
    smooth, rough = (replace(_film(UNCAPPED, 3.5), layers=(), substrate_roughness_nm=sigma) for sigma in (0.02, 0.25))
    far = np.linspace(0.15, 0.45, 50)
    inside = np.sqrt(far**2 - 16.0 * np.pi * 34.6e-6)
    ratio = xrr.reflectivity(far, *xrr.profile(rough, WAVELENGTH)) / xrr.reflectivity(
        far, *xrr.profile(smooth, WAVELENGTH)
    )
    assert ratio == pytest.approx(np.exp(-far * inside * (2.5**2 - 0.2**2)), rel=0.01)


def test_footprint_is_the_error_function_of_a_gaussian_beam() -> None:
    angles = np.linspace(0.05, 8.0, 80)
    sigma = 0.1 / xrr.FWHM_PER_SIGMA
    exact = erf(np.sin(np.radians(angles) / 2.0) * 5.0 / (2.0 * np.sqrt(2.0) * sigma))
    assert xrr.footprint(angles, 0.1, 5.0) == pytest.approx(exact, rel=1e-4)


def test_without_divergence_and_footprint_the_rate_is_beam_times_reflectivity_plus_background() -> None:
    setup = XrrSetup(resolution_fwhm_deg=1e-9, sample_length_mm=1e6)
    angles = np.array([0.5, 1.0, 3.0])
    rate = xrr.rate_counts_per_s(_film(), setup, angles, k_alpha_2_fraction=0.0, beam_width_mm=0.1)
    q = 4.0 * np.pi * np.sin(np.radians(angles / 2.0)) / WAVELENGTH
    expected = 3e7 * xrr.reflectivity(q, *xrr.profile(_film(), WAVELENGTH)) + 2.0
    assert rate == pytest.approx(expected, rel=1e-5)


def test_k_alpha_2_fills_the_fringes_of_a_thick_film_at_high_angle() -> None:
    angles = np.linspace(6.0, 7.0, 101)
    film = _film(UNCAPPED, 17.2)
    one, two = (
        xrr.rate_counts_per_s(film, XrrSetup(), angles, k_alpha_2_fraction=share, beam_width_mm=0.1)
        for share in (0.0, 0.5)
    )
    assert two.sum() == pytest.approx(one.sum(), rel=0.05)
    assert np.abs(two / one - 1.0).max() > 0.005


def test_counts_are_poissons_and_never_beyond_the_detector() -> None:
    setup, truth = XrrSetup(two_theta_stop_deg=4.0), _film()
    expected = xrr.rate_counts_per_s(
        truth, setup, setup.two_theta_deg, k_alpha_2_fraction=0.0, beam_width_mm=setup.beam_width_mm
    )
    deviance = []
    for seed in range(5):
        scan = xrr.simulate_xrr(truth, setup, IDEAL, generator(seed, "xrr"))
        assert scan.detected_counts.max() < 1.02 * setup.largest_counts_per_s
        assert (scan.detected_counts == np.round(scan.detected_counts)).all()
        mean = expected / scan.attenuation_factor
        deviance.append(np.mean((scan.detected_counts - mean) ** 2 / mean))
    assert set(scan.attenuation_factor) == {1.0, 12.0}
    assert np.mean(deviance) == pytest.approx(1.0, abs=0.12)


def test_each_imperfection_moves_the_counts_by_what_it_says() -> None:
    setup, truth = XrrSetup(beam_counts_per_s=3e11, largest_counts_per_s=5e9), _film()
    clean = xrr.simulate_xrr(truth, setup, IDEAL, generator(1, "xrr"))
    weak = xrr.simulate_xrr(truth, setup, replace(IDEAL, attenuator_error=0.05), generator(1, "xrr"))
    ratio = weak.detected_counts / np.maximum(clean.detected_counts, 1)
    behind, opened = clean.attenuation_factor > 1, clean.attenuation_factor == 1
    assert ratio[opened & (clean.detected_counts > 1e7)] == pytest.approx(1.0, abs=2e-3)
    assert ratio[behind].std() < 2e-3
    assert 2e-3 < abs(ratio[behind].mean() - 1.0) < 0.2
    shifted = xrr.simulate_xrr(truth, setup, replace(IDEAL, two_theta_zero_deg=0.05), generator(1, "xrr"))
    assert np.abs(shifted.detected_counts / np.maximum(clean.detected_counts, 1) - 1.0).max() > 0.05
