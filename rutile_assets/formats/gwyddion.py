"""Gwyddion's .gwy container, read with every length checked before it is followed.

The package gwyfile follows lengths unchecked (a cut file reads short arrays, a hostile one loops for hours), so the
container is walked here; the tests compare with gwyfile. Rows run from the top of the image downwards. The layout
stands in Gwyddion's user guide, http://gwyddion.net/documentation/user-guide-en/gwyfile-format.html.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.channels import base_unit, map_channel, probe_technique
from rutile_assets.formats.measurement import Channel, Format, Measurement, Setting, Source
from rutile_assets.formats.text import damaged, truncated

MAX_DEPTH = 32
ATOMS = {"b": ("<?", 1), "c": ("<c", 1), "i": ("<i", 4), "q": ("<q", 8), "d": ("<d", 8)}
ARRAYS = {"C": ("u1", 1), "I": ("<i4", 4), "Q": ("<i8", 8), "D": ("<f8", 8)}


class _Broken(Exception):
    """A length or a mark that does not fit the bytes."""


@dataclass
class _Reader:
    """A cursor over bytes that never leaves them."""

    data: bytes
    at: int = 0

    def take(self, count: int, end: int) -> bytes:
        if count < 0 or self.at + count > end:
            raise _Broken(f"{count} bytes at {self.at}, beyond {end}")
        self.at += count
        return self.data[self.at - count : self.at]

    def word(self, end: int) -> str:
        stop = self.data.find(b"\0", self.at, end)
        if stop < 0:
            raise _Broken(f"a text at {self.at} without its end")
        word = self.data[self.at : stop]
        self.at = stop + 1
        return word.decode("utf-8", errors="replace")

    def number(self, layout: str, size: int, end: int) -> Any:
        return struct.unpack(layout, self.take(size, end))[0]


def read(source: Source) -> Measurement:
    """Read every channel; units are the container's own, converted where they carry a prefix.

    Raises
    ------
    UnreadableFile
        Lengths that do not fit the file, a container without channels, a lateral unit that is no length.
    """
    data = source.read()
    try:
        reader = _Reader(data, 4)
        name, content = _object(reader, len(data), 0)
        if reader.at != len(data):
            raise _Broken(f"{len(data) - reader.at} bytes after the container")
    except _Broken as fault:
        raise truncated(source, f"a .gwy with {fault}", "a whole container") from None
    if name != "GwyContainer":
        raise damaged(source, f"a {name[:40]!r} instead of a container", "GwyContainer")
    found = {key: match.group(1) for key in content if (match := re.fullmatch(r"/(\d+)/data", key))}
    fields = {key: number for key, number in found.items() if isinstance(content[key], dict)}
    if not fields:
        raise UnreadableFile("a .gwy without a map", "at least one channel", "Save the image again.", source.name)
    ordered = sorted(fields, key=lambda key: int(fields[key]))
    channels = [_channel(source, content, key, fields[key]) for key in ordered]
    settings: dict[str, Setting] = {"original_file": _text(content.get("/filename"))}
    return Measurement(
        format=FORMAT.name,
        channels=tuple(channels),
        technique=probe_technique(channels),
        instrument=None,
        settings=settings,
        notes=("Saved by Gwyddion: what was done to the maps before is not known from here.",),
    )


def _channel(source: Source, content: dict[str, Any], key: str, number: str) -> Channel:
    field = content[key]
    columns, rows, values = field.get("xres"), field.get("yres"), field.get("data")
    title = _text(content.get(f"{key}/title")) or _text(content.get(f"/{number}/data/title")) or f"channel {number}"
    good = isinstance(columns, int) and isinstance(rows, int) and isinstance(values, np.ndarray)
    if not good or columns <= 0 or rows <= 0 or values.dtype.kind != "f" or values.size != columns * rows:
        raise damaged(source, f"the channel {title!r} without its {columns} x {rows} pixels", "a whole map")
    lateral = base_unit(_unit(field.get("si_unit_xy")))
    if lateral is None or lateral[0] != "m":
        raise damaged(source, f"a lateral unit {_unit(field.get('si_unit_xy'))!r} of {title!r}", "a length")
    sizes = [float(field.get(axis, 0.0)) * lateral[1] * 1e9 for axis in ("xreal", "yreal")]
    unit = _unit(field.get("si_unit_z"))
    return map_channel(source, title, title, values.reshape(rows, columns), unit, (sizes[0] / columns, sizes[1] / rows))


def _unit(value: Any) -> str | None:
    return (_text(value.get("unitstr")) or None) if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(reader: _Reader, end: int, depth: int) -> tuple[str, dict[str, Any]]:
    if depth > MAX_DEPTH:
        raise _Broken(f"objects nested beyond {MAX_DEPTH}")
    name = reader.word(end)
    size = reader.number("<I", 4, end)
    stop = reader.at + size
    if stop > end:
        raise _Broken(f"an object of {size} bytes at {reader.at}, beyond {end}")
    content: dict[str, Any] = {}
    while reader.at < stop:
        key = reader.word(stop)
        content[key] = _value(reader, reader.take(1, stop).decode("latin-1"), stop, depth)
    return name, content


def _value(reader: _Reader, code: str, end: int, depth: int) -> Any:
    if code in ATOMS:
        return reader.number(*ATOMS[code], end)
    if code == "s":
        return reader.word(end)
    if code == "o":
        return _object(reader, end, depth + 1)[1]
    if code not in "CIQDSO":
        raise _Broken(f"a component of the unknown type {code!r}")
    count = reader.number("<I", 4, end)
    if code in ARRAYS:
        layout, size = ARRAYS[code]
        return np.frombuffer(reader.take(count * size, end), layout)
    if count > end - reader.at:
        raise _Broken(f"a list of {count} at {reader.at}, beyond {end}")
    if code == "S":
        return [reader.word(end) for _ in range(count)]
    return [_object(reader, end, depth + 1)[1] for _ in range(count)]


FORMAT = Format("gwyddion", "Gwyddion .gwy", lambda head, name: head.startswith(b"GWYP"), read)
