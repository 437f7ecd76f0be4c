"""The files of a crate while it is written: each put in its place once, with its size and sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

METADATA = "ro-crate-metadata.json"
MANIFEST = "manifest-sha256.txt"
_CHUNK = 1 << 20
MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet", ".json": "application/json", ".csv": "text/csv",
    ".md": "text/markdown", ".txt": "text/plain", ".html": "text/html", ".js": "text/javascript",
    ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".pdf": "application/pdf",
    ".yaml": "application/yaml", ".yml": "application/yaml", ".cff": "application/yaml", ".xml": "application/xml",
    ".xrdml": "application/xml", ".nxs": "application/x-hdf5", ".h5": "application/x-hdf5", ".ort": "text/plain",
    ".dat": "text/plain", ".tif": "image/tiff", ".tiff": "image/tiff", ".zip": "application/zip",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One file of a crate.

    Parameters
    ----------
    path : str
        Its place inside, with forward slashes.
    says : str
        What it is, in words.
    size_bytes : int
        Its length.
    sha256 : str
        Of its bytes.
    """

    path: str
    says: str
    size_bytes: int
    sha256: str

    @property
    def media_type(self) -> str:
        """The type of its content, by its ending."""
        return MEDIA_TYPES.get(PurePosixPath(self.path).suffix.lower(), "application/octet-stream")


@dataclass
class Parts:
    """The files put into a folder so far, in the order of their paths when listed."""

    folder: Path
    _found: dict[str, Part] = field(default_factory=dict)

    def put(self, path: str, content: bytes | str | Path, says: str) -> Part:
        """Write a file from bytes, text or another file."""
        target = self.folder.joinpath(*PurePosixPath(path).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with target.open("wb") as sink:
            for chunk in _chunks(content):
                digest.update(chunk)
                size += len(chunk)
                sink.write(chunk)
        self._found[path] = Part(path, says, size, digest.hexdigest())
        return self._found[path]

    def __iter__(self) -> Iterator[Part]:
        """Go through the parts in the order of their paths."""
        return iter(sorted(self._found.values(), key=lambda part: part.path))

    def __getitem__(self, path: str) -> Part:
        """Return the part at a path."""
        return self._found[path]

    def __contains__(self, path: str) -> bool:
        """Tell whether there is a part at a path."""
        return path in self._found

    def manifest(self) -> str:
        """Return the lines of `sha256sum` for every part: `sha256sum -c` checks them."""
        return "".join(f"{part.sha256}  {part.path}\n" for part in self)


def _chunks(content: bytes | str | Path) -> Iterator[bytes]:
    if isinstance(content, Path):
        with content.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                yield chunk
    else:
        yield content.encode() if isinstance(content, str) else content
