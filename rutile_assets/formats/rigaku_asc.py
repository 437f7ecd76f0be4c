"""Rigaku legacy .asc: ``*KEY = value`` header, counts in rows after *COUNT, *END, *EOF."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from rutile_assets.formats.measurement import Format, Measurement, Scan, Setting, Source
from rutile_assets.formats.rigaku_ras import plain_unit
from rutile_assets.formats.text import (
    MAX_ROWS,
    damaged,
    finite_or_none,
    lines_of,
    numbers,
    positive_number,
    text_of,
    time_of,
    truncated,
)
from rutile_assets.formats.xray import xray_columns, xray_technique


def read(source: Source) -> Measurement:
    """Read the one group of a legacy file; its speed in seconds a step is the counting time.

    Raises
    ------
    UnreadableFile
        The end mark is missing, or counts are not as many as *COUNT, *START, *STOP and *STEP say.
    """
    text = text_of(source)
    if "*EOF" not in text[-40:]:
        raise truncated(source, "no *EOF at the end", "the end mark of a .asc file")
    header = {k: v.strip() for k, v in re.findall(r"^\*(\w+)[ \t]*=(.*)$", text, re.MULTILINE)}
    if header.get("GROUP_COUNT", "1") != "1":
        raise damaged(source, f"{header['GROUP_COUNT']} groups", "one group: export the groups one by one")
    lines = lines_of(text)
    start = next((i for i, line in enumerate(lines) if re.match(r"\*COUNT\s*=", line)), None)
    end = next((i for i, line in enumerate(lines) if re.match(r"\*END\b", line)), None)
    if start is None or end is None or end < start:
        raise truncated(source, "no *COUNT ... *END block", "the measured counts")
    words = re.split(r"[,\s]+", " ".join(lines[start + 1 : end]).strip())
    values = numbers(source, words, columns=1)[:, 0]
    first, step, last = (_angle(source, header, key) for key in ("START", "STEP", "STOP"))
    if step <= 0 or not 1 <= (last - first) / step + 1 <= MAX_ROWS:
        raise damaged(source, f"a scan from {first} to {last} deg in steps of {step}", "a rising scan")
    expected = round((last - first) / step) + 1
    declared = round(positive_number(source, lines[start].split("=")[-1], "*COUNT"))
    if len(values) != expected or declared != expected:
        raise truncated(source, f"{len(values)} counts (*COUNT = {declared})", f"{expected} from START, STOP and STEP")
    dwell = finite_or_none(header.get("SPEED")) if plain_unit(header.get("SPEED_DIM")) == "sec/step" else None
    columns, notes = xray_columns(
        source,
        first + step * np.arange(expected, dtype=np.float64),
        values,
        unit=header.get("YUNIT", "counts"),
        counting_time_s=None if dwell is None else np.full(expected, dwell),
    )
    scan = Scan(columns, _settings(header))
    return Measurement(
        format=FORMAT.name,
        scans=(scan,),
        technique=xray_technique([scan]),
        instrument="Rigaku " + header.get("GONIO", "diffractometer").split(",")[0],
        sample=header.get("SAMPLE") or None,
        acquired_at=time_of(header.get("DATE"), "%d-%b-%y %H:%M"),
        settings={"memo": header.get("MEMO") or None, "comment": header.get("COMMENT") or None},
        notes=(*notes, "The file says nothing of attenuators: counts are taken as detected."),
    )


def _settings(header: Mapping[str, str]) -> dict[str, Setting]:
    settings: dict[str, Setting] = {
        "scan_axis": header.get("SCAN_AXIS"),
        "detector": header.get("COUNTER", "").split(",")[0] or None,
        "filter": header.get("FILTER"),
    }
    for key, name in (
        ("WAVE_LENGTH1", "k_alpha_1_angstrom"),
        ("WAVE_LENGTH2", "k_alpha_2_angstrom"),
        ("KV", "tube_kv"),
        ("MA", "tube_ma"),
    ):
        value = finite_or_none(header.get(key))
        if value is not None:
            settings[name] = value
    return settings


def _angle(source: Source, header: Mapping[str, str], key: str) -> float:
    value = finite_or_none(header.get(key))
    if value is None:
        raise damaged(source, f"*{key} = {header.get(key)!r}", "START, STOP and STEP in degrees")
    return value


FORMAT = Format(
    "rigaku-asc",
    "Rigaku legacy .asc",
    lambda head, name: head.removeprefix(b"\xef\xbb\xbf").startswith(b"*TYPE") and b"*CLASS" in head,
    read,
)
