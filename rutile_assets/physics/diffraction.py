"""Diffraction patterns as a reconstruction wants them: rows along the slow scan axis, zero angle in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class UprightPatterns:
    """A view of a scan's patterns (scan Y, scan X, Y, X) as (N, Y, X), flipped by whole pixels, never copied whole.

    The nearest of the eight flips is taken out of the patterns; the rest of the rotation, within 45 deg, is put into
    the positions. Zero angle stands at (Y // 2, X // 2) to within half a pixel; what is left is `centre_rest_pixels`.

    Parameters
    ----------
    frames : array-like
        (scan Y, scan X, Y, X), a map of the file.
    centre : tuple of float
        (row, column) of zero angle in the file's patterns [pixels].
    rotation_deg : float
        From (slow, fast), swapped where `transpose`, to the detector's (row, column) [deg].
    transpose : bool
        Whether the detector is mirrored.
    """

    frames: Any
    centre: tuple[float, float]
    rotation_deg: float
    transpose: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, Y, X)."""
        slow, fast, height, width = self.frames.shape
        return int(slow * fast), int(height), int(width)

    @property
    def quarter_turns(self) -> int:
        """Whole quarter turns that are taken out."""
        return round(self.rotation_deg / 90.0)

    @property
    def positions_rotation_deg(self) -> float:
        """Turn from (slow, fast) to the rows and columns of the upright patterns, within 45 deg [deg]."""
        rest = self.rotation_deg - 90.0 * self.quarter_turns
        return -rest if self.transpose else rest

    def positions_angstrom(self, step_nm: float) -> FloatArray:
        """Return (N, 2) y, x of each position in the frame of the upright patterns, from the first one [angstrom]."""
        slow, fast = self.frames.shape[:2]
        raster = np.stack(np.meshgrid(np.arange(slow), np.arange(fast), indexing="ij"), axis=-1).reshape(-1, 2)
        turn = np.deg2rad(self.positions_rotation_deg)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return np.asarray(10.0 * step_nm * raster @ rotation.T)

    @property
    def centre_rest_pixels(self) -> tuple[float, float]:
        """Where zero angle stands beside (Y // 2, X // 2) of the upright patterns (row, column) [pixels]."""
        rest = np.array(self.centre) - np.round(self.centre)
        row, column = _turned(rest[0], rest[1], -self.quarter_turns)
        return (float(column), float(row)) if self.transpose else (float(row), float(column))

    @property
    def good_pixels(self) -> BoolArray:
        """(Y, X) False where no detector pixel came to lie."""
        return self._source[1]

    def __getitem__(self, chosen: Any) -> npt.NDArray[Any]:
        """Return patterns (B, Y, X), or (Y, X) for one number; 0 where there was no pixel."""
        slow, fast = self.frames.shape[:2]
        numbers = np.arange(slow * fast)[chosen]
        flat, good = self._source
        rows, columns = np.divmod(np.atleast_1d(numbers), fast)
        found = np.stack(
            [np.asarray(self.frames[int(r), int(c)]).reshape(-1)[flat] for r, c in zip(rows, columns, strict=True)]
        )
        found[:, ~good] = 0
        return found if np.ndim(numbers) else found[0]

    @cached_property
    def _source(self) -> tuple[npt.NDArray[np.intp], BoolArray]:
        """Return (Y, X) the flat index that each upright pixel is taken from, and whether there is one."""
        _, height, width = self.shape
        rows, columns = np.mgrid[:height, :width]
        rows, columns = rows - height // 2, columns - width // 2
        if self.transpose:
            rows, columns = columns, rows
        rows, columns = _turned(rows, columns, self.quarter_turns)
        rows = rows + round(self.centre[0])
        columns = columns + round(self.centre[1])
        good = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return np.where(good, rows * width + columns, 0), np.asarray(good)


def _turned(row: Any, column: Any, quarters: int) -> tuple[Any, Any]:
    """Return a (row, column) turned by quarters from rows towards columns."""
    for _ in range(quarters % 4):
        row, column = -column, row
    return row, column
