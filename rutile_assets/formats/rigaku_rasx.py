"""Rigaku SmartLab Studio .rasx: a zip of Data<i>/Profile<i>.txt and Data<i>/MesurementConditions<i>.xml."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.archive import zip_members
from rutile_assets.formats.measurement import Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.rigaku_ras import AXES, SPEED_NOTE, counting_time
from rutile_assets.formats.text import damaged, decode, finite_or_none, iso_time, lines_of, numbers, truncated
from rutile_assets.formats.xml import parse, text_at
from rutile_assets.formats.xray import xray_columns, xray_technique

# the vendor spells "Mesurement"
MEMBERS = re.compile(r"root\.xml|Data\d{1,6}/(Profile\d{1,6}\.txt|MesurementConditions\d{1,6}\.xml)")
PROFILE = re.compile(r"Data(\d+)/Profile\1\.txt")


def read(source: Source) -> Measurement:
    """Read all profiles in the order of their numbers (Data2 before Data10).

    The third column of a profile is the attenuation factor that detected counts must be multiplied by. The number of
    points must be the one that the conditions promise, the profiles those that root.xml lists. Where root.xml holds
    checksums, a difference is noted: the instrument did not write what is there now.

    Raises
    ------
    UnreadableFile
        A damaged or hostile archive, missing members, damaged XML or numbers.
    """
    members = zip_members(source, MEMBERS)
    if "root.xml" not in members:
        raise UnreadableFile(
            "a zip archive without root.xml",
            "a Rigaku .rasx",
            "Unpack it and drop the instrument's files.",
            source.name,
        )
    indices = sorted(int(found.group(1)) for name in members if (found := PROFILE.fullmatch(name)))
    root = parse(source, members["root.xml"], "root.xml")
    listed = sum(element.tag.startswith("Data") for element in root)
    if not indices or indices != list(range(len(indices))) or listed not in (0, len(indices)):
        raise truncated(source, f"{len(indices)} profiles", f"Data0 ... Data{max(listed, 1) - 1}")
    scans: list[Scan] = []
    notes: list[str] = []
    first: Any = None
    for index in indices:
        name = f"Data{index}/MesurementConditions{index}.xml"
        if name not in members:
            raise truncated(source, f"no {name}", "conditions for every profile")
        conditions = parse(source, members[name], name)
        first = conditions if first is None else first
        scan, told = _scan(source, members[f"Data{index}/Profile{index}.txt"], conditions)
        scans.append(scan)
        notes += [note for note in told if note not in notes]
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique=xray_technique(scans),
        instrument=text_at(first, "SystemName") or "Rigaku SmartLab",
        sample=text_at(first, "SampleName"),
        operator=text_at(first, "Operator"),
        acquired_at=iso_time(text_at(first, "StartTime")),
        settings={"comment": text_at(first, "Comment"), "memo": text_at(first, "Memo")},
        notes=(*notes, *_altered(root, members)),
    )


def _scan(source: Source, profile: bytes, conditions: Any) -> tuple[Scan, tuple[str, ...]]:
    table = numbers(source, [line for line in lines_of(decode(profile)) if line.strip()])
    if table.shape[1] not in (2, 3):
        raise damaged(source, f"{table.shape[1]} columns", "angle, intensity, attenuation")
    promised = text_at(conditions, "DataCount")
    if promised is not None and finite_or_none(promised) != len(table):
        raise truncated(source, f"{len(table)} points", f"the {promised} that the conditions promise")
    dwell = counting_time(
        len(table),
        text_at(conditions, "ScanInformation/Speed"),
        text_at(conditions, "ScanInformation/SpeedUnit"),
        text_at(conditions, "ScanInformation/Step"),
    )
    columns, notes = xray_columns(
        source,
        table[:, 0],
        table[:, 1],
        unit=text_at(conditions, "IntensityUnit") or "counts",
        attenuation=table[:, 2] if table.shape[1] == 3 else None,
        counting_time_s=dwell,
    )
    settings: dict[str, Setting] = {
        "scan_axis": text_at(conditions, "ScanInformation/AxisName"),
        "scan_mode": text_at(conditions, "ScanInformation/Mode"),
        "wave_type": text_at(conditions, "WaveType"),
        "anode": text_at(conditions, "TargetName"),
        "optics": text_at(conditions, "Optics/Attribute"),
    }
    for axis in conditions.iter("Axis"):
        position = finite_or_none(axis.get("Position"))
        if axis.get("Name") in AXES and position is not None:
            settings.setdefault(AXES[str(axis.get("Name"))], position)
    for number in (1, 2):
        wavelength = finite_or_none(text_at(conditions, f"WavelengthKalpha{number}"))
        if wavelength is not None:
            settings[f"k_alpha_{number}_angstrom"] = wavelength
    for category in conditions.iter("Category"):
        if category.get("Name") == "Detector":
            settings["detector"] = category.get("SelectedUnit")
    return Scan(columns, settings), (*notes, SPEED_NOTE) if "counting_time_s" in columns else notes


def _altered(root: Any, members: dict[str, bytes]) -> list[str]:
    """Return a note for each member that differs from the checksum which the instrument stored."""
    notes = []
    for data in root:
        for entry in data.iter("ContentHashList"):
            name = f"{data.tag}/{entry.get('Name')}"
            content = members.get(name, b"").removeprefix(b"\xef\xbb\xbf")
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if name in members and digest != str(entry.get("ContentHash")).lower():
                notes.append(f"{name} differs from the checksum in root.xml: it was changed after the measurement.")
    return notes[:5]


FORMAT = Format(
    "rigaku-rasx",
    "Rigaku SmartLab Studio .rasx",
    lambda head, name: head.startswith(b"PK\x03\x04") and (b"Data0/" in head or name.lower().endswith(".rasx")),
    read,
)
