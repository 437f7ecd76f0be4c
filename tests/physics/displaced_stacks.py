"""Rutile stacks along [001] as columns with known displacements, drawn with a known covariance: no images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from rutile_assets.physics.displacement import AtomColumns, CrystalFrame

FloatArray = npt.NDArray[np.float64]

D = 3.2483
D_RU = 3.27


@dataclass(frozen=True)
class Stack:
    """Truth of a stack: columns (y upwards along [110]) and each plane's displacement [pm]."""

    positions: FloatArray
    is_oxygen: npt.NDArray[np.bool_]
    is_ru: npt.NDArray[np.bool_]
    plane: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    moved_pm: FloatArray
    interfaces: tuple[float, float]


def stack(planes: tuple[int, int, int], rows: int, peak_pm: float, decay: float = 12.0) -> Stack:
    """TiO2 / RuO2 / TiO2, cations moved into RuO2 at both interfaces; apical oxygens along y where m + j is even."""
    ru = np.repeat([False, True, False], planes)
    spacing, u = np.where(ru, D_RU, D), np.where(ru, 0.3058, 0.3053)
    edges = np.concatenate([[0.0], np.cumsum(spacing)])
    heights = edges[:-1] + spacing / 2.0
    low, high = float(edges[planes[0]]), float(edges[planes[0] + planes[1]])
    moved = peak_pm * (np.exp(-np.abs(heights - low) / decay) - np.exp(-np.abs(heights - high) / decay))
    columns = []
    for m, y in enumerate(heights):
        for j in range(rows):
            x = (j + 0.5) * D
            columns.append((y + 0.01 * moved[m], x, False, ru[m], m, j))
            for side in (-1.0, 1.0):
                if (m + j) % 2 == 0:
                    columns.append((y + 2.0 * u[m] * spacing[m] * side, x, True, False, -1, -1))
                else:
                    columns.append((y, x + 2.0 * u[m] * D * side, True, False, -1, -1))
    table = list(zip(*columns, strict=True))
    return Stack(
        np.array(table[:2]).T, np.array(table[2]), np.array(table[3]), np.array(table[4]), np.array(table[5]), moved,
        (low, high),
    )  # fmt: skip


UPRIGHT = CrystalFrame(np.eye(2))


def covariance(made: Stack, cation_pm: float, oxygen_pm: float, coupling: float = 0.15) -> sparse.csr_matrix:
    """Covariance [angstrom^2]: oxygens worse than cations, columns nearer than 2.1 angstrom correlated."""
    std = 0.01 * np.where(made.is_oxygen, oxygen_pm, cation_pm)
    distance = np.linalg.norm(made.positions[:, None] - made.positions[None], axis=-1)
    correlation = np.where(distance < 2.1, -coupling, 0.0)
    np.fill_diagonal(correlation, 1.0)
    full = np.kron(correlation * np.outer(std, std), np.eye(2))
    assert np.linalg.eigvalsh(full).min() > 0
    return sparse.csr_matrix(full)


def drawn(
    made: Stack, stated: sparse.csr_matrix, root: FloatArray, rng: np.random.Generator, true_scale: float = 1.0
) -> AtomColumns:
    """Draw positions with `true_scale` times the standard deviation that is stated."""
    noise = true_scale * (root @ rng.standard_normal(root.shape[0]))
    return AtomColumns(
        made.positions + noise.reshape(-1, 2), stated, made.is_oxygen, np.ones(len(made.plane), dtype=bool), made.plane,
        made.row,
    )  # fmt: skip
