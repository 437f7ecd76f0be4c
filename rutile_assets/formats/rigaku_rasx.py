"""Rigaku SmartLab Studio .rasx: a zip of Data<i>/Profile<i>.txt and Data<i>/MesurementConditions<i>.xml."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.archive import zip_members
from rutile_assets.formats.measurement import Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import numbers, truncated, xray_columns, xray_technique

_PROFILE = re.compile(r"^Data(\d+)/Profile\1\.txt$")
_AXES = {"Omega": "omega_deg", "Chi": "chi_deg", "Phi": "phi_deg"}


def read(source: Source) -> Measurement:
    """Read all profiles in the order of their numbers (Data2 before Data10).

    The third column is the attenuation factor; counts are multiplied by it and divided by the counting time where
    the conditions give a scan speed.
    """
    members = zip_members(source)
    if "root.xml" not in members:
        raise truncated(source, f"a zip archive of {len(members)} members without root.xml", "a Rigaku .rasx")
    order = sorted(int(m.group(1)) for name in members if (m := _PROFILE.match(name)))
    listed = members["root.xml"].count(b"<Data")
    if not order or order != list(range(len(order))) or (listed and listed != len(order)):
        raise truncated(source, f"profiles {order[:5]}... ({len(order)})", f"the {listed} that root.xml lists")
    scans = []
    conditions: Any = None
    for index in order:
        name = f"Data{index}/MesurementConditions{index}.xml"
        if name not in members:
            raise truncated(source, f"no {name}", "conditions for every profile")
        conditions = _xml(source, members[name], name)
        scans.append(_scan(source, members[f"Data{index}/Profile{index}.txt"], conditions))
    first = _xml(source, members["Data0/MesurementConditions0.xml"], "Data0")
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=xray_technique(scans),
        instrument=_text(first, "SystemName") or "Rigaku SmartLab",
        sample=_text(first, "SampleName"),
        operator=_text(first, "Operator"),
        acquired_at=_time(_text(first, "StartTime") or ""),
        settings={"comment": _text(first, "Comment"), "memo": _text(first, "Memo")},
        notes=("Intensity is detected counts times the file's attenuation column.",),
    )


def _scan(source: Source, profile: bytes, conditions: Any) -> Scan:
    lines = profile.decode("utf-8-sig", errors="replace").splitlines()
    table = numbers(source, [line for line in lines if line.strip()], columns=3)
    settings: dict[str, Setting] = {}
    for axis in conditions.iter("Axis"):
        name, position = axis.get("Name", ""), axis.get("Position", "")
        if name in _AXES and _AXES[name] not in settings:
            try:
                settings[_AXES[name]] = float(position)
            except ValueError:
                continue
    for tag, ours in (("WavelengthKalpha1", "k_alpha_1_angstrom"), ("WavelengthKalpha2", "k_alpha_2_angstrom")):
        text = _text(conditions, tag)
        if text is not None:
            settings[ours] = float(text) if re.fullmatch(r"[0-9.]+", text) else text
    settings["wave_type"] = _text(conditions, "WaveType")
    scan = conditions.find(".//ScanInformation")
    if scan is None:
        raise truncated(source, "no ScanInformation", "the scan's conditions")
    if (_text(scan, "DataCount") or str(len(table))) != str(len(table)):
        raise truncated(source, f"{len(table)} points", f"the {_text(scan, 'DataCount')} that the conditions promise")
    settings["scan_axis"] = _text(scan, "AxisName") or _text(scan, "ScanAxis")
    settings["scan_mode"] = _text(scan, "Mode")
    unit = (_text(scan, "IntensityUnit") or "counts").lower()
    settings["intensity_unit_in_file"] = unit
    if unit == "cps":
        return Scan(xray_columns(table[:, 0], None, table[:, 1] * table[:, 2], table[:, 2], None), settings)
    if unit != "counts":
        raise UnreadableFile(f"intensity in {unit!r}", "counts or cps", "Export in counts.", source.name)
    dwell = _dwell(scan, len(table))
    return Scan(xray_columns(table[:, 0], table[:, 1], None, table[:, 2], dwell), settings)


def _dwell(scan: Any, points: int) -> np.ndarray | None:
    unit, speed, step = (_text(scan, tag) for tag in ("SpeedUnit", "Speed", "Step"))
    try:
        value, width = float(speed or ""), float(step or "")
    except ValueError:
        return None
    if value <= 0 or width <= 0:
        return None
    seconds = {"deg/min": 60.0 * width / value, "sec/step": value, "sec.": value, "sec": value}.get(
        (unit or "").lower()
    )
    return None if seconds is None else np.full(points, seconds)


def _xml(source: Source, content: bytes, name: str) -> Any:
    try:
        return fromstring(content.decode("utf-8-sig"))
    except (ParseError, DefusedXmlException, UnicodeDecodeError, ValueError) as fault:
        raise UnreadableFile(
            f"{name} that is not plain XML ({type(fault).__name__})",
            "the instrument's XML",
            "Copy it again.",
            source.name,
        ) from fault


def _text(element: Any, tag: str) -> str | None:
    found = element.find(f".//{tag}")
    return found.text.strip() if found is not None and found.text and found.text.strip() else None


def _time(text: str) -> datetime | None:
    for pattern in ("%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S"):
        try:
            return datetime.strptime(text[:19], pattern)
        except ValueError:
            continue
    return None


FORMAT = Format(
    "rigaku-rasx",
    "Rigaku SmartLab Studio .rasx",
    lambda head, name: head.startswith(b"PK") and (b"Data0/" in head or name.lower().endswith(".rasx")),
    read,
)
