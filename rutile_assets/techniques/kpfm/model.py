"""Mean contact potential of maps, and of a film measured several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.contact_potential import v_cpd_of_bias
from rutile_assets.physics.maps import mean_std

FloatArray = npt.NDArray[np.float64]

PRIOR_DEGREES = 4.0


@dataclass(frozen=True)
class KpfmParameters:
    """What a person may choose about contact potentials.

    Parameters
    ----------
    repeatability_v : float
        Change of the tip from one map to the next, one sigma, as the lab knows it; the scatter between a film's maps
        is weighed with it.
    visit_gap_h : float
        Maps of one tip that began further apart than this are separate visits of the sample to the microscope [h]:
        the tip may have drifted between them.
    """

    repeatability_v: float = 0.003
    visit_gap_h: float = 1.5


@dataclass(frozen=True)
class MapPotential:
    """One map.

    Parameters
    ----------
    mean_v, mean_std_v : float
        Mean of V_CPD and its standard error, correlation between pixels included [V].
    spread_v : float
        Standard deviation over the map [V]; it is not the error of the mean.
    """

    mean_v: float
    mean_std_v: float
    spread_v: float

    @property
    def effective_pixels(self) -> float:
        """Independent pixels that would have this error of the mean."""
        return (self.spread_v / self.mean_std_v) ** 2


def map_potential(bias_v: FloatArray, bias_on: str) -> MapPotential:
    """Return mean, its error, and spread of a map of the nulling bias.

    Parameters
    ----------
    bias_v : ndarray
        (Y, X) bias as recorded [V]; Y is the slow axis.
    bias_on : str
        ``tip`` or ``sample``.

    Raises
    ------
    FitFailed
        Fewer than 16 x 16 pixels, or a map without any variation.
    """
    if min(bias_v.shape) < 16 or not np.isfinite(bias_v).all() or np.ptp(bias_v) == 0:
        raise FitFailed(f"a map of {bias_v.shape} pixels", "at least 16 x 16 finite, varying values", "Map again.")
    v_cpd = v_cpd_of_bias(bias_v, bias_on)
    return MapPotential(float(v_cpd.mean()), mean_std(v_cpd), float(v_cpd.std()))


def visits(tips: Sequence[str | None], acquired_h: FloatArray, gap_h: float) -> list[tuple[str, list[int]]]:
    """Return which maps belong together: those of one tip, without a long pause between them.

    Contact potentials of different tips have no common mean, so they are never pooled. Maps of which nobody says the
    tip are taken to be of one.

    Parameters
    ----------
    tips : sequence of str or None
        (M,) which tip each map was made with.
    acquired_h : ndarray
        (M,) when each map was begun, from any zero [h]; NaN where unknown, which never parts a tip's maps.
    gap_h : float
        A pause longer than this begins a new visit [h].

    Returns
    -------
    list of (str, list of int)
        Tip ("" if unknown) and places of the maps, tip by tip and in order of time.
    """
    found: list[tuple[str, list[int]]] = []
    for tip in dict.fromkeys(tips):
        mine = [i for i, other in enumerate(tips) if other == tip]
        mine.sort(key=lambda i: float(np.nan_to_num(acquired_h[i], nan=-np.inf)))
        groups = [[mine[0]]]
        for before, after in pairwise(mine):
            parted = tip is not None and acquired_h[after] - acquired_h[before] > gap_h
            groups = [*groups, [after]] if parted else [*groups[:-1], [*groups[-1], after]]
        found += [(tip or "", group) for group in groups]
    return found


def map_estimate(found: MapPotential, subject: str) -> Estimate:
    """Return one map's numbers: what this map says, without what the tip does from map to map."""
    return Estimate(
        ("v_cpd_v",),
        np.array([found.mean_v]),
        np.array([[found.mean_std_v**2]]),
        "mean of the map; error from the power spectrum at zero frequency and the offsets of lines",
        "covariance",
        (subject,),
    )


def film_estimate(maps: list[MapPotential], chosen: KpfmParameters, subject: str = "") -> Estimate:
    """Return the film's contact potential from all its maps of one visit, that is of one tip.

    Variance between maps: the lab's repeatability (worth `PRIOR_DEGREES` degrees of freedom) pooled with the scatter of
    the maps' means; the error of the film's mean is that over the number of maps, and never below the maps' own.
    """
    means = np.array([m.mean_v for m in maps])
    within = np.array([m.mean_std_v for m in maps]) ** 2
    count = len(maps)
    scatter = float(((means - means.mean()) ** 2).sum())
    between = (PRIOR_DEGREES * chosen.repeatability_v**2 + scatter) / (PRIOR_DEGREES + count - 1)
    variance = max(between + float(within.mean()), float(within.mean())) / count
    notes = [f"{count} maps; tip repeatability {1e3 * np.sqrt(between):.1f} mV from map to map."]
    if count == 1:
        notes = ["One map: the tip's repeatability is the lab's value, not measured here."]
    return Estimate(
        ("v_cpd_v", "v_cpd_spread_v"),
        np.array([means.mean(), np.mean([m.spread_v for m in maps])]),
        np.diag([variance, np.nan]),
        "mean of the film's maps; tip bias that nulls, sample grounded",
        "repeat",
        (subject, subject),
        {},
        tuple(notes),
    )
