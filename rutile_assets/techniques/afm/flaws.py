"""What an image shows that no levelling repairs: a tip that changed, steps along the lines. Each widens the error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.physics.maps import sq
from rutile_assets.techniques.afm.terraces import steps_along_lines
from rutile_assets.techniques.afm.tip import tip_change

FloatArray = npt.NDArray[np.float64]

STAIRS = 1.0 / np.sqrt(12.0)  # Sq of a staircase over its step
EATEN = 0.5  # part of the staircase that the alignment is taken to have eaten, one sigma


@dataclass(frozen=True)
class Flaw:
    """A flaw: the name of its systematic, one sigma of Sq [pm], and a sentence."""

    name: str
    shift_pm: float
    note: str


def flaws(height_nm: FloatArray, levelled_nm: FloatArray, step_nm: float) -> tuple[Flaw, ...]:
    """Return the flaws of an image.

    Parameters
    ----------
    height_nm, levelled_nm : ndarray
        (Y, X) heights as measured and as levelled, lines along X [nm].
    step_nm : float
        Height of a terrace step [nm].
    """
    found, whole_pm = [], 1e3 * sq(levelled_nm)
    change = tip_change(height_nm)
    if change is not None:
        sharper_pm = 1e3 * sq(levelled_nm[change.sharper])
        found.append(
            Flaw(
                "tip",
                abs(sharper_pm - whole_pm),
                f"Sharpness changes at line {change.line} ({change.loss:.0%}, {change.sigmas:.0f} sigma): a blunter tip"
                f" or another surface. Sq of the sharper lines alone {sharper_pm:.0f} pm.",
            )
        )
    if steps_along_lines(levelled_nm, step_nm):
        with_stairs_pm = float(np.hypot(whole_pm, 1e3 * STAIRS * step_nm))
        found.append(
            Flaw(
                "steps_along_lines",
                EATEN * (with_stairs_pm - whole_pm),
                "The steps run along the lines, whose alignment takes some of them off: scan again, turned by 90 deg.",
            )
        )
    return tuple(found)
