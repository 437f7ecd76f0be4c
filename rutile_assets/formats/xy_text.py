"""Two or three columns of text: angle, intensity and, if the header says so, its uncertainty."""

from __future__ import annotations

import re

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import decoded, finite, numbers, truncated, xray_columns

_NUMBER = re.compile(r"^[\s]*[-+]?[\d.]")
_THIRD = {
    "sigma": "intensity_counts_per_s_std",
    "error": "intensity_counts_per_s_std",
    "std": "intensity_counts_per_s_std",
}


def read(source: Source) -> Measurement:
    """Read angle and intensity; technique and counting time are not in such a file.

    A sidecar may declare ``counting_time_s`` (then the intensity is taken as detected counts), ``attenuation_factor``
    and ``third_column: intensity_counts_per_s_std | attenuation_factor``.
    """
    text = decoded(source)
    lines = [line for line in text.splitlines() if line.strip()]
    header = [line for line in lines if not _NUMBER.match(line)]
    rows = [line for line in lines if _NUMBER.match(line)]
    if lines[: len(header)] != header or len(rows) < 10:
        raise UnreadableFile(
            f"text with {len(rows)} rows of numbers under {len(header)} of words", "a scan of at least 10 points",
            "If it is a scan, say its format in the README of the instrument and ask for a reader.", source.name,
        )  # fmt: skip
    if not text.endswith("\n"):
        raise truncated(source, f"a last line without its end ({lines[-1].strip()[:30]!r})", "whole lines")
    table = numbers(source, rows)
    if table.shape[1] not in (2, 3):
        raise UnreadableFile(f"{table.shape[1]} columns", "two or three", "Declare them in a sidecar.", source.name)
    if not (np.diff(table[:, 0]) > 0).all():
        raise UnreadableFile("a first column that does not rise", "angles in rising order", "Sort it.", source.name)
    if table[0, 0] < -180 or table[-1, 0] > 180:
        raise UnreadableFile(
            f"{table[0, 0]:g} to {table[-1, 0]:g} as angles", "degrees", "Check the unit.", source.name
        )
    third = _third_column(source, " ".join(header).lower(), table.shape[1])
    time = source.declared.get("counting_time_s")
    attenuation = table[:, 2] if third == "attenuation_factor" else None
    has_time = isinstance(time, int | float) and time > 0
    columns = xray_columns(
        table[:, 0],
        table[:, 1] if has_time else None,
        None if has_time else table[:, 1] * (1.0 if attenuation is None else attenuation),
        attenuation,
        np.full(len(table), float(time)) if has_time and isinstance(time, int | float) else None,
    )
    if third == "intensity_counts_per_s_std":
        columns[third] = table[:, 2]
    words = " ".join(header).strip("# \t")
    settings: dict[str, Setting] = {
        "header": words or None,
        "scan_axis": "TwoThetaOmega" if "twothetaomega" in words.lower() else None,
    }
    notes = () if has_time else ("The file gives no counting time: its intensity is taken as a rate.",)
    return Measurement(FORMAT.name, (Scan(finite(source, columns), settings),), settings=settings, notes=notes)


def _third_column(source: Source, header: str, columns: int) -> str | None:
    if columns == 2:
        return None
    declared = source.declared.get("third_column")
    named = next((ours for word, ours in _THIRD.items() if word in header), None)
    if declared in ("intensity_counts_per_s_std", "attenuation_factor"):
        return str(declared)
    if named is None:
        raise UnreadableFile(
            "a third column without a name", "a header that names it (sigma, error)",
            f"Write {source.name}.yaml with third_column: intensity_counts_per_s_std or attenuation_factor.",
            source.name,
        )  # fmt: skip
    return named


def _recognises(head: bytes, name: str) -> bool:
    lines = [line for line in head.replace(b"\r", b"\n").split(b"\n")[:-1] if line.strip()]
    words = [line for line in lines if not re.match(rb"^\s*[-+]?[\d.]", line)]
    rows = [line for line in lines if re.match(rb"^\s*[-+]?[\d.]", line)]
    widths = {len(re.split(rb"[,;\s]+", row.strip())) for row in rows}
    return b"\0" not in head and len(words) <= 3 and len(rows) >= 2 and len(widths) == 1 and widths <= {2, 3}


FORMAT = Format("xy-text", "Text of two or three columns: angle, intensity, sigma or attenuation", _recognises, read)
