"""The asset that finds the sample's thickness from each scan's position-averaged pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.errors import RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.provenance.film import Film, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import film_asset
from rutile_assets.techniques.stem4d import figures
from rutile_assets.techniques.stem4d.beams import Cone
from rutile_assets.techniques.stem4d.model import doses, required, usable_frames
from rutile_assets.techniques.stem4d.pacbed import (
    MATERIALS,
    MeanPattern,
    Thickness,
    ThicknessParameters,
    mean_pattern,
    thickness_of,
)
from rutile_assets.techniques.stem4d.tables import STEM4D_THICKNESS, STEM4D_THICKNESS_CURVE

FEW_CELLS = 5.0  # of 0.65 nm, across a scan
CELL_NM = 0.65
AXES = ("[110]", "[1-10]")
METHOD = (
    "position-averaged pattern against plane waves through rutile along [001], one slice per atomic plane; "
    "profile over tilt, blur, shift, stretch, material and diffuse share"
)


@film_asset(
    room="stem4d",
    files="stem4d",
    reads=("stem4d_calibration", "growth"),
    writes=(STEM4D_THICKNESS, STEM4D_THICKNESS_CURVE),
    parameters=ThicknessParameters,
    kinds=("python", "scipy"),
    figure=figures.thickness,
)
def stem4d_thickness(film: Film) -> Outcome:
    """Thickness of the lamella from the position-averaged pattern (PACBED), with its uncertainty.

    Materials are those of the film that are rutile oxides; where there are two their shares are free. A scan of whole
    cells does not depend on overfocus; one of few cells is tapered, and is told so.
    """
    outcome, rows, curves = Outcome(), [], []
    calibrations = {int(row["file_id"]): row for row in film.table("stem4d_calibration").to_dict("records")}
    materials, told = materials_of(film.table("growth"), film.table("growth_layer"))
    for file in film.files:
        if file.file_id not in calibrations:
            continue
        try:
            pattern, found, notes = _matched(film, file, calibrations[file.file_id], materials)
        except RutileError as fault:
            outcome.notes.append(f"{file.name}: no thickness from the mean pattern: {fault}")
            continue
        notes = (*told, *notes)
        rows.append(_row(film, file, found, pattern, materials, notes))
        curves.append(
            pd.DataFrame(
                {
                    "file_id": file.file_id,
                    "curve_index": np.arange(1, len(found.curve) + 1),
                    "curve_thickness_nm": found.curve_nm,
                    "misfit_ratio": found.curve,
                }
            )
        )
        estimate = Estimate(
            ("sample_thickness_nm",), np.array([found.thickness_nm]), np.array([[found.statistical_nm**2]]), METHOD,
            "covariance", (f"scan {file.name}",), found.systematics, notes,
        )  # fmt: skip
        outcome.results.append(Result(estimate, file.file_id))
        outcome.notes += [f"{file.name}: {note}" for note in notes]
    if rows:
        outcome.tables["stem4d_thickness"] = pd.DataFrame(rows)
        outcome.tables["stem4d_thickness_curve"] = pd.concat(curves, ignore_index=True)
    return outcome


def materials_of(growth: pd.DataFrame, layers: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the rutile oxides that a film and its substrate are of, and sentences about what is left out."""
    named = [str(m) for m in growth.get("substrate_material", pd.Series(dtype=str)).dropna()]
    named += [str(m) for m in layers.get("material", pd.Series(dtype=str)).dropna()]
    known = tuple(m for m in MATERIALS if m in named)
    others = sorted(set(named) - set(MATERIALS))
    notes = [f"{', '.join(others)} is not modelled: the scan is taken to be without it."] if others else []
    if not known:
        notes.append(f"No layer is known: taken as {' and '.join(MATERIALS)}.")
    return known or MATERIALS, tuple(notes)


def _matched(
    film: Film, file: RawFile, row: Mapping[Any, Any], materials: tuple[str, ...]
) -> tuple[MeanPattern, Thickness, tuple[str, ...]]:
    stack = film.measurement(file).diffraction
    if stack is None:
        raise WrongContent("no diffraction patterns", "a 4D-STEM file", "Move the file.")
    voltage, angle, pixel = (
        required(None if pd.isna(row[key]) else row[key], key)
        for key in ("accelerating_voltage_kv", "convergence_semi_angle_mrad", "detector_pixel_mrad")
    )
    notes = []
    turn, mirrored, gain = row["detector_rotation_deg"], row["detector_transpose"], row["gain_factor"]
    if pd.isna(turn):
        notes.append("How the detector lies is not known: taken as rows along the slow axis.")
        turn, mirrored = 0.0, False
    if gain is None or pd.isna(gain):
        notes.append("No adu_per_electron: counting noise is that of as many electrons as ADU.")
        gain = 1.0
    axis = row["slow_axis"] if row["slow_axis"] in AXES else AXES[0]
    if row["slow_axis"] not in AXES:
        notes.append("The slow axis is taken as [110].")
    frames = stack.open()
    usable, _ = usable_frames(doses(frames))
    centre = (float(row["disc_row_index"]), float(row["disc_column_index"]))
    upright = UprightPatterns(frames, centre, float(turn), bool(mirrored))
    chosen: ThicknessParameters = film.parameters
    pattern = mean_pattern(upright, usable, float(gain), pixel, chosen, first_axis=axis)
    found = thickness_of(pattern, Cone(voltage, angle), materials, chosen)
    step = row["scan_step_nm"]
    least = min(usable.shape) * float(step) / CELL_NM if step is not None and not pd.isna(step) else float("nan")
    if not least >= FEW_CELLS:
        notes.append(
            f"The scan covers {least:.1f} cells of 0.65 nm: the mean over positions is not whole, and what overfocus "
            "leaves in it is taken as model error."
        )
    if len(materials) > 1:
        notes.append(
            "Two materials are added as patterns; their interface shifts electrons along [110] too, so tilt and share "
            "are apparent."
        )
    return pattern, found, (*notes, *found.notes)


def _row(
    film: Film, file: RawFile, found: Thickness, pattern: MeanPattern, materials: tuple[str, ...],
    notes: tuple[str, ...],
) -> dict[str, object]:  # fmt: skip
    return {
        "file_id": file.file_id,
        "lamella_thickness_nm": found.thickness_nm,
        "lamella_thickness_nm_std": found.total_nm,
        "lamella_thickness_nm_std_source": "covariance",
        "thickness_source": "pacbed",
        "statistical_nm": found.statistical_nm,
        "vibration_shift_nm": found.vibration_nm if np.isfinite(found.vibration_nm) else None,
        "diffuse_shift_nm": found.diffuse_nm,
        "planes_shift_nm": found.planes_nm,
        "materials": ", ".join(materials),
        "ruo2_fraction": found.ruo2_fraction if np.isfinite(found.ruo2_fraction) else None,
        "tilt_110_mrad": found.tilt_mrad[0],
        "tilt_1m10_mrad": found.tilt_mrad[1],
        "counting_reduced_chi_square": found.reduced_chi_square,
        "model_error_fraction": found.model_error_fraction,
        "runner_up_nm": found.runner_up_nm if np.isfinite(found.runner_up_nm) else None,
        "runner_up_ratio": found.runner_up_ratio if np.isfinite(found.runner_up_ratio) else None,
        "pattern_array": film.store("pacbed_pattern", pattern.electrons, pixel_mrad=pattern.pixel_mrad),
        "model_array": film.store("pacbed_model", np.nan_to_num(found.model), pixel_mrad=pattern.pixel_mrad),
        "notes": " ".join(notes),
    }
