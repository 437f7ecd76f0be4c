"""A forward multislice of its own: frozen phonons, one slice per atomic plane, finer than what a fit would use.

Shapes: M windows, S slices, Y and X pixels. Waves are exp(+2 pi i k r); a probe whose crossover stands above the
sample carries exp(-i pi lambda C1 k^2) with C1 > 0. Kirkland, Advanced Computing in Electron Microscopy (2010),
doi 10.1007/978-1-4419-6533-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rutile_assets.physics.electrons import electron_form_factor, lorentz_factor, wavelength_angstrom
from rutile_assets.simulation.crystals import OTHER_VIBRATION_ANGSTROM, VIBRATION_ANGSTROM, Crystal

FloatArray = npt.NDArray[np.float64]

BAND = 2.0 / 3.0  # of the highest frequency that is kept, so that products do not alias


@dataclass(frozen=True)
class Beam:
    """The incoming electrons.

    Parameters
    ----------
    accelerating_voltage_kv, convergence_semi_angle_mrad : float
        [kV], [mrad].
    overfocus_nm : float
        Crossover above the sample > 0 [nm].
    c3_mm : float
        Spherical aberration [mm].
    """

    accelerating_voltage_kv: float = 200.0
    convergence_semi_angle_mrad: float = 26.0
    overfocus_nm: float = 10.0
    c3_mm: float = 0.0

    @property
    def wavelength_angstrom(self) -> float:
        """[angstrom]."""
        return wavelength_angstrom(self.accelerating_voltage_kv)


@dataclass(frozen=True)
class Grid:
    """A square window in real space.

    Parameters
    ----------
    pixels : int
        Along each side.
    pixel_angstrom : float
        Sampling [angstrom].
    """

    pixels: int
    pixel_angstrom: float

    def frequencies(self) -> FloatArray:
        """Return (X,) spatial frequencies in FFT order [1/angstrom]."""
        return np.asarray(np.fft.fftfreq(self.pixels, self.pixel_angstrom), dtype=np.float64)


def probe(beam: Beam, grid: Grid, more_focus_nm: float = 0.0) -> torch.Tensor:
    """Return the probe in reciprocal space (Y, X), FFT order, of unit intensity: its sum of |psi|^2 over pixels is 1.

    The aperture's edge is soft over one pixel, as a detector of that pixel would see it.
    """
    k = grid.frequencies()
    squared = k[:, None] ** 2 + k[None, :] ** 2
    wave = beam.wavelength_angstrom
    angle = wave * np.sqrt(squared)
    width = wave / (grid.pixels * grid.pixel_angstrom)
    aperture = np.clip((1e-3 * beam.convergence_semi_angle_mrad - angle) / width + 0.5, 0.0, 1.0)
    chi = np.pi * wave * 10.0 * (beam.overfocus_nm + more_focus_nm) * squared
    chi = chi + 0.5 * np.pi * 1e7 * beam.c3_mm * wave**3 * squared**2
    psi = np.sqrt(aperture) * np.exp(-1j * chi)
    return torch.from_numpy((psi / np.sqrt((np.abs(psi) ** 2).sum())).astype(np.complex64))


def propagator(beam: Beam, grid: Grid, distance_angstrom: float) -> torch.Tensor:
    """Return exp(-i pi lambda dz k^2) in FFT order (Y, X), zero beyond the band."""
    k = grid.frequencies()
    squared = k[:, None] ** 2 + k[None, :] ** 2
    phase = np.exp(-1j * np.pi * beam.wavelength_angstrom * distance_angstrom * squared)
    inside = squared <= (BAND * 0.5 / grid.pixel_angstrom) ** 2
    return torch.from_numpy((phase * inside).astype(np.complex64))


def phase_gratings(
    crystal: Crystal,
    periods: int,
    area: tuple[int, int],
    pixel_angstrom: float,
    accelerating_voltage_kv: float,
    rng: np.random.Generator | None,
) -> torch.Tensor:
    """Return exp(i phase) of each slice (S, Y, X), complex64, atoms displaced as in one instant.

    The phase of an atom is gamma lambda times the inverse transform of its scattering factor; positions enter as
    phases in reciprocal space, so they are not rounded to pixels. Atoms within half an area's width of the edges wrap.

    Parameters
    ----------
    crystal : Crystal
        Columns in the frame of the area [angstrom]; those outside are left out.
    periods : int
        Repeats along the beam.
    area : tuple of int
        (Y, X) pixels.
    pixel_angstrom : float
        Sampling [angstrom].
    accelerating_voltage_kv : float
        [kV].
    rng : Generator or None
        Of the vibrations; None for atoms at rest.
    """
    height, width = area
    ky, kx = np.fft.fftfreq(height, pixel_angstrom), np.fft.fftfreq(width, pixel_angstrom)
    length = np.hypot(ky[:, None], kx[None, :])
    band = length <= BAND * 0.5 / pixel_angstrom
    scale = lorentz_factor(accelerating_voltage_kv) * wavelength_angstrom(accelerating_voltage_kv) / pixel_angstrom**2
    elements = sorted({column.element for column in crystal.columns})
    factors = {
        e: torch.from_numpy((scale * electron_form_factor(e, length) * band).astype(np.float32)) for e in elements
    }
    limits = np.array([height, width]) * pixel_angstrom
    groups: dict[tuple[float, str], FloatArray] = {}
    for plane in crystal.planes:
        for element in elements:
            at = np.array(
                [(c.y_angstrom, c.x_angstrom) for c in crystal.columns if c.element == element and c.height == plane]
            ).reshape(-1, 2)
            groups[plane, element] = at[((at >= 0) & (at < limits)).all(axis=1)]
    at_rest: dict[float, torch.Tensor] = {}
    slices = []
    for _ in range(periods):
        for plane in crystal.planes:
            if rng is None and plane in at_rest:
                slices.append(at_rest[plane])
                continue
            total = torch.zeros(area, dtype=torch.complex64)
            for element in elements:
                at = groups[plane, element]
                if len(at) == 0:
                    continue
                if rng is not None:
                    at = at + VIBRATION_ANGSTROM.get(element, OTHER_VIBRATION_ANGSTROM) * rng.standard_normal(at.shape)
                rows = np.exp(-2j * np.pi * np.outer(ky, at[:, 0])).astype(np.complex64)
                columns = np.exp(-2j * np.pi * np.outer(at[:, 1], kx)).astype(np.complex64)
                total += factors[element] * (torch.from_numpy(rows) @ torch.from_numpy(columns))
            phase = torch.fft.ifft2(total).real
            at_rest[plane] = torch.polar(torch.ones_like(phase), phase)
            slices.append(at_rest[plane])
    return torch.stack(slices)


def slice_distances(crystal: Crystal, periods: int) -> list[float]:
    """Return the distance from each slice to the next along the beam [angstrom]."""
    planes = np.array(crystal.planes)
    gaps = np.diff(np.append(planes, planes[0] + 1.0)) * crystal.period_angstrom
    return [float(gap) for gap in np.tile(gaps, periods)]


def diffract(
    waves: torch.Tensor,
    gratings: torch.Tensor,
    corners: npt.NDArray[np.intp],
    propagators: list[torch.Tensor],
) -> torch.Tensor:
    """Return the intensities (M, Y, X) that waves leave in the far field, FFT order.

    Parameters
    ----------
    waves : Tensor
        (M, Y, X) incoming waves in reciprocal space, unit intensity; their place within the window is in their phase.
    gratings : Tensor
        (S, H, W) of `phase_gratings`.
    corners : ndarray
        (M, 2) first row and column of each window.
    propagators : list of Tensor
        (S) each (Y, X): from a slice to the next; the last one only cuts the band.
    """
    size = waves.shape[-1]
    psi = waves
    for grating, onwards in zip(gratings, propagators, strict=True):
        windows = torch.stack([grating[r : r + size, c : c + size] for r, c in corners.tolist()])
        psi = torch.fft.fft2(torch.fft.ifft2(psi) * windows) * onwards
    return psi.real**2 + psi.imag**2
