"""An image to fitted columns: where to start, the joint fit, elements, edges, the redrawn null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.ndimage import distance_transform_edt, map_coordinates

from rutile_assets.errors import FitFailed
from rutile_assets.physics.column_fit import ColumnFit, fit_columns
from rutile_assets.physics.column_lattice import D_ANGSTROM, Sites, rutile_sites
from rutile_assets.physics.column_lattice import OUTWARD as SIDES
from rutile_assets.physics.column_redraw import redraw, without_displacement
from rutile_assets.physics.displacement import (
    NO_PLANE,
    AtomColumns,
    ColumnLattice,
    frame_from_lattice,
    lattice_of_columns,
    octahedra,
)
from rutile_assets.physics.interfaces import Layers, layers, plane_amplitudes

FloatArray = npt.NDArray[np.float64]

OXYGEN_REACH_ANGSTROM = 2.0  # an oxygen may stand that much nearer to the edge than the cation it belongs to
FAR_PLANES = 3  # TiO2 that many planes from an interface is the ruler
CORRELATION_FLOOR = 1e-4  # covariances below are not kept
MOST_COUPLED = 2500  # columns beyond which only each column's own covariance is kept: a matrix of gigabytes otherwise


@dataclass(frozen=True)
class ColumnParameters:
    """What a person may choose.

    Parameters
    ----------
    edge_angstrom : float
        Cations nearer to the scan's edge are not measured; their oxygens may stand 2 angstrom nearer.
    outer_depth_fraction : float
        Of the slices at each end of the depth, left out of the mean: damage, contamination, relaxed surfaces.
    null_replicates : int
        Redrawn images without displacement; 0 leaves the control out.
    substrate_side : str
        ``top``, ``bottom``, ``left`` or ``right`` of the image, where neither sidecar nor stack says it.
    """

    edge_angstrom: float = 3.0
    outer_depth_fraction: float = 0.2
    null_replicates: int = 6
    substrate_side: str = ""


@dataclass(frozen=True)
class MeasuredColumns:
    """Fitted columns of one image.

    Parameters
    ----------
    sites : Sites
        What was looked for.
    fit : ColumnFit
        What was found.
    columns : AtomColumns
        Positions with covariance, planes and rows [angstrom].
    element : ndarray of str
        (C,) after the planes were told apart.
    lattice : ColumnLattice
        Of the far TiO2.
    layers : Layers
        Of the planes.
    unit_height : float
        Height of the median Ti column, in the image's unit.
    """

    sites: Sites
    fit: ColumnFit
    columns: AtomColumns
    element: npt.NDArray[np.str_]
    lattice: ColumnLattice
    layers: Layers
    unit_height: float


def interior(slices: int, outer_fraction: float) -> tuple[int, int]:
    """Return the first and the last slice of the depth's interior, at least one."""
    left_out = min(int(np.floor(outer_fraction * slices)), (slices - 1) // 2)
    return left_out, slices - 1 - left_out


def measure_columns(
    image: FloatArray, pixel_angstrom: float, kind: str, substrate: str, edge_angstrom: float
) -> MeasuredColumns:
    """Find and fit the columns of an image.

    Parameters
    ----------
    image : ndarray
        (Y, X) columns bright; NaN where a pixel is not to be used.
    pixel_angstrom : float
        [angstrom].
    kind : {'ptychography', 'haadf'}
        Whether oxygen is seen.
    substrate : str
        ``top``, ``bottom``, ``left`` or ``right``.
    edge_angstrom : float
        Cations nearer to the edge are not usable [angstrom].

    Raises
    ------
    FitFailed
        No rutile along [001] is found, or too little of it.
    """
    which = "phase" if kind == "ptychography" else "haadf"
    sites = rutile_sites(image, pixel_angstrom, which=which, substrate_side=substrate)
    is_scanned = kind == "haadf"
    fit = fit_columns(image, pixel_angstrom, sites.start_angstrom, sites.element.tolist(), is_scanned=is_scanned)
    told, element = _told_apart(fit, sites)
    if (element != sites.element).any():
        fit = fit_columns(image, pixel_angstrom, fit.positions_angstrom, element.tolist(), is_scanned=is_scanned)
        told, _ = _told_apart(fit, sites)
    columns = AtomColumns(
        fit.positions_angstrom,
        _covariance(fit),
        element == "O",
        _inside(fit, image, pixel_angstrom, element, edge_angstrom) & ~sites.is_contaminated,
        np.where(element == "O", NO_PLANE, sites.plane_index).astype(np.int64),
        np.where(element == "O", NO_PLANE, sites.row_index).astype(np.int64),
    )
    titanium = element == "Ti"
    if not titanium.any():
        raise FitFailed("no Ti column", "TiO2 in the field: it is the ruler", "Take a wider field.")
    unit = float(np.median(fit.amplitude[titanium]))
    return MeasuredColumns(sites, fit, columns, element, _ruler(columns, titanium, told), told, unit)


def _told_apart(fit: ColumnFit, sites: Sites) -> tuple[Layers, npt.NDArray[np.str_]]:
    """Return the planes' layers and each column's element by its plane; where that tells none, by the nearest."""
    is_cation = sites.element != "O"
    clear = is_cation & ~sites.is_outside & ~sites.is_contaminated
    told = layers(plane_amplitudes(sites.plane_index[clear], fit.amplitude[clear]))
    nearest = np.abs(sites.plane_index[:, None] - told.plane).argmin(1)
    return told, np.where(is_cation, np.where(told.is_ruthenium[nearest], "Ru", "Ti"), "O")


def _inside(
    fit: ColumnFit, image: FloatArray, pixel: float, element: npt.NDArray[np.str_], edge: float
) -> npt.NDArray[np.bool_]:
    """Return which columns stand far enough from the rim of the pixels that are used."""
    depth = distance_transform_edt(np.pad(np.isfinite(image), 1)) - 1.0
    at = fit.positions_angstrom / pixel + 1.0
    away = pixel * map_coordinates(depth, at.T, order=1, mode="constant", cval=-1.0)
    return np.asarray(away >= np.where(element == "O", max(edge - OXYGEN_REACH_ANGSTROM, 0.0), edge))


def _ruler(columns: AtomColumns, titanium: npt.NDArray[np.bool_], told: Layers) -> ColumnLattice:
    """Return the lattice of TiO2 far from the interfaces; nearer, then of all cations, where that is too little."""
    away = np.full(len(columns.plane), np.inf)
    for below in told.below:
        away = np.minimum(away, np.abs(columns.plane - (below + 0.5)))
    for chosen in (titanium & (away > FAR_PLANES), titanium):
        try:
            return lattice_of_columns(columns, chosen, told.below)
        except FitFailed:
            continue
    return lattice_of_columns(columns, ~columns.is_oxygen, told.below)


def _covariance(fit: ColumnFit) -> sparse.csr_matrix:
    """Return the covariance (2C, 2C) [angstrom^2] of y1, x1, y2, ... without correlations that are next to nothing."""
    if len(fit.species) > MOST_COUPLED:
        return sparse.csr_matrix(sparse.block_diag(fit.position_covariance_angstrom2))
    whole = fit.covariance_angstrom2(np.eye(2 * len(fit.species)))
    std = np.sqrt(np.diag(whole))
    return sparse.csr_matrix(np.where(np.abs(whole) > CORRELATION_FLOOR * np.outer(std, std), whole, 0.0))


@dataclass(frozen=True)
class Redrawn:
    """Columns of a redrawn image.

    Parameters
    ----------
    drawn_angstrom, found_angstrom : ndarray
        (C, 2) where they were drawn and where the fit found them [angstrom].
    """

    drawn_angstrom: FloatArray
    found_angstrom: FloatArray


def redrawn_null(measured: MeasuredColumns, pixel_angstrom: float, rng: np.random.Generator) -> Redrawn:
    """Draw the image again with no displacement in it, and fit it from the same start.

    Raises
    ------
    FitFailed
        No cation has four oxygens, or the fit fails.
    """
    frame = frame_from_lattice(measured.lattice.plane_step_angstrom, measured.lattice.row_step_angstrom, D_ANGSTROM)
    found = octahedra(measured.columns, frame)
    drawn = without_displacement(measured.fit.positions_angstrom, found)
    image = redraw(measured.fit, pixel_angstrom, drawn, rng)
    again = fit_columns(
        image, pixel_angstrom, measured.sites.start_angstrom, measured.element.tolist(), is_scanned=False
    )
    return Redrawn(drawn, again.positions_angstrom)


def part_positions(measured: MeasuredColumns, images: FloatArray, pixel_angstrom: float) -> tuple[FloatArray, float]:
    """Return the columns' positions (2, C, 2) in images of two parts of the depth, and their noise variance's ratio.

    Parameters
    ----------
    measured : MeasuredColumns
        Of the whole.
    images : ndarray
        (2, Y, X) of the parts.
    pixel_angstrom : float
        [angstrom].
    """
    fits = [
        fit_columns(image, pixel_angstrom, measured.fit.positions_angstrom, measured.element.tolist(), is_scanned=False)
        for image in images
    ]
    whole = np.trace(measured.fit.position_covariance_angstrom2, axis1=1, axis2=2)
    parts = [np.trace(fit.position_covariance_angstrom2, axis1=1, axis2=2) for fit in fits]
    ratio = float(np.median(np.mean(parts, axis=0) / whole))
    return np.stack([fit.positions_angstrom for fit in fits]), ratio


def packed(covariance: sparse.csr_matrix) -> FloatArray:
    """Return a sparse matrix as (3, N): row, column, value."""
    entries = covariance.tocoo()
    return np.stack([entries.row.astype(np.float64), entries.col.astype(np.float64), entries.data])


def substrate_side(slow_axis: str | None, chosen: str) -> tuple[str, str, bool]:
    """Return the substrate's side of an image whose rows go along the slow axis, who says so, and whether anybody does.

    Parameters
    ----------
    slow_axis : str or None
        Crystal direction of the slow scan axis, of the calibration.
    chosen : str
        What a person set; it wins.

    Raises
    ------
    FitFailed
        The person's word is no side.
    """
    if chosen:
        if chosen not in SIDES:
            raise FitFailed(f"substrate_side {chosen!r}", f"one of {', '.join(SIDES)}", "Correct rutile.yaml.")
        return chosen, "substrate_side of the settings", True
    written = "" if slow_axis is None else slow_axis.replace(" ", "").replace("bar", "-").strip("[]")
    known = {"110": "top", "-1-10": "bottom"}
    if written in known:
        return known[written], f"slow_axis {slow_axis} of the calibration: the slow scan runs along it", True
    if written in {"1-10", "-110"}:
        told = f"slow_axis {slow_axis} says that the normal is the fast axis and not which way"
        return "left", f"{told}: taken as from left to right, so the sign is a guess.", False
    told = "no slow_axis in the calibration" if not written else f"slow_axis {slow_axis} is not along the film's normal"
    return "top", f"Nobody says which way is out ({told}): taken as down the rows, so the sign is a guess.", False


def side_from_normal(normal_angle_deg: float | None, chosen: str) -> tuple[str, str, bool]:
    """Return what `substrate_side` does, of an image whose normal [110] is given as an angle.

    Parameters
    ----------
    normal_angle_deg : float or None
        [110] outwards, counterclockwise from the rows' direction as seen; 90 is upwards [deg].
    chosen : str
        What a person set; it wins.

    Raises
    ------
    FitFailed
        The person's word is no side.
    """
    if chosen:
        return substrate_side(None, chosen)
    if normal_angle_deg is None:
        return "bottom", "Nobody says which way is out (no normal_angle_deg): taken as upwards, a guess.", False
    angle = np.deg2rad(normal_angle_deg)
    outward = np.array([-np.sin(angle), np.cos(angle)])
    side = max(SIDES, key=lambda name: float(outward @ np.array(SIDES[name])))
    return side, f"normal_angle_deg {normal_angle_deg:g} of the sidecar", True
