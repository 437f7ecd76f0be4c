"""Growth logs as text: one channel a file (PARADIM style), or a table of channels under a column of time.

One channel: ``Elapsed time [s]<tab>Value [lo,hi]``; the brackets hold the instrument's range, not a unit, and the
channel is named by the file. A table: titles such as ``Substrate.Pyrometer [C] [250,1250]``; a bracket of two numbers
is a range, any other a unit. The sidecar tells the rest: ``unit`` and ``role`` of the one channel, or ``channels``:
{name: {unit, role}}, and ``started_at``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import FloatArray, Format, Measurement, Scan, Source
from rutile_assets.formats.text import (
    LARGEST,
    MAX_ROWS,
    damaged,
    decode,
    finite_or_none,
    is_number,
    iso_time,
    lines_of,
    looks_like_text,
    text_of,
    time_of,
    truncated,
    whole_lines,
)

ONE_CHANNEL = re.compile(r"^\s*Elapsed time \[(?P<time>s|min|h)\]\tValue\b", re.IGNORECASE)
TIME_TITLE = re.compile(r"^(elapsed|time|date|clock|t$)", re.IGNORECASE)
BRACKET = re.compile(r"\s*(?:\[([^\[\]]*)\]|\(([^()]*)\))\s*$")
SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "hours": 3600.0}
STAMPS = ("%Y/%m/%d %H:%M:%S.%f", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p")
WORDS = {"open": 1.0, "on": 1.0, "true": 1.0, "closed": 0.0, "close": 0.0, "off": 0.0, "false": 0.0}
MISSING = ("", "nan", "null", "none", "-", "--", "---", "n/a")
GROWTH = re.compile(
    r"torr|bar\]|pyro|thermoc|shutter|flow|sccm|gauge|plasma|\bcell|subs|manip|chamber|baratron|source\.", re.IGNORECASE
)
OTHERS = re.compile(r"resist|field|sense|hall|theta|count|intens|photon|energy|volt|current|bridge", re.IGNORECASE)
MAX_CHANNELS = 500


@dataclass(frozen=True)
class Title:
    """What a column's title says.

    Parameters
    ----------
    name : str
        Of the channel.
    unit : str or None
        As written.
    limits : (float, float) or None
        The instrument's range, in the unit.
    """

    name: str
    unit: str | None = None
    limits: tuple[float, float] | None = None

    @classmethod
    def of(cls, text: str) -> Title:
        """Return the parts of ``name [unit] [lo,hi]``; both brackets may be left out."""
        unit, limits, name = None, None, text.strip().strip('"')
        while (found := BRACKET.search(name)) is not None:
            inside = (found.group(1) or found.group(2) or "").strip()
            ends = [finite_or_none(word) for word in re.split(r"[,;]", inside)]
            if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] < ends[1]:
                limits = (ends[0], ends[1])
            else:
                unit = inside or None
            name = name[: found.start()]
        return cls(name.strip(), unit, limits)


def read(source: Source) -> Measurement:
    """Read a log.

    Returns
    -------
    Measurement
        A scan for each channel: ``log_time_s`` from the log's first line, and ``reading`` in the unit that the scan's
        settings say (None where nobody does). What was not logged is left out.

    Raises
    ------
    UnreadableFile
        A cut last line, words among the numbers, a time that runs back, two channels of one name.
    """
    lines = [line for line in whole_lines(source, text_of(source)) if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise truncated(source, f"{len(lines)} lines", "a line of titles and rows below it")
    if len(lines) > MAX_ROWS:
        raise UnreadableFile(f"{len(lines)} rows", f"at most {MAX_ROWS}", "Split the file.", source.name)
    mark = _delimiter(lines[0])
    texts = [cell for cell in _cells(lines[0], mark)]
    titles = [Title.of(text) for text in texts]
    if ONE_CHANNEL.match(lines[0]) and len(titles) == 2:
        stem = PurePosixPath(source.name.replace("\\", "/")).name
        titles[1] = Title(
            str(source.declared.get("channel") or stem.removesuffix(".txt")), titles[1].unit, titles[1].limits
        )
    _check_titles(source, titles)
    rows = [_cells(line, mark) for line in lines[1:]]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(titles):
            raise truncated(source, f"{len(row)} columns in data row {number} of {len(rows)}", f"{len(titles)}")
    time_s, started = _times(source, titles[0], [row[0] for row in rows])
    scans = []
    for column, title in enumerate(titles[1:], start=1):
        values = np.array([_value(source, row[column], mark) for row in rows])
        seen = np.isfinite(values)
        if seen.any():
            scans.append(Scan({"log_time_s": time_s[seen], "reading": values[seen]}, _said(source, title, len(titles))))
    if not scans:
        raise damaged(source, "no readings", "a number in at least one row")
    unsaid = [str(scan.settings["channel"]) for scan in scans if scan.settings["unit"] is None]
    return Measurement(
        format=FORMAT.name,
        scans=tuple(scans),
        technique="growth_log" if ONE_CHANNEL.match(lines[0]) or GROWTH.search(lines[0]) else None,
        acquired_at=_declared_start(source) or started,
        notes=(f"No unit is said for {', '.join(unsaid)[:300]}: declare it in the sidecar.",) if unsaid else (),
    )


def _delimiter(line: str) -> str:
    return next((mark for mark in "\t;" if mark in line), ",")


def _cells(line: str, mark: str) -> list[str]:
    if mark == ",":  # a comma inside brackets parts the ends of a range
        return [cell.strip().strip('"') for cell in re.split(r",(?![^\[]*\])", line.rstrip("\r\n"))]
    return [cell.strip().strip('"') for cell in line.rstrip("\r\n").split(mark)]


def _check_titles(source: Source, titles: Sequence[Title]) -> None:
    names = [title.name for title in titles[1:]]
    if not names or len(names) > MAX_CHANNELS or not all(names) or len(set(names)) < len(names):
        raise damaged(
            source, f"the channels {', '.join(names)[:200]!r}", f"1 to {MAX_CHANNELS} channels, each of its own name"
        )


def _times(source: Source, title: Title, words: Sequence[str]) -> tuple[FloatArray, datetime | None]:
    """Return seconds from the first row (as written where they are elapsed), and when that was, if the file says."""
    started = None
    if all(is_number(word) for word in words):
        factor = SECONDS.get((title.unit or "").lower())
        if factor is None:
            raise damaged(source, f"a time in {title.unit!r}", f"one of {', '.join(u for u in SECONDS if u)}")
        time_s = np.array([float(word) for word in words]) * factor
    else:
        stamps = [_stamp(source, word) for word in words]
        started = stamps[0]
        if any((stamp.tzinfo is None) != (started.tzinfo is None) for stamp in stamps):
            raise damaged(source, "times with and without a zone", "one kind")
        time_s = np.array([(stamp - started).total_seconds() for stamp in stamps])
    if not (np.abs(time_s) < LARGEST).all() or (np.diff(time_s) < 0).any():
        raise damaged(source, "a time that runs back", "rows in the order of time")
    return time_s, started


def _stamp(source: Source, word: str) -> datetime:
    found = iso_time(word) or time_of(word, *STAMPS)
    if found is None:
        raise damaged(source, f"the time {word[:40]!r}", "seconds, or a date with a time (2025-03-03 09:30:00)")
    return found


def _value(source: Source, word: str, mark: str) -> float:
    text = word.replace(",", ".") if mark == ";" else word
    if is_number(text) and abs(float(text)) < LARGEST:
        return float(text)
    if text.lower() in MISSING:
        return float("nan")
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    raise damaged(source, f"the word {word[:40]!r} among the readings", "numbers, open/closed or nothing")


def _said(source: Source, title: Title, columns: int) -> dict[str, str | float | None]:
    declared: Mapping[str, object] = source.declared if columns == 2 else {}
    channels = source.declared.get("channels")
    if isinstance(channels, Mapping) and isinstance(channels.get(title.name), Mapping):
        declared = {**declared, **channels[title.name]}
    unit, role = declared.get("unit", title.unit), declared.get("role")
    low, high = title.limits or (None, None)
    return {
        "channel": title.name,
        "unit": str(unit) if unit is not None else None,
        "role": str(role) if role is not None else None,
        "range_low": low,
        "range_high": high,
    }


def _declared_start(source: Source) -> datetime | None:
    declared = source.declared.get("started_at")
    return declared if isinstance(declared, datetime) else iso_time(str(declared)) if declared is not None else None


def recognises(head: bytes, name: str) -> bool:
    """Tell by the titles: a time first, and channels of a growth or at least none of a diffractometer or a bridge."""
    if not looks_like_text(head):
        return False
    lines = lines_of(decode(head))
    line = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if ONE_CHANNEL.match(line):
        return True
    cells = _cells(line, _delimiter(line))
    titled = len(cells) >= 2 and TIME_TITLE.match(cells[0]) is not None and len(lines) > 1
    return titled and (GROWTH.search(line) is not None or OTHERS.search(line) is None)


FORMAT = Format("growth-log-text", "Growth logs as text: one channel a file, or a table under a time", recognises, read)
