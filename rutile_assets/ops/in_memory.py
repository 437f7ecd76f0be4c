"""Compute the assets of one folder of files in memory: no lake, no Dagster, nothing kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rutile_assets.errors import RutileError
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.ops.inbox import Dropped, declared_for, gather
from rutile_assets.ops.ingest import technique_of
from rutile_assets.provenance.film import Film, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import read_declared, seed_of
from rutile_assets.rooms import ROOMS, all_assets
from rutile_assets.techniques.growth.record import GROWTH_FILE
from rutile_assets.units import unit_of


@dataclass
class Computed:
    """What the assets of one film made.

    Parameters
    ----------
    results : list of dict
        growth_id, technique, quantity, subject, value, sigma (None where unknown), unit; as in the view `results`.
    seconds : dict
        Asset -> processor time it took [s].
    refused : dict
        File or asset -> the sentence.
    """

    results: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def compute_folder(folder: Path) -> Computed:
    """Compute every film asset that the files of a growth's folder allow, with the parameters' defaults.

    Parameters
    ----------
    folder : Path
        With a growth.yaml; its name is the growth's.

    Returns
    -------
    Computed
        One asset's or file's fault does not stop the others.
    """
    made = Computed()
    files = _files(folder, made)
    tables: dict[str, pd.DataFrame] = {}
    arrays: dict[str, npt.NDArray[np.float64]] = {}
    done: set[str] = set()
    for asset in (asset for asset in all_assets() if not asset.spans_films):
        mine = [file for technique, file in files if technique == asset.files]
        if not (mine if asset.files is not None else _has_what_it_reads(asset, done)):
            continue
        clock = time.process_time()
        try:
            outcome = asset.compute(_film(folder, asset, mine, tables, arrays))
        except RutileError as fault:
            made.refused[asset.name] = str(fault)
            outcome = Outcome()
        done.add(asset.name)
        made.seconds[asset.name] = time.process_time() - clock
        made.refused |= {file.name: str(fault) for file, fault in outcome.rejected}
        for table in asset.writes:
            rows = outcome.tables.get(table.name)
            given = pd.DataFrame(columns=table.column_names) if rows is None else rows
            frame = table.frame(given.assign(growth_id=folder.name, entity_id=0))
            tables[table.name] = frame.sort_values(list(table.key), ignore_index=True)
        made.results += [row for result in outcome.results for row in _rows(folder.name, asset, result)]
    return made


def _has_what_it_reads(asset: Asset, done: set[str]) -> bool:
    if asset.needs:
        return done.issuperset(asset.needs)
    return bool(done.intersection([name for name in asset.reads if name != "growth"] or asset.reads))


def _files(folder: Path, made: Computed) -> list[tuple[str, RawFile]]:
    found = []
    for number, file in enumerate((f for group in gather([folder]) for f in group.files), start=1):
        if file.is_sidecar:
            continue
        raw = RawFile(number, "", file.name, file.path)
        try:
            found.append(("growth" if file.name == GROWTH_FILE else _technique(file), raw))
        except RutileError as fault:
            made.refused[file.name] = str(fault)
    return found


def _technique(file: Dropped) -> str:
    declared, _ = declared_for(file)
    return technique_of(ROOMS, file, read_declared(Source(file.path, file.name, declared)), declared)


def _film(
    folder: Path,
    asset: Asset,
    files: list[RawFile],
    tables: Mapping[str, pd.DataFrame],
    arrays: dict[str, npt.NDArray[np.float64]],
) -> Film:
    def read_file(file: RawFile) -> Measurement:
        declared, _ = declared_for(Dropped(file.path, folder))
        return read_declared(Source(file.path, file.name, declared))

    def store(name: str, array: npt.NDArray[np.float64], attributes: Mapping[str, Any]) -> str:
        reference = f"{name}/{len(arrays)}"
        arrays[reference] = array
        return reference

    return Film(
        growth_id=folder.name,
        parameters=asset.parameters() if asset.parameters else None,
        seed=seed_of(asset.name, folder.name),
        tables=lambda name: tables[name],
        files=files,
        read_file=read_file,
        read_array=arrays.__getitem__,
        store_array=store,
    )


def _rows(growth_id: str, asset: Asset, result: Result) -> Iterator[dict[str, Any]]:
    estimate = result.estimate
    for quantity, subject, value, std in zip(
        estimate.quantities, estimate.subjects, estimate.values, estimate.std, strict=True
    ):
        yield {
            "growth_id": growth_id,
            "technique": asset.room,
            "quantity": quantity,
            "subject": subject,
            "value": float(value),
            "sigma": None if np.isnan(std) else float(std),
            "unit": unit_of(quantity),
        }
