"""The KPFM room: potential maps to a table, maps to a contact potential."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from rutile_assets.errors import RutileError, WrongContent
from rutile_assets.formats.measurement import Channel, Measurement
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.kpfm import figures
from rutile_assets.techniques.kpfm.model import (
    KpfmParameters,
    MapPotential,
    film_estimate,
    map_estimate,
    map_potential,
    visits,
)
from rutile_assets.techniques.kpfm.tables import KPFM_MAP, KPFM_POTENTIAL, KPFM_POTENTIAL_VISIT


def potentials(measurement: Measurement) -> tuple[list[Channel], str]:
    """Return the potential maps of a file and the electrode that carried the bias.

    Raises
    ------
    WrongContent
        No potential channel (the message names the channels found), or nobody says where the bias was.
    """
    found = [c for c in measurement.channels if c.quantity == "potential_v"]
    if not found:
        labels = ", ".join(c.label for c in measurement.channels) or "none"
        raise WrongContent(
            f"no potential channel (channels: {labels})",
            "a surface potential channel in V",
            "Record the potential; a height map alone belongs in afm/.",
        )
    bias_on = measurement.settings.get("bias_on")
    if bias_on not in ("tip", "sample"):
        raise WrongContent(
            f"bias_on {bias_on!r}" if bias_on is not None else "nothing that says which electrode carried the bias",
            "bias_on: tip or bias_on: sample",
            "Write it into settings.yaml in the map's folder; the sign of the work function hangs on it.",
        )
    return found, str(bias_on)


@film_asset(room="kpfm", files="kpfm", writes=(KPFM_MAP,))
def kpfm_map(film: Film) -> Outcome:
    """Contact potential maps as measured, in the array store, with the electrode that carried the bias."""
    outcome = Outcome()
    rows = []
    for file in film.files:
        try:
            measurement = film.measurement(file)
            maps, bias_on = potentials(measurement)
        except RutileError as fault:
            outcome.rejected.append((file, fault))
            continue
        tip, when = measurement.settings.get("tip"), measurement.acquired_at
        for index, channel in enumerate(maps, start=1):
            lines, pixels = channel.values.shape
            rows.append(
                {
                    "file_id": file.file_id,
                    "channel_index": index,
                    "channel_label": channel.label,
                    "tip": None if tip is None else str(tip),
                    "acquired_at": when and when.replace(tzinfo=None),
                    "bias_on": bias_on,
                    "pixels_x_count": pixels,
                    "pixels_y_count": lines,
                    "scan_size_x_nm": pixels * channel.pixel_size_x_nm,
                    "scan_size_y_nm": lines * channel.pixel_size_y_nm,
                    "bias_mean_v": channel.values.mean(),
                    "array": film.store("potential_v", channel.values, unit="V", bias_on=bias_on),
                }
            )
    if rows:
        outcome.tables["kpfm_map"] = pd.DataFrame(rows)
    return outcome


@film_asset(
    room="kpfm",
    files="kpfm",
    reads=("kpfm_map",),
    writes=(KPFM_POTENTIAL, KPFM_POTENTIAL_VISIT),
    parameters=KpfmParameters,
    kinds=("python", "numpy"),
    figure=figures.potential,
)
def kpfm_potential(film: Film) -> Outcome:
    """Contact potential of each map and of each visit: tip bias that nulls with the sample grounded.

    A film measured under one tip has one number. One that was measured under several, or again later under the same
    (the sample that tips are calibrated with), has one for each visit, named by tip and time.
    """
    outcome = Outcome()
    names = {file.file_id: PurePosixPath(file.name).stem for file in film.files}
    rows, found = [], []
    for row in film.table("kpfm_map").to_dict("records"):
        try:
            here = map_potential(film.array(row["array"]), row["bias_on"])
        except RutileError as fault:
            outcome.notes.append(f"{row['channel_label']}: {fault}")
            continue
        found.append(here)
        file_id = int(row["file_id"])
        subject = f"map {names.get(file_id, file_id)}" + (
            f" {row['channel_index']}" if row["channel_index"] > 1 else ""
        )
        outcome.results.append(Result(map_estimate(here, subject), file_id))
        rows.append(
            {
                "file_id": file_id,
                "channel_index": row["channel_index"],
                "tip": row["tip"],
                "acquired_at": row["acquired_at"],
                "v_cpd_v": here.mean_v,
                "v_cpd_v_std": here.mean_std_v,
                "v_cpd_v_std_source": "covariance",
                "v_cpd_spread_v": here.spread_v,
                "effective_pixels_count": here.effective_pixels,
            }
        )
    if found:
        outcome.tables["kpfm_potential"] = pd.DataFrame(rows)
        _add_visits(outcome, found, film.parameters)
    return outcome


def _add_visits(outcome: Outcome, found: list[MapPotential], chosen: KpfmParameters) -> None:
    table = outcome.tables["kpfm_potential"]
    times = pd.to_datetime(table.acquired_at)
    hours = np.asarray((times - times.min()).dt.total_seconds() / 3600.0, dtype=np.float64)
    tips = [None if pd.isna(tip) else str(tip) for tip in table.tip]
    groups = visits(tips, hours, chosen.visit_gap_h)
    rows = []
    for index, (tip, places) in enumerate(groups, start=1):
        began, middle = times.iloc[places].min(), times.iloc[places].mean()
        when = "" if pd.isna(began) else f", {began:%Y-%m-%d %H:%M}"
        subject = "" if len(groups) == 1 else f"tip {tip or 'unknown'}{when}"
        numbers = film_estimate([found[i] for i in places], chosen, subject)
        outcome.results.append(Result(numbers))
        outcome.notes += [f"{subject}: {note}" if subject else note for note in numbers.notes]
        rows.append(
            {
                "visit_index": index,
                "tip": tip or None,
                "visit_began_at": None if pd.isna(began) else began,
                "visit_middle_at": None if pd.isna(middle) else middle,
                "maps_count": len(places),
                "visit_v_cpd_v": numbers.values[0],
                "visit_v_cpd_v_std": numbers.std[0],
                "visit_v_cpd_v_std_source": "repeat",
            }
        )
    outcome.tables["kpfm_potential_visit"] = pd.DataFrame(rows)


ROOM = Room(
    name="kpfm",
    title="Kelvin probe force microscopy",
    folders=("kpfm", "skpm"),
    check=potentials,
    assets=(kpfm_map, kpfm_potential),
)
