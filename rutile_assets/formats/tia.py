"""FEI TIA .ser: images of a series, with what the .emi beside it says of the microscope.

Layout as C. Boothroyd worked it out (http://www.er-c.org/cbb/info/TIAformat/): little-endian; a header, the dimensions
of the series, then offsets of elements and of their tags. An image begins with its calibration [m]; its rows run
upwards in the file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import exotic
from rutile_assets.formats.diffraction import instrument_header
from rutile_assets.formats.images import MAX_IMAGE_SIDE, MAX_IMAGES, image_channels, image_settings, number_of
from rutile_assets.formats.measurement import Format, HeaderFile, Measurement, Source
from rutile_assets.formats.text import damaged, truncated
from rutile_assets.formats.xml import parse, text_at

MARK = b"II\x97\x01"
SPECTRA, IMAGES = 0x4120, 0x4122
TYPES = {1: "u1", 2: "<u2", 3: "<u4", 4: "i1", 5: "<i2", 6: "<i4", 7: "<f4", 8: "<f8"}
MAX_ELEMENTS = 4_000_000
MAX_DIMENSIONS = 8
ELEMENT = struct.Struct("<ddiddihii")  # offset, step, element along x; the same along y; type, sizes x, y


def read(source: Source) -> Measurement:
    """Read each image of the series; patterns of a scan are left to the optional extra.

    Raises
    ------
    UnreadableFile
        Offsets beyond the file, spectra, images of complex numbers.
    """
    data = source.read()
    kind, total, valid, offsets_at, dimensions, wide = _header(source, data)
    if kind == SPECTRA:
        steps = " x ".join(str(n) for n in dimensions)
        raise UnreadableFile(
            f"a TIA .ser of spectra at {steps} places", "images of a detector", "Drop the .ser of the image.",
            source.name,
        )  # fmt: skip
    if len(dimensions) > 1 and min(dimensions) > 1:
        return exotic.read(source)
    if valid == 0:
        raise UnreadableFile("a TIA .ser without an image", "one or more", "Save the image again.", source.name)
    if valid > MAX_IMAGES:
        raise damaged(source, f"{valid} images", f"at most {MAX_IMAGES}")
    word = np.dtype("<i8" if wide else "<i4")
    if offsets_at < 0 or offsets_at + 2 * total * word.itemsize > len(data):
        raise truncated(source, f"{len(data)} bytes", f"the places of {total} images at {offsets_at}")
    places = np.frombuffer(data, word, 2 * total, offsets_at)
    found = [_image(source, data, int(at)) for at in places[:valid]]
    sizes = {step for _, step in found}
    (pixel,) = sizes if len(sizes) == 1 else (None,)
    header = instrument_header(source)
    said: dict[str, object] = {"pixel_nm": pixel[0]} if pixel and abs(pixel[0] / pixel[1] - 1.0) < 1e-6 else {}
    detector = str(header.get("detector") or "image")
    return Measurement(
        "tia-ser",
        channels=tuple(image_channels(source, detector, [image for image, _ in found], pixel)),
        technique="haadf" if "haadf" in detector.lower() else None,
        settings=image_settings(source, [("file", said), ("xml", _numbers_of(header))]),
        instrument=_word(header.get("microscope")),
        operator=_word(header.get("operator")),
        acquired_at=_moment(data, int(places[total])),
        notes=() if pixel else ("The pixels of the images differ, or have no length.",),
    )


def _header(source: Source, data: bytes) -> tuple[int, int, int, int, list[int], bool]:
    """Return kind of element, how many there are and are valid, where their places stand, sizes of the series."""
    try:
        version = struct.unpack_from("<H", data, 4)[0]
        wide = version >= 0x0220
        layout = struct.Struct("<iiiiqi" if wide else "<iiiiii")
        kind, _, total, valid, offsets_at, count = layout.unpack_from(data, 6)
        at = 6 + layout.size
        dimensions = []
        if not (0 <= valid <= total <= MAX_ELEMENTS and 0 <= count <= MAX_DIMENSIONS):
            raise damaged(source, f"{valid} of {total} elements in {count} dimensions", "a series")
        if version not in (0x0210, 0x0220) or kind not in (SPECTRA, IMAGES):
            raise damaged(
                source, f"version {version:#x} and elements of kind {kind:#x}", "a TIA series of 2.10 or 2.20"
            )
        for _ in range(count):
            size, _, _, _, length = struct.unpack_from("<iddii", data, at)
            at += 28 + _within(source, data, at + 28, length)
            (length,) = struct.unpack_from("<i", data, at)
            at += 4 + _within(source, data, at + 4, length)
            dimensions.append(int(size))
    except struct.error:
        raise truncated(source, f"{len(data)} bytes", "the header of a TIA series") from None
    return kind, total, valid, offsets_at, dimensions, wide


def _within(source: Source, data: bytes, at: int, length: int) -> int:
    if length < 0 or at + length > len(data):
        raise truncated(source, f"a text of {length} bytes at {at}", f"less than {len(data) - at}")
    return length


def _image(source: Source, data: bytes, at: int) -> tuple[Any, tuple[float, float]]:
    """Return an image (Y, X), its top row first, and its pixel along x and y [nm]."""
    if at < 0 or at + ELEMENT.size > len(data):
        raise truncated(source, f"an image at {at}", f"a place within {len(data)} bytes")
    _, step_x, _, _, step_y, _, kind, width, height = ELEMENT.unpack_from(data, at)
    if kind not in TYPES or not (1 <= width <= MAX_IMAGE_SIDE and 1 <= height <= MAX_IMAGE_SIDE):
        raise damaged(source, f"an image of {width} x {height} pixels of type {kind}", "grey values")
    dtype = np.dtype(TYPES[kind])
    start = at + ELEMENT.size
    if start + width * height * dtype.itemsize > len(data):
        raise truncated(source, f"an image of {width} x {height} pixels at {at}", f"one within {len(data)} bytes")
    image = np.frombuffer(data, dtype, width * height, start).reshape(height, width)
    return image[::-1], (abs(step_x) * 1e9, abs(step_y) * 1e9)


def _moment(data: bytes, at: int) -> datetime | None:
    """Return the time in the first element's tag: seconds since 1970."""
    if at < 0 or at + 8 > len(data):
        return None
    (seconds,) = struct.unpack_from("<i", data, at + 4)
    return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None


def _word(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _numbers_of(header: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in header.items() if isinstance(value, int | float)}


def read_header(content: bytes, name: str, data_name: str) -> dict[str, object] | None:
    """Return what an .emi says of a .ser: None where it is another's. ``name.emi`` has ``name_1.ser``, ``name_2.ser``.

    An .emi is TIA's own binary tree; the description of the microscope is XML within it.
    """
    if not content.startswith(b"JK\x00\x02"):
        return None
    stem = PureWindowsPath(name).stem.lower()
    if re.fullmatch(re.escape(stem) + r"_\d+", PureWindowsPath(data_name).stem.lower()) is None:
        return None
    begin = content.find(b"<ObjectInfo>")
    end = content.find(b"</ObjectInfo>", begin)
    said: dict[str, object] = {"file": PureWindowsPath(name).name}
    if begin < 0 or end < 0:
        return said
    try:
        root = parse(Source(Path(name), name), content[begin : end + len(b"</ObjectInfo>")], name)
    except UnreadableFile:
        return said
    described = {text_at(data, "Label"): text_at(data, "Value") for data in root.findall(".//Data")}
    voltage = number_of(text_at(root, "AcceleratingVoltage"))
    dwell = number_of(text_at(root, "DwellTimePath"))
    rotation = number_of(described.get("Stem Rotation") or described.get("Scan rotation"))
    said |= {
        "microscope": described.get("Microscope"),
        "operator": described.get("User"),
        "accelerating_voltage_kv": voltage / 1e3 if voltage and 1e3 <= voltage <= 3e6 else None,
        "scan_rotation_deg": rotation if rotation is not None and abs(rotation) <= 360 else None,
        "dwell_time_ms": dwell * 1e3 if dwell and 1e-9 < dwell < 1e3 else None,
        "detector": text_at(root, "DetectorName") or text_at(root, "Detector"),
    }
    return {key: value for key, value in said.items() if value is not None}


FORMAT = Format(
    "tia-ser",
    "FEI TIA .ser images, with the .emi beside them",
    lambda head, name: head.startswith(MARK),
    read,
    HeaderFile(".emi", ".ser", read_header),
)
