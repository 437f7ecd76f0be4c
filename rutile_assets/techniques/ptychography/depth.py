"""Depth: how slices couple, how they are kept smooth, and whether a slice is thin enough.

A slice at depth z and one at z' see the same spatial frequency k through the same pencil of beams, so their effects on
the patterns overlap by ``C(k, dz) = [2 J1(x) / x] cos(pi lambda dz k^2)`` with ``x = 2 pi dz k alpha``: near 1 for
coarse detail (all slices push together: S times the curvature of one), near 0 for fine detail. The update of all slices
is preconditioned by ``(C + damping + weight L)^-1`` at each k, L the second difference in depth: the Gauss-Newton step
of a thin phase object with a quadratic penalty on changes in depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter, map_coordinates, maximum_filter
from scipy.special import j1

FloatArray = npt.NDArray[np.float64]

BINS = 96
SAFE_RAD = np.pi / 2  # a slice's phase beyond it is called thick
REFERENCE_SLICE_ANGSTROM = 5.0
STIFF = 100.0
HEAL_ANGSTROM = 1.2  # radius about a column that is replaced, faded out over its outer 40 %
LEAST_PEAKS = 0.1  # of a column's slices have to be peaks


def second_difference(slices: int) -> FloatArray:
    """Return the (S, S) matrix of ``sum (V_{s+1} - V_s)^2 / 2``'s gradient, free at both ends."""
    difference = np.diff(np.eye(slices), axis=0)
    return np.asarray(difference.T @ difference, dtype=float)


def depth_coupling(
    k_per_angstrom: float, slices: int, slice_angstrom: float, wavelength_angstrom: float, semi_angle_mrad: float
) -> FloatArray:
    """Return the (S, S) overlap C(k) of the slices' effects; see the module's text."""
    apart = np.abs(np.subtract.outer(np.arange(slices), np.arange(slices))) * slice_angstrom
    x = 2e-3 * np.pi * apart * k_per_angstrom * semi_angle_mrad
    pencil = np.where(x > 1e-6, 2.0 * j1(np.maximum(x, 1e-6)) / np.maximum(x, 1e-6), 1.0)
    return np.asarray(pencil * np.cos(np.pi * wavelength_angstrom * apart * k_per_angstrom**2))


class DepthPreconditioner:
    """Apply ``(C + damping + weight L)^-1`` to an update (S, H, W).

    Parameters
    ----------
    shape : tuple of int
        (S, H, W).
    pixel_angstrom : tuple of float
        y, x [angstrom].
    slice_angstrom, wavelength_angstrom, semi_angle_mrad : float
        Slice distance, wavelength [angstrom], aperture radius [mrad].
    damping, weight : float
        See the module's text; `weight` in units of the data's curvature.
    damping_k_per_angstrom : float
        The damping is multiplied by ``1 + (k / k0)^4``: coarse detail moves first, fine detail follows [1/angstrom].
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        pixel_angstrom: tuple[float, float],
        slice_angstrom: float,
        wavelength_angstrom: float,
        semi_angle_mrad: float,
        damping: float,
        weight: float,
        damping_k_per_angstrom: float = 1.0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.shape = shape
        slices, height, width = shape
        ky = np.fft.fftfreq(height, pixel_angstrom[0])[:, None]
        kx = np.fft.rfftfreq(width, pixel_angstrom[1])[None, :]
        k = np.hypot(ky, kx)
        spacing = k.max() / (BINS - 1)
        bin_of = np.round(k / spacing).astype(int).ravel()
        order = np.argsort(bin_of, kind="stable")
        self.order = torch.from_numpy(order).to(device)
        self.edges = np.searchsorted(bin_of[order], np.arange(BINS + 1)).tolist()
        penalty = second_difference(slices)
        self.penalty = torch.from_numpy(weight * penalty).to(device=device, dtype=dtype)
        matrices = []
        for centre in spacing * np.arange(BINS):
            coupling = depth_coupling(float(centre), slices, slice_angstrom, wavelength_angstrom, semi_angle_mrad)
            values, vectors = np.linalg.eigh(coupling)
            coupling = (vectors * np.maximum(values, 0.0)) @ vectors.T
            brake = damping * (1.0 + (float(centre) / damping_k_per_angstrom) ** 4)
            matrices.append(np.linalg.inv(coupling + brake * np.eye(slices) + weight * penalty))
        self.matrices = torch.from_numpy(np.array(matrices)).to(device=device, dtype=dtype)

    def __call__(self, update: torch.Tensor) -> torch.Tensor:
        """Return the preconditioned update, (S, H, W) real."""
        slices, height, width = self.shape
        spectrum = torch.fft.rfft2(update)
        half = spectrum.shape[-1]
        sorted_parts = torch.view_as_real(spectrum.reshape(slices, -1)[:, self.order])
        done = torch.empty_like(sorted_parts)
        for matrix, start, end in zip(self.matrices, self.edges[:-1], self.edges[1:], strict=True):
            if end > start:
                done[:, start:end] = (matrix @ sorted_parts[:, start:end].reshape(slices, -1)).view(slices, -1, 2)
        result = torch.empty_like(spectrum).reshape(slices, -1)
        result[:, self.order] = torch.view_as_complex(done)
        back: torch.Tensor = torch.fft.irfft2(result.reshape(slices, height, half), s=(height, width))
        return back

    def pull(self, potential: torch.Tensor) -> torch.Tensor:
        """Return the penalty's gradient over the data's curvature, ``weight L V``, (S, H, W)."""
        return torch.matmul(self.penalty, potential.reshape(len(potential), -1)).reshape(potential.shape)


def arctan_filter(
    potential: torch.Tensor, pixel_angstrom: tuple[float, float], slice_angstrom: float, beta: float
) -> torch.Tensor:
    """Return the object without what varies faster in depth than it does aside.

    ``W = 1 - (2/pi) arctan((beta kz / kr)^2)``: the missing wedge's filter of fold_slice's ``regularize_layers``,
    doi 10.1126/science.abg2533. The stack is mirrored at both ends, so that entrance and exit do not meet.
    """
    slices = len(potential)
    mirrored = torch.cat([potential, potential.flip(0)])
    spectrum = torch.fft.rfftn(mirrored)
    kz, ky, kx = (
        torch.from_numpy(k).to(device=potential.device, dtype=potential.dtype)
        for k in (
            np.fft.fftfreq(2 * slices, slice_angstrom)[:, None, None],
            np.fft.fftfreq(potential.shape[1], pixel_angstrom[0])[None, :, None],
            np.fft.rfftfreq(potential.shape[2], pixel_angstrom[1])[None, None, :],
        )
    )
    k_aside = ky**2 + kx**2
    weight = 1.0 - (2.0 / torch.pi) * torch.arctan((beta * kz) ** 2 / k_aside.clamp_min(1e-12))
    filtered: torch.Tensor = torch.fft.irfftn(spectrum * weight, s=mirrored.shape)[:slices]
    return filtered


@dataclass(frozen=True)
class SliceCheck:
    """Whether a slice is thin enough for its phase.

    Parameters
    ----------
    phase_rad : float
        Phase that the strongest columns put into one slice [rad].
    suggested_slices : int
        Slices that keep it at or below pi/2.
    ring_fraction : float
        Part of (column, slice) pairs that are a ring and not a peak.
    columns : int
        Columns that were looked at.
    """

    phase_rad: float
    suggested_slices: int
    ring_fraction: float
    columns: int

    @property
    def ok(self) -> bool:
        """Whether neither the phase nor the rings object."""
        return self.phase_rad <= SAFE_RAD and self.ring_fraction <= 0.01

    def sentence(self, slices: int) -> str:
        """Return what a person should know."""
        if self.ok:
            return f"The strongest columns carry {self.phase_rad:.2f} rad a slice: {slices} slices are enough."
        return (
            f"The strongest columns carry {self.phase_rad:.2f} rad a slice (pi/2 is safe, pi is lost) and "
            f"{self.ring_fraction:.0%} of columns are rings: use at least {self.suggested_slices} slices."
        )


def check_slices(potential: FloatArray, pixel_angstrom: float, field: tuple[slice, slice]) -> SliceCheck:
    """Look for thick slices and for columns that came out as rings.

    Parameters
    ----------
    potential : ndarray
        (S, H, W) [rad].
    pixel_angstrom : float
        [angstrom].
    field : tuple of slice
        Rows and columns that the scan covers.

    Returns
    -------
    SliceCheck
        Columns are the local maxima of the depth mean, smoothed by 0.3 angstrom, above a quarter of its range; the
        strongest fifth is measured. A ring: the mean over some circle of 0.3 to 0.9 angstrom exceeds the centre.

    Notes
    -----
    Reconstructions in which a column has wrapped hold less than its true phase, so the phase is a lower bound there;
    the rings then tell. The suggested count is the larger of what the phase and what the rings ask for.
    """
    stack = potential[:, field[0], field[1]]
    smooth = gaussian_filter(stack.mean(0), 0.3 / pixel_angstrom)
    peaks = find_columns(smooth, pixel_angstrom)
    if len(peaks) == 0:
        return SliceCheck(float(stack.max()), max(1, int(np.ceil(len(stack) * stack.max() / SAFE_RAD))), 0.0, 0)
    heights = smooth[peaks[:, 0], peaks[:, 1]]
    strong = peaks[heights >= np.quantile(heights, 0.8)]
    around = [stack[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].max((1, 2)) for y, x in strong]
    phase = float(np.median(np.array(around)))
    rings = float(np.mean([ring_of(layer, peaks, pixel_angstrom) for layer in stack]))
    needed = max(1, int(np.ceil(len(stack) * phase / SAFE_RAD)))
    return SliceCheck(phase, max(needed, 2 * len(stack)) if rings > 0.01 else needed, rings, len(peaks))


def find_columns(image: FloatArray, pixel_angstrom: float, least: float = 0.25) -> npt.NDArray[np.intp]:
    """Return (C, 2) local maxima of a smooth (H, W) image above `least` of its range, one within 0.8 angstrom."""
    size = 2 * max(1, round(0.8 / pixel_angstrom)) + 1
    low, high = float(np.quantile(image, 0.05)), float(image.max())
    maxima = (image == maximum_filter(image, size)) & (image > low + least * (high - low))
    maxima[[0, -1]] = False
    maxima[:, [0, -1]] = False
    return np.argwhere(maxima)


def ring_of(layer: FloatArray, columns: npt.NDArray[np.intp], pixel_angstrom: float) -> npt.NDArray[np.bool_]:
    """Return (C,) whether some circle about a column exceeds its centre in one slice (H, W)."""
    angles = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
    radii = np.linspace(0.3, 0.9, 5) / pixel_angstrom
    y = columns[:, 0, None, None] + radii[:, None] * np.sin(angles)
    x = columns[:, 1, None, None] + radii[:, None] * np.cos(angles)
    circles = map_coordinates(layer, [y, x], order=1, mode="nearest").mean(-1)
    near = 0.2 / pixel_angstrom
    inner_y = columns[:, 0, None] + near * np.sin(angles)
    inner_x = columns[:, 1, None] + near * np.cos(angles)
    inner = map_coordinates(layer, [inner_y, inner_x], order=1, mode="nearest").mean(-1)
    centre = np.maximum(layer[columns[:, 0], columns[:, 1]], inner)
    return np.asarray(circles.max(1) > centre)


def heal_rings(potential: FloatArray, pixel_angstrom: float, field: tuple[slice, slice]) -> tuple[FloatArray, int]:
    """Where a column is a ring in some slices and a peak in others, put the mean of its peaks in the rings' place.

    Parameters
    ----------
    potential : ndarray
        (S, H, W) [rad].
    pixel_angstrom : float
        [angstrom].
    field : tuple of slice
        Rows and columns where columns are looked for.

    Returns
    -------
    healed : ndarray
        (S, H, W); a copy.
    rings : int
        (column, slice) pairs that were replaced.

    Notes
    -----
    A ring is the wrong basin of a strong column whose phase wraps: the slices near the exit leave it first, and the
    data keep the others there for long. This moves the starting point only: the data decide afterwards.
    """
    stack = potential[:, field[0], field[1]]
    columns = find_columns(gaussian_filter(np.quantile(stack, 0.8, axis=0), 0.3 / pixel_angstrom), pixel_angstrom)
    healed, count = potential.copy(), 0
    if len(columns) == 0:
        return healed, count
    rings = np.array([ring_of(layer, columns, pixel_angstrom) for layer in stack])
    reach = int(np.ceil(HEAL_ANGSTROM / pixel_angstrom))
    offset = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) * pixel_angstrom
    weight = np.clip((HEAL_ANGSTROM - offset) / (0.4 * HEAL_ANGSTROM), 0.0, 1.0)
    for index, (row, column) in enumerate(columns + np.array([field[0].start, field[1].start])):
        bad = rings[:, index]
        inside = reach <= row < potential.shape[1] - reach and reach <= column < potential.shape[2] - reach
        if not inside or not bad.any() or bad.mean() > 1.0 - LEAST_PEAKS:
            continue
        window = (slice(row - reach, row + reach + 1), slice(column - reach, column + reach + 1))
        peak = potential[(~bad, *window)].mean(0)
        healed[(bad, *window)] += weight * (peak - potential[(bad, *window)])
        count += int(bad.sum())
    return healed, count
