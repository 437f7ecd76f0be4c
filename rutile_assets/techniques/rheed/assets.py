"""The RHEED room: pictures to a table, the specular spot's oscillation to a growth rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import FitFailed, RutileError, WrongContent
from rutile_assets.formats.measurement import Channel, Measurement
from rutile_assets.provenance.film import Film, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.rheed import figures
from rutile_assets.techniques.rheed.model import (
    RheedParameters,
    Window,
    estimate,
    find_window,
    fit_oscillation,
    full_scale,
)
from rutile_assets.techniques.rheed.tables import RHEED_FRAME, RHEED_OSCILLATION, RHEED_OSCILLATION_POINT

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """The pictures of one file.

    Parameters
    ----------
    file : RawFile
        Where they came from.
    frames : ndarray
        (N, Y, X) counts.
    number : int or None
        The number in the file's name.
    interval_s : float or None
        Time from one picture to the next [s].
    times_s : ndarray or None
        (N,) times as declared [s].
    """

    file: RawFile
    frames: FloatArray
    number: int | None
    interval_s: float | None
    times_s: FloatArray | None


def pictures(measurement: Measurement) -> list[Channel]:
    """Return the pictures of a file.

    Raises
    ------
    WrongContent
        There are none, or frame_interval_s or frame_times_s beside them makes no times.
    """
    found = [channel for channel in measurement.channels if channel.quantity == "intensity_counts"]
    if not found:
        raise WrongContent(f"{measurement.format} data", "RHEED pictures", "Drop it with its own technique.")
    interval, times = measurement.settings.get("frame_interval_s"), measurement.settings.get("frame_times_s")
    if interval is not None and not (isinstance(interval, int | float) and 0 < interval < 1e6):
        raise WrongContent(f"frame_interval_s {interval!r}", "a positive number of seconds", "Correct the sidecar.")
    if times is not None:
        numbers = times if isinstance(times, list) else [times]
        good = len(numbers) == len(found) and all(isinstance(t, int | float) for t in numbers)
        if not good or (np.diff(np.array(numbers, dtype=float)) <= 0).any():
            raise WrongContent(
                f"frame_times_s {str(times)[:60]}", f"{len(found)} rising numbers of seconds", "Correct the sidecar."
            )
    return found


def _recording(film: Film, file: RawFile) -> Recording:
    measurement = film.measurement(file)
    frames = np.stack([channel.values for channel in pictures(measurement)])
    number, interval = measurement.settings.get("image_number"), measurement.settings.get("frame_interval_s")
    times = measurement.settings.get("frame_times_s")
    return Recording(
        file,
        frames,
        number if isinstance(number, int) else None,
        float(interval) if isinstance(interval, int | float) else None,
        np.atleast_1d(np.array(times, dtype=np.float64)) if times is not None else None,
    )


def frame_times(recordings: list[Recording]) -> FloatArray:
    """Return the time of every picture of a sequence since the first; NaN throughout where nobody says.

    Times declared for every file win. Else a single file's pictures are an interval apart, and single pictures are
    the interval times the difference of the numbers in their names, so that a lost picture is a gap.
    """
    if all(r.times_s is not None for r in recordings):
        times = np.concatenate([r.times_s for r in recordings if r.times_s is not None])
    elif recordings[0].interval_s is not None and len({r.interval_s for r in recordings}) == 1:
        first = recordings[0]
        if len(recordings) == 1:
            places = np.arange(len(first.frames), dtype=np.float64)
        elif all(len(r.frames) == 1 and r.number is not None for r in recordings):
            places = np.array([float(r.number or 0) for r in recordings])
        else:
            places = np.full(sum(len(r.frames) for r in recordings), np.nan)
        times = places * (first.interval_s or np.nan)
    else:
        times = np.full(sum(len(r.frames) for r in recordings), np.nan)
    return times - times[0] if (np.diff(times) > 0).all() else np.full(len(times), np.nan)


@film_asset(room="rheed", files="rheed", writes=(RHEED_FRAME,), parameters=RheedParameters, kinds=("python", "numpy"))
def rheed_frame(film: Film) -> Outcome:
    """RHEED pictures, in the array store, with the intensity of the specular spot and how much of it is clipped."""
    outcome = Outcome()
    recordings: list[Recording] = []
    for file in film.files:
        try:
            recordings.append(_recording(film, file))
        except RutileError as fault:
            outcome.rejected.append((file, fault))
    if not recordings:
        return outcome
    recordings.sort(key=lambda r: (r.number is None, r.number or 0, r.file.name))
    shapes = [r.frames.shape[1:] for r in recordings]
    usual = max(set(shapes), key=shapes.count)
    for odd in [r for r in recordings if r.frames.shape[1:] != usual]:
        size = WrongContent(
            f"pictures of {odd.frames.shape[2]} x {odd.frames.shape[1]} pixels",
            f"{usual[1]} x {usual[0]} as the film's others",
            "Drop one sequence with a film.",
        )
        outcome.rejected.append((odd.file, size))
        recordings.remove(odd)
    times = frame_times(recordings)
    mean = np.mean([r.frames.mean(axis=0) for r in recordings], axis=0)
    window = find_window(mean, film.parameters)
    rows: list[dict[str, object]] = []
    for recording in recordings:
        rows += _rows(film, recording, window, times, len(rows))
    if len(rows) > 1 and np.isnan(times).all():
        outcome.notes.append("Nobody says when the pictures were taken: frame_interval_s in the sidecar does.")
    outcome.tables["rheed_frame"] = pd.DataFrame(rows)
    return outcome


def _rows(film: Film, recording: Recording, window: Window, times: FloatArray, before: int) -> list[dict[str, object]]:
    frames = recording.frames
    full = full_scale(frames, film.parameters)
    reference = film.store("rheed_counts", frames.astype(np.uint16), unit="counts", axes=["frame", "y", "x"])
    rows: list[dict[str, object]] = []
    for index, frame in enumerate(frames):
        spot = window.cut(frame)
        rows.append(
            {
                "file_id": recording.file.file_id,
                "channel_index": index + 1,
                "frame_index": before + index + 1,
                "frame_time_s": times[before + index],
                "spot_x_index": window.x,
                "spot_y_index": window.y,
                "window_half_count": window.half,
                "spot_counts": spot.mean(),
                "frame_mean_counts": frame.mean(),
                "frame_highest_counts": frame.max(),
                "full_scale_counts": full,
                "frame_saturated_fraction": (frame >= full).mean() if full is not None else 0.0,
                "spot_saturated_fraction": (spot >= full).mean() if full is not None else 0.0,
                "frames": reference,
            }
        )
    return rows


@film_asset(
    room="rheed",
    reads=("rheed_frame",),
    writes=(RHEED_OSCILLATION, RHEED_OSCILLATION_POINT),
    parameters=RheedParameters,
    kinds=("python", "scipy"),
    figure=figures.oscillation,
)
def rheed_oscillation(film: Film) -> Outcome:
    """Growth rate from the oscillation of the specular spot, or that there is none to be seen."""
    outcome, chosen = Outcome(), film.parameters
    frames = film.table("rheed_frame").sort_values("frame_index", ignore_index=True)
    timed = frames[frames.frame_time_s.notna()]
    timed = timed[
        (timed.frame_time_s >= chosen.start_s) & ((chosen.stop_s <= 0) | (timed.frame_time_s <= chosen.stop_s))
    ]
    if timed.empty:
        if len(frames):
            outcome.notes.append("No times, so no oscillation was looked for.")
        return outcome
    time_s, counts = timed.frame_time_s.to_numpy(np.float64), timed.spot_counts.to_numpy(np.float64)
    try:
        found = fit_oscillation(time_s, counts)
    except FitFailed as fault:
        outcome.notes.append(f"No oscillation was looked for: {fault}")
        return outcome
    row: dict[str, object] = {
        "oscillates": found.found,
        "oscillation_delta_bic": found.delta_bic,
        "fitted_frames_count": len(timed),
        "layers_per_oscillation_count": chosen.layers_per_oscillation,
    }
    if found.found:
        numbers = estimate(found, chosen)
        outcome.results.append(Result(numbers))
        for quantity in numbers.quantities:
            row |= {quantity: numbers.value(quantity), f"{quantity}_std": numbers.sigma(quantity)}
            row[f"{quantity}_std_source"] = "covariance"
        row |= {"damping_time_s": found.damping_s if np.isfinite(found.damping_s) else None}
        row |= {"harmonics_count": found.harmonics}
    else:
        outcome.notes.append(
            f"No oscillation: a drift explains the intensities (difference of BIC {found.delta_bic:.1f})."
        )
    if (timed.spot_saturated_fraction > 0).any():
        outcome.notes.append("Pixels of the spot are clipped: the intensities, and an oscillation's shape, are cut.")
    outcome.tables["rheed_oscillation"] = pd.DataFrame([row])
    outcome.tables["rheed_oscillation_point"] = pd.DataFrame(
        {
            "frame_index": timed.frame_index,
            "fit_time_s": time_s,
            "spot_counts": counts,
            "model_counts": found.model,
            "drift_counts": found.drift,
        }
    )
    return outcome


ROOM = Room(
    name="rheed",
    title="Reflection high-energy electron diffraction",
    folders=("rheed",),
    check=pictures,
    assets=(rheed_frame, rheed_oscillation),
)
