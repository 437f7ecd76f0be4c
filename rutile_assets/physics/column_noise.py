"""Noise of an image of columns: of single pixels, and at the spatial frequencies that tell where columns stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d

from rutile_assets.physics.column_model import PER_COLUMN, Picture, image_of, normal_equations
from rutile_assets.physics.column_solver import Solved, slabs

FloatArray = npt.NDArray[np.float64]

PROBE_SEED = 0


def noise_std(values: FloatArray, valid: npt.NDArray[np.bool_] | None = None) -> float:
    """Return the standard deviation of white noise in an image (Y, X), from fourth differences in both directions.

    Their median, so that what few pixels do is not counted; columns wider than about one and a half pixels have no
    fourth differences to speak of.
    """
    kernel = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
    differences = convolve1d(convolve1d(values, kernel, axis=0), kernel, axis=1)[2:-2, 2:-2]
    if valid is not None and not valid.all():
        whole = convolve1d(convolve1d((~valid).astype(float), np.ones(5), axis=0), np.ones(5), axis=1)[2:-2, 2:-2] == 0
        differences = differences[whole]
    if differences.size == 0:
        return float("nan")
    return float(np.median(np.abs(differences)) / 0.6745 / (kernel @ kernel))


def noise_gain(solved: Solved, picture: Picture, residual_std: float) -> tuple[float, float, float]:
    """Return the residual's power in the bands that tell rows, columns and heights over that of white noise.

    For heights the band is that of both, since the background takes the lowest frequencies.

    A fit takes power out of just these bands, so the residual is measured against that of white noise fitted in the
    same way, by the linearised fit.
    """
    if residual_std <= 0.0:
        return 1.0, 1.0, 1.0
    core = float(np.median(solved.model.shapes.core_angstrom)) / picture.pixel_angstrom
    ky, kx = np.meshgrid(*(np.fft.fftfreq(n) for n in picture.values.shape), indexing="ij")
    band = np.exp(-4.0 * np.pi**2 * core**2 * (ky**2 + kx**2))
    bands = [band * ky**2, band * kx**2, band * (ky**2 + kx**2)]
    noise = np.random.default_rng(PROBE_SEED).normal(0.0, residual_std, picture.values.shape)
    rest = _fitted_away(solved, picture, np.where(picture.valid, noise, 0.0))
    powers = [np.abs(np.fft.fft2(image)) ** 2 / (image**2).sum() for image in (solved.normal.residual, rest)]
    found = [float((weight * powers[0]).sum() / (weight * powers[1]).sum()) for weight in bands]
    return found[0], found[1], found[2]


def _fitted_away(solved: Solved, picture: Picture, noise: FloatArray) -> FloatArray:
    """Return what the linearised fit leaves of an image of noise (Y, X)."""
    model, order = solved.model, solved.order
    shown = image_of(model, picture)
    probed = replace(picture, values=shown + noise)
    _, sizes = slabs(model)
    normal = normal_equations(model, probed, order, sizes)
    upper, lower = solved.system.solve(normal.right[:, None], normal.right_corner[:, None])
    step = np.empty((len(order), PER_COLUMN))
    step[order] = upper.reshape(-1, PER_COLUMN)
    tried = model.moved(step, lower[:, 0])
    return np.where(picture.valid, noise - (image_of(tried, picture) - shown), 0.0)
