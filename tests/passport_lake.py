"""Films put straight into a lake, row by row, with lineage that holds: for pages, without instruments or fits."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from rutile_assets.lake import vault
from rutile_assets.lake.tables import Writer
from rutile_assets.ops.house import House
from rutile_assets.provenance.code_version import CodeVersion
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import reader_code, record_code
from rutile_assets.rooms import all_assets

GROWN = datetime(2025, 3, 1, 9, 30)
NUMBERS = (
    ("xrr", "total_thickness_nm", "", "nm"), ("xrr", "thickness_nm", "1 RuO2", "nm"),
    ("xrr", "roughness_nm", "1 RuO2", "nm"), ("xrr", "density_g_per_cm3", "1 RuO2", "g/cm³"),
)  # fmt: skip
FILES = (("growth", "growth.yaml", "growth-yaml"), ("xrr", "xrr/scan.xrdml", "panalytical-xrdml"))


def put_films(house: House, growth_ids: Sequence[str], *, points: int = 40, notes: str = "") -> None:
    """Put films of one RuO2 layer each into the lake: two raw files, growth, xrr_scan, xrr_fit, four numbers."""
    with house.lake.write() as writer:
        rows = _Rows(writer)
        run_id = _run(rows)
        for place, growth_id in enumerate(growth_ids):
            _film(house, rows, run_id, growth_id, 1.5 + 0.1 * (place % 200), points, notes)
        rows.write()


def fit_again(house: House, growth_id: str, thickness_nm: float) -> None:
    """Put a newer version of a film's xrr_fit there, from the same parents."""
    parents = house.lake.rows(
        "SELECT edge.parent, edge.role FROM lake.edge JOIN lake.entity ON edge.child = entity_id"
        " WHERE growth_id = ? AND asset = 'xrr_fit' QUALIFY child = max(child) OVER ()",
        [growth_id],
    )
    file_id = next(row["parent"] for row in parents if row["role"] == "file")
    with house.lake.write() as writer:
        rows = _Rows(writer)
        entity = _entity(rows, _run(rows), growth_id, _asset("xrr_fit"), FILES[1][2], parents, "later")
        rows.append("result", _results(rows, growth_id, entity, file_id, thickness_nm, ""))
        rows.write()


class _Rows:
    """Rows that wait, so that a thousand films are one insert a table."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.next_id = writer.next_id
        self.recorded: set[str] = set()

    def append(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        self.waiting[name] += rows

    def write(self) -> None:
        for name, rows in self.waiting.items():
            self.writer.append(name, rows)


@cache
def _asset(name: str) -> Asset:
    return next(asset for asset in all_assets() if asset.name == name)


@cache
def _code_named(name: str, reader: str) -> CodeVersion:
    asset = _asset(name)
    return asset.code.joined([reader_code(reader)] if asset.files else [])


def _run(rows: _Rows) -> int:
    run_id = rows.next_id()
    environment = {
        "environment_id": f"e{run_id}", "python": "3.11", "platform": "test", "packages": "{}", "torch": None,
        "device": "cpu",
    }  # fmt: skip
    rows.append("environment", [environment])
    row = {
        "run_id": run_id, "dagster_run_id": None, "git_commit": "0123456789abcdef", "git_dirty": False,
        "environment_id": f"e{run_id}", "trigger": "cli", "started_at": GROWN,
    }  # fmt: skip
    rows.append("run", [row])
    return run_id


def _film(house: House, rows: _Rows, run_id: int, growth_id: str, thickness_nm: float, points: int, notes: str) -> None:
    files: dict[str, int] = {}
    for technique, path, reader in FILES:
        content = f"{growth_id} {path}".encode()
        digest = sha256(content).hexdigest()
        stored = vault.path_of(house.home.vault, digest)
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(content)
        files[technique] = rows.next_id()
        raw = {
            "file_id": files[technique], "sha256": digest, "growth_id": growth_id, "technique": technique,
            "original_path": path, "instrument": None, "acquired_at": None, "settings": '{"anode": "Cu"}',
            "declared": "{}", "reader": reader, "reader_version": "r", "data_version": digest[:20],
            "activity_id": rows.next_id(), "ingested_at": GROWN, "is_withdrawn": False,
        }  # fmt: skip
        rows.append("raw_file", [raw])
        of_file = {
            "entity_id": files[technique], "kind": "raw_file", "asset": technique, "growth_id": growth_id,
            "data_version": digest[:20], "activity_id": raw["activity_id"],
        }  # fmt: skip
        rows.append("entity", [of_file])
    file = [{"parent": files["xrr"], "role": "file"}]
    growth = _entity(
        rows, run_id, growth_id, _asset("growth"), FILES[0][2], [{"parent": files["growth"], "role": "file"}], "one"
    )
    scan = _entity(rows, run_id, growth_id, _asset("xrr_scan"), FILES[1][2], file, "one")
    made = {"growth": growth, "xrr_scan": scan}
    above = [{"parent": made[name], "role": name} for name in _asset("xrr_fit").reads if name in made]
    fit = _entity(rows, run_id, growth_id, _asset("xrr_fit"), FILES[1][2], [*above, *file], "one")
    _growth_rows(rows, growth_id, growth, thickness_nm)
    rows.append("xrr_fit_curve", _curve(growth_id, fit, files["xrr"], points))
    rows.append("result", _results(rows, growth_id, fit, files["xrr"], thickness_nm, notes))


def _growth_rows(rows: _Rows, growth_id: str, entity_id: int, thickness_nm: float) -> None:
    growth = {column.name: None for column in rows.writer.tables["growth"].columns}
    growth |= {
        "growth_id": growth_id, "entity_id": entity_id, "origin": "simulated", "grown_at": GROWN,
        "substrate_material": "TiO2", "substrate_orientation": "110", "series": "RuO2/TiO2", "related": "",
        "stack": f"TiO2 (110) / RuO2 {thickness_nm:g} nm", "plasma_power_w": 250.0,
    }  # fmt: skip
    rows.append("growth", [growth])
    layer = {column.name: None for column in rows.writer.tables["growth_layer"].columns}
    layer |= {
        "growth_id": growth_id, "entity_id": entity_id, "layer_index": 1, "material": "RuO2",
        "nominal_thickness_nm": thickness_nm, "layer_role": "film",
    }  # fmt: skip
    rows.append("growth_layer", [layer])


def _entity(
    rows: _Rows, run_id: int, growth_id: str, asset: Asset, reader: str, parents: Sequence[dict[str, Any]], data: str
) -> int:
    entity_id, activity_id = rows.next_id(), rows.next_id()
    code = _code_named(asset.name, reader)
    if code.digest not in rows.recorded:
        record_code(rows.writer, code)
        rows.recorded.add(code.digest)
    parameters = asset.parameters() if asset.parameters else None
    activity = {
        "activity_id": activity_id, "run_id": run_id, "asset": asset.name, "partition": growth_id,
        "code_version": code.digest, "parameters": json.dumps(asset.parameters_as_dict(parameters), sort_keys=True),
        "seed": None, "snapshot": 1, "started_at": GROWN + timedelta(hours=1), "wall_time_s": 0.5,
    }  # fmt: skip
    rows.append("activity", [activity])
    entity = {
        "entity_id": entity_id, "kind": "asset", "asset": asset.name, "growth_id": growth_id, "data_version": data,
        "activity_id": activity_id,
    }  # fmt: skip
    rows.append("entity", [entity])
    rows.append("edge", [{"child": entity_id, "parent": p["parent"], "role": p["role"]} for p in parents])
    return entity_id


def _results(
    rows: _Rows, growth_id: str, entity_id: int, file_id: int, thickness_nm: float, notes: str
) -> list[dict[str, Any]]:
    return [
        {
            "result_id": rows.next_id(), "entity_id": entity_id, "growth_id": growth_id, "series": None,
            "file_id": file_id, "technique": technique, "quantity": quantity, "subject": subject,
            "material": "RuO2" if subject else None, "temperature_k": None, "value": thickness_nm, "sigma": 0.012,
            "sigma_statistical": 0.012, "sigma_systematic": 0.0, "sigma_source": "covariance", "unit": unit,
            "method": "Parratt with Nevot-Croce roughness", "notes": notes,
        }
        for technique, quantity, subject, unit in NUMBERS
    ]  # fmt: skip


def _curve(growth_id: str, entity_id: int, file_id: int, points: int) -> list[dict[str, Any]]:
    angles = np.linspace(0.5, 8.0, points)
    return [
        {
            "growth_id": growth_id, "entity_id": entity_id, "file_id": file_id, "point_index": i + 1,
            "two_theta_deg": float(x), "measured_counts_per_s": float(1e6 * np.exp(-x)),
            "fitted_counts_per_s": float(1.01e6 * np.exp(-x)), "residual": 0.1,
        }
        for i, x in enumerate(angles)
    ]  # fmt: skip
