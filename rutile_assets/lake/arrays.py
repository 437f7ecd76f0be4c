"""Arrays in Zarr, written once, addressed by their content."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from rutile_assets.errors import InvalidRecord


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
    header = json.dumps([name, contiguous.dtype.str, contiguous.shape, dict(attributes)], sort_keys=True)
    digest = hashlib.sha256(header.encode() + b"\0" + contiguous.tobytes()).hexdigest()[:40]
    reference = f"{name}/{digest}"
    target = folder / f"{reference}.zarr"
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
