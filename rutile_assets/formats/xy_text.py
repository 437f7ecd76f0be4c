"""Two or three columns of text: angle, intensity and, where a header says so, its uncertainty or attenuation."""

from __future__ import annotations

import re

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import source_meter, spectrum_text
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.source_meter import first_row, title_line
from rutile_assets.formats.text import (
    damaged,
    decode,
    fields,
    is_row,
    lines_of,
    looks_like_text,
    numbers,
    text_of,
    whole_lines,
)
from rutile_assets.formats.xray import axis_kind, xray_columns, xray_technique

ANGLE = re.compile(r"2\s*-?_?theta|two\s*_?theta|2θ|\btth\b|\bangle\b", re.IGNORECASE)
SIGMA = re.compile(r"sigma|std|err|esd|uncert", re.IGNORECASE)
ATTENUATION = re.compile(r"atten|absor", re.IGNORECASE)
RATE = re.compile(r"cps|/s|per_s|s\^?-1", re.IGNORECASE)
COUNTS = re.compile(r"count", re.IGNORECASE)
ROLES = ("two_theta_deg", "intensity_counts", "intensity_counts_per_s", "intensity_std", "attenuation_factor")


def read(source: Source) -> Measurement:
    """Read a scan; what the header does not say the sidecar may (``columns``, ``counting_time_s``).

    Without a header two columns are angle and intensity in an unknown unit. The last line must end with a line end:
    nothing else shows a cut.

    Raises
    ------
    UnreadableFile
        A cut last line, text between the rows, angles that do not run one way, a third column that nothing explains,
        titles that name no angle.
    """
    declared = source.declared.get("columns")
    if spectrum_text.names_an_energy(declared):
        return spectrum_text.read(source)
    if isinstance(declared, list) and "two_theta_deg" not in declared:
        return source_meter.read(source)
    lines = whole_lines(source, text_of(source))
    first = first_row(lines)
    if first is None:
        raise damaged(source, "text without rows of numbers", "angle and intensity")
    table = numbers(source, [line for line in lines[first:] if line.strip()])
    header = [line for line in lines[:first] if line.strip()]
    titles = title_line(header)
    roles = _declared_roles(source, declared, table) if declared is not None else _roles(source, titles, table)
    angles = table[:, roles.index("two_theta_deg")]
    steps = np.diff(angles)
    if len(angles) < 2 or not ((steps > 0).all() or (steps < 0).all()):
        raise damaged(source, "a first column that does not run one way", "the angles of a scan")
    columns, notes = _columns(source, roles, table, angles)
    axis = titles[0] if titles and axis_kind(titles[0]) == "coupled" else None
    settings: dict[str, Setting] = {"scan_axis": axis, "header": "; ".join(header)[:500] or None}
    scan = Scan(columns, settings)
    return Measurement(
        format=FORMAT.name,
        scans=(scan,),
        technique=xray_technique([scan]),
        settings=settings,
        notes=notes,
    )


def _roles(source: Source, titles: list[str], table: FloatArray) -> list[str]:
    width = table.shape[1]
    if titles and not ANGLE.search(titles[0]):
        raise UnreadableFile(
            f"columns named {', '.join(titles[:4])[:100]!r}",
            "a scan whose first column is named 2theta",
            "If it is a scan, write `columns: [two_theta_deg, intensity_counts]` into the file's sidecar.",
            source.name,
        )
    intensity = titles[1] if len(titles) > 1 else ""
    unit = (
        "intensity_counts_per_s" if RATE.search(intensity) else "intensity_counts" if COUNTS.search(intensity) else ""
    )
    roles = ["two_theta_deg", unit]
    if width == 3:
        third = titles[2] if len(titles) > 2 else ""
        role = "intensity_std" if SIGMA.search(third) else "attenuation_factor" if ATTENUATION.search(third) else None
        if role is None:
            raise UnreadableFile(
                "a third column that no title explains",
                "sigma or attenuation",
                f"Write `columns: [two_theta_deg, ...]` ({', '.join(ROLES)} or null) into the file's sidecar.",
                source.name,
            )
        roles.append(role)
    return roles


def _declared_roles(source: Source, declared: object, table: FloatArray) -> list[str]:
    names = declared if isinstance(declared, list) else []
    wrong = [name for name in names if name is not None and name not in ROLES]
    intensities = sum(name in ("intensity_counts", "intensity_counts_per_s") for name in names)
    if len(names) != table.shape[1] or wrong or intensities != 1 or names.count("two_theta_deg") != 1:
        raise UnreadableFile(
            f"the columns {declared} in the sidecar",
            f"{table.shape[1]} of {', '.join(ROLES)} or null, with one angle and one intensity",
            "Correct the sidecar.",
            source.name,
        )
    return [str(name) for name in names]


def _columns(
    source: Source, roles: list[str], table: FloatArray, angles: FloatArray
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    counted = "intensity_counts" in roles
    at = next(i for i, role in enumerate(roles) if role in ("intensity_counts", "intensity_counts_per_s", ""))
    seconds = source.declared.get("counting_time_s")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    dwell = np.full(len(angles), float(str(seconds))) if known and counted else None
    attenuation = table[:, roles.index("attenuation_factor")] if "attenuation_factor" in roles else None
    columns, notes = xray_columns(
        source,
        angles,
        table[:, at],
        unit="counts" if counted else "cps",
        attenuation=attenuation,
        counting_time_s=dwell,
    )
    if not counted and roles[at] == "":
        notes = (*notes, "No title says the unit of the intensity: it is right up to a constant factor.")
    if "intensity_std" in roles:
        std = table[:, roles.index("intensity_std")]
        if (std < 0).any():
            raise damaged(source, "a negative uncertainty", "zero or more")
        scale = columns["intensity_counts_per_s"] / np.where(table[:, at] > 0, table[:, at], np.nan)
        columns["intensity_counts_per_s_std"] = std * np.where(np.isfinite(scale), scale, 1.0)
        excess = np.nanmax(np.where(table[:, at] > 0, std**2 / np.where(table[:, at] > 0, table[:, at], 1.0), np.nan))
        if counted and excess > 1.01:
            columns.pop("detected_counts", None)
            notes = (*notes, f"sigma**2 is up to {excess:.4g} times the counts: attenuator factors were merged before.")
    return columns, notes


def recognises(head: bytes, name: str) -> bool:
    """Tell by rows of two or three numbers, and nothing but such rows after the first."""
    if not looks_like_text(head):
        return False
    lines = lines_of(decode(head))
    lines = lines[:-1] if len(head) >= 4096 else lines
    first = first_row(lines)
    if first is None or len(fields(lines[first])) not in (2, 3):
        return False
    return all(is_row(line) for line in lines[first:-1] if line.strip())


FORMAT = Format("xy-text", "Two or three columns of text: 2theta, intensity, sigma", recognises, read)
