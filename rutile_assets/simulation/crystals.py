"""Atoms that a simulated beam goes through: the (110) trilayer seen along [001], or a structure file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.physics.crystal import rutile

FloatArray = npt.NDArray[np.float64]

# one-dimensional root mean square displacement at room temperature [angstrom], as ../shared/sim4dstem uses them
VIBRATION_ANGSTROM = {"Ti": 0.068, "Ru": 0.058, "O": 0.080}
OTHER_VIBRATION_ANGSTROM = 0.075
U_RUO2 = 0.3058


@dataclass(frozen=True)
class Column:
    """Atoms above each other along the beam.

    Parameters
    ----------
    element : str
        Symbol.
    y_angstrom, x_angstrom : float
        Where it stands; y along the film's normal [110], x along [1-10] [angstrom].
    height : float
        Height of its atom in the period along the beam [fraction].
    imposed_dy_pm : float
        Displacement put in along y [pm].
    """

    element: str
    y_angstrom: float
    x_angstrom: float
    height: float
    imposed_dy_pm: float = 0.0


@dataclass(frozen=True)
class Crystal:
    """Columns with one period along the beam, repeated to the sample's thickness.

    Parameters
    ----------
    columns : tuple of Column
        All of them.
    period_angstrom : float
        Repeat distance along the beam [angstrom].
    planes : tuple of float
        Heights of the atomic planes in the period [fraction], rising; each is a slice of its own.
    interfaces_y_angstrom : tuple of float
        Where the materials meet, bottom first.
    """

    columns: tuple[Column, ...]
    period_angstrom: float
    planes: tuple[float, ...]
    interfaces_y_angstrom: tuple[float, ...] = ()


@dataclass(frozen=True)
class Displacement:
    """How far cations move against their oxygens along [110], mirrored at the two interfaces.

    Parameters
    ----------
    at_interface_pm : float
        At the lower interface, upwards; the upper one has the opposite sign. 0 is the null control.
    decay_nm : float
        Distance over which it falls to 1/e.
    """

    at_interface_pm: float = 12.0
    decay_nm: float = 1.2

    def at(self, y_angstrom: float, interfaces: Sequence[float]) -> float:
        """Return the displacement [pm] at a height."""
        signs = (1.0, -1.0)
        return float(
            sum(
                sign * self.at_interface_pm * np.exp(-abs(y_angstrom - place) / (10.0 * self.decay_nm))
                for sign, place in zip(signs, interfaces, strict=False)
            )
        )


NO_DISPLACEMENT = Displacement(0.0)


def trilayer(
    planes: tuple[int, int, int], columns: int, displacement: Displacement, *, d110_ruo2_angstrom: float = 3.27
) -> Crystal:
    """Return TiO2 / RuO2 / TiO2 (110), coherent in the plane, seen along [001].

    Plane m and column j of the cations carry an atom at height ((m + j) mod 2) / 2; its two apical oxygens stand at
    2 u d along [110] where that is 0, else at 2 u d along [1-10], at the cation's own height. Together each cation has
    four oxygen columns about it.

    Parameters
    ----------
    planes : tuple of int
        (110) planes of substrate or buffer, RuO2, and cap; RuO2 may be 0.
    columns : int
        Cation columns along [1-10].
    displacement : Displacement
        Of cations against oxygens.
    d110_ruo2_angstrom : float
        Plane spacing of RuO2 [angstrom].
    """
    if min(planes) < 0 or sum(planes) < 1 or columns < 1:
        raise InvalidRecord(f"{planes} planes of {columns} columns", "at least one of each", "Ask for more.")
    oxide = rutile("TiO2")
    d_tio2 = 10.0 * oxide.d110_nm
    spacing = [d_tio2] * planes[0] + [d110_ruo2_angstrom] * planes[1] + [d_tio2] * planes[2]
    metals = ["Ti"] * planes[0] + ["Ru"] * planes[1] + ["Ti"] * planes[2]
    heights = np.cumsum(spacing) - np.array(spacing) / 2.0
    edges = np.concatenate([[0.0], np.cumsum(spacing)])
    interfaces = (float(edges[planes[0]]), float(edges[planes[0] + planes[1]])) if planes[1] else ()
    found = []
    for m, (metal, d, y) in enumerate(zip(metals, spacing, heights, strict=True)):
        u = U_RUO2 if metal == "Ru" else oxide.u
        moved = displacement.at(float(y), interfaces)
        for j in range(columns):
            x = (j + 0.5) * d_tio2
            height = 0.5 * ((m + j) % 2)
            found.append(Column(metal, float(y) + 0.01 * moved, x, height, moved))
            for side in (-1.0, 1.0):
                across = 2.0 * u * d_tio2 * side
                found.append(
                    Column("O", float(y) + 2.0 * u * d * side, x, height)
                    if height == 0.0
                    else Column("O", float(y), x + across, height)
                )
    return Crystal(tuple(found), oxide.c_angstrom, (0.0, 0.5), interfaces)


def from_poscar(path: Path, repeat: tuple[int, int]) -> Crystal:
    """Read a POSCAR whose third vector is the beam and stands normal to the other two, and repeat it in the plane.

    Parameters
    ----------
    path : Path
        VASP 5 (with a line of symbols), direct or Cartesian.
    repeat : tuple of int
        Along the first and the second vector; these become y and x as far as they go.

    Raises
    ------
    UnreadableFile
        It is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        scale = float(lines[1])
        cell = scale * np.array([[float(w) for w in line.split()[:3]] for line in lines[2:5]])
        symbols, counts = lines[5].split(), [int(w) for w in lines[6].split()]
        start = 8 if lines[7].strip()[:1] in "sS" else 7
        direct = lines[start].strip()[:1] in "dD"
        rows = lines[start + 1 : start + 1 + sum(counts)]
        places = np.array([[float(w) for w in row.split()[:3]] for row in rows]).reshape(sum(counts), 3)
    except (OSError, ValueError, IndexError) as fault:
        raise UnreadableFile(f"no POSCAR ({fault})", "a VASP 5 POSCAR", "Write it again.", path.name) from fault
    fractions = places if direct else np.linalg.solve(cell.T, scale * places.T).T
    if abs(cell[2, :2]).max() + abs(cell[:2, 2]).max() > 1e-6 * abs(cell).max() or cell[2, 2] <= 0:
        raise UnreadableFile(
            "a third vector that is not normal to the others", "the beam along the third", "Turn the cell.", path.name
        )
    heights = np.round(fractions[:, 2] % 1.0, 6) % 1.0
    elements = [symbol for symbol, count in zip(symbols, counts, strict=True) for _ in range(count)]
    found = [
        Column(element, float(at[0]), float(at[1]), float(height))
        for i in range(repeat[0])
        for j in range(repeat[1])
        for element, at, height in zip(elements, (fractions[:, :2] % 1.0 + [i, j]) @ cell[:2, :2], heights, strict=True)
    ]
    return Crystal(tuple(found), float(cell[2, 2]), tuple(sorted({float(h) for h in heights})))
