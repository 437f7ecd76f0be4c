"""Symmetric systems whose unknowns couple along a line, with a few that couple to all: a bordered block tridiagonal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


class BlockTridiagonal:
    """A symmetric positive definite matrix of blocks on the diagonal and beside it, N unknowns in all.

    Parameters
    ----------
    sizes : sequence of int
        Unknowns of each block, in order.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        self.block_of = np.repeat(np.arange(len(sizes)), sizes)
        self.diagonal = [np.zeros((n, n)) for n in sizes]
        self.below = [np.zeros((after, n)) for n, after in pairwise(sizes)]

    def add(self, at: IntArray, matrix: FloatArray) -> None:
        """Add a symmetric (M, M) matrix at the unknowns `at` (M,); what lies beyond neighbouring blocks is dropped."""
        block = self.block_of[at]
        for s in np.unique(block):
            here = np.flatnonzero(block == s)
            rows = at[here] - self.edges[s]
            self.diagonal[s][np.ix_(rows, rows)] += matrix[np.ix_(here, here)]
            beyond = np.flatnonzero(block == s + 1)
            if len(beyond):
                self.below[s][np.ix_(at[beyond] - self.edges[s + 1], rows)] += matrix[np.ix_(beyond, here)]

    def diagonal_values(self) -> FloatArray:
        """Return the diagonal, (N,)."""
        return np.concatenate([np.diag(block) for block in self.diagonal])

    def factored(self, added: FloatArray) -> Factor:
        """Return the Cholesky factor of the matrix with `added` (N,) on its diagonal.

        Raises
        ------
        numpy.linalg.LinAlgError
            It is not positive definite.
        """
        corners: list[FloatArray] = []
        lower: list[FloatArray] = []
        for s, block in enumerate(self.diagonal):
            whole = block + np.diag(added[self.edges[s] : self.edges[s + 1]])
            if s:
                lower.append(solve_triangular(corners[-1], self.below[s - 1].T, lower=True).T)
                whole -= lower[-1] @ lower[-1].T
            corners.append(cholesky(whole, lower=True))
        return Factor(self.edges, corners, lower)


class Factor:
    """The Cholesky factor of a block tridiagonal matrix.

    Parameters
    ----------
    edges : ndarray
        (blocks + 1) first unknown of each block, and N.
    corners, lower : list of ndarray
        Its triangular blocks on the diagonal, and the blocks below them.
    """

    def __init__(self, edges: IntArray, corners: list[FloatArray], lower: list[FloatArray]) -> None:
        self.edges, self.corners, self.lower = edges, corners, lower

    def solve(self, right: FloatArray) -> FloatArray:
        """Return the solution for right hand sides (N, R)."""
        found = [right[a:b] for a, b in pairwise(self.edges)]
        for s, corner in enumerate(self.corners):
            reduced = found[s] - self.lower[s - 1] @ found[s - 1] if s else found[s]
            found[s] = solve_triangular(corner, reduced, lower=True)
        for s in reversed(range(len(self.corners))):
            more = s + 1 < len(self.corners)
            reduced = found[s] - self.lower[s].T @ found[s + 1] if more else found[s]
            found[s] = solve_triangular(self.corners[s], reduced, lower=True, trans="T")
        return np.concatenate(found)

    def inverse_diagonal_blocks(self) -> list[FloatArray]:
        """Return the blocks of the inverse on the diagonal (Takahashi's recursion, from the last block upwards)."""
        found: list[FloatArray] = []
        for s in reversed(range(len(self.corners))):
            root = solve_triangular(self.corners[s], np.eye(len(self.corners[s])), lower=True)
            block = root.T @ root
            if s + 1 < len(self.corners):
                reach = self.lower[s] @ root
                block = block + reach.T @ found[-1] @ reach
            found.append(block)
        return found[::-1]


class Bordered:
    """The system [[A, B], [B^T, D]] with a factored A.

    Parameters
    ----------
    factor : Factor
        Of A, (N, N).
    border : ndarray
        (N, K) B.
    corner : ndarray
        (K, K) D.
    """

    def __init__(self, factor: Factor, border: FloatArray, corner: FloatArray) -> None:
        self.factor = factor
        self.reach = factor.solve(border)
        self.border = border
        self.schur = cholesky(corner - border.T @ self.reach, lower=True)

    def solve(self, right: FloatArray, right_corner: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return both parts of the solution for right hand sides (N, R) and (K, R)."""
        upper = self.factor.solve(right)
        half = solve_triangular(self.schur, right_corner - self.border.T @ upper, lower=True)
        lower = solve_triangular(self.schur, half, lower=True, trans="T")
        return upper - self.reach @ lower, lower

    def inverse_blocks(self, size: int) -> FloatArray:
        """Return the blocks of the inverse along A's diagonal for each `size` unknowns, (N / size, size, size)."""
        found = []
        for block in self.factor.inverse_diagonal_blocks():
            n = len(block) // size
            found.append(block.reshape(n, size, n, size)[np.arange(n), :, np.arange(n)])
        half = solve_triangular(self.schur, self.reach.T, lower=True).T.reshape(-1, size, len(self.schur))
        return np.asarray(np.concatenate(found) + np.einsum("nak,nbk->nab", half, half))

    def corner_inverse(self) -> FloatArray:
        """Return the (K, K) block of the inverse that belongs to D."""
        root = solve_triangular(self.schur, np.eye(len(self.schur)), lower=True)
        return np.asarray(root.T @ root)
