"""Text of second harmonic set-ups: azimuth scans of one or more polarisation channels, and polarimetry.

A header or a sidecar says what the columns are; in a folder ``shg`` two columns without one are azimuth and intensity.
Channels are named input first: ``ps`` is p in, s out; ``channel_order: output first`` in header or sidecar turns it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.source_meter import first_row, title_line
from rutile_assets.formats.text import (
    damaged,
    decode,
    fields,
    finite_or_none,
    iso_time,
    lines_of,
    looks_like_text,
    numbers,
    text_of,
    whole_lines,
)

FOLDER = "shg"
LEAST_POINTS = 3
CHANNEL = re.compile(r"^(?:i_?)?([ps])[\s_-]?(?:in)?[\s_-]?([ps])(?:[\s_-]?out)?(?![a-z])", re.IGNORECASE)
TITLES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"polari[sz]er", re.IGNORECASE), "polariser_deg"),
    (re.compile(r"analy[sz]er", re.IGNORECASE), "analyser_deg"),
    (re.compile(r"azimuth|^phi\b|^angle|rotation", re.IGNORECASE), "azimuth_deg"),
    (re.compile(r"reference|diode|monitor", re.IGNORECASE), "reference"),
    (re.compile(r"intens|signal|counts|shg", re.IGNORECASE), "intensity"),
)
KNOWN_BY = re.compile(r"azimuth|\bshg\b|second.harmonic|polari[sz]er|analy[sz]er", re.IGNORECASE)
OTHERS = re.compile(r"theta|2θ|\btth\b|\btemp|\bfield\b|resistance|energy", re.IGNORECASE)
COUNTED = re.compile(r"count", re.IGNORECASE)
NUMBERS = (
    "angle_of_incidence_deg", "wavelength_nm", "counting_time_s", "background_counts", "background_counts_std",
    "azimuth_deg", "polariser_deg", "analyser_deg",
)  # fmt: skip
ROLES = ("azimuth_deg", "polariser_deg", "analyser_deg", "intensity", "reference", "pp", "ps", "sp", "ss")
ANGLES = ("azimuth_deg", "polariser_deg", "analyser_deg")
YES, NO = ("true", "yes", "1"), ("false", "no", "0")


def read(source: Source) -> Measurement:
    """Read the channels, one scan each.

    Settings from the header (``key: value``) or the sidecar, which wins: ``polarization`` of two columns,
    ``angle_of_incidence_deg``, ``wavelength_nm``, ``counts`` (true where the intensity is counted), ``columns``,
    ``background_counts`` with its ``_std``, ``counting_time_s``, ``azimuth_deg``, ``polariser_deg`` and
    ``analyser_deg`` where they stood still, ``channel_order``.

    Raises
    ------
    UnreadableFile
        A cut last line, words among the numbers, columns that nothing explains, a setting that cannot be, negative
        counts.
    """
    lines = whole_lines(source, text_of(source))
    first = first_row(lines)
    if first is None:
        raise damaged(source, "text without rows of numbers", "azimuth and intensity")
    table = numbers(source, [line for line in lines[first:] if line.strip()])
    if len(table) < LEAST_POINTS:
        raise damaged(source, f"{len(table)} rows", f"{LEAST_POINTS} or more angles")
    header = [line for line in lines[:first] if line.strip()]
    said = _said(header)
    told = {**said, **{key: value for key, value in source.declared.items() if value is not None}}
    titles = title_line(header) if header and ":" not in header[-1] else []
    roles = _roles(source, titles, table.shape[1], told)
    settings = _settings(source, told)
    counted = _flag(source, told.get("counts"), default=any(COUNTED.search(title) for title in titles))
    counted, notes = _checked(source, table, roles, counted)
    settings["counts"] = counted
    left_out = [title for title, role in zip(titles, roles, strict=False) if role is None]
    if left_out:
        notes.append(f"Columns left out: {', '.join(left_out)[:200]}.")
    scans = _scans(source, table, roles, settings, counted)
    if any(scan.settings["channel"] is None for scan in scans):
        notes.append("Nothing says the polarisation: write `polarization: pp` (input first) into the file's sidecar.")
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=FOLDER,
        settings={**settings, "header": "; ".join(header)[:500] or None},
        instrument=_text(told.get("instrument")),
        sample=_text(told.get("sample")),
        operator=_text(told.get("operator")),
        acquired_at=iso_time(_text(told.get("date"))),
        notes=tuple(notes),
    )


def is_declared(declared: Mapping[str, object]) -> bool:
    """Tell whether a sidecar says that a file of plain columns is second harmonic."""
    columns = declared.get("columns")
    return declared.get("technique") == FOLDER or (isinstance(columns, list) and "azimuth_deg" in columns)


def _said(header: Sequence[str]) -> dict[str, object]:
    pairs = [line.lstrip("#%; ").partition(":") for line in header]
    return {key.strip().lower().replace(" ", "_"): value.strip() for key, colon, value in pairs if colon}


def _text(value: object) -> str | None:
    return str(value).strip()[:200] or None if value is not None else None


def _roles(source: Source, titles: Sequence[str], width: int, told: Mapping[str, object]) -> list[str | None]:
    declared = told.get("columns")
    if isinstance(declared, list):
        roles: list[str | None] = [None if name is None else str(name) for name in declared]
    elif titles:
        roles = [_titled(title) for title in titles]
    else:
        roles = ["azimuth_deg", "intensity"] if width == 2 else []
    named = [role for role in roles if role is not None]
    intensities = [role for role in named if role == "intensity" or role in ("pp", "ps", "sp", "ss")]
    angles = [role for role in named if role in ANGLES]
    wrong = len(roles) != width or len(set(named)) != len(named) or not set(named) <= set(ROLES)
    if wrong or not intensities or not angles or ("intensity" in named and len(intensities) > 1):
        found = f"the columns {declared}" if declared is not None else f"columns named {', '.join(titles)[:100]!r}"
        raise UnreadableFile(
            found,
            f"names of {width} columns, an angle and an intensity among them",
            f"Write `columns: [azimuth_deg, pp, ...]` ({', '.join(ROLES)} or null) into the file's sidecar.",
            source.name,
        )
    if str(told.get("channel_order", "input first")).strip().lower().startswith("output"):
        roles = [role[::-1] if role in ("ps", "sp") else role for role in roles]
    return roles


def _titled(title: str) -> str | None:
    channel = CHANNEL.match(title)
    if channel:
        return "".join(channel.groups()).lower()
    return next((role for pattern, role in TITLES if pattern.search(title)), None)


def _settings(source: Source, told: Mapping[str, object]) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    for name in NUMBERS:
        value = told.get(name)
        if value is None:
            continue
        number = None if isinstance(value, bool) else finite_or_none(str(value))
        positive = name in ("wavelength_nm", "counting_time_s")
        wrong = number is None or (positive and number <= 0) or (name.startswith("background") and number < 0)
        if wrong or (name == "angle_of_incidence_deg" and not 0 <= float(number or 0.0) < 90):
            raise damaged(source, f"{name} {str(value)[:40]!r}", "a number that can be")
        settings[name] = number
    polarisation = _text(told.get("polarization") or told.get("polarisation"))
    if polarisation is not None:
        channel = CHANNEL.match(polarisation)
        if channel is None:
            raise damaged(source, f"polarization {polarisation[:40]!r}", "pp, ps, sp or ss, input first")
        name = "".join(channel.groups()).lower()
        turned = str(told.get("channel_order", "input first")).strip().lower().startswith("output")
        settings["polarization"] = name[::-1] if turned else name
    for name in ("dipole_elements", "quadrupole_elements"):
        value = told.get(name)
        if isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
            settings[name] = [float(v) for v in value]
    return settings


def _flag(source: Source, value: object, *, default: bool) -> bool:
    if value is None:
        return default
    word = str(value).strip().lower()
    if word not in (*YES, *NO):
        raise damaged(source, f"counts {word[:40]!r}", "true or false")
    return word in YES


def _checked(source: Source, table: FloatArray, roles: Sequence[str | None], counted: bool) -> tuple[bool, list[str]]:
    at = [i for i, role in enumerate(roles) if role == "intensity" or (role is not None and len(role) == 2)]
    values = table[:, at]
    if counted and (values < 0).any():
        raise damaged(source, "negative counts", "zero or more")
    if counted and (values != np.round(values)).any():
        return False, ["The counts are not whole: they are taken as an intensity in a unit of its own."]
    if not counted:
        return False, ["Nothing says that the intensity is counted: it is right up to a constant factor."]
    return True, []


def _scans(
    source: Source, table: FloatArray, roles: Sequence[str | None], settings: Mapping[str, Setting], counted: bool
) -> list[Scan]:
    place = {role: i for i, role in enumerate(roles) if role is not None}
    shared: dict[str, FloatArray] = {}
    for name in ANGLES:
        if name in place:
            if np.abs(table[:, place[name]]).max() > 7200:
                raise damaged(source, f"a {name} beyond twenty turns", "angles in degrees")
            shared[name] = table[:, place[name]]
        elif name in settings:
            shared[name] = np.full(len(table), float(str(settings[name])))
    if "reference" in place:
        reference = table[:, place["reference"]]
        if not (reference > 0).all() or reference.max() > 100.0 * reference.min():
            raise damaged(source, "a reference that is not positive or jumps a hundredfold", "the laser's power")
        shared["reference_ratio"] = reference / reference.mean()
    column = "intensity_counts" if counted else "relative_intensity_ratio"
    scans = []
    for name in ("intensity", "pp", "ps", "sp", "ss"):
        if name in place:
            channel = settings.get("polarization") if name == "intensity" else name
            scans.append(Scan({**shared, column: table[:, place[name]]}, {"channel": channel}))
    return scans


def recognises(head: bytes, name: str) -> bool:
    """Tell by titles of azimuth, polariser or analyser, or by a folder ``shg`` above columns of no other kind."""
    if not looks_like_text(head):
        return False
    lines = lines_of(decode(head))
    first = first_row(lines)
    if first is None or len(fields(lines[first])) < 2:
        return False
    header = " ".join(lines[:first])
    if KNOWN_BY.search(header):
        return True
    above = [part.lower() for part in PurePosixPath(name.replace("\\", "/")).parts[:-1]]
    return FOLDER in above and not OTHERS.search(header)


FORMAT = Format("shg-text", "Text of second harmonic azimuth scans and polarimetry", recognises, read)
