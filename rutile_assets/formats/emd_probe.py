"""Looks into an HDF5 file in a process of its own: libhdf5 can hang or crash on damaged bytes.

Run as a script: ``python emd_probe.py FILE``; prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

MAX_GROUPS = 10_000


def stacks(file: Any) -> Iterator[dict[str, object]]:
    """Yield the 4-D arrays of plain numbers whose group is marked as EMD's; links out of the file are none."""
    waiting, seen = [file], 0
    while waiting and seen < MAX_GROUPS:
        group = waiting.pop(0)
        for name in group:
            seen += 1
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif (
                isinstance(item, h5py.Dataset)
                and item.ndim == 4
                and item.dtype.kind in "uif"
                and "emd_group_type" in group.attrs
                and not item.external
                and not item.is_virtual
            ):
                yield described(item)


def described(data: Any) -> dict[str, object]:
    """Return what a reader needs to know of an array: name, shape, type, where it begins, the steps of its axes."""
    start = data.id.get_offset() if data.chunks is None else None
    if start is None:
        for line in range(data.shape[0]):
            data[line, :1]  # a damaged chunk shows here, not in the analysis
    return {
        "name": str(data.name),
        "shape": [int(n) for n in data.shape],
        "dtype": data.dtype.str,
        "start": start,
        "steps": [step(data.parent, f"dim{i}") for i in range(4)],
    }


def step(group: Any, name: str) -> tuple[float, str] | None:
    """Return the step and the unit of an axis' vector, None where there is none."""
    vector = group.get(name)
    if not isinstance(vector, h5py.Dataset) or vector.ndim != 1 or vector.size < 2 or vector.dtype.kind not in "uif":
        return None
    ends = np.asarray(vector[:2], dtype=float)
    unit = vector.attrs.get("units", "")
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    value = float(ends[1] - ends[0])
    return (value, text.strip().lower()) if np.isfinite(value) else None


if __name__ == "__main__":
    with h5py.File(sys.argv[1], "r") as opened:
        print(json.dumps(list(stacks(opened))))
