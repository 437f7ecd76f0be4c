"""The HAADF room: series of frames under turned scans become one image with a scale that holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import RutileError, WrongContent
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Channel, Measurement
from rutile_assets.provenance.film import Film, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.haadf import figures
from rutile_assets.techniques.haadf.lattice import DriftFit
from rutile_assets.techniques.haadf.model import HaadfParameters, Series, check_image, put_together
from rutile_assets.techniques.haadf.scale import spacing_nm
from rutile_assets.techniques.haadf.tables import HAADF, HAADF_FRAME

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A frame of a series: its file, its image (Y, X), and the scan rotation as the file says it [deg]."""

    file: RawFile
    image: FloatArray
    rotation_deg: float | None


def images_of(measurement: Measurement) -> list[Channel]:
    """Return the frames of the HAADF detector, or of the first detector where none is called so.

    Raises
    ------
    WrongContent
        There is no image.
    """
    channels = [c for c in measurement.channels if c.quantity == "intensity_counts"]
    named = [c for c in channels if "haadf" in c.label.lower()] or channels
    if not named:
        raise WrongContent(f"{measurement.format} data without an image", "a HAADF image", "Move the file.")
    detector = _detector(named[0])
    return [c for c in named if _detector(c) == detector and c.values.shape == named[0].values.shape]


def given_pixel(measurement: Measurement) -> tuple[float | None, str]:
    """Return the pixel that file or sidecar gives [nm], and which of them."""
    value, source = measurement.settings.get("pixel_nm"), measurement.settings.get("pixel_nm_source", "file")
    return (float(value) if isinstance(value, int | float) else None), str(source)


def check(measurement: Measurement) -> None:
    """Refuse at ingest what shows no columns: see `check_image`."""
    check_image(images_of(measurement)[0].values, given_pixel(measurement)[0])


@film_asset(
    room="haadf",
    files="haadf",
    reads=("growth",),
    writes=(HAADF, HAADF_FRAME),
    parameters=HaadfParameters,
    kinds=("python", "scipy"),
    figure=figures.series,
)
def haadf(film: Film) -> Outcome:
    """Each series of HAADF frames without its drift: average, scale from the substrate, residuals.

    The drift's straight part comes from the lattice under several scan rotations, each line's place from the average
    of the other frames. Files whose sidecars give one `series` are frames of one place; else each file is by itself.
    """
    outcome, rows, frames = Outcome(), [], []
    growth = film.table("growth")
    substrate = str(growth.substrate_material.iloc[0]) if len(growth) else ""
    for name, files in _series(film).items():
        try:
            row, parts, notes = _analysed(film, name, files, substrate, outcome)
        except RutileError as fault:
            outcome.rejected += [(file, fault) for file, _ in files]
            continue
        rows.append(row)
        frames += parts
        outcome.notes += [f"{name}: {note}" for note in notes]
    if rows:
        outcome.tables = {"haadf": pd.DataFrame(rows), "haadf_frame": pd.DataFrame(frames)}
    return outcome


def _series(film: Film) -> dict[str, list[tuple[RawFile, Measurement]]]:
    found: dict[str, list[tuple[RawFile, Measurement]]] = {}
    for file in sorted(film.files, key=lambda f: f.name):
        measurement = film.measurement(file)
        name = measurement.settings.get("series") or PurePosixPath(file.name).stem
        found.setdefault(str(name), []).append((file, measurement))
    return found


def _analysed(
    film: Film, name: str, files: Sequence[tuple[RawFile, Measurement]], substrate: str, outcome: Outcome
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    chosen: HaadfParameters = film.parameters
    frames = _frames(files)
    first = files[0][1]
    pixel, who = given_pixel(first)
    for frame in frames:
        check_image(frame.image, pixel)
    if pixel is None:
        raise WrongContent("images without a scale", "pixel_nm in the file or its sidecar", "Write pixel_nm: 0.0... .")
    normal = first.settings.get("normal_angle_deg")
    normal = float(normal) if isinstance(normal, int | float) else None
    angles = [f.rotation_deg for f in frames]
    true = chosen.substrate_spacing_nm or spacing_nm(substrate)
    made = put_together(
        np.array([f.image for f in frames]),
        None if any(a is None for a in angles) else [float(a) for a in angles if a is not None],
        pixel,
        column_time_ratio=chosen.column_time_ratio,
        substrate_nm=true,
        normal_angle_deg=normal,
    )
    notes = [*first.notes, *made.notes]
    if normal is None:
        notes.append("The direction of [110] is not known: normal_angle_deg in the sidecar gives it.")
    if made.scale is None and true is None:
        notes.append(f"No scale from the substrate: the lattice of {substrate or 'an unknown substrate'} is not here.")
    row = _row(film, name, files[0][0], images_of(first)[0], made, pixel, who, normal)
    outcome.results += _results(files[0][0], name, made)
    row["notes"] = " ".join(notes)
    return row, _frame_rows(row, frames, made), notes


def _frames(files: Sequence[tuple[RawFile, Measurement]]) -> list[Frame]:
    frames: list[Frame] = []
    for file, measurement in files:
        images = images_of(measurement)
        one = measurement.settings.get("scan_rotation_deg")
        listed = measurement.settings.get("frame_rotations_deg")
        rotations: list[Any] = listed if isinstance(listed, list) else [one if len(images) == 1 else None] * len(images)
        if len(rotations) != len(images):
            raise WrongContent(
                f"{len(rotations)} scan rotations for {len(images)} frames", "one for each frame",
                "Correct frame_rotations_deg.", file.name,
            )  # fmt: skip
        for image, rotation in zip(images, rotations, strict=True):
            frames.append(Frame(file, image.values, None if rotation is None else float(rotation)))
    shapes = {frame.image.shape for frame in frames}
    if len(shapes) > 1:
        raise WrongContent(f"frames of {sorted(shapes)} pixels", "frames of one size", "Part the series.")
    return frames


def _row(
    film: Film,
    name: str,
    file: RawFile,
    image: Channel,
    made: Series,
    pixel: float,
    who: str,
    normal: float | None,
) -> dict[str, Any]:
    registered, scale = made.registered, made.scale
    true_pixel = pixel if scale is None else pixel / (1.0 + scale.scale_error_percent / 100.0)
    pm = 1e3 * true_pixel
    attributes = {"pixel_nm": true_pixel, "unit": "counts"}
    row: dict[str, Any] = {
        "file_id": file.file_id,
        "image_series": name,
        "detector": _detector(image),
        "scan_frames_count": len(made.angles_deg),
        "haadf_array": film.store("haadf", registered.image, **attributes),
        "cover_array": film.store("haadf_cover", registered.cover, pixel_nm=true_pixel),
        "pixel_nm": true_pixel,
        "pixel_nm_source": who if scale is None else "substrate",
        "given_pixel_nm": pixel,
        "normal_angle_deg": normal,
        "rotation_source": made.angles_source,
        "frame_correlation_factor": made.correlation,
        "drift_reduced_chi_square": None if made.drift is None else made.drift.reduced_chi_square,
    }
    if scale is not None:
        row["row_axis_angle_deg"] = scale.row_axis_angle_deg
        for key, value, std in zip(QUANTITIES, *scale_numbers(made), strict=False):
            row |= {key: value, f"{key}_std": std, f"{key}_std_source": "covariance"}
    if made.drift is not None:
        for key, value, std in (
            ("affine_residual_pm", registered.affine_rms_px, registered.affine_rms_std_px),
            ("line_residual_pm", registered.lines_rms_px, registered.lines_rms_std_px),
        ):
            row |= {key: pm * value, f"{key}_std": pm * std, f"{key}_std_source": "repeat"}
        row["line_jitter_pm"] = pm * registered.jitter_px
    return row


QUANTITIES = ("scale_error_percent", "axis_angle_deg", "axis_length_ratio")


def scale_numbers(made: Series) -> tuple[FloatArray, FloatArray]:
    """Return scale error, angle and ratio of the axes, and their one sigma: the image's and the drift's together.

    Beside a film there is no ratio: it strains its neighbours along its normal.
    """
    scale = made.scale
    if scale is None:
        return np.zeros(0), np.zeros(0)
    values = np.array([scale.scale_error_percent, scale.axis_angle_deg, scale.axis_ratio])
    std = np.array([scale.scale_error_percent_std, scale.axis_angle_deg_std, scale.axis_ratio_std])
    std = np.hypot(std, _strain_std(made.drift) * np.array([100.0, np.rad2deg(np.sqrt(2.0)), np.sqrt(2.0)]))
    known = 2 if scale.is_part else 3
    return values[:known], std[:known]


def _strain_std(drift: DriftFit | None) -> float:
    """Return one sigma of the relative length that the drift's fit leaves to the lattice, 0 for a single frame."""
    if drift is None:
        return 0.0
    waves = drift.wave_per_nm.ravel()
    return float(np.sqrt(np.diag(drift.covariance)[:4].mean() / (0.5 * waves @ waves)))


def _results(file: RawFile, name: str, made: Series) -> list[Result]:
    if made.scale is None:
        return []
    values, std = scale_numbers(made)
    systematics = {}
    if made.drift is None:  # a drift of 1 % of the frame is common, and one frame cannot tell
        systematics["drift of a single frame"] = np.array([0.5, np.rad2deg(0.01), 0.01])[: len(values)]
    method = made.scale.method + ("" if made.drift is None else "; drift from frames under turned scans")
    notes = () if made.drift is not None else ("One frame: drift and scale are not told apart.",)
    estimate = Estimate(
        QUANTITIES[: len(values)],
        values,
        np.diag(std**2),
        method,
        "covariance",
        (f"image {name}",) * len(values),
        systematics,
        notes,
    )
    return [Result(estimate, file.file_id)]


def _frame_rows(row: dict[str, Any], frames: Sequence[Frame], made: Series) -> list[dict[str, Any]]:
    scans, drift = made.registered.scans, made.drift
    lines = len(frames[0].image)
    shrink = row["pixel_nm"] / row["given_pixel_nm"]
    std = np.full(2 * len(frames), np.nan)
    if drift is not None:
        std = 1e3 * shrink * lines * np.sqrt(np.diag(drift.covariance)[4:])
    rows = []
    for k, frame in enumerate(frames):
        told: dict[str, Any] = {
            "file_id": row["file_id"],
            "scan_frame_index": k + 1,
            "frame_file_id": frame.file.file_id,
            "frame_rotation_deg": float(made.angles_deg[k]),
        }
        if drift is not None:
            for axis, key in enumerate(("drift_row_pm", "drift_column_pm")):
                told |= {
                    key: 1e3 * shrink * lines * drift.drift_nm[k, axis],
                    f"{key}_std": std[2 * k + axis],
                    f"{key}_std_source": "covariance",
                }
            moved = scans.lines_px[k] - scans.lines_px[k].mean(axis=0)
            told |= {
                "offset_row_nm": row["pixel_nm"] * float(scans.offset_px[k, 0]),
                "offset_column_nm": row["pixel_nm"] * float(scans.offset_px[k, 1]),
                "line_rms_pm": 1e3 * row["pixel_nm"] * float(np.sqrt(np.mean(moved**2))),
            }
        rows.append(told)
    return rows


def _detector(channel: Channel) -> str:
    return channel.label.split(" frame ")[0]


ROOM = Room(
    name="haadf",
    title="HAADF-STEM",
    folders=("haadf", "haadf_stem", "stem", "haadf-stem"),
    check=check,
    assets=(haadf,),
)
