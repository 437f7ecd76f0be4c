r"""Bruker/Veeco NanoScope images: a text header of lists, then 16- or 32-bit integers at the offsets it names.

A pixel's value is raw x (Z scale / 2**(8 x Bytes/pixel)) x sensitivity, where the line ``\@2:Z scale: V [Sens. Zscan]
(0.0065 V/LSB) 41.6 V`` gives the scale [V] and names the sensitivity, ``\@Sens. Zscan: V 7.0 nm/V``. Since version
9.2 pixels may take four bytes each while Bytes/pixel still says 2: the scale goes by what is said, the length by what
is there. The first stored row is the bottom of the image whatever the frame direction (as Gwyddion reads it); rows
are turned so that row 0 is the top.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.channels import MAX_PIXELS, base_unit, map_channel, probe_technique
from rutile_assets.formats.measurement import Channel, FloatArray, Format, Measurement, Setting, Source
from rutile_assets.formats.text import LARGEST, damaged, finite_or_none, lines_of, positive_number, time_of, truncated

MAX_HEADER_BYTES = 4 * 1024**2
END = b"\\*File list end"
DTYPES = {2: "<i2", 4: "<i4"}
DATES = ("%I:%M:%S %p %a %b %d %Y", "%H:%M:%S %a %b %d %Y")
NUMBER = r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)"
SCALE = re.compile(rf"V\s*(?:\[([^\]]*)\])?\s*\([^)]*\)\s*{NUMBER}\s*(\S*)")
SENSITIVITY = re.compile(rf"V\s+{NUMBER}\s*(\S*)")
NOT_SQUARE = (
    "Pixels are not square ({x:.4g} x {y:.4g} nm); if the capture was stopped early, write scan_size_y_nm in the"
    " sidecar."
)


@dataclass(frozen=True)
class _List:
    r"""One ``\*... list`` of the header: its name and its lines, keys in lower case."""

    name: str
    lines: dict[str, str] = field(default_factory=dict)


def read(source: Source) -> Measurement:
    """Read every image of the file.

    Raises
    ------
    UnreadableFile
        A cut or damaged header, data beyond the end of the file, force curves, a sensitivity that is missing or
        stands twice with different values.
    """
    data = source.read()
    lists = _header(source, data)
    images = [one for one in lists if one.name == "ciao image list"]
    if not images:
        raise UnreadableFile(
            "a NanoScope file without images (force curves?)", "an image", "Drop the image file.", source.name
        )
    notes: list[str] = []
    channels = [_channel(source, data, image, lists, notes) for image in images]
    labels = [channel.label for channel in channels]
    if len(set(labels)) != len(labels):
        channels = [_relabelled(channel, image) for channel, image in zip(channels, images, strict=True)]
    general = {
        key: value for one in reversed(lists) if one.name != "ciao image list" for key, value in one.lines.items()
    }
    return Measurement(
        format=FORMAT.name,
        channels=tuple(channels),
        technique=probe_technique(channels),
        instrument="NanoScope " + (general.get("description") or general.get("microscope") or ""),
        operator=general.get("operator") or None,
        sample=images[0].lines.get("note") or None,
        acquired_at=time_of(lists[0].lines.get("date"), *DATES),
        settings=_settings(lists[0].lines, images[0].lines, general),
        notes=tuple(notes),
    )


def _header(source: Source, data: bytes) -> list[_List]:
    end = data.find(END, 0, MAX_HEADER_BYTES)
    if end < 0:
        raise truncated(source, "a header without its end mark", "\\*File list end")
    lists: list[_List] = []
    for line in lines_of(data[:end].decode("latin-1")):
        if line.startswith("\\*"):
            lists.append(_List(line[2:].strip().lower()))
        elif line.startswith("\\") and ":" in line and lists:
            # "\@2:Z scale: V ..." has a colon of its own behind the number
            found = re.match(r"\\(@\d+:[^:]*|[^:]*):\s*(.*)$", line)
            if found:
                lists[-1].lines.setdefault(found.group(1).strip().lower(), found.group(2).strip())
    if not lists:
        raise damaged(source, "an empty header", "NanoScope lists")
    return lists


def _channel(source: Source, data: bytes, image: _List, lists: Sequence[_List], notes: list[str]) -> Channel:
    raw, declared_bytes = _raw(source, data, image)
    name = _quoted(next((value for key, value in image.lines.items() if re.match(r"@\d+:image data", key)), None))
    if not name:
        raise damaged(source, "an image without a name", "@2:Image Data")
    scale, unit = _scale(source, image, name, lists)
    sizes = _pixel_sizes(source, image, raw.shape)
    if not (min(sizes) > 0 and 0 < abs(scale) < LARGEST):
        raise damaged(source, f"a scale of {scale:g} and pixels of {sizes} nm", "positive ones")
    if abs(sizes[0] / sizes[1] - 1.0) > 0.01:
        note = NOT_SQUARE.format(x=sizes[0], y=sizes[1])
        notes += [note] if note not in notes else []
    values = np.flipud(raw.astype(np.float64)) * (scale / 256.0**declared_bytes)
    return map_channel(source, name, name, values, unit, sizes)


def _raw(source: Source, data: bytes, image: _List) -> tuple[FloatArray, int]:
    """Return the integers (Y, X), bottom row first, and the bytes a pixel that the scale goes by."""
    columns, rows, length, offset, declared = (
        _count(source, image, key)
        for key in ("samps/line", "number of lines", "data length", "data offset", "bytes/pixel")
    )
    if rows * columns > MAX_PIXELS:
        raise damaged(source, f"an image of {columns} x {rows} pixels", f"at most {MAX_PIXELS}")
    stored = length // (rows * columns)
    if stored not in DTYPES or declared not in DTYPES or declared > stored or stored * rows * columns != length:
        raise damaged(source, f"{length} bytes for {columns} x {rows} pixels of {declared}", "two or four bytes each")
    if offset + length > len(data):
        raise truncated(source, f"{len(data)} bytes", f"an image up to byte {offset + length}")
    raw = np.frombuffer(data, DTYPES[stored], rows * columns, offset).reshape(rows, columns)
    if declared < stored and np.abs(raw.astype(np.int64)).max() > 2 ** (8 * declared - 1):
        raise damaged(source, f"numbers beyond {declared} bytes a pixel, which the header claims", "one of the two")
    return raw, declared


def _count(source: Source, image: _List, key: str) -> int:
    value = positive_number(source, image.lines.get(key), key)
    if value != int(value) or value > 2**40:
        raise damaged(source, f"{key} {value!r}", "a whole number")
    return int(value)


def _scale(source: Source, image: _List, name: str, lists: Sequence[_List]) -> tuple[float, str | None]:
    """Return the full range of the integers in physical units, and the unit."""
    line = next((value for key, value in image.lines.items() if re.fullmatch(r"@\d+:z scale", key)), "")
    found = SCALE.match(line)
    if found is None or finite_or_none(found.group(2)) is None:
        raise damaged(source, f"the Z scale {line[:60]!r} of {name}", "V [Sens. ...] (... V/LSB) number V")
    hard, hard_unit = float(found.group(2)), found.group(3) or None
    if not found.group(1):
        return hard, hard_unit
    key = found.group(1)
    soft, soft_unit = _sensitivity(source, key, lists)
    if not soft_unit:
        return hard * soft, hard_unit
    numerator, _, denominator = soft_unit.partition("/")
    above, below = base_unit(denominator or hard_unit), base_unit(hard_unit)
    if above is None or below is None or above[0] != below[0]:
        raise damaged(source, f"{key} in {soft_unit!r} for a scale in {hard_unit!r}", "units that fit")
    return hard * soft * below[1] / above[1], numerator


def _sensitivity(source: Source, key: str, lists: Sequence[_List]) -> tuple[float, str]:
    declared = source.declared.get("sensitivities")
    given = declared.get(key) if isinstance(declared, Mapping) else None
    lines = [f"V {given}"] if given is not None else []
    if not lines:
        lines = [one.lines[f"@{key.lower()}"] for one in lists if f"@{key.lower()}" in one.lines]
    found = {
        (float(m.group(1)), m.group(2))
        for line in lines
        if (m := SENSITIVITY.match(line)) and finite_or_none(m.group(1))
    }
    if len(found) != 1:
        raise UnreadableFile(
            f"{len(found)} values of {key} ({'; '.join(lines)})",
            "one",
            f"Write `sensitivities: {{'{key}': '1.0 nm/V'}}` with the right value into the file's sidecar.",
            source.name,
        )
    return found.pop()


def _pixel_sizes(source: Source, image: _List, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the pixel size along x and y [nm]: scan size over number of pixels."""
    text = image.lines.get("scan size", "")
    found = re.match(rf"{NUMBER}\s+(?:{NUMBER}\s+)?(\S*m)$", text)
    unit = base_unit(found.group(3)) if found else None
    if (
        found is None
        or unit is None
        or unit[0] != "m"
        or any(g and finite_or_none(g) is None for g in found.groups()[:2])
    ):
        raise damaged(source, f"the scan size {text[:40]!r}", "two lengths with their unit")
    x, y = float(found.group(1)), float(found.group(2) or found.group(1))
    ratio = re.fullmatch(rf"{NUMBER}:{NUMBER}", image.lines.get("aspect ratio", "1:1"))
    if ratio and x == y and finite_or_none(ratio.group(1)) and finite_or_none(ratio.group(2)):
        y *= abs(float(ratio.group(2)) / float(ratio.group(1)))
    to_nm = unit[1] * 1e9
    declared = source.declared.get("scan_size_y_nm")
    height = float(declared) if isinstance(declared, int | float) else y * to_nm
    return x * to_nm / shape[1], height / shape[0]


def _quoted(text: str | None) -> str | None:
    found = re.search(r'"([^"]+)"', text or "")
    return found.group(1) if found else None


def _relabelled(channel: Channel, image: _List) -> Channel:
    direction = " ".join(image.lines.get(key, "") for key in ("scan line", "line direction"))
    return Channel(
        f"{channel.label} [{direction.strip()}]",
        channel.quantity,
        channel.values,
        channel.unit,
        channel.pixel_size_x_nm,
        channel.pixel_size_y_nm,
    )


def _settings(file: Mapping[str, str], image: Mapping[str, str], general: Mapping[str, str]) -> dict[str, Setting]:
    settings: dict[str, Setting] = {
        "version": file.get("version"),
        "scan_size": image.get("scan size"),
        "frame_direction": image.get("frame direction"),
        "line_direction": image.get("line direction"),
        "realtime_planefit": image.get("realtime planefit"),
        "offline_planefit": image.get("offline planefit"),
        "operating_mode": _quoted(general.get("@microscopelist")) or general.get("operating mode"),
    }
    for key, name in (("scan rate", "scan_rate_hz"), ("rotate ang.", "scan_angle_deg")):
        value = finite_or_none(general.get(key))
        if value is not None:
            settings[name] = value
    return settings


FORMAT = Format(
    "nanoscope",
    "Bruker/Veeco NanoScope image (.spm, .001 ...), versions 5 to 9",
    lambda head, name: head.startswith((b"\\*File list", b"?\\*File list")),
    read,
)
