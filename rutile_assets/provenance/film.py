"""What an asset sees of one film or of all, and what it hands back: no Dagster, no SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import InvalidRecord, RutileError
from rutile_assets.estimate import Estimate
from rutile_assets.formats.measurement import Measurement


@dataclass(frozen=True)
class RawFile:
    """A raw file of the film that is current (not replaced by a newer one of the same path)."""

    file_id: int
    sha256: str
    name: str
    path: Path


@dataclass(frozen=True)
class Film:
    """One film as an asset sees it.

    Parameters
    ----------
    growth_id : str
        The growth.
    parameters : Any
        The asset's parameter dataclass, as set for this film.
    seed : int
        For any random numbers; recorded with the activity.
    tables : callable
        Name -> the film's current rows of that table, ordered by its key.
    files : sequence of RawFile
        The film's current raw files of the asset's technique.
    read_file : callable
        RawFile -> Measurement.
    read_array, store_array : callable
        Reference -> array, and (name, array, attributes) -> reference, in the lake's Zarr store.
    scratch : Path or None
        A folder for checkpoints; it is kept when the asset fails or is killed, and goes when it is done.
    tell : callable
        Takes a sentence about the progress.
    """

    growth_id: str
    parameters: Any
    seed: int
    tables: Callable[[str], pd.DataFrame]
    files: Sequence[RawFile] = ()
    read_file: Callable[[RawFile], Measurement] | None = None
    read_array: Callable[[str], npt.NDArray[np.float64]] | None = None
    store_array: Callable[[str, npt.NDArray[np.float64], Mapping[str, Any]], str] | None = None
    scratch: Path | None = None
    tell: Callable[[str], None] = lambda _: None

    def table(self, name: str) -> pd.DataFrame:
        """Return the film's current rows of an upstream table (empty where it has none)."""
        return self.tables(name)

    def measurement(self, file: RawFile) -> Measurement:
        """Read a raw file from the vault."""
        if self.read_file is None:
            raise InvalidRecord("no file reader", "an asset of a technique", "Declare the technique on the asset.")
        return self.read_file(file)

    def array(self, reference: str) -> npt.NDArray[np.float64]:
        """Return an array that a table row refers to."""
        if self.read_array is None:
            raise InvalidRecord("no array store", "a lake", "Run the asset in a lake.")
        return self.read_array(reference)

    def store(self, name: str, array: npt.NDArray[np.float64], **attributes: Any) -> str:
        """Store an array, write-once and addressed by its content; return the reference for a table row."""
        if self.store_array is None:
            raise InvalidRecord("no array store", "a lake", "Run the asset in a lake.")
        return self.store_array(name, array, attributes)


@dataclass(frozen=True)
class Films:
    """All films as an asset that spans them sees them.

    Parameters
    ----------
    parameters : Any
        The asset's parameter dataclass, as set for the lab.
    seed : int
        For any random numbers; recorded with the activity.
    tables : callable
        Name -> the current rows of that table for all films, ordered by its key.
    numbers : callable
        Asset -> its current rows of ``result``.
    systematics : callable
        Asset -> result_id, effect, shift of those rows.
    tables_of_film : callable or None
        (Name, growth_id) -> that film's rows alone: what has many points a film is not read for all.
    read_array : callable or None
        Reference -> array, in the lake's Zarr store.
    """

    parameters: Any
    seed: int
    tables: Callable[[str], pd.DataFrame]
    numbers: Callable[[str], pd.DataFrame]
    systematics: Callable[[str], pd.DataFrame]
    tables_of_film: Callable[[str, str], pd.DataFrame] | None = None
    read_array: Callable[[str], npt.NDArray[np.float64]] | None = None

    def table(self, name: str) -> pd.DataFrame:
        """Return the current rows of an upstream table, all films."""
        return self.tables(name)

    def table_of(self, name: str, growth_id: str) -> pd.DataFrame:
        """Return the current rows of an upstream table that belong to one film."""
        if self.tables_of_film is not None:
            return self.tables_of_film(name, growth_id)
        rows = self.tables(name)
        return rows[rows.growth_id == growth_id]

    def array(self, reference: str) -> npt.NDArray[np.float64]:
        """Return an array that a table row refers to."""
        if self.read_array is None:
            raise InvalidRecord("no array store", "a lake", "Run the asset in a lake.")
        return self.read_array(reference)


@dataclass(frozen=True)
class Imprint:
    """Where an asset puts files made for print, and what made them.

    Parameters
    ----------
    folder : Path
        Its place.
    asset : str
        The asset.
    code_version : str
        Of the asset: files of the same data and code are left as they are.
    activity_id, entity_id : int
        The computation, and the version of the asset that it made; each file names them.
    """

    folder: Path
    asset: str
    code_version: str
    activity_id: int
    entity_id: int


@dataclass(frozen=True)
class Result:
    """An estimate that goes into the view `results`.

    Parameters
    ----------
    estimate : Estimate
        The quantities with their covariance.
    file_id : int or None
        The raw file, where the numbers rest on one.
    material, temperature_k : per quantity
        (Q,) what an SQL user filters by; None where it does not apply.
    growth_id : per quantity
        (Q,) of an asset that spans films: the film each number belongs to, None where it belongs to the series.
    series : str or None
        Of an asset that spans films: the series that the numbers belong to.
    """

    estimate: Estimate
    file_id: int | None = None
    material: Sequence[str | None] = ()
    temperature_k: Sequence[float | None] = ()
    growth_id: Sequence[str | None] = ()
    series: str | None = None


@dataclass
class Outcome:
    """What an asset hands back.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Table name -> rows without entity_id, and for one film without growth_id, which the lake fills.
    results : list of Result
        Numbers for the view `results`.
    rejected : list
        (file, why) for files that are whole but cannot serve; the others go on.
    notes : list of str
        Sentences for the asset's metadata.
    warnings : dict of str to list of str
        Check of `Asset.warns` -> what breaks it.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    rejected: list[tuple[RawFile, RutileError]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: dict[str, list[str]] = field(default_factory=dict)
