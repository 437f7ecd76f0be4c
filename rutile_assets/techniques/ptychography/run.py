"""From a calibrated scan to a reconstruction: what the solver takes, which schedule, and the halves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib.image import imsave

from rutile_assets.errors import InvalidRecord, WrongContent
from rutile_assets.physics.diffraction import UprightPatterns
from rutile_assets.provenance.film import Film, RawFile
from rutile_assets.techniques.ptychography.data import Patterns
from rutile_assets.techniques.ptychography.optics import Optics
from rutile_assets.techniques.ptychography.parameters import PtychographyParameters
from rutile_assets.techniques.ptychography.recipes import RECIPES, Recipe
from rutile_assets.techniques.ptychography.solver import Progress, Reconstruction, reconstruct
from rutile_assets.techniques.ptychography.uncertainty import (
    ShellCorrelation,
    fixed_length,
    half_data,
    ring_correlation,
)

Halves = tuple[ShellCorrelation, npt.NDArray[np.float64], npt.NDArray[np.float64]]

NEEDED = (
    "accelerating_voltage_kv", "convergence_semi_angle_mrad", "detector_pixel_mrad", "scan_step_nm", "overfocus_nm",
    "gain_factor",
)  # fmt: skip
SIDECAR_NAMES = {"gain_factor": "adu_per_electron"}


@dataclass(frozen=True)
class Run:
    """A reconstruction of one scan.

    Parameters
    ----------
    recipe : Recipe
        The schedule as it was run.
    device : str
        What it ran on.
    found : Reconstruction
        Object and probe.
    halves : tuple or None
        Agreement of two halves by spatial frequency, one sigma of the depth mean (H, W) [rad], and the two objects
        (2, S, H, W) [rad].
    """

    recipe: Recipe
    device: str
    found: Reconstruction
    halves: Halves | None


def reconstruct_file(film: Film, file: RawFile, row: Mapping[Any, Any]) -> Run:
    """Reconstruct a file by its row of ``stem4d_calibration``, with checkpoints in the film's scratch folder.

    Raises
    ------
    WrongContent, InvalidRecord
        The file holds no patterns, the calibration lacks something, or the patterns cannot be used.
    """
    chosen: PtychographyParameters = film.parameters
    stack = film.measurement(file).diffraction
    if stack is None:
        raise WrongContent("no diffraction patterns", "a 4D-STEM file", "Move the file.")
    patterns, notes = patterns_of(stack.open(), row)
    thickness, told = sample_thickness(film, file, row)
    recipe = recipe_of(chosen, thickness)
    device = _device(chosen.device)
    how: dict[str, Any] = {"device": device, "workers": chosen.workers}
    checkpoint = None
    if film.scratch is not None:
        film.scratch.mkdir(parents=True, exist_ok=True)
        checkpoint = film.scratch / f"{file.sha256[:16]}.checkpoint"
    found = reconstruct(patterns, recipe, checkpoint=checkpoint, progress=_teller(film, file), **how)
    found = replace(found, notes=(*notes, *told, *found.notes))
    if not chosen.has_halves:
        return Run(recipe, device, found, None)
    film.tell(f"{file.name}: the two halves")
    shape = (int(row["scan_slow_count"]), int(row["scan_fast_count"]))
    first, second = half_data(patterns, fixed_length(recipe, found), shape, **how)
    rows, columns = found.field
    images = [half.potential_rad.mean(0).astype(float) for half in (first, second)]
    pixel = (found.pixel_angstrom, found.pixel_angstrom)
    ring = ring_correlation(images[0][rows, columns], images[1][rows, columns], pixel)
    both = np.stack([first.potential_rad, second.potential_rad]).astype(float)
    return Run(recipe, device, found, (ring, np.abs(images[0] - images[1]) / 2.0, both))


def reconstruct_like(
    row: Mapping[Any, Any],
    iterations: pd.DataFrame,
    calibration: Mapping[Any, Any],
    frames: npt.NDArray[np.float32],
    rotation_deg: float,
    *,
    device: str = "auto",
    workers: int = 1,
) -> Reconstruction:
    """Reconstruct other patterns of the same kind of scan as before: recipe, slices, modes, lengths of stages.

    Parameters
    ----------
    row : mapping
        Of ``ptychography``.
    iterations : DataFrame
        Its rows of ``ptychography_iteration``.
    calibration : mapping
        Of ``stem4d_calibration``.
    frames : ndarray
        (slow, fast, Y, X), zero angle in the middle, in the detector's units (ADU).
    rotation_deg : float
        From (slow, fast) to their (row, column) [deg].
    device : str
        ``auto`` takes a GPU where there is one.
    workers : int
        Threads on the CPU.
    """
    chosen = PtychographyParameters(
        recipe=str(row["recipe"]), modes=int(row["modes_count"]),
        thickness_nm=float(row["slices_count"]) * float(row["slice_thickness_nm"]),
    )  # fmt: skip
    recipe = recipe_of(chosen, None)
    kept = iterations[iterations.is_kept].sort_values("iteration_index")
    before = iterations.groupby("stage_index").iteration_index.min()
    lengths = (kept.set_index("stage_index").iteration_index - before + 1).to_dict()
    stages = tuple(
        replace(stage, iterations=int(lengths.get(number, stage.iterations)), patience=0)
        for number, stage in enumerate(recipe.stages, start=1)
    )
    recipe = replace(recipe, stages=stages, withheld_fraction=0.0)
    centre = (frames.shape[2] // 2, frames.shape[3] // 2)
    patterns, _ = patterns_of(
        frames,
        {
            **calibration,
            "disc_row_index": centre[0],
            "disc_column_index": centre[1],
            "detector_rotation_deg": rotation_deg,
            "detector_transpose": False,
        },
    )
    return reconstruct(patterns, recipe, device=_device(device), workers=workers)


def sample_thickness(film: Film, file: RawFile, row: Mapping[Any, Any]) -> tuple[float | None, tuple[str, ...]]:
    """Return how thick the sample is [nm]: what a person wrote, else what the mean pattern says, with a sentence."""
    if not _unknown(row["sample_thickness_nm"]):
        return float(row["sample_thickness_nm"]), ()
    for measured in film.table("stem4d_thickness").to_dict("records"):
        if measured["file_id"] == file.file_id and not film.parameters.thickness_nm:
            value, std = float(measured["lamella_thickness_nm"]), float(measured["lamella_thickness_nm_std"])
            return value, (f"Thickness {value:.2f} +- {std:.2f} nm from the position-averaged pattern.",)
    return None, ()


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
        stages = tuple(s if s.modes is None else replace(s, modes=min(s.modes, chosen.modes)) for s in recipe.stages)
        recipe = replace(recipe, modes=chosen.modes, stages=stages)
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


def _device(chosen: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if chosen == "auto" else chosen


def _teller(film: Film, file: RawFile) -> Callable[[Progress], None]:
    told: list[str] = []
    picture = None
    if film.parameters.has_live_picture and film.scratch is not None:
        picture = film.scratch / f"{file.sha256[:16]}.png"

    def tell(progress: Progress) -> None:
        record = progress.record
        if not told:
            told.append(progress.plan.sentence())
            film.tell(f"{file.name}: {told[0]}")
            if picture is not None:
                film.tell(f"{file.name}: live picture {picture}")
        if picture is not None:
            _write_picture(picture, progress.picture())
        film.tell(
            f"{file.name}: iteration {progress.done} of at most {progress.total}, chi-square"
            f" {record.chi_square_per_pixel:.3f}, withheld {record.withheld_chi_square_per_pixel:.3f},"
            f" {progress.seconds_left:.0f} s left"
        )

    return tell


def _write_picture(path: Path, phase: npt.NDArray[np.float32]) -> None:
    """Put a picture in place whole, so that a viewer never meets half a file."""
    half_written = path.with_suffix(".part")
    imsave(half_written, phase, cmap="gray", format="png")
    half_written.replace(path)


def _unknown(value: Any) -> bool:
    return value is None or bool(pd.isna(value))
