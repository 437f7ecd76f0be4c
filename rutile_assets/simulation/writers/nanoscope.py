"""Bruker/Veeco NanoScope image files: the 5.x header with 16-bit images, and the 9.x header with 32-bit images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rutile_assets.simulation.writers.scan import Header, Image

HEADER_BYTES = 40960
NM_PER_V = 7.0  # the scanner's sensitivity that the heights are written with


@dataclass(frozen=True)
class _Version:
    code: str
    bytes_per_pixel: int
    height_label: str
    sensitivity: str
    scan_size_key: str


VERSIONS = {
    5: _Version("0x05310001", 2, "Height", "Sens. Zscan", "Scan size"),
    9: _Version("0x09300201", 4, "Height Sensor", "Sens. ZsensSens", "Scan Size"),
}


def write(images: Sequence[Image], header: Header, size_nm: float, version: int = 5) -> bytes:
    r"""Return a NanoScope file.

    A value is raw / 2^(8 bytes) * Z scale [V] * sensitivity; the scale is chosen so that the image fills the range.
    The bottom line comes first. Text of the header ends at ``\*File list end`` and is padded to `HEADER_BYTES`.

    Parameters
    ----------
    images : sequence of Image
        In nm (heights) or V; all of one shape.
    header : Header
        Its comment goes into ``\Note``.
    size_nm : float
        Width of the scan [nm].
    version : int
        5 or 9.
    """
    kind = VERSIONS[version]
    sections, blocks = [], []
    offset = HEADER_BYTES
    for image in images:
        section, block = _image(image, header, size_nm, kind, offset)
        sections.append(section)
        blocks.append(block)
        offset += len(block)
    lines = [*_preamble(images[0], header, size_nm, kind), *(line for section in sections for line in section)]
    text = "".join(f"{line}\r\n" for line in [*lines, r"\*File list end"]).encode("latin-1", errors="replace")
    return (text + b"\x1a").ljust(HEADER_BYTES, b"\0") + b"".join(blocks)


def _preamble(image: Image, header: Header, size_nm: float, kind: _Version) -> list[str]:
    rows, columns = image.values.shape
    return [
        r"\*File list",
        rf"\Version: {kind.code}",
        rf"\Date: {header.started_at:%I:%M:%S %p %a %b %d %Y}",
        r"\Start context: OL2",
        rf"\Data length: {HEADER_BYTES}",
        rf"\Text: {_plain(header.sample)}; {_plain(header.comment)}",
        r"\History: ",
        r"\*Equipment list",
        r"\Description: MultiMode 8",
        r"\Controller: V",
        r"\Microscope: MultiMode",
        r"\Scanner file: simulated.scn",
        r"\*Scanner list",
        r"\Scanner type: AFM",
        r"\Piezo size: E",
        rf"\@{kind.sensitivity}: V {NM_PER_V:.6f} nm/V",
        r"\*Ciao scan list",
        r"\Operating mode: Image",
        rf"\{kind.scan_size_key}: {size_nm:.9g} nm",
        rf"\Samps/line: {columns}",
        rf"\Lines: {rows}",
        r"\Aspect ratio: 1:1",
        r"\Scan rate: 0.976563",
        r"\Capture direction: Down",
        r"\Units: Metric",
        rf"\Sample: {_plain(header.sample)}",
        rf"\Operator: {_plain(header.operator)}",
        r"\@Sens. Amplitude: V 1.000000 ",
    ]


def _image(image: Image, header: Header, size_nm: float, kind: _Version, offset: int) -> tuple[list[str], bytes]:
    is_height = image.unit == "nm"
    volts = image.values / NM_PER_V if is_height else image.values
    levels = 2 ** (8 * kind.bytes_per_pixel)
    full_scale = 2.02 * float(np.abs(volts).max()) or 1.0
    full_scale = float(f"{full_scale:.7g}")
    raw = np.round(volts / full_scale * levels)
    block = raw[::-1].astype("<i2" if kind.bytes_per_pixel == 2 else "<i4").tobytes()
    rows, columns = image.values.shape
    label = kind.height_label if is_height else image.label
    code = label.replace(" ", "")
    scale = f"{full_scale / levels:.7g} V/LSB"
    unit = f"[{kind.sensitivity}]" if is_height else "[Sens. Amplitude]"
    lines = [
        r"\*Ciao image list",
        rf"\Data offset: {offset}",
        rf"\Data length: {len(block)}",
        rf"\Bytes/pixel: {kind.bytes_per_pixel}",
        r"\Start context: OL",
        r"\Data type: AFM",
        rf"\Note: {_plain(header.comment)}",
        r"\Plane fit: 0 0 0 0",
        r"\Frame direction: Down",
        rf"\Samps/line: {columns}",
        rf"\Number of lines: {rows}",
        r"\Aspect ratio: 1:1",
        rf"\{kind.scan_size_key}: {size_nm:.9g} {size_nm * rows / columns:.9g} nm",
        r"\Scan line: Main",
        r"\Line direction: Retrace",
        r"\Realtime planefit: None",
        r"\Offline planefit: None",
        rf"\Valid data len X: {columns}",
        rf"\Valid data len Y: {rows}",
        rf'\@2:Image Data: S [{code}] "{label}"',
        r"\@Z magnify: C [2:Z scale] 1 ",
        rf"\@2:Z scale: V {unit} ({scale}) {full_scale:.7g} V",
        rf"\@2:Z offset: V {unit} ({scale}) 0 V",
    ]
    return lines, block


def _plain(text: str) -> str:
    return " ".join(text.split())
