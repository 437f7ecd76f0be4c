"""The null control: a stack without displacement, of the film's own geometry and dose, through the whole chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.columns import FILE_ID, film_table
from rutile_assets.errors import FitFailed, RutileError
from rutile_assets.physics.column_lattice import D_ANGSTROM
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.provenance.film import Film, Outcome
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.provenance.tolerance import ON_GPU
from rutile_assets.simulation.null_stack import StackGeometry, null_stack
from rutile_assets.techniques.columns.assets import column_rows
from rutile_assets.techniques.columns.model import ColumnParameters, measure_columns, substrate_side
from rutile_assets.techniques.columns.tables import COLUMN_FIELDS, REPLICATE_INDEX

if TYPE_CHECKING:
    from rutile_assets.simulation.stem4d import Dataset

FloatArray = npt.NDArray[np.float64]
Row = Mapping[Any, Any]

MARGIN_ANGSTROM = 4.0  # of crystal beyond the reach of the beam's window

NULL_COLUMN = film_table(
    "null_column",
    "Atom columns of simulated stacks like the film's without displacement, reconstructed and fitted as the film was.",
    grain="one atom column of one null stack",
    key=("file_id", "replicate_index", "column_index"),
    columns=(FILE_ID, REPLICATE_INDEX, *COLUMN_FIELDS),
)


@dataclass(frozen=True)
class NullControlParameters:
    """What a person may choose.

    Parameters
    ----------
    replicates : int
        Stacks that are simulated and reconstructed, each as long as the film's own; 0 leaves the control out.
    phonons : int
        Frozen configurations of each simulated pattern.
    device : str
        ``auto`` takes a GPU where there is one, else the CPU.
    workers : int
        Threads on the CPU.
    """

    replicates: int = 1
    phonons: int = 4
    device: str = "auto"
    workers: int = 2


@film_asset(
    room="null_control",
    reads=("stem4d_calibration", "stem4d_thickness", "ptychography", "atom_column"),
    needs=("ptychography", "atom_column"),
    writes=(NULL_COLUMN,),
    parameters=NullControlParameters,
    kinds=("python", "torch"),
    pool="gpu",
    tolerance=ON_GPU,
)
def null_column(film: Film) -> Outcome:
    """Atom columns of simulated stacks like the film's in which no cation is displaced.

    Geometry, optics, dose, thickness and recipe are the film's own; the patterns are simulated with frozen phonons, a
    slice per atomic plane and finer pixels than the engine's, then reconstructed and fitted as the film was. What the
    chain finds in them it invents.
    """
    outcome, frames = Outcome(), []
    images = {int(row["file_id"]): row for row in film.table("atom_column_image").to_dict("records")}
    calibrations = {int(row["file_id"]): row for row in film.table("stem4d_calibration").to_dict("records")}
    for row in film.table("ptychography").to_dict("records"):
        file_id = int(row["file_id"])
        if file_id not in images:
            continue
        for replicate in range(1, film.parameters.replicates + 1):
            try:
                frames.append(_replicate(film, row, calibrations[file_id], images[file_id], replicate))
            except RutileError as fault:
                outcome.notes.append(f"File {file_id}, null stack {replicate}: {fault}")
    if frames:
        outcome.tables["null_column"] = pd.concat(frames, ignore_index=True)
        outcome.notes.append("Null stacks are simulated; no displacement was put in.")
    return outcome


def _replicate(film: Film, row: Row, calibration: Row, image: Row, replicate: int) -> pd.DataFrame:
    from rutile_assets.techniques.ptychography.run import reconstruct_like  # noqa: PLC0415 torch loads for seconds

    rng = np.random.default_rng([film.seed, replicate])
    scan = simulated_scan(film, row, calibration, image, rng)
    film.tell(f"null stack {replicate}: {scan.patterns.shape[0]} x {scan.patterns.shape[1]} patterns simulated")
    chosen = film.parameters
    iterations = film.table("ptychography_iteration")
    found = reconstruct_like(
        row, iterations[iterations.file_id == row["file_id"]], calibration, scan.patterns, scan.setup.rotation_deg,
        device=chosen.device, workers=chosen.workers,
    )  # fmt: skip
    rows, columns = found.field
    inner = found.depth_mean(int(image["first_slice_index"]), int(image["last_slice_index"]))[rows, columns]
    side = substrate_side(_text(calibration["slow_axis"]), "")[0]
    measured = measure_columns(inner, found.pixel_angstrom, "ptychography", side, ColumnParameters().edge_angstrom)
    made = column_rows(int(row["file_id"]), "ptychography", measured).drop(columns="image_kind")
    return made.assign(replicate_index=replicate)


def simulated_scan(film: Film, row: Row, calibration: Row, image: Row, rng: np.random.Generator) -> Dataset:
    """Return the film's scan over a stack of its own geometry without displacement.

    Parameters
    ----------
    film : Film
        For its fitted columns and its thickness.
    row, calibration, image : mapping
        The film's rows of ``ptychography``, ``stem4d_calibration`` and ``atom_column_image`` of one file.
    rng : Generator
        Of phonons, source, jitter and counting.

    Raises
    ------
    FitFailed
        The columns do not tell the stack.
    """
    from rutile_assets.simulation.multislice import Beam  # noqa: PLC0415 torch loads for seconds
    from rutile_assets.simulation.stem4d import Stem4dSetup, simulate_stem4d  # noqa: PLC0415

    columns = film.table("atom_column")
    geometry = stack_geometry(columns[columns.file_id == row["file_id"]], image, row)
    electrons = float(calibration["electrons_per_pattern_count"])
    setup = Stem4dSetup(
        beam=Beam(
            accelerating_voltage_kv=float(calibration["accelerating_voltage_kv"]),
            convergence_semi_angle_mrad=float(calibration["convergence_semi_angle_mrad"]),
            overfocus_nm=float(calibration["overfocus_nm"]),
        ),
        detector_pixels=int(calibration["detector_rows_count"]),
        detector_pixel_mrad=float(calibration["detector_pixel_mrad"]),
        scan=(int(calibration["scan_slow_count"]), int(calibration["scan_fast_count"])),
        step_nm=float(calibration["scan_step_nm"]),
        adu_per_electron=float(calibration["gain_factor"]),
        thickness_nm=float(row["slices_count"]) * float(row["slice_thickness_nm"]),
        phonons=film.parameters.phonons,
        rotation_deg=_upright(calibration).positions_rotation_deg,
    )
    setup = replace(setup, current_pa=setup.current_pa * electrons / setup.electrons)
    half = 0.5 * setup.grid.pixels * setup.grid.pixel_angstrom * (1.5 if setup.rotation_deg else 1.0) + MARGIN_ANGSTROM
    geometry = _turned(geometry, setup.orientation.T)
    far = 10.0 * setup.step_nm * (np.array(setup.scan) - 1)
    return simulate_stem4d(setup, null_stack(geometry, np.full(2, -half), far + half), np.zeros(2), rng)


def _upright(calibration: Row) -> UprightPatterns:
    turn = calibration["detector_rotation_deg"]
    centre = (float(calibration["disc_row_index"]), float(calibration["disc_column_index"]))
    mirrored: Any = calibration["detector_transpose"]
    is_mirrored = bool(mirrored) if pd.notna(mirrored) else False
    return UprightPatterns(None, centre, 0.0 if pd.isna(turn) else float(turn), is_mirrored)


def _turned(geometry: StackGeometry, turn: FloatArray) -> StackGeometry:
    vectors = (geometry.normal_step_angstrom, geometry.along_step_angstrom, geometry.origin_angstrom)
    normal, along, origin = (turn @ vector for vector in vectors)
    return replace(geometry, normal_step_angstrom=normal, along_step_angstrom=along, origin_angstrom=origin)


def stack_geometry(columns: pd.DataFrame, image: Row, row: Row) -> StackGeometry:
    """Return the planes that a film's fitted cations stand in, in the object's coordinates.

    Parameters
    ----------
    columns : DataFrame
        Rows of ``atom_column`` of one image.
    image, row : mapping
        Its rows of ``atom_column_image`` and of ``ptychography``.

    Raises
    ------
    FitFailed
        Fewer than two planes of cations.
    """
    cations = columns[columns.plane_index.notna()]
    planes = np.arange(cations.plane_index.min(), cations.plane_index.max() + 1).astype(int)
    steps = 10.0 * np.array(
        [[image["plane_step_y_nm"], image["along_step_y_nm"]], [image["plane_step_x_nm"], image["along_step_x_nm"]]]
    )
    corner = np.array(
        [
            row["origin_slow_nm"] + row["field_first_row_index"] * row["object_pixel_nm"],
            row["origin_fast_nm"] + row["field_first_column_index"] * row["object_pixel_nm"],
        ]
    )
    at = 10.0 * (cations[["column_y_nm", "column_x_nm"]].to_numpy(dtype=float) + corner)
    normal, along = np.linalg.solve(steps, at.T)
    number = cations.plane_index.to_numpy(dtype=int)
    shift = float(np.mean(along - cations.along_index.to_numpy(dtype=float)))
    heights = pd.Series(normal).groupby(number).mean().reindex(planes).interpolate(limit_direction="both")
    elements = cations.groupby(number).element.agg(lambda names: names.mode().iloc[0]).reindex(planes).ffill()
    if len(planes) < 2:
        raise FitFailed(f"{len(planes)} planes of cations", "two at least", "Take a larger scan.")
    sites = cations[cations.site.notna()]
    parity = (sites.plane_index.astype(int) - planes[0] + sites.along_index.astype(int)) % 2
    votes = np.where(sites.site == "A", 1, -1) * np.where(parity == 0, 1, -1)
    return StackGeometry(
        tuple(str(name) for name in elements),
        D_ANGSTROM * (heights.to_numpy(dtype=float)),
        steps[:, 0],
        steps[:, 1],
        steps @ np.array([0.0, shift]),
        bool(votes.sum() >= 0),
    )


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


ROOM = Room(name="null_control", title="Null control", folders=(), check=None, assets=(null_column,))
