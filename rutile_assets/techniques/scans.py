"""What the rooms of scanning instruments share: the files that can serve, and a scan as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from rutile_assets.errors import RutileError
from rutile_assets.formats.measurement import Measurement, Scan
from rutile_assets.provenance.film import Film, Outcome, RawFile
from rutile_assets.table import Table


def usable(
    film: Film, outcome: Outcome, check: Callable[[Measurement], object]
) -> Iterator[tuple[RawFile, Measurement]]:
    """Yield each of the film's files that can be read and passes the room's check; refuse the others.

    Parameters
    ----------
    film : Film
        With its files.
    outcome : Outcome
        Takes the refusals.
    check : callable
        Raises a `RutileError` where a file cannot serve.
    """
    for file in film.files:
        try:
            measurement = film.measurement(file)
            check(measurement)
        except RutileError as fault:
            outcome.rejected.append((file, fault))
            continue
        yield file, measurement


def scan_rows(scan: Scan, table: Table, file: RawFile, index: int) -> pd.DataFrame:
    """Return the points of a file's scan number `index` (from 1): those of its columns that the table has."""
    frame = pd.DataFrame({c: scan.columns[c] for c in table.column_names if c in scan.columns})
    return frame.assign(file_id=file.file_id, scan_index=index, point_index=np.arange(1, len(frame) + 1))
