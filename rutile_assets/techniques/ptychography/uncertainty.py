"""What a reconstruction is worth: halves of the data against each other, and the spread over resampled positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.recipes import Recipe
from rutile_assets.techniques.ptychography.solver import Reconstruction, reconstruct

FloatArray = npt.NDArray[np.float64]

HALF_BIT = 0.5
TAPER = 0.25  # of the field's width that is faded out


@dataclass(frozen=True)
class ShellCorrelation:
    """Correlation of two independent reconstructions by spatial frequency.

    Parameters
    ----------
    k_per_angstrom : ndarray
        (R,) centres of the rings or shells [1/angstrom].
    correlation : ndarray
        (R,) real part, -1 to 1.
    threshold : ndarray
        (R,) half-bit curve, doi 10.1016/j.jsb.2005.05.009.
    resolution_angstrom : float
        1/k where the correlation first falls below the curve; NaN where it never does.
    """

    k_per_angstrom: FloatArray
    correlation: FloatArray
    threshold: FloatArray
    resolution_angstrom: float


@dataclass(frozen=True)
class Bootstrap:
    """Spread of the potential over resampled positions.

    Parameters
    ----------
    mean_rad, std_rad : ndarray
        (S, H, W) over the resamplings [rad].
    samples : int
        How many.
    """

    mean_rad: npt.NDArray[np.float32]
    std_rad: npt.NDArray[np.float32]
    samples: int


def half_data(
    patterns: Patterns, recipe: Recipe, scan_shape: tuple[int, int], **how: Any
) -> tuple[Reconstruction, Reconstruction]:
    """Reconstruct the two colours of the scan's checkerboard, each without the other.

    Parameters
    ----------
    patterns : Patterns
        In scan order, slow axis first.
    recipe : Recipe
        With fixed iteration counts (`fixed_length`), so that both halves are treated alike.
    scan_shape : tuple of int
        Slow, fast.
    how
        Passed on to `reconstruct`.
    """
    rows, columns = np.divmod(np.arange(len(patterns.positions_angstrom)), scan_shape[1])
    colour = (rows + columns) % 2
    first, second = (reconstruct(patterns.taken(np.flatnonzero(colour == c)), recipe, **how) for c in (0, 1))
    return first, second


def fixed_length(recipe: Recipe, reconstruction: Reconstruction) -> Recipe:
    """Return the recipe that repeats a reconstruction's length: nothing withheld, stages as long as they were kept."""
    stages = tuple(
        replace(stage, iterations=best + 1, patience=0)
        for stage, best in zip(recipe.stages, reconstruction.best_iterations, strict=True)
    )
    return replace(recipe, stages=stages, withheld_fraction=0.0)


def ring_correlation(first: FloatArray, second: FloatArray, pixel_angstrom: tuple[float, ...]) -> ShellCorrelation:
    """Correlate two images (ring) or two stacks (shell).

    Parameters
    ----------
    first, second : ndarray
        (H, W) or (S, H, W), the same field of view; only the scanned part.
    pixel_angstrom : tuple of float
        Sampling along each axis [angstrom].

    Returns
    -------
    ShellCorrelation
        ``Re sum F1 F2* / sqrt(sum |F1|^2 sum |F2|^2)`` over rings of one lateral frequency step; means are taken out
        and lateral edges faded.
    """
    images = [np.fft.fftn((image - image.mean()) * _fade(image.shape)) for image in (first, second)]
    grids = np.meshgrid(
        *(np.fft.fftfreq(n, d) for n, d in zip(first.shape, pixel_angstrom, strict=True)), indexing="ij"
    )
    k = np.sqrt(np.sum(np.square(grids), axis=0))
    step = 1.0 / (min(first.shape[-2:]) * pixel_angstrom[-1])
    ring = np.round(k / step).astype(int).ravel()
    last = int(0.5 / pixel_angstrom[-1] / step)

    def per_ring(values: npt.NDArray[Any]) -> FloatArray:
        return np.asarray(np.bincount(ring, values.ravel())[1 : last + 1], dtype=float)

    power = per_ring(np.abs(images[0]) ** 2) * per_ring(np.abs(images[1]) ** 2)
    correlation = per_ring((images[0] * images[1].conj()).real) / np.sqrt(np.maximum(power, 1e-300))
    independent = np.maximum(per_ring(np.ones(first.shape)) / 2.0 * float(np.mean(_fade(first.shape) ** 2)), 1.0)
    root = 1.0 / np.sqrt(independent)
    threshold = (0.2071 + 1.9102 * root) / (1.2071 + 0.9102 * root)
    centres = step * np.arange(1, last + 1)
    below = np.flatnonzero(correlation < np.minimum(threshold, 1.0))
    resolution = float(1.0 / centres[below[0]]) if len(below) else float("nan")
    return ShellCorrelation(centres, correlation, threshold, resolution)


def _fade(shape: tuple[int, ...]) -> FloatArray:
    """Return the window that fades the last two axes by half cosines."""
    sides = []
    for length in shape[-2:]:
        edge = np.minimum(np.arange(length) + 0.5, np.arange(length)[::-1] + 0.5) / max(TAPER * length, 1.0)
        sides.append(0.5 - 0.5 * np.cos(np.pi * np.minimum(edge, 1.0)))
    return np.asarray(np.broadcast_to(sides[0][:, None] * sides[1][None, :], shape), dtype=float)


def bootstrap(
    patterns: Patterns,
    recipe: Recipe,
    samples: int = 8,
    seed: int = 0,
    told: Callable[[int], None] | None = None,
    **how: Any,
) -> Bootstrap:
    """Reconstruct resampled scans: N positions drawn from N with replacement, each with its pattern.

    Parameters
    ----------
    patterns : Patterns
        The whole scan.
    recipe : Recipe
        With fixed iteration counts (`fixed_length`): a withheld pattern could come twice and be fitted too.
    samples : int
        At least 2; the spread's own relative error is ``1 / sqrt(2 (samples - 1))``.
    seed : int
        Of the draws.
    told : callable, optional
        Called with the number of samples done.
    how
        Passed on to `reconstruct`.

    Notes
    -----
    Some places are lit by fewer patterns in a resampled scan, so the spread is somewhat wider than that of new data.
    """
    rng = np.random.default_rng([seed, len(patterns.positions_angstrom)])
    count = len(patterns.positions_angstrom)
    mean = square = np.zeros(0)
    for sample in range(samples):
        drawn = np.sort(rng.integers(0, count, count))
        potential = reconstruct(patterns.taken(drawn), recipe, **how).potential_rad.astype(float)
        if sample == 0:
            mean, square = np.zeros_like(potential), np.zeros_like(potential)
        change = potential - mean
        mean = mean + change / (sample + 1)
        square = square + change * (potential - mean)
        if told is not None:
            told(sample + 1)
    std = np.sqrt(square / max(samples - 1, 1))
    return Bootstrap(mean.astype(np.float32), std.astype(np.float32), samples)
