"""EMD 1.0 and py4DSTEM .h5: a four-dimensional array in HDF5 with its axes beside it. Other HDF5 is no data here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.diffraction import MAX_FRAMES, MAX_SIDE, calibration
from rutile_assets.formats.measurement import DiffractionStack, Format, Measurement, Source

MARK = b"\x89HDF\r\n\x1a\n"
NO_STACK = "an HDF5 file (pyUSID, NeXus, EMD and the like) without a stack of diffraction patterns in EMD's layout"
MAX_GROUPS = 10_000
NM = {"nm": 1.0, "a": 0.1, "å": 0.1, "angstrom": 0.1, "um": 1e3, "µm": 1e3, "pm": 1e-3}
PER_ANGSTROM = {"a^-1": 1.0, "1/a": 1.0, "å^-1": 1.0, "1/å": 1.0, "nm^-1": 0.1, "1/nm": 0.1}


def read(source: Source) -> Measurement:
    """Find the one 4-D array of an EMD group (or the sidecar's ``dataset``) and map it."""
    try:
        with h5py.File(source.path, "r") as file:
            return _measurement(source, file)
    except UnreadableFile:
        raise
    except Exception as fault:  # libhdf5's words come as OSError, KeyError, RuntimeError, ValueError ...
        raise UnreadableFile(
            f"a damaged HDF5 file ({' '.join(str(fault).split())[:80]})", "a whole HDF5 file",
            "The file is cut short or half-copied: copy it again from the instrument.", source.name,
        ) from fault  # fmt: skip


def _measurement(source: Source, file: Any) -> Measurement:
    named = source.declared.get("dataset")
    found = [name for name in _arrays(file) if named is None or name.strip("/") == str(named).strip("/")]
    if not found:
        raise UnreadableFile(
            NO_STACK, "a py4DSTEM or EMD file of one 4-D array",
            "Drop the file as the instrument wrote it (.raw, .mib, .ibw, .spm), not a conversion.", source.name,
        )  # fmt: skip
    if len(found) > 1:
        raise UnreadableFile(
            f"{len(found)} stacks ({', '.join(found)[:120]})", "one", "Name one: `dataset: ...` in its sidecar.",
            source.name,
        )  # fmt: skip
    data = file[found[0]]
    shape = tuple(int(n) for n in data.shape)
    if not (1 <= shape[0] * shape[1] <= MAX_FRAMES and min(shape[2:]) >= 1 and max(shape[2:]) <= MAX_SIDE):
        raise UnreadableFile(f"a stack of {shape}", "a scan of patterns", "Save the whole stack.", source.name)
    said, notes = _axes(data.parent)
    stack = DiffractionStack((shape[0], shape[1], shape[2], shape[3]), data.dtype.str, _opener(source, data), None)
    settings = calibration(source, [("file", said)])
    return Measurement(
        "emd",
        technique="stem4d",
        settings={**settings, "dataset": found[0]},
        instrument=None,
        notes=tuple(notes),
        diffraction=stack,
    )


def _arrays(file: Any) -> Iterator[str]:
    """Yield the paths of 4-D arrays of plain numbers whose group is marked as EMD's; links out of the file are none."""
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
                yield str(item.name)


def _axes(group: Any) -> tuple[dict[str, object], list[str]]:
    """Return step and detector pixel from the vectors dim0 ... dim3, and what does not fit."""
    said: dict[str, object] = {}
    notes = []
    steps = [_step(group, f"dim{i}") for i in range(4)]
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


def _step(group: Any, name: str) -> tuple[float, str] | None:
    vector = group.get(name)
    if not isinstance(vector, h5py.Dataset) or vector.ndim != 1 or vector.size < 2 or vector.dtype.kind not in "uif":
        return None
    ends = np.asarray(vector[:2], dtype=float)
    unit = vector.attrs.get("units", "")
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    return float(ends[1] - ends[0]), text.strip().lower()


def _opener(source: Source, data: Any) -> Any:
    """Return what opens the array: a map where it lies in one piece, else HDF5's own reading of what is asked for."""
    path, name, shape, dtype = source.path, str(data.name), data.shape, data.dtype
    start = data.id.get_offset() if data.chunks is None else None
    if start is not None:
        end = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if end > path.stat().st_size:
            raise UnreadableFile(
                f"{path.stat().st_size} bytes", f"{end} bytes for {shape}", "Copy the file again.", source.name
            )
        return lambda: np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)
    return lambda: _dataset(path, name)


def _dataset(path: Path, name: str) -> Any:
    return h5py.File(path, "r")[name]


def _recognises(head: bytes, name: str) -> bool:
    return head.startswith(MARK)


FORMAT = Format("emd", "py4DSTEM and EMD 1.0 .h5, .emd", _recognises, read)
