"""The atom column room: images of reconstructions and of HAADF to fitted columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import RutileError
from rutile_assets.physics.column_lattice import D_ANGSTROM
from rutile_assets.provenance.film import Film, Outcome
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.columns import figures
from rutile_assets.techniques.columns.model import (
    ColumnParameters,
    MeasuredColumns,
    interior,
    measure_columns,
    packed,
    part_positions,
    redrawn_null,
    side_from_normal,
    substrate_side,
)
from rutile_assets.techniques.columns.tables import ATOM_COLUMN, ATOM_COLUMN_IMAGE, ATOM_COLUMN_NULL

FloatArray = npt.NDArray[np.float64]


@film_asset(
    room="columns",
    reads=("stem4d_calibration", "ptychography", "haadf"),
    writes=(ATOM_COLUMN, ATOM_COLUMN_IMAGE, ATOM_COLUMN_NULL),
    parameters=ColumnParameters,
    kinds=("python", "scipy"),
    figure=figures.columns,
)
def atom_column(film: Film) -> Outcome:
    """Atom columns of every image, fitted together: place, height, element, site and plane, with all covariances.

    Of a reconstruction it is the mean of the interior slices, inside the field that was scanned. The same image is
    drawn again without displacement and fitted again: what the fit makes of nothing.
    """
    outcome, rows, images, nulls = Outcome(), [], [], []
    slow_axes = {int(row["file_id"]): row["slow_axis"] for row in film.table("stem4d_calibration").to_dict("records")}
    for row in film.table("ptychography").to_dict("records"):
        file_id = int(row["file_id"])
        try:
            told, frame, null = _of_reconstruction(film, row, slow_axes.get(file_id))
        except RutileError as fault:
            outcome.notes.append(f"Reconstruction of file {file_id}: no columns: {fault}")
            continue
        images.append(told)
        rows.append(frame)
        nulls += null
    for row in film.table("haadf").to_dict("records"):
        try:
            told, frame = _of_haadf(film, row)
        except RutileError as fault:
            outcome.notes.append(f"HAADF {row['image_series']}: no columns: {fault}")
            continue
        images.append(told)
        rows.append(frame)
    if rows:
        outcome.tables = {
            "atom_column": pd.concat(rows, ignore_index=True),
            "atom_column_image": pd.DataFrame(images),
        }
    if nulls:
        outcome.tables["atom_column_null"] = pd.concat(nulls, ignore_index=True)
    return outcome


def _of_reconstruction(
    film: Film, row: Mapping[Any, Any], slow_axis: Any
) -> tuple[dict[str, object], pd.DataFrame, list[pd.DataFrame]]:
    chosen: ColumnParameters = film.parameters
    field = (
        slice(int(row["field_first_row_index"]), int(row["field_last_row_index"]) + 1),
        slice(int(row["field_first_column_index"]), int(row["field_last_column_index"]) + 1),
    )
    seen = film.array(row["object_array"])[:, *field]
    first, last = interior(len(seen), chosen.outer_depth_fraction)
    inner = seen[first : last + 1]
    pixel = 10.0 * float(row["object_pixel_nm"])
    side, who, is_known = substrate_side(None if pd.isna(slow_axis) else str(slow_axis), chosen.substrate_side)
    image = inner.mean(0)
    measured = measure_columns(image, pixel, "ptychography", side, chosen.edge_angstrom)
    told = image_row(film, int(row["file_id"]), "ptychography", image, pixel, measured)
    told |= {
        "first_slice_index": first,
        "last_slice_index": last,
        "has_known_sign": is_known,
        "sign_source": who,
    }
    if len(inner) > 1:
        half = len(inner) // 2
        parts, ratio = part_positions(measured, np.stack([inner[:half].mean(0), inner[half:].mean(0)]), pixel)
        told["part_positions_array"] = film.store("column_positions", 0.1 * parts, unit="nm")
        told["part_variance_ratio"] = ratio
    if not pd.isna(row["halves_array"]):
        halves = film.array(row["halves_array"])[:, first : last + 1, *field].mean(1)
        parts, ratio = part_positions(measured, halves, pixel)
        told["half_positions_array"] = film.store("column_half_positions", 0.1 * parts, unit="nm")
        told["half_variance_ratio"] = ratio
    return told, column_rows(int(row["file_id"]), "ptychography", measured), _nulls(film, row, measured, pixel)


def _of_haadf(film: Film, row: Mapping[Any, Any]) -> tuple[dict[str, object], pd.DataFrame]:
    chosen: ColumnParameters = film.parameters
    angle = None if pd.isna(row["normal_angle_deg"]) else float(row["normal_angle_deg"])
    side, who, is_known = side_from_normal(angle, chosen.substrate_side)
    image, pixel = film.array(row["haadf_array"]), 10.0 * float(row["pixel_nm"])
    measured = measure_columns(image, pixel, "haadf", side, chosen.edge_angstrom)
    told = image_row(film, int(row["file_id"]), "haadf", image, pixel, measured)
    return told | {"has_known_sign": is_known, "sign_source": who}, column_rows(int(row["file_id"]), "haadf", measured)


def _nulls(film: Film, row: Mapping[Any, Any], measured: MeasuredColumns, pixel: float) -> list[pd.DataFrame]:
    rng = np.random.default_rng(film.seed)
    made = []
    for replicate in range(1, film.parameters.null_replicates + 1):
        redrawn = redrawn_null(measured, pixel, rng)
        made.append(
            pd.DataFrame(
                {
                    "file_id": int(row["file_id"]),
                    "replicate_index": replicate,
                    "column_index": np.arange(1, len(measured.element) + 1),
                    "drawn_y_nm": 0.1 * redrawn.drawn_angstrom[:, 0],
                    "drawn_x_nm": 0.1 * redrawn.drawn_angstrom[:, 1],
                    "refitted_y_nm": 0.1 * redrawn.found_angstrom[:, 0],
                    "refitted_x_nm": 0.1 * redrawn.found_angstrom[:, 1],
                }
            )
        )
    return made


def column_rows(file_id: int, kind: str, measured: MeasuredColumns) -> pd.DataFrame:
    """Return the rows of ``atom_column`` of one image; a null stack's have the same fields."""
    fit, columns = measured.fit, measured.columns
    std = 0.1 * np.sqrt(np.diagonal(fit.position_covariance_angstrom2, axis1=1, axis2=2))
    is_cation = measured.element != "O"
    made = pd.DataFrame(
        {
            "file_id": file_id,
            "image_kind": kind,
            "column_index": np.arange(1, len(is_cation) + 1),
            "element": measured.element,
            "site": [s if c and s else None for s, c in zip(measured.sites.site, is_cation, strict=True)],
            "plane_index": pd.array(np.where(is_cation, columns.plane, 0), dtype="Int32"),
            "along_index": pd.array(np.where(is_cation, columns.row, 0), dtype="Int32"),
            "column_y_nm": 0.1 * fit.positions_angstrom[:, 0],
            "column_y_nm_std": std[:, 0],
            "column_x_nm": 0.1 * fit.positions_angstrom[:, 1],
            "column_x_nm_std": std[:, 1],
            "height_ratio": fit.amplitude / measured.unit_height,
            "height_ratio_std": fit.amplitude_std / measured.unit_height,
            "is_usable": columns.is_usable,
        }
    )
    made.loc[~is_cation, ["plane_index", "along_index"]] = pd.NA
    for name in ("column_y_nm", "column_x_nm", "height_ratio"):
        made[f"{name}_std_source"] = "covariance"
    return made


def image_row(
    film: Film, file_id: int, kind: str, image: FloatArray, pixel_angstrom: float, measured: MeasuredColumns
) -> dict[str, object]:
    """Return the row of ``atom_column_image`` but for what its kind of image alone has."""
    fit, lattice = measured.fit, measured.lattice
    is_oxygen = measured.element == "O"
    weakest = min(float(np.median(fit.amplitude[measured.element == e])) for e in np.unique(measured.element))
    scale = lattice.mean_step_angstrom / D_ANGSTROM
    axes = {"pixel_nm": 0.1 * pixel_angstrom}
    return {
        "file_id": file_id,
        "image_kind": kind,
        "image_array": film.store("column_image", image, **axes),
        "residual_array": film.store("column_residual", fit.residual, **axes),
        "position_covariance_array": film.store(
            "column_covariance", packed(measured.columns.covariance_angstrom2), unit="angstrom2"
        ),
        "image_pixel_nm": 0.1 * pixel_angstrom,
        "plane_step_y_nm": 0.1 * lattice.plane_step_angstrom[0],
        "plane_step_x_nm": 0.1 * lattice.plane_step_angstrom[1],
        "along_step_y_nm": 0.1 * lattice.row_step_angstrom[0],
        "along_step_x_nm": 0.1 * lattice.row_step_angstrom[1],
        "image_scale_factor": scale,
        "image_scale_factor_std": lattice.mean_step_std / D_ANGSTROM,
        "image_scale_factor_std_source": "covariance",
        "lattice_rms_pm": lattice.rms_pm,
        "columns_count": len(is_oxygen),
        "oxygen_columns_count": int(is_oxygen.sum()),
        "edge_columns_count": int((~measured.columns.is_usable).sum()),
        "core_cation_pm": 100.0 * fit.shapes["Ti"][0],
        "core_oxygen_pm": 100.0 * fit.shapes["O"][0] if is_oxygen.any() else None,
        "peak_over_noise_ratio": weakest / fit.residual_std,
        "image_reduced_chi_square": fit.reduced_chi_square,
        "notes": " ".join([*measured.sites.notes, *fit.notes]),
    }


ROOM = Room(name="columns", title="Atom columns", folders=(), check=None, assets=(atom_column,))
