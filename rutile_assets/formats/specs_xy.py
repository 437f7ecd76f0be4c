"""SPECS .xy of SpecsLab2 and Prodigy: commented headers, rows of energy and counts, regions one after another.

The separate scans of a region are added up (rates averaged); cycles and curves stay regions of their own. Columns and
settings: see `spectra`. A row promised by ``Values/Curve`` must be there. The header's energy axis decides between
kinetic and binding energy; in ConstantFinalState the axis is the photons' energy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.spectra import (
    TECHNIQUE,
    analysis_method,
    known,
    positive,
    product,
    shared_settings,
    spectrum_columns,
    step_ev,
    unique,
    whole_or_none,
    without_none,
)
from rutile_assets.formats.text import damaged, finite_or_none, is_row, lines_of, numbers, text_of, time_of, truncated

KEY = re.compile(r"#\s{0,3}(\S[^:]*?):(?:\s+(.*))?$")
PART = re.compile(r"#\s*Cycle:\s*(\d+)(?:,\s*Curve:\s*(\d+))?(?:,\s*Scan:\s*(\d+))?(.*)$")
LOOSE_END = "The last line has no line end: decimals of the last point may be missing."


@dataclass
class _Part:
    """Rows under one '# Cycle' line, with what the header said of region, cycle, curve and scan."""

    said: dict[str, str]
    cycle: str
    curve: str
    rest: str
    region: int
    labels: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)


def read(source: Source) -> Measurement:
    """Read every region.

    Raises
    ------
    UnreadableFile
        Text among the rows, fewer rows than Values/Curve, channels that were exported one by one, no energy axis.
    """
    text = text_of(source)
    parts, export, sample = _parts(source, lines_of(text))
    notes = []
    if not text.endswith(("\n", "\r")):
        last = lines_of(text)[-1].split()
        if not (last and re.search(r"\.\d", last[-1])):
            raise truncated(source, f"a last line without its line end ({' '.join(last)[-40:]!r})", "a whole line")
        notes.append(LOOSE_END)
    if export.get("Separate Channel Data", "").lower() == "yes":
        raise UnreadableFile(
            "channels that stand one by one",
            "their sum over energy",
            "Export again with 'Separate Channel Data: no'.",
            source.name,
        )
    parts = [part for part in parts if part.rows and _is_counts(part, export)]
    if not parts:
        raise truncated(source, "a header without rows of counts", "regions of energy and counts")
    grouped: dict[tuple[int, str, str], list[_Part]] = {}
    for part in parts:
        grouped.setdefault((part.region, part.cycle, part.curve), []).append(part)
    scans = []
    for group in grouped.values():
        scan, more = _scan(source, export, group)
        scans.append(scan)
        notes += more
    first = parts[0].said
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=TECHNIQUE,
        instrument=" ".join(word for word in ("SPECS", first.get("Analyzer", "")) if word).strip(),
        sample=sample or None,
        acquired_at=_time(first.get("Acquisition Date")),
        settings=without_none({**shared_settings(scans), "program": export.get("Created by")}),
        notes=unique(notes),
    )


def _parts(source: Source, lines: Sequence[str]) -> tuple[list[_Part], dict[str, str], str]:
    """Return the blocks of rows, the settings of the export, and the first group's name."""
    export: dict[str, str] = {}
    said: dict[str, str] = {}
    group, sample, regions = "", "", 0
    parts: list[_Part] = []
    for line in lines:
        if not line.startswith("#"):
            if line.strip() and (not parts or not is_row(line)):
                raise damaged(source, f"the line {line.strip()[:40]!r} outside a region's rows", "SPECS's rows")
            if line.strip():
                parts[-1].rows.append(line)
            continue
        at = PART.match(line)
        if at:
            if at.group(2) is not None:
                parts.append(_Part(said, at.group(1), at.group(2), at.group(4), regions))
            continue
        found = KEY.match(line.rstrip())
        key, value = (found.group(1), (found.group(2) or "").strip()) if found else ("", "")
        if key == "Group":
            group, sample = value, sample or value
        elif key == "Region":
            regions += 1
            said = {"Region": value, "Group": group}
        elif key == "ColumnLabels" and parts:
            parts[-1].labels = value.split()
        elif key and regions == 0:
            export.setdefault(key, value)
        elif key and key not in ("Parameter", "RemoteInfo"):
            said.setdefault(key, value)
    return parts, export, sample


def _is_counts(part: _Part, export: Mapping[str, str]) -> bool:
    if re.search(r"channel|transmission|external", part.rest, re.IGNORECASE):
        return False
    return len(part.labels) < 2 or part.labels[1].lower().startswith("count")


def _scan(source: Source, export: Mapping[str, str], group: Sequence[_Part]) -> tuple[Scan, tuple[str, ...]]:
    """Return one region, its separate scans added up."""
    said = group[0].said
    tables = [numbers(source, part.rows) for part in group]
    promised = positive(said.get("Values/Curve"))
    for table in tables:
        if promised is not None and len(table) != promised:
            raise truncated(
                source, f"{len(table)} rows in {said.get('Region', '')[:40]!r}", f"the {promised:g} promised"
            )
        if table.shape[1] < 2 or table.shape != tables[0].shape or not (table[:, 0] == tables[0][:, 0]).all():
            raise damaged(
                source, f"scans of {said.get('Region', '')[:40]!r} that do not match", "the same energies in each"
            )
    label = group[0].labels[1] if len(group[0].labels) > 1 else export.get("Count Rate", "")
    rate = "/s" in label or "per second" in label.lower() or export.get("Counts Per Second", "").lower() == "yes"
    stack: FloatArray = np.array([table[:, 1] for table in tables])
    scans = positive(said.get("Number of Scans")) if len(group) == 1 else float(len(group))
    dwell = positive(said.get("Dwell Time"))
    axis = _axis(source, export, said)
    columns, notes = spectrum_columns(
        source,
        {axis: tables[0][:, 0]},
        stack.mean(axis=0) if rate else stack.sum(axis=0),
        unit="counts_per_s" if rate else "counts",
        counting_time_s=product(dwell, scans or 1.0),
    )
    if "scaling" in group[0].labels and (tables[0][:, group[0].labels.index("scaling")] != 1.0).any():
        notes = (*notes, "A scaling factor other than 1 stands in the file; the counts are kept as written.")
    settings = _settings(group[0], dwell, scans)
    settings["step_ev"] = step_ev(columns[axis])
    if axis == "photon_energy_ev":
        settings |= {"photon_energy_ev": None, "kinetic_energy_ev": known(said.get("Kinetic Energy"))}
    return Scan(columns, without_none(settings)), notes


def _axis(source: Source, export: Mapping[str, str], said: Mapping[str, str]) -> str:
    if re.match(r"ConstantFinalState|CFS", said.get("Scan Mode", "")):
        return "photon_energy_ev"
    axis = export.get("Energy Axis", "").lower()
    kinetic = export.get("Kinetic Energy Axis", "").lower()
    if axis.startswith("kinetic") or kinetic == "yes":
        return "kinetic_energy_ev"
    if axis.startswith("binding") or kinetic == "no":
        return "binding_energy_ev"
    raise damaged(source, f"the energy axis {axis[:40]!r}", "a kinetic or binding energy axis in the export settings")


def _settings(part: _Part, dwell: float | None, scans: float | None) -> dict[str, Setting]:
    said = part.said
    photon_ev = positive(said.get("Excitation Energy"))
    began = _time(said.get("Acquisition Date"))
    return {
        "region": said.get("Region"),
        "group": said.get("Group"),
        "analysis_method": analysis_method(said.get("Analysis Method"), photon_ev),
        "photon_energy_ev": photon_ev,
        "analyser_work_function_ev": known(said.get("Eff. Workfunction")),
        "pass_energy_ev": positive(said.get("Pass Energy")),
        "detector_bias_v": known(said.get("Bias Voltage")),
        "dwell_s": dwell,
        "sweep_count": whole_or_none(scans),
        "cycle": whole_or_none(finite_or_none(part.cycle)),
        "curve": whole_or_none(finite_or_none(part.curve)),
        "source": said.get("Source"),
        "scan_mode": said.get("Scan Mode"),
        "lens_mode": said.get("Analyzer Lens"),
        "comment": (said.get("Comment") or "")[:500],
        "acquired_at": began.isoformat() if began else None,
    }


def _time(text: str | None) -> datetime | None:
    zoned = time_of(text, "%m/%d/%y %H:%M:%S UTC")
    return zoned.replace(tzinfo=UTC) if zoned else time_of(text, "%m/%d/%y %H:%M:%S")


def recognises(head: bytes, name: str) -> bool:
    """Tell by the program's name or the export settings in the first comments."""
    return bool(re.match(rb"(\xef\xbb\xbf)?\s*#", head)) and (
        b"XY-Serializer Export Settings" in head or re.search(rb"#\s*Created by:\s+SpecsLab", head) is not None
    )


FORMAT = Format("specs-xy", "SPECS SpecsLab2 and Prodigy spectra .xy", recognises, read)
