"""From the tables of fitted columns to plane means, nulls, layers and thickness of one image: no lake, no Dagster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from rutile_assets.physics.column_lattice import D_ANGSTROM
from rutile_assets.physics.displacement import (
    NO_PLANE,
    AtomColumns,
    CrystalFrame,
    Octahedra,
    Weighting,
    displacements,
    frame_from_lattice,
    lattice_of_columns,
    octahedra,
)
from rutile_assets.physics.interfaces import Layers, Thickness, layers, plane_amplitudes, thickness
from rutile_assets.physics.null_tests import NullProfile, null_profile
from rutile_assets.physics.plane_profile import RESAMPLES, Pair, PlaneProfile, plane_profile, with_spread

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FittedImage:
    """Columns of one image as the tables tell them.

    Parameters
    ----------
    columns : AtomColumns
        Positions [angstrom] and their covariance.
    frame : CrystalFrame
        From the far TiO2.
    height : ndarray
        (C,) of the columns, over the median Ti column's.
    element : ndarray of str
        (C,).
    depths, data : tuple or None
        (2, C, 2) positions in two halves of the depth, or of the patterns [angstrom], and their noise variance over the
        whole image's.
    scale_std : float
        Relative one sigma of the ruler.
    """

    columns: AtomColumns
    frame: CrystalFrame
    height: FloatArray
    element: npt.NDArray[np.str_]
    depths: tuple[FloatArray, float] | None
    data: tuple[FloatArray, float] | None
    scale_std: float


def fitted_image(rows: pd.DataFrame, image: Mapping[Any, Any], read_array: Callable[[str], FloatArray]) -> FittedImage:
    """Return an image's columns from the rows of ``atom_column`` and its row of ``atom_column_image``."""
    rows = rows.sort_values("column_index")
    packed = read_array(image["position_covariance_array"])
    count = len(rows)
    places = packed[:2].astype(np.intp)
    wide = sparse.coo_matrix((packed[2], (places[0], places[1])), shape=(2 * count, 2 * count)).tocsr()
    depths, data = (
        None
        if pd.isna(image[f"{which}_positions_array"])
        else (10.0 * read_array(image[f"{which}_positions_array"]), float(image[f"{which}_variance_ratio"]))
        for which in ("part", "half")
    )
    steps = [
        10.0 * np.array([image[f"{which}_step_y_nm"], image[f"{which}_step_x_nm"]]) for which in ("plane", "along")
    ]
    return FittedImage(
        atom_columns(rows, wide),
        frame_from_lattice(steps[0], steps[1], D_ANGSTROM),
        rows.height_ratio.to_numpy(dtype=float, na_value=np.nan),
        rows.element.to_numpy(dtype=str),
        depths,
        data,
        float(image["image_scale_factor_std"]) / float(image["image_scale_factor"]),
    )


def atom_columns(rows: pd.DataFrame, covariance_angstrom2: sparse.csr_matrix) -> AtomColumns:
    """Return columns from rows that have ``COLUMN_FIELDS``, with a covariance [angstrom^2]."""
    return AtomColumns(
        10.0 * rows[["column_y_nm", "column_x_nm"]].to_numpy(dtype=float),
        covariance_angstrom2,
        (rows.element == "O").to_numpy(dtype=bool),
        rows.is_usable.to_numpy(dtype=bool),
        rows.plane_index.to_numpy(dtype=float, na_value=NO_PLANE).astype(np.int64),
        rows.along_index.to_numpy(dtype=float, na_value=NO_PLANE).astype(np.int64),
    )


@dataclass(frozen=True)
class Measured:
    """Plane means of an image.

    Parameters
    ----------
    found : Octahedra
        The cations that have four oxygens.
    out_of_plane, in_plane : PlaneProfile
        Against the mean of four columns.
    octahedron : PlaneProfile
        Out of plane, against the octahedron's six atoms.
    """

    found: Octahedra
    out_of_plane: PlaneProfile
    in_plane: PlaneProfile
    octahedron: PlaneProfile


def measure(image: FittedImage, rng: np.random.Generator, calibrated_pm: float = 0.0) -> Measured:
    """Return the plane means of an image, with all that is known of their errors.

    Parameters
    ----------
    image : FittedImage
        Its columns.
    rng : Generator
        Of the bootstrap.
    calibrated_pm : float
        One sigma of what a plane mean of such images gets wrong at known truth [pm].

    Raises
    ------
    FitFailed
        The image shows no cation with four oxygens, or no plane of them.
    """
    found = octahedra(image.columns, image.frame)

    def profile(axis: int, weighting: Weighting) -> PlaneProfile:
        def of(columns: AtomColumns, resamples: int) -> PlaneProfile:
            return plane_profile(displacements(columns, found, image.frame, axis, weighting), rng, resamples=resamples)

        def pair(parts: tuple[FloatArray, float] | None) -> Pair | None:
            if parts is None:
                return None
            wider = replace(image.columns, covariance_angstrom2=image.columns.covariance_angstrom2 * parts[1])
            first, second = (of(replace(wider, positions_angstrom=at), 0) for at in parts[0])
            return first, second

        return with_spread(of(image.columns, RESAMPLES), pair(image.depths), pair(image.data), calibrated_pm)

    return Measured(found, profile(0, "plain"), profile(1, "plain"), profile(0, "octahedron"))


def image_null(image: FittedImage, found: Octahedra, drawn: pd.DataFrame, rng: np.random.Generator) -> NullProfile:
    """Return what the fit makes of the redrawn image: refitted displacements less those that were drawn.

    Parameters
    ----------
    image : FittedImage
        What was redrawn.
    found : Octahedra
        Its cations with four oxygens.
    drawn : DataFrame
        Rows of ``atom_column_null``.
    rng : Generator
        Of the profiles.
    """
    profiles = []
    for _, replicate in drawn.groupby("replicate_index"):
        rows = replicate.sort_values("column_index")
        moved = 10.0 * (
            rows[["refitted_y_nm", "refitted_x_nm"]].to_numpy(dtype=float)
            - rows[["drawn_y_nm", "drawn_x_nm"]].to_numpy(dtype=float)
        )
        columns = replace(image.columns, positions_angstrom=moved)
        profiles.append(plane_profile(displacements(columns, found, image.frame, 0), rng, resamples=0))
    return null_profile(profiles)


def pipeline_null(rows: pd.DataFrame, first_below: int | None, rng: np.random.Generator) -> NullProfile:
    """Return the null of stacks that went through the whole pipeline, its planes numbered like the film's.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``null_column`` of one file.
    first_below : int or None
        The film's plane under its lowest interface, which the null's is put on; None where it has no interface.
    rng : Generator
        Of the profiles.

    Raises
    ------
    FitFailed
        A null stack has no cation with four oxygens.
    """
    profiles = []
    for _, replicate in rows.groupby("replicate_index"):
        ordered = replicate.sort_values("column_index")
        std = 10.0 * ordered[["column_y_nm_std", "column_x_nm_std"]].to_numpy(dtype=float)
        columns = atom_columns(ordered, sparse.diags(std.ravel() ** 2).tocsr())
        below = _layers(columns, ordered.height_ratio.to_numpy(dtype=float, na_value=np.nan)).below
        lattice = lattice_of_columns(columns, ordered.element.to_numpy(dtype=str) == "Ti", below)
        frame = frame_from_lattice(lattice.plane_step_angstrom, lattice.row_step_angstrom, D_ANGSTROM)
        profile = plane_profile(displacements(columns, octahedra(columns, frame), frame, 0), rng, resamples=0)
        shift = first_below - below[0] if first_below is not None and below else 0
        profiles.append(replace(profile, plane=profile.plane + shift))
    return null_profile(profiles)


def stack_of(image: FittedImage) -> tuple[Layers, Thickness, FloatArray, FloatArray]:
    """Return the planes as Ti and Ru, interfaces and thickness, and each plane's height and its one sigma (P,) [nm]."""
    told = _layers(image.columns, image.height)
    cations = ~image.columns.is_oxygen & image.columns.is_usable
    direction = 0.1 * image.frame.to_crystal[0]
    linear = np.zeros((len(told.plane), 2 * len(cations)))
    for line, plane in zip(linear, told.plane, strict=True):
        members = np.flatnonzero(cations & (image.columns.plane == plane))
        for axis in range(2):
            line[2 * members + axis] = direction[axis] / len(members)
    height = linear @ image.columns.positions_angstrom.ravel()
    covariance = linear @ (image.columns.covariance_angstrom2 @ linear.T)
    return told, thickness(told, height, covariance), height, np.sqrt(np.diag(covariance))


def _layers(columns: AtomColumns, height: FloatArray) -> Layers:
    used = ~columns.is_oxygen & columns.is_usable & (columns.plane != NO_PLANE) & np.isfinite(height)
    return layers(plane_amplitudes(columns.plane[used], height[used]))
