"""Terraces of a vicinal surface: found only where the image shows a regular staircase of known step height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import fft2
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SMOOTHINGS_PX = (1.5, 3.0, 6.0, 12.0)
FEWEST_STEPS = 2.5  # steps across the image; fewer cannot be told from waviness
PADDING = 4
RING = 2.0  # half width of the ring of spatial frequencies that a peak is compared with [steps across the image]
CLEAR_PEAK = 40.0  # peak over the mean power of its ring; 1 of 360 images without steps still passed
COHERENT = 0.12  # of the phases at the peak
HEIGHT_TOLERANCE = 0.25  # by which the fitted step may differ from the crystal's
SMALLEST_LEVEL = 0.03  # part of the image that counts as a level
DETAIL_PX = 256
# steps along the lines: at most and at least so many across the image, and the peak over its ring
ALONG_X, ALONG_Y, ALONG_PEAK = 0.4, 5.0, 15.0


@dataclass(frozen=True)
class Terraces:
    """A staircase found in an image.

    Parameters
    ----------
    height_nm : float
        Step height that the multi-plane fit finds [nm].
    steps : float
        Number of steps across the image, along the steepest descent.
    coherence : float
        |mean of exp(2 pi i (z - terrace plane) / h)| of the smoothed image; 1 for ideal terraces.
    level : ndarray of int
        (Y, X) index of each pixel's terrace, rising with height.
    inside : ndarray of bool
        (Y, X) pixels far enough from every step.
    residual : ndarray
        (Y, X) height above the pixel's own terrace [nm]; meaningful where `inside`.
    """

    height_nm: float
    steps: float
    coherence: float
    level: IntArray
    inside: BoolArray
    residual: FloatArray

    @property
    def fraction(self) -> float:
        """Part of the image that lies inside terraces."""
        return float(self.inside.mean())

    @property
    def sq_nm(self) -> float:
        """Root mean square height above the pixels' own terraces [nm]."""
        return float(np.sqrt(np.mean(self.residual[self.inside] ** 2)))


def find_terraces(heights_nm: FloatArray, step_nm: float) -> Terraces | None:
    """Return the staircase in a levelled image, or None where there is no good evidence of one.

    The smoothed heights are wrapped on a circle of circumference `step_nm`; terraces of one inclination make a sharp
    peak in the Fourier transform of exp(2 pi i z / step), which gives the terrace plane. Pixels are then assigned to
    terraces and z = a + b x + c y + d x^2 + e y^2 + h level is fitted inside them: the fitted h must agree with
    `step_nm`. A surface without steps has no such peak, however wavy it is.

    Parameters
    ----------
    heights_nm : ndarray
        (Y, X) lines aligned and plane removed, no NaN [nm].
    step_nm : float
        Step height of the crystal face [nm].

    Returns
    -------
    Terraces or None
        None where fewer than 2.5 steps cross the image, the peak is weak, or the fitted step is not the crystal's.
    """
    candidates = [_candidate(heights_nm, step_nm, smoothing) for smoothing in SMOOTHINGS_PX]
    clear = [c for c in candidates if c.contrast > CLEAR_PEAK and c.coherence > COHERENT]
    return _assigned(heights_nm, step_nm, max(clear, key=lambda c: c.coherence)) if clear else None


def steps_along_lines(heights_nm: FloatArray, step_nm: float) -> bool:
    """Tell whether steps seem to run along the lines of a levelled image (Y, X) [nm].

    Less is asked than for a claim of terraces, for the alignment of the lines has eaten part of these.
    """
    found = _candidate(heights_nm, step_nm, SMOOTHINGS_PX[1])
    return abs(found.turns_x) < ALONG_X and abs(found.turns_y) >= ALONG_Y and found.contrast > ALONG_PEAK


@dataclass(frozen=True)
class _Candidate:
    """A terrace plane: phase turns per image along y and x, and how clearly it stands out."""

    smoothing: float
    smooth: FloatArray
    turns_y: float
    turns_x: float
    phase: float
    coherence: float
    contrast: float


def _candidate(heights: FloatArray, step: float, smoothing: float) -> _Candidate:
    smooth = gaussian_filter(heights, smoothing)
    every = max(1, min(heights.shape) // DETAIL_PX)
    phasor = np.exp(2j * np.pi * smooth[::every, ::every] / step)
    rows, columns = phasor.shape
    spectrum = fft2(phasor, (PADDING * rows, PADDING * columns)) / phasor.size
    turns_y = np.fft.fftfreq(PADDING * rows) * rows
    turns_x = np.fft.fftfreq(PADDING * columns) * columns
    radius = np.hypot(turns_y[:, None], turns_x[None, :])
    power = np.where(radius >= FEWEST_STEPS, np.abs(spectrum) ** 2, 0.0)
    i, j = np.unravel_index(int(power.argmax()), power.shape)
    away = np.hypot(turns_y[:, None] - turns_y[i], turns_x[None, :] - turns_x[j]) > RING
    ring = (np.abs(radius - radius[i, j]) < RING) & (radius >= FEWEST_STEPS) & away
    contrast = float(power[i, j] / power[ring].mean()) if ring.any() else 0.0
    phase = float(np.angle(spectrum[i, j]))
    coherence = float(np.sqrt(power[i, j]))
    return _Candidate(smoothing, smooth, float(turns_y[i]), float(turns_x[j]), phase, coherence, contrast)


def _assigned(heights: FloatArray, step: float, found: _Candidate) -> Terraces | None:
    rows, columns = heights.shape
    y, x = np.arange(rows)[:, None] / rows, np.arange(columns)[None, :] / columns
    turns = found.smooth / step - found.turns_y * y - found.turns_x * x - found.phase / (2.0 * np.pi)
    level = np.round(turns).astype(np.int64)
    size = 2 * int(np.ceil(found.smoothing)) + 1
    inside = maximum_filter(level, size) == minimum_filter(level, size)
    counts = np.unique(level[inside], return_counts=True)[1]
    if (counts > SMALLEST_LEVEL * level.size).sum() < 2:
        return None
    basis = np.stack(np.broadcast_arrays(np.ones_like(heights), y, x, y**2, x**2, level), axis=-1)
    parts = np.linalg.lstsq(basis[inside], heights[inside], rcond=None)[0]
    height = float(parts[-1])
    if abs(height / step - 1.0) > HEIGHT_TOLERANCE:
        return None
    steps = float(np.hypot(found.turns_y, found.turns_x))
    return Terraces(height, steps, found.coherence, level - level.min(), inside, heights - basis @ parts)
