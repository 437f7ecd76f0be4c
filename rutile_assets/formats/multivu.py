"""Quantum Design MultiVu .dat: [Header] and [Data], comma-separated, channels often on alternate rows."""

from __future__ import annotations

import csv
import re
from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile, WrongContent
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import MAX_ROWS, decoded, truncated

_TEMPERATURE = re.compile(r"^temperature \((.+)\)$", re.IGNORECASE)
_FIELD = re.compile(r"^(?:magnetic )?field \((.+)\)$", re.IGNORECASE)
_TIME = re.compile(r"^time stamp \((.+)\)$", re.IGNORECASE)
# a resistance column: (pattern, what the number in it is)
_RESISTANCE = (
    re.compile(r"^bridge (?P<ch>\d) resistance \((?P<unit>[^)]+)\)$", re.IGNORECASE),
    re.compile(r"^resistance ch(?:annel )?\s*(?P<ch>\d) \((?P<unit>[^)]+)\)$", re.IGNORECASE),
    re.compile(r"^res\. ch(?P<ch>\d) \((?P<unit>[^)]+)\)$", re.IGNORECASE),
)
_TO_OHM = {"ohm": 1.0, "ohms": 1.0, "mohm": 1e-3, "mohms": 1e-3, "kohm": 1e3, "kohms": 1e3, "µohm": 1e-6, "uohm": 1e-6}
_TO_A = {"ma": 1e-3, "ua": 1e-6, "µa": 1e-6, "a": 1.0, "na": 1e-9}
_TO_TESLA = {"oe": 1e-4, "t": 1.0, "tesla": 1.0, "koe": 0.1}
_NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d{1,3})?$")


def read(source: Source) -> Measurement:
    """Read temperature, field and the resistance of every channel that has any.

    Field in Oe is turned into mu0 H in T. A channel of the AC Transport option that is given as a resistivity in
    ohm-cm is turned into ohm with the lead separation and the cross-section that the operator typed (both in cm), and
    says so.
    """
    text = decoded(source)
    if "[Data]" not in text:
        raise truncated(source, "no [Data] section", "[Header] and [Data]")
    header, body = text.split("[Data]", 1)
    if not body.rstrip("\r").endswith("\n"):
        raise truncated(source, f"a last line without its end ({body[-20:]!r})", "whole lines")
    rows = [row for row in csv.reader(body.splitlines()) if row]
    if len(rows) < 2 or len(rows) > MAX_ROWS:
        raise truncated(source, f"{max(len(rows) - 1, 0)} rows of data", "measured points")
    names, points = [name.strip() for name in rows[0]], rows[1:]
    for number, row in enumerate(points, start=1):
        if len(row) != len(names):
            raise truncated(source, f"{len(row)} columns in data row {number}", f"{len(names)} in every row")
    information = _information(header)
    temperature = _column(source, names, points, _TEMPERATURE, {"k": 1.0})
    field = _column(source, names, points, _FIELD, _TO_TESLA)
    time = _column(source, names, points, _TIME, {"sec": 1.0, "s": 1.0, "seconds": 1.0})
    scans = []
    notes = ["Field in Oe is mu0 H in T times 10^4."]
    for channel, resistance, note in _resistances(source, names, points, information):
        there = np.isfinite(resistance)
        if not there.any():
            continue
        columns = {"temperature_k": temperature[there], "field_t": field[there], "resistance_ohm": resistance[there]}
        if np.isfinite(time[there]).all():
            columns["time_s"] = time[there]
        excitation = _excitation(source, names, points, channel)
        if excitation is not None and np.isfinite(excitation[there]).all():
            columns["excitation_a"] = excitation[there]
        settings: dict[str, Setting] = {"channel": channel, "label": _label(information, channel)}
        scans.append(Scan(columns, settings | {"comment": information.get(f"SAMPLE{channel}_COMMENT")}))
        notes += [note] if note else []
    if not scans:
        raise WrongContent(
            f"no resistance column among {[n for n in names if n][:12]}", "Bridge n Resistance or Resistance Ch n",
            "Measure with the Resistivity, ETO or ACT option.", source.name,
        )  # fmt: skip
    for scan in scans:
        if not (np.isfinite(scan.columns["temperature_k"]).all() and np.isfinite(scan.columns["field_t"]).all()):
            raise WrongContent(
                "points without temperature or field", "both at every point", "Export them.", source.name
            )
    title = re.search(r"^TITLE,(.*)$", header, re.MULTILINE)
    app = re.search(r"^BYAPP,\s*([^\r\n]*)$", header, re.MULTILINE)
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique="transport",
        settings={"title": title.group(1).strip() if title else None, "option": app.group(1).strip() if app else None},
        instrument=f"Quantum Design {app.group(1).split(',')[0].strip() if app else 'PPMS'}",
        sample=next((information[k] for k in ("SAMPLE1_MATERIAL", "SAMPLE_MATERIAL") if information.get(k)), None),
        acquired_at=_opened(header),
        notes=tuple(dict.fromkeys(notes)),
    )


def _information(header: str) -> dict[str, str]:
    found = {}
    for line in header.splitlines():
        if line.startswith("INFO,"):
            value, _, key = line[5:].rpartition(",")
            key = key.strip().removesuffix(":")
            found[re.sub(r"^(SAMPLE\d?|CHANNEL\d?)[_ ]?", lambda m: f"{m.group(1)}_", key)] = value.strip()
    return found


def _label(information: dict[str, str], channel: int) -> str | None:
    keys = (f"SAMPLE{channel}_MATERIAL", f"SAMPLE{channel}_NAME")
    return next((information[key] for key in keys if information.get(key)), None)


def _resistances(
    source: Source, names: list[str], points: list[list[str]], information: dict[str, str]
) -> list[tuple[int, FloatArray, str | None]]:
    for pattern in _RESISTANCE:
        found: list[tuple[int, FloatArray, str | None]] = []
        for index, name in enumerate(names):
            match = pattern.match(name)
            if match is None:
                continue
            channel, unit = int(match.group("ch")), match.group("unit").lower()
            values = _values(source, points, index, name)
            if unit in _TO_OHM:
                found.append((channel, values * _TO_OHM[unit], None))
            elif unit == "ohm-cm" and np.isfinite(values).any():
                factor = _geometry(source, information, channel)
                note = f"Channel {channel}: resistivity in ohm-cm times the typed lead separation over cross-section."
                found.append((channel, values * factor, note))
            elif np.isfinite(values).any():
                raise WrongContent(f"resistance in {match.group('unit')!r}", "ohm", "Export in ohms.", source.name)
        if any(np.isfinite(values).any() for _, values, _ in found):
            return found
    return []


def _geometry(source: Source, information: dict[str, str], channel: int) -> float:
    """Lead separation over cross-section, 1/cm: R = rho L / A."""
    words = [information.get(f"SAMPLE{channel}_{key}", "") for key in ("LEAD_SEPARATION", "CROSS_SECTION")]
    try:
        separation, section = (float(word) for word in words)
    except ValueError:
        separation, section = 0.0, 0.0
    if separation <= 0 or section <= 0:
        raise WrongContent(
            f"a resistivity with lead separation {words[0]!r} and cross-section {words[1]!r}", "both, in cm and cm2",
            "Export the resistance in ohms instead.", source.name,
        )  # fmt: skip
    return separation / section


def _excitation(source: Source, names: list[str], points: list[list[str]], channel: int) -> FloatArray | None:
    for index, name in enumerate(names):
        match = re.match(
            rf"^(?:bridge {channel} )?excitation(?: ch(?:annel )?{channel})? \(([^)]+)\)$", name, re.IGNORECASE
        )
        if match and match.group(1).lower() in _TO_A:
            return _values(source, points, index, name) * _TO_A[match.group(1).lower()]
    return None


def _column(
    source: Source, names: list[str], points: list[list[str]], pattern: re.Pattern[str], units: dict[str, float]
) -> FloatArray:
    for index, name in enumerate(names):
        match = pattern.match(name)
        if match:
            unit = match.group(1).lower()
            if unit not in units:
                raise WrongContent(f"column {name!r}", f"a unit among {', '.join(units)}", "Export it so.", source.name)
            return _values(source, points, index, name) * units[unit]
    if pattern is _TIME:
        return np.full(len(points), np.nan)
    raise WrongContent(f"columns {names[:8]}", "Temperature (K) and Magnetic Field (Oe)", "Export them.", source.name)


def _values(source: Source, points: list[list[str]], index: int, name: str) -> FloatArray:
    values = np.full(len(points), np.nan)
    for number, row in enumerate(points):
        word = row[index].strip()
        if word:
            if not _NUMBER.match(word):
                raise UnreadableFile(
                    f"{word[:20]!r} in column {name!r}, data row {number + 1}",
                    "a number",
                    "Copy it again.",
                    source.name,
                )
            values[number] = float(word.lower().replace("d", "e"))
    return values


def _opened(header: str) -> datetime | None:
    match = re.search(r"^FILEOPENTIME,[^,]*,[^,]*,\s*([\d/]+)[ ,]+([\d:]+)", header, re.MULTILINE)
    try:
        return datetime.strptime(f"{match.group(1)} {match.group(2)}", "%m/%d/%Y %H:%M:%S") if match else None
    except ValueError:
        return None


FORMAT = Format(
    "multivu",
    "Quantum Design MultiVu .dat (Resistivity, ETO, ACT)",
    lambda head, name: head.lstrip(b"\xef\xbb\xbf").lstrip().startswith(b"[Header]"),
    read,
)
