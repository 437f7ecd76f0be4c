"""Is a profile of plane means more than its null? Chi-square with covariances, interfaces' means, antisymmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from rutile_assets.errors import FitFailed
from rutile_assets.physics.plane_profile import PlaneProfile, chi_square

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_PAIRS = 3
MIDPLANE_REACH = 2.0  # planes by which the midplane may lie off the middle of the interfaces
PROVES_NOTHING = (
    "Antisymmetry alone proves no polarity: tails of the stronger Ru columns shift the oxygens beside an interface with"
    " opposite signs at the two, so that a stack without any displacement looks mirrored as well; only the null tells."
)


@dataclass(frozen=True)
class NullProfile:
    """What the same pipeline gives where nothing is displaced.

    Parameters
    ----------
    plane : ndarray of int
        (P,) rising.
    value_pm : ndarray
        (P,) mean over replicates [pm].
    covariance_pm2 : ndarray
        (P, P) of that mean [pm^2].
    replicates : int
        How many.
    """

    plane: IntArray
    value_pm: FloatArray
    covariance_pm2: FloatArray
    replicates: int

    @property
    def std_pm(self) -> FloatArray:
        """(P,) one sigma of the mean [pm]."""
        return np.sqrt(np.diag(self.covariance_pm2))


def null_profile(replicates: Sequence[PlaneProfile]) -> NullProfile:
    """Return the mean of replicated null profiles and its covariance.

    The shape of the covariance is that which each replicate states of itself; its scale is the replicates' scatter
    about their mean where that is larger (pooled over planes, as few replicates know no covariance of their own).

    Parameters
    ----------
    replicates : sequence of PlaneProfile
        R profiles; planes that all of them have are used.

    Raises
    ------
    FitFailed
        No replicate, or no plane that all have.
    """
    planes = sorted(set.intersection(*(set(r.plane.tolist()) for r in replicates))) if replicates else []
    if not planes:
        raise FitFailed(f"{len(replicates)} null profiles", "one at least, with planes in common", "Run the null.")
    plane = np.array(planes, dtype=np.int64)
    common = [replicate.part(replicate.at(plane)) for replicate in replicates]
    values = np.stack([c.value_pm for c in common])
    stated = np.mean([c.covariance_pm2 for c in common], axis=0)
    mean, count = values.mean(0), len(values)
    scale = 1.0
    if count > 1:
        scale = max(1.0, sum(chi_square(v - mean, stated) for v in values) / (len(plane) * (count - 1)))
    return NullProfile(plane, mean, scale * stated / count, count)


@dataclass(frozen=True)
class NullTest:
    """A profile against zero or against its null.

    Parameters
    ----------
    chi_square : float
        With the covariance of the difference.
    planes : int
        Planes compared.
    probability : float
        Of at least this chi-square where there is no displacement; F where the covariance's scale rests on the
        columns' scatter.
    """

    chi_square: float
    planes: int
    probability: float


def null_test(profile: PlaneProfile, null: NullProfile | None = None) -> NullTest:
    r"""Test plane means against zero, or against a null profile with its own covariance.

    :math:`\chi^2 = (m - n)^T (V_m + V_n)^{-1} (m - n)`. Where V_m was scaled by the scatter of the columns with nu
    degrees of freedom, chi-square over P planes follows F(P, nu), else chi-square's own distribution.

    Parameters
    ----------
    profile : PlaneProfile
        Measured.
    null : NullProfile, optional
        Zero, exactly, where there is none.

    Raises
    ------
    FitFailed
        No plane in common.
    """
    if null is None:
        difference, covariance = profile.value_pm, profile.covariance_pm2
    else:
        difference, covariance, _ = subtracted(profile, null)
    statistic, planes = chi_square(difference, covariance), len(difference)
    freedom = profile.scale_freedom
    if np.isfinite(freedom):
        probability = float(stats.f.sf(statistic / planes, planes, freedom))
    else:
        probability = float(stats.chi2.sf(statistic, planes))
    return NullTest(statistic, planes, probability)


def subtracted(profile: PlaneProfile, null: NullProfile) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return measured minus null (N,) [pm], its covariance (N, N) [pm^2], and the places of its planes in the profile.

    Raises
    ------
    FitFailed
        No plane in common.
    """
    plane = np.array(sorted(set(profile.plane.tolist()) & set(null.plane.tolist())), dtype=np.int64)
    if not len(plane):
        raise FitFailed("a null of other planes", "planes in common with the film's", "Align the null's planes.")
    places = profile.at(plane)
    there = np.searchsorted(null.plane, plane)
    covariance = profile.covariance_pm2[np.ix_(places, places)] + null.covariance_pm2[np.ix_(there, there)]
    return profile.value_pm[places] - null.value_pm[there], covariance, places


@dataclass(frozen=True)
class InterfaceMeans:
    """Mean displacement of the two planes that adjoin each interface, and what the interfaces share.

    Parameters
    ----------
    value_pm : ndarray
        (I + 1,) of each interface, bottom first, + towards vacuum; last their mean, + from TiO2 into RuO2 [pm].
    covariance_pm2 : ndarray
        (I + 1, I + 1) [pm^2].
    """

    value_pm: FloatArray
    covariance_pm2: FloatArray


def interface_means(
    plane: IntArray, value_pm: FloatArray, covariance_pm2: FloatArray, below: Sequence[int], into_ruo2: Sequence[int]
) -> InterfaceMeans | None:
    """Return the mean of the two planes at each interface; None where a profile lacks them.

    The largest of many noisy plane means is too large, and more so the less there is to see. Which planes adjoin an
    interface is told by the amplitudes of the cations and not by their displacements, so this linear combination is
    unbiased, and nought where the truth is.

    Parameters
    ----------
    plane, value_pm, covariance_pm2 : ndarray
        (P,), (P,) [pm] and (P, P) [pm^2].
    below : sequence of int
        The plane under each interface.
    into_ruo2 : sequence of int
        +1 where RuO2 lies above the interface, -1 where it lies below.
    """
    where = {int(p): place for place, p in enumerate(plane)}
    lines = []
    signs = []
    for under, sign in zip(below, into_ruo2, strict=True):
        if under in where and under + 1 in where:
            line = np.zeros(len(plane))
            line[[where[under], where[under + 1]]] = 0.5
            lines.append(line)
            signs.append(sign)
    if not lines or len(lines) < len(below):
        return None
    each = np.stack(lines)
    linear = np.vstack([each, np.asarray(signs, dtype=np.float64) @ each / len(each)])
    return InterfaceMeans(linear @ value_pm, linear @ covariance_pm2 @ linear.T)


@dataclass(frozen=True)
class Antisymmetry:
    """How mirror-signed a profile is.

    Parameters
    ----------
    midplane : float
        Plane about which it is most nearly odd.
    pairs : int
        Pairs of planes at equal distances from it.
    chi_square_odd, chi_square_even : float
        Of the odd and of the even part with their covariances; `pairs` each where nothing is displaced.
    sentence : str
        What that says, and that it proves nothing alone.
    """

    midplane: float
    pairs: int
    chi_square_odd: float
    chi_square_even: float
    sentence: str


def antisymmetry(profile: PlaneProfile, middle: float) -> Antisymmetry | None:
    """Split a profile into parts odd and even about a midplane, fitted near the interfaces' middle.

    Every midplane on a plane or between two, within two planes of the middle, is tried with the same number of pairs;
    the one with the smallest even part is kept.

    Parameters
    ----------
    profile : PlaneProfile
        Plane means.
    middle : float
        Middle of the two interfaces, in planes.

    Returns
    -------
    Antisymmetry or None
        None where fewer than three pairs fit around each candidate.
    """
    candidates = np.round(2.0 * middle) / 2.0 + np.arange(-MIDPLANE_REACH, MIDPLANE_REACH + 0.25, 0.5)
    mirrored = {float(m): _pairs(profile.plane, float(m)) for m in candidates}
    pairs = min(len(found) for found in mirrored.values())
    if pairs < LEAST_PAIRS:
        return None
    parts = {m: _odd_even(profile, found[:pairs]) for m, found in mirrored.items()}
    midplane = min(parts, key=lambda m: parts[m][1])
    odd, even = parts[midplane]
    probability = float(stats.chi2.sf(even, pairs))
    sentence = (
        f"About plane {midplane:g}, chi-square of the odd part is {odd:.1f} and of the even part {even:.1f} for {pairs}"
        f" pairs of planes (probability of the even part {probability:.2g}). {PROVES_NOTHING}"
    )
    return Antisymmetry(midplane, pairs, odd, even, sentence)


def _pairs(plane: IntArray, midplane: float) -> list[tuple[int, int]]:
    """Return places (above, below) of mirrored planes, the nearest pair first."""
    where = {int(p): place for place, p in enumerate(plane)}
    first = 0.5 if midplane % 1.0 else 1.0
    found = []
    for distance in np.arange(first, len(plane) + 1.0):
        above, below = where.get(round(midplane + distance)), where.get(round(midplane - distance))
        if above is not None and below is not None:
            found.append((above, below))
    return found


def _odd_even(profile: PlaneProfile, pairs: list[tuple[int, int]]) -> tuple[float, float]:
    answers = []
    for sign in (-1.0, 1.0):
        linear = np.zeros((len(pairs), len(profile.plane)))
        for line, (above, below) in enumerate(pairs):
            linear[line, above], linear[line, below] = 0.5, 0.5 * sign
        answers.append(chi_square(linear @ profile.value_pm, linear @ profile.covariance_pm2 @ linear.T))
    return answers[0], answers[1]
