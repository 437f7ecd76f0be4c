"""Ptychography's physics: units, probe, propagator, limits, and the adjoint against differences and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rutile_assets.errors import InvalidRecord
from rutile_assets.techniques.ptychography.multislice import Gradient, Multislice
from rutile_assets.techniques.ptychography.noise import NoiseModel, NoiseName
from rutile_assets.techniques.ptychography.optics import (
    Grid,
    Optics,
    grid_of,
    mode_rotation,
    padded_probe,
    probe_modes,
    probe_wave,
    propagator,
    rotated,
    wavelength_angstrom,
)

PAPER = Optics(200.0, 26.0, 0.78, 10.0)
SMALL = Optics(200.0, 26.0, 3.0, 2.0)
CORNERS = [(1, 2), (4, 3)]
NOISES: tuple[NoiseName, ...] = ("amplitude", "anscombe", "poisson")


def test_units_of_the_paper() -> None:
    assert wavelength_angstrom(200.0) == pytest.approx(0.0250793, rel=1e-5)
    assert wavelength_angstrom(300.0) == pytest.approx(0.0196875, rel=1e-5)
    assert grid_of(PAPER, (128, 128)).pixel_angstrom == pytest.approx((0.2511953, 0.2511953), rel=1e-6)
    assert grid_of(PAPER, (128, 128), padding=2).pixel_angstrom[0] == pytest.approx(0.1255977, rel=1e-6)


def test_the_probe_has_its_electrons_stands_in_the_middle_and_fills_the_aperture() -> None:
    grid = grid_of(PAPER, (128, 128))
    probe = probe_wave(PAPER, grid, 7e4)
    assert float(probe.abs().square().sum()) == pytest.approx(7e4)
    wave = torch.fft.ifft2(probe).abs().square().numpy()
    rows, columns = np.mgrid[:128, :128]
    assert (wave * rows).sum() / wave.sum() == pytest.approx(64.0, abs=0.01)
    assert (wave * columns).sum() / wave.sum() == pytest.approx(64.0, abs=0.01)
    lit = (probe.abs() > 0).sum().item()
    assert lit * 0.78**2 == pytest.approx(np.pi * 26.0**2, rel=0.04)


def test_overfocus_puts_the_crossover_above_the_sample() -> None:
    grid = grid_of(PAPER, (128, 128))

    def second_moment(distance_angstrom: float) -> float:
        probe = probe_wave(PAPER, grid, 1.0)
        wave = torch.fft.ifft2(probe * propagator(grid, distance_angstrom)).abs().square().numpy()
        rows, columns = np.mgrid[:128, :128] - 64
        return float((wave * (rows**2 + columns**2)).sum() / wave.sum())

    sizes = {z: second_moment(z) for z in (-150.0, -100.0, -50.0, 0.0, 100.0)}
    assert min(sizes, key=sizes.__getitem__) == -100.0
    assert sizes[0.0] < sizes[100.0], "an overfocused probe diverges on its way down"


def test_a_plane_wave_stays_plane_and_keeps_its_pixel() -> None:
    grid = grid_of(PAPER, (64, 64))
    wave = torch.ones(64, 64, dtype=torch.complex128)
    after = torch.fft.ifft2(torch.fft.fft2(wave) * propagator(grid, 50.0))
    assert torch.allclose(after, wave, atol=1e-13)


def test_a_point_source_spreads_as_fresnel_says_and_about_its_own_pixel() -> None:
    """A Gaussian beam: width w0 sqrt(1 + (z / z0)^2), z0 = pi w0^2 / lambda, and the on-axis Gouy phase."""
    grid = Grid((128, 128), (0.2, 0.2), 0.025)
    waist, distance = 1.0, 150.0
    y, x = (np.mgrid[:128, :128] - 64) * 0.2
    start = torch.from_numpy(np.exp(-(y**2 + x**2) / waist**2).astype(complex))
    after = torch.fft.ifft2(torch.fft.fft2(start) * propagator(grid, distance)).numpy()
    rayleigh = np.pi * waist**2 / 0.025
    q = 1.0 + 1j * distance / rayleigh
    expected = np.exp(-(y**2 + x**2) / waist**2 / q) / q
    assert np.abs(after - expected).max() < 1e-9
    assert np.unravel_index(np.abs(after).argmax(), after.shape) == (64, 64)


def test_tilt_displaces_a_slice_by_distance_times_angle() -> None:
    grid = grid_of(PAPER, (128, 128))
    probe = probe_wave(PAPER, grid, 1.0)
    straight = torch.fft.ifft2(probe * propagator(grid, 80.0)).abs().square().numpy()
    tilted = torch.fft.ifft2(probe * propagator(grid, 80.0, (10.0, -5.0))).abs().square().numpy()
    rows, columns = np.mgrid[:128, :128]
    pixel = grid.pixel_angstrom[0]
    assert ((tilted - straight) * rows).sum() / straight.sum() * pixel == pytest.approx(0.8, rel=0.01)
    assert ((tilted - straight) * columns).sum() / straight.sum() * pixel == pytest.approx(-0.4, rel=0.01)


def test_modes_start_orthogonal_and_a_rotation_leaves_the_mixed_state() -> None:
    grid = grid_of(PAPER, (64, 64))
    modes = probe_modes(probe_wave(PAPER, grid, 100.0), 4)
    flat = modes.reshape(4, -1)
    gram = flat.conj() @ flat.T
    assert torch.allclose(gram, torch.diag(torch.diagonal(gram)), atol=1e-10)
    assert float(torch.diagonal(gram).real.sum()) == pytest.approx(100.0)
    mixed = modes + 0.3 * modes.flip(0)
    rotation, fractions = mode_rotation(mixed)
    turned = rotated(mixed, rotation)
    spread = turned.reshape(4, -1)
    gram = spread.conj() @ spread.T
    assert torch.allclose(gram, torch.diag(torch.diagonal(gram)), atol=1e-9)
    assert (fractions.diff() <= 0).all()
    assert torch.allclose(turned.abs().square().sum(0), mixed.abs().square().sum(0), atol=1e-9)


def test_padding_a_probe_halves_its_pixel_and_moves_nothing() -> None:
    grid, fine = grid_of(PAPER, (64, 64)), grid_of(PAPER, (64, 64), padding=2)
    coarse = probe_wave(PAPER, grid, 10.0)[None]
    padded = padded_probe(coarse, fine.shape)
    before, after = torch.fft.ifft2(coarse), torch.fft.ifft2(padded)
    assert torch.allclose(4.0 * after[:, ::2, ::2], before, atol=1e-12)


def _case(dtype: torch.dtype = torch.complex128) -> tuple[Multislice, torch.Tensor, torch.Tensor, torch.Tensor]:
    grid = grid_of(SMALL, (24, 28))
    model = Multislice(grid, 4, 5.0, dtype, tilt_mrad=(3.0, -2.0))
    generator = torch.Generator().manual_seed(1)
    probe = probe_modes(probe_wave(SMALL, grid, 1e4), 3, 0.1).to(dtype)
    potential = (0.3 * torch.rand(4, 32, 36, dtype=torch.float64, generator=generator)).to(model.real)
    shift = torch.rand(2, 2, dtype=torch.float64, generator=generator) - 0.5
    return model, probe, potential, shift


def _counts(model: Multislice, probe: torch.Tensor, potential: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return torch.poisson(
        model.patterns(probe, 1.2 * potential, CORNERS, 0.5 * shift), generator=torch.Generator().manual_seed(2)
    )


def _gradient(
    model: Multislice,
    probe: torch.Tensor,
    potential: torch.Tensor,
    shift: torch.Tensor,
    noise: NoiseModel,
    single: bool,
) -> Gradient:
    data = _counts(model, probe, potential, shift)
    gradient = model.gradient((32, 36), 3, 2)
    seen = model.transmission(potential)
    groups = [[0], [1]] if single else [[0, 1]]
    for group in groups:
        corners = [CORNERS[i] for i in group]
        model.add(gradient, probe, seen, corners, shift[group], data[group], noise, group, tilt=True)
    return gradient


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("single", [True, False], ids=["one by one", "together"])
def test_the_adjoint_against_finite_differences(noise: NoiseName, single: bool) -> None:
    model, probe, potential, shift = _case()
    mask = torch.ones(24, 28, dtype=torch.float64)
    mask[3, 5] = mask[10] = 0.0
    likelihood = NoiseModel(noise, mask)
    data = _counts(model, probe, potential, shift)
    gradient = _gradient(model, probe, potential, shift, likelihood, single)
    generator = torch.Generator().manual_seed(3)

    def loss(**changed: torch.Tensor) -> float:
        here = {"probe": probe, "potential": potential, "shift": shift, **changed}
        model.set_tilt(tuple((torch.tensor([3.0, -2.0]) + changed.get("tilt", torch.zeros(2))).tolist()))
        found = likelihood.evaluate(model.patterns(here["probe"], here["potential"], CORNERS, here["shift"]), data)[0]
        model.set_tilt((3.0, -2.0))
        return found

    ways = {
        "potential": torch.randn(potential.shape, dtype=torch.float64, generator=generator),
        "probe": torch.randn(probe.shape, dtype=torch.complex128, generator=generator),
        "shift": torch.randn(shift.shape, dtype=torch.float64, generator=generator),
    }
    bases = {"potential": potential, "probe": probe, "shift": shift}
    slopes = {
        "potential": float((gradient.potential_slope * ways["potential"]).sum()),
        "probe": float(2.0 * (gradient.probe * ways["probe"]).sum().real),
        "shift": float((gradient.shift * ways["shift"]).sum()),
    }
    step = 1e-5
    for name, way in ways.items():
        difference = loss(**{name: bases[name] + step * way}) - loss(**{name: bases[name] - step * way})
        assert slopes[name] == pytest.approx(difference / (2.0 * step), rel=1e-5), name
    for axis in range(2):
        way = 1e-3 * torch.eye(2, dtype=torch.float64)[axis]
        difference = loss(tilt=way) - loss(tilt=-way)
        assert float(gradient.tilt[axis]) == pytest.approx(difference / 2e-3, rel=1e-5)


@pytest.mark.parametrize("noise", NOISES)
def test_the_adjoint_against_autograd(noise: NoiseName) -> None:
    model, probe, potential, shift = _case()
    likelihood = NoiseModel(noise)
    data = _counts(model, probe, potential, shift)
    ours = _gradient(model, probe, potential, shift, likelihood, False)
    v, p, r = (part.clone().requires_grad_() for part in (potential, probe, shift))
    height, width = model.grid.shape
    ramp = torch.exp(
        -2j * torch.pi * (model.per_pixel_y * r[:, 0, None, None] + model.per_pixel_x * r[:, 1, None, None])
    )
    wave = torch.fft.ifft2(p * ramp[:, None])
    step = propagator(model.grid, 5.0, (3.0, -2.0))
    for s in range(4):
        seen = torch.stack([torch.exp(1j * v[s, y : y + height, x : x + width]) for y, x in CORNERS])
        wave = wave * seen[:, None]
        wave = torch.fft.ifft2(torch.fft.fft2(wave) * step) if s < 3 else wave
    model_counts = torch.fft.fft2(wave).abs().square().sum(1)
    root = {"amplitude": 1e-6, "anscombe": 0.375}
    if noise == "poisson":
        loss = (model_counts - data * torch.log(model_counts)).sum()
    else:
        loss = 2.0 * ((model_counts + root[noise]).sqrt() - (data + root[noise]).sqrt()).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert v.grad is not None
    assert p.grad is not None
    assert r.grad is not None
    for found, expected in (
        (ours.potential_slope, v.grad),
        (2.0 * ours.probe.conj(), p.grad),
        (ours.shift, r.grad),
    ):
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5 * 1e-3


def test_tangents_are_the_derivative_of_the_patterns() -> None:
    model, probe, potential, shift = _case()
    generator = torch.Generator().manual_seed(4)
    by_v = torch.randn(potential.shape, dtype=torch.float64, generator=generator)
    by_p = torch.randn(probe.shape, dtype=torch.complex128, generator=generator)
    patterns, along_v, along_p = model.tangents(probe, model.transmission(potential), CORNERS, shift, by_v, by_p)
    assert torch.allclose(patterns, model.patterns(probe, potential, CORNERS, shift))
    for found, dv, dp in ((along_v, by_v, 0 * by_p), (along_p, 0 * by_v, by_p)):
        up = model.patterns(probe + 1e-6 * dp, potential + 1e-6 * dv, CORNERS, shift)
        down = model.patterns(probe - 1e-6 * dp, potential - 1e-6 * dv, CORNERS, shift)
        assert float((found - (up - down) / 2e-6).abs().max() / found.abs().max()) < 1e-6


def test_single_precision_follows_double() -> None:
    model, probe, potential, shift = _case()
    single = _case(torch.complex64)
    found = single[0].patterns(single[1], single[2], CORNERS, shift)
    assert found.dtype == torch.float32
    exact = model.patterns(probe, potential, CORNERS, shift)
    assert float((found - exact).abs().max() / exact.max()) < 1e-5


def test_electrons_are_conserved_and_vacuum_shows_the_aperture() -> None:
    model, probe, potential, shift = _case()
    assert model.patterns(probe, potential, CORNERS, shift).sum((1, 2)).tolist() == pytest.approx([1e4, 1e4])
    empty = model.patterns(probe, 0.0 * potential, CORNERS, shift)
    assert torch.allclose(empty, probe.abs().square().sum(0).expand(2, -1, -1), atol=1e-9)


def test_one_slice_is_a_projection() -> None:
    grid = grid_of(SMALL, (24, 28))
    model = Multislice(grid, 1, 5.0, torch.complex128)
    probe = probe_modes(probe_wave(SMALL, grid, 1e4), 2)
    potential = torch.rand(1, 32, 36, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    found = model.patterns(probe, potential, [(3, 4)], torch.zeros(1, 2))[0]
    exit_wave = torch.fft.ifft2(probe) * torch.exp(1j * potential[0, 3:27, 4:32])
    assert torch.allclose(found, torch.fft.fft2(exit_wave).abs().square().sum(0), atol=1e-8)


def test_a_displaced_object_and_a_displaced_probe_are_the_same() -> None:
    model, probe, potential, _ = _case()
    still = model.patterns(probe, potential, [(2, 3)], torch.zeros(1, 2))
    moved = model.patterns(probe, potential.roll((1, -2), (1, 2)), [(3, 1)], torch.zeros(1, 2))
    assert torch.allclose(still, moved, atol=1e-9)
    grid = grid_of(PAPER, (64, 64))
    empty = Multislice(grid, 1, 5.0, torch.complex128)
    wave = torch.fft.ifft2(probe_wave(PAPER, grid, 1.0)[None] * empty.ramp(torch.tensor([[3.0, -2.0]]))[0] * 64 * 64)
    assert torch.allclose(wave[0], torch.fft.ifft2(probe_wave(PAPER, grid, 1.0)).roll((3, -2), (0, 1)), atol=1e-12)


@pytest.mark.parametrize("noise", NOISES)
def test_a_true_model_has_the_likelihoods_expectation(noise: NoiseName) -> None:
    expected = torch.full((1, 200, 200), 30.0)
    counts = torch.poisson(expected, generator=torch.Generator().manual_seed(6))
    loss, slope, chi_square = NoiseModel(noise).evaluate(expected, counts)
    assert 2.0 * loss / 40000 == pytest.approx(1.0, abs=0.04)
    assert chi_square / 40000 == pytest.approx(1.0, abs=0.03)
    assert abs(float(slope.mean())) < 0.02
    dark = torch.cat([torch.full((1, 100, 200), 0.003), torch.full((1, 100, 200), 2.0)], 1)
    counts = torch.poisson(dark, generator=torch.Generator().manual_seed(7))
    assert NoiseModel(noise).evaluate(dark, counts)[2] / 40000 == pytest.approx(1.0, abs=0.03)


def test_an_unknown_noise_model_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="gaussian"):
        NoiseModel("gaussian")  # type: ignore[arg-type]
