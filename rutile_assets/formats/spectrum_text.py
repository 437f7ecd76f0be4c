"""Two or three columns of text with a binding or kinetic energy first, as a header or the sidecar names it.

``columns: [binding_energy_ev, intensity_counts]`` in the sidecar names every column in order (`ROLES`, or null to leave
one out) and wins over the header; ``counting_time_s``, ``photon_energy_ev`` and ``bias_v`` may stand beside it. Columns
and settings: see `spectra`.
"""

from __future__ import annotations

import re

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Source
from rutile_assets.formats.source_meter import first_row, title_line
from rutile_assets.formats.spectra import (
    TECHNIQUE,
    analysis_method,
    axis_named,
    spectrum_columns,
    step_ev,
    without_none,
)
from rutile_assets.formats.text import decode, fields, is_row, lines_of, looks_like_text, numbers, text_of, whole_lines

AXES = ("binding_energy_ev", "kinetic_energy_ev")
UNITS = {"intensity_counts": "counts", "intensity_counts_per_s": "counts_per_s", "intensity": "unknown"}
ROLES = (*AXES, *UNITS)
RATE = re.compile(r"cps|/s|per_s|s\^?-1", re.IGNORECASE)
COUNTS = re.compile(r"count", re.IGNORECASE)


def read(source: Source) -> Measurement:
    """Read the spectrum.

    Raises
    ------
    UnreadableFile
        A cut last line, text between the rows, columns that no title or sidecar explains, an axis that turns.
    """
    lines = whole_lines(source, text_of(source))
    first = first_row(lines)
    if first is None:
        raise UnreadableFile("text without rows of numbers", "energy and intensity", "Drop the spectrum.", source.name)
    table = numbers(source, [line for line in lines[first:] if line.strip()])
    header = [line for line in lines[:first] if line.strip()]
    declared = source.declared.get("columns")
    roles = _roles(title_line(header)) if declared is None else _declared(declared)
    axes = [role for role in roles if role in AXES]
    signals = [role for role in roles if role in UNITS]
    if len(roles) != table.shape[1] or not axes or len(set(axes)) != len(axes) or len(signals) != 1:
        raise UnreadableFile(
            f"{table.shape[1]} columns that are named {', '.join(str(role) for role in roles)[:100]!r}",
            f"energies and one intensity among {', '.join(ROLES)} or null",
            "Write `columns: [binding_energy_ev, intensity_counts]` into the file's sidecar.",
            source.name,
        )
    columns, notes = spectrum_columns(
        source,
        {axis: _column(table, roles, axis) for axis in axes},
        _column(table, roles, signals[0]),
        unit=UNITS[signals[0]],
        counting_time_s=_declared_number(source, "counting_time_s"),
    )
    photon_ev = _declared_number(source, "photon_energy_ev")
    settings = without_none({"step_ev": step_ev(columns[axes[0]]), "analysis_method": analysis_method(None, photon_ev)})
    return Measurement(
        format=FORMAT.name,
        scans=(Scan(columns, settings),),
        technique=TECHNIQUE,
        settings=without_none({"header": "; ".join(header)[:500]}),
        notes=notes,
    )


def names_an_energy(columns: object) -> bool:
    """Tell whether a sidecar's `columns` are those of a spectrum."""
    return isinstance(columns, list) and any(axis in columns for axis in AXES)


def _column(table: FloatArray, roles: list[str | None], role: str) -> FloatArray:
    return table[:, roles.index(role)]


def _roles(titles: list[str]) -> list[str | None]:
    roles: list[str | None] = []
    for title in titles:
        axis = axis_named(title)
        taken = any(role in UNITS for role in roles)
        unit = "_counts_per_s" if RATE.search(title) else "_counts" if COUNTS.search(title) else ""
        roles.append(axis or (None if taken else f"intensity{unit}"))
    return roles


def _declared(declared: object) -> list[str | None]:
    names = declared if isinstance(declared, list) else []
    return [None if name is None else str(name) for name in names]


def _declared_number(source: Source, name: str) -> float | None:
    value = source.declared.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
    return float(str(value)) if known else None


def recognises(head: bytes, name: str) -> bool:
    """Tell by rows of two or three numbers below titles of which the first names an energy of electrons."""
    if not looks_like_text(head):
        return False
    lines = lines_of(decode(head))
    lines = lines[:-1] if len(head) >= 4096 else lines
    first = first_row(lines)
    if not first or len(fields(lines[first])) not in (2, 3):
        return False
    titles = title_line(lines[:first])
    is_energy = bool(titles) and axis_named(titles[0]) in AXES
    return is_energy and all(is_row(line) for line in lines[first:-1] if line.strip())


FORMAT = Format("spectrum-text", "Two or three columns of text: binding or kinetic energy, intensity", recognises, read)
