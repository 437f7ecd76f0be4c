"""The house as the command line, Dagster and the tests open it: a home and its lake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.ops.ingest import Progress, Verdict, ingest
from rutile_assets.provenance.context import RunContext
from rutile_assets.rooms import ROOMS, all_tables

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"


@dataclass(frozen=True)
class House:
    """A home with its lake open.

    Parameters
    ----------
    home : Home
        The folders.
    lake : Lake
        The tables.
    """

    home: Home
    lake: Lake

    def ingest(
        self,
        paths: Sequence[Path],
        run: RunContext,
        *,
        growth_folder: Path | None = None,
        progress: Progress | None = None,
    ) -> list[Verdict]:
        """Take files in; see `rutile_assets.ops.ingest.ingest`."""
        return ingest(self.lake, self.home, ROOMS, paths, run, growth_folder=growth_folder, progress=progress)

    def films(self) -> list[str]:
        """Return the growth_ids that have files, sorted."""
        rows = self.lake.rows("SELECT DISTINCT growth_id FROM current_raw_file ORDER BY growth_id")
        return [row["growth_id"] for row in rows]


def open_house(root: str | Path | None = None) -> House:
    """Open the home at `root`, RUTILE_HOME or ./.rutile; one lake connection per process and home."""
    return _open(Home.find(root).root)


@cache
def _open(root: Path) -> House:
    home = Home(root)
    return House(home, Lake(home.lake, all_tables(), sorted(SQL_FOLDER.glob("*.sql"))))
