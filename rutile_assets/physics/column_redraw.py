"""A fitted image drawn again with no displacement in it: what the fit makes of nothing, at the image's own noise.

The control shares the film's geometry, heights, widths, background and noise, and not the fit's model: pixels are
averages over their area and the tails have wings that no Gaussian has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rutile_assets.physics.column_fit import ColumnFit
from rutile_assets.physics.displacement import Octahedra

FloatArray = npt.NDArray[np.float64]

FINER = 3  # samples along each side of a pixel
WINGS = 3.0  # exponent of the redrawn tail (1 + r^2 / 2 p tau^2)^-p: Gaussian's curvature, a power law's wings
REACH_IN_TAILS = 5.0


def without_displacement(positions_angstrom: FloatArray, found: Octahedra) -> FloatArray:
    """Return positions with every cation on the mean of its four oxygens.

    Parameters
    ----------
    positions_angstrom : ndarray
        (C, 2) [angstrom].
    found : Octahedra
        The cations that have four; others stay.
    """
    centred = positions_angstrom.copy()
    centred[found.cation] = positions_angstrom[found.oxygen].mean(1)
    return centred


def redraw(
    fit: ColumnFit, pixel_angstrom: float, positions_angstrom: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the fitted image with its columns at other places, in noise with the spectrum of the fit's residual.

    Parameters
    ----------
    fit : ColumnFit
        C columns in an image of (Y, X) pixels.
    pixel_angstrom : float
        [angstrom].
    positions_angstrom : ndarray
        (C, 2) where the columns are drawn [angstrom].
    rng : Generator
        Of the noise.

    Returns
    -------
    ndarray
        (Y, X) in the image's unit.
    """
    image = fit.image_model.copy()
    for i, name in enumerate(fit.species):
        shape = fit.shapes[name]
        reach = REACH_IN_TAILS * shape[1] / pixel_angstrom
        low = np.floor(np.minimum(fit.positions_angstrom[i], positions_angstrom[i]) / pixel_angstrom - reach)
        high = np.ceil(np.maximum(fit.positions_angstrom[i], positions_angstrom[i]) / pixel_angstrom + reach)
        rows, cols = (slice(max(int(low[k]), 0), min(int(high[k]) + 1, image.shape[k])) for k in range(2))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            continue
        image[rows, cols] += fit.amplitude[i] * (
            _pixel_means(positions_angstrom[i], rows, cols, pixel_angstrom, shape)
            - _fitted(fit.positions_angstrom[i], rows, cols, pixel_angstrom, shape)
        )
    return image + surrogate(fit.residual, rng)


def surrogate(residual: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return noise (Y, X) with the power spectrum of a residual [1] and random phases.

    Theiler et al., Physica D 58, 77 (1992), doi 10.1016/0167-2789(92)90102-S.

    Parameters
    ----------
    residual : ndarray
        (Y, X) image less model, in any unit.
    rng : Generator
        Of the phases.
    """
    white = np.fft.rfft2(rng.standard_normal(residual.shape))
    size = np.abs(white)
    power = np.abs(np.fft.rfft2(residual))
    power[0, 0] = 0.0
    return np.asarray(np.fft.irfft2(white / np.where(size > 0, size, 1.0) * power, s=residual.shape))


def _fitted(at: FloatArray, rows: slice, cols: slice, pixel: float, shape: tuple[float, ...]) -> FloatArray:
    """Return a column of height 1 as the fit models it."""
    core, tail, share, along, across = shape
    y = np.arange(rows.start, rows.stop)[:, None] * pixel - at[0]
    x = np.arange(cols.start, cols.stop) * pixel - at[1]
    squared = y**2 + x**2
    ellipse = 1.0 + (0.5 * along * (y**2 - x**2) + across * y * x) / core**2
    narrow = ellipse * np.exp(-0.5 * squared / core**2)
    return np.asarray((1.0 - share) * narrow + share * np.exp(-0.5 * squared / tail**2))


def _pixel_means(at: FloatArray, rows: slice, cols: slice, pixel: float, shape: tuple[float, ...]) -> FloatArray:
    """Return a column of height 1 as it is drawn: an elliptic Gaussian and winged tails, averaged over each pixel."""
    core, tail, share, along, across = shape
    within = (np.arange(FINER) - (FINER - 1) / 2.0) / FINER
    y = ((np.arange(rows.start, rows.stop)[:, None] + within) * pixel - at[0]).ravel()[:, None]
    x = ((np.arange(cols.start, cols.stop)[:, None] + within) * pixel - at[1]).ravel()
    yy, yx, xx = np.linalg.inv(core**2 * np.array([[1.0 + along, across], [across, 1.0 - along]])).ravel()[[0, 1, 3]]
    fine = (1.0 - share) * np.exp(-0.5 * (yy * y**2 + 2.0 * yx * y * x + xx * x**2))
    fine = fine + share * (1.0 + 0.5 * (y**2 + x**2) / (WINGS * tail**2)) ** -WINGS
    cells = (rows.stop - rows.start, FINER, cols.stop - cols.start, FINER)
    return np.asarray(fine.reshape(cells).mean((1, 3)))
