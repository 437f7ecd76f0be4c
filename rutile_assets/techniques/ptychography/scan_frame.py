r"""Patterns and positions in one frame, whatever way the detector lies.

The detector sees a momentum (along slow, along fast) at (row, column) = M (slow, fast). M is split into a swap and
flips of axes, done on the patterns without loss, and the turn that is left, at most 45 deg, done on the positions: the
object then stands in the patterns' frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TurnedFrames:
    """Frames of a scan, read when they are asked for, with rows along the slow axis and zero angle at (Y//2, X//2).

    Parameters
    ----------
    frames : array-like
        (slow, fast, row, column), such as a memory map.
    permutation : ndarray
        (2, 2) of -1, 0 and 1: the detector's (row, column) from (slow, fast).
    centre : tuple of int
        Row and column of zero angle as stored.
    """

    frames: Any
    permutation: npt.NDArray[np.int64]
    centre: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, Y, X)."""
        slow, fast, rows, columns = self.frames.shape
        sides = (columns, rows) if self.permutation[0, 0] == 0 else (rows, columns)
        return slow * fast, *sides

    def __getitem__(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Return the frames `chosen`, (B, Y, X)."""
        slow, fast = np.divmod(np.asarray(chosen), self.frames.shape[1])
        taken = np.array([self.frames[i, j] for i, j in zip(slow, fast, strict=True)], dtype=np.float32)
        for axis in (1, 2):
            side = taken.shape[axis]
            taken = np.roll(taken, side // 2 - self.centre[axis - 1], axis)
            if self.permutation[axis - 1].sum() < 0:  # a flip moves the middle of an even side by one
                taken = np.roll(np.flip(taken, axis), 1 - side % 2, axis)
        return np.ascontiguousarray(taken.transpose(0, 2, 1) if self.permutation[0, 0] == 0 else taken)


def split(matrix: FloatArray) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the nearest permutation with signs, (2, 2), and the turn of the positions that is left, (2, 2).

    Parameters
    ----------
    matrix : ndarray
        (2, 2) orthogonal, from (slow, fast) to (row, column).

    Examples
    --------
    >>> permutation, turn = split(np.array([[0.0, -1.0], [1.0, 0.0]]))
    >>> permutation.tolist(), turn.tolist()
    ([[0, -1], [1, 0]], [[1.0, 0.0], [0.0, 1.0]])
    """
    straight = abs(matrix[0, 0]) >= abs(matrix[0, 1])
    kept = np.where(np.eye(2, dtype=bool) == straight, np.sign(matrix), 0.0).astype(np.int64)
    return kept, np.asarray(kept.T @ matrix, dtype=np.float64)


def scan_positions(shape: tuple[int, int], step_angstrom: float, turn: FloatArray) -> FloatArray:
    """Return the probe's positions in the patterns' frame, (N, 2) [angstrom], slow axis first.

    Parameters
    ----------
    shape : tuple of int
        Positions along slow and fast.
    step_angstrom : float
        [angstrom].
    turn : ndarray
        (2, 2) from `split`.
    """
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(step_angstrom * grid @ turn.T, dtype=np.float64)
