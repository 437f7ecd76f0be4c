"""Scienta's SES: spectra as .txt and as Igor waves (.ibw, known by the note's '[SES]').

Slices (angles, positions) are added up to one spectrum for each region; the energy axis is the file's own. Where the
detector counts pulses, whole numbers are counts over 'Time per Spectrum Channel'; an ADC's numbers have no unit.
Columns and settings: see `spectra`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from rutile_assets.formats.igor_wave import Wave
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.spectra import (
    LARGEST_EV,
    TECHNIQUE,
    analysis_method,
    axis_named,
    positive,
    shared_settings,
    spectrum_columns,
    step_ev,
    unique,
    whole_or_none,
    without_none,
)
from rutile_assets.formats.text import (
    LARGEST,
    MAX_ROWS,
    damaged,
    iso_time,
    lines_of,
    numbers,
    positive_number,
    text_of,
    truncated,
    whole_lines,
)

MARK = b"[SES]"
SECTION = re.compile(r"\[(Info|Region|Data|Run Mode Information)\s*(\d*)\]")


def read(source: Source) -> Measurement:
    """Read every region of a .txt.

    Raises
    ------
    UnreadableFile
        Fewer regions or rows than promised, a cut last line, text among the rows, an axis that is no energy.
    """
    sections = _sections(whole_lines(source, text_of(source)))
    count = positive_number(source, _pairs(sections.get(("Info", ""), [])).get("Number of Regions"), "the regions")
    if count != round(count) or count > len(sections):
        raise truncated(source, f"{len(sections)} sections", f"those of {count:g} regions")
    scans, notes = [], []
    infos = []
    for number in range(1, round(count) + 1):
        region, info = (_pairs(sections.get((kind, str(number)), [])) for kind in ("Region", "Info"))
        rows = [line for line in sections.get(("Data", str(number)), []) if line.strip()]
        table = numbers(source, rows)
        size = positive_number(source, region.get("Dimension 1 size"), "Dimension 1 size")
        if len(table) != size or table.shape[1] < 2:
            raise truncated(source, f"{len(table)} rows of {table.shape[1]} in region {number}", f"{size:g} energies")
        scan, more = _scan(source, info, table[:, 0], table[:, 1:], region.get("Dimension 1 name", ""))
        scans.append(scan)
        notes += more
        infos.append(info)
    return _measurement(FORMAT.name, scans, notes, infos[0])


def from_wave(source: Source, wave: Wave, format_name: str) -> Measurement:
    """Return the spectrum of an Igor wave with SES's note: (energy,) or (energy, slice).

    Raises
    ------
    UnreadableFile
        More dimensions, an axis that is no energy, numbers that are none.
    """
    info = _pairs(lines_of(wave.note.decode("latin-1")))
    if wave.values.ndim > 2 or wave.values.shape[0] > MAX_ROWS:
        raise damaged(source, f"an SES wave of shape {list(wave.values.shape)}", "energies, or energies and slices")
    if not (abs(wave.start) < LARGEST_EV and 0 < abs(wave.step) < LARGEST_EV):
        raise damaged(source, f"an axis from {wave.start:g} in steps of {wave.step:g}", "energies in eV")
    values = np.asarray(wave.values, dtype=np.float64).reshape(wave.values.shape[0], -1)
    if not (np.abs(values) < LARGEST).all():
        raise damaged(source, "numbers that are none", f"intensities below {LARGEST:g}")
    energies = wave.start + wave.step * np.arange(len(values), dtype=np.float64)
    scan, notes = _scan(source, info, energies, values, wave.axis)
    return _measurement(format_name, [scan], notes, info)


def _scan(
    source: Source, info: Mapping[str, str], energies: FloatArray, slices: FloatArray, title: str
) -> tuple[Scan, list[str]]:
    axis = axis_named(title) or axis_named(info.get("Energy Scale", ""))
    if axis is None:
        raise damaged(source, f"an axis named {title[:40]!r}", "kinetic or binding energy")
    values = slices.sum(axis=1)
    pulses = "pulse" in info.get("DetectorMode", "").lower()
    columns, more = spectrum_columns(
        source,
        {axis: energies},
        values,
        unit="counts" if pulses else "unknown",
        counting_time_s=positive(info.get("Time per Spectrum Channel")),
    )
    notes = [*more, *([f"{slices.shape[1]} slices are added up."] if slices.shape[1] > 1 else [])]
    photon_ev, sweeps = positive(info.get("Excitation Energy")), positive(info.get("Number of Sweeps"))
    began = _time(info)
    settings: dict[str, Setting] = {
        "region": info.get("Region Name"),
        "analysis_method": analysis_method(None, photon_ev),
        "photon_energy_ev": photon_ev,
        "pass_energy_ev": positive(info.get("Pass Energy")),
        "step_ev": step_ev(energies),
        "sweep_count": whole_or_none(sweeps),
        "slice_count": slices.shape[1],
        "lens_mode": info.get("Lens Mode"),
        "acquisition_mode": info.get("Acquisition Mode"),
        "detector_mode": info.get("DetectorMode"),
        "comment": info.get("Comments", "").strip("; ")[:500],
        "acquired_at": began.isoformat() if began else None,
    }
    return Scan(columns, without_none(settings)), notes


def _measurement(format_name: str, scans: Sequence[Scan], notes: Sequence[str], info: Mapping[str, str]) -> Measurement:
    return Measurement(
        format=format_name,
        scans=tuple(scans),
        technique=TECHNIQUE,
        instrument=f"Scienta {info.get('Instrument', '')}".strip(),
        sample=info.get("Sample") or None,
        operator=info.get("User") or None,
        acquired_at=_time(info),
        settings=without_none({**shared_settings(scans), "program": f"SES {info.get('Version', '')}".strip()}),
        notes=unique(notes),
    )


def _sections(lines: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Return (kind, number) -> the lines below '[kind number]'."""
    found: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in lines:
        head = SECTION.fullmatch(line.strip())
        if head:
            current = found.setdefault((head.group(1), head.group(2).lstrip("0")), [])
        else:
            current.append(line)
    return found


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if equals:
            found.setdefault(key.strip(), value.strip())
    return found


def _time(info: Mapping[str, str]) -> datetime | None:
    return iso_time(f"{info.get('Date', '')}T{info.get('Time', '')}")


def recognises(head: bytes, name: str) -> bool:
    """Tell by SES's first section."""
    return re.match(rb"(\xef\xbb\xbf)?\[Info\]\s*[\r\n]+\s*Number of Regions\s*=", head) is not None


FORMAT = Format("scienta-txt", "Scienta SES spectra .txt", recognises, read)
