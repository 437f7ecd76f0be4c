"""The raw files as they came: the vault's bytes under the names that people gave them, hashes checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rutile_assets.errors import InvalidRecord, UnreadableFile
from rutile_assets.lake import vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake

_CHUNK = 2**20
_CURRENT = """
    SELECT file_id, growth_id, original_path, sha256, technique FROM current_raw_file
    WHERE growth_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY growth_id, original_path
"""


@dataclass(frozen=True)
class Original:
    """A raw file in the vault and the name it came with: growth_id/original_path, with forward slashes."""

    file_id: int
    growth_id: str
    original_path: str
    sha256: str
    technique: str
    path: Path

    @property
    def name(self) -> str:
        """Where it stood in the inbox."""
        return f"{self.growth_id}/{self.original_path}"


def originals(lake: Lake, home: Home, growth_ids: Sequence[str]) -> list[Original]:
    """Return the current raw files of films, growth.yaml and sidecars too, in the order of their names."""
    return [
        Original(
            int(row["file_id"]), row["growth_id"], row["original_path"], row["sha256"], row["technique"],
            vault.path_of(home.vault, row["sha256"]),
        )
        for row in lake.rows(_CURRENT, [list(growth_ids)])
    ]  # fmt: skip


def write_originals(
    files: Sequence[Original], out: Path, tell: Callable[[int, int, str], None] = lambda *_: None
) -> list[Path]:
    """Write raw files to out/<growth_id>/<original_path>; ingesting `out` gives the same files to another home.

    Parameters
    ----------
    files : sequence of Original
        Which.
    out : Path
        The folder; what stands there already with the same bytes is left, with other bytes it is refused.
    tell : callable
        Called with (files done, files in all, name).

    Returns
    -------
    list of Path
        One for each file.

    Raises
    ------
    UnreadableFile
        The vault's bytes are gone or have another hash than they came with; nothing is left of that file.
    InvalidRecord
        A name leads out of `out`, or another file stands in its place.
    """
    written = []
    for done, file in enumerate(files, 1):
        target = _inside(out, file)
        if target.exists():
            if vault.sha256_of(target) != file.sha256:
                raise InvalidRecord(
                    f"other bytes in {target}", "an empty folder or the same file", "Name another folder."
                )
        else:
            _copy_checked(file, target)
        written.append(target)
        tell(done, len(files), file.name)
    return written


def _inside(out: Path, file: Original) -> Path:
    parts = PurePosixPath(file.name).parts
    target = out.joinpath(*parts)
    if ".." in parts or PurePosixPath(file.original_path).is_absolute() or not target.is_relative_to(out):
        raise InvalidRecord(f"the name {file.name!r}", "a path inside the film's folder", "Report it with the lake.")
    return target


def _copy_checked(file: Original, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    digest = hashlib.sha256()
    try:
        with unfinished.open("wb") as sink:
            for chunk in _chunks(file):
                digest.update(chunk)
                sink.write(chunk)
        if digest.hexdigest() != file.sha256:
            raise UnreadableFile(
                f"bytes in the vault with sha256 {digest.hexdigest()[:12]}", f"{file.sha256[:12]}, as they came",
                "Restore the vault from its backup.", file.name,
            )  # fmt: skip
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _chunks(file: Original) -> Iterator[bytes]:
    try:
        with file.path.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                yield chunk
    except FileNotFoundError as fault:
        raise UnreadableFile(
            "no bytes in the vault", f"those with sha256 {file.sha256[:12]}", "Restore the vault from its backup.",
            file.name,
        ) from fault  # fmt: skip
