"""The ptychography room: 4D-STEM scans to an object with depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rutile_assets.errors import RutileError
from rutile_assets.provenance.film import Film, Outcome, RawFile
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.provenance.tolerance import ON_GPU
from rutile_assets.techniques.ptychography import figures
from rutile_assets.techniques.ptychography.parameters import PtychographyParameters
from rutile_assets.techniques.ptychography.tables import (
    PTYCHOGRAPHY,
    PTYCHOGRAPHY_CORRELATION,
    PTYCHOGRAPHY_ITERATION,
    PTYCHOGRAPHY_MODE,
)

if TYPE_CHECKING:
    from rutile_assets.techniques.ptychography.run import Run
    from rutile_assets.techniques.ptychography.solver import Reconstruction
    from rutile_assets.techniques.ptychography.uncertainty import ShellCorrelation


@film_asset(
    room="ptychography",
    files="stem4d",
    reads=("stem4d_calibration", "stem4d_thickness"),
    writes=(PTYCHOGRAPHY, PTYCHOGRAPHY_ITERATION, PTYCHOGRAPHY_MODE, PTYCHOGRAPHY_CORRELATION),
    parameters=PtychographyParameters,
    kinds=("python", "torch"),
    figure=figures.reconstruction,
    pool="gpu",
    tolerance=ON_GPU,
)
def ptychography(film: Film) -> Outcome:
    """Multislice mixed-state electron ptychography: the phase that each slice of the sample gives the beam.

    Detector, dose and thickness come from the calibration, a thickness that nobody gave from the mean pattern (PACBED);
    patterns that are missing are left out. A run that was killed goes on from its last checkpoint, bit for bit.
    """
    from rutile_assets.techniques.ptychography.run import reconstruct_file  # noqa: PLC0415 torch loads for seconds

    outcome = Outcome()
    calibrations = {int(row["file_id"]): row for row in film.table("stem4d_calibration").to_dict("records")}
    rows, iterations, modes, rings = [], [], [], []
    for file in film.files:
        if file.file_id not in calibrations:
            continue
        try:
            run = reconstruct_file(film, file, calibrations[file.file_id])
        except RutileError as fault:
            outcome.notes.append(f"{file.name}: not reconstructed: {fault}")
            continue
        rows.append(_row(film, file, run))
        outcome.notes += [f"{file.name}: {note}" for note in run.found.notes]
        iterations.append(_iterations(file.file_id, run.found))
        modes += [
            {"file_id": file.file_id, "mode_index": number, "power_fraction": power}
            for number, power in enumerate(run.found.mode_fractions, start=1)
        ]
        if run.halves is not None:
            rings.append(_rings(file.file_id, run.halves[0]))
    if rows:
        outcome.tables = {
            "ptychography": pd.DataFrame(rows),
            "ptychography_iteration": pd.concat(iterations, ignore_index=True),
            "ptychography_mode": pd.DataFrame(modes),
        }
    if rings:
        outcome.tables["ptychography_correlation"] = pd.concat(rings, ignore_index=True)
    return outcome


def _row(film: Film, file: RawFile, run: Run) -> dict[str, object]:
    found, halves = run.found, run.halves
    rows, columns = found.field
    probe = np.stack([found.probe.real, found.probe.imag]).astype(float)
    axes = {"unit": "rad", "pixel_nm": 0.1 * found.pixel_angstrom, "slice_nm": 0.1 * found.slice_angstrom}
    row: dict[str, object] = {
        "file_id": file.file_id,
        "recipe": run.recipe.name,
        "computed_on": run.device,
        "slices_count": len(found.potential_rad),
        "slice_thickness_nm": 0.1 * found.slice_angstrom,
        "modes_count": len(found.probe),
        "object_pixel_nm": 0.1 * found.pixel_angstrom,
        "origin_slow_nm": 0.1 * found.origin_angstrom[0],
        "origin_fast_nm": 0.1 * found.origin_angstrom[1],
        "field_first_row_index": rows.start,
        "field_last_row_index": rows.stop - 1,
        "field_first_column_index": columns.start,
        "field_last_column_index": columns.stop - 1,
        "object_array": film.store("object_phase", found.potential_rad.astype(float), **axes),
        "probe_array": film.store("probe_modes", probe),
        "positions_array": film.store("probe_positions", 0.1 * found.positions_angstrom, unit="nm"),
        "spread_array": None if halves is None else film.store("object_spread", halves[1], **axes),
        "halves_array": None if halves is None else film.store("object_halves", halves[2], **axes),
        "iterations_count": len(found.history),
        "stopped_because": "; ".join(found.stopped_because),
        "chi_square_ratio": found.chi_square_per_pixel,
        "withheld_chi_square_ratio": _known(found.withheld_chi_square_per_pixel),
        "object_reduced_chi_square": _known(found.reduced_chi_square),
        "phase_per_slice_rad": found.slices_check.phase_rad,
        "suggested_slices_count": found.slices_check.suggested_slices,
        "ring_fraction": found.slices_check.ring_fraction,
        "tilt_slow_mrad": found.tilt_mrad[0],
        "tilt_fast_mrad": found.tilt_mrad[1],
        "notes": " ".join(found.notes),
    }
    if halves is not None and np.isfinite(halves[0].resolution_angstrom):
        found_nm, ring = 0.1 * halves[0].resolution_angstrom, 10.0 * float(halves[0].k_per_angstrom[0])
        row["half_data_resolution_nm"] = found_nm
        row["half_data_resolution_nm_std"] = found_nm**2 * ring / np.sqrt(12.0)  # the width of a ring
        row["half_data_resolution_nm_std_source"] = "covariance"
    return row


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _iterations(file_id: int, found: Reconstruction) -> pd.DataFrame:
    history = found.history
    kept = {(stage, best) for stage, best in enumerate(found.best_iterations)}
    return pd.DataFrame(
        {
            "file_id": file_id,
            "iteration_index": np.arange(1, len(history) + 1),
            "stage_index": [record.stage + 1 for record in history],
            "deviance_ratio": [record.deviance_per_pixel for record in history],
            "fitted_chi_square_ratio": [record.chi_square_per_pixel for record in history],
            "withheld_deviance_ratio": [record.withheld_deviance_per_pixel for record in history],
            "is_kept": [(record.stage, record.iteration) in kept for record in history],
        }
    )


def _rings(file_id: int, ring: ShellCorrelation) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file_id": file_id,
            "ring_index": np.arange(1, len(ring.correlation) + 1),
            "frequency_per_angstrom": ring.k_per_angstrom,
            "correlation_factor": ring.correlation,
            "half_bit_factor": ring.threshold,
        }
    )


ROOM = Room(name="ptychography", title="Ptychography", folders=(), check=None, assets=(ptychography,))
