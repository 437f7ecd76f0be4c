"""Quantum Detectors Merlin .mib (Medipix3): a text header before each frame, big-endian counts, .hdr beside it."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import PureWindowsPath

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.diffraction import MAX_SIDE, calibration, instrument_header, mapped, scan_shape
from rutile_assets.formats.measurement import Format, HeaderFile, Measurement, Source
from rutile_assets.formats.text import damaged, truncated

MARK = b"MQ1,"
TYPES = {"U08": "u1", "U16": ">u2", "U32": ">u4"}
LONGEST_HEADER = 8192
DEPTHS = (1, 6, 12, 24)


def read(source: Source) -> Measurement:
    """Map the frames; what a counter can hold at most tells saturated pixels."""
    words = source.head(LONGEST_HEADER).split(b"\0")[0].decode("latin-1").split(",")
    try:
        offset, width, height, kind = int(words[2]), int(words[4]), int(words[5]), words[6].strip()
    except (IndexError, ValueError):
        raise truncated(source, "a Merlin header that ends early", "MQ1 and the size of the frames") from None
    if kind not in TYPES:
        raise UnreadableFile(
            f"Merlin frames of type {kind[:8]!r}", f"one of {', '.join(TYPES)}",
            "Turn raw mode (R64) off when recording, or convert the file.", source.name,
        )  # fmt: skip
    if not (64 <= offset <= LONGEST_HEADER and 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise damaged(source, f"a header of {offset} bytes and frames of {height} x {width}", "a Merlin's sizes")
    frame = np.dtype([("header", f"S{offset}"), ("data", TYPES[kind], (height, width))])
    depth = _depth(words, kind)
    file: dict[str, object] = {"dwell_time_ms": exposure} if (exposure := _exposure_ms(words)) else {}
    header = instrument_header(source)
    layers = [("file", file), *([("hdr", header)] if header else [])]
    settings = calibration(source, layers)
    scan, said_by = scan_shape(source, layers)
    stack = mapped(source, frame, scan, said_by, largest_value=float(2**depth - 1))
    _in_order(source, frame, scan)
    settings["counter_depth_count"] = depth
    return Measurement(
        "merlin-mib",
        technique="stem4d",
        settings=settings,
        instrument="Merlin",
        acquired_at=_moment(words),
        diffraction=stack,
    )


def read_header(content: bytes, name: str, data_name: str) -> dict[str, object] | None:
    """Return what a .hdr says of the .mib of the same name; None for another's.

    Lines of the scan are triggers where each trigger takes many frames; with one frame a trigger nothing tells them.
    """
    if not content.startswith(b"HDR,") or PureWindowsPath(name).stem.lower() != PureWindowsPath(data_name).stem.lower():
        return None
    said: dict[str, object] = {"file": PureWindowsPath(name).name}
    lines = content.split(b"\0")[0].decode("latin-1").splitlines()
    values = {key.split("(")[0].strip(): value.strip() for key, _, value in (line.partition(":\t") for line in lines)}
    with contextlib.suppress(KeyError, ValueError):
        frames, per_trigger = int(values["Frames in Acquisition"]), int(values["Frames per Trigger"])
        if per_trigger > 1 and frames % per_trigger == 0:
            said["scan_shape"] = [frames // per_trigger, per_trigger]
    if values.get("Software Version"):
        said["software_version"] = values["Software Version"]
    return said


def _in_order(source: Source, frame: np.dtype[np.void], scan: tuple[int, int]) -> None:
    """Refuse a file whose frames do not each begin with a header, or whose numbers jump."""
    frames = np.memmap(source.path, dtype=frame, mode="r", shape=(scan[0] * scan[1],))
    headers = frames["header"]
    for place in sorted({0, len(headers) // 2, len(headers) - 1}):
        words = bytes(headers[place]).split(b",")
        number = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
        if words[0] != b"MQ1" or number is None:
            raise damaged(source, f"no Merlin header before frame {place + 1}", "MQ1 before each frame")
        first = int(bytes(headers[0]).split(b",")[1])
        if number - first != place:
            raise truncated(source, f"frame number {number} in place {place + 1}", "no frame dropped")


def _depth(words: list[str], kind: str) -> int:
    """Return the counter's depth [bits]: the extended header's word, or what the type holds."""
    with contextlib.suppress(ValueError, IndexError):
        place = next(i for i, word in enumerate(words) if word.strip() == "MQ1A")
        depth = int(words[place + 3])
        if depth in DEPTHS:
            return depth
    with contextlib.suppress(StopIteration):
        return {"U08": 8, "U16": 12, "U32": 24}[kind]
    return 24


def _exposure_ms(words: list[str]) -> float | None:
    try:
        exposure = float(words[10])
    except (IndexError, ValueError):
        return None
    return 1e3 * exposure if 0 < exposure < 1e3 else None


def _moment(words: list[str]) -> datetime | None:
    with contextlib.suppress(IndexError, ValueError):
        return datetime.fromisoformat(words[9].strip()[:26])
    return None


FORMAT = Format(
    "merlin-mib",
    "Quantum Detectors Merlin .mib (6, 12 and 24 bit) with its .hdr beside it",
    lambda head, name: head.startswith(MARK),
    read,
    HeaderFile(".hdr", ".mib", read_header),
)
