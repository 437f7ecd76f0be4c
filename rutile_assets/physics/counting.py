"""Counting statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

NEARLY_EQUAL = 1e-4  # below this relative difference the deviance is the difference of almost equal numbers


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
    x = (counts - expected) / expected
    series = np.sqrt(expected) * x * (1.0 - x / 6.0 + 5.0 * x**2 / 72.0)
    return np.asarray(np.where(np.abs(x) < NEARLY_EQUAL, series, np.sign(x) * np.sqrt(deviance)))


def deviance_slope(counts: FloatArray, expected: FloatArray) -> FloatArray:
    """Return the derivative of `deviance_residual` by the expectation; -1 / sqrt(expected) where the two agree.

    Parameters
    ----------
    counts, expected : ndarray
        (..., Q) measured counts and their positive expectations [counts].
    """
    x = (counts - expected) / expected
    near = np.abs(x) < NEARLY_EQUAL
    residual = deviance_residual(counts, expected)
    agreeing = -1.0 / (np.sqrt(expected) * (1.0 - x / 6.0 + 5.0 * x**2 / 72.0))
    return np.asarray(np.where(near, agreeing, -x / np.where(near, 1.0, residual)))


def poisson_information(slopes: FloatArray, expected: FloatArray) -> FloatArray:
    """Return the information of independent Poisson counts, (n, n): right at few counts, unlike that of residuals.

    Parameters
    ----------
    slopes : ndarray
        (Q, n) derivatives of the expectations by the parameters.
    expected : ndarray
        (Q,) positive expectations [counts].
    """
    return np.asarray((slopes / expected[:, None]).T @ slopes)


def inverse(information: FloatArray) -> FloatArray:
    """Return the pseudo-inverse of an information matrix, scaled first so that units do not cut it off.

    Parameters
    ----------
    information : ndarray
        (N, N) symmetric; the result has the same shape.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    return np.asarray(np.linalg.pinv(information * np.outer(scale, scale)) * np.outer(scale, scale))
