"""The home folder: where a lab's inbox, vault, lake, arrays, reports and Dagster state stand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from rutile_assets.errors import InvalidRecord

DEFAULT_HOME = ".rutile"


@dataclass(frozen=True)
class Home:
    """A lab's folder.

    Parameters
    ----------
    root : Path
        Holds everything; two homes share nothing.
    """

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> Home:
        """Return the home at `root`, else at RUTILE_HOME, else at ./.rutile, with its folders made."""
        home = cls(Path(root or os.environ.get("RUTILE_HOME") or DEFAULT_HOME).expanduser().resolve())
        for folder in (home.inbox, home.vault, home.lake, home.arrays, home.reports, home.dagster):
            folder.mkdir(parents=True, exist_ok=True)
        return home

    @property
    def inbox(self) -> Path:
        """Where people drop files: inbox/<growth_id>/growth.yaml and that film's files."""
        return self.root / "inbox"

    @property
    def vault(self) -> Path:
        """Raw bytes by sha256, write-once."""
        return self.root / "vault"

    @property
    def lake(self) -> Path:
        """The DuckLake catalog, its Parquet files and the write lock."""
        return self.root / "lake"

    @property
    def arrays(self) -> Path:
        """Zarr arrays by content."""
        return self.root / "arrays"

    @property
    def scratch(self) -> Path:
        """Checkpoints of long computations; what is in it can be lost."""
        return self.root / "scratch"

    @property
    def reports(self) -> Path:
        """Pages and figures made from the lake."""
        return self.root / "reports"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "dagster"

    @property
    def settings_file(self) -> Path:
        """The lab's choices: parameters per asset, and per film where one differs."""
        return self.root / "rutile.yaml"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as written; empty where there is no file. A changed file is read again.

        Raises
        ------
        InvalidRecord
            The file is not YAML, or has keys other than ``parameters``, ``films`` and ``lab``.
        """
        if not self.settings_file.exists():
            return {}
        return _settings(self.settings_file, self.settings_file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _settings(path: Path, _mtime_ns: int) -> dict[str, Any]:
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise _broken(path, str(fault).splitlines()[0]) from fault
    if not isinstance(written, dict) or set(written) - {"parameters", "films", "lab", "alerts"}:
        raise _broken(path, f"the keys {sorted(written) if isinstance(written, dict) else written!r}")
    for name, part in written.items():
        if not isinstance(part, dict) or not (name == "lab" or all(isinstance(inner, dict) for inner in part.values())):
            raise _broken(path, f"{part!r}"[:80])
    return written


def _broken(path: Path, found: str) -> InvalidRecord:
    return InvalidRecord(
        found,
        "`parameters: {<asset>: {<name>: <value>}}`, `films: {<growth_id>: {<asset>: {...}}}` and `lab: {name: ...}`",
        "Correct the file; `rutile doctor` shows it as it is read.",
        str(path),
    )
