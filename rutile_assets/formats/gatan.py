"""Gatan DigitalMicrograph .dm3 and .dm4: a tree of tags, read with every length checked before it is followed.

Layout (no public specification by the vendor; G. Jefferis, P. Mitchell and C. Boothroyd worked it out, see
http://www.er-c.org/cbb/info/dmformat/): a big-endian skeleton around values in the byte order that the header names;
.dm4 has lengths of 64 bits where .dm3 has 32. The last image of the list is the data, the first a thumbnail.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import exotic
from rutile_assets.formats.images import MAX_IMAGE_SIDE, image_channels, image_settings, length_nm, number_of
from rutile_assets.formats.measurement import Format, Measurement, Source
from rutile_assets.formats.text import damaged, time_of, truncated

MAX_DEPTH = 32
MAX_TAGS = 500_000
MAX_FIELDS = 1000
GROUP, DATA = 20, 21
STRUCT, STRING, ARRAY = 15, 18, 20
# code of a simple type -> numpy's
SIMPLE = {2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1", 11: "i8", 12: "u8"}
IMAGES = {1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8", 39: "i8", 40: "u8"}
SHORT = 4096  # a longer array is an image and stays where it is
FILETIME_ZERO = datetime(1601, 1, 1, tzinfo=UTC)


class _Broken(Exception):
    """A length or a mark that does not fit the bytes."""


@dataclass(frozen=True)
class _Block:
    """An array: where its numbers lie, and what they spell if they are 16 bits and few."""

    dtype: str
    start: int
    count: int
    text: str = ""


@dataclass
class _Reader:
    """A cursor over the file's bytes that never leaves them."""

    data: bytes
    wide: bool
    order: str
    at: int
    tags: int = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise _Broken(f"{count} bytes at {self.at}, beyond the end at {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def big(self, layout: str) -> int:
        layout = f">{layout}"
        return int(struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def length(self) -> int:
        return self.big("q" if self.wide else "i")


def read(source: Source) -> Measurement:
    """Read the image, or each image of a series; four-dimensional data are left to the optional extra.

    Raises
    ------
    UnreadableFile
        Lengths that do not fit the file, no image, an image of colours or of complex numbers.
    """
    data = source.read()
    try:
        tree = _tree(data)
    except _Broken as fault:
        raise truncated(source, f"a DigitalMicrograph file with {fault}", "a whole tree of tags") from None
    image, shape, block = _image(source, tree)
    if len(shape) == 4 and min(shape[2:]) > 1:
        return exotic.read(source)
    if len(shape) not in (2, 3):
        raise UnreadableFile(
            f"data of {len(shape)} dimensions", "an image or a series of images",
            "Drop the image (a spectrum belongs to no room).", source.name,
        )  # fmt: skip
    end = block.start + block.count * np.dtype(block.dtype).itemsize
    frames = np.frombuffer(data[:end], block.dtype, block.count, block.start).reshape(-1, shape[1], shape[0])
    tags = _dict(image.get("ImageTags"))
    dimensions = _list(_at(image, "ImageData", "Calibrations", "Dimension"))
    sizes = [_step(d) for d in dimensions[:2]] if len(dimensions) >= 2 else [None, None]
    pixel = (sizes[0], sizes[1]) if sizes[0] is not None and sizes[1] is not None else None
    said, notes = _said(tags), []
    if pixel is None:
        notes.append("The file gives no length to its pixels: pixel_nm in the sidecar does.")
    elif abs(pixel[0] / pixel[1] - 1.0) < 1e-6:
        said["pixel_nm"] = pixel[0]
    label = _text(_at(tags, "DataBar", "Signal Name")) or _text(image.get("Name")) or "image"
    return Measurement(
        "gatan-dm",
        channels=tuple(image_channels(source, label, list(frames), pixel)),
        technique="haadf" if "haadf" in label.lower() else None,
        settings=image_settings(source, [("file", said)]),
        instrument=_text(_at(tags, "Session Info", "Microscope")) or _text(_at(tags, "Microscope Info", "Name")),
        sample=_text(_at(tags, "Session Info", "Specimen")),
        operator=_text(_at(tags, "Session Info", "Operator")),
        acquired_at=_moment(_dict(tags.get("DataBar"))),
        notes=tuple(notes),
    )


def _tree(data: bytes) -> dict[str, Any]:
    if len(data) < 16:
        raise _Broken("no header")
    version = int.from_bytes(data[:4], "big")
    wide = version == 4
    start = 16 if wide else 12
    little = int.from_bytes(data[start - 4 : start], "big")
    if version not in (3, 4) or little not in (0, 1):
        raise _Broken("no header of version 3 or 4")
    size = int.from_bytes(data[4 : start - 4], "big", signed=True)
    # the length in the header is that of the tree, give or take the marks at its end
    if not 0 < size <= len(data):
        raise _Broken(f"a tree of {size} bytes, beyond the end at {len(data)}")
    return _group(_Reader(data, wide, "<" if little else ">", start), 0)


def _group(reader: _Reader, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise _Broken(f"tags nested beyond {MAX_DEPTH}")
    reader.take(2)  # sorted, open
    found: dict[str, Any] = {}
    for number in range(_count(reader)):
        kind = reader.take(1)[0]
        name = reader.take(reader.big("H")).decode("latin-1") or str(number)
        if reader.wide:
            reader.length()
        if kind == GROUP:
            found[name] = _group(reader, depth + 1)
        elif kind == DATA:
            found[name] = _value(reader)
        else:
            raise _Broken(f"a tag of the unknown kind {kind} at {reader.at}")
    return found


def _count(reader: _Reader) -> int:
    count = reader.length()
    reader.tags += max(count, 0)
    if count < 0 or reader.tags > MAX_TAGS or count > len(reader.data) - reader.at:
        raise _Broken(f"a group of {count} tags at {reader.at}")
    return count


def _value(reader: _Reader) -> Any:
    if reader.take(4) != b"%%%%":
        raise _Broken(f"a value without its mark at {reader.at}")
    words = reader.length()
    if not 1 <= words <= 2 * MAX_FIELDS:
        raise _Broken(f"a type of {words} words at {reader.at}")
    types = [reader.length() for _ in range(words)]
    code = types[0]
    if code in SIMPLE and words == 1:
        return _numbers(reader, SIMPLE[code], 1)[0].item()
    if code == STRING and words == 2:
        return reader.take(types[1]).decode("latin-1")
    if code == STRUCT:
        layout = _struct(types[1:])
        return tuple(_numbers(reader, layout, 1)[0].item())
    if code == ARRAY and words >= 3:
        layout = SIMPLE.get(types[1]) if words == 3 else _struct(types[2:-1])
        if layout is None or (words > 3 and types[1] != STRUCT):
            raise _Broken(f"an array of the unknown type {types[1]}")
        return _array(reader, layout, types[-1])
    raise _Broken(f"a value of the unknown type {code}")


def _struct(words: list[int]) -> Any:
    fields = words[1] if len(words) >= 2 else -1
    unnamed = not any(words[2 : 2 + 2 * max(fields, 0) : 2])
    if not 1 <= fields <= MAX_FIELDS or len(words) < 2 + 2 * fields or not unnamed:
        raise _Broken(f"a structure of {fields} fields")
    kinds = words[3 : 3 + 2 * fields : 2]
    if any(kind not in SIMPLE for kind in kinds):
        raise _Broken("a structure of unknown types")
    return [(f"f{i}", SIMPLE[kind]) for i, kind in enumerate(kinds)]


def _numbers(reader: _Reader, layout: Any, count: int) -> Any:
    dtype = np.dtype(layout).newbyteorder(reader.order)
    return np.frombuffer(reader.take(count * dtype.itemsize), dtype)


def _array(reader: _Reader, layout: Any, count: int) -> Any:
    dtype = np.dtype(layout).newbyteorder(reader.order)
    if count < 0 or count * dtype.itemsize > len(reader.data) - reader.at:
        raise _Broken(f"an array of {count} at {reader.at}, beyond the end at {len(reader.data)}")
    if count > SHORT or dtype.names is not None:
        block = _Block(dtype.str, reader.at, count)
        reader.take(count * dtype.itemsize)
        return block
    start = reader.at
    content = reader.take(count * dtype.itemsize)
    code = "utf-16-le" if reader.order == "<" else "utf-16-be"
    return _Block(dtype.str, start, count, content.decode(code, "replace") if dtype.str[1:] == "u2" else "")


def _image(source: Source, tree: Mapping[str, Any]) -> tuple[dict[str, Any], list[int], _Block]:
    """Return the last image with its sides (x first) and where its pixels lie."""
    images = [i for i in _list(tree.get("ImageList")) if isinstance(_at(i, "ImageData", "Data"), _Block)]
    if not images:
        raise UnreadableFile("a DigitalMicrograph file without an image", "one", "Save the image again.", source.name)
    image = images[-1]
    block, kind = _at(image, "ImageData", "Data"), _at(image, "ImageData", "DataType")
    shape = [n for n in _dict(_at(image, "ImageData", "Dimensions")).values() if isinstance(n, int)]
    if kind not in IMAGES or np.dtype(block.dtype).kind == "V":
        raise UnreadableFile(
            f"an image of DigitalMicrograph's type {kind}", "grey values", "Export the detector's image.", source.name
        )
    if not shape or min(shape) < 1 or max(shape) > MAX_IMAGE_SIDE or int(np.prod(shape, dtype=object)) != block.count:
        raise damaged(source, f"{block.count} pixels for an image of {shape}", "as many as its sides say")
    typed = np.dtype(IMAGES[kind]).newbyteorder(block.dtype[0])
    if typed.itemsize != np.dtype(block.dtype).itemsize:
        raise damaged(source, f"pixels of {block.dtype} where the image says {typed.str}", "one type")
    return image, shape, _Block(typed.str, block.start, block.count)


def _said(tags: Mapping[str, Any]) -> dict[str, object]:
    microscope, scan = _dict(tags.get("Microscope Info")), _dict(tags.get("DigiScan"))
    voltage, sample_time = _number(microscope.get("Voltage")), _number(scan.get("Sample Time"))
    rotation = _number(scan.get("Rotation"))
    return {
        "accelerating_voltage_kv": voltage / 1e3 if voltage and 1e3 <= voltage <= 3e6 else None,
        "dwell_time_ms": sample_time / 1e3 if sample_time and 0 < sample_time < 1e9 else None,
        "scan_rotation_deg": rotation if rotation is not None and abs(rotation) <= 360 else None,
    }


def _step(dimension: object) -> float | None:
    found = _dict(dimension)
    units = _text(found.get("Units"))
    return length_nm(_text(found.get("Scale")) or found.get("Scale"), units)


def _moment(bar: Mapping[str, Any]) -> datetime | None:
    """Return the start of the acquisition: Windows' count of 100 ns, else date and time where their order is sure."""
    count = _number(bar.get("Acquisition Time (OS)"))
    if count is not None and 1.2e17 < count < 1.6e17:
        return FILETIME_ZERO + timedelta(microseconds=int(count // 10))
    text = f"{_text(bar.get('Acquisition Date')) or ''} {_text(bar.get('Acquisition Time')) or ''}"
    return time_of(text, "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")


def _text(value: object) -> str | None:
    text = value.text if isinstance(value, _Block) else value if isinstance(value, str) else ""
    return text.strip("\0 ")[:200] or None


def _number(value: object) -> float | None:
    """Return a number, also where it is a text of a locale with decimal commas."""
    return number_of(_text(value) or value)


def _at(tree: object, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return list(_dict(value).values())


def _recognises(head: bytes, name: str) -> bool:
    version, wide = int.from_bytes(head[:4], "big"), head[3:4] == b"\x04"
    start = 16 if wide else 12
    order = int.from_bytes(head[start - 4 : start], "big")
    sure = head[:3] == b"\0\0\0" and version in (3, 4) and len(head) > start + 2 and order in (0, 1)
    return sure and head[start] in (0, 1) and head[start + 1] in (0, 1)


FORMAT = Format("gatan-dm", "Gatan DigitalMicrograph .dm3 and .dm4 images", _recognises, read)
