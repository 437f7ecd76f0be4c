"""Roughness of a height image, with the spread between ways of levelling it as a systematic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import FitFailed
from rutile_assets.estimate import Estimate
from rutile_assets.physics.maps import LEVELLING, mean_std, sq, sq_std
from rutile_assets.techniques.afm.flaws import Flaw, flaws
from rutile_assets.techniques.afm.terraces import find_terraces

FloatArray = npt.NDArray[np.float64]


BOW_TERMS = 3  # of a surface of second order beyond a plane
# error of the quoted levelling over the spread between levellings: on 159 simulated images of known Sq, without flaws
LEVELLING_SHARE = 0.1


@dataclass(frozen=True)
class AfmParameters:
    """What a person may choose about roughness.

    Parameters
    ----------
    levelling : str
        The way that is quoted, a key of `rutile_assets.physics.maps.LEVELLING`.
    step_height_nm : float
        Height of a terrace step; 0.3248 nm is d110 of TiO2.
    """

    levelling: str = "median_difference_bow"
    step_height_nm: float = 0.3248


@dataclass(frozen=True)
class Roughness:
    """Roughness of one image by one levelling.

    Parameters
    ----------
    sq_pm, sq_std_pm : float
        Sq and its statistical error [pm].
    coherence, terrace_sq_pm : float or None
        Coherence of the terraces and Sq on them [pm]; None where no regular staircase stands out, and of levellings
        that are not quoted.
    flaws : tuple of Flaw
        Of the image, by the quoted levelling.
    """

    sq_pm: float
    sq_std_pm: float
    coherence: float | None
    terrace_sq_pm: float | None
    flaws: tuple[Flaw, ...] = ()


def roughness(height_nm: FloatArray, levelling: str, chosen: AfmParameters) -> Roughness:
    """Level a height image (Y, X) [nm] and return its roughness.

    A surface of second order takes the scanner's bow and, with each of its terms beyond a plane, as much of the film's
    own slow height as a mean does; that power (the squared error of the mean) is given back: Sq is about a plane.
    Terraces and flaws are looked for in the quoted levelling alone.

    Raises
    ------
    FitFailed
        Unknown levelling, an image below 16 x 16 pixels, or one without any height.
    """
    if levelling not in LEVELLING:
        raise FitFailed(f"levelling {levelling!r}", f"one of {', '.join(LEVELLING)}", "Correct rutile.yaml.")
    if min(height_nm.shape) < 16 or not np.isfinite(height_nm).all() or np.ptp(height_nm) == 0:
        raise FitFailed(f"an image of {height_nm.shape} pixels", "at least 16 x 16 finite heights", "Scan again.")
    levelled = LEVELLING[levelling](height_nm)
    taken = BOW_TERMS * mean_std(levelled) ** 2 if levelling.endswith("_bow") else 0.0
    is_quoted = levelling == chosen.levelling
    found = find_terraces(levelled, chosen.step_height_nm) if is_quoted else None
    return Roughness(
        1e3 * float(np.hypot(sq(levelled), np.sqrt(taken))),
        1e3 * sq_std(levelled),
        found.coherence if found else None,
        1e3 * found.sq_nm if found else None,
        flaws(height_nm, levelled, chosen.step_height_nm) if is_quoted else (),
    )


def estimate(by_levelling: dict[str, Roughness], chosen: AfmParameters, subject: str) -> Estimate:
    """Return Sq by the chosen levelling; a share of the spread between ways of aligning the lines is a systematic.

    The spread is the standard deviation over the levellings that take the same form off (plane, or bow too). Some of
    them are known to be worse than the quoted one (a line a row eats slow height), so its own error is
    `LEVELLING_SHARE` of the spread. Each flaw of the image is a systematic, too.
    """
    quoted = by_levelling[chosen.levelling]
    with_bow = chosen.levelling.endswith("_bow")
    alike = [r.sq_pm for name, r in by_levelling.items() if name != "plane" and name.endswith("_bow") == with_bow]
    spread = float(np.std(alike, ddof=1))
    notes = [] if quoted.terrace_sq_pm is None else [f"Sq on the terraces {quoted.terrace_sq_pm:.0f} pm."]
    notes += [flaw.note for flaw in quoted.flaws]
    if spread > 0.3 * quoted.sq_pm:
        told = ", ".join(f"{name} {r.sq_pm:.0f} pm" for name, r in by_levelling.items())
        notes.append(f"The levellings disagree ({told}): bad lines or strong bow; look at the image.")
    return Estimate(
        ("roughness_sq_pm",),
        np.array([quoted.sq_pm]),
        np.array([[quoted.sq_std_pm**2]]),
        f"Sq (ISO 25178), {chosen.levelling.removesuffix('_bow').replace('_', ' ')} alignment of lines, then a global "
        f"{'surface of second order' if with_bow else 'plane'}; steps included",
        "covariance",
        (subject,),
        {
            "levelling": np.array([LEVELLING_SHARE * spread]),
            **{flaw.name: np.array([flaw.shift_pm]) for flaw in quoted.flaws},
        },
        tuple(notes),
    )
