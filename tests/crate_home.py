"""Two light simulated films, computed, in a home that is exported; built once and copied as a crate for each test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from rutile_assets.ops.house import House, open_house
from rutile_assets.provenance import trace
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.crate.parts import MANIFEST, METADATA
from rutile_assets.provenance.materialize import materialize
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.campaign import simulate

ASSETS = {asset.name: asset for asset in all_assets()}
OF_FILMS = ("growth", "afm_image", "afm_roughness")
SETTINGS = """\
lab:
  name: The Thin Film Lab
  url: https://ror.org/000000000
  license: CC-BY-4.0
  contact: films@lab.example
parameters:
  afm_roughness: {}
"""


def make_home(folder: Path, *, films: int = 2, assets: Sequence[str] = OF_FILMS, across: bool = True) -> House:
    """Simulate, ingest and compute; the claims table stands for what spans films."""
    made = simulate(folder, films=films, seed=0, light=True)
    house = open_house(folder)
    house.home.settings_file.write_text(SETTINGS, encoding="utf-8")
    run = RunContext("cli")
    house.ingest([made.inbox], run)
    for film in house.films():
        for name in assets:
            materialize(house.lake, house.home, ASSETS[name], film, run)
    if across:
        materialize(house.lake, house.home, ASSETS["claims"], None, run)
    shutil.rmtree(made.inbox)
    return house


Tree = tuple[Any, ...]


def tree(step: trace.Step) -> Tree:
    """Return a trace without ids and without the other lake's snapshots: what must be the same in two lakes."""
    seen = (
        "data_version",
        "code_version",
        "parameters",
        "started_at",
        "original_path",
        "sha256",
        "reader",
        "growth_id",
    )
    told = tuple(step.details[name] for name in seen)
    return (step.kind, step.asset, step.role, told, tuple(sorted(map(tree, step.parents), key=repr)))


def trees(house: House) -> dict[str, Tree]:
    """Return the trace of the newest version of every asset of every film, and of what spans films."""
    rows = house.lake.rows(
        "SELECT entity_id, asset, growth_id FROM lake.entity WHERE kind = 'asset'"
        " QUALIFY entity_id = max(entity_id) OVER (PARTITION BY asset, growth_id)"
    )
    return {f"{row['asset']} of {row['growth_id']}": tree(trace.back(house.lake, row["entity_id"])) for row in rows}


def numbers(house: House) -> list[dict[str, Any]]:
    """Return the current numbers without ids."""
    return house.lake.rows(
        "SELECT * EXCLUDE (activity_id, result_id, entity_id, file_id) FROM results WHERE is_current ORDER BY ALL"
    )


def sign_again(crate: Path) -> None:
    """Write manifest and hashes anew, as one who changes a crate on purpose would."""
    metadata = json.loads((crate / METADATA).read_text(encoding="utf-8"))
    for node in metadata["@graph"]:
        path = crate / node["@id"]
        if "sha256" in node and path.is_file():
            node["sha256"] = sha256(path.read_bytes()).hexdigest()
            node["contentSize"] = str(path.stat().st_size)
    (crate / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    write_manifest(crate)


def write_manifest(crate: Path) -> None:
    """Write the manifest of what is there."""
    files = sorted(path for path in crate.rglob("*") if path.is_file() and path.name != MANIFEST)
    lines = [f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(crate).as_posix()}\n" for path in files]
    (crate / MANIFEST).write_text("".join(lines), encoding="utf-8")


def changed_rows(crate: Path, place: str, change: Callable[[list[dict[str, Any]]], Sequence[dict[str, Any]]]) -> None:
    """Change the rows of a table in a crate and sign it again."""
    import pyarrow as arrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    path = crate / place
    table = parquet.read_table(path)
    rows = change(table.to_pylist())
    parquet.write_table(arrow.Table.from_pylist(list(rows), schema=table.schema), path)
    sign_again(crate)
