"""Bruker/Veeco NanoScope image files, versions 5 to 9: a text header, then int16 or int32 images."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np

from rutile_assets.errors import UnreadableFile, WrongContent
from rutile_assets.formats.measurement import Channel, Format, Measurement, Setting, Source
from rutile_assets.formats.text import truncated

MAX_PIXELS = 16384
_TO_NM = {"nm": 1.0, "~m": 1e3, "um": 1e3, "µm": 1e3, "pm": 1e-3}
_TO_V = {"V": 1.0, "mV": 1e-3}
_QUANTITY = {
    "height": "height",
    "height sensor": "height",
    "zsensor": "height",
    "potential": "potential",
    "phase": "phase",
}


def read(source: Source) -> Measurement:
    """Read every image.

    Value = raw / 2**(8 bytes) * Z scale [V] * sensitivity (the file's hard scale; see the NanoScope manual on
    "@2:Z scale"). NanoScope stores the bottom line of the image first; here row 0 is the top.
    """
    data = source.read()
    end = data.find(b"\\*File list end")
    if end < 0:
        raise truncated(source, "a header without its end", "\\*File list end")
    header = data[:end].decode("latin-1")
    sections = _sections(header)
    everything: dict[str, str] = {}
    for name, entries in sections:
        if "image list" not in name.lower():
            everything |= entries
    images = [entries for name, entries in sections if name.lower() in ("ciao image list", "image list")]
    if not images:
        if any("force" in name.lower() for name, _ in sections):
            raise UnreadableFile("a force curve file", "images", "Export the image channels.", source.name)
        raise truncated(source, "no image list", "at least one image")
    channels = tuple(_channel(source, data, entries, everything) for entries in images)
    quantities = {c.quantity for c in channels}
    technique = "kpfm" if "potential_v" in quantities else "afm" if "height_nm" in quantities else None
    settings: dict[str, Setting] = {
        "version": everything.get("Version"),
        "scanner": everything.get("Scanner file"),
        "sens_zscan": everything.get("@Sens. Zscan") or everything.get("@Sens. ZsensSens"),
        "frame_direction": images[0].get("Frame direction"),
        "operating_mode": everything.get("Operating mode"),
    }
    return Measurement(
        format=FORMAT.name,
        channels=channels,
        technique=technique,
        settings=settings,
        instrument=f"NanoScope {everything.get('Microscope', '')}".strip(),
        acquired_at=_time(everything.get("Date", "")),
        notes=("Heights are raw / 2^(8 bytes) x Z scale x sensitivity; row 0 is the top of the image.",),
    )


def _sections(header: str) -> list[tuple[str, dict[str, str]]]:
    sections: list[tuple[str, dict[str, str]]] = []
    for raw in header.splitlines():
        line = raw.strip()
        if line.startswith("\\*"):
            sections.append((line[2:], {}))
        elif line.startswith("\\") and sections:
            # "\@2:Z scale: V [..." keeps its group number in the key
            match = re.match(r"\\(@?(?:\d+:)?[^:]*):\s*(.*)", line)
            if match:
                sections[-1][1].setdefault(match.group(1), match.group(2))
    return sections


def _channel(source: Source, data: bytes, entries: dict[str, str], everything: dict[str, str]) -> Channel:
    offset, length, width, height = (
        _count(source, entries, key) for key in ("Data offset", "Data length", "Samps/line", "Number of lines")
    )
    size = int(entries.get("Bytes/pixel", "2")) if entries.get("Bytes/pixel", "2") in ("2", "4") else 0
    # since NanoScope 9.2 an image of "Bytes/pixel 2" may still be written with four bytes; its length tells
    if length == 4 * width * height:
        size = 4
    if not size or length != size * width * height or max(width, height) > MAX_PIXELS:
        raise truncated(source, f"{length} bytes for {width} x {height} pixels", "2 or 4 bytes a pixel")
    if offset + length > len(data):
        raise truncated(source, f"{len(data)} bytes", f"{offset + length} that the header promises")
    raw = np.frombuffer(data, dtype="<i2" if size == 2 else "<i4", count=width * height, offset=offset)
    label = re.search(r'"([^"]*)"', entries.get("@2:Image Data", entries.get("@3:Image Data", "")))
    name = label.group(1) if label else "unnamed"
    scale, unit = _scale(source, entries, everything)
    kind = _QUANTITY.get(name.lower(), name.lower().replace(" ", "_"))
    quantity, factor = _quantity(kind, unit)
    image = raw.reshape(height, width)[::-1].astype(np.float64) * (scale * factor / 2.0 ** (8 * size))
    across, down = _scan_size_nm(source, entries)
    direction = entries.get("Line direction") or entries.get("Line Direction")
    return Channel(f"{name} {direction}" if direction else name, quantity, image, unit, across / width, down / height)


def _scale(source: Source, entries: dict[str, str], everything: dict[str, str]) -> tuple[float, str | None]:
    """Return (full scale, its unit): the hard value times the sensitivity that the Z scale names."""
    text = entries.get("@2:Z scale", "")
    match = re.match(r"V \[([^\]]*)\] \(([-+\d.eE]+) ([^)]*?)/LSB\)\s*([-+\d.eE]+)\s*(\S*)", text)
    plain = re.match(r"V \(([-+\d.eE]+) ([^)]*?)/LSB\)\s*([-+\d.eE]+)\s*(\S*)", text)
    if match:
        sensitivity = everything.get(f"@{match.group(1)}", entries.get(f"@{match.group(1)}", ""))
        found = re.match(r"V ([-+\d.eE]+)\s*(\S*)", sensitivity)
        if not found:
            raise UnreadableFile(
                f"Z scale in [{match.group(1)}] without its value",
                f"@{match.group(1)} in the header",
                "Copy it again.",
                source.name,
            )
        unit = found.group(2).split("/")[0] or match.group(5) or None
        return float(match.group(4)) * float(found.group(1)), unit
    if plain:
        return float(plain.group(3)), plain.group(4) or None
    raise truncated(source, f"Z scale {text!r}", "a scale in V/LSB")


def _quantity(kind: str, unit: str | None) -> tuple[str, float]:
    """Return our name and the factor from the file's unit to ours; a kind without a known unit keeps its label."""
    if unit in _TO_NM and kind not in ("phase",):
        return f"{kind}_nm", _TO_NM[unit]
    if unit in _TO_V and kind != "height":
        return f"{kind}_v", _TO_V[unit]
    if unit in ("deg", "º", "°"):
        return f"{kind}_deg", 1.0
    return kind, 1.0


def _scan_size_nm(source: Source, entries: dict[str, str]) -> tuple[float, float]:
    text = entries.get("Scan Size", entries.get("Scan size", ""))
    match = re.match(r"([\d.eE+-]+)\s+(?:([\d.eE+-]+)\s+)?(\S+)", text)
    if not match or match.group(3) not in _TO_NM:
        raise WrongContent(f"scan size {text!r}", "two lengths in nm or um", "Calibrate the image.", source.name)
    across = float(match.group(1)) * _TO_NM[match.group(3)]
    down = float(match.group(2)) * _TO_NM[match.group(3)] if match.group(2) else across
    if not (across > 0 and down > 0):
        raise WrongContent(f"scan size {text!r}", "positive lengths", "Calibrate the image.", source.name)
    return across, down


def _count(source: Source, entries: dict[str, str], key: str) -> int:
    text = entries.get(key, "")
    if not re.fullmatch(r"\d{1,12}", text) or int(text) == 0:
        raise truncated(source, f"{key} {text!r}", "a whole number")
    return int(text)


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%I:%M:%S %p %a %b %d %Y")
    except ValueError:
        return None


FORMAT = Format(
    "nanoscope",
    "Bruker/Veeco NanoScope 5 to 9 (.spm, .000 ...)",
    lambda head, name: head.startswith((b"\\*File list", b"?*File list")),
    read,
)
