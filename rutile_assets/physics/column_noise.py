"""Noise of an image of columns: of pixels, at the frequencies that tell where columns stand, and of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.ndimage import convolve1d

from rutile_assets.physics.column_model import PER_COLUMN, Picture, image_of, line_sides, right_sides
from rutile_assets.physics.column_solver import Solved

FloatArray = npt.NDArray[np.float64]

PROBE_SEED = 0
PROBES = 6  # images of offset lines, in each direction that shows some: how much of an offset a fit leaves
PROBE_ANGSTROM = 0.01  # standard deviation of the lines' offsets that a jitter is measured against
SURE = 4.0  # standard errors from which on lines are said to jitter
LINES_AT_LEAST = 24
SMALLEST_RESPONSE = 1e-4


@dataclass(frozen=True)
class Noise:
    """What is left of an image after the fit.

    Parameters
    ----------
    white_std : float
        Standard deviation of the noise of pixels, over the degrees of freedom, without what jitter of lines leaves.
    gain : tuple of float
        Its power at the frequencies that tell rows, columns and heights over that of white noise of the same variance.
    line_jitter_angstrom : tuple of float
        Standard deviation of the lines' offsets along rows' and columns' direction, 0 where none is seen [angstrom].
    """

    white_std: float
    gain: tuple[float, float, float]
    line_jitter_angstrom: tuple[float, float]


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


def measure_noise(solved: Solved, picture: Picture, *, is_scanned: bool = True) -> Noise:
    """Measure the noise by what it leaves; lines jitter only where an image was scanned line by line.

    A fit takes power out of just the frequencies that tell positions, so the residual is compared with white noise, and
    with lines of random offsets, that were fitted in the same way by the linearised fit.
    """
    rng = np.random.default_rng(PROBE_SEED)
    variance = solved.normal.sum_of_squares / solved.freedom
    if variance <= 0.0:
        return Noise(0.0, (1.0, 1.0, 1.0), (0.0, 0.0))
    shown = image_of(solved.model, picture)
    slopes = np.stack([np.gradient(shown, picture.pixel_angstrom, axis=a) for a in range(2)]) * picture.valid
    white = rng.normal(0.0, np.sqrt(variance), shown.shape) * picture.valid
    residual = solved.normal.residual
    (rest,) = _fitted_away(solved, picture, shown, white[None])
    core = float(np.median(solved.model.shapes.core_angstrom)) / picture.pixel_angstrom
    sure = _jittering(residual, slopes) if is_scanned and len(shown) >= LINES_AT_LEAST else np.zeros(2, dtype=bool)
    if not sure.any():
        powers = _band_powers([residual, rest], core)
        y, x = (powers[0] / powers[1]).tolist()
        return Noise(float(np.sqrt(variance)), (y, x, 0.5 * (y + x)), (0.0, 0.0))
    jitter, left = np.zeros(2), float((residual**2).sum())
    taken = np.zeros(2)
    for axis in np.flatnonzero(sure):
        offsets = PROBE_ANGSTROM * rng.standard_normal((PROBES, len(shown), 1))
        moved = _fitted_away(solved, picture, shown, offsets * slopes[axis])
        agreeing = np.mean([_agreement(image, slopes)[axis].sum() for image in moved])
        share = max(float(_agreement(residual, slopes)[axis].sum() / agreeing), 0.0)
        jitter[axis] = PROBE_ANGSTROM * np.sqrt(share)
        left -= share * float((moved**2).sum()) / PROBES
        taken += share * _band_powers([image - _line_image(image, slopes) for image in moved], core).mean(axis=0)
    white_share = max(left, 0.0) / float((rest**2).sum())
    powers = _band_powers([image - _line_image(image, slopes) for image in (residual, rest)], core)
    y, x = (np.maximum(powers[0] - taken, 0.1 * powers[0]) / (white_share * powers[1])).tolist()
    return Noise(float(np.sqrt(variance * white_share)), (y, x, 0.5 * (y + x)), (float(jitter[0]), float(jitter[1])))


def _band_powers(images: Sequence[FloatArray], core_px: float) -> FloatArray:
    """Return the power (N, 2) of images at the frequencies that tell positions along rows' and columns' direction.

    Heights are told at both; the background takes the lowest frequencies.
    """
    ky, kx = np.meshgrid(*(np.fft.fftfreq(n) for n in images[0].shape), indexing="ij")
    band = np.exp(-4.0 * np.pi**2 * core_px**2 * (ky**2 + kx**2))
    powers = [np.abs(np.fft.fft2(image)) ** 2 for image in images]
    return np.array([[(band * k**2 * power).sum() for k in (ky, kx)] for power in powers])


def _line_offsets(image: FloatArray, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return offsets (2, Y) of lines that explain an image best, and the sums of squared slopes (2, Y) [angstrom]."""
    normal = np.einsum("ayx,byx->yab", slopes, slopes)
    right = np.einsum("ayx,yx->ya", slopes, image)
    weight = np.einsum("yaa->ay", normal)
    normal = normal + (1e-9 * float(normal.max()) + 1e-300) * np.eye(2)
    return np.linalg.solve(normal, right[:, :, None])[:, :, 0].T, weight


def _line_image(image: FloatArray, slopes: FloatArray) -> FloatArray:
    offsets, _ = _line_offsets(image, slopes)
    return np.asarray((offsets[:, :, None] * slopes).sum(axis=0))


def _jittering(residual: FloatArray, slopes: FloatArray) -> npt.NDArray[np.bool_]:
    """Return in which directions (2,) lines are offset.

    Offsets read in the left and in the right half of a line agree where the line is offset, and not where noise, of
    whatever colour, makes them.
    """
    agreeing = _agreement(residual, slopes)
    return np.asarray(agreeing.sum(axis=1) > SURE * np.sqrt((agreeing**2).sum(axis=1)))


def _agreement(image: FloatArray, slopes: FloatArray) -> FloatArray:
    """Return products (2, Y) of the offsets that both halves of each line tell, weighted by what tells them."""
    middle = image.shape[1] // 2
    left, left_weight = _line_offsets(image[:, :middle], slopes[:, :, :middle])
    right, right_weight = _line_offsets(image[:, middle:], slopes[:, :, middle:])
    return np.asarray(np.sqrt(left_weight * right_weight) * left * right)


def line_responses(solved: Solved, picture: Picture) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return how offsets of each line along rows' and columns' direction move row and column of each position.

    Two (2 C, Y), dimensionless: the linearised fit of one line's offset at a time.
    """
    shown = image_of(solved.model, picture)
    both = []
    for axis in range(2):
        slope = np.gradient(shown, picture.pixel_angstrom, axis=axis) * picture.valid
        right = line_sides(solved.model, picture, solved.order, slope)
        upper, _ = solved.system.solve(right, np.zeros((len(solved.system.schur), len(shown))))
        response = np.empty((len(solved.order), PER_COLUMN, len(shown)))
        response[solved.order] = upper.reshape(-1, PER_COLUMN, len(shown))
        moved = response[:, :2].reshape(-1, len(shown))
        both.append(sparse.csr_array(np.where(np.abs(moved) > SMALLEST_RESPONSE, moved, 0.0)))
    return both[0], both[1]


def _fitted_away(solved: Solved, picture: Picture, shown: FloatArray, noise: FloatArray) -> FloatArray:
    """Return what the linearised fit leaves of images of noise (N, Y, X) upon the model's image `shown`."""
    model, order = solved.model, solved.order
    upper, lower = solved.system.solve(*right_sides(model, picture, order, noise))
    steps = np.empty((len(order), PER_COLUMN, len(noise)))
    steps[order] = upper.reshape(-1, PER_COLUMN, len(noise))
    moved = [image_of(model.moved(steps[:, :, i], lower[:, i]), picture) for i in range(len(noise))]
    return np.where(picture.valid, noise - (np.stack(moved) - shown), 0.0)
