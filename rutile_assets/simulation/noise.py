"""Random numbers of a campaign: one independent stream for each film and technique, and correlated fields."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return the random generator of a film and a technique.

    It depends on the seed and the names alone, so that a film looks the same whatever other films there are.

    Examples
    --------
    >>> float(generator(0, "SIM-F035", "afm").random()) == float(generator(0, "SIM-F035", "afm").random())
    True
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], dtype="<u4").tolist()])


def gaussian_field(shape: tuple[int, int], correlation_px: float, rng: np.random.Generator) -> FloatArray:
    """Return a stationary Gaussian random field with mean 0 and standard deviation 1 over the ensemble.

    Its autocorrelation is exp(-r^2 / correlation_px^2). It is cut from a larger periodic field, so that opposite
    edges are independent and the mean of one map is not exactly 0.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    correlation_px : float
        Distance at which the autocorrelation has fallen to 1/e [pixels]; 0 gives white noise.
    rng : Generator
        Where the numbers come from.

    Returns
    -------
    ndarray
        (Y, X).
    """
    if correlation_px <= 0:
        return rng.standard_normal(shape)
    margin = int(np.ceil(4.0 * correlation_px))
    rows, columns = shape[0] + margin, shape[1] + margin
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    # a Gaussian kernel of sigma L/2 makes an autocorrelation of sigma L/sqrt(2), that is exp(-r^2/L^2)
    transfer = np.exp(-0.5 * (np.pi * correlation_px) ** 2 * (fx**2 + fy**2))
    full = np.exp(-((np.pi * correlation_px) ** 2) * (np.fft.fftfreq(columns)[None, :] ** 2 + fy**2))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((rows, columns))) * transfer, s=(rows, columns))
    cut: FloatArray = field[: shape[0], : shape[1]] / np.sqrt(full.mean())
    return cut
