"""The bright-field disc of a mean pattern: its centre and radius, from its edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.optimize import least_squares

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]

AZIMUTHS = 96
SECTORS = 24
FEW_SECTORS = 1.0 + 2.0 / (2.0 * SECTORS / 3.0 - 2.0)  # variance of Student's t: the sectors that hold a centre are few
REACH = 0.09  # of the radius, on either side of the edge
LEAST_REACH = 3.0  # pixels
NARROWEST_REACH = 1.5  # pixels that the detector must reach beyond the edge
STEP = 0.25  # pixels along a radius
ROUNDS = 4
SMALLEST = 4.0  # pixels
SOFT = 0.3  # pixels beyond which an edge counts less


@dataclass(frozen=True)
class Disc:
    """The bright-field disc.

    Parameters
    ----------
    row, column : float
        Its centre [pixels].
    radius : float
        [pixels].
    covariance : ndarray
        (3, 3) of row, column, radius [pixels^2].
    """

    row: float
    column: float
    radius: float
    covariance: FloatArray

    @property
    def radius_std(self) -> float:
        """One sigma of the radius [pixels]."""
        return float(np.sqrt(self.covariance[2, 2]))

    def distances(self, shape: tuple[int, int]) -> FloatArray:
        """Return (Y, X) the distance of each detector pixel from the centre [pixels]."""
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        return np.asarray(np.hypot(rows - self.row, columns - self.column))


def fit_disc(mean_pattern: FloatArray) -> Disc:
    """Fit a circle to the edge of the bright-field disc.

    Along each of 96 radii the edge is the centroid of the fall of the intensity near the last circle, linear in the
    counts so that noise does not move it. The circle goes through the edges by least squares with a soft loss, as
    neighbouring discs of a crystal shift some of them. The error is a jackknife over 24 sectors: what makes edges
    scatter reaches over many radii.

    Parameters
    ----------
    mean_pattern : ndarray
        (Y, X) mean of all patterns, any unit.

    Raises
    ------
    FitFailed
        No disc: smaller than 4 pixels, cut by the detector's edge, or no brighter than its surroundings.
    """
    start = _rough(mean_pattern)
    place = start
    for _ in range(ROUNDS):
        edges, azimuths = _edges(mean_pattern, place)
        place = _circle(edges, azimuths, place)
    if not np.hypot(*(place[:2] - start[:2])) < 0.5 * start[2] or not 0.5 < place[2] / start[2] < 2.0:
        raise _no_disc(f"an edge that leads away from the disc (radius {start[2]:.1f} to {place[2]:.1f} pixels)")
    sector = np.arange(AZIMUTHS) * SECTORS // AZIMUTHS
    left = np.array([_circle(edges[sector != s], azimuths[sector != s], place) for s in range(SECTORS)])
    away = left - left.mean(axis=0)
    covariance = (SECTORS - 1) / SECTORS * FEW_SECTORS * away.T @ away
    return Disc(float(place[0]), float(place[1]), float(place[2]), covariance)


def _rough(pattern: FloatArray) -> FloatArray:
    """Return row, column and radius of the region above half of the bright level."""
    if min(pattern.shape) < 2 * SMALLEST or not np.isfinite(pattern).all() or not np.ptp(pattern) > 0:
        raise _no_disc("a pattern without structure")
    bright = np.sort(pattern, axis=None)[::-1]
    level = float(np.median(bright[: max(4, pattern.size // 50)]))
    above = pattern > 0.3 * level + 0.7 * float(np.median(bright[-pattern.size // 4 :]))
    rows, columns = np.nonzero(above)
    radius = float(np.sqrt(above.sum() / np.pi))
    if radius < SMALLEST or above.sum() > 0.7 * pattern.size:
        raise _no_disc(f"a bright region of {int(above.sum())} pixels")
    return np.array([np.median(rows), np.median(columns), radius], dtype=np.float64)


def _edges(pattern: FloatArray, place: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the radius of the edge along each azimuth, about the centre (A), and the azimuths (A)."""
    azimuths = 2.0 * np.pi * (np.arange(AZIMUTHS) + 0.5) / AZIMUTHS
    room = min(*place[:2], *(np.array(pattern.shape) - 1.0 - place[:2])) - place[2]
    reach = min(max(LEAST_REACH, REACH * place[2]), room)
    if reach < NARROWEST_REACH:
        raise _no_disc(f"a disc of {place[2]:.1f} pixels that the detector's edge cuts")
    radii = place[2] + np.linspace(-reach, reach, 2 * round(reach / STEP) + 1)
    rows = place[0] + radii[None, :] * np.sin(azimuths)[:, None]
    columns = place[1] + radii[None, :] * np.cos(azimuths)[:, None]
    profiles = map_coordinates(pattern, [rows, columns], order=1)
    falls = -np.diff(profiles, axis=1)
    weight = falls.sum(axis=1)
    if not (weight > 0).all():
        raise _no_disc("radii along which nothing falls")
    middle = 0.5 * (radii[:-1] + radii[1:])
    return (falls @ middle) / weight, azimuths


def _circle(edges: FloatArray, azimuths: FloatArray, place: FloatArray) -> FloatArray:
    """Return the circle (row, column, radius) through edges that were seen from an older centre."""
    rows, columns = place[0] + edges * np.sin(azimuths), place[1] + edges * np.cos(azimuths)

    def misses(at: FloatArray) -> FloatArray:
        return np.asarray(np.hypot(rows - at[0], columns - at[1]) - at[2])

    found = least_squares(misses, place, loss="soft_l1", f_scale=SOFT)
    return np.asarray(found.x, dtype=np.float64)


def _no_disc(found: str) -> FitFailed:
    return FitFailed(found, "a bright-field disc inside the detector", "Check centring, camera length and the file.")
