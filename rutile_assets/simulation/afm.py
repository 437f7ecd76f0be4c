"""Topography of a vicinal rutile (110) surface as a microscope draws it: steps, roughness, the scanner's errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from rutile_assets.errors import InvalidRecord
from rutile_assets.simulation.noise import gaussian_field
from rutile_assets.simulation.realism import Realism
from rutile_assets.simulation.truth import D110_TIO2_NM
from rutile_assets.simulation.writers.scan import Image

FloatArray = npt.NDArray[np.float64]

OVERSAMPLING = 4  # the surface is computed on a grid this much finer than the image's
ROUGHNESS_NM = 18.0  # correlation length of the roughness on the terraces; chosen
MEANDER_NM = 250.0  # correlation length of the steps' meandering; chosen
TIP_NM = 4.0  # sigma of the tip's averaging; chosen


@dataclass(frozen=True)
class AfmSetup:
    """An image.

    Parameters
    ----------
    pixels : int
        On a side.
    size_nm : float
        Of a side [nm].
    meander : float
        Standard deviation of a step edge about its straight line, in units of the terraces' width.
    """

    pixels: int = 256
    size_nm: float = 2000.0
    meander: float = 0.12


def surface(setup: AfmSetup, sq_pm: float, realism: Realism, rng: np.random.Generator) -> FloatArray:
    """Return the true heights of a surface of steps and terraces.

    One-step terraces (0.3248 nm high, as wide as the miscut says) with meandering edges, plus correlated roughness;
    both seen through the tip. `sq_pm` is the film's: an image is a sample of it, whose own root mean square height
    about the least-squares plane scatters by what its area holds.

    Parameters
    ----------
    setup : AfmSetup
        Size and pixels.
    sq_pm : float
        Root mean square height, steps included [pm].
    realism : Realism
        The miscut.
    rng : Generator
        Where the numbers come from.

    Returns
    -------
    ndarray
        (Y, X) heights about the least-squares plane [nm].

    Raises
    ------
    InvalidRecord
        The steps alone are rougher than `sq_pm`.
    """
    steps = plane_removed(_fine(setup, _staircase(setup, realism.miscut_deg, rng)))
    pixel = setup.size_nm / setup.pixels
    rough = _fine(setup, gaussian_field((setup.pixels * OVERSAMPLING,) * 2, ROUGHNESS_NM / pixel * OVERSAMPLING, rng))
    # what tip and pixel leave of the variance of a field with autocorrelation exp(-r^2/L^2)
    left = ROUGHNESS_NM**2 / (ROUGHNESS_NM**2 + 4.0 * (TIP_NM**2 + pixel**2 / 12.0))
    missing = (sq_pm * 1e-3) ** 2 - float(np.mean(steps**2))
    if missing < 0:
        raise InvalidRecord(
            f"steps of {steps.std() * 1e3:.0f} pm rms alone",
            f"at most the surface's {sq_pm:g} pm",
            "Simulate a rougher film.",
        )
    return plane_removed(steps + np.sqrt(missing / left) * rough)


def _staircase(setup: AfmSetup, miscut_deg: float, rng: np.random.Generator) -> FloatArray:
    fine = setup.pixels * OVERSAMPLING
    position = (np.arange(fine) + 0.5) * setup.size_nm / fine
    direction = rng.uniform(0.0, 2.0 * np.pi)
    along = np.cos(direction) * position[None, :] + np.sin(direction) * position[:, None]
    if miscut_deg <= 0:
        return np.zeros((fine, fine))
    width = D110_TIO2_NM / np.tan(np.radians(miscut_deg))
    meander = setup.meander * width * gaussian_field((fine, fine), MEANDER_NM / setup.size_nm * fine, rng)
    heights: FloatArray = D110_TIO2_NM * np.floor((along + meander) / width + rng.uniform())
    return heights


def _fine(setup: AfmSetup, heights: FloatArray) -> FloatArray:
    """Average over the tip, then over each pixel."""
    blurred = gaussian_filter(heights, TIP_NM / setup.size_nm * setup.pixels * OVERSAMPLING, mode="nearest")
    cells = blurred.reshape(setup.pixels, OVERSAMPLING, setup.pixels, OVERSAMPLING)
    return np.asarray(cells.mean(axis=(1, 3)))


def plane_removed(heights: FloatArray) -> FloatArray:
    """Return heights about their least-squares plane, same shape and unit."""
    y, x = (np.linspace(-1.0, 1.0, n) for n in heights.shape)
    slope_x = (heights * x[None, :]).sum() / (heights.shape[0] * (x**2).sum())
    slope_y = (heights * y[:, None]).sum() / (heights.shape[1] * (y**2).sum())
    flat: FloatArray = heights - heights.mean() - slope_x * x[None, :] - slope_y * y[:, None]
    return flat


def scanned(heights_nm: FloatArray, realism: Realism, rng: np.random.Generator) -> FloatArray:
    """Return heights as the microscope records them, row 0 at the top and measured first.

    Parameters
    ----------
    heights_nm : ndarray
        (Y, X) true heights [nm].
    realism : Realism
        Tilt, bow, drift, line jumps, tip change, noise.
    rng : Generator
        Where the numbers come from.

    Returns
    -------
    ndarray
        (Y, X) [nm].
    """
    rows, columns = heights_nm.shape
    y, x = np.linspace(-1.0, 1.0, rows)[:, None], np.linspace(-1.0, 1.0, columns)[None, :]
    (tilt_x, tilt_y), (bow_x, bow_y) = rng.normal(size=2), rng.normal(size=2)
    walk: FloatArray = np.cumsum(rng.normal(size=(rows, 1)), axis=0) / np.sqrt(rows)
    lines, pixels = rng.normal(size=(rows, 1)), rng.normal(size=(rows, columns))
    changes, when, jump = float(rng.uniform()), float(rng.uniform(0.2, 0.8)), float(rng.normal())
    image = heights_nm.copy()
    if changes < realism.tip_change_probability:
        after = int(when * rows)
        image[after:] = gaussian_filter(image, 0.7, mode="nearest")[after:] + 0.3 * jump
    image += 0.5 * realism.tilt_nm * (tilt_x * x + tilt_y * y)
    image += realism.bow_nm * (bow_x * x**2 + bow_y * y**2)
    image += realism.drift_nm * walk + realism.line_jump_nm * lines
    return image + realism.height_noise_nm * pixels


def simulate_afm(setup: AfmSetup, sq_pm: float, realism: Realism, rng: np.random.Generator) -> tuple[Image, ...]:
    """Return the channels of an image: height, and the amplitude error that follows the slope."""
    height = scanned(surface(setup, sq_pm, realism, rng), realism, rng)
    error = 0.02 * np.gradient(height, axis=1) + 1e-4 * rng.normal(size=height.shape)
    return Image("Height", height, "nm"), Image("Amplitude", error, "V")
