"""Azimuth harmonics of an intensity: least squares on any grid of angles, with the covariance of the counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]

LEAST_COUNTS = 0.5


@dataclass(frozen=True)
class Harmonics:
    """I(phi) = a_0 + sum_n a_n cos(n phi) + b_n sin(n phi).

    Parameters
    ----------
    coefficients : ndarray
        (2 H + 1,) a_0, a_1, b_1, a_2, b_2, ... in the unit of the intensity.
    covariance : ndarray
        (2 H + 1, 2 H + 1).
    residual_std : float
        Standard deviation of the residuals, of as many degrees of freedom as there are.
    """

    coefficients: FloatArray
    covariance: FloatArray
    residual_std: float

    @property
    def highest(self) -> int:
        """The highest order H."""
        return len(self.coefficients) // 2

    @property
    def cosines(self) -> FloatArray:
        """(H + 1,) a_0, a_1, ..., a_H."""
        return np.concatenate([self.coefficients[:1], self.coefficients[1::2]])

    @property
    def sines(self) -> FloatArray:
        """(H + 1,) 0, b_1, ..., b_H."""
        return np.concatenate([[0.0], self.coefficients[2::2]])

    @property
    def std(self) -> FloatArray:
        """(H + 1, 2) one sigma of a_n and b_n; b_0 has 0."""
        sigma = np.sqrt(np.diag(self.covariance))
        return np.column_stack(
            [np.concatenate([sigma[:1], sigma[1::2]]), np.concatenate([[0.0], sigma[2::2]])],
        )

    @property
    def amplitudes(self) -> FloatArray:
        """(H + 1,) sqrt(a_n^2 + b_n^2); it is never below 0 and so too large on the average (Rice)."""
        return np.hypot(self.cosines, self.sines)

    @property
    def amplitudes_std(self) -> FloatArray:
        """(H + 1,) one sigma of the amplitudes to first order; the mean of both where the amplitude is 0."""
        sigma = np.zeros(self.highest + 1)
        sigma[0] = np.sqrt(self.covariance[0, 0])
        for n in range(1, self.highest + 1):
            block = self.covariance[2 * n - 1 : 2 * n + 1, 2 * n - 1 : 2 * n + 1]
            pair = self.coefficients[2 * n - 1 : 2 * n + 1]
            size = float(np.hypot(*pair))
            sigma[n] = np.sqrt(pair @ block @ pair) / size if size > 0 else np.sqrt(0.5 * np.trace(block))
        return sigma

    @property
    def squares(self) -> FloatArray:
        """(H + 1,) a_n^2 + b_n^2 less the variances: unbiased, and negative now and then."""
        return np.asarray(self.amplitudes**2 - np.sum(self.std**2, axis=1))


def azimuth_harmonics(
    azimuth_deg: FloatArray,
    intensity: FloatArray,
    highest: int,
    exposure: FloatArray | None = None,
    background_counts: FloatArray | None = None,
) -> Harmonics:
    """Return the harmonics of an intensity.

    Ordinary least squares, unbiased whatever the noise. Counts have the variance of their own fit; an intensity in any
    other unit has the variance of its residuals. Angles may repeat (0 and 360 deg) and be unevenly spaced.

    Parameters
    ----------
    azimuth_deg : ndarray
        (N,) azimuths [deg].
    intensity : ndarray
        (N,) counts, or an intensity in a unit of its own where `exposure` is None.
    highest : int
        Highest order H.
    exposure, background_counts : ndarray, optional
        (N,) for counts: relative exposure and expected counts without light [counts].

    Raises
    ------
    FitFailed
        The angles cannot tell so many harmonics apart.
    """
    phi = np.radians(azimuth_deg)
    waves = [np.ones_like(phi)]
    for n in range(1, highest + 1):
        waves += [np.cos(n * phi), np.sin(n * phi)]
    design = np.column_stack(waves)
    spare = len(phi) - design.shape[1]
    if spare < 1 or np.linalg.cond(design) > 30.0:
        raise FitFailed(
            f"{len(phi)} azimuths over {np.ptp(azimuth_deg):.0f} deg",
            f"angles all around, more than {design.shape[1]}",
            "Measure the whole turn, or ask for fewer harmonics.",
        )
    scale = np.ones_like(phi) if exposure is None else exposure
    dark = np.zeros_like(phi) if background_counts is None else background_counts
    net = (intensity - dark) / scale
    solve = np.linalg.pinv(design)
    coefficients = solve @ net
    smooth = design @ coefficients
    residual = float(np.sqrt(np.sum((net - smooth) ** 2) / spare))
    if exposure is None:
        variance = np.full(len(phi), residual**2)
    else:
        variance = np.maximum(scale * smooth + dark, LEAST_COUNTS) / scale**2
    return Harmonics(coefficients, (solve * variance) @ solve.T, residual)
