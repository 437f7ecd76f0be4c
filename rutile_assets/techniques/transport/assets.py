"""The transport room: readings to a table, readings to sheet resistance and Hall effect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.errors import FitFailed, RutileError, WrongContent
from rutile_assets.formats.measurement import Measurement, Scan
from rutile_assets.provenance.film import Film, Outcome, Result
from rutile_assets.provenance.film_asset import Room, film_asset
from rutile_assets.techniques.transport import figures
from rutile_assets.techniques.transport.model import (
    ANISOTROPIC,
    ARRANGEMENTS,
    HALL,
    VDP_A,
    VDP_B,
    Hall,
    Readings,
    Sheet,
    TransportParameters,
    estimate,
    hall,
    sheet,
    temperatures,
)
from rutile_assets.techniques.transport.tables import (
    TRANSPORT_HALL,
    TRANSPORT_HALL_CURVE,
    TRANSPORT_SHEET,
    TRANSPORT_SWEEP,
)

_LABELS = {HALL: r"\bhall\b|r_?xy", VDP_A: r"vdp[ _]?a\b|r_a\b", VDP_B: r"vdp[ _]?b\b|r_b\b"}
SAME_TEMPERATURE_K = 1.0


def tabulate(measurement: Measurement) -> pd.DataFrame:
    """Return a file's readings: arrangement, configuration_index, temperature_k, field_t, resistance_ohm.

    What each channel or configuration measured is told by the sidecar (``channels: {bridge1: vdp_a, ...}`` or
    ``configurations: {hall: [0, 1], vdp_a: [2, 3], ...}``), or by an operator's label that says so; it is never
    guessed.

    Raises
    ------
    WrongContent
        Nobody says what a channel measured.
    """
    if not measurement.scans:
        raise WrongContent("no readings in the file", "temperature, field and resistance", "Drop the .dat of the run.")
    settings: Mapping[str, Any] = measurement.settings
    if "configuration_index" in measurement.scans[0].columns:
        return _by_configuration(measurement.scans[0], settings.get("configurations"))
    frames = []
    for scan in measurement.scans:
        arrangement = _arrangement(scan, settings.get("channels"))
        if arrangement is not None:
            frames.append(
                pd.DataFrame(
                    {name: scan.columns[name] for name in ("temperature_k", "field_t", "resistance_ohm")}
                ).assign(arrangement=arrangement, configuration_index=int(_digits(scan.settings.get("channel")) or 0))
            )
    if not frames:
        raise WrongContent(
            "channels of which none is used", f"one of {', '.join(ARRANGEMENTS)}", "Correct the sidecar."
        )
    return pd.concat(frames, ignore_index=True)


@film_asset(room="transport", files="transport", writes=(TRANSPORT_SWEEP,))
def transport_sweep(film: Film) -> Outcome:
    """Resistances of every contact arrangement against temperature and field, as measured."""
    outcome = Outcome()
    frames = []
    for file in film.files:
        try:
            rows = tabulate(film.measurement(file))
        except RutileError as fault:
            outcome.rejected.append((file, fault))
            continue
        frames.append(rows.assign(file_id=file.file_id, point_index=np.arange(1, len(rows) + 1)))
    if frames:
        outcome.tables["transport_sweep"] = pd.concat(frames, ignore_index=True)
    return outcome


@film_asset(
    room="transport",
    reads=("transport_sweep",),
    writes=(TRANSPORT_SHEET,),
    parameters=TransportParameters,
    kinds=("python", "scipy"),
    figure=figures.sheet_resistance,
)
def transport_sheet(film: Film) -> Outcome:
    """Sheet resistance and sheet conductance at each temperature, by van der Pauw."""
    outcome = Outcome()
    rows = []
    for file_id, index, readings in _temperatures(film):
        found = _sheet_of(readings, film.parameters, outcome)
        if found is None:
            continue
        numbers = estimate(found, None, film.parameters)
        rows.append(_sheet_row(file_id, index, found, numbers.sigma))
        kelvin = [found.temperature_k] * len(numbers.quantities)
        outcome.results.append(Result(numbers, file_id, temperature_k=kelvin))
        outcome.notes += [f"{numbers.subjects[0]}: {note}" for note in numbers.notes]
    if rows:
        outcome.tables["transport_sheet"] = pd.DataFrame(rows)
    return outcome


@film_asset(
    room="transport",
    reads=("transport_sweep", "transport_sheet"),
    writes=(TRANSPORT_HALL, TRANSPORT_HALL_CURVE),
    parameters=TransportParameters,
    kinds=("python", "scipy"),
    figure=figures.hall_effect,
)
def transport_hall(film: Film) -> Outcome:
    """Hall slope, anomalous term, sheet density and mobility at each temperature.

    Density and mobility are given only where the Hall effect is linear and its slope significant.
    """
    outcome = Outcome()
    rows, curves = [], []
    sheets = film.table("transport_sheet")
    for file_id, index, readings in _temperatures(film):
        if HALL not in readings:
            continue
        try:
            found = hall(readings[HALL])
        except FitFailed as fault:
            outcome.notes.append(f"{readings[HALL].temperature_k.mean():.1f} K: {fault}")
            continue
        numbers = estimate(_known_sheet(sheets, file_id, found.temperature_k), found, film.parameters)
        keep = [i for i, q in enumerate(numbers.quantities) if q not in ("sheet_resistance_ohm", "sigma_2d_s")]
        numbers = numbers.part(keep)
        rows.append(
            _hall_row(
                file_id,
                index,
                found,
                dict(zip(numbers.quantities, zip(numbers.values, numbers.std, strict=True), strict=True)),
            )
        )
        curves.append(_curve(file_id, index, found))
        outcome.results.append(Result(numbers, file_id, temperature_k=[found.temperature_k] * len(keep)))
        outcome.notes += [f"{numbers.subjects[0]}: {note}" for note in numbers.notes]
    if rows:
        outcome.tables = {
            "transport_hall": pd.DataFrame(rows),
            "transport_hall_curve": pd.concat(curves, ignore_index=True),
        }
    return outcome


def _by_configuration(scan: Scan, declared: object) -> pd.DataFrame:
    """Return one reading for each field and configuration: the slope of sense voltage over source current."""
    if not isinstance(declared, dict) or not set(declared) <= set(ARRANGEMENTS):
        raise WrongContent(
            f"configurations declared as {declared!r}",
            f"a mapping of {', '.join(ARRANGEMENTS)} to lists of configuration_index",
            "Write configurations: {hall: [0, 1], vdp_a: [2, 3], vdp_b: [4, 5]} in the sidecar.",
        )
    meaning = {int(number): name for name, numbers in declared.items() for number in numbers}
    columns = {name: np.asarray(values) for name, values in scan.columns.items()}
    temperature, field = columns["temperature_k"], columns["field_t"]
    block = np.cumsum(
        (np.diff(field, prepend=field[0]) != 0) | (np.abs(np.diff(temperature, prepend=temperature[0])) > 0.5)
    )
    frame = pd.DataFrame(columns).assign(block=block)
    rows = []
    for (_, number), part in frame.groupby(["block", "configuration_index"], sort=False):
        arrangement = meaning.get(int(float(str(number))))
        if arrangement is None:
            continue
        current = part.source_a.to_numpy() - part.source_a.mean()
        if len(part) < 2 or not (current @ current) > 0:
            raise WrongContent(
                "one current only", "several currents at each field", "Step the current, both polarities."
            )
        rows.append(
            {
                "arrangement": arrangement,
                "configuration_index": int(float(str(number))),
                "temperature_k": part.temperature_k.mean(),
                "field_t": part.field_t.mean(),
                "resistance_ohm": float(current @ part.sense_v.to_numpy() / (current @ current)),
            }
        )
    return pd.DataFrame(rows)


def _arrangement(scan: Scan, declared: object) -> str | None:
    number, label = scan.settings.get("channel"), str(scan.settings.get("label") or "")
    if isinstance(declared, dict):
        names = {_digits(key): value for key, value in declared.items()}
        told = names.get(_digits(number))
        if told is not None and told not in ARRANGEMENTS:
            raise WrongContent(
                f"channel {number} as {told!r}", f"one of {', '.join(ARRANGEMENTS)}", "Correct the sidecar."
            )
        return told
    meant = [name for name, pattern in _LABELS.items() if re.search(pattern, label, re.IGNORECASE)]
    four_wire = re.search(r"4[ -]?wire|four[ -]?wire|tmr|rxx", label, re.IGNORECASE)
    if len(meant) == 1 and not four_wire:
        return meant[0]
    raise WrongContent(
        f"channel {number} labelled {label!r}, which does not say what its contacts measured",
        f"one of {', '.join(ARRANGEMENTS)} for every channel that is to be used",
        "Write channels: {1: hall, 2: vdp_a, 3: vdp_b} in a sidecar (leave out what is not van der Pauw).",
    )


def _digits(name: object) -> str:
    """Return the number in a channel's name: bridge1, ch 1 and 1 are the same channel."""
    return re.sub(r"\D", "", str(name))


def _temperatures(film: Film) -> list[tuple[int, int, dict[str, Readings]]]:
    """Return (file_id, number of the temperature from the coldest, readings by arrangement)."""
    points = film.table("transport_sweep")
    found = []
    for file_id, frame in points.groupby("file_id", sort=False):
        labels = temperatures(frame.temperature_k.to_numpy(dtype=float), film.parameters.temperature_gap_k)
        for index in np.unique(labels):
            part = frame[labels == index]
            readings = {
                str(name): Readings(
                    rows.temperature_k.to_numpy(dtype=float),
                    rows.field_t.to_numpy(dtype=float),
                    rows.resistance_ohm.to_numpy(dtype=float),
                    rows.configuration_index.to_numpy(dtype=np.int64),
                )
                for name, rows in part.groupby("arrangement")
            }
            found.append((int(str(file_id)), int(index) + 1, readings))
    return found


def _sheet_of(readings: dict[str, Readings], chosen: TransportParameters, outcome: Outcome) -> Sheet | None:
    if VDP_A not in readings or VDP_B not in readings:
        return None
    try:
        return sheet(readings[VDP_A], readings[VDP_B], chosen)
    except FitFailed as fault:
        outcome.notes.append(f"{readings[VDP_A].temperature_k.mean():.1f} K: {fault}")
        return None


def _known_sheet(sheets: pd.DataFrame, file_id: int, temperature_k: float) -> Sheet | None:
    """Return the sheet resistance at this temperature, from the same file before another file of the film."""
    near = sheets[(sheets.temperature_k - temperature_k).abs() < SAME_TEMPERATURE_K]
    if near.empty:
        return None
    row = near.assign(other=near.file_id != file_id).sort_values("other", kind="stable").to_dict("records")[0]
    statistical = np.sqrt(max(row["sheet_resistance_ohm_std"] ** 2 - row["reciprocity_ohm"] ** 2, 0.0))
    return Sheet(
        row["temperature_k"], row["r_a_ohm"], row["r_b_ohm"], row["sheet_resistance_ohm"], float(statistical),
        row["reciprocity_ohm"], int(row["readings_count"]), (),
    )  # fmt: skip


def _sheet_row(file_id: int, index: int, found: Sheet, sigma: Any) -> dict[str, object]:
    label = f"{round(found.temperature_k, 1):g} K"
    return {
        "file_id": file_id,
        "temperature_index": index,
        "temperature_k": found.temperature_k,
        "r_a_ohm": found.r_a_ohm,
        "r_b_ohm": found.r_b_ohm,
        "sheet_resistance_ohm": found.sheet_resistance_ohm,
        "sheet_resistance_ohm_std": sigma("sheet_resistance_ohm", label),
        "sheet_resistance_ohm_std_source": "repeat",
        "sigma_2d_s": 1.0 / found.sheet_resistance_ohm,
        "sigma_2d_s_std": sigma("sigma_2d_s", label),
        "sigma_2d_s_std_source": "repeat",
        "reciprocity_ohm": found.reciprocity_ohm,
        "is_anisotropic": max(found.r_a_ohm, found.r_b_ohm) > ANISOTROPIC * min(found.r_a_ohm, found.r_b_ohm),
        "readings_count": found.readings_count,
        "notes": " ".join(found.notes),
    }


def _hall_row(file_id: int, index: int, found: Hall, numbers: dict[str, tuple[float, float]]) -> dict[str, object]:
    row: dict[str, object] = {
        "file_id": file_id,
        "temperature_index": index,
        "temperature_k": found.temperature_k,
        "saturation_t": None if np.isnan(found.saturation_t) else found.saturation_t,
        "delta_bic": found.delta_bic,
        "verdict": found.verdict,
        "branch_slopes": " ".join(f"{slope:.6g}" for slope in found.branch_slopes_ohm_per_t),
    }
    for name in ("hall_slope_ohm_per_t", "anomalous_hall_ohm", "sheet_density_per_cm2", "mobility_cm2_per_vs"):
        value, std = numbers.get(name, (None, None))
        row |= {name: value, f"{name}_std": std, f"{name}_std_source": None if value is None else "repeat"}
    return row


def _curve(file_id: int, index: int, found: Hall) -> pd.DataFrame:
    order = np.argsort(found.field_t, kind="stable")
    return pd.DataFrame(
        {
            "file_id": file_id,
            "temperature_index": index,
            "point_index": np.arange(1, len(order) + 1),
            "temperature_k": found.temperature_k,
            "field_t": found.field_t[order],
            "odd_part_ohm": found.odd_ohm[order],
            "model_ohm": found.model_ohm(found.field_t[order]),
        }
    )


ROOM = Room(
    name="transport",
    title="Electrical transport",
    folders=("transport", "hall", "ppms", "transport_hall"),
    check=tabulate,
    assets=(transport_sweep, transport_sheet, transport_hall),
)
