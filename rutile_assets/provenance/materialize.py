"""Compute an asset for a film, or across films, and commit its data and its lineage in one transaction."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets import formats
from rutile_assets.errors import InvalidRecord
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.lake import arrays, vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake, Writer
from rutile_assets.provenance.code_version import CodeVersion, code_version
from rutile_assets.provenance.content import data_version, in_order_of_names, names_of
from rutile_assets.provenance.context import RunContext, utc_now
from rutile_assets.provenance.film import Film, Films, Outcome, RawFile, Result
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.table import Table
from rutile_assets.units import unit_of

CURRENT_FILES = "SELECT * FROM current_raw_file WHERE growth_id = ? AND technique = ? ORDER BY original_path"
CURRENT_ENTITIES = """
    SELECT entity_id, asset, data_version FROM lake.entity
    WHERE (growth_id = $1 OR $1 IS NULL) AND kind = 'asset' AND asset IN (SELECT unnest($2::VARCHAR[]))
    QUALIFY entity_id = max(entity_id) OVER (PARTITION BY asset, growth_id)
"""
CURRENT_NUMBERS = f"""
    SELECT result.* FROM lake.result INNER JOIN ({CURRENT_ENTITIES}) AS made USING (entity_id)
    ORDER BY result.growth_id, result.quantity, result.subject, result_id
"""
CURRENT_SYSTEMATICS = f"""
    SELECT result_id, effect, shift FROM lake.result_systematic INNER JOIN lake.result USING (result_id)
    INNER JOIN ({CURRENT_ENTITIES}) AS made USING (entity_id) ORDER BY ALL
"""


@dataclass(frozen=True)
class Materialized:
    """What `materialize` did.

    Parameters
    ----------
    entity_id : int
        The new version of the asset's data for the film.
    data_version : str
        Digest of its content.
    frames : mapping of str to DataFrame
        The rows written, by table.
    film, outcome : Film or Films, Outcome
        What the asset saw and handed back.
    activity_id : int
        The computation.
    """

    entity_id: int
    data_version: str
    frames: Mapping[str, pd.DataFrame]
    film: Film | Films
    outcome: Outcome
    activity_id: int


def materialize(
    lake: Lake,
    home: Home,
    asset: Asset,
    growth_id: str | None,
    run: RunContext,
    tell: Callable[[str], None] = lambda _: None,
) -> Materialized:
    """Compute one asset for one film; for all films, growth_id None, where it spans them.

    Inputs are read at one snapshot; rows are checked; data, results, lineage, code and parameters commit together.

    Raises
    ------
    RutileError
        The asset could not be computed; nothing was written.
    """
    started, clock = utc_now(), time.perf_counter()
    snapshot = lake.snapshot()
    parents = lake.rows(CURRENT_ENTITIES, [growth_id, list(asset.reads)])
    files = lake.rows(CURRENT_FILES, [growth_id, asset.files]) if asset.files else []
    scratch = home.scratch / asset.name / (growth_id or "")
    film: Film | Films
    if growth_id is None:
        film = films_of(lake, home, asset)
    else:
        film = replace(film_of(lake, home, asset, growth_id, files), scratch=scratch, tell=tell)
    outcome = asset.compute(film)
    duration = time.perf_counter() - clock
    code = asset.code.joined(reader_code(row["reader"]) for row in files)
    names = names_of(lake.rows, outcome.tables.values(), [result.file_id for result in outcome.results])
    with lake.write() as writer:
        entity_id, activity_id = writer.next_id(), writer.next_id()
        frames = {t.name: _filled(t, outcome.tables.get(t.name), growth_id, entity_id) for t in asset.writes}
        _no_others(asset, outcome)
        for name, frame in frames.items():
            writer.replace(name, frame, growth_id)
        version = data_version(frames, outcome.results, names)
        activity = {
            "activity_id": activity_id,
            "run_id": run.run_id(writer),
            "asset": asset.name,
            "partition": growth_id,
            "code_version": code.digest,
            "parameters": json.dumps(asset.parameters_as_dict(film.parameters), sort_keys=True),
            "seed": film.seed,
            "snapshot": snapshot,
            "started_at": started,
            "wall_time_s": duration,
        }
        entity = {
            "entity_id": entity_id,
            "kind": "asset",
            "asset": asset.name,
            "growth_id": growth_id,
            "data_version": version,
            "activity_id": activity_id,
        }
        edges = [{"child": entity_id, "parent": int(p["entity_id"]), "role": p["asset"]} for p in parents]
        edges += [{"child": entity_id, "parent": int(f["file_id"]), "role": "file"} for f in files]
        record_code(writer, code)
        writer.append("activity", [activity])
        writer.append("entity", [entity])
        writer.append("edge", edges)
        _record_results(writer, asset, growth_id, entity_id, outcome.results)
        _record_rejections(writer, growth_id, activity_id, outcome)
    shutil.rmtree(scratch, ignore_errors=True)
    return Materialized(entity_id, version, frames, film, outcome, activity_id)


def film_of(lake: Lake, home: Home, asset: Asset, growth_id: str, files: Sequence[Mapping[str, Any]]) -> Film:
    """Return the film as the asset sees it, reading the lake as it is now."""
    declared = {int(row["file_id"]): json.loads(row["declared"]) for row in files}

    def table(name: str) -> pd.DataFrame:
        return _read(lake, asset, name, growth_id)

    def read_file(file: RawFile) -> Measurement:
        return read_declared(Source(file.path, file.name, declared[file.file_id]))

    return Film(
        growth_id=growth_id,
        parameters=asset.parameters_for(home, growth_id),
        seed=seed_of(asset.name, growth_id),
        tables=table,
        files=[
            RawFile(int(r["file_id"]), r["sha256"], r["original_path"], vault.path_of(home.vault, r["sha256"]))
            for r in files
        ],
        read_file=read_file,
        read_array=lambda reference: arrays.read(home.arrays, reference),
        store_array=lambda name, array, attributes: arrays.store(home.arrays, name, array, attributes),
    )


def films_of(lake: Lake, home: Home, asset: Asset) -> Films:
    """Return all films as the asset sees them, reading the lake as it is now."""

    def table(name: str) -> pd.DataFrame:
        return _read(lake, asset, name, None)

    def table_of_film(name: str, growth_id: str) -> pd.DataFrame:
        return _read(lake, asset, name, growth_id)

    return Films(
        parameters=asset.parameters_for(home, None),
        seed=seed_of(asset.name, ""),
        tables=table,
        numbers=lambda name: lake.frame(CURRENT_NUMBERS, [None, [name]]),
        systematics=lambda name: lake.frame(CURRENT_SYSTEMATICS, [None, [name]]),
        tables_of_film=table_of_film,
        read_array=lambda reference: arrays.read(home.arrays, reference),
    )


def _read(lake: Lake, asset: Asset, name: str, growth_id: str | None) -> pd.DataFrame:
    """Return a table's rows, of a film or of all, in the order of its key, where the asset said that it reads it."""
    if not any(name == read or name.startswith(f"{read}_") for read in asset.reads):
        raise InvalidRecord(
            f"asset {asset.name} reading {name}", f"a table of {asset.reads}", "Name its asset in `reads`."
        )
    key = lake.tables[name].key
    here, values = ("", []) if growth_id is None else ("WHERE growth_id = ?", [growth_id])
    order = ", ".join(f'"{column}"' for column in key)
    rows = lake.frame(f'SELECT * FROM lake."{name}" {here} ORDER BY {order}', values)
    return in_order_of_names(lake.rows, rows, key)


def read_declared(source: Source) -> Measurement:
    """Read a file and let what a person declared beside it win over what the file says."""
    measurement = formats.read(source)
    if not source.declared:
        return measurement
    return Measurement(**{**vars(measurement), "settings": {**measurement.settings, **source.declared}})


def seed_of(asset: str, growth_id: str) -> int:
    """Return a seed that is the same for the same asset and film, on every machine."""
    return int.from_bytes(hashlib.sha256(f"{asset}\0{growth_id}".encode()).digest()[:4], "big")


@cache
def reader_code(name: str) -> CodeVersion:
    """Return the version of a format's reader."""
    by_name = {f.name: f for f in formats.FORMATS}
    return code_version(by_name[name].read) if name in by_name else CodeVersion("", {})


def record_code(writer: Writer, code: CodeVersion) -> None:
    """Write what a code version is made of, once; the lake is asked once a process."""
    if code.digest in writer.known_code:
        return
    if not len(writer.frame("SELECT 1 FROM lake.code WHERE code_version = ?", [code.digest])):
        row: dict[str, object] = {
            "code_version": code.digest,
            "parts": json.dumps(code.parts),
            "part_details": json.dumps(code.details),
        }
        writer.append("code", [row])
    writer.on_commit(lambda: writer.known_code.add(code.digest))


def _filled(table: Table, rows: pd.DataFrame | None, growth_id: str | None, entity_id: int) -> pd.DataFrame:
    given = pd.DataFrame(columns=table.column_names) if rows is None else rows
    filled = given.assign(entity_id=entity_id)
    return table.frame(filled if growth_id is None else filled.assign(growth_id=growth_id))


def _no_others(asset: Asset, outcome: Outcome) -> None:
    unknown = sorted(set(outcome.tables) - {table.name for table in asset.writes})
    if unknown:
        raise InvalidRecord(
            f"asset {asset.name} returned {unknown}", "its declared tables", "Declare them in `writes`."
        )


def _record_results(writer: Writer, asset: Asset, growth_id: str | None, entity_id: int, results: list[Result]) -> None:
    rows: list[dict[str, object]] = []
    covariances: list[dict[str, object]] = []
    systematics: list[dict[str, object]] = []
    for result in results:
        estimate = result.estimate
        count = len(estimate.quantities)
        ids = [writer.next_id() for _ in range(count)]
        material = list(result.material) or [None] * count
        temperature = list(result.temperature_k) or [None] * count
        film = list(result.growth_id) or [growth_id] * count
        for i, quantity in enumerate(estimate.quantities):
            rows.append(
                {
                    "result_id": ids[i],
                    "entity_id": entity_id,
                    "growth_id": film[i],
                    "series": result.series if film[i] is None else None,
                    "file_id": result.file_id,
                    "technique": asset.room,
                    "quantity": quantity,
                    "subject": estimate.subjects[i],
                    "material": material[i],
                    "temperature_k": temperature[i],
                    "value": estimate.values[i],
                    "sigma": _known(estimate.std[i]),
                    "sigma_statistical": _known(estimate.statistical_std[i]),
                    "sigma_systematic": estimate.systematic_std[i],
                    "sigma_source": estimate.std_source,
                    "unit": unit_of(quantity),
                    "method": estimate.method,
                    "notes": " ".join(estimate.notes),
                }
            )
            systematics += [
                {"result_id": ids[i], "effect": effect, "shift": shift[i]}
                for effect, shift in estimate.systematics.items()
            ]
            covariances += [
                {"result_id": ids[i], "other_result_id": ids[j], "covariance": _known(estimate.covariance[i, j])}
                for j in range(i + 1, count)
            ]
    writer.append("result", rows)
    writer.append("result_covariance", covariances)
    writer.append("result_systematic", systematics)


def _record_rejections(writer: Writer, growth_id: str | None, activity_id: int, outcome: Outcome) -> None:
    writer.append(
        "rejected_file",
        [
            {
                "rejection_id": writer.next_id(),
                "sha256": file.sha256,
                "path": file.name,
                "growth_id": growth_id,
                "found": why.found,
                "expected": why.expected,
                "what_to_do": why.what_to_do,
                "activity_id": activity_id,
                "rejected_at": utc_now(),
            }
            for file, why in outcome.rejected
        ],
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def simulated_mark(lake: Lake, growth_id: str | None) -> bool:
    """Tell whether the film's growth.yaml, or any film's where none is named, says that its data are simulated."""
    rows = lake.rows(
        "SELECT 1 FROM lake.growth WHERE origin = 'simulated' AND (growth_id = $1 OR $1 IS NULL) LIMIT 1", [growth_id]
    )
    return bool(rows)


def figure_path(home: Home, growth_id: str | None, asset: str, ending: str) -> Path:
    """Return where an asset's figure stands, of a film or of what spans films."""
    folder = home.reports / "series" if growth_id is None else home.reports / "films" / growth_id
    return folder / f"{asset}.{ending}"


def prints_path(home: Home) -> Path:
    """Return the folder of what assets make for print."""
    return home.reports / "figures"
