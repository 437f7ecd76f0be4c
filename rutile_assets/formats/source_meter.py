"""Delimited text of a source meter: a header that names the columns, or a sidecar that declares them."""

from __future__ import annotations

import re

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Format, Measurement, Scan, Source
from rutile_assets.formats.text import MAX_ROWS, decoded, truncated

# what a column may be declared as -> (our name, factor)
COLUMNS: dict[str, tuple[str, float]] = {
    "temperature_k": ("temperature_k", 1.0),
    "field_t": ("field_t", 1.0),
    "field_oe": ("field_t", 1e-4),
    "field_koe": ("field_t", 0.1),
    "source_a": ("source_a", 1.0),
    "source_ua": ("source_a", 1e-6),
    "source_v": ("source_v", 1.0),
    "sense_v": ("sense_v", 1.0),
    "sense_mv": ("sense_v", 1e-3),
    "resistance_ohm": ("resistance_ohm", 1.0),
    "configuration_index": ("configuration_index", 1.0),
    "time_s": ("time_s", 1.0),
}
_NUMBERS = re.compile(r"^\s*[-+]?[\d.]")


def read(source: Source) -> Measurement:
    """Read the columns as declared.

    The sidecar's ``columns`` names every column in order, ``null`` for one to leave out. Without it the file's own
    header has to use the same names.
    """
    text = decoded(source)
    lines = text.splitlines()
    rows = [line for line in lines if _NUMBERS.match(line)]
    first = next((i for i, line in enumerate(lines) if _NUMBERS.match(line)), 0)
    header = [line for line in lines[:first] if line.strip()]
    if len(rows) < 2 or len(rows) > MAX_ROWS:
        raise truncated(source, f"{len(rows)} rows of numbers", "measured points")
    mark = "\t" if "\t" in rows[0] else ";" if ";" in rows[0] else ","
    cells = [[cell.strip() for cell in row.split(mark)] for row in rows]
    if not text.endswith("\n") and rows[-1].count(mark) != rows[0].count(mark):
        raise truncated(source, f"a last line cut short ({rows[-1].strip()[:40]!r})", "whole lines")
    if not text.endswith("\n") and not rows[-1].rstrip(" ").endswith(mark):
        raise truncated(source, f"a last line without its end ({rows[-1].strip()[-20:]!r})", "whole lines")
    width = len(cells[0])
    for number, row in enumerate(cells, start=1):
        if len(row) != width:
            raise truncated(source, f"{len(row)} columns in data row {number}", f"{width} in every row")
    trailing = all(row[-1] == "" for row in cells)
    names = _names(source, header, mark, width - trailing)
    columns = {}
    for index, name in enumerate(names):
        if name is None:
            continue
        ours, factor = COLUMNS[name]
        try:
            columns[ours] = np.array([float(row[index]) for row in cells]) * factor
        except ValueError as fault:
            raise UnreadableFile(f"{fault} in column {name}", "numbers", "Copy it again.", source.name) from fault
        if not np.isfinite(columns[ours]).all():
            raise UnreadableFile(f"{name} that is not finite", "numbers", "Copy it again.", source.name)
    if "temperature_k" not in columns or not {"sense_v", "resistance_ohm"} & columns.keys():
        raise UnreadableFile(
            f"columns {[n for n in names if n]}", "temperature and a voltage or a resistance", _how(source), source.name
        )
    described: dict[str, str] = {}
    for line in header:
        if match := re.match(r"^\s*([A-Za-z ]{3,30}):\s*(.+?)\s*$", line):
            described[match.group(1)] = match.group(2)
    return Measurement(
        format=FORMAT.name,
        scans=(Scan(columns, {"channel": 1}),),
        technique="transport",
        settings={"header": " | ".join(line.strip() for line in header)[:500]},
        sample=described.get("Sample name"),
        operator=described.get("User"),
        notes=("Columns are as the sidecar declares them.",) if "columns" in source.declared else (),
    )


def _names(source: Source, header: list[str], mark: str, width: int) -> list[str | None]:
    declared = source.declared.get("columns")
    if declared is None:
        words = [w.strip().lower() for w in header[-1].split(mark)] if header else []
        words = words[:-1] if words and not words[-1] else words
        if len(words) != width or not all(word in COLUMNS for word in words):
            raise UnreadableFile(
                f"columns {words} that do not say their units", "names with units", _how(source), source.name
            )
        return list(words)
    if not isinstance(declared, list) or len(declared) != width:
        raise UnreadableFile(f"columns declared as {declared!r}", f"a list of {width}", _how(source), source.name)
    unknown = [name for name in declared if name is not None and name not in COLUMNS]
    if unknown:
        raise UnreadableFile(
            f"the declared column {unknown[0]!r}", f"one of {sorted(COLUMNS)}", _how(source), source.name
        )
    return [None if name is None else str(name) for name in declared]


def _how(source: Source) -> str:
    example = "columns: [temperature_k, field_oe, source_a, source_v, sense_v, configuration_index, null]"
    return f"Write {source.name}.yaml beside it, e.g. {example}."


def _recognises(head: bytes, name: str) -> bool:
    text = head.decode("latin-1").lower()
    return b"\0" not in head and "temp" in text and any(word in text for word in ("sense", "resistance", "source"))


FORMAT = Format("source-meter-text", "Delimited text of a source meter, with declared columns", _recognises, read)
