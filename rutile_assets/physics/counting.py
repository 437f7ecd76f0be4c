"""Counting statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def deviance_residual(counts: FloatArray, expected: FloatArray) -> FloatArray:
    """Return the signed square root of the Poisson deviance; its sum of squares is least at the likelihood's maximum.

    Parameters
    ----------
    counts, expected : ndarray
        (..., Q) measured counts and their positive expectations [counts]; shapes broadcast.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_part = np.where(counts > 0, counts * np.log(counts / expected), 0.0)
    deviance = np.maximum(2.0 * (expected - counts + log_part), 0.0)
    return np.asarray(np.sign(counts - expected) * np.sqrt(deviance))
