"""SPECS SpecsLab .xml (CORBA XMLSerializer): counts of every channeltron, shifted by its offset and added up.

A scan holds (values + head + tail) samples of D channeltrons, the channeltrons' index fastest. Sample j of channeltron
d was taken at the kinetic energy E0 + (j - head) step + shift_d E_pass; so channeltron d gives the point k of the curve
with its sample j = head + k - round(shift_d E_pass / step). Whole samples are shifted: counts stay counts, and a
channeltron stands at most half a step off. Columns and settings: see `spectra`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

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
from rutile_assets.formats.text import MAX_ROWS, damaged, numbers, positive_number, truncated
from rutile_assets.formats.xml import parse

# the grammar that the serializer writes into every file: declarations of elements and attributes, never of entities
DOCUMENT_TYPE = re.compile(rb"<!DOCTYPE\s+any\s*\[(?:\s|<!ELEMENT[^<>\[\]&%]*>|<!ATTLIST[^<>\[\]&%\"']*>)*\]>")
LARGEST_HEAD = 64 * 1024  # the document type ends before
MAX_CHANNELTRONS = 256
SWEPT = ("FixedAnalyzerTransmission", "FixedRetardingRatio", "FixedEnergies", "")


def read(source: Source) -> Measurement:
    """Read every region.

    Raises
    ------
    UnreadableFile
        XML that is cut, has entities or another document type, counts that are not as many as values, channeltrons,
        head and tail say, a scan mode without an energy axis of the analyser.
    """
    content = source.read()
    head = DOCUMENT_TYPE.sub(b"", content[:LARGEST_HEAD], count=1)
    root = parse(source, head + content[LARGEST_HEAD:], "SPECS XML")
    scans, notes = [], []
    sample: str | None = None
    for group in root.iter("struct"):
        if group.get("type_name") != "RegionGroup":
            continue
        name = _text(group, "name")
        sample = sample or name
        for region in group.iter("struct"):
            if region.get("type_name") == "RegionData":
                found, more = _region(source, region, name)
                scans += found
                notes += more
    if not scans:
        raise truncated(source, "no region with counts", "measured regions")
    began = next((scan.settings.get("acquired_at") for scan in scans), None)
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=TECHNIQUE,
        instrument="SPECS",
        sample=sample,
        acquired_at=datetime.fromisoformat(str(began)) if began else None,
        settings=without_none(dict(shared_settings(scans))),
        notes=unique(notes),
    )


def _region(source: Source, region: Any, group: str | None) -> tuple[list[Scan], list[str]]:
    """Return a region's cycles, one Scan each."""
    name = _text(region, "name") or "?"
    definition = _child(region, "region")
    said = {child.get("name"): (child.text or "").strip() for child in definition} if definition is not None else {}
    mode = _text(_child(definition, "scan_mode"), "name") or ""
    if mode not in SWEPT:
        return [], [f"Region {name[:40]!r} is no scan of the kinetic energy ({mode[:40]}) and is left out."]
    values = _whole(source, said.get("values_per_curve"), "values_per_curve", 1)
    head, tail = (_whole(source, _text(region, key) or "0", key, 0) for key in ("mcd_head", "mcd_tail"))
    step, pass_ev = known(said.get("scan_delta")), positive(said.get("pass_energy"))
    start = known(said.get("kinetic_energy"))
    if start is None or not step:
        raise damaged(source, f"region {name[:40]!r} without kinetic_energy or scan_delta", "an energy axis")
    shifts = [known(_text(detector, "shift")) or 0.0 for detector in _structs(region, "Detector")] or [0.0]
    if len(shifts) > MAX_CHANNELTRONS or (pass_ev is None and any(shifts)):
        raise damaged(source, f"{len(shifts)} channeltrons at pass energy {pass_ev}", "channeltrons and pass energy")
    places = np.array(shifts) * (pass_ev or 0.0) / step
    first = head - np.rint(places).astype(np.int64)
    if first.min() < 0 or first.max() > head + tail:
        raise damaged(
            source, f"channeltrons of {name[:40]!r} shifted beyond the {head} and {tail} spare samples", "fit"
        )
    scans: list[Scan] = []
    notes: list[str] = []
    for index, cycle in enumerate(_structs(region, "Cycle")):
        runs = [_counts(source, scan, name) for scan in _structs(cycle, "ScanData")]
        if not runs:
            continue
        summed = np.zeros(values)
        for run in runs:
            if len(run) != len(shifts) * (values + head + tail):
                promised = f"{len(shifts)} channeltrons x {values + head + tail}"
                raise truncated(source, f"{len(run)} counts in {name[:40]!r}", promised)
            table = run.reshape(-1, len(shifts))
            summed += np.sum([table[at : at + values, d] for d, at in enumerate(first)], axis=0)
        energies = start + step * np.arange(values, dtype=np.float64)
        dwell = positive(said.get("dwell_time"))
        columns, more = spectrum_columns(
            source,
            {"kinetic_energy_ev": energies},
            summed,
            unit="counts",
            counting_time_s=product(dwell, float(len(runs))),
            transmission=_transmission(source, region, values),
        )
        settings = _settings(said, name, group, cycle) | {"cycle": index, "sweep_count": len(runs), "dwell_s": dwell}
        scans.append(Scan(columns, without_none({**settings, "step_ev": step_ev(energies), "scan_mode": mode})))
        notes += more
        promised_scans = whole_or_none(known(said.get("num_scans")))
        if promised_scans is not None and promised_scans > len(runs):
            notes.append(f"{name}: {len(runs)} of {promised_scans} scans stand in the file.")
    off = float(np.abs(places - np.rint(places)).max() * abs(step))
    notes.append(
        f"{len(shifts)} channeltrons added, each at most {off:.3g} eV from its energy (whole samples shifted)."
    )
    return scans, notes


def _settings(said: Mapping[str, str], name: str, group: str | None, cycle: Any) -> dict[str, Setting]:
    photon_ev = positive(said.get("excitation_energy"))
    seconds = positive(_text(cycle, "time"))
    began = datetime.fromtimestamp(seconds, UTC) if seconds is not None and seconds < 4e9 else None
    return {
        "region": name,
        "group": group,
        "analysis_method": analysis_method(said.get("analysis_method"), photon_ev),
        "photon_energy_ev": photon_ev,
        "analyser_work_function_ev": known(said.get("effective_workfunction")),
        "pass_energy_ev": positive(said.get("pass_energy")),
        "detector_bias_v": known(said.get("bias_voltage")),
        "lens_mode": said.get("analyzer_lens"),
        "acquired_at": began.isoformat() if began else None,
    }


def _counts(source: Source, scan: Any, name: str) -> FloatArray:
    sequence = _child(scan, "counts")
    words = [word for part in sequence if part.text for word in part.text.split()] if sequence is not None else []
    if len(words) > MAX_ROWS:
        raise damaged(source, f"{len(words)} counts in {name[:40]!r}", f"at most {MAX_ROWS}")
    return numbers(source, words, columns=1)[:, 0]


def _transmission(source: Source, region: Any, values: int) -> FloatArray | None:
    sequence = _child(region, "transmission")
    words = [word for part in sequence if part.text for word in part.text.split()] if sequence is not None else []
    return numbers(source, words, columns=1)[:, 0] if len(words) == values else None


def _whole(source: Source, text: str | None, what: str, least: int) -> int:
    value = positive_number(source, text, what) if least else known(text)
    if value is None or value != round(value) or not least <= value <= MAX_ROWS:
        raise damaged(source, f"{what} {str(text)[:40]!r}", f"a whole number up to {MAX_ROWS}")
    return int(value)


def _child(element: Any, name: str) -> Any:
    return None if element is None else next((child for child in element if child.get("name") == name), None)


def _text(element: Any, name: str) -> str | None:
    found = _child(element, name)
    return found.text.strip() or None if found is not None and found.text else None


def _structs(element: Any, type_name: str) -> list[Any]:
    return [struct for struct in element.iter("struct") if struct.get("type_name") == type_name]


def recognises(head: bytes, name: str) -> bool:
    """Tell by the serializer's mark in the first comment, or by SPECS's types."""
    return b"<" in head[:8] and (b"CORBA XML document created by XMLSerializer" in head or b"IDL:specs.de/" in head)


FORMAT = Format("specs-xml", "SPECS SpecsLab spectra .xml (CORBA XMLSerializer)", recognises, read)
