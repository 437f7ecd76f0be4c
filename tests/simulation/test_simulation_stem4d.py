"""The 4D-STEM simulator against limits that can be worked out, tables, an independent data set and abTEM."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import periodictable as pt
import pytest
import torch
from periodictable import cromermann

from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.formats import read
from rutile_assets.formats.measurement import Source
from rutile_assets.formats.yaml_text import read_mapping
from rutile_assets.physics.electrons import (
    BOHR_ANGSTROM,
    LOBATO,
    electron_form_factor,
    lorentz_factor,
    wavelength_angstrom,
)
from rutile_assets.simulation.crystals import (
    NO_DISPLACEMENT,
    VIBRATION_ANGSTROM,
    Column,
    Crystal,
    Displacement,
    from_poscar,
    trilayer,
)
from rutile_assets.simulation.multislice import Beam, Grid, diffract, phase_gratings, probe, propagator, slice_distances
from rutile_assets.simulation.stem4d import (
    DEMO,
    SMALL,
    Stem4dSetup,
    empad_bytes,
    film_crystal,
    orientation,
    sidecar,
    simulate_stem4d,
    write_dataset,
)

GRID = Grid(96, 0.17)
NOWHERE = np.zeros((1, 2), dtype=np.intp)


def _band_limited_ones(count: int = 1) -> torch.Tensor:
    return torch.ones((count, GRID.pixels, GRID.pixels), dtype=torch.complex64)


@pytest.mark.parametrize(("kv", "picometres"), [(80.0, 4.1757), (200.0, 2.5079), (300.0, 1.9687)])
def test_wavelengths_of_the_textbooks(kv: float, picometres: float) -> None:
    assert 100.0 * wavelength_angstrom(kv) == pytest.approx(picometres, abs=6e-5)


@pytest.mark.parametrize("symbol", sorted(LOBATO))
def test_form_factors_obey_mott_and_bethe(symbol: str) -> None:
    """f(k) -> Z / (2 pi^2 a0 k^2) at large k, and the X-ray form factor of another table in between."""
    number = getattr(pt, symbol).number
    a, b = LOBATO[symbol]
    assert sum(x / y for x, y in zip(a, b, strict=True)) == pytest.approx(
        number / (2.0 * np.pi**2 * BOHR_ANGSTROM.value), rel=1e-8
    )
    k = np.array([0.5, 0.8, 1.2, 2.0])
    xray = np.asarray(cromermann.fxrayatq(symbol, 2.0 * np.pi * k))
    mott_bethe = (number - xray) / (2.0 * np.pi**2 * BOHR_ANGSTROM.value * k**2)
    assert electron_form_factor(symbol, k) == pytest.approx(mott_bethe, rel=0.035)


def test_probe_has_unit_intensity_and_its_crossover_is_where_it_is_said_to_be() -> None:
    beam = Beam(overfocus_nm=8.0)
    wave = probe(beam, GRID)
    assert float((wave.abs() ** 2).sum()) == pytest.approx(1.0, abs=1e-6)
    back = torch.fft.ifft2(wave * propagator(beam, GRID, -80.0)).abs().numpy()
    focused = torch.fft.ifft2(probe(replace(beam, overfocus_nm=0.0), GRID)).abs().numpy()
    assert back == pytest.approx(focused, abs=1e-4 * float(focused.max()))
    assert np.unravel_index(np.argmax(focused), focused.shape) == (0, 0)


def test_a_beam_after_its_crossover_is_as_wide_as_geometry_says() -> None:
    """A uniform cone of half angle alpha at distance h fills a disc of radius alpha h: mean square half of that."""
    beam, grid = Beam(overfocus_nm=40.0), Grid(256, 0.17)
    intensity = np.fft.fftshift(torch.fft.ifft2(probe(beam, grid)).abs().numpy() ** 2)
    y, x = (np.mgrid[:256, :256] - 128) * grid.pixel_angstrom
    radius = np.sqrt(2.0 * ((y**2 + x**2) * intensity).sum() / intensity.sum())
    assert radius == pytest.approx(400.0 * 26e-3, rel=0.02)


def test_energy_is_conserved_within_the_band() -> None:
    crystal = trilayer((4, 3, 0), 8, NO_DISPLACEMENT)
    rng = np.random.default_rng(0)
    gratings = phase_gratings(crystal, 10, (GRID.pixels, GRID.pixels), GRID.pixel_angstrom, 200.0, rng)
    assert gratings.abs().numpy() == pytest.approx(1.0, abs=1e-6)
    beam = Beam()
    chain = [propagator(beam, GRID, d) for d in slice_distances(crystal, 10)]
    wave = probe(beam, GRID)[None] * torch.exp(torch.tensor(0.0))
    out = diffract(wave, gratings, NOWHERE, chain)
    assert 0.97 < float(out.sum()) < 1.0 + 1e-5  # what leaves the band is what is missing


def test_without_atoms_a_pattern_is_the_aperture() -> None:
    beam = Beam()
    out = diffract(probe(beam, GRID)[None], _band_limited_ones(3), NOWHERE, [propagator(beam, GRID, 30.0)] * 3)[0]
    assert out.numpy() == pytest.approx((probe(beam, GRID).abs() ** 2).numpy(), abs=1e-8)


def test_a_weak_atom_scatters_a_plane_wave_by_its_form_factor() -> None:
    """|psi(k)|^2 = (gamma lambda f(k) / area)^2 for one light atom: first order, to the square of its phase."""
    crystal = Crystal((Column("O", 8.16, 8.16, 0.0),), 3.0, (0.0,))
    gratings = phase_gratings(crystal, 1, (GRID.pixels, GRID.pixels), GRID.pixel_angstrom, 200.0, None)
    weak = torch.polar(torch.ones(gratings.shape), 0.02 * torch.angle(gratings))
    plane = torch.zeros((1, GRID.pixels, GRID.pixels), dtype=torch.complex64)
    plane[0, 0, 0] = 1.0
    out = diffract(plane, weak, NOWHERE, [torch.ones((GRID.pixels, GRID.pixels), dtype=torch.complex64)])[0].numpy()
    k = GRID.frequencies()
    area = (GRID.pixels * GRID.pixel_angstrom) ** 2
    length = np.hypot(k[:, None], k[None, :])
    expected = (
        0.02 * lorentz_factor(200.0) * wavelength_angstrom(200.0) * electron_form_factor("O", length) / area
    ) ** 2
    some = (length > 0.1) & (length < 1.2)
    assert out[some] == pytest.approx(expected[some], rel=0.03)


def test_atoms_are_not_rounded_to_pixels() -> None:
    def centre(x: float) -> float:
        crystal = Crystal((Column("Ti", 8.0, x, 0.0),), 3.0, (0.0,))
        phase = torch.angle(phase_gratings(crystal, 1, (96, 96), 0.17, 200.0, None))[0].numpy()
        row = np.maximum(phase[47] - 0.3 * phase.max(), 0.0)
        return float((row * np.arange(96)).sum() / row.sum() * 0.17)

    assert centre(8.07) - centre(8.0) == pytest.approx(0.07, abs=0.01)


def test_the_trilayer_has_four_oxygens_about_each_cation_and_moves_only_cations() -> None:
    still = trilayer((3, 4, 3), 8, NO_DISPLACEMENT)
    moved = trilayer((3, 4, 3), 8, Displacement(12.0, 1.2))
    d = 3.2482
    assert still.interfaces_y_angstrom == pytest.approx((3 * d, 3 * d + 4 * 3.27), abs=2e-3)
    oxygens = np.array([(c.y_angstrom, c.x_angstrom) for c in still.columns if c.element == "O"])
    inside = [
        c for c in still.columns if c.element != "O" and d < c.y_angstrom < 6 * d and 2 * d < c.x_angstrom < 6 * d
    ]
    assert len(inside) > 10
    for cation in inside:
        away = oxygens - (cation.y_angstrom, cation.x_angstrom)
        near = away[np.hypot(*away.T) < 2.3]
        assert len(near) == 4
        assert np.abs(near.mean(axis=0)).max() < 0.02  # nothing polar but the two materials' different u and d
    for one, other in zip(still.columns, moved.columns, strict=True):
        shift = 100.0 * (other.y_angstrom - one.y_angstrom)
        assert shift == pytest.approx(other.imposed_dy_pm)
        assert one.element != "O" or shift == 0.0
    by_height = sorted({(round(c.y_angstrom, 6), c.imposed_dy_pm) for c in moved.columns if c.element != "O"})
    shifts = [shift for _, shift in by_height]
    assert shifts == pytest.approx([-s for s in reversed(shifts)], abs=0.02)
    assert max(shifts) == pytest.approx(
        12.0 * np.exp(-0.5 * d / 12.0) - 12.0 * np.exp(-(4 * 3.27 + d / 2) / 12.0), abs=0.4
    )


def test_poscar_of_rutile(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    path.write_text(
        "TiO2\n1.0\n4.594 0 0\n0 4.594 0\n0 0 2.959\nTi O\n2 4\nDirect\n0 0 0\n0.5 0.5 0.5\n0.305 0.305 0\n"
        "0.695 0.695 0\n0.805 0.195 0.5\n0.195 0.805 0.5\n"
    )
    crystal = from_poscar(path, (2, 3))
    assert len(crystal.columns) == 36
    assert (crystal.period_angstrom, crystal.planes) == (2.959, (0.0, 0.5))
    assert crystal.columns[1].y_angstrom == pytest.approx(2.297)
    path.write_text("TiO2\n1.0\n4 0 1\n0 4 0\n0 0 3\nTi\n1\nDirect\n0 0 0\n")
    with pytest.raises(UnreadableFile, match="not normal"):
        from_poscar(path, (1, 1))
    path.write_text("TiO2\n1.0\n")
    with pytest.raises(UnreadableFile, match="POSCAR"):
        from_poscar(path, (1, 1))


def test_small_scan_has_its_dose_and_is_reproducible() -> None:
    setup = replace(SMALL, scan=(3, 4), phonons=1)
    crystal, first = film_crystal(setup, Displacement())
    one = simulate_stem4d(setup, crystal, first, np.random.default_rng(1))
    two = simulate_stem4d(setup, crystal, first, np.random.default_rng(1))
    assert np.array_equal(one.patterns, two.patterns)
    electrons = one.patterns.sum(axis=(2, 3)) / setup.adu_per_electron
    assert one.patterns.shape == (3, 4, 64, 64)
    assert electrons == pytest.approx(setup.electrons, rel=0.05)
    assert np.allclose(one.patterns % setup.adu_per_electron, 0.0)
    assert one.positions_angstrom[2, 0] - one.positions_angstrom[0, 0] == pytest.approx([1.772, 0.0], abs=0.06)
    assert crystal.interfaces_y_angstrom[0] == pytest.approx(one.positions_angstrom[:, :, 0].mean(), abs=0.1)
    with pytest.raises(InvalidRecord, match="phonons"):
        simulate_stem4d(replace(setup, phonons=0), crystal, first, np.random.default_rng(1))


def test_the_detector_lies_as_the_setup_says() -> None:
    """A mirrored detector turned by 90 deg records the same pattern, flipped; no phonons, source or counting."""
    plain = replace(SMALL, scan=(1, 1), phonons=1, source_fwhm_nm=0.0, jitter_nm=0.0, poisson=False, thickness_nm=1.0)
    crystal, first = film_crystal(plain, Displacement(), 12)
    patterns = {}
    for turn, transpose in ((0.0, False), (90.0, True)):
        setup = replace(plain, rotation_deg=turn, transpose=transpose)
        rest = _AtRest()
        patterns[turn] = simulate_stem4d(setup, crystal, first + 0.7, rest).patterns[0, 0]  # type: ignore[arg-type]
    inner = patterns[0.0][1:, 1:]
    flips = orientation(90.0, True).round()
    assert flips == pytest.approx(np.array([[-1.0, 0.0], [0.0, 1.0]]))
    assert patterns[90.0][1:, 1:][::-1] == pytest.approx(inner, abs=2e-3 * float(inner.max()))


class _AtRest:
    """A random generator without chance: atoms at rest."""

    def standard_normal(self, shape: int | tuple[int, ...] = ()) -> np.ndarray:  # type: ignore[type-arg]
        return np.zeros(shape)


def test_files_go_through_the_reader_and_the_truth_stays_apart(tmp_path: Path) -> None:
    setup = replace(DEMO, scan=(2, 2), phonons=1, thickness_nm=1.0)
    crystal, first = film_crystal(setup, Displacement())
    dataset = simulate_stem4d(setup, crystal, first, np.random.default_rng(0))
    raw, side, truth = write_dataset(dataset, tmp_path / "inbox", tmp_path / "truth", "a")
    measurement = read(Source(raw, raw.name, read_mapping(side.read_bytes(), side.name)))
    assert measurement.diffraction is not None
    assert np.array_equal(measurement.diffraction.open()[...], dataset.patterns)
    assert measurement.settings["overfocus_nm"] == 10.0
    assert b"simulated" in side.read_bytes()
    told = json.loads(truth.read_text())
    assert told["columns"][0]["imposed_dy_pm"] == pytest.approx(crystal.columns[0].imposed_dy_pm)
    assert {p.parent.name for p in tmp_path.rglob("*.json")} == {"truth"}
    assert b"rotation" not in sidecar(setup)
    with pytest.raises(InvalidRecord, match="128 x 128"):
        empad_bytes(dataset.patterns[:, :, :64, :64])


def test_mean_pattern_and_dose_agree_with_an_independent_simulation(
    realdata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """../shared/sim4dstem/lower.raw: abTEM's potentials, one slice per c. Ours: a plane a slice, 36 positions.

    Beyond 42 mrad thermal scattering tells: their amplitudes act like 1/sqrt(3) of ours on each axis (1.31 of their
    intensity there with ours, 0.96 with these), as abTEM once took sigma for all three axes together.
    """
    for symbol, amplitude in {"Ti": 0.068, "Ru": 0.058, "O": 0.080}.items():
        monkeypatch.setitem(VIBRATION_ANGSTROM, symbol, amplitude / np.sqrt(3.0))
    path = realdata.parent / "sim4dstem" / "lower.raw"
    theirs = np.memmap(path, dtype="<f4", mode="r", shape=(20, 20, 130, 128))[:, :, :128]
    setup = replace(Stem4dSetup(), scan=(6, 6), step_nm=3 * 0.0886, phonons=1, source_fwhm_nm=0.0, jitter_nm=0.0)
    crystal, first = film_crystal(setup, Displacement())
    ours = simulate_stem4d(setup, crystal, first, np.random.default_rng(0)).patterns
    mine, other = (p.mean(axis=(0, 1)) / 250.0 for p in (ours, theirs))
    assert mine.sum() == pytest.approx(other.sum(), rel=0.01)
    y, x = np.mgrid[:128, :128] - 64
    ring = np.hypot(y, x) * 0.78
    for low, high in ((0, 10), (10, 20), (20, 27), (27, 35), (35, 42), (42, 50)):
        inside = (ring >= low) & (ring < high)
        assert mine[inside].sum() / mine.sum() == pytest.approx(other[inside].sum() / other.sum(), rel=0.08), (
            low,
            high,
        )
    smooth = [p[:, 4:124, 4:124].reshape(-1, 30, 4, 30, 4).sum(axis=(2, 4))[0] for p in (mine[None], other[None])]
    assert np.corrcoef(smooth[0].ravel(), smooth[1].ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_projected_phase_agrees_with_abtem() -> None:
    abtem = pytest.importorskip("abtem")
    ase = pytest.importorskip("ase")
    atoms = ase.Atoms("TiO", positions=[(4.0, 4.0, 1.0), (6.1, 5.0, 1.0)], cell=(10.0, 10.0, 2.0))
    potential = abtem.Potential(
        atoms, gpts=(100, 100), slice_thickness=2.0, parametrization="lobato", projection="infinite"
    )
    volts = potential.build().compute().array.sum(axis=0)
    sigma = abtem.core.energy.energy2sigma(200e3)
    crystal = Crystal((Column("Ti", 4.0, 4.0, 0.0), Column("O", 6.1, 5.0, 0.0)), 2.0, (0.0,))
    ours = phase_gratings(crystal, 1, (100, 100), 0.1, 200.0, None)[0]
    k = np.fft.fftfreq(100, 0.1)
    low = np.hypot(k[:, None], k[None, :]) < 2.5
    mine, theirs = (np.fft.fft2(p)[low] for p in (torch.angle(ours).numpy(), sigma * volts))
    mine[0], theirs[0] = 0.0, 0.0  # abTEM may set the mean apart
    assert np.abs(mine - theirs).max() < 0.01 * np.abs(theirs).max()
