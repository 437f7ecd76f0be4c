"""Which planes are Ti and which are Ru, where they meet, and how thick the film between is, from cation amplitudes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_RATIO = 1.2  # Ru over Ti is 1.59 where amplitudes go as Z^0.67, 3.2 as Z^1.7
LEAST_CONTRAST = 4.0  # standard deviations within the groups by which their means differ at least
ROUNDING = 1.0 / np.sqrt(12.0)  # standard deviation of what is rounded to a whole plane


@dataclass(frozen=True)
class PlaneAmplitudes:
    """Mean amplitude of the cations of each plane.

    Parameters
    ----------
    plane : ndarray of int
        (P,) counted outwards, rising.
    value, std : ndarray
        (P,) mean and standard error, in the amplitude's unit; the error is pooled, as few columns know none.
    """

    plane: IntArray
    value: FloatArray
    std: FloatArray


def plane_amplitudes(plane: IntArray, amplitude: FloatArray, least_columns: int = 2) -> PlaneAmplitudes:
    """Return plane means of cation amplitudes.

    Parameters
    ----------
    plane, amplitude : ndarray
        (K,) of each cation; the amplitude in any unit [1].
    least_columns : int
        Planes with fewer cations are left out.

    Raises
    ------
    FitFailed
        No plane is left.
    """
    names, place, counts = np.unique(plane, return_inverse=True, return_counts=True)
    kept = counts >= least_columns
    if not kept.any():
        raise FitFailed(f"{len(plane)} cations", f"{least_columns} in a plane", "Take a wider field.")
    mean = np.bincount(place, amplitude) / counts
    relative = (amplitude / mean[place] - 1.0)[kept[place]]
    spread = float(np.sqrt((relative**2).sum() / max(len(relative) - int(kept.sum()), 1)))
    return PlaneAmplitudes(names[kept].astype(np.int64), mean[kept], (spread * mean / np.sqrt(counts))[kept])


@dataclass(frozen=True)
class Layers:
    """Planes told apart by their amplitude.

    Parameters
    ----------
    plane : ndarray of int
        (P,).
    is_ruthenium : ndarray of bool
        (P,).
    threshold : float
        The geometric mean of the two amplitudes.
    amplitude_ratio, amplitude_ratio_std : float
        Ru over Ti; 1 and NaN where there is one kind of plane.
    below : tuple of int
        The plane under each interface, bottom first.
    into_ruo2 : tuple of int
        +1 where RuO2 lies above an interface, else -1.
    misassigned_probability : float
        That any plane lies on the wrong side of the threshold.
    """

    plane: IntArray
    is_ruthenium: npt.NDArray[np.bool_]
    threshold: float
    amplitude_ratio: float
    amplitude_ratio_std: float
    below: tuple[int, ...]
    into_ruo2: tuple[int, ...]
    misassigned_probability: float

    @property
    def film_planes(self) -> int | None:
        """Ru planes between the two interfaces; None where the field does not hold both."""
        if self.into_ruo2 != (1, -1):
            return None
        return self.below[1] - self.below[0]


def layers(amplitudes: PlaneAmplitudes) -> Layers:
    """Tell Ru planes from Ti planes by the threshold sqrt(I_Ti I_Ru).

    The two amplitudes are the means of the two groups into which the logarithms fall with the least spread. One group
    is left as TiO2 where the two differ by less than 20 % or four standard deviations.

    Parameters
    ----------
    amplitudes : PlaneAmplitudes
        Of all planes.

    Raises
    ------
    FitFailed
        An amplitude is not positive.
    """
    if not (amplitudes.value > 0).all():
        raise FitFailed("a plane whose cations have no amplitude", "bright cations", "Look at the image.")
    logs = np.log(amplitudes.value)
    errors = amplitudes.std / amplitudes.value
    none = np.zeros(len(logs), dtype=bool)
    alone = Layers(amplitudes.plane, none, float("inf"), 1.0, float("nan"), (), (), 0.0)
    if len(logs) < 2:
        return alone
    split = _split(logs)
    high, low = logs[split], logs[~split]
    step = float(high.mean() - low.mean())
    within = float(
        np.sqrt((np.sum((high - high.mean()) ** 2) + np.sum((low - low.mean()) ** 2)) / max(len(logs) - 2, 1))
    )
    spread = max(within, float(np.median(errors)))
    if step < np.log(LEAST_RATIO) or step < LEAST_CONTRAST * spread:
        return alone
    threshold = 0.5 * float(high.mean() + low.mean())
    is_ru = logs > threshold
    wrong = ndtr(-np.abs(logs - threshold) / np.maximum(errors, within))
    changes = np.flatnonzero(np.diff(is_ru.astype(int)))
    return Layers(
        amplitudes.plane,
        is_ru,
        float(np.exp(threshold)),
        float(np.exp(step)),
        float(np.exp(step) * spread * np.sqrt(1.0 / len(high) + 1.0 / len(low))),
        tuple(int(amplitudes.plane[i]) for i in changes),
        tuple(1 if is_ru[i + 1] else -1 for i in changes),
        float(1.0 - np.prod(1.0 - wrong)),
    )


def _split(logs: FloatArray) -> npt.NDArray[np.bool_]:
    """Return the upper of the two groups with the least sum of squares about their means (Otsu's criterion)."""
    order = np.sort(logs)
    cuts = [float(np.sum((p - p.mean()) ** 2) + np.sum((q - q.mean()) ** 2))
            for p, q in ((order[:i], order[i:]) for i in range(1, len(order)))]  # fmt: skip
    return np.asarray(logs >= order[int(np.argmin(cuts)) + 1])


@dataclass(frozen=True)
class Thickness:
    """Heights of the interfaces, and the film between them.

    Parameters
    ----------
    interface_nm, interface_std_nm : ndarray
        (I,) midway between the planes that adjoin each, along [110] from the image's origin [nm]; one sigma, with the
        rounding to half a plane.
    thickness_nm, statistical_nm, rounding_nm : float
        Between the two interfaces, one sigma from the positions, and from counting whole planes; NaN without both [nm].
    plane_spacing_nm : float
        Of the Ru planes; NaN with fewer than two [nm].
    """

    interface_nm: FloatArray
    interface_std_nm: FloatArray
    thickness_nm: float
    statistical_nm: float
    rounding_nm: float
    plane_spacing_nm: float


def thickness(found: Layers, height_nm: FloatArray, height_covariance_nm2: FloatArray) -> Thickness:
    """Return where the interfaces lie and the thickness between the midpoints of their edges.

    Parameters
    ----------
    found : Layers
        P planes.
    height_nm : ndarray
        (P,) mean height of each plane's cations [nm].
    height_covariance_nm2 : ndarray
        (P, P) [nm^2].
    """
    where = {int(p): place for place, p in enumerate(found.plane)}
    count = len(found.plane)
    edges = np.zeros((len(found.below), count))
    for line, below in zip(edges, found.below, strict=True):
        line[[where[below], where[below] + 1]] = 0.5
    interface = edges @ height_nm
    variance = np.diag(edges @ height_covariance_nm2 @ edges.T)
    gaps = 2.0 * np.array([height_nm[where[b] + 1] - interface[i] for i, b in enumerate(found.below)])
    interface_std = np.sqrt(variance + (ROUNDING * gaps) ** 2)
    nothing = float("nan")
    ru = np.flatnonzero(found.is_ruthenium)
    spacing = float(np.diff(height_nm[ru]).mean()) if len(ru) > 1 and np.all(np.diff(ru) == 1) else nothing
    if found.film_planes is None:
        return Thickness(interface, interface_std, nothing, nothing, nothing, spacing)
    line = edges[1] - edges[0]
    between = float(interface[1] - interface[0])
    statistical = float(np.sqrt(line @ height_covariance_nm2 @ line))
    return Thickness(interface, interface_std, between, statistical, ROUNDING * between / found.film_planes, spacing)


@dataclass(frozen=True)
class Agreement:
    """A thickness against another technique's.

    Parameters
    ----------
    difference_nm, allowed_nm : float
        This minus the other, and half a plane or two standard deviations, whichever is more [nm].
    planes, other_planes : int
        Both rounded to whole planes.
    """

    difference_nm: float
    allowed_nm: float
    planes: int
    other_planes: int

    @property
    def agrees(self) -> bool:
        """Whether they differ by no more than allowed and are the same number of planes."""
        return abs(self.difference_nm) <= self.allowed_nm and self.planes == self.other_planes

    def sentence(self, other: str) -> str:
        """Return what that says, of the technique `other`."""
        verdict = "agrees with" if self.agrees else "disagrees with"
        return (
            f"The thickness {verdict} {other}: {self.difference_nm:+.3f} nm (allowed {self.allowed_nm:.3f}),"
            f" {self.planes} planes here and {self.other_planes} there."
        )


def agreement(thickness_nm: float, std_nm: float, other_nm: float, other_std_nm: float, spacing_nm: float) -> Agreement:
    """Compare two thicknesses: within half a plane (or two sigma), and the same whole number of planes.

    Parameters
    ----------
    thickness_nm, std_nm : float
        Of the image [nm].
    other_nm, other_std_nm : float
        Of reflectivity or Laue oscillations [nm].
    spacing_nm : float
        Of the film's planes [nm].
    """
    allowed = max(0.5 * spacing_nm, 2.0 * float(np.hypot(std_nm, other_std_nm)))
    return Agreement(thickness_nm - other_nm, allowed, round(thickness_nm / spacing_nm), round(other_nm / spacing_nm))
