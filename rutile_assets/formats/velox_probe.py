"""Reads the images of a Velox .emd in a process of its own: libhdf5 can hang or crash on damaged bytes.

Run as a script: ``python velox_probe.py FILE MAX_PIXELS``; writes a line of JSON, then the pixels of each image as they
are listed, rows first, little-endian.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

MAX_GROUPS = 10_000
MAX_METADATA = 4_000_000  # bytes of one image's description


def images(file: Any) -> Iterator[tuple[Any, list[str]]]:
    """Yield the arrays (Y, X, frames) of plain numbers under /Data/Image and what is written about their frames."""
    for place in ("Data", "Data/Image"):
        if not isinstance(file.get(place, getlink=True), h5py.HardLink) or not isinstance(file[place], h5py.Group):
            return
    group = file["Data/Image"]
    for number, name in enumerate(group):
        if number >= MAX_GROUPS or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if not isinstance(item, h5py.Group) or not isinstance(item.get("Data", getlink=True), h5py.HardLink):
            continue
        data = item["Data"]
        plain = isinstance(data, h5py.Dataset) and data.ndim == 3 and data.dtype.kind in "uif"
        if plain and not data.external and not data.is_virtual:
            yield data, described(item, data.shape[2])


def described(item: Any, frames: int) -> list[str]:
    """Return the JSON texts of an image's frames; fewer where Velox wrote one for all, none where there is none."""
    if not isinstance(item.get("Metadata", getlink=True), h5py.HardLink):
        return []
    written = item["Metadata"]
    if not isinstance(written, h5py.Dataset) or written.dtype != np.uint8 or written.ndim != 2:
        return []
    if written.external or written.is_virtual or written.shape[0] > MAX_METADATA:
        return []
    columns = (bytes(written[:, column]) for column in range(min(frames, written.shape[1])))
    return [column.split(b"\0")[0].decode("utf-8", "replace") for column in columns]


def main(path: str, most: int) -> None:
    """Write what there is; images that are too large in all end it with a sentence on stderr."""
    with h5py.File(path, "r") as file:
        found = list(images(file))
        pixels = sum(int(np.prod(data.shape, dtype=object)) for data, _ in found)
        if pixels > most or sum(len(texts) for _, texts in found) > MAX_GROUPS:
            sys.exit(f"images of {pixels} pixels in all")
        told = [
            {"shape": list(data.shape), "dtype": data.dtype.newbyteorder("<").str, "metadata": texts}
            for data, texts in found
        ]
        sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
        for data, _ in found:
            sys.stdout.buffer.write(np.ascontiguousarray(data[...], data.dtype.newbyteorder("<")).tobytes())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
