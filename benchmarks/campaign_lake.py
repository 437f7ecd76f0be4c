"""A lake of many films with the rooms' own assets: every version and edge of a campaign, no instrument data."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rutile_assets.lake.tables import Writer
from rutile_assets.ops.house import House
from rutile_assets.provenance.context import utc_now
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import reader_code, record_code
from rutile_assets.rooms import all_assets

# technique -> (reader, files of a film)
FILES = {
    "growth": ("growth-yaml", 1), "xrr": ("panalytical-xrdml", 1), "xrd": ("panalytical-xrdml", 2),
    "rsm": ("panalytical-xrdml", 2), "afm": ("nanoscope", 4), "kpfm": ("igor-ibw", 5), "ups": ("vamas", 1),
    "shg": ("shg-csv", 2), "transport": ("ppms-dat", 3),
}  # fmt: skip
RESULTS_OF_AN_ASSET = 5
PER_INSERT = 400_000


@dataclass
class _Made:
    """Frames that wait to be written, and the ids given out."""

    next_id: int
    frames: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))

    def ids(self, count: int) -> np.ndarray:
        given = np.arange(self.next_id, self.next_id + count, dtype=np.int64)
        self.next_id += count
        return given

    def add(self, table: str, rows: pd.DataFrame) -> None:
        self.frames[table].append(rows)


def fill(house: House, films: int) -> list[str]:
    """Write so many films into an empty lake, nothing of them stale; return their growth_ids.

    Each has the files of `FILES`, the newest version of every asset that these give something to compute, and the
    assets that span films have theirs, with an edge to every film's version that they read.
    """
    growth_ids = [f"F{i:05d}" for i in range(films)]
    with house.lake.write() as writer:
        made = _Made(writer.next_id())
        run_id = writer.next_id()
        files = _files(made, growth_ids)
        versions: dict[str, np.ndarray] = {}
        for asset in all_assets():
            _versions(writer, house, asset, growth_ids, files, versions, made, run_id)
        _growths(writer, growth_ids, versions["growth"], made)
        for table, frames in made.frames.items():
            rows = pd.concat(frames, ignore_index=True)
            for start in range(0, len(rows), PER_INSERT):
                writer.append(table, rows.iloc[start : start + PER_INSERT])
        writer.last_id = max(writer.last_id, made.next_id)
    house.lake.maintain()
    return growth_ids


def _files(made: _Made, growth_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Return technique -> (files of a film, films) file ids."""
    found = {}
    for technique, (reader, count) in FILES.items():
        found[technique] = np.stack([made.ids(len(growth_ids)) for _ in range(count)])
        for place, ids in enumerate(found[technique]):
            name = "growth.yaml" if technique == "growth" else f"{technique}/scan_{place}.dat"
            digests = [f"{file_id:064x}" for file_id in ids]
            rows = {
                "file_id": ids, "sha256": digests, "growth_id": growth_ids, "technique": technique,
                "original_path": name, "settings": "{}", "declared": "{}", "reader": reader, "reader_version": "r",
                "data_version": digests, "activity_id": ids, "ingested_at": utc_now(), "is_withdrawn": False,
            }  # fmt: skip
            made.add("raw_file", pd.DataFrame(rows))
            _entities(made, ids, "raw_file", technique, growth_ids, digests)
            made.add("activity", _activities(ids, 1, "ingest", growth_ids, "r", "{}"))
    return found


def _versions(
    writer: Writer,
    house: House,
    asset: Asset,
    growth_ids: Sequence[str],
    files: dict[str, np.ndarray],
    versions: dict[str, np.ndarray],
    made: _Made,
    run_id: int,
) -> None:
    own = files.get(asset.files or "")
    above = [name for name in asset.reads if name in versions]
    # the same rule as `rutile run` follows: its files, or what it needs, or anything that it reads but the growth
    useful = set(asset.needs) <= set(above) if asset.needs else any(n != "growth" for n in above)
    if own is None if asset.files else not useful:
        return
    readers = [FILES[asset.files][0]] if asset.files else []
    code = asset.code.joined(reader_code(name) for name in readers)
    record_code(writer, code)
    parameters = json.dumps(asset.parameters_as_dict(asset.parameters_for(house.home, None)), sort_keys=True)
    films: Sequence[Any] = [None] if asset.spans_films else growth_ids
    ids = made.ids(len(films))
    versions[asset.name] = ids
    _entities(made, ids, "asset", asset.name, films, [f"{i:020x}" for i in ids])
    made.add("activity", _activities(ids, run_id, asset.name, films, code.digest, parameters))
    for name in above:
        parents = versions[name]
        children = ids if len(ids) == len(parents) else np.broadcast_to(ids, len(parents))
        made.add("edge", pd.DataFrame({"child": children, "parent": parents, "role": name}))
    for parents in own if own is not None else ():
        made.add("edge", pd.DataFrame({"child": ids, "parent": parents, "role": "file"}))
    for place in range(RESULTS_OF_AN_ASSET if not asset.spans_films else 0):
        file_id = pd.array(own[0] if own is not None else [None] * len(ids), dtype="Int64")
        made.add("result", _results(made.ids(len(ids)), ids, growth_ids, asset, f"{asset.name}_{place}", file_id))
    if asset.spans_films:
        one = _results(made.ids(1), ids, [None], asset, asset.name, pd.array([None], dtype="Int64"))
        made.add("result", one.assign(series="RuO2/TiO2"))


def _entities(
    made: _Made, ids: np.ndarray, kind: str, asset: str, films: Sequence[Any], data_versions: Sequence[str]
) -> None:
    rows = {
        "entity_id": ids, "kind": kind, "asset": asset, "growth_id": films, "data_version": data_versions,
        "activity_id": ids,
    }  # fmt: skip
    made.add("entity", pd.DataFrame(rows))


def _activities(
    ids: np.ndarray, run_id: int, asset: str, films: Sequence[Any], code: str, parameters: str
) -> pd.DataFrame:
    rows = {
        "activity_id": ids, "run_id": run_id, "asset": asset, "partition": films, "code_version": code,
        "parameters": parameters, "snapshot": 1, "started_at": utc_now(), "wall_time_s": 0.5,
    }  # fmt: skip
    return pd.DataFrame(rows)


def _results(
    result_ids: np.ndarray, entity_ids: np.ndarray, films: Sequence[Any], asset: Asset, quantity: str, file_id: Any
) -> pd.DataFrame:
    rows = {
        "result_id": result_ids, "entity_id": entity_ids, "growth_id": films, "file_id": file_id,
        "technique": asset.room, "quantity": f"{quantity}_nm", "subject": "", "value": 1.0, "sigma": 0.1,
        "sigma_systematic": 0.0, "sigma_source": "covariance", "unit": "nm", "method": "made up", "notes": "",
    }  # fmt: skip
    return pd.DataFrame(rows)


def _growths(writer: Writer, growth_ids: Sequence[str], entity_ids: np.ndarray, made: _Made) -> None:
    empty: dict[str, Any] = {column.name: None for column in writer.tables["growth"].columns}
    rows = pd.DataFrame([empty]).loc[[0] * len(growth_ids)].reset_index(drop=True)
    made.add(
        "growth",
        rows.assign(
            growth_id=growth_ids, entity_id=entity_ids, origin="simulated", grown_at=utc_now(), series="RuO2/TiO2",
            substrate_material="TiO2", substrate_orientation="110", related="", stack="TiO2 (110) / RuO2 3 nm",
        ),
    )  # fmt: skip
