"""PANalytical .xrdml (plain or bz2): one or many scans; which number is already multiplied by the attenuator.

In schema 1.x ``intensities`` are multiplied by ``beamAttenuationFactors`` already (in the files at hand every
attenuated intensity is a whole multiple of its factor); in schema 2.x ``counts`` are as the detector counted them.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.archive import bz2_content
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import damaged, finite_or_none, iso_time, numbers, truncated
from rutile_assets.formats.xml import parse, text_at
from rutile_assets.formats.xray import xray_columns, xray_technique

ROOT = b"<xrdMeasurements"
AXES = {"2Theta": "two_theta_deg", "Omega": "omega_deg", "Chi": "chi_deg", "Psi": "chi_deg", "Phi": "phi_deg"}
MAX_SCANS = 20_000
NOT_MULTIPLES = (
    "Attenuated intensities are not whole multiples of their factors; they are taken as multiplied already, as the"
    " schema says."
)


def read(source: Source) -> Measurement:
    """Read every scan of every measurement in the file.

    Raises
    ------
    UnreadableFile
        Damaged, hostile or cut XML or bz2; positions, counting times, factors and intensities that do not match.
    """
    packed = source.head(3) == b"BZh"
    content = bz2_content(source) if packed else source.read()
    if ROOT not in content[:4096]:
        raise UnreadableFile(
            "a bz2 file that holds no .xrdml" if packed else "XML without <xrdMeasurements>",
            "a PANalytical .xrdml",
            "Unpack it and drop the instrument's file.",
            source.name,
        )
    root = parse(source, content, "the .xrdml")
    scans: list[Scan] = []
    notes: list[str] = []
    for measurement in root.iter("xrdMeasurement"):
        for element in measurement.iter("scan"):
            scan, told = _scan(source, measurement, element)
            scans.append(scan)
            notes += [note for note in told if note not in notes]
            if len(scans) > MAX_SCANS:
                raise UnreadableFile(f"over {MAX_SCANS} scans", "fewer", "Split the file.", source.name)
    if not scans:
        raise damaged(source, "no scan", "at least one <scan>")
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=xray_technique(scans),
        instrument="PANalytical " + (text_at(root, "instrumentControlSoftware") or "diffractometer"),
        sample=text_at(root, "sample/name") or text_at(root, "sample/id"),
        operator=text_at(root, "author/name"),
        acquired_at=iso_time(text_at(root, "startTimeStamp")),
        settings=_settings(root),
        notes=tuple(notes),
    )


def _settings(root: Any) -> dict[str, Setting]:
    settings: dict[str, Setting] = {
        "anode": text_at(root, "anodeMaterial"),
        "program": text_at(root, "applicationSoftware"),
        "comment": "; ".join(e.text.strip() for e in root.iter("entry") if e.text and e.text.strip()) or None,
    }
    for tag, name in (("monochromator", "monochromator"), ("detector", "detector"), ("divergenceSlit", "slit")):
        element = root.find(f".//{tag}")
        settings[name] = element.get("name") if element is not None else None
    opening = finite_or_none(text_at(root, "incidentBeamPath/divergenceSlit/height"))
    if opening is not None:
        settings["slit_height_mm"] = opening
    return settings


def _scan(source: Source, measurement: Any, scan: Any) -> tuple[Scan, tuple[str, ...]]:
    data = scan.find(".//dataPoints")
    if data is None:
        raise damaged(source, "a scan without <dataPoints>", "measured points")
    element, raw = data.find("counts"), True
    if element is None:
        element, raw = data.find("intensities"), False
    if element is None:
        raise damaged(source, "points without counts or intensities", "measured intensities")
    values = _list(source, element)
    factors = _per_point(source, data, "beamAttenuationFactors", "commonBeamAttenuationFactor", len(values))
    if raw and (data.find("divergenceCorrections") is not None or data.find("commonDivergenceCorrection") is not None):
        raise UnreadableFile(
            "raw counts with divergence corrections", "a fixed slit", "Export it with a fixed slit.", source.name
        )
    positions, settings = _positions(source, data, len(values))
    columns, notes = xray_columns(
        source,
        positions.pop("two_theta_deg"),
        values,
        unit=element.get("unit", "counts"),
        attenuation=factors,
        attenuation_applied=not raw,
        counting_time_s=_per_point(source, data, "countingTimes", "commonCountingTime", len(values)),
    )
    settings |= {"scan_axis": scan.get("scanAxis"), "scan_mode": scan.get("mode")}
    for number in (1, 2):
        wavelength = finite_or_none(text_at(measurement, f"usedWavelength/kAlpha{number}"))
        if wavelength is not None:
            settings[f"k_alpha_{number}_angstrom"] = wavelength
    used = measurement.find(".//usedWavelength")
    settings["wavelength_intended"] = used.get("intended") if used is not None else None
    if factors is not None and factors.max() > 1 and not raw and "detected_counts" not in columns:
        notes = (*notes, NOT_MULTIPLES)
    status = scan.get("status", "Completed")
    if status != "Completed":
        settings["status"] = status
        notes = (*notes, f"The instrument calls a scan {status!r}: its end position is taken as its last point's.")
    return Scan(columns | positions, settings), notes


def _positions(source: Source, data: Any, points: int) -> tuple[dict[str, FloatArray], dict[str, Setting]]:
    moving: dict[str, FloatArray] = {}
    fixed: dict[str, Setting] = {}
    for element in data.iter("positions"):
        name = AXES.get(element.get("axis", ""))
        if name is None:
            continue
        if element.get("unit") != "deg":
            raise damaged(source, f"{element.get('axis')} in {element.get('unit')!r}", "degrees")
        listed, common = element.find("listPositions"), finite_or_none(text_at(element, "commonPosition"))
        start, end = (finite_or_none(text_at(element, tag)) for tag in ("startPosition", "endPosition"))
        if listed is not None:
            moving[name] = _list(source, listed)
        elif start is not None and end is not None:
            moving[name] = np.linspace(start, end, points)
        elif common is not None:
            fixed[name] = common
        else:
            raise damaged(source, f"no position of {element.get('axis')}", "start and end, a list or one position")
    for name, values in moving.items():
        if len(values) != points:
            raise truncated(source, f"{points} intensities and {len(values)} positions", f"as many in {name}")
    if "two_theta_deg" in fixed:
        moving["two_theta_deg"] = np.full(points, float(str(fixed.pop("two_theta_deg"))))
    if "two_theta_deg" not in moving:
        raise damaged(source, "no positions of 2Theta", "the angle of every point")
    return moving, fixed


def _list(source: Source, element: Any) -> FloatArray:
    return numbers(source, (element.text or "").split(), columns=1)[:, 0]


def _per_point(source: Source, data: Any, listed: str, common: str, points: int) -> FloatArray | None:
    element = data.find(listed)
    if element is not None:
        return _list(source, element)
    element = data.find(common)
    if element is None:
        return None
    return np.full(points, float(_list(source, element)[0]))


def recognises(head: bytes, name: str) -> bool:
    """Tell by the root element; bz2 hides it, so any bz2 file is looked into."""
    return re.search(ROOT, head) is not None or head.startswith(b"BZh")


FORMAT = Format("panalytical-xrdml", "PANalytical .xrdml, also .xrdml.bz2", recognises, read)
