"""Plane means of displacements, with an uncertainty in which nothing is counted twice.

Three things are known about the error of a plane's mean, and they overlap:

1. the covariance of the fitted positions, carried through the linear map: what the noise of the pixels does, shared
   oxygens included;
2. the scatter of the columns within a plane and site: what anything does that differs from column to column, the noise
   of the pixels included;
3. the difference between the plane means of two images that share no slice, and of two reconstructions that share no
   pattern: what differs with depth, and what a reconstruction makes of other noise; that of the pixels included.

So they are not added. The first gives the shape of the covariance. The second gives its scale: chi-square of the
columns about their means, per degree of freedom, pooled over all planes, multiplies the first where it exceeds 1 (a
Birge ratio; Birge, Phys. Rev. 40, 207 (1932), doi 10.1103/PhysRev.40.207). The third adds only what it holds beyond the
first two, the larger of its two parts, as both hold the reconstruction's noise. A block bootstrap along each plane is
kept beside them as a witness that knows nothing of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from rutile_assets.errors import FitFailed
from rutile_assets.physics.displacement import Displacements

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BLOCK = 2  # neighbours share an oxygen, the next do not
RESAMPLES = 400
LEAST_FREEDOM = 8  # degrees of freedom below which the columns' scatter says nothing of its own


@dataclass(frozen=True)
class PlaneProfile:
    """Plane means of a displacement along one axis.

    Parameters
    ----------
    plane : ndarray of int
        (P,) counted outwards, rising.
    value_pm : ndarray
        (P,) mean of the means of sites A and B, so that it does not hang on how many of each the field holds [pm].
    covariance_pm2 : ndarray
        (P, P) all that is random [pm^2].
    columns_count : ndarray of int
        (P,) cations in the mean.
    site_value_pm : ndarray
        (P, 2) means of sites A and B; NaN where a plane has none [pm].
    site_covariance_pm2 : ndarray
        (2P, 2P) of A0, B0, A1, B1, ...; 0 where NaN [pm^2].
    scatter_ratio : float
        Chi-square of the columns about their means per degree of freedom, with the propagated covariance.
    scatter_freedom : int
        Its degrees of freedom.
    bootstrap_std_pm : ndarray
        (P,) standard error by block bootstrap along the plane, the witness; NaN below six columns [pm].
    depth_std_pm, data_std_pm : float
        What images of other depths, and what halves of the data say beyond noise and scatter; the larger is in the
        covariance [pm].
    """

    plane: IntArray
    value_pm: FloatArray
    covariance_pm2: FloatArray
    columns_count: IntArray
    site_value_pm: FloatArray
    site_covariance_pm2: FloatArray
    scatter_ratio: float
    scatter_freedom: int
    bootstrap_std_pm: FloatArray
    depth_std_pm: float = 0.0
    data_std_pm: float = 0.0

    @property
    def std_pm(self) -> FloatArray:
        """(P,) one sigma [pm]."""
        return np.sqrt(np.diag(self.covariance_pm2))

    @property
    def scale_freedom(self) -> float:
        """Degrees of freedom on which the scale of the covariance rests: infinite where the fit alone gives it."""
        return float(self.scatter_freedom) if self.scatter_ratio > 1.0 else np.inf

    def at(self, planes: IntArray) -> IntArray:
        """Return the places of some planes (N,); -1 where a plane is not in the profile."""
        where = {int(plane): place for place, plane in enumerate(self.plane)}
        return np.array([where.get(int(plane), -1) for plane in planes], dtype=np.int64)

    def part(self, places: IntArray) -> PlaneProfile:
        """Return the profile of some planes, by their places (N,)."""
        sites = (2 * places[:, None] + np.arange(2)).ravel()
        return replace(
            self,
            plane=self.plane[places],
            value_pm=self.value_pm[places],
            covariance_pm2=self.covariance_pm2[np.ix_(places, places)],
            columns_count=self.columns_count[places],
            site_value_pm=self.site_value_pm[places],
            site_covariance_pm2=self.site_covariance_pm2[np.ix_(sites, sites)],
            bootstrap_std_pm=self.bootstrap_std_pm[places],
        )


def plane_profile(
    moved: Displacements, rng: np.random.Generator, least_columns: int = 2, resamples: int = RESAMPLES
) -> PlaneProfile:
    """Return the plane means of displacements, their covariance scaled by the columns' own scatter.

    Parameters
    ----------
    moved : Displacements
        Of the cations.
    rng : Generator
        Of the bootstrap.
    least_columns : int
        Planes with fewer cations are left out.
    resamples : int
        Of the bootstrap; 0 leaves it out.

    Raises
    ------
    FitFailed
        No plane has enough cations, or the covariance is none.
    """
    planes, counts = np.unique(moved.plane, return_counts=True)
    planes, counts = planes[counts >= least_columns], counts[counts >= least_columns]
    if not len(planes):
        raise FitFailed(
            f"{len(moved.plane)} cations, in no plane {least_columns} of them",
            "planes along the image",
            "Take a wider field.",
        )
    group = 2 * np.searchsorted(planes, moved.plane) + np.where(moved.is_site_a, 0, 1)
    group = np.where(np.isin(moved.plane, planes), group, -1)
    to_sites = (np.arange(2 * len(planes))[:, None] == group).astype(np.float64)
    members = to_sites.sum(1)
    to_sites /= np.maximum(members, 1.0)[:, None]
    ratio, freedom = _scatter(moved, group)
    scaled = max(ratio, 1.0) * moved.covariance_pm2
    site_value = np.where(members > 0, to_sites @ moved.value_pm, np.nan).reshape(-1, 2)
    site_covariance = to_sites @ scaled @ to_sites.T
    both = _site_mean(members.reshape(-1, 2))
    return PlaneProfile(
        plane=planes.astype(np.int64),
        value_pm=both @ np.nan_to_num(site_value).ravel(),
        covariance_pm2=both @ site_covariance @ both.T,
        columns_count=counts.astype(np.int64),
        site_value_pm=site_value,
        site_covariance_pm2=site_covariance,
        scatter_ratio=ratio,
        scatter_freedom=freedom,
        bootstrap_std_pm=np.array([_bootstrap(moved, int(plane), rng, resamples) for plane in planes]),
    )


Pair = tuple[PlaneProfile, PlaneProfile]


def with_spread(
    profile: PlaneProfile, depths: Pair | None, data: Pair | None, calibrated_pm: float = 0.0
) -> PlaneProfile:
    """Return the profile with what pairs of images that share nothing say beyond noise and scatter.

    Half the difference of two plane means is the error of their mean. Its mean square over the planes, less what the
    covariances of the two explain, is a variance that each plane gets; of depths and data the larger one.

    Parameters
    ----------
    profile : PlaneProfile
        Of the whole image.
    depths, data : tuple of PlaneProfile or None
        Of its two parts in depth, and of two halves of the data.
    calibrated_pm : float
        What such images get wrong at known truth and none of these shows; it adds to the rest [pm].
    """
    by_depth, by_data = (0.0 if pair is None else _excess_pm2(*pair) for pair in (depths, data))
    excess = max(by_depth, by_data) + calibrated_pm**2
    return replace(
        profile,
        covariance_pm2=profile.covariance_pm2 + excess * np.eye(len(profile.plane)),
        site_covariance_pm2=profile.site_covariance_pm2 + excess * np.kron(np.eye(len(profile.plane)), np.ones((2, 2))),
        depth_std_pm=float(np.sqrt(by_depth)),
        data_std_pm=float(np.sqrt(by_data)),
    )


def _excess_pm2(first: PlaneProfile, second: PlaneProfile) -> float:
    common = np.array(sorted(set(first.plane.tolist()) & set(second.plane.tolist())), dtype=np.int64)
    if len(common) < 2:
        return 0.0
    one, other = first.part(first.at(common)), second.part(second.at(common))
    half_squared = (one.value_pm - other.value_pm) ** 2 / 4.0
    explained = np.diag(one.covariance_pm2 + other.covariance_pm2) / 4.0
    return max(0.0, float(np.mean(half_squared - explained)))


def _site_mean(members: FloatArray) -> FloatArray:
    """(P, 2P) mean of the site means that a plane has, from how many cations each site has (P, 2)."""
    has = (members > 0).astype(np.float64)
    weights = has / has.sum(1, keepdims=True)
    made = np.zeros((len(members), 2 * len(members)))
    for place, pair in enumerate(weights):
        made[place, 2 * place : 2 * place + 2] = pair
    return made


def _scatter(moved: Displacements, group: IntArray) -> tuple[float, int]:
    """Return chi-square per degree of freedom of the columns about the means of their plane and site."""
    used = np.flatnonzero(group >= 0)
    names, place = np.unique(group[used], return_inverse=True)
    freedom = len(used) - len(names)
    if freedom < LEAST_FREEDOM:
        return 1.0, 0
    try:
        lower, _ = cho_factor(moved.covariance_pm2[np.ix_(used, used)], lower=True)
    except np.linalg.LinAlgError as fault:
        raise FitFailed(
            "a covariance of displacements that is not positive", "one of independent columns", "Look at the fit."
        ) from fault
    design = (place[:, None] == np.arange(len(names))).astype(np.float64)
    white = solve_triangular(lower, np.column_stack([moved.value_pm[used], design]), lower=True)
    least = np.linalg.lstsq(white[:, 1:], white[:, 0], rcond=None)[0]
    left = white[:, 0] - white[:, 1:] @ least
    return float(left @ left) / freedom, freedom


def _bootstrap(moved: Displacements, plane: int, rng: np.random.Generator, resamples: int) -> float:
    """Return the standard error of a plane's mean by circular block bootstrap [pm]; NaN below six columns."""
    inside = np.flatnonzero(moved.plane == plane)
    inside = inside[np.argsort(moved.row[inside])]
    count = len(inside)
    if count < 3 * BLOCK or resamples == 0:
        return np.nan
    starts = rng.integers(0, count, size=(resamples, -(-count // BLOCK)))
    drawn = inside[((starts[:, :, None] + np.arange(BLOCK)) % count).reshape(resamples, -1)[:, :count]]
    values, at_a = moved.value_pm[drawn], moved.is_site_a[drawn]
    with np.errstate(invalid="ignore"):
        means = [np.where(s.any(1), (values * s).sum(1) / np.maximum(s.sum(1), 1), np.nan) for s in (at_a, ~at_a)]
    one, other = means
    both = np.where(np.isnan(one), other, np.where(np.isnan(other), one, 0.5 * (one + other)))
    return float(both.std(ddof=1) / np.sqrt(1.0 - BLOCK / count))


def chi_square(values: FloatArray, covariance: FloatArray) -> float:
    """Return values^T covariance^-1 values, for values (N,) and their covariance (N, N) in one unit squared."""
    return float(values @ cho_solve(cho_factor(covariance, lower=True), values))
