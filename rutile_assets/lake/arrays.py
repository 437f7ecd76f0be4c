"""Arrays in Zarr, written once, addressed by their content."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from rutile_assets.errors import InvalidRecord, UnreadableFile

MAX_ARRAY_BYTES = 16 * 1024**3
MAX_HEADER_BYTES = 1024**2
_CODECS = {"bytes", "zstd", "gzip"}


def store(folder: Path, name: str, array: npt.NDArray[Any], attributes: Mapping[str, Any]) -> str:
    """Write an array once and return the reference that a table row keeps.

    Parameters
    ----------
    folder : Path
        The home's array folder.
    name : str
        What it is (``height_nm``); part of the reference, so that it can be read by eye.
    array : ndarray
        Any shape; the dtype is kept.
    attributes : mapping
        Units, axes, pixel size: JSON values.

    Returns
    -------
    str
        ``<name>/<digest>``; the same content gives the same reference.
    """
    contiguous = np.ascontiguousarray(array)
    reference = reference_of(name, contiguous, attributes)
    target = folder / f"{reference}.zarr"
    with suppress(FileNotFoundError):
        os.utime(target)  # in use again: `rutile gc` leaves what is young
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".writing-"))
        written = zarr.create_array(temporary / "a", shape=contiguous.shape, dtype=contiguous.dtype)
        written[...] = contiguous
        written.attrs.update(dict(attributes))
        try:
            (temporary / "a").rename(target)
        except OSError:  # another process wrote the same content first
            if not target.exists():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return reference


def reference_of(name: str, array: npt.NDArray[Any], attributes: Mapping[str, Any]) -> str:
    """Return the reference that an array of this content gets."""
    header = json.dumps([name, array.dtype.str, array.shape, dict(attributes)], sort_keys=True)
    digest = hashlib.sha256(header.encode() + b"\0" + array.tobytes()).hexdigest()[:40]
    return f"{name}/{digest}"


def foreign(source: Path, reference: str) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Read an array that another home wrote and hold it against its reference; nothing it says is believed first.

    Parameters
    ----------
    source : Path
        Its Zarr folder.
    reference : str
        ``<name>/<digest>``.

    Returns
    -------
    tuple
        The array and its attributes.

    Raises
    ------
    UnreadableFile
        It is no plain array of numbers, too large, damaged, or of other content than its reference says.
    """
    ask = "Ask for the crate again; nothing of it was taken in."
    try:
        said = json.loads((source / "zarr.json").read_bytes()[:MAX_HEADER_BYTES])
        kinds = {codec["name"] for codec in said["codecs"]}
        size = math.prod(int(n) for n in said["shape"]) * np.dtype(said["data_type"]).itemsize
        plain = (
            kinds <= _CODECS and not said.get("storage_transformers") and np.dtype(said["data_type"]).kind in "biufc"
        )
        if not plain or not 0 <= size <= MAX_ARRAY_BYTES:
            raise UnreadableFile(f"codecs {sorted(kinds)}, {size} bytes", "a plain array of numbers", ask, reference)
        opened = zarr.open_array(source, mode="r")
        array, attributes = np.ascontiguousarray(opened[...]), dict(opened.attrs)
        found = reference_of(reference.rpartition("/")[0], array, attributes)
    except UnreadableFile:
        raise
    except Exception as fault:  # Zarr on hostile bytes
        raise UnreadableFile(
            f"a damaged array ({type(fault).__name__})", "an array in Zarr 3", ask, reference
        ) from fault
    if found != reference:
        raise UnreadableFile("an array of other content", "that which its name is the hash of", ask, reference)
    return array, attributes


def read(folder: Path, reference: str) -> npt.NDArray[Any]:
    """Return the array that a reference names.

    Raises
    ------
    InvalidRecord
        There is no such array in this home.
    """
    target = folder / f"{reference}.zarr"
    if ".." in Path(reference).parts or not target.is_dir():
        raise InvalidRecord(f"no array {reference!r}", "an array of this home", "Run the asset again: rutile run.")
    return np.asarray(zarr.open_array(target, mode="r")[...])
