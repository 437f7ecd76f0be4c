"""Electron optics: wavelength, grids, the incoming probe and the free-space propagator.

Conventions. Real space (y, x) with y the slow scan axis, row 0 first. ``psi(r) = sum_k psi(k) exp(+2 pi i k r)``. The
beam travels towards +z and free space of length dz multiplies ``psi(k)`` by ``exp(-i pi lambda dz k^2)``. Overfocus
counts the distance from the crossover down to the entrance surface: a crossover above the sample is positive, and
there the probe diverges. Kirkland, Advanced Computing in Electron Microscopy, doi 10.1007/978-1-4419-6533-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rutile_assets.physics.electrons import wavelength_angstrom

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Optics:
    """What the microscope's settings say about the incoming beam and the detector.

    Parameters
    ----------
    accelerating_voltage_kv : float
        [kV].
    convergence_semi_angle_mrad : float
        Radius of the condenser aperture [mrad].
    detector_pixel_mrad : float
        Angle of one detector pixel, both axes [mrad].
    overfocus_nm : float
        Distance from the crossover down to the entrance surface; a crossover above the sample is positive [nm].
    spherical_aberration_mm : float
        C3 [mm].
    """

    accelerating_voltage_kv: float
    convergence_semi_angle_mrad: float
    detector_pixel_mrad: float
    overfocus_nm: float
    spherical_aberration_mm: float = 0.0

    @property
    def wavelength_angstrom(self) -> float:
        """Relativistic wavelength [angstrom]."""
        return wavelength_angstrom(self.accelerating_voltage_kv)


@dataclass(frozen=True)
class Grid:
    """The square-pixel grid on which waves live; its Fourier transform is the detector.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) pixels of a pattern.
    pixel_angstrom : tuple of float
        Real-space sampling along y and x, ``lambda / (pixels x detector angle)`` [angstrom].
    wavelength_angstrom : float
        [angstrom].
    """

    shape: tuple[int, int]
    pixel_angstrom: tuple[float, float]
    wavelength_angstrom: float

    def frequencies(self) -> tuple[FloatArray, FloatArray]:
        """Return ky (Y, 1) and kx (1, X) in FFT order [1/angstrom]."""
        ky = np.fft.fftfreq(self.shape[0], self.pixel_angstrom[0])
        kx = np.fft.fftfreq(self.shape[1], self.pixel_angstrom[1])
        return np.asarray(ky[:, None], dtype=float), np.asarray(kx[None, :], dtype=float)


def grid_of(optics: Optics, pattern_shape: tuple[int, int], padding: int = 1) -> Grid:
    """Return the grid of patterns that are zero-padded `padding` times along each axis."""
    wavelength = optics.wavelength_angstrom
    shape = (padding * pattern_shape[0], padding * pattern_shape[1])
    y, x = (wavelength / (1e-3 * optics.detector_pixel_mrad * pixels) for pixels in shape)
    return Grid(shape, (float(y), float(x)), wavelength)


def propagator(grid: Grid, distance_angstrom: float, tilt_mrad: tuple[float, float] = (0.0, 0.0)) -> torch.Tensor:
    """Return the paraxial free-space propagator in FFT order.

    Parameters
    ----------
    grid : Grid
        Where the wave lives.
    distance_angstrom : float
        Length of free space [angstrom].
    tilt_mrad : tuple of float
        Mistilt (y, x) of the sample: each slice is seen displaced by ``distance x tilt`` against the one above [mrad].

    Returns
    -------
    torch.Tensor
        (Y, X) complex128, ``exp(-i pi lambda dz k^2 - 2 pi i dz k tilt)``: unitary, separable in y and x.
    """
    ky, kx = grid.frequencies()
    along = [
        np.pi * grid.wavelength_angstrom * distance_angstrom * k**2 + 2e-3 * np.pi * distance_angstrom * k * angle
        for k, angle in ((ky, tilt_mrad[0]), (kx, tilt_mrad[1]))
    ]
    return torch.from_numpy(np.exp(-1j * along[0]) * np.exp(-1j * along[1]))


def probe_wave(optics: Optics, grid: Grid, electrons: float) -> torch.Tensor:
    """Return the coherent incoming probe at the entrance surface, in Fourier space.

    Parameters
    ----------
    optics : Optics
        Aperture, overfocus and C3.
    grid : Grid
        Where the wave lives.
    electrons : float
        ``sum_k |psi|^2``.

    Returns
    -------
    torch.Tensor
        (Y, X) complex128, FFT order. In real space it stands at pixel (Y // 2, X // 2).

    Notes
    -----
    ``exp(-i pi lambda (overfocus k^2 + C3 lambda^2 k^4 / 2))`` within the aperture, whose edge is one pixel wide.
    """
    ky, kx = grid.frequencies()
    k_squared = ky**2 + kx**2
    wavelength = grid.wavelength_angstrom
    angle = 1e3 * wavelength * np.sqrt(k_squared)
    inside = np.clip((optics.convergence_semi_angle_mrad - angle) / optics.detector_pixel_mrad + 0.5, 0.0, 1.0)
    third = 1e7 * optics.spherical_aberration_mm
    chi = np.pi * wavelength * k_squared * (10.0 * optics.overfocus_nm + 0.5 * third * wavelength**2 * k_squared)
    centre = np.exp(-2j * np.pi * (ky * (grid.shape[0] // 2) * grid.pixel_angstrom[0]))
    centre = centre * np.exp(-2j * np.pi * (kx * (grid.shape[1] // 2) * grid.pixel_angstrom[1]))
    wave = np.sqrt(inside) * np.exp(-1j * chi) * centre
    return torch.from_numpy(wave * np.sqrt(electrons / np.sum(np.abs(wave) ** 2)))


def probe_modes(coherent: torch.Tensor, modes: int, weak_fraction: float = 0.02) -> torch.Tensor:
    """Return mutually orthogonal probe modes that start from one coherent wave.

    Parameters
    ----------
    coherent : torch.Tensor
        (Y, X) complex, Fourier space.
    modes : int
        M, at least 1.
    weak_fraction : float
        Power of each mode after the first, as a part of the whole, lowered where they would exceed half of it.

    Returns
    -------
    torch.Tensor
        (M, Y, X) complex; the first is the coherent wave, the others are it times the real-space monomials of rising
        order (source size and vibration couple to these first), orthogonalised. The total power is kept.
    """
    height, width = coherent.shape[-2:]
    power = float(coherent.abs().square().sum())
    wave = torch.fft.ifft2(coherent)
    spread = wave.abs().square()
    y = torch.arange(height, dtype=torch.float64)[:, None] - height // 2
    x = torch.arange(width, dtype=torch.float64)[None, :] - width // 2
    radius = torch.sqrt((spread * (y**2 + x**2)).sum() / spread.sum())
    orders = [(order - i, i) for order in range(modes) for i in range(order + 1)][:modes]
    family = torch.stack([wave * (y / radius) ** a * (x / radius) ** b for a, b in orders]).reshape(modes, -1)
    basis = torch.linalg.qr(family.T)[0].T.reshape(modes, height, width)
    weak = min(weak_fraction, 0.5 / max(modes - 1, 1))
    share = torch.full((modes,), weak, dtype=torch.float64)
    share[0] = 1.0 - weak * (modes - 1)
    field: torch.Tensor = torch.fft.fft2(basis)
    field = field * torch.sqrt(power * share / field.abs().square().sum((-2, -1)))[:, None, None]
    return field


def mode_rotation(probe: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rotation that makes modes mutually orthogonal, strongest first; the mixed state is unchanged.

    Parameters
    ----------
    probe : torch.Tensor
        (M, Y, X) complex.

    Returns
    -------
    rotation : torch.Tensor
        (M, M) unitary; apply it with `rotated`.
    fractions : torch.Tensor
        (M,) the turned modes' shares of the power, falling.
    """
    flat = probe.reshape(len(probe), -1)
    power, vectors = torch.linalg.eigh(flat.conj() @ flat.T)
    rotation = vectors.flip(-1).T
    # an eigenvector's phase is free: the part that stays in its own place is made real and positive
    own = torch.diagonal(rotation)
    phase = torch.where(own.abs() > 0, own.conj() / own.abs().clamp_min(1e-30), torch.ones_like(own))
    power = power.flip(0).clamp_min(0.0)
    return rotation * phase[:, None], power / power.sum()


def rotated(modes: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Return (M, Y, X) modes turned by an (M, M) rotation."""
    return (rotation @ modes.reshape(len(modes), -1)).reshape(modes.shape)


def padded_probe(probe: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Return (M, Y', X') the same Fourier-space modes on a grid with more angles, i.e. finer pixels."""
    out = torch.zeros((len(probe), *shape), dtype=probe.dtype, device=probe.device)
    top, left = (after // 2 - before // 2 for after, before in zip(shape, probe.shape[-2:], strict=True))
    out[:, top : top + probe.shape[-2], left : left + probe.shape[-1]] = torch.fft.fftshift(probe, dim=(-2, -1))
    back: torch.Tensor = torch.fft.ifftshift(out, dim=(-2, -1))
    return back
