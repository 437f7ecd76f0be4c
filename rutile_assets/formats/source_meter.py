"""Delimited text of transport set-ups: a header that says every column and unit, or a sidecar that declares them.

``columns:`` in the sidecar names every column in order, with its unit (``temperature_k``, ``field_oe``, ``source_a``,
``sense_mv`` ...), null for a column to leave out. It wins over the header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.electrical import ENDINGS, unit_named
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import (
    decode,
    fields,
    is_row,
    lines_of,
    looks_like_text,
    numbers,
    text_of,
    time_of,
    whole_lines,
)

MAX_HEADER_LINES = 200
WIDE = 4  # columns of numbers that no X-ray scan has
TITLES = (
    (re.compile(r"temp|^t$", re.IGNORECASE), ("temperature",), "temperature"),
    (re.compile(r"field|^[bh]$|mu_?0|µ0", re.IGNORECASE), ("field",), "field"),
    (re.compile(r"sourc|current|excit|^i$", re.IGNORECASE), ("current", "voltage"), "source"),
    (re.compile(r"sens|volt|^v$|meas", re.IGNORECASE), ("voltage",), "sense"),
    (re.compile(r"resistance|^r(xx|xy)?$", re.IGNORECASE), ("resistance",), "resistance"),
    (re.compile(r"time", re.IGNORECASE), ("time",), "time"),
)
# quantity of a declared column -> what its unit must measure; the unit is the rest of the name
DECLARED = {
    "temperature": "temperature",
    "field": "field",
    "source": "",
    "sense": "voltage",
    "voltage": "voltage",
    "current": "current",
    "excitation": "current",
    "resistance": "resistance",
    "time": "time",
    "frequency": "frequency",
}
SPELLED = {"oe": "Oe", "koe": "kOe", "k": "K", "mk": "mK", "t": "T", "mt": "mT", "ohm": "Ohm", "mohm": "mOhm"}
SPELLED |= {"v": "V", "mv": "mV", "uv": "uV", "nv": "nV", "a": "A", "ma": "mA", "ua": "uA", "na": "nA", "s": "s"}
SPELLED |= {"hz": "Hz", "kohm": "kOhm"}
INDEX = "configuration_index"
REMARK = re.compile(r"\s*[A-Za-z][A-Za-z .:_\-\t]*")  # a line of words between blocks of rows ("New Temperature")
DATE = re.compile(r"(\w+ \d{1,2}, \d{4} \d{1,2}:\d{2} [AP]M)")


def read(source: Source) -> Measurement:
    """Read the table.

    Raises
    ------
    UnreadableFile
        A column without name or unit where no sidecar declares it, a declaration of another number of columns, a cut
        last line, words among the numbers.
    """
    lines = whole_lines(source, text_of(source), tabs_end_rows=True)
    first = first_row(lines)
    if first is None:
        raise UnreadableFile("text without rows of numbers", "a table", "Drop the measured data.", source.name)
    body = [line for line in lines[first:] if line.strip()]
    remarks = [line.strip() for line in body if REMARK.fullmatch(line)]
    table = numbers(source, [line for line in body if not REMARK.fullmatch(line)])
    declared = source.declared.get("columns")
    header = [line for line in lines[:first] if line.strip()]
    columns = _from_header(source, table, header) if declared is None else _from_sidecar(source, table, declared)
    if not {"resistance_ohm", "sense_v", "voltage_v"} & set(columns):
        raise UnreadableFile(
            f"the columns {', '.join(columns)}", "a voltage or a resistance", "Drop the transport data.", source.name
        )
    said = {k.strip().lower(): v.strip() for k, colon, v in (line.partition(":") for line in header) if colon}
    settings: dict[str, Setting] = {"remarks": said.get("remarks"), "between_rows": sorted(set(remarks))[:20] or None}
    date = DATE.search(" ".join(header))
    return Measurement(
        format=FORMAT.name,
        scans=(Scan(columns, {"channel": None, "label": said.get("sample name")}),),
        technique="transport",
        instrument=None,
        sample=said.get("sample name") or None,
        operator=said.get("user") or None,
        acquired_at=time_of(date.group(1), "%B %d, %Y %I:%M %p") if date else None,
        settings=settings,
        notes=(
            "Columns as the sidecar declares them." if declared is not None else "Columns as the file's header says.",
            "field_t is mu0 H (1 Oe = 1e-4 T).",
        ),
    )


def first_row(lines: Sequence[str]) -> int | None:
    """Return the index of the first line of numbers, None where there is none among the first lines."""
    return next((i for i, line in enumerate(lines[:MAX_HEADER_LINES]) if is_row(line)), None)


def title_line(header: Sequence[str]) -> list[str]:
    """Return the column titles: the last line of the header, parted at tabs, commas, semicolons or wide gaps."""
    line = next((line for line in reversed(header) if line.strip()), "").strip().lstrip("#%; ")
    return [title.strip() for title in re.split(r"\t|,|;|\s{2,}", line) if title.strip()]


def _from_header(source: Source, table: FloatArray, header: Sequence[str]) -> dict[str, FloatArray]:
    titles = title_line(header)
    width = table.shape[1]
    columns: dict[str, FloatArray] = {}
    unsaid: list[str] = []
    for index in range(width):
        title = titles[index] if index < len(titles) else ""
        name, factor = _titled(title)
        if name is None:
            unsaid.append(repr(title) if title else f"column {index + 1}")
        elif name in columns:
            raise _undeclared(source, width, f"{title!r} twice")
        else:
            columns[name] = table[:, index] * factor
    if unsaid:
        raise _undeclared(source, width, f"no name or unit of {', '.join(unsaid)}")
    return columns


def _titled(title: str) -> tuple[str | None, float]:
    """Return our name and the factor for a title such as 'Field (Oe)', (None, 1) where it does not say both."""
    if re.search(r"config|index", title, re.IGNORECASE):
        return INDEX, 1.0
    found = re.fullmatch(r"(.*?)[\s_]*[(\[]([^()\[\]]+)[)\]]", title)
    unit = unit_named(found.group(2)) if found else None
    if found is None or unit is None:
        return None, 1.0
    for pattern, kinds, name in TITLES:
        if pattern.search(found.group(1).strip()) and unit.measures in kinds:
            return f"{name}_{ENDINGS[unit.measures]}", unit.factor
    return None, 1.0


def _from_sidecar(source: Source, table: FloatArray, declared: object) -> dict[str, FloatArray]:
    width = table.shape[1]
    if not isinstance(declared, list) or len(declared) != width:
        count = len(declared) if isinstance(declared, list) else 0
        raise _undeclared(source, width, f"{count} columns declared in the sidecar for {width} in the file")
    columns: dict[str, FloatArray] = {}
    for index, name in enumerate(declared):
        if name is None:
            continue
        ours, factor = _declared(source, width, str(name))
        if ours in columns:
            raise _undeclared(source, width, f"{name!r} twice in the sidecar")
        columns[ours] = table[:, index] * factor
    if INDEX in columns and (columns[INDEX] != np.round(columns[INDEX])).any():
        raise _undeclared(source, width, f"{INDEX} that is no whole number")
    return columns


def _declared(source: Source, width: int, name: str) -> tuple[str, float]:
    if name == INDEX:
        return name, 1.0
    quantity, _, ending = name.rpartition("_")
    unit = unit_named(SPELLED.get(ending))
    kind = DECLARED.get(quantity)
    fits = unit is not None and (unit.measures == kind or (kind == "" and unit.measures in ("current", "voltage")))
    if not fits or unit is None:
        raise _undeclared(source, width, f"the column {name!r} in the sidecar")
    return f"{quantity}_{ENDINGS[unit.measures]}", unit.factor


def _undeclared(source: Source, width: int, found: str) -> UnreadableFile:
    return UnreadableFile(
        found,
        f"{width} columns, each with name and unit",
        f"Write {source.name}.yaml beside the file with `columns: [temperature_k, field_oe, source_a, source_v,"
        f" sense_v, {INDEX}, null]` (its {width} columns in order, null for one to leave out).",
        source.name,
    )


def recognises(head: bytes, name: str) -> bool:
    """Tell by four or more columns of numbers, or by titles of temperature or field."""
    if not looks_like_text(head):
        return False
    lines = lines_of(decode(head))
    first = first_row(lines)
    if first is None:
        return False
    titles = " ".join(title_line(lines[:first]))
    electrical = re.search(r"\btemp|\bfield|resistance|\bsource\b|\bsense\b", titles, re.IGNORECASE)
    return len(fields(lines[first])) >= WIDE or electrical is not None


FORMAT = Format("source-meter-text", "Delimited transport text (source meter) with named columns", recognises, read)
