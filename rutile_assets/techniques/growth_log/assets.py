"""The growth log room: logs to a table, a summary of each channel, a common grid, and the means of the growth."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from rutile_assets.errors import RutileError, WrongContent
from rutile_assets.formats.measurement import Measurement, Scan
from rutile_assets.physics.series import resampled, spikes
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.growth_log import figures
from rutile_assets.techniques.growth_log.model import (
    Channel,
    FloatArray,
    GrowthLogParameters,
    Opening,
    duration,
    opening,
    plateau,
    role_of,
)
from rutile_assets.techniques.growth_log.tables import (
    GROWTH_LOG,
    GROWTH_LOG_CHANNEL,
    GROWTH_LOG_RESAMPLED,
    GROWTH_LOG_WINDOW,
)

MAX_GRID_POINTS = 2_000_000


def channels_of(measurement: Measurement) -> list[Scan]:
    """Return the channels of a log.

    Raises
    ------
    WrongContent
        The file holds no channel under a time.
    """
    found = [scan for scan in measurement.scans if {"log_time_s", "reading"} <= set(scan.columns)]
    if not found:
        raise WrongContent(
            f"{measurement.format} data", "a growth log: a time and channels", "Drop it with its own technique."
        )
    return found


@film_asset(
    room="growth_log", files="growth_log", writes=(GROWTH_LOG, GROWTH_LOG_CHANNEL), parameters=GrowthLogParameters
)
def growth_log(film: Film) -> Outcome:
    """Growth logs as logged, and for each channel its unit, range, sampling, gaps and saturation."""
    outcome = Outcome()
    logs: list[tuple[int, Measurement, list[Scan]]] = []
    for file in film.files:
        try:
            measurement = film.measurement(file)
            logs.append((file.file_id, measurement, channels_of(measurement)))
        except RutileError as fault:
            outcome.rejected.append((file, fault))
    if not logs:
        return outcome
    starts = [_start(measurement) for _, measurement, _ in logs]
    known = [start for start in starts if start is not None]
    if len(logs) > 1 and len(known) < len(logs):
        outcome.notes.append("Not every log says when it began: their zeros are taken to be the same.")
    zero = min(known) if len(known) == len(logs) else None
    frames, rows = [], []
    for (file_id, _, scans), start in zip(logs, starts, strict=True):
        offset = (start - zero).total_seconds() if zero is not None and start is not None else 0.0
        for scan in scans:
            channel = _channel(scan, offset)
            rows.append({"file_id": file_id, "clock_offset_s": offset, **_summary(channel, offset, film.parameters)})
            frames.append(
                pd.DataFrame(
                    {
                        "file_id": file_id,
                        "log_channel": channel.name,
                        "point_index": np.arange(1, scan.points + 1),
                        "log_time_s": scan.columns["log_time_s"],
                        "reading": channel.values,
                        "reading_unit": channel.unit,
                    }
                )
            )
    outcome.tables["growth_log"] = pd.concat(frames, ignore_index=True)
    outcome.tables["growth_log_channel"] = pd.DataFrame(rows)
    return outcome


def _start(measurement: Measurement) -> datetime | None:
    start = measurement.acquired_at
    return start if start is None or start.tzinfo is not None else start.replace(tzinfo=UTC)


def _channel(scan: Scan, offset_s: float) -> Channel:
    said = scan.settings
    name, unit, role = str(said.get("channel")), said.get("unit"), said.get("role")
    low, high = said.get("range_low"), said.get("range_high")
    return Channel(
        name,
        scan.columns["log_time_s"] + offset_s,
        scan.columns["reading"],
        str(unit) if unit is not None else None,
        role_of(name, str(role) if role is not None else None),
        (float(low), float(high)) if isinstance(low, float) and isinstance(high, float) else None,
    )


def _summary(channel: Channel, offset_s: float, chosen: GrowthLogParameters) -> dict[str, object]:
    steps = np.diff(channel.time_s)
    low, high = channel.limits or (None, None)
    return {
        "log_channel": channel.name,
        "reading_unit": channel.unit,
        "channel_role": channel.role,
        "range_low_reading": low,
        "range_high_reading": high,
        "log_readings_count": len(channel.values),
        "first_log_time_s": channel.time_s[0] - offset_s,
        "last_log_time_s": channel.time_s[-1] - offset_s,
        "sampling_s": channel.sampling_s,
        "longest_gap_s": steps.max() if len(steps) else None,
        "gaps_count": int(channel.gaps(chosen.gap_factor).sum()),
        "spikes_count": 0 if channel.role == "shutter" else int(spikes(channel.values).sum()),
        "saturated_fraction": channel.saturated.mean(),
        "first_reading": channel.values[0],
        "last_reading": channel.values[-1],
        "lowest_reading": channel.values.min(),
        "highest_reading": channel.values.max(),
    }


def logged(film: Film) -> list[tuple[int, Channel]]:
    """Return the film's channels from its tables, on the common clock, with the file of each."""
    points = {key: rows for key, rows in film.table("growth_log").groupby(["file_id", "log_channel"], sort=False)}
    found = []
    for row in film.table("growth_log_channel").to_dict("records"):
        rows = points[(row["file_id"], row["log_channel"])]
        limits = (row["range_low_reading"], row["range_high_reading"])
        found.append(
            (
                int(row["file_id"]),
                Channel(
                    str(row["log_channel"]),
                    rows["log_time_s"].to_numpy(np.float64) + row["clock_offset_s"],
                    rows["reading"].to_numpy(np.float64),
                    None if pd.isna(row["reading_unit"]) else str(row["reading_unit"]),
                    None if pd.isna(row["channel_role"]) else str(row["channel_role"]),
                    None if pd.isna(limits[0]) else limits,
                ),
            )
        )
    return found


@film_asset(
    room="growth_log",
    reads=("growth_log",),
    writes=(GROWTH_LOG_RESAMPLED,),
    parameters=GrowthLogParameters,
    kinds=("python", "numpy"),
    figure=figures.log,
)
def growth_log_resampled(film: Film) -> Outcome:
    """All channels on one grid of time; a pause of the logger stays one, a reading at a limit is flagged."""
    outcome = Outcome()
    channels, chosen = logged(film), film.parameters
    if not channels:
        return outcome
    grid = _grid(channels, chosen.grid_s)
    frames = []
    for file_id, channel in channels:
        longest = chosen.gap_factor * channel.sampling_s
        values = resampled(channel.time_s, channel.values, grid, longest, hold=channel.role == "shutter")
        marked = resampled(channel.time_s, channel.saturated.astype(np.float64), grid, longest)
        frames.append(
            pd.DataFrame(
                {
                    "file_id": file_id,
                    "log_channel": channel.name,
                    "point_index": np.arange(1, len(grid) + 1),
                    "common_time_s": grid,
                    "grid_reading": values,
                    "reading_unit": channel.unit,
                    "is_saturated": np.nan_to_num(marked) > 0,
                }
            )
        )
    outcome.tables["growth_log_resampled"] = pd.concat(frames, ignore_index=True)
    return outcome


def _grid(channels: list[tuple[int, Channel]], step_s: float) -> FloatArray:
    last = max(channel.time_s[-1] for _, channel in channels)
    points = int(last / step_s) + 1 if step_s > 0 else MAX_GRID_POINTS + 1
    if points * len(channels) > MAX_GRID_POINTS:
        raise WrongContent(
            f"{last:.6g} s of {len(channels)} channels in steps of {step_s:g} s",
            f"at most {MAX_GRID_POINTS} points",
            "Choose a larger grid_s.",
        )
    return np.arange(points, dtype=np.float64) * step_s


@film_asset(
    room="growth_log",
    reads=("growth_log",),
    writes=(GROWTH_LOG_WINDOW,),
    parameters=GrowthLogParameters,
    kinds=("python", "numpy", "scipy"),
)
def growth_log_window(film: Film) -> Outcome:
    """When the film grew, by its shutters, and the means of temperature and pressure over that time."""
    outcome = Outcome()
    channels, chosen = logged(film), film.parameters
    shutters: list[tuple[int, Channel, Opening]] = []
    for file_id, channel in channels:
        if channel.role == "shutter" and (found := opening(channel)) is not None:
            shutters.append((file_id, channel, found))
            outcome.results.append(Result(duration(channel, found), file_id))
    if shutters:
        outcome.tables["growth_log_window"] = pd.DataFrame([_window_row(*shutter) for shutter in shutters])
    if chosen.stop_s > chosen.start_s:
        start, stop = chosen.start_s, chosen.stop_s
    elif shutters:
        start, stop = min(f.start_s for *_, f in shutters), max(f.stop_s for *_, f in shutters)
    else:
        if channels:
            outcome.notes.append(
                "No shutter opens and closes in the logs: choose start_s and stop_s for the means of the growth."
            )
        return outcome
    for file_id, channel in channels:
        mean = plateau(channel, start, stop, chosen)
        if isinstance(mean, str):
            outcome.notes.append(mean)
        elif mean is not None:
            outcome.results.append(Result(mean, file_id))
    return outcome


def _window_row(file_id: int, channel: Channel, found: Opening) -> dict[str, object]:
    return {
        "file_id": file_id,
        "log_channel": channel.name,
        "open_common_time_s": found.start_s,
        "close_common_time_s": found.stop_s,
        "open_s": found.open_s,
    }


ROOM = Room(
    name="growth_log",
    title="Growth logs",
    folders=("growth_log", "growth_logs", "mbe", "mbe_logs", "log", "logs"),
    check=channels_of,
    assets=(growth_log, growth_log_resampled, growth_log_window),
)
