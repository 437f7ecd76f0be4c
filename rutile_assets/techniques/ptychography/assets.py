"""The ptychography room: 4D-STEM scans to an object with depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from rutile_assets.errors import InvalidRecord, RutileError, WrongContent
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.provenance.film import Film, Outcome, RawFile
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.ptychography import figures
from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.optics import Optics
from rutile_assets.techniques.ptychography.recipes import RECIPES, Recipe
from rutile_assets.techniques.ptychography.solver import Progress, Reconstruction, reconstruct
from rutile_assets.techniques.ptychography.tables import (
    PTYCHOGRAPHY,
    PTYCHOGRAPHY_CORRELATION,
    PTYCHOGRAPHY_ITERATION,
    PTYCHOGRAPHY_MODE,
)
from rutile_assets.techniques.ptychography.uncertainty import (
    ShellCorrelation,
    fixed_length,
    half_data,
    ring_correlation,
)

Halves = tuple[ShellCorrelation, npt.NDArray[np.float64]]

NEEDED = (
    "accelerating_voltage_kv", "convergence_semi_angle_mrad", "detector_pixel_mrad", "scan_step_nm", "overfocus_nm",
    "gain_factor",
)  # fmt: skip
SIDECAR_NAMES = {"gain_factor": "adu_per_electron"}


@dataclass(frozen=True)
class PtychographyParameters:
    """What a person may choose about a reconstruction.

    Parameters
    ----------
    recipe : str
        A name of `RECIPES`: ``fast`` (20 slices of 0.5 nm, two modes) or ``paper``.
    thickness_nm : float
        Of the reconstructed volume; 0 takes the sample's from the calibration.
    modes : int
        Probe modes; 0 takes the recipe's.
    most_iterations : int
        Of each stage; 0 takes the recipe's.
    has_halves : bool
        Whether two halves of the diffraction patterns are reconstructed apart, for resolution and spread: it takes as
        long again.
    device : str
        ``auto`` takes a GPU where there is one, else the CPU.
    workers : int
        Threads over positions on the CPU.
    seed : int
        Of the order of the diffraction patterns and of the withheld ones.
    """

    recipe: str = "fast"
    thickness_nm: float = 0.0
    modes: int = 0
    most_iterations: int = 0
    has_halves: bool = True
    device: str = "auto"
    workers: int = 1
    seed: int = 0


@film_asset(
    room="ptychography",
    files="stem4d",
    reads=("stem4d_calibration",),
    writes=(PTYCHOGRAPHY, PTYCHOGRAPHY_ITERATION, PTYCHOGRAPHY_MODE, PTYCHOGRAPHY_CORRELATION),
    parameters=PtychographyParameters,
    kinds=("python", "torch"),
    figure=figures.reconstruction,
    pool="gpu",
)
def ptychography(film: Film) -> Outcome:
    """Multislice mixed-state electron ptychography: the phase that each slice of the sample gives the beam.

    Detector, dose and thickness come from the calibration; patterns that are missing are left out. A run that was
    killed goes on from its last checkpoint, bit for bit.
    """
    outcome = Outcome()
    calibrations = {int(row["file_id"]): row for row in film.table("stem4d_calibration").to_dict("records")}
    rows, iterations, modes, rings = [], [], [], []
    for file in film.files:
        if file.file_id not in calibrations:
            continue
        try:
            made, found, halves = _reconstructed(film, file, calibrations[file.file_id])
        except RutileError as fault:
            outcome.notes.append(f"{file.name}: not reconstructed: {fault}")
            continue
        rows.append(_row(film, file, made, found, halves))
        outcome.notes += [f"{file.name}: {note}" for note in found.notes]
        iterations.append(_iterations(file.file_id, found))
        modes += [
            {"file_id": file.file_id, "mode_index": number, "power_fraction": power}
            for number, power in enumerate(found.mode_fractions, start=1)
        ]
        if halves is not None:
            rings.append(_rings(file.file_id, halves[0]))
    if rows:
        outcome.tables = {
            "ptychography": pd.DataFrame(rows),
            "ptychography_iteration": pd.concat(iterations, ignore_index=True),
            "ptychography_mode": pd.DataFrame(modes),
        }
    if rings:
        outcome.tables["ptychography_correlation"] = pd.concat(rings, ignore_index=True)
    return outcome


def recipe_of(chosen: PtychographyParameters, sample_thickness_nm: float | None) -> Recipe:
    """Return the schedule for a sample.

    Raises
    ------
    InvalidRecord
        No recipe of that name, or nobody says how thick the sample is.
    """
    if chosen.recipe not in RECIPES:
        raise InvalidRecord(f"the recipe {chosen.recipe!r}", f"one of {', '.join(RECIPES)}", "Correct rutile.yaml.")
    recipe = replace(RECIPES[chosen.recipe], seed=chosen.seed)
    if chosen.modes:
        recipe = replace(recipe, modes=chosen.modes)
    if chosen.most_iterations:
        stages = tuple(replace(s, iterations=min(s.iterations, chosen.most_iterations)) for s in recipe.stages)
        recipe = replace(recipe, stages=stages)
    thickness = chosen.thickness_nm or sample_thickness_nm
    if not thickness:
        raise InvalidRecord(
            "no thickness of the sample",
            "sample_thickness_nm",
            "Write it into the file's sidecar, or set thickness_nm.",
        )
    return recipe.for_thickness(10.0 * thickness)


def patterns_of(frames: Any, row: Mapping[Any, Any]) -> tuple[Patterns, tuple[str, ...]]:
    """Return what the solver takes of a scan, by its row of ``stem4d_calibration``, and what must be said.

    Parameters
    ----------
    frames : array-like
        (slow, fast, row, column) as stored.
    row : mapping
        The calibration.

    Raises
    ------
    WrongContent
        The calibration lacks something.
    """
    missing = [SIDECAR_NAMES.get(name, name) for name in NEEDED if _unknown(row[name])]
    if missing:
        raise WrongContent(f"no {', '.join(missing)}", "a whole calibration", "Write it into the file's sidecar.")
    notes = []
    turn_deg, is_mirrored = row["detector_rotation_deg"], row["detector_transpose"]
    if _unknown(turn_deg):
        notes.append("How the detector lies is not known: taken as rows along the slow axis.")
        turn_deg, is_mirrored = 0.0, False
    centre = (float(row["disc_row_index"]), float(row["disc_column_index"]))
    upright = UprightPatterns(frames, centre, float(turn_deg), bool(is_mirrored))
    optics = Optics(
        float(row["accelerating_voltage_kv"]),
        float(row["convergence_semi_angle_mrad"]),
        float(row["detector_pixel_mrad"]),
        float(row["overfocus_nm"]),
    )
    positions = upright.positions_angstrom(float(row["scan_step_nm"]))
    gain = float(row["gain_factor"])
    return Patterns(upright, positions, optics, gain, good_pixels=upright.good_pixels), tuple(notes)


def _reconstructed(film: Film, file: RawFile, row: Mapping[Any, Any]) -> tuple[Recipe, Reconstruction, Halves | None]:
    chosen: PtychographyParameters = film.parameters
    stack = film.measurement(file).diffraction
    if stack is None:
        raise WrongContent("no diffraction patterns", "a 4D-STEM file", "Move the file.")
    patterns, notes = patterns_of(stack.open(), row)
    thickness = row["sample_thickness_nm"]
    recipe = recipe_of(chosen, None if _unknown(thickness) else float(thickness))
    device = ("cuda" if torch.cuda.is_available() else "cpu") if chosen.device == "auto" else chosen.device
    how: dict[str, Any] = {"device": device, "workers": chosen.workers}
    checkpoint = None
    if film.scratch is not None:
        film.scratch.mkdir(parents=True, exist_ok=True)
        checkpoint = film.scratch / f"{file.sha256[:16]}.checkpoint"
    found = reconstruct(patterns, recipe, checkpoint=checkpoint, progress=_teller(film, file), **how)
    found = replace(found, notes=(*notes, *found.notes))
    if not chosen.has_halves:
        return recipe, found, None
    film.tell(f"{file.name}: the two halves")
    shape = (int(row["scan_slow_count"]), int(row["scan_fast_count"]))
    first, second = half_data(patterns, fixed_length(recipe, found), shape, **how)
    rows, columns = found.field
    images = [half.potential_rad.mean(0).astype(float) for half in (first, second)]
    pixel = (found.pixel_angstrom, found.pixel_angstrom)
    ring = ring_correlation(images[0][rows, columns], images[1][rows, columns], pixel)
    return recipe, found, (ring, np.abs(images[0] - images[1]) / 2.0)


def _teller(film: Film, file: RawFile) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        record = progress.record
        if progress.done == 1:
            film.tell(f"{file.name}: {progress.plan.sentence()}")
        film.tell(
            f"{file.name}: iteration {progress.done} of at most {progress.total}, chi-square"
            f" {record.chi_square_per_pixel:.3f}, withheld {record.withheld_chi_square_per_pixel:.3f},"
            f" {progress.seconds_left:.0f} s left"
        )

    return tell


def _row(
    film: Film,
    file: RawFile,
    recipe: Recipe,
    found: Reconstruction,
    halves: Halves | None,
) -> dict[str, object]:
    rows, columns = found.field
    probe = np.stack([found.probe.real, found.probe.imag]).astype(float)
    axes = {"unit": "rad", "pixel_nm": 0.1 * found.pixel_angstrom, "slice_nm": 0.1 * found.slice_angstrom}
    row: dict[str, object] = {
        "file_id": file.file_id,
        "recipe": recipe.name,
        "device": "cuda" if film.parameters.device == "auto" and torch.cuda.is_available() else "cpu",
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
        "iterations_count": len(found.history),
        "stopped_because": "; ".join(found.stopped_because),
        "chi_square_ratio": found.chi_square_per_pixel,
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


def _unknown(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


ROOM = Room(name="ptychography", title="Ptychography", folders=(), check=None, assets=(ptychography,))
