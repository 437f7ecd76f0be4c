"""The vault: raw bytes by sha256, written once, read-only, never deleted."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rutile_assets.errors import UnreadableFile

_CHUNK = 1 << 20


@dataclass(frozen=True)
class StoredObject:
    """Bytes in the vault."""

    sha256: str
    bytes: int
    path: Path
    new: bool


def path_of(vault: Path, sha256: str) -> Path:
    """Return where the bytes with this hash lie."""
    return vault / "raw" / "sha256" / sha256[:2] / sha256[2:4] / sha256


def store(vault: Path, source: Path) -> StoredObject:
    """Copy a file's bytes into the vault; the same bytes twice are one object.

    The hash is taken of the copy's own bytes while they are written, so a file that changes meanwhile cannot be
    stored under a wrong name.

    Raises
    ------
    UnreadableFile
        The path is not a regular file (a link that leads nowhere, a device, a folder) or may not be read.
    """
    if not source.is_file():
        raise UnreadableFile("no regular file", "a file", "Copy the file itself, not a link or a folder.", str(source))
    staging = vault / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor, name = tempfile.mkstemp(dir=staging)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as sink, source.open("rb") as bytes_in:
            while chunk := bytes_in.read(_CHUNK):
                digest.update(chunk)
                sink.write(chunk)
            sink.flush()
            os.fsync(sink.fileno())
            size = sink.tell()
        sha256 = digest.hexdigest()
        target = path_of(vault, sha256)
        if target.exists():
            return StoredObject(sha256, size, target, new=False)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o444)
        temporary.rename(target)
        return StoredObject(sha256, size, target, new=True)
    except PermissionError as fault:
        raise UnreadableFile(
            "a file that may not be read", "read permission", "Give the ingesting user read access.", str(source)
        ) from fault
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def is_intact(vault: Path, sha256: str) -> bool:
    """Tell whether the bytes in the vault still have their hash."""
    path = path_of(vault, sha256)
    return path.is_file() and sha256_of(path) == sha256
