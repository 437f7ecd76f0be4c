"""EMD 1.0 and py4DSTEM .h5: a four-dimensional array in HDF5 with its axes beside it, or images of Velox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats import emd_probe, velox
from rutile_assets.formats.diffraction import MAX_FRAMES, MAX_SIDE, calibration
from rutile_assets.formats.hdf5 import MARK, answer_of, damaged_hdf5
from rutile_assets.formats.measurement import DiffractionStack, Format, Measurement, Source

NO_STACK = "an HDF5 file (pyUSID, NeXus, EMD and the like) without a stack of diffraction patterns in EMD's layout"
NM = {"nm": 1.0, "a": 0.1, "å": 0.1, "angstrom": 0.1, "um": 1e3, "µm": 1e3, "pm": 1e-3}
PER_ANGSTROM = {"a^-1": 1.0, "1/a": 1.0, "å^-1": 1.0, "1/å": 1.0, "nm^-1": 0.1, "1/nm": 0.1}


def read(source: Source) -> Measurement:
    """Find the one 4-D array of an EMD group (or the sidecar's ``dataset``) and map it; images of Velox are read."""
    stacks = _stacks(source)
    named = source.declared.get("dataset")
    found = [s for s in stacks if named is None or str(s["name"]).strip("/") == str(named).strip("/")]
    if not found:
        images = velox.read(source) if not stacks else None
        if images is not None:
            return images
        raise UnreadableFile(
            NO_STACK, "a py4DSTEM or EMD file of one 4-D array, or images of Velox",
            "Drop the file as the instrument wrote it (.raw, .mib, .ibw, .spm), not a conversion.", source.name,
        )  # fmt: skip
    if len(found) > 1:
        raise UnreadableFile(
            f"{len(found)} stacks ({', '.join(s['name'] for s in found)[:120]})", "one",
            "Name one: `dataset: ...` in its sidecar.", source.name,
        )  # fmt: skip
    (one,) = found
    slow, fast, height, width = (int(n) for n in one["shape"])
    if not (1 <= slow * fast <= MAX_FRAMES and min(height, width) >= 1 and max(height, width) <= MAX_SIDE):
        raise UnreadableFile(f"a stack of {one['shape']}", "a scan of patterns", "Save the whole stack.", source.name)
    shape = (slow, fast, height, width)
    said, notes = _axes(one["steps"])
    stack = DiffractionStack(shape, one["dtype"], _opener(source, one, shape))
    settings = {**calibration(source, [("file", said)]), "dataset": str(one["name"])}
    return Measurement("emd", technique="stem4d", settings=settings, notes=tuple(notes), diffraction=stack)


def _stacks(source: Source) -> list[dict[str, Any]]:
    """Return what `emd_probe` finds, in a process of its own."""
    found: list[dict[str, Any]] = json.loads(answer_of(source, Path(emd_probe.__file__)))
    return found


def _axes(steps: list[Any]) -> tuple[dict[str, object], list[str]]:
    """Return step and detector pixel from the steps of the four axes, and what does not fit."""
    said: dict[str, object] = {}
    notes = []
    for (first, second), table, key in (
        ((0, 1), NM, "scan_step_nm"),
        ((2, 3), {"mrad": 1.0}, "detector_pixel_mrad"),
        ((2, 3), PER_ANGSTROM, "detector_pixel_per_angstrom"),
    ):
        one, two = steps[first], steps[second]
        if one is None or two is None or one[1] not in table or two[1] not in table:
            continue
        values = one[0] * table[one[1]], two[0] * table[two[1]]
        if min(values) > 0 and abs(values[0] - values[1]) <= 1e-3 * values[0]:
            said[key] = values[0]
        else:
            notes.append(f"{key} differs between its two axes ({values[0]:g}, {values[1]:g}): none was taken.")
    return said, notes


def _opener(source: Source, one: dict[str, Any], shape: tuple[int, ...]) -> Any:
    """Return what opens the array: a map where it lies in one piece, else HDF5's own reading of what is asked for."""
    path, name, start, dtype = source.path, str(one["name"]), one["start"], np.dtype(one["dtype"])
    if start is None:
        return lambda: _dataset(path, name)
    end = int(start) + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if end > path.stat().st_size:
        raise damaged_hdf5(source, f"{path.stat().st_size} bytes where {shape} takes {end}")
    return lambda: np.memmap(path, dtype=dtype, mode="r", offset=int(start), shape=shape)


def _dataset(path: Path, name: str) -> Any:
    return h5py.File(path, "r")[name]


def _recognises(head: bytes, name: str) -> bool:
    return head.startswith(MARK)


FORMAT = Format("emd", "py4DSTEM and EMD 1.0 .h5, .emd; images of Velox .emd", _recognises, read)
