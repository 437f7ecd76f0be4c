"""Whether the tip changed while an image was taken: from one line on everything is smoother, or sharper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

GENTLE = 0.8  # part of a line's steps from pixel to pixel, the smaller ones: terrace edges and dirt stay out
EDGE = 0.08  # part of the image at each end in which no change is looked for
FEWEST_LINES = 48
CLEAR_SIGMAS = 5.5
LEAST_CHANGE = 0.06  # of the logarithm of the lines' sharpness


@dataclass(frozen=True)
class TipChange:
    """A change of sharpness.

    Parameters
    ----------
    line : int
        First line after it.
    sharper : slice
        The lines before or after it, whichever are sharper.
    loss : float
        Relative loss of the mean step from pixel to pixel on the other lines.
    sigmas : float
        How clearly it stands out.
    """

    line: int
    sharper: slice
    loss: float
    sigmas: float


def tip_change(height_nm: FloatArray) -> TipChange | None:
    """Return where the sharpness of the lines changed, or None where no change stands out.

    Sharpness is the logarithm of the mean absolute step from pixel to pixel along a line, which no offset, drift or bow
    touches. The most likely single change is looked for; its error is that of means of correlated lines (Bartlett's
    estimate of the power at zero frequency). A surface that is not alike everywhere looks the same.

    Parameters
    ----------
    height_nm : ndarray
        (Y, X) heights as measured, lines along X [nm].
    """
    lines, pixels = height_nm.shape
    if lines < FEWEST_LINES:
        return None
    steps = np.sort(np.abs(np.diff(height_nm, axis=1)), axis=1)[:, : max(int(GENTLE * (pixels - 1)), 1)].mean(axis=1)
    if steps.min() <= 0.0:
        return None
    sharpness = np.log(steps)
    first = max(int(EDGE * lines), 8)
    before = np.arange(first, lines - first)
    total = np.cumsum(sharpness)
    jump = (total[-1] - total[before - 1]) / (lines - before) - total[before - 1] / before
    weight = before * (lines - before) / lines
    best = int(np.argmax(jump**2 * weight))
    line, change = int(before[best]), float(jump[best])
    rest = sharpness - np.where(
        np.arange(lines) < line, total[line - 1] / line, (total[-1] - total[line - 1]) / (lines - line)
    )
    sigmas = abs(change) * float(np.sqrt(weight[best] / _at_zero(rest)))
    if sigmas < CLEAR_SIGMAS or abs(change) < LEAST_CHANGE:
        return None
    sharper = slice(line, lines) if change > 0 else slice(0, line)
    return TipChange(line, sharper, 1.0 - float(np.exp(-abs(change))), sigmas)


def _at_zero(series: FloatArray) -> float:
    """Return the power at zero frequency of a series (N,) without a mean, its memory at most an eighth of it."""
    count = len(series)
    lags = np.arange(1, max(count // 8, 2))
    covariances = np.array([series[lag:] @ series[:-lag] for lag in lags]) / count
    white = float(series @ series) / count
    return max(white + 2.0 * float(np.sum((1.0 - lags / (lags[-1] + 1)) * covariances)), white)
