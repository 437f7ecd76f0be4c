"""Bragg peaks of any stack: real films with known lattices, pulls of position and width, the doublet, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import voigt_profile

from rutile_assets import formats
from rutile_assets.formats.measurement import Source
from rutile_assets.simulation.realism import IDEAL
from rutile_assets.simulation.truth import UNCAPPED, film_truth
from rutile_assets.simulation.xrd import XrdSetup, simulate_xrd
from rutile_assets.techniques.xrd.assets import peak_row
from rutile_assets.techniques.xrd.peaks import SUBSTRATES, PeakParameters, index_peaks, peaks_of

CHOSEN = PeakParameters()
WAVE = 1.5405929


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    scan = formats.read(Source.of(path)).scans[0]
    columns = scan.columns
    angle = columns["two_theta_deg"]
    exposure = columns.get("counting_time_s", np.ones_like(angle)) / columns.get(
        "attenuation_factor", np.ones_like(angle)
    )
    return angle, columns["detected_counts"], exposure, float(str(scan.settings.get("k_alpha_1_angstrom", WAVE)))


def test_lattices_of_a_real_bismuth_ferrite_film(realdata: Path) -> None:
    """MANIFEST.csv: film c 4.062 to 4.065 angstrom, substrate 3.903, as the goniometer reads them."""
    name = "epytaxy_P0137cOP_BFO10k_STO100_2theta.xrdml"
    *scan, wave = _read(realdata / "xrd_theta2theta" / name)
    peaks = peaks_of(*scan, CHOSEN)
    told = index_peaks(peaks, SUBSTRATES["SrTiO3", "001"], wave, CHOSEN)
    rows = {(i.owner, i.order): peak_row(peaks[n], i, SUBSTRATES["SrTiO3", "001"], wave) for n, i in told.items()}
    assert len(peaks) < 12
    for order in (1, 2):
        film = rows["film", order]
        read = float(str(film["lattice_brightest_nm"]))
        assert 4.062 <= round(10.0 * read, 3) <= 4.065
        # the centre of the broad line is steadier than its brightest point: order 2 reads 4.0656, a sigma higher
        assert float(str(film["lattice_out_of_plane_nm"])) == pytest.approx(0.4065, abs=1e-4)
        assert abs(float(str(film["lattice_out_of_plane_nm"])) - read) < 2.0 * float(
            str(film["lattice_brightest_nm_std"])
        )
        assert float(str(film["lattice_out_of_plane_corrected_nm"])) == pytest.approx(0.4067, abs=1e-4)
        assert float(str(rows["substrate", order]["lattice_out_of_plane_nm"])) == pytest.approx(0.3903, abs=3e-5)
        assert rows["substrate", order]["lattice_out_of_plane_corrected_nm"] == pytest.approx(0.3905)
    assert peaks[0].k_alpha_2_fraction == 0.0  # behind its hybrid monochromator


def test_silicon_400_and_its_doublet(realdata: Path) -> None:
    *scan, _ = _read(realdata / "xrd_theta2theta" / "rigakuXRD_2Theta.asc")
    peaks = peaks_of(*scan, CHOSEN)
    told = index_peaks(peaks, SUBSTRATES["Si", "001"], WAVE, CHOSEN)
    place = next(n for n, i in told.items() if i.order == 4 and i.owner == "substrate")
    assert 4 * peaks[place].spacing_angstrom(WAVE)[0] == pytest.approx(5.431, abs=2e-3)
    assert peaks[place].k_alpha_2_fraction == 0.5
    assert not any(69.25 < peak.two_theta_deg < 69.45 for peak in peaks)


def test_powder_peaks_of_silicon(realdata: Path) -> None:
    *scan, _ = _read(realdata / "xrd_theta2theta" / "MDaC_XRD_RIGAKU.ras")
    bright = [p for p in peaks_of(*scan, CHOSEN) if p.rate > 5000]
    lattice = [
        p.spacing_angstrom(WAVE)[0] * np.sqrt(n) for p, n in zip(bright, (3, 8, 11), strict=True)
    ]  # 111, 220, 311
    assert lattice == pytest.approx([5.431] * 3, abs=0.012)


@pytest.mark.parametrize("k_alpha_2", [0.0, 0.5])
def test_pulls_of_position_and_width(k_alpha_2: float) -> None:
    """Lines are Voigt profiles, summed over the step; the fit has pseudo-Voigts at points."""
    angle = np.arange(43.0, 47.0, 0.01)
    centre, sigma, gamma = 45.0, 0.03, 0.012
    ratio = 1.5444274 / WAVE
    second = 2 * np.degrees(np.arcsin(np.sin(np.radians(centre / 2)) * ratio))
    fine = angle[:, None] + np.linspace(-0.005, 0.005, 5)
    shape = voigt_profile(fine - centre, sigma, gamma) + k_alpha_2 * voigt_profile(fine - second, sigma, gamma)
    rate = 2000.0 * shape.mean(axis=1) / voigt_profile(0.0, sigma, gamma) + 20.0
    fwhm = 0.5346 * 2 * gamma + np.sqrt(0.2166 * (2 * gamma) ** 2 + (2.3548 * sigma) ** 2)
    pulls = []
    for seed in range(250):
        counts = np.random.default_rng([seed, 8]).poisson(rate).astype(float)
        found = peaks_of(angle, counts, np.ones_like(angle), CHOSEN)
        assert len(found) == 1
        assert found[0].k_alpha_2_fraction == k_alpha_2
        pulls.append(
            [(found[0].two_theta_deg - centre) / found[0].stds[0], (found[0].fwhm_deg - fwhm) / found[0].stds[1]]
        )
    mean, width = np.mean(pulls, axis=0), np.std(pulls, axis=0, ddof=1)
    assert abs(mean[0]) < 0.1 + 2 / np.sqrt(len(pulls))
    assert 0.9 - 0.05 < width[0] < 1.1
    assert abs(mean[1]) < 0.5  # pseudo-Voigt against Voigt: a third of a sigma of the width, see docs/accuracy.md
    assert 0.85 < width[1] < 1.15


def test_noise_alone_and_reflectivity_have_no_peaks() -> None:
    angle = np.arange(20.0, 60.0, 0.02)
    for mean in (0.3, 30.0):
        counts = np.random.default_rng(int(mean)).poisson(mean, len(angle)).astype(float)
        assert peaks_of(angle, counts, np.ones_like(angle), CHOSEN) == []


@pytest.mark.parametrize("nominal_nm", [1.5, 3.8, 6.5])
def test_fringes_of_a_film_that_is_not_resolved_are_not_called_its_lattice(nominal_nm: float) -> None:
    truth = film_truth("x", UNCAPPED, nominal_nm, IDEAL, np.random.default_rng(1))
    scan = simulate_xrd(truth, XrdSetup(), IDEAL, np.random.default_rng(2))
    peaks = peaks_of(scan.two_theta_deg, scan.detected_counts, 1.0 / scan.attenuation_factor, CHOSEN)
    told = index_peaks(peaks, SUBSTRATES["TiO2", "110"], WAVE, CHOSEN)
    assert [i.owner for i in told.values()] == ["substrate"]
    assert abs(next(iter(told.values())).offset_deg) < 0.005
