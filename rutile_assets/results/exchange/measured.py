"""Raw files of a technique with their points, as the writers of exchange formats take them from a selection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from rutile_assets.constants import CU_K_ALPHA1_ANGSTROM
from rutile_assets.provenance.crate.selection import Selection


@dataclass(frozen=True)
class Measured:
    """One raw file and what was read from it.

    Parameters
    ----------
    growth_id, place, sha256 : str
        Its film; where it stands in the crate; its hash.
    instrument : str or None
        As the file says.
    acquired_at : datetime or None
        By the instrument's clock.
    settings : dict
        What file and sidecar say.
    points : DataFrame
        The rows of the measured table, in the order of their keys.
    stack : str
        The film's layers, as they were meant.
    is_simulated : bool
        Whether the data are.
    file_id, entity_id : int
        The file, and the version of the measured table.
    """

    growth_id: str
    place: str
    sha256: str
    instrument: str | None
    acquired_at: datetime | None
    settings: dict[str, Any]
    points: pd.DataFrame
    stack: str
    is_simulated: bool
    file_id: int
    entity_id: int

    @property
    def wavelength_angstrom(self) -> float:
        """The wavelength as file or sidecar say, else of the Cu K alpha 1 line."""
        return float(str(self.settings.get("wavelength_angstrom") or CU_K_ALPHA1_ANGSTROM.value))

    @property
    def title(self) -> str:
        """A title that tells simulated data."""
        return f"{'SIMULATED: ' if self.is_simulated else ''}{self.growth_id}: {self.stack}"

    def out(self, ending: str) -> str:
        """Return the name of a file made from this one: the file_id tells files of one name apart."""
        return f"{self.growth_id}/{PurePosixPath(self.place).stem}-{self.file_id}{ending}"


def measured(selection: Selection, table: str) -> Iterator[Measured]:
    """Return the files that a measured table holds points of, in the order of their ids."""
    if table not in selection.tables:
        return
    growths = {row["growth_id"]: row for row in selection.rows("growth")}
    files = {row["file_id"]: row for row in selection.rows("raw_file")}
    for file_id, points in selection.tables[table].to_pandas().groupby("file_id", sort=True):
        row = files[int(file_id)]
        growth = growths.get(row["growth_id"], {})
        yield Measured(
            row["growth_id"], selection.places[row["file_id"]], row["sha256"], row["instrument"], row["acquired_at"],
            {**json.loads(row["settings"]), **json.loads(row["declared"])}, points.reset_index(drop=True),
            growth.get("stack", ""), growth.get("origin") == "simulated", int(file_id), int(points.entity_id.iloc[0]),
        )  # fmt: skip
