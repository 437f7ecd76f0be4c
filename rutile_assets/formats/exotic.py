"""Containers that only rosettasciio reads (TIA .ser, Gatan .dm3 and .dm4): an optional extra, never needed."""

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
from rutile_assets.formats.measurement import MAX_FILE_BYTES, DiffractionStack, Format, Measurement, Source

# what stands at the start -> vendor's file, rosettasciio's module, ending it asks for
CONTAINERS: tuple[tuple[re.Pattern[bytes], str, str, str], ...] = (
    (re.compile(rb"^II\x97\x01"), "a TIA .ser", "rsciio.tia", ".ser"),
    (re.compile(rb"^\x00\x00\x00\x03.{8}", re.DOTALL), "a Gatan .dm3", "rsciio.digitalmicrograph", ".dm3"),
    (re.compile(rb"^\x00\x00\x00\x04.{12}", re.DOTALL), "a Gatan .dm4", "rsciio.digitalmicrograph", ".dm4"),
)
EXTRA = "pip install 'rutile_assets[rosettasciio]' (GPL-3), or export the stack as .npy or .h5 and drop that."


def read(source: Source) -> Measurement:
    """Read a container through rosettasciio, if it is installed: at most `MAX_FILE_BYTES`, as it is not mapped."""
    what, module, ending = _container(source)
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
    return Measurement("rosettasciio", technique="stem4d", settings=settings, notes=notes, diffraction=stack)


def _signals(path: Path, module: str, ending: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"data{ending}"
        link.symlink_to(path.resolve())
        found: list[dict[str, Any]] = importlib.import_module(module).file_reader(str(link), lazy=False)
    return found


def _container(source: Source) -> tuple[str, str, str]:
    head = source.head()
    for pattern, what, module, ending in CONTAINERS:
        if pattern.search(head):
            return what, module, ending
    raise UnreadableFile("bytes of no such container", "a .ser, .dm3 or .dm4", "Drop another file.", source.name)


def _recognises(head: bytes, name: str) -> bool:
    fitting = [ending for pattern, _, _, ending in CONTAINERS if pattern.search(head)]
    return bool(fitting) and (fitting[0] == ".ser" or name.lower().endswith((".dm3", ".dm4")))


FORMAT = Format(
    "rosettasciio",
    "TIA .ser, Gatan .dm3 and .dm4, where the optional extra rosettasciio is installed",
    _recognises,
    read,
)
