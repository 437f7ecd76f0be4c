"""What a reconstruction takes: patterns, where they were taken, and what each detector pixel can be trusted for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rutile_assets.errors import WrongContent
from rutile_assets.techniques.ptychography.optics import Grid, Optics, grid_of

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_BAD_FRAMES = 0.2
MOST_BAD_PIXELS = 0.1
DARK_FRAME = 0.2  # of the median dose: below, a frame is missing
CHUNK = 256


class _Chosen:
    """Some frames of a stack, read when they are asked for."""

    def __init__(self, counts: Any, chosen: npt.NDArray[np.intp]) -> None:
        self.counts, self.chosen = counts, np.asarray(chosen)
        self.shape = (len(self.chosen), *counts.shape[1:])

    def __getitem__(self, wanted: npt.NDArray[np.intp]) -> Any:
        return self.counts[self.chosen[wanted]]


@dataclass(frozen=True)
class Patterns:
    """A scan of diffraction patterns with its calibration.

    Parameters
    ----------
    counts : array-like
        (N, Y, X), indexable by an array of integers: an ndarray or a memory map. Zero angle at pixel (Y // 2, X // 2);
        rows run along the slow scan axis (rotation, flips and transpose are taken out by whoever read the file).
    positions_angstrom : ndarray
        (N, 2) y, x of the probe [angstrom].
    optics : Optics
        The microscope.
    counts_per_electron : float
        What one electron adds to a pixel (ADU).
    good_pixels : ndarray of bool, optional
        (Y, X) False where the detector is dead or saturated.
    good_frames : ndarray of bool, optional
        (N,) False where a frame is missing.
    extent_angstrom : tuple of tuple of float, optional
        Lowest and highest (y, x) that the object array is made for, where it is not these positions' own [angstrom].
    """

    counts: Any
    positions_angstrom: FloatArray
    optics: Optics
    counts_per_electron: float = 1.0
    good_pixels: BoolArray | None = None
    good_frames: BoolArray | None = None
    extent_angstrom: tuple[tuple[float, float], tuple[float, float]] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of a pattern."""
        return int(self.counts.shape[1]), int(self.counts.shape[2])

    def taken(self, chosen: npt.NDArray[np.intp]) -> Patterns:
        """Return some of the frames (a frame may come twice) on the same object array."""
        return replace(
            self,
            counts=_Chosen(self.counts, chosen),
            positions_angstrom=self.positions_angstrom[chosen],
            good_frames=None if self.good_frames is None else self.good_frames[chosen],
            extent_angstrom=self.extent,
        )

    @property
    def extent(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest (y, x) that the object array is made for [angstrom]."""
        if self.extent_angstrom is not None:
            return self.extent_angstrom
        low, high = self.positions_angstrom.min(0), self.positions_angstrom.max(0)
        return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))

    def electrons(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Return the patterns `chosen` in electrons, (B, Y, X), negatives (readout noise) set to 0."""
        frames = np.asarray(self.counts[chosen], dtype=np.float32)
        electrons: npt.NDArray[np.float32] = np.maximum(frames / np.float32(self.counts_per_electron), np.float32(0.0))
        return electrons


def checked(patterns: Patterns, saturation_counts: float | None = None) -> tuple[Patterns, tuple[str, ...]]:
    """Find missing frames, pixels that are not numbers or saturate; leave them out, or refuse in a sentence.

    Parameters
    ----------
    patterns : Patterns
        As read.
    saturation_counts : float, optional
        Pixels that reach it in any frame are left out.

    Returns
    -------
    patterns : Patterns
        The same counts with `good_pixels` and `good_frames` filled in.
    notes : tuple of str
        What was left out, a sentence each.

    Raises
    ------
    WrongContent
        Positions and frames differ in number, or too much is bad.
    """
    frames = int(patterns.counts.shape[0])
    if patterns.positions_angstrom.shape != (frames, 2):
        raise WrongContent(
            f"{frames} patterns and positions of shape {patterns.positions_angstrom.shape}",
            "one (y, x) position for each pattern",
            "Check the scan shape.",
        )
    if not np.isfinite(patterns.positions_angstrom).all() or not patterns.counts_per_electron > 0:
        raise WrongContent("positions or gain that are not numbers", "finite ones", "Check step and gain.")
    bad_share = np.zeros(patterns.shape)
    saturated = np.zeros(patterns.shape, dtype=bool)
    dose = np.zeros(frames)
    for start in range(0, frames, CHUNK):
        block = np.asarray(patterns.counts[np.arange(start, min(start + CHUNK, frames))], dtype=np.float32)
        finite = np.isfinite(block)
        bad_share += (~finite).sum(0) / frames
        dose[start : start + len(block)] = np.where(finite, block, 0.0).sum((1, 2), dtype=float)
        dose[start : start + len(block)][finite.mean((1, 2)) < 1.0 - MOST_BAD_PIXELS] = np.nan
        if saturation_counts is not None:
            saturated |= (np.where(finite, block, 0.0) >= saturation_counts).any(0)
    lost = np.isnan(dose)
    present = np.zeros(frames, dtype=bool)
    if not lost.all():
        present = ~lost & (np.nan_to_num(dose) > DARK_FRAME * np.median(dose[~lost])) & (np.nan_to_num(dose) > 0)
    bad_pixels = (bad_share > lost.mean()) | saturated
    notes = _refuse_or_note(frames, int((~present).sum()), float(bad_pixels.mean()), int(saturated.sum()))
    pixels = ~bad_pixels if patterns.good_pixels is None else patterns.good_pixels & ~bad_pixels
    good = present if patterns.good_frames is None else patterns.good_frames & present
    return replace(patterns, good_pixels=pixels, good_frames=good), notes


def _refuse_or_note(frames: int, missing: int, bad_share: float, saturated: int) -> tuple[str, ...]:
    if missing > MOST_BAD_FRAMES * frames:
        raise WrongContent(
            f"{missing} of {frames} frames empty or without numbers",
            f"at most {MOST_BAD_FRAMES:.0%}",
            "Check that the file is complete and the beam was on.",
        )
    if bad_share > MOST_BAD_PIXELS:
        raise WrongContent(
            f"{bad_share:.0%} of the detector without numbers or saturated ({saturated} pixels saturated)",
            f"at most {MOST_BAD_PIXELS:.0%}",
            "Lower the dwell time, or mask the beam stop before reading.",
        )
    notes = []
    if missing:
        notes.append(f"{missing} of {frames} frames are missing and left out.")
    if bad_share > 0:
        notes.append(f"{bad_share:.2%} of the detector's pixels left out, {saturated} of them saturated.")
    return tuple(notes)


@dataclass(frozen=True)
class Layout:
    """Where the patterns' windows lie on the object array.

    Parameters
    ----------
    grid : Grid
        Of the (padded) patterns.
    object_shape : tuple of int
        (H, W).
    origin_angstrom : tuple of float
        Scan coordinate (y, x) of object pixel (0, 0) [angstrom].
    padding : int
        1, or 2 where patterns are padded and the pixel is halved.
    """

    grid: Grid
    object_shape: tuple[int, int]
    origin_angstrom: tuple[float, float]
    padding: int

    def place(self, positions_angstrom: FloatArray) -> tuple[npt.NDArray[np.intp], torch.Tensor]:
        """Return the windows' corners (N, 2) [pixel] and the sub-pixel rest (N, 2), within half a pixel."""
        centre = np.array([pixels // 2 for pixels in self.grid.shape])
        at = (positions_angstrom - np.array(self.origin_angstrom)) / np.array(self.grid.pixel_angstrom) - centre
        room = np.array(self.object_shape) - np.array(self.grid.shape)
        corner = np.clip(np.round(at), 0, room).astype(np.intp)
        return corner, torch.from_numpy(at - corner)

    def field(self, positions_angstrom: FloatArray, beyond_angstrom: float = 0.0) -> tuple[slice, slice]:
        """Return the rows and columns that positions (N, 2) cover, and some angstrom beyond."""
        sides = []
        for axis in range(2):
            at = (positions_angstrom[:, axis] - self.origin_angstrom[axis]) / self.grid.pixel_angstrom[axis]
            extra = beyond_angstrom / self.grid.pixel_angstrom[axis]
            low, high = int(np.floor(at.min() - extra)), int(np.ceil(at.max() + extra))
            sides.append(slice(max(low, 0), min(high + 1, self.object_shape[axis])))
        return sides[0], sides[1]


MARGIN_PIXELS = 4  # that refined positions may wander


def layout_of(patterns: Patterns, padding: int = 1) -> Layout:
    """Return the object array that the patterns need, the same area at every padding."""
    coarse = grid_of(patterns.optics, patterns.shape)
    pixel = np.array(coarse.pixel_angstrom)
    low, high = (np.array(corner) for corner in patterns.extent)
    centre = np.array([pixels // 2 for pixels in coarse.shape])
    origin = low - (centre + MARGIN_PIXELS) * pixel
    size = np.ceil((high - low) / pixel).astype(int) + np.array(coarse.shape) + 2 * MARGIN_PIXELS
    return Layout(
        grid_of(patterns.optics, patterns.shape, padding),
        (padding * int(size[0]), padding * int(size[1])),
        (float(origin[0]), float(origin[1])),
        padding,
    )


class Loader:
    """Hands out patterns as the forward model wants them: FFT order, padded, on the device.

    Parameters
    ----------
    patterns : Patterns
        Checked.
    layout : Layout
        With its padding.
    device : torch.device
        Where they go.
    dtype : torch.dtype
        Real.
    """

    def __init__(self, patterns: Patterns, layout: Layout, device: torch.device, dtype: torch.dtype) -> None:
        self.patterns, self.layout, self.device, self.dtype = patterns, layout, device, dtype
        good = np.ones(patterns.shape, dtype=np.float32)
        if patterns.good_pixels is not None:
            good = patterns.good_pixels.astype(np.float32)
        everywhere = bool(good.all()) and layout.padding == 1
        self.mask = None if everywhere else self._arranged(good[None])[0]

    def __call__(self, chosen: npt.NDArray[np.intp]) -> torch.Tensor:
        """Return (B, Y, X) electrons; what is not measured is 0 and masked."""
        return self._arranged(np.nan_to_num(self.patterns.electrons(chosen), nan=0.0))

    def _arranged(self, frames: npt.NDArray[np.float32]) -> torch.Tensor:
        tensor = torch.from_numpy(frames).to(device=self.device, dtype=self.dtype)
        height, width = self.layout.grid.shape
        if self.layout.padding > 1:
            rows, columns = tensor.shape[-2:]
            above, left = height // 2 - rows // 2, width // 2 - columns // 2
            tensor = torch.nn.functional.pad(
                tensor, (left, width - columns - left, above, height - rows - above), value=0.0
            )
        ordered: torch.Tensor = torch.fft.ifftshift(tensor, dim=(-2, -1))
        return ordered
