"""The 4D-STEM room: calibration of each scan against its own data, and a first look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.errors import FitFailed, RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import DiffractionStack, Measurement
from rutile_assets.physics.electrons import wavelength_angstrom
from rutile_assets.provenance.film import Film, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.stem4d import figures
from rutile_assets.techniques.stem4d.disc import Disc, fit_disc
from rutile_assets.techniques.stem4d.model import (
    Found,
    Stem4dParameters,
    Survey,
    VirtualImages,
    doses,
    expected_electrons,
    find_orientation,
    required,
    scan_com,
    survey,
    usable_frames,
    virtual_images,
)
from rutile_assets.techniques.stem4d.orientation import Orientation
from rutile_assets.techniques.stem4d.tables import STEM4D_CALIBRATION, STEM4D_QUICKLOOK
from rutile_assets.techniques.stem4d.thickness import stem4d_thickness

# column -> key of the file's, header's or sidecar's settings
GIVEN = {
    "accelerating_voltage_kv": "accelerating_voltage_kv",
    "convergence_semi_angle_mrad": "convergence_semi_angle_mrad",
    "detector_pixel_mrad": "detector_pixel_mrad",
    "scan_step_nm": "scan_step_nm",
    "overfocus_nm": "overfocus_nm",
    "beam_current_pa": "beam_current_pa",
    "dwell_time_ms": "dwell_time_ms",
    "gain_factor": "adu_per_electron",
    "sample_thickness_nm": "sample_thickness_nm",
}
LEAST_POSITIONS = 2
DISAGREES = 3.0  # sigma
NO_ERROR_DEG = 1e-6


def stack_of(measurement: Measurement) -> DiffractionStack:
    """Return the patterns of a measurement.

    Raises
    ------
    WrongContent
        There are none, or they are no scan.
    """
    stack = measurement.diffraction
    if stack is None:
        raise WrongContent(
            f"{measurement.format} data without diffraction patterns", "a 4D-STEM file", "Move the file."
        )
    if min(stack.shape[:2]) < LEAST_POSITIONS:
        raise WrongContent(
            f"a series of {stack.shape[0] * stack.shape[1]} patterns", "a scan along two axes",
            "Give scan_shape: [slow, fast] if it is one; a series belongs to no room.",
        )  # fmt: skip
    if not any(np.ptp([side, 1]) for side in stack.shape[2:]):
        raise WrongContent("patterns of one pixel", "diffraction patterns", "Drop the whole stack.")
    return stack


def check(measurement: Measurement) -> None:
    """Refuse at ingest what cannot serve: no scan, or patterns that are missing or no numbers (see `usable_frames`)."""
    usable_frames(doses(stack_of(measurement).open()))


@film_asset(
    room="stem4d",
    files="stem4d",
    writes=(STEM4D_CALIBRATION,),
    parameters=Stem4dParameters,
    kinds=("python", "numpy"),
)
def stem4d_calibration(film: Film) -> Outcome:
    """Calibration of each scan: given values with who gave them; disc, orientation and dose from the data."""
    outcome, rows = Outcome(), []
    for file in film.files:
        try:
            rows.append(_calibrated(film, file, outcome))
        except RutileError as fault:
            outcome.rejected.append((file, fault))
    if rows:
        outcome.tables["stem4d_calibration"] = pd.DataFrame(rows)
    return outcome


@film_asset(
    room="stem4d",
    files="stem4d",
    reads=("stem4d_calibration",),
    writes=(STEM4D_QUICKLOOK,),
    kinds=("python", "numpy"),
    figure=figures.quicklook,
)
def stem4d_quicklook(film: Film) -> Outcome:
    """Mean pattern, virtual bright and dark field and centre-of-mass maps of each scan."""
    outcome, rows = Outcome(), []
    calibrations = {int(row["file_id"]): row for row in film.table("stem4d_calibration").to_dict("records")}
    for file in film.files:
        row = calibrations.get(file.file_id)
        if row is None:
            continue
        stack = stack_of(film.measurement(file))
        frames = stack.open()
        seen = survey(frames, stack.largest_value)
        disc = disc_of(row)
        images = virtual_images(frames, seen.usable, disc)
        pixel = row["detector_pixel_mrad"]
        known = pixel is not None and not pd.isna(pixel)
        com = scan_com(images.com_pixels, float(pixel) if known else 1.0, orientation_of(row))
        total = float(np.nansum(np.where(seen.usable, seen.dose, 0.0)))
        inside = seen.mean_pattern[disc.distances(seen.mean_pattern.shape) <= disc.radius].sum() * seen.usable.sum()
        share = float(np.clip(inside / total, 0.0, 1.0))
        rows.append(
            {
                "file_id": file.file_id,
                "mean_pattern_array": film.store("mean_pattern", seen.mean_pattern),
                "bright_field_array": film.store("bright_field", images.bright_field),
                "dark_field_array": film.store("dark_field", images.dark_field),
                "com_array": film.store("centre_of_mass", com, unit="mrad" if known else "pixels"),
                "usable_array": film.store("usable_patterns", seen.usable.astype(float)),
                "bright_field_fraction": share,
                "dark_field_fraction": 1.0 - share,
            }
        )
    if rows:
        outcome.tables["stem4d_quicklook"] = pd.DataFrame(rows)
    return outcome


def disc_of(row: Mapping[Any, Any]) -> Disc:
    """Return the bright-field disc that a row of stem4d_calibration holds."""
    sigma = [row[f"{key}_std"] for key in ("disc_row_index", "disc_column_index", "disc_radius_count")]
    return Disc(row["disc_row_index"], row["disc_column_index"], row["disc_radius_count"], np.diag(np.square(sigma)))


def orientation_of(row: Mapping[Any, Any]) -> Orientation:
    """Return how the detector lies, from a row of stem4d_calibration; rows along the slow axis where nobody knows."""
    turn = row["detector_rotation_deg"]
    if turn is None or pd.isna(turn):
        return Orientation(False, 0.0, float("nan"), float("nan"), 0.0, 1.0, "unknown")
    return Orientation(bool(row["detector_transpose"]), float(turn), float("nan"), float("nan"), 1.0, 0.0, "table")


def _calibrated(film: Film, file: RawFile, outcome: Outcome) -> dict[str, Any]:
    measurement = film.measurement(file)
    stack = stack_of(measurement)
    settings = measurement.settings
    frames = stack.open()
    limit = settings.get("saturation_counts")
    seen = survey(frames, float(limit) if isinstance(limit, int | float) else stack.largest_value)
    disc = fit_disc(seen.mean_pattern)
    row: dict[str, Any] = {
        "file_id": file.file_id,
        **dict(
            zip(
                ("scan_slow_count", "scan_fast_count", "detector_rows_count", "detector_columns_count"),
                stack.shape,
                strict=True,
            )
        ),
        **{column: settings.get(key) for column, key in GIVEN.items()},
        **{f"{column}_source": settings.get(f"{key}_source") for column, key in GIVEN.items()},
        "slow_axis": str(settings["slow_axis"]) if settings.get("slow_axis") else None,
        "missing_frames_count": int((~seen.usable).sum()),
        "saturated_pixels_count": seen.saturated_pixels,
    }
    notes = [*measurement.notes, *seen.notes]
    subject = f"scan {PurePosixPath(file.name).stem}"
    notes += _pixel(row, settings, disc, film.parameters, subject, outcome, file)
    images = virtual_images(frames, seen.usable, disc)
    notes += _orientation(row, settings, images, film.parameters, subject, outcome, file)
    notes += _dose(row, seen, film.parameters)
    row["notes"] = " ".join(notes)
    outcome.notes += [f"{subject}: {note}" for note in notes]
    return row


def _pixel(
    row: dict[str, Any], settings: Mapping[str, Any], disc: Disc, chosen: Stem4dParameters, subject: str,
    outcome: Outcome, file: RawFile,
) -> list[str]:  # fmt: skip
    """Compare the pixel that was given with what makes the disc as large as the convergence angle."""
    std = np.sqrt(np.diag(disc.covariance))
    total = np.array([std[0], std[1], np.hypot(std[2], chosen.disc_structure_pixels)])
    keys = ("disc_row_index", "disc_column_index", "disc_radius_count")
    for key, value, sigma in zip(keys, (disc.row, disc.column, disc.radius), total, strict=True):
        row |= {key: value, f"{key}_std": sigma, f"{key}_std_source": "covariance"}
    if (
        row["detector_pixel_mrad"] is None
        and row["accelerating_voltage_kv"]
        and settings.get("detector_pixel_per_angstrom")
    ):
        wave = wavelength_angstrom(float(row["accelerating_voltage_kv"]))
        row["detector_pixel_mrad"] = 1e3 * wave * float(settings["detector_pixel_per_angstrom"])
        row["detector_pixel_mrad_source"] = settings.get("detector_pixel_per_angstrom_source")
    angle = row["convergence_semi_angle_mrad"]
    if not angle:
        return ["No convergence_semi_angle_mrad: the pixel could not be checked against the disc."]
    pixel = float(angle) / disc.radius
    estimate = Estimate(
        ("pixel_from_disc_mrad",),
        np.array([pixel]),
        np.array([[(pixel * std[2] / disc.radius) ** 2]]),
        "convergence semi-angle over the radius of the bright-field disc; jackknife over sectors",
        "covariance",
        (subject,),
        {"structure in the disc": np.array([pixel * chosen.disc_structure_pixels / disc.radius])},
    )
    outcome.results.append(Result(estimate, file.file_id))
    row |= {"pixel_from_disc_mrad": pixel, "pixel_from_disc_mrad_std": float(estimate.std[0])}
    row["pixel_from_disc_mrad_std_source"] = "covariance"
    if row["detector_pixel_mrad"] is None:
        row |= {"detector_pixel_mrad": pixel, "detector_pixel_mrad_source": "data"}
        return ["The detector's pixel is taken from the disc and the convergence angle."]
    pull = (float(row["detector_pixel_mrad"]) - pixel) / float(estimate.std[0])
    row["pixel_disagreement_pull"] = pull
    if abs(pull) > DISAGREES:
        return [
            f"The disc makes a pixel {pixel:.4g} mrad where {float(row['detector_pixel_mrad']):.4g} is given "
            f"({pull:+.1f} sigma): convergence angle or pixel is wrong."
        ]
    return []


def _orientation(
    row: dict[str, Any], settings: Mapping[str, Any], images: VirtualImages, chosen: Stem4dParameters, subject: str,
    outcome: Outcome, file: RawFile,
) -> list[str]:  # fmt: skip
    """Fill in how the detector lies; a person's word stands in where the data do not decide, and is compared else."""
    declared = settings.get("detector_rotation_deg")
    try:
        found = _found_orientation(row, images, chosen)
    except FitFailed as fault:
        if declared is None:
            return [f"How the detector lies is not known: {fault.found}."]
        row |= {
            "detector_transpose": bool(settings.get("detector_transpose")),
            "detector_rotation_deg": float(declared),
        }
        row |= {"orientation_source": "sidecar"}
        return [f"How the detector lies is the sidecar's word: {fault.found}."]
    best, notes = found.orientation, list(found.notes)
    if declared is not None:
        said = bool(settings.get("detector_transpose"))
        apart = abs((float(declared) - best.rotation_deg + 180.0) % 360.0 - 180.0)
        if said != best.transpose or apart > max(DISAGREES * best.rotation_deg_std, 1.0):
            notes.append(f"The sidecar says transpose {said}, {float(declared):.1f} deg: the data say otherwise.")
        if not found.decided:
            row |= {
                "detector_transpose": said,
                "detector_rotation_deg": float(declared),
                "orientation_source": "sidecar",
            }
            return notes
    row |= {
        "detector_transpose": best.transpose,
        "detector_rotation_deg": best.rotation_deg,
        "detector_rotation_deg_std": best.rotation_deg_std,
        "detector_rotation_deg_std_source": "bootstrap",
        "orientation_source": "data",
        "orientation_method": best.method,
        "orientation_runner_up_ratio": best.runner_up_ratio,
    }
    method = f"{best.method}; transpose {best.transpose}; jackknife over the disc's sectors"
    variance = max(best.rotation_deg_std, NO_ERROR_DEG) ** 2
    estimate = Estimate(
        ("detector_rotation_deg",), np.array([best.rotation_deg]), np.array([[variance]]), method, "bootstrap",
        (subject,), {}, tuple(notes),
    )  # fmt: skip
    outcome.results.append(Result(estimate, file.file_id))
    return notes


def _found_orientation(row: Mapping[str, Any], images: VirtualImages, chosen: Stem4dParameters) -> Found:
    pixel, step = (required(row.get(key), key) for key in ("detector_pixel_mrad", "scan_step_nm"))
    overfocus = row.get("overfocus_nm")
    waves = 0.0
    if overfocus is not None:
        voltage = required(row.get("accelerating_voltage_kv"), "accelerating_voltage_kv")
        angle = 1e-3 * pixel * float(row["disc_radius_count"])
        waves = 10.0 * float(overfocus) * angle**2 / (2.0 * wavelength_angstrom(voltage))
    thickness = row.get("sample_thickness_nm")
    thickest = 1.2 * float(thickness) if thickness else chosen.thickest_nm
    return find_orientation(images, pixel, step, None if overfocus is None else float(overfocus), thickest, waves)


def _dose(row: dict[str, Any], seen: Survey, chosen: Stem4dParameters) -> list[str]:
    """Compare what the patterns hold with what current and dwell time say."""
    gain, current, dwell = (row[key] for key in ("gain_factor", "beam_current_pa", "dwell_time_ms"))
    expected = expected_electrons(float(current), float(dwell)) if current and dwell else None
    row["electrons_from_current_count"] = expected
    if not gain:
        return ["No adu_per_electron: the dose in electrons is not known."]
    good = seen.dose[seen.usable] / float(gain)
    count = float(good.mean())
    error = float(good.std(ddof=1) / np.sqrt(good.size)) if good.size > 1 else float("nan")
    row |= {"electrons_per_pattern_count": count, "electrons_per_pattern_count_std": error}
    row["electrons_per_pattern_count_std_source"] = "repeat"
    if expected is not None and abs(count / expected - 1.0) > chosen.dose_tolerance_fraction:
        return [
            f"Patterns hold {count:.4g} electrons, current and dwell time give {expected:.4g}: "
            "gain, current or dwell time is wrong, or electrons miss the detector."
        ]
    return []


ROOM = Room(
    name="stem4d",
    title="4D-STEM",
    folders=("stem4d", "4dstem", "4d-stem", "empad"),
    check=check,
    assets=(stem4d_calibration, stem4d_quicklook, stem4d_thickness),
)
