"""Columns one by one, for comparison: a Gaussian within a disc about each, or its centre of mass.

Both are biased where neighbours differ: the tails of a strong column lie under its weak neighbour and drag it. At an
interface of TiO2 and RuO2 this looks like a polar displacement that changes sign from one interface to the other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

DISC_ANGSTROM = 0.5  # two fifths of the distance of the closest columns of rutile along [001]
ROUNDS, GAUSS_STEPS = 3, 24


def centres_of_mass(
    image: FloatArray, pixel_angstrom: float, start_angstrom: FloatArray, *, disc_angstrom: float = DISC_ANGSTROM
) -> FloatArray:
    """Return centres of mass over the lowest value of discs (C, 2) that follow their column [angstrom].

    Parameters
    ----------
    image : ndarray
        (Y, X), columns bright.
    pixel_angstrom, disc_angstrom : float
        Pixel, and radius of the disc [angstrom].
    start_angstrom : ndarray
        (C, 2) [angstrom].
    """
    places = np.array(start_angstrom, dtype=np.float64)
    for _ in range(ROUNDS):
        away, values, inside = _discs(image, pixel_angstrom, places, disc_angstrom)
        low = np.where(inside, values, np.inf).min(axis=1, keepdims=True)
        low = np.where(np.isfinite(low), low, 0.0)
        weight = np.where(inside, values - low, 0.0)
        places = places + np.einsum("cp,cpa->ca", weight, away) / np.maximum(weight.sum(axis=1), 1e-300)[:, None]
    return places


def fit_columns_locally(
    image: FloatArray, pixel_angstrom: float, start_angstrom: FloatArray, *, disc_angstrom: float = DISC_ANGSTROM
) -> FloatArray:
    """Return positions (C, 2) of a round Gaussian and a constant fitted to each disc by itself [angstrom].

    Parameters
    ----------
    image, pixel_angstrom, start_angstrom, disc_angstrom
        As for `centres_of_mass`.
    """
    places = np.array(start_angstrom, dtype=np.float64)
    for _ in range(ROUNDS):
        places = _gaussians(image, pixel_angstrom, places, disc_angstrom)
    return places


def _gaussians(image: FloatArray, pixel_angstrom: float, start: FloatArray, disc_angstrom: float) -> FloatArray:
    away, values, inside = _discs(image, pixel_angstrom, start, disc_angstrom)
    low, high = np.where(inside, values, np.inf).min(axis=1), np.where(inside, values, -np.inf).max(axis=1)
    low, high = np.where(inside.any(axis=1), [low, high], 0.0)
    zero = np.zeros(len(start))
    found = np.stack([zero, zero, high - low, np.full(len(start), 0.55 * disc_angstrom), low], axis=1)
    brake = np.full(len(start), 1e-3)
    cost = np.full(len(start), np.inf)
    kept = found.copy()
    for _ in range(GAUSS_STEPS):
        dy, dx = (away[:, :, i] - found[:, i, None] for i in range(2))
        height, width = found[:, 2, None], found[:, 3, None]
        bell = np.exp(-(dy**2 + dx**2) / (2.0 * width**2))
        rest = np.where(inside, values - height * bell - found[:, 4, None], 0.0)
        now = (rest**2).sum(axis=1)
        better = now < cost
        brake = np.where(better, 0.2 * brake, 10.0 * brake)
        kept, cost = np.where(better[:, None], found, kept), np.where(better, now, cost)
        slope = height * bell / width**2
        jacobian = np.stack([slope * dy, slope * dx, bell, slope * (dy**2 + dx**2) / width, np.ones_like(bell)], axis=2)
        jacobian *= inside[:, :, None]
        normal = np.einsum("cpa,cpb->cab", jacobian, jacobian)
        normal += (np.clip(brake, 1e-9, 1e9)[:, None] * np.einsum("caa->ca", normal) + 1e-12)[:, :, None] * np.eye(5)
        step = np.linalg.solve(normal, np.einsum("cpa,cp->ca", jacobian, rest)[:, :, None])[:, :, 0]
        found = np.where(better[:, None], found + step, kept + 0.3 * step)
        found[:, :2] = np.clip(found[:, :2], -0.8 * disc_angstrom, 0.8 * disc_angstrom)
        found[:, 3] = np.clip(found[:, 3], 0.2 * disc_angstrom, 3.0 * disc_angstrom)
    return np.asarray(start + kept[:, :2])


def _discs(
    image: FloatArray, pixel_angstrom: float, places: FloatArray, disc_angstrom: float
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return pixels about each place: offsets from it (C, P, 2) [angstrom], values (C, P), whether in the disc."""
    reach = int(np.ceil(disc_angstrom / pixel_angstrom)) + 1
    offsets = np.stack(np.meshgrid(*2 * (np.arange(-reach, reach + 1),), indexing="ij"), axis=-1).reshape(-1, 2)
    pixels = np.round(places / pixel_angstrom).astype(np.intp)[:, None] + offsets
    within = ((pixels >= 0) & (pixels < np.array(image.shape))).all(axis=2)
    clipped = np.clip(pixels, 0, np.array(image.shape) - 1)
    away = pixels * pixel_angstrom - places[:, None]
    inside = within & (np.hypot(away[:, :, 0], away[:, :, 1]) <= disc_angstrom)
    return away, image[clipped[:, :, 0], clipped[:, :, 1]], inside
