"""Diffraction patterns in .ser, .dm3 and .dm4, which only rosettasciio reads: an optional extra, never needed."""

from __future__ import annotations

import importlib
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.diffraction import calibration
from rutile_assets.formats.measurement import MAX_FILE_BYTES, DiffractionStack, Measurement, Source

# what stands at the start -> vendor's file, rosettasciio's module, ending it asks for, our format
CONTAINERS: tuple[tuple[re.Pattern[bytes], str, str, str, str], ...] = (
    (re.compile(rb"^II\x97\x01"), "a TIA .ser of patterns", "rsciio.tia", ".ser", "tia-ser"),
    (re.compile(rb"^\x00\x00\x00\x03"), "a Gatan .dm3 of patterns", "rsciio.digitalmicrograph", ".dm3", "gatan-dm"),
    (re.compile(rb"^\x00\x00\x00\x04"), "a Gatan .dm4 of patterns", "rsciio.digitalmicrograph", ".dm4", "gatan-dm"),
)
EXTRA = "pip install 'rutile_assets[rosettasciio]' (GPL-3), or export the stack as .npy or .h5 and drop that."


def read(source: Source) -> Measurement:
    """Read a container through rosettasciio, if it is installed: at most `MAX_FILE_BYTES`, as it is not mapped."""
    what, module, ending, name = _container(source)
    if find_spec("rsciio") is None:
        raise UnreadableFile(what, "a format that is read here, or the extra for this one", EXTRA, source.name)
    if source.path.stat().st_size > MAX_FILE_BYTES:
        raise UnreadableFile(
            f"{what} of {source.path.stat().st_size} bytes", f"at most {MAX_FILE_BYTES}",
            "Export it as .npy or .h5.", source.name,
        )  # fmt: skip
    try:
        signals = _signals(source.path, module, ending)
    except Exception as fault:  # a foreign reader raises whatever it likes
        raise UnreadableFile(
            f"{what} that rosettasciio fails on ({type(fault).__name__})", "a whole file",
            "Copy it again from the instrument.", source.name,
        ) from fault  # fmt: skip
    stacks = [s for s in signals if np.ndim(s["data"]) == 4 and s["data"].dtype.kind in "uif"]
    if len(stacks) != 1:
        shapes = ", ".join(str(np.shape(s["data"])) for s in signals)[:100]
        raise UnreadableFile(
            f"{what} of {shapes or 'nothing'}", "one stack of diffraction patterns", "Drop the file of the patterns.",
            source.name,
        )  # fmt: skip
    data = stacks[0]["data"]
    path = source.path

    def opened() -> Any:
        found = [s["data"] for s in _signals(path, module, ending) if np.ndim(s["data"]) == 4]
        return found[0]

    settings = calibration(source, [])
    stack = DiffractionStack((data.shape[0], data.shape[1], data.shape[2], data.shape[3]), data.dtype.str, opened)
    notes = ("Read through rosettasciio; its calibration is not taken: write a sidecar.",)
    return Measurement(name, technique="stem4d", settings=settings, notes=notes, diffraction=stack)


def _signals(path: Path, module: str, ending: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"data{ending}"
        link.symlink_to(path.resolve())
        found: list[dict[str, Any]] = importlib.import_module(module).file_reader(str(link), lazy=False)
    return found


def _container(source: Source) -> tuple[str, str, str, str]:
    head = source.head()
    for pattern, what, module, ending, name in CONTAINERS:
        if pattern.search(head):
            return what, module, ending, name
    raise UnreadableFile("bytes of no such container", "a .ser, .dm3 or .dm4", "Drop another file.", source.name)
