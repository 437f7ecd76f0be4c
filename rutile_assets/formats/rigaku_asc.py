"""Rigaku legacy .asc: ``*KEY = value`` header, counts in rows after *COUNT, *END, *EOF."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.text import decoded, numbers, positive_number, truncated, xray_columns, xray_technique

MAX_POINTS = 5_000_000


def read(source: Source) -> Measurement:
    """Read the one group of a legacy file; its speed in seconds a step is the counting time."""
    text = decoded(source)
    if "*EOF" not in text[-40:]:
        raise truncated(source, "no *EOF at the end", "the end mark of a .asc file")
    header = {k.strip(): v.strip() for k, v in re.findall(r"^\*(\w+)\s*=(.*)$", text, re.MULTILINE)}
    if header.get("GROUP_COUNT", "1") != "1":
        raise UnreadableFile(f"{header['GROUP_COUNT']} groups", "one", "Export the groups one by one.", source.name)
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"\*COUNT\s*=", line)), None)
    end = next((i for i, line in enumerate(lines) if line.startswith("*END")), None)
    if start is None or end is None or end < start:
        raise truncated(source, "no *COUNT ... *END block", "the measured counts")
    words = re.split(r"[,\s]+", " ".join(lines[start + 1 : end]).strip())
    counts = numbers(source, words, columns=1)[:, 0]
    first, step, last = (_angle(source, header, key) for key in ("START", "STEP", "STOP"))
    if step <= 0 or not 1 <= (last - first) / step + 1 <= MAX_POINTS:
        raise UnreadableFile(f"{first} to {last} deg in steps of {step}", "a rising scan", "Export again.", source.name)
    expected = round((last - first) / step) + 1
    declared = round(positive_number(source, lines[start].split("=")[-1], "*COUNT"))
    if len(counts) != expected or declared != expected:
        raise truncated(source, f"{len(counts)} counts", f"{expected} from START, STOP and STEP")
    if header.get("YUNIT", "counts").lower() not in ("counts", "cps"):
        raise UnreadableFile(f"intensity in {header['YUNIT']!r}", "counts or cps", "Export in counts.", source.name)
    in_counts = header.get("YUNIT", "counts").lower() == "counts"
    per_step = "sec" in header.get("SPEED_DIM", "").lower() and in_counts
    dwell = positive_number(source, header.get("SPEED"), "SPEED") if per_step else None
    two_theta = first + step * np.arange(expected, dtype=np.float64)
    columns = xray_columns(
        two_theta,
        counts if in_counts else None,
        None if in_counts else counts,
        None,
        None if dwell is None else np.full(expected, dwell),
    )
    settings: dict[str, Setting] = {"scan_axis": header.get("SCAN_AXIS"), "detector": header.get("COUNTER")}
    for key, ours in (("WAVE_LENGTH1", "k_alpha_1_angstrom"), ("WAVE_LENGTH2", "k_alpha_2_angstrom")):
        if key in header:
            settings[ours] = positive_number(source, header[key], key)
    scan = Scan(columns, settings)
    return Measurement(
        format=FORMAT.name,
        scans=(scan,),
        technique=xray_technique([scan]),
        instrument=header.get("GONIO", "Rigaku").split(",")[0],
        sample=header.get("SAMPLE") or None,
        acquired_at=_time(header.get("DATE", "")),
        settings={"memo": header.get("MEMO")},
        notes=("The file has no attenuation column: counts are taken as detected.",),
    )


def _angle(source: Source, header: dict[str, str], key: str) -> float:
    try:
        return float(header[key])
    except (KeyError, ValueError) as fault:
        raise UnreadableFile(
            f"no {key} in the header", "START, STOP and STEP", "Copy it again.", source.name
        ) from fault


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%d-%b-%y %H:%M")
    except ValueError:
        return None


FORMAT = Format(
    "rigaku-asc",
    "Rigaku legacy .asc",
    lambda head, name: head.lstrip(b"\xef\xbb\xbf").startswith(b"*TYPE") and b"*CLASS" in head,
    read,
)
