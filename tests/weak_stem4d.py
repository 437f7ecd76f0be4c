"""A thin weak object under a scanned beam, in numpy alone: windows twice the detector's sampling, random atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

WAVELENGTH_ANGSTROM = 0.0250793
STEP_ANGSTROM = 0.886
ALPHA_MRAD = 26.0


@dataclass(frozen=True)
class WeakScan:
    patterns: npt.NDArray[np.float64]
    pixel_mrad: float
    rotation_deg: float
    transpose: bool


def orientation(rotation_deg: float, transpose: bool) -> npt.NDArray[np.float64]:
    turn = np.deg2rad(rotation_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return rotation[:, ::-1] if transpose else rotation


def weak_scan(
    seed: int,
    *,
    rotation_deg: float | None = None,
    transpose: bool | None = None,
    overfocus_angstrom: float = 100.0,
    scan: int = 16,
    step_angstrom: float = STEP_ANGSTROM,
    electrons: float = 2e4,
) -> WeakScan:
    """Scan a phase object of 0.15 rad; the detector lies as asked, or at random."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-180, 180) if rotation_deg is None else rotation_deg
    mirrored = bool(rng.integers(2)) if transpose is None else transpose
    pixels, mrad = 32, 2.5 * ALPHA_MRAD / 32
    extent, n = WAVELENGTH_ANGSTROM / (mrad * 1e-3), 64
    size = extent / n
    raster = np.stack(np.meshgrid(np.arange(scan), np.arange(scan), indexing="ij"), -1).reshape(-1, 2)
    at = step_angstrom * raster @ orientation(angle, mirrored).T
    corner = at.min(0) - extent / 2 - 1
    area = np.ceil((at.max(0) - at.min(0) + extent + 2) / size).astype(int)
    grating = _object(area, size, rng)
    k = np.fft.fftfreq(n, size)
    squared = k[:, None] ** 2 + k[None, :] ** 2
    wave = (np.sqrt(squared) * WAVELENGTH_ANGSTROM * 1e3 <= ALPHA_MRAD) * np.exp(
        -1j * np.pi * WAVELENGTH_ANGSTROM * overfocus_angstrom * squared
    )
    wave = wave / np.sqrt((np.abs(wave) ** 2).sum())
    first = np.floor((at - corner) / size - n // 2).astype(int)
    rest = (at - corner) / size - first
    f = np.fft.fftfreq(n)
    middle = slice(n // 2 - pixels // 2, n // 2 + pixels // 2)
    found = np.empty((len(at), pixels, pixels))
    for i, (row, column) in enumerate(first):
        moved = wave * np.exp(-2j * np.pi * (f[:, None] * rest[i, 0] + f[None, :] * rest[i, 1]))
        window = grating[row : row + n, column : column + n]
        intensity = np.abs(np.fft.fft2(np.fft.ifft2(moved) * window)) ** 2
        found[i] = np.fft.fftshift(intensity)[middle, middle]
    counted = rng.poisson(electrons * found).astype(float)
    return WeakScan(counted.reshape(scan, scan, pixels, pixels), mrad, angle, mirrored)


def _object(area: Any, size: float, rng: np.random.Generator) -> npt.NDArray[np.complex128]:
    ky, kx = np.fft.fftfreq(area[0], size), np.fft.fftfreq(area[1], size)
    atoms = rng.uniform(0, 1, (int(area[0] * area[1] * size * size / 9), 2)) * area * size
    places = np.exp(-2j * np.pi * np.outer(ky, atoms[:, 0])) @ np.exp(-2j * np.pi * np.outer(atoms[:, 1], kx))
    phase = np.fft.ifft2(places * np.exp(-2 * (np.pi * 0.4) ** 2 * (ky[:, None] ** 2 + kx[None, :] ** 2))).real
    return np.asarray(np.exp(0.15j * (phase - phase.mean()) / phase.std()))
