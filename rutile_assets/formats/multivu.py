"""Quantum Design MultiVu .dat of the Resistivity, ETO and ACT options: one scan a channel.

Columns of all channels stand side by side and a row fills those of the channel it belongs to; units are in the
titles, some typed by the operator ('Bridge 1 Resistivity (Ohm)' is a resistance). Data rows may have fewer columns
than the title row, but all the same number. Magnetic field in Oe becomes mu0 H in T.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.electrical import ENDINGS, Unit, unit_named
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import LARGEST, MAX_ROWS, damaged, is_number, text_of, time_of, truncated, whole_lines

OPTIONS = {"actransport": "ACT", "resistivity": "Resistivity", "electrical transport": "ETO", "eto": "ETO"}
CHANNEL = re.compile(r"\bch(?:annel)?\s*(\d)\b|^(bridge)\s*(\d)\b", re.IGNORECASE)
MISSING = re.compile(r"(-?1\.#\w*|nan|--)?", re.IGNORECASE)
# title without channel and unit -> our name without unit, and the unit where the title has none
COMMON = {
    "time stamp": "time",
    "temperature": "temperature",
    "magnetic field": "field",
    "field": "field",
    "sample position": "sample_position",
    "excitation": "excitation",
    "frequency": "frequency",
}
PER_CHANNEL = {
    "volts": "voltage",
    "v std.dev.": "voltage_std",
    "res.": "resistivity",
    "resistivity": "resistivity",
    "std. dev.": "resistivity_std",
    "resistance": "resistance",
    "resistance std. dev.": "resistance_std",
    "excitation": "excitation",
    "ac current": "excitation",
    "dc current": "direct_current",
    "frequency": "frequency",
    "phase angle": "phase",
    "i-v current": "iv_current",
    "i-v voltage": "iv_voltage",
}
MEASURED = ("resistance", "resistivity", "voltage", "iv_voltage")
IMPLIED = {"volts": "V", "v std.dev.": "V"}
DATES = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M")


@dataclass(frozen=True)
class _Column:
    """A column of the file: the channel it belongs to ('' for all), our name, its unit and its numbers."""

    channel: str
    name: str
    unit: Unit
    values: FloatArray


def read(source: Source) -> Measurement:
    """Read every channel that has numbers.

    Raises
    ------
    UnreadableFile
        No data block, a last line that is cut, words among numbers, a unit that nobody knows, no channel of
        resistance.
    """
    lines = whole_lines(source, text_of(source))
    start = next((i for i, line in enumerate(lines) if line.strip() == "[Data]"), None)
    if start is None or start + 2 > len(lines):
        raise truncated(source, "no [Data] block", "column titles and rows after [Data]")
    header = _header(lines[:start])
    titles = [title.strip() for title in lines[start + 1].split(",")]
    rows = _rows(source, titles, lines[start + 2 :])
    columns = [
        column for index, title in enumerate(titles) if (column := _column(source, title, index, rows)) is not None
    ]
    notes: list[str] = ["Magnetic field H in Oe is given as mu0 H in T (1 Oe = 1e-4 T)."]
    names = sorted({column.channel for column in columns if column.channel})
    scans = [scan for name in names if (scan := _scan(name, columns, header, notes)) is not None]
    option = next((label for key, label in OPTIONS.items() if key in header.get("BYAPP", "").lower()), None)
    if not scans:
        raise UnreadableFile(
            f"MultiVu data of {header.get('BYAPP', 'an unknown option')!r} without a resistance",
            "the Resistivity, ETO or ACT option with at least one channel",
            "Drop the transport measurement.",
            source.name,
        )
    comments = [row[0].strip() for row in rows if row[0].strip()][:20]
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique="transport",
        instrument=f"Quantum Design {option or header.get('BYAPP', 'MultiVu')}",
        sample=header.get("TITLE") or None,
        acquired_at=_opened(header.get("FILEOPENTIME", "")),
        settings={"title": header.get("TITLE"), "option": option, "comments": comments or None},
        notes=tuple(notes),
    )


def _header(lines: Sequence[str]) -> dict[str, str]:
    """Return the header's keys; INFO lines hold ``INFO, value, KEY`` (or ``INFO, KEY, value...`` for APPNAME)."""
    found: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(",")
        if key.strip().upper() == "INFO":
            inner, _, name = value.rpartition(",")
            found[re.sub(r"\s+", "_", name.strip().upper())] = inner.strip()
        else:
            found.setdefault(key.strip().upper(), value.strip())
    return found


def _rows(source: Source, titles: Sequence[str], lines: Sequence[str]) -> list[list[str]]:
    rows = [line.split(",") for line in lines if line.strip()]
    if not rows or len(rows) > MAX_ROWS:
        raise damaged(source, f"{len(rows)} rows", f"1 to {MAX_ROWS} rows after the column titles")
    for row in rows:
        while len(row) > len(titles) and not row[-1].strip():
            row.pop()
    commented = titles[0].lower() == "comment"
    data = [row for row in rows if not (commented and row[0].strip())]
    usual = Counter(len(row) for row in data).most_common(1)[0][0] if data else 0
    for number, row in enumerate(rows, start=1):
        measured = [word for word in row[1:] if word.strip()]
        if commented and row[0].strip() and not (len(row) == usual and measured and all(map(_is_value, measured))):
            row[:] = [",".join(row).rstrip(", ")]  # the operator's words, which may hold commas
        elif len(row) > len(titles):
            raise damaged(source, f"{len(row)} columns in data row {number}", f"at most {len(titles)}")
    if data and len(data[-1]) not in (usual, len(titles)):
        raise truncated(source, f"{len(data[-1])} columns in the last row", f"{usual} as in the others")
    return rows


def _column(source: Source, title: str, index: int, rows: Sequence[Sequence[str]]) -> _Column | None:
    """Return a column that is known and not empty; a unit is asked for only where there are numbers."""
    found = re.fullmatch(r"(.*?)\s*(?:\(([^()]*)\))?", title)
    words, spelled = (found.group(1), found.group(2)) if found else (title, None)
    channel = CHANNEL.search(words)
    key = re.sub(r"\s+", " ", CHANNEL.sub("", words)).strip().lower()
    name = (PER_CHANNEL if channel else COMMON).get(key)
    if name is None:
        return None
    values = np.array([_number(source, title, row[index] if index < len(row) else "") for row in rows])
    if not np.isfinite(values).any():
        return None
    declared = source.declared.get("units")
    if isinstance(declared, Mapping):
        spelled = str(declared.get(words, declared.get(title, spelled)))
    unit = unit_named(spelled or IMPLIED.get(key))
    if unit is None or unit.measures not in _allowed(name):
        raise UnreadableFile(
            f"the unit {spelled!r} of {title!r}",
            f"a unit of {_allowed(name)[0]}",
            f"Write `units: {{'{words}': ...}}` with the right unit into the file's sidecar.",
            source.name,
        )
    label = f"ch{channel.group(1)}" if channel and channel.group(1) else f"bridge{channel.group(3)}" if channel else ""
    return _Column(label, name, unit, values * unit.factor)


def _allowed(name: str) -> tuple[str, ...]:
    base = name.removesuffix("_std")
    if base == "resistivity":
        return ("resistivity", "resistance")
    kinds = {"excitation": "current", "direct_current": "current", "iv_current": "current", "iv_voltage": "voltage"}
    kinds |= {"sample_position": "angle", "phase": "angle"}
    return (kinds.get(base, base),)


def _is_value(word: str) -> bool:
    return is_number(word.strip()) or MISSING.fullmatch(word.strip()) is not None


def _number(source: Source, title: str, word: str) -> float:
    word = word.strip()
    if MISSING.fullmatch(word):
        return float("nan")
    if not is_number(word):
        raise damaged(source, f"{word[:40]!r} in the column {title!r}", "numbers")
    if not abs(float(word)) < LARGEST:
        raise damaged(source, f"{word[:40]!r} in the column {title!r}", f"numbers below {LARGEST:g}")
    return float(word)


def _scan(name: str, columns: Sequence[_Column], header: Mapping[str, str], notes: list[str]) -> Scan | None:
    own = {column.name: column for column in reversed(columns) if column.channel == name}
    measured = [own[key].values for key in MEASURED if key in own]
    if not measured:
        return None
    rows = np.isfinite(np.vstack(measured)).any(axis=0)
    shared = {column.name: column for column in columns if not column.channel}
    found: dict[str, FloatArray] = {}
    for key, column in (shared | own).items():
        ending = ENDINGS[column.unit.measures]
        stem, std = key.removesuffix("_std"), "_std" if key.endswith("_std") else ""
        if stem == "resistivity" and column.unit.measures == "resistance":
            stem = "resistance"
        found.setdefault(f"{stem}_{ending}{std}", column.values[rows])
    _complete(found, name, notes)
    number = name[-1]
    settings: dict[str, Setting] = {
        "channel": name,
        "label": next(
            (header[key] for key in (f"SAMPLE{number}_NAME", f"SAMPLE{number}_MATERIAL") if header.get(key)), None
        ),
    }
    for key in ("LENGTH", "LEAD_SEPARATION", "CROSS_SECTION", "UNITS", "COMMENT"):
        if header.get(f"SAMPLE{number}_{key}"):
            settings[f"sample_{key.lower()}"] = header[f"SAMPLE{number}_{key}"]
    return Scan(found, settings)


def _complete(found: dict[str, FloatArray], name: str, notes: list[str]) -> None:
    """Add the resistance where the file has voltage and current, and the uncertainty where it follows."""
    if "direct_current_a" in found:
        found.setdefault("excitation_a", found["direct_current_a"])
    current = found.get("excitation_a")
    if "resistance_ohm" not in found and "voltage_v" in found and current is not None:
        with np.errstate(all="ignore"):
            ratio = np.where(current != 0, found["voltage_v"] / current, np.nan)
        found["resistance_ohm"] = ratio
        if "voltage_v_std" in found:
            with np.errstate(all="ignore"):
                std = np.where(current != 0, found["voltage_v_std"] / np.abs(current), np.nan)
            found["resistance_ohm_std"] = std
        notes.append(f"{name}: resistance is voltage over excitation.")
    scaled = {"resistivity_ohm_nm_std", "resistivity_ohm_nm", "resistance_ohm"} <= set(found)
    if scaled and "resistance_ohm_std" not in found:
        with np.errstate(all="ignore"):
            scale = np.abs(found["resistance_ohm"] / found["resistivity_ohm_nm"])
        scale = np.where(np.isfinite(scale), scale, np.nan)
        found["resistance_ohm_std"] = found["resistivity_ohm_nm_std"] * scale


def _opened(text: str) -> datetime | None:
    found = re.search(r"(\d{1,2}/\d{1,2}/\d{4})[,\s]+(\d{1,2}:\d{2}(?::\d{2})?)\s*([AaPp][Mm])?", text)
    return time_of(" ".join(part for part in found.groups() if part), *DATES) if found else None


FORMAT = Format(
    "multivu",
    "Quantum Design MultiVu .dat (Resistivity, ETO, ACT)",
    lambda head, name: head.removeprefix(b"\xef\xbb\xbf").startswith(b"[Header]"),
    read,
)
