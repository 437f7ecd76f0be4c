"""Cations of rutile along [001] against their projected oxygens: a linear map of positions, and so of their covariance.

Along [001] a cation has four oxygen columns about it, two along [110] and two along [1-10], one pair at 1.98 angstrom
(the apical atoms, one a period) and one at 1.27 angstrom (the equatorial atoms, two a period in one column). At a
cation of site A the apical pair lies along [110], at site B along [1-10]. Each oxygen column belongs to two cations, so
that the errors of neighbours are not independent; they all follow from the covariance of the positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

from rutile_assets.errors import FitFailed

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Weighting = Literal["plain", "octahedron"]

GATE_ANGSTROM = 2.3  # the next oxygen stands at 3.49 angstrom
CONE_DEG = 30.0  # how far a neighbour may lie off the direction that it stands for
OPPOSITE_DEG = 150.0
PM_PER_ANGSTROM = 100.0
NO_PLANE = -(10**6)  # of oxygens


@dataclass(frozen=True)
class AtomColumns:
    """Atom columns of one image, with the covariance of all their positions.

    Parameters
    ----------
    positions_angstrom : ndarray
        (C, 2) y, x in the image [angstrom].
    covariance_angstrom2 : sparse matrix
        (2C, 2C) of y0, x0, y1, x1, ... [angstrom^2].
    is_oxygen : ndarray of bool
        (C,).
    is_usable : ndarray of bool
        (C,) False where a column was not fitted or stands too near to the edge.
    plane, row : ndarray of int
        (C,) of a cation: its plane, counted outwards along [110], and its place along [1-10]; `NO_PLANE` of others.
    """

    positions_angstrom: FloatArray
    covariance_angstrom2: sparse.csr_matrix
    is_oxygen: BoolArray
    is_usable: BoolArray
    plane: IntArray
    row: IntArray


@dataclass(frozen=True)
class CrystalFrame:
    """What turns vectors of the image into the crystal's.

    Parameters
    ----------
    to_crystal : ndarray
        (2, 2) image (y, x) -> ([110] outwards, [1-10]), both in angstrom of the crystal: the substrate's lattice is the
        ruler, so that scale, turn and shear of the image are taken out.
    """

    to_crystal: FloatArray

    def of(self, vectors_angstrom: FloatArray) -> FloatArray:
        """Return image vectors (N, 2) [angstrom] as ([110] outwards, [1-10]) [angstrom]."""
        return np.asarray(vectors_angstrom @ self.to_crystal.T)


def frame_from_lattice(
    plane_step_angstrom: FloatArray, row_step_angstrom: FloatArray, d_angstrom: float
) -> CrystalFrame:
    """Return the frame in which the substrate's lattice is what its table says.

    Parameters
    ----------
    plane_step_angstrom, row_step_angstrom : ndarray
        (2,) what one (110) plane outwards and one cation along [1-10] are in the image, y, x [angstrom].
    d_angstrom : float
        The spacing of both in the substrate's table, a / sqrt(2) [angstrom].

    Raises
    ------
    FitFailed
        The two directions do not span the image.
    """
    steps = np.stack([plane_step_angstrom, row_step_angstrom], axis=1)
    if abs(np.linalg.det(steps)) < 0.1 * np.linalg.norm(steps[:, 0]) * np.linalg.norm(steps[:, 1]):
        raise FitFailed("lattice vectors along one line", "two directions", "Look at the image.")
    return CrystalFrame(np.asarray(d_angstrom * np.linalg.inv(steps)))


@dataclass(frozen=True)
class ColumnLattice:
    """Lattice of chosen cations, by least squares of their positions against plane and row.

    Parameters
    ----------
    plane_step_angstrom, row_step_angstrom : ndarray
        (2,) one plane outwards and one cation along [1-10], y, x in the image [angstrom].
    mean_step_angstrom, mean_step_std : float
        Mean length of the two, and its one sigma [angstrom].
    rms_pm : float
        Root mean square distance of the cations from the lattice [pm].
    """

    plane_step_angstrom: FloatArray
    row_step_angstrom: FloatArray
    mean_step_angstrom: float
    mean_step_std: float
    rms_pm: float


def lattice_of_columns(columns: AtomColumns, chosen: BoolArray, below: Sequence[int] = ()) -> ColumnLattice:
    """Fit the lattice of some cations; what lies between two interfaces may stand where it likes.

    Parameters
    ----------
    columns : AtomColumns
        With planes and rows.
    chosen : ndarray of bool
        (C,) the cations to use.
    below : sequence of int
        The plane under each interface: each side has its own origin, as the film between has another spacing.

    Raises
    ------
    FitFailed
        They do not span two directions.
    """
    used = chosen & columns.is_usable & (columns.plane != NO_PLANE)
    side = np.searchsorted(np.asarray(sorted(below)), columns.plane[used])
    origins = side[:, None] == np.unique(side)
    design = np.column_stack([columns.plane[used], columns.row[used], origins]).astype(np.float64)
    if len(design) < 4 or np.linalg.matrix_rank(design) < design.shape[1]:
        raise FitFailed(f"{len(design)} cations of one material", "two planes of two at least", "Take a wider field.")
    steps = np.linalg.lstsq(design, columns.positions_angstrom[used], rcond=None)[0]
    left = columns.positions_angstrom[used] - design @ steps
    variance = float((left**2).sum()) / max(2 * (len(design) - design.shape[1]), 1)
    inverse = np.linalg.inv(design.T @ design)
    lengths = np.linalg.norm(steps[:2], axis=1)
    return ColumnLattice(
        steps[0],
        steps[1],
        float(lengths.mean()),
        float(np.sqrt(variance * (inverse[0, 0] + inverse[1, 1])) / 2.0),
        float(PM_PER_ANGSTROM * np.sqrt((left**2).sum(1).mean())),
    )


@dataclass(frozen=True)
class Octahedra:
    """Cations that have their four projected oxygens.

    Parameters
    ----------
    cation : ndarray of int
        (K,) places in `AtomColumns`.
    oxygen : ndarray of int
        (K, 4) the oxygen outwards, inwards, along [1-10] and against it.
    is_site_a : ndarray of bool
        (K,) whether the apical pair lies along [110].
    missing : int
        Usable cations that lack one of the four.
    """

    cation: IntArray
    oxygen: IntArray
    is_site_a: BoolArray
    missing: int

    def weights(self, weighting: Weighting) -> FloatArray:
        """(K, 4) weights of the oxygens: all alike, or each atom of the octahedron alike, (2, 2, 1, 1) / 6."""
        if weighting == "plain":
            return np.full((len(self.cation), 4), 0.25)
        single, double = 1.0 / 6.0, 1.0 / 3.0
        apical_outwards = np.array([single, single, double, double])
        return np.where(self.is_site_a[:, None], apical_outwards, apical_outwards[::-1])


def octahedra(columns: AtomColumns, frame: CrystalFrame, gate_angstrom: float = GATE_ANGSTROM) -> Octahedra:
    """Find the four projected oxygens of each cation: nearer than the gate, one a direction, in opposite pairs.

    Nearest neighbours without a gate would take the oxygen of the next cation at 3.49 angstrom where one is missing.

    Parameters
    ----------
    columns : AtomColumns
        All columns of the image.
    frame : CrystalFrame
        Its directions.
    gate_angstrom : float
        Largest distance [angstrom].

    Raises
    ------
    FitFailed
        No cation has four oxygens about it.
    """
    at = frame.of(columns.positions_angstrom)
    oxygens = np.flatnonzero(columns.is_oxygen & columns.is_usable)
    cations = np.flatnonzero(~columns.is_oxygen & columns.is_usable)
    found: list[tuple[int, tuple[int, ...], bool]] = []
    if len(oxygens):
        tree = cKDTree(at[oxygens])
        for cation, near in zip(cations, tree.query_ball_point(at[cations], gate_angstrom), strict=True):
            four = _one_a_direction(at[oxygens[near]] - at[cation])
            if four is not None:
                lengths = np.linalg.norm(at[oxygens[near]] - at[cation], axis=1)[list(four)]
                found.append(
                    (
                        int(cation),
                        tuple(int(oxygens[near[i]]) for i in four),
                        bool(lengths[:2].sum() > lengths[2:].sum()),
                    )
                )
    if not found:
        raise FitFailed(
            f"{len(cations)} cations and {len(oxygens)} oxygens, none of them with four neighbours",
            f"two pairs of oxygens within {gate_angstrom} angstrom",
            "An image that shows no oxygen (HAADF) has no displacement against it.",
        )
    return Octahedra(
        np.array([one for one, _, _ in found]),
        np.array([four for _, four, _ in found]),
        np.array([site for _, _, site in found]),
        len(cations) - len(found),
    )


def _one_a_direction(vectors: FloatArray) -> tuple[int, int, int, int] | None:
    """Return which neighbour lies outwards, inwards, along and against [1-10]; None where not one in each."""
    angle = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0]))
    chosen = []
    for direction in (0.0, 180.0, 90.0, -90.0):
        off = np.abs((angle - direction + 180.0) % 360.0 - 180.0)
        within = np.flatnonzero(off <= CONE_DEG)
        if len(within) != 1:
            return None
        chosen.append(int(within[0]))
    outwards, inwards, along, against = chosen
    for one, other in ((outwards, inwards), (along, against)):
        if abs((angle[one] - angle[other] + 180.0) % 360.0 - 180.0) < OPPOSITE_DEG:
            return None
    return outwards, inwards, along, against


def displacement_map(
    found: Octahedra, columns_count: int, frame: CrystalFrame, axis: int, weighting: Weighting = "plain"
) -> sparse.csr_matrix:
    """Return the linear map (K, 2C) from positions [angstrom] to displacements [pm], cation minus its oxygens.

    Parameters
    ----------
    found : Octahedra
        Who belongs together.
    columns_count : int
        C.
    frame : CrystalFrame
        Directions and scale.
    axis : int
        0 along [110], + towards vacuum; 1 along [1-10].
    weighting : {'plain', 'octahedron'}
        See `Octahedra.weights`.
    """
    count = len(found.cation)
    members = np.concatenate([found.cation[:, None], found.oxygen], axis=1)
    weights = np.concatenate([np.ones((count, 1)), -found.weights(weighting)], axis=1)
    direction = PM_PER_ANGSTROM * frame.to_crystal[axis]
    values = weights[:, :, None] * direction
    places = 2 * members[:, :, None] + np.arange(2)
    lines = np.broadcast_to(np.arange(count)[:, None, None], places.shape)
    made = sparse.coo_matrix((values.ravel(), (lines.ravel(), places.ravel())), shape=(count, 2 * columns_count))
    return made.tocsr()


@dataclass(frozen=True)
class Displacements:
    """Each cation's displacement along one axis.

    Parameters
    ----------
    plane, row : ndarray of int
        (K,) of the cations.
    is_site_a : ndarray of bool
        (K,).
    value_pm : ndarray
        (K,) cation minus oxygens [pm].
    covariance_pm2 : ndarray
        (K, K) from the covariance of all positions [pm^2].
    """

    plane: IntArray
    row: IntArray
    is_site_a: BoolArray
    value_pm: FloatArray
    covariance_pm2: FloatArray


def displacements(
    columns: AtomColumns, found: Octahedra, frame: CrystalFrame, axis: int, weighting: Weighting = "plain"
) -> Displacements:
    """Return the displacement of each cation along an axis, with the covariance that shared oxygens give.

    Parameters
    ----------
    columns, found, frame
        Positions, who belongs together, directions.
    axis : int
        0 along [110], + towards vacuum; 1 along [1-10].
    weighting : {'plain', 'octahedron'}
        Mean of the four columns, or of the octahedron's six atoms.
    """
    linear = displacement_map(found, len(columns.positions_angstrom), frame, axis, weighting)
    value = np.asarray(linear @ columns.positions_angstrom.ravel())
    covariance = np.asarray((linear @ columns.covariance_angstrom2 @ linear.T).todense())
    return Displacements(
        columns.plane[found.cation],
        columns.row[found.cation],
        found.is_site_a,
        value,
        0.5 * (covariance + covariance.T),
    )
