"""HDF5 asked from a process of its own: libhdf5 can hang or crash on damaged bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import Source

MARK = b"\x89HDF\r\n\x1a\n"
PROBE_S = 20.0
PROBE_BYTES_PER_S = 20e6


def answer_of(source: Source, script: Path, *words: str) -> bytes:
    """Return what a probe, a script of this package that takes the file's path, writes about it.

    Raises
    ------
    UnreadableFile
        The file is cut, or the probe crashes, complains or does not end.
    """
    _check_superblock(source)
    seconds = PROBE_S + source.path.stat().st_size / PROBE_BYTES_PER_S
    command = [sys.executable, "-I", str(script), str(source.path), *words]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise damaged_hdf5(source, "HDF5 cannot be read to its end") from None
    if answer.returncode != 0:
        told = answer.stderr.decode("utf-8", "replace").strip().splitlines()
        raise damaged_hdf5(source, told[-1][:100] if told else "HDF5 ends in a crash")
    return answer.stdout


def damaged_hdf5(source: Source, told: str) -> UnreadableFile:
    """Return the error for HDF5 that cannot be read."""
    return UnreadableFile(
        f"a damaged HDF5 file ({told})", "a whole HDF5 file",
        "The file is cut short or half-copied: copy it again from the instrument.", source.name,
    )  # fmt: skip


def _check_superblock(source: Source) -> None:
    """Refuse early what is cut or no HDF5 at all: the superblock says where the file ends."""
    head = source.head(64)
    sizes, place = {0: (13, 40), 1: (13, 44), 2: (9, 28), 3: (9, 28)}.get(head[8] if len(head) == 64 else -1, (0, 0))
    if not place or head[sizes] not in (2, 4, 8):
        raise damaged_hdf5(source, "no superblock")
    if head[sizes] == 8 and int.from_bytes(head[place : place + 8], "little") > source.path.stat().st_size:
        raise damaged_hdf5(source, "it ends too early")
