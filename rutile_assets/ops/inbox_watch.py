"""What the inbox sensor sees: folders that have settled, and whether the lake has judged all that is in them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from rutile_assets.lake.home import Home
from rutile_assets.ops.house import House
from rutile_assets.techniques.growth.record import GROWTH_FILE, ID_PATTERN

QUIET_S = 10.0
_JUDGED = """
    SELECT growth_id, original_path AS path, max(ingested_at) AS judged_at FROM lake.raw_file
    WHERE growth_id IN (SELECT unnest($1::VARCHAR[])) GROUP BY ALL
    UNION ALL
    SELECT growth_id, path, max(rejected_at) FROM lake.rejected_file
    WHERE growth_id IN (SELECT unnest($1::VARCHAR[])) GROUP BY ALL
"""


@dataclass(frozen=True)
class Folder:
    """A film's folder in the inbox.

    Parameters
    ----------
    path : Path
        Where.
    state : str
        Digest of names, sizes and times of all that is in it.
    touched_at : float
        When a file in it last came or changed, also under its old time [s since 1970].
    """

    path: Path
    state: str
    touched_at: float

    @property
    def has_settled(self) -> bool:
        """Whether nothing in it was written in the last seconds."""
        return time.time() - self.touched_at >= QUIET_S

    @property
    def is_growth(self) -> bool:
        """Whether it has a growth's name and a growth.yaml."""
        return bool(re.match(ID_PATTERN, self.path.name)) and (self.path / GROWTH_FILE).is_file()


def folders_in(home: Home) -> list[Folder]:
    """Return the inbox's folders that hold files, sorted by name."""
    found = []
    for path in sorted(p for p in home.inbox.iterdir() if p.is_dir() and not p.name.startswith(".")):
        stats = [(p.relative_to(path).as_posix(), p.lstat()) for p in _files(path)]
        if stats:
            text = json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
            digest = hashlib.sha256(text.encode()).hexdigest()[:20]
            found.append(Folder(path, digest, max(_arrived(stat) for _, stat in stats)))
    return found


def not_judged(house: House, folders: Sequence[Folder]) -> list[Folder]:
    """Return the folders with a file that the lake has not judged since it came or changed.

    A file that was copied with its old time counts from when it arrived, by its change of status.
    """
    judged: dict[str, dict[str, float]] = defaultdict(dict)
    for row in house.lake.rows(_JUDGED, [[folder.path.name for folder in folders]]):
        when = row["judged_at"].replace(tzinfo=UTC).timestamp()
        of_film = judged[row["growth_id"]]
        of_film[row["path"]] = max(when, of_film.get(row["path"], 0.0))

    def waits(path: Path, folder: Folder) -> bool:
        known = judged[folder.path.name].get(path.relative_to(folder.path).as_posix(), 0.0)
        return _arrived(path.lstat()) > known

    return [folder for folder in folders if any(waits(path, folder) for path in _files(folder.path))]


def loose_files(home: Home) -> list[Path]:
    """Return the settled files that stand in the inbox itself, in no film's folder."""
    files = [p for p in sorted(home.inbox.iterdir()) if p.is_file() and not p.name.startswith(".")]
    return [p for p in files if time.time() - _arrived(p.lstat()) >= QUIET_S]


def _arrived(stat: os.stat_result) -> float:
    return max(stat.st_mtime, stat.st_ctime)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
        if not hidden and path.name not in ("Thumbs.db", "desktop.ini") and (path.is_file() or path.is_symlink()):
            yield path
