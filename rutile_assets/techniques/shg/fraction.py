"""The part of the channel ss in the second harmonic: no model of it, and nothing from the dipole of mm2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rutile_assets.physics.second_harmonic import CHANNELS, channel_angles
from rutile_assets.techniques.shg.harmonics import azimuth_harmonics
from rutile_assets.techniques.shg.likelihood import ShgPoints
from rutile_assets.techniques.shg.model import in_channel

HIGHEST = 8


@dataclass(frozen=True)
class SsFraction:
    """Mean over the azimuth of ss over the sum of the four channels' means.

    Parameters
    ----------
    value, std : float
        The part and one sigma of counting; it may be negative by noise.
    background_shift : float
        How far one sigma of the dark counts moves it.
    """

    value: float
    std: float
    background_shift: float


def ss_fraction(points: ShgPoints, background_counts_std: float) -> SsFraction:
    """Return the part of ss.

    Parameters
    ----------
    points : ShgPoints
        (N,) points with all four channels.
    background_counts_std : float
        One sigma of the dark counts of a point, the same in all channels [counts].

    Raises
    ------
    FitFailed
        The azimuths do not go all around.
    """
    means, variances, lifts = np.zeros(4), np.zeros(4), np.zeros(4)
    for place, channel in enumerate(CHANNELS):
        here = in_channel(points, *channel_angles(channel))
        azimuths = points.azimuth_deg[here]
        highest = min(HIGHEST, (len(np.unique(np.round(np.mod(azimuths, 360.0), 3))) - 2) // 2)
        found = azimuth_harmonics(
            azimuths, points.counts[here], highest, points.exposure[here], points.background_counts[here]
        )
        means[place], variances[place] = found.coefficients[0], found.covariance[0, 0]
        lifts[place] = np.mean(1.0 / points.exposure[here])
    total = means.sum()
    value = float(means[3] / total)
    gradient = (np.array([0.0, 0.0, 0.0, 1.0]) - value) / total
    shift = float(-background_counts_std * (gradient @ lifts))
    return SsFraction(value, float(np.sqrt(gradient**2 @ variances)), shift)
