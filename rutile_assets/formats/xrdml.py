"""PANalytical .xrdml, plain or .bz2: one <scan> for each scan; intensities, counting times, attenuation."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.archive import bz2_content
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import numbers, truncated, xray_columns, xray_technique

_AXES = {"2Theta": "two_theta_deg", "Omega": "omega_deg", "Chi": "chi_deg", "Psi": "chi_deg", "Phi": "phi_deg"}
MAX_POINTS = 1_000_000


def read(source: Source) -> Measurement:
    """Read every completed scan.

    ``<counts>`` are as the detector counted; ``<intensities>`` have the attenuation factors multiplied in already
    (the whole-number counts come back on division by them), so they are divided by them to give detected counts.
    """
    content = bz2_content(source) if source.head(3) == b"BZh" else source.read()
    try:
        root = fromstring(content)
    except ParseError as fault:
        raise truncated(source, f"XML that breaks off ({fault})", "a whole .xrdml") from fault
    except (DefusedXmlException, ValueError, LookupError) as fault:
        raise UnreadableFile(
            f"XML with entities or a wrong encoding ({type(fault).__name__})",
            "plain XML",
            "Do not open it.",
            source.name,
        ) from fault
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""
    if root.tag != "xrdMeasurements":
        raise UnreadableFile(f"XML <{root.tag}>", "<xrdMeasurements>", "Export as .xrdml.", source.name)
    wave = {tag: _number(root.find(f".//{tag}")) for tag in ("kAlpha1", "kAlpha2")}
    scans = tuple(_scan(source, scan, wave) for scan in root.iter("scan"))
    if not scans:
        raise truncated(source, "no <scan>", "at least one")
    start = root.find(".//startTimeStamp")
    entries = [entry.text or "" for entry in root.iter("entry")]
    system = next((text.split("=", 1)[1] for text in entries if "Diffractometer system=" in text), None)
    return Measurement(
        format=FORMAT.name,
        scans=scans,
        technique=xray_technique(scans),
        instrument=f"PANalytical {system or ''}".strip(),
        sample=_words(root.find(".//sample/name")) or _words(root.find(".//sample/id")),
        operator=_words(root.find(".//author/name")),
        acquired_at=_time(_words(start)),
        settings={"ratio_k_alpha_2": _number(root.find(".//ratioKAlpha2KAlpha1"))},
        notes=("Attenuation factors are multiplied in already in <intensities>; detected counts are without them.",),
    )


def _scan(source: Source, scan: Any, wave: dict[str, float | None]) -> Scan:
    counts_in, corrected = scan.find(".//counts"), scan.find(".//intensities")
    given = counts_in if counts_in is not None else corrected
    if given is None or not given.text:
        raise truncated(source, "a <scan> without intensities", "<intensities> or <counts>")
    if given.get("unit", "counts") not in ("counts", "cps"):
        raise UnreadableFile(f"intensity in {given.get('unit')!r}", "counts or cps", "Export in counts.", source.name)
    values = numbers(source, given.text.split(), columns=1)[:, 0]
    if len(values) > MAX_POINTS:
        raise UnreadableFile(f"{len(values)} points in a scan", f"at most {MAX_POINTS}", "Split it.", source.name)
    factors = scan.find(".//beamAttenuationFactors")
    attenuation = None if factors is None else numbers(source, (factors.text or "").split(), columns=1)[:, 0]
    if attenuation is not None and (len(attenuation) != len(values) or (attenuation <= 0).any()):
        raise truncated(source, f"{len(attenuation)} attenuation factors for {len(values)} points", "one for each, > 0")
    times = _times(source, scan, len(values))
    in_counts = given.get("unit", "counts") == "counts"
    counts = values if counts_in is not None or attenuation is None else values / attenuation
    settings: dict[str, Setting] = {"scan_axis": scan.get("scanAxis"), "scan_mode": scan.get("mode")}
    settings |= {"k_alpha_1_angstrom": wave["kAlpha1"], "k_alpha_2_angstrom": wave["kAlpha2"]}
    columns: dict[str, FloatArray] = {}
    for positions in scan.iter("positions"):
        name = _AXES.get(positions.get("axis", ""))
        if name is None:
            continue
        place = _positions(source, positions, len(values))
        if isinstance(place, float):
            settings[name] = place
        else:
            columns[name] = place
    if "two_theta_deg" not in columns:
        raise UnreadableFile("a scan without a 2Theta axis", "2Theta positions", "Export a 2Theta scan.", source.name)
    if "omega_deg" in columns:
        settings["omega_deg"] = float(columns["omega_deg"].mean())
    intensity = xray_columns(
        columns.pop("two_theta_deg"),
        counts if in_counts else None,
        None if in_counts else values,
        attenuation,
        times if in_counts else None,
    )
    return Scan({**intensity, **columns}, settings)


def _times(source: Source, scan: Any, points: int) -> FloatArray | None:
    common, each = scan.find(".//commonCountingTime"), scan.find(".//countingTimes")
    if common is not None:
        seconds = _number(common)
        if seconds is None or seconds <= 0:
            raise truncated(source, f"counting time {common.text!r}", "a positive time")
        return np.full(points, seconds)
    if each is None:
        return None
    times = numbers(source, (each.text or "").split(), columns=1)[:, 0]
    if len(times) != points or (times <= 0).any():
        raise truncated(source, f"{len(times)} counting times for {points} points", "one for each")
    return times


def _positions(source: Source, positions: Any, points: int) -> FloatArray | float:
    listed = positions.find("listPositions")
    if listed is not None:
        values = numbers(source, (listed.text or "").split(), columns=1)[:, 0]
        if len(values) != points:
            raise truncated(source, f"{len(values)} positions for {points} points", "one for each")
        return values
    common = _number(positions.find("commonPosition"))
    first, last = _number(positions.find("startPosition")), _number(positions.find("endPosition"))
    if first is not None and last is not None:
        return np.linspace(first, last, points)
    if common is None:
        raise truncated(source, f"no positions of {positions.get('axis')}", "start and end, a list, or a common one")
    return common


def _number(element: Any) -> float | None:
    try:
        return float(element.text) if element is not None else None
    except (TypeError, ValueError):
        return None


def _words(element: Any) -> str | None:
    return element.text.strip() or None if element is not None and element.text else None


def _time(text: str | None) -> datetime | None:
    try:
        # the instrument's own clock, as every other format has it
        return datetime.fromisoformat(text).replace(tzinfo=None) if text else None
    except ValueError:
        return None


FORMAT = Format(
    "panalytical-xrdml",
    "PANalytical .xrdml, also .xrdml.bz2",
    lambda head, name: b"<xrdMeasurements" in head or (head.startswith(b"BZh") and ".xrdml" in name.lower()),
    read,
)
