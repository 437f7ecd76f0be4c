"""numpy .npy: a stack of diffraction patterns that another program saved; everything else stands in the sidecar."""

from __future__ import annotations

from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.diffraction import calibration, scan_shape
from rutile_assets.formats.measurement import DiffractionStack, Format, Measurement, Source
from rutile_assets.formats.text import damaged, truncated

MARK = b"\x93NUMPY"
LONGEST_HEADER = 4096


def read(source: Source) -> Measurement:
    """Map an array (scan Y, scan X, detector Y, detector X), or (frames, Y, X) with a scan_shape in the sidecar."""
    shape, order, dtype, start = _header(source)
    if dtype.hasobject or dtype.kind not in "uif" or order != "C":
        raise UnreadableFile(
            f"an array of {dtype} in {order} order", "plain numbers in C order",
            "Save it with numpy.save(name, numpy.ascontiguousarray(stack)).", source.name,
        )  # fmt: skip
    if len(shape) not in (3, 4) or 0 in shape:
        raise UnreadableFile(
            f"an array of shape {shape}", "(slow, fast, detector y, detector x), or (frames, y, x) and scan_shape",
            "Save the whole stack.", source.name,
        )  # fmt: skip
    size = source.path.stat().st_size
    expected = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size < expected:
        raise truncated(source, f"{size} bytes", f"{expected} bytes for {shape} of {dtype}")
    if size > expected:
        raise damaged(source, f"{size} bytes", f"{expected} bytes for {shape} of {dtype}")
    layers = [("file", {"scan_shape": [int(shape[0]), int(shape[1])]})] if len(shape) == 4 else []
    scan, _ = scan_shape(source, layers)
    frames = int(np.prod(shape[:-2]))
    if scan[0] * scan[1] != frames:
        raise UnreadableFile(
            f"{frames} patterns", f"{scan[0] * scan[1]} for the scan of {scan[0]} x {scan[1]} that the sidecar gives",
            "Correct scan_shape.", source.name,
        )  # fmt: skip
    whole = (*scan, int(shape[-2]), int(shape[-1]))
    path = source.path

    def opened() -> Any:
        return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=whole)

    return Measurement(
        "npy", settings=calibration(source, layers), diffraction=DiffractionStack(whole, dtype.str, opened)
    )


def _header(source: Source) -> tuple[tuple[int, ...], str, np.dtype[Any], int]:
    fmt = np.lib.format
    try:
        with source.path.open("rb") as handle:
            version = fmt.read_magic(handle)
            reader = {(1, 0): fmt.read_array_header_1_0, (2, 0): fmt.read_array_header_2_0}.get(version)
            if reader is None:
                raise UnreadableFile(f"an .npy of version {version}", "1.0 or 2.0", "Save it again.", source.name)
            shape, fortran, dtype = reader(handle, max_header_size=LONGEST_HEADER)
            return shape, "Fortran" if fortran and len(shape) > 1 else "C", dtype, handle.tell()
    except UnreadableFile:
        raise
    except Exception as fault:  # numpy parses the header as Python: SyntaxError, TypeError, struct.error ...
        raise damaged(source, f"a damaged .npy header ({type(fault).__name__})", "a whole header") from fault


FORMAT = Format("npy", "numpy .npy of diffraction patterns", lambda head, name: head.startswith(MARK), read)
