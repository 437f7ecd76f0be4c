"""A stack of the film's own planes with nothing displaced in it: what the null control sends its beam through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import InvalidRecord
from rutile_assets.physics.crystal import rutile
from rutile_assets.simulation.crystals import Column, Crystal

FloatArray = npt.NDArray[np.float64]

OXIDES = {"Ti": "TiO2", "Ru": "RuO2"}


@dataclass(frozen=True)
class StackGeometry:
    """Planes of cations as they were measured, in the scan's own frame.

    Parameters
    ----------
    elements : tuple of str
        ``Ti`` or ``Ru`` of each (110) plane, substrate first.
    heights_angstrom : ndarray
        (P,) along [110] from `origin_angstrom`, rising, in the crystal's own lengths [angstrom].
    normal_step_angstrom, along_step_angstrom : ndarray
        (2,) what one TiO2 spacing along [110] outwards, and along [1-10], is in scan coordinates y, x [angstrom].
    origin_angstrom : ndarray
        (2,) scan coordinate of the cation in plane 0 and row 0, were plane 0 at height 0 [angstrom].
    first_is_a : bool
        Whether that cation is of site A (apical oxygens along [110]); sites alternate like a chessboard.
    """

    elements: tuple[str, ...]
    heights_angstrom: FloatArray
    normal_step_angstrom: FloatArray
    along_step_angstrom: FloatArray
    origin_angstrom: FloatArray
    first_is_a: bool


def null_stack(geometry: StackGeometry, low_angstrom: FloatArray, high_angstrom: FloatArray) -> Crystal:
    """Return the crystal over an area: every cation amid its oxygens, the outermost planes repeated beyond the field.

    Parameters
    ----------
    geometry : StackGeometry
        P planes.
    low_angstrom, high_angstrom : ndarray
        (2,) corners of the area, scan coordinates y, x [angstrom].

    Raises
    ------
    InvalidRecord
        No plane, or planes that do not rise.
    """
    heights = np.asarray(geometry.heights_angstrom, dtype=float)
    if len(heights) < 1 or len(heights) != len(geometry.elements) or (np.diff(heights) <= 0).any():
        raise InvalidRecord(f"{len(heights)} planes at {heights.tolist()}", "planes that rise", "Look at the columns.")
    oxide = rutile("TiO2")
    d = 10.0 * oxide.d110_nm
    steps = np.stack([geometry.normal_step_angstrom, geometry.along_step_angstrom], axis=1)
    corners = np.array(
        [[y, x] for y in (low_angstrom[0], high_angstrom[0]) for x in (low_angstrom[1], high_angstrom[1])]
    )
    inside = np.linalg.solve(steps, (corners - geometry.origin_angstrom).T).T  # in spacings of TiO2
    low, high = d * inside.min(0), inside.max(0)
    first, elements, heights = _continued(geometry.elements, heights, d, float(low[0]), float(d * high[0]))
    rows = np.arange(int(np.floor(inside[:, 1].min())), int(np.ceil(high[1])) + 1)
    spacing = np.gradient(heights) if len(heights) > 1 else np.array([d])
    found = []
    for plane, (element, height, d_plane) in enumerate(zip(elements, heights, spacing, strict=True), start=first):
        apical = 2.0 * rutile(OXIDES[element]).u
        for row in rows:
            is_a = ((plane + int(row)) % 2 == 0) == geometry.first_is_a
            level = 0.0 if is_a else 0.5
            out, along = (apical * d_plane, 0.0) if is_a else (0.0, apical * d)
            for name, sign in ((element, 0.0), ("O", 1.0), ("O", -1.0)):
                place = np.array([height + sign * out, d * row + sign * along]) / d
                y, x = geometry.origin_angstrom + steps @ place
                found.append(Column(name, float(y), float(x), level))
    return Crystal(tuple(found), oxide.c_angstrom, (0.0, 0.5))


def _continued(
    elements: Sequence[str], heights: FloatArray, d_angstrom: float, low: float, high: float
) -> tuple[int, list[str], FloatArray]:
    """Return the first plane's number, elements and heights, outer planes repeated down to `low` and up to `high`."""
    names, at, first = list(elements), heights.tolist(), 0
    below, above = (at[1] - at[0], at[-1] - at[-2]) if len(at) > 1 else (d_angstrom, d_angstrom)
    while at[0] > low:
        names.insert(0, names[0])
        at.insert(0, at[0] - below)
        first -= 1
    while at[-1] < high:
        names.append(names[-1])
        at.append(at[-1] + above)
    return first, names, np.array(at)
