"""Draw the figures for print again, from the tables that stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rutile_assets.ops.house import House
from rutile_assets.provenance.film import Imprint
from rutile_assets.provenance.materialize import films_of, prints_path
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets

_NEWEST = """
    SELECT asset, entity_id, activity_id FROM lake.entity WHERE kind = 'asset' AND growth_id IS NULL
    QUALIFY entity_id = max(entity_id) OVER (PARTITION BY asset)
"""


@dataclass(frozen=True)
class Redrawn:
    """What was drawn.

    Parameters
    ----------
    folder : Path
        Where it stands.
    files : int
        Files of figures there.
    lacks, left_out : tuple of str
        A sentence for each panel without data, and for each figure that is out of date.
    """

    folder: Path
    files: int
    lacks: tuple[str, ...]
    left_out: tuple[str, ...]


def redraw(house: House, folder: Path | None = None) -> Redrawn:
    """Draw every figure whose version in the lake is the one that its tables would give now.

    Parameters
    ----------
    house : House
        The home.
    folder : Path, optional
        Where to; reports/figures by default.
    """
    target = prints_path(house.home) if folder is None else folder.absolute()
    target.mkdir(parents=True, exist_ok=True)
    newest = {row["asset"]: row for row in house.lake.rows(_NEWEST)}
    stale = {s.asset: s.reasons for s in stale_assets(house.lake, house.home, all_assets()) if s.growth_id is None}
    lacks, left_out = [], []
    for asset in all_assets():
        if asset.prints is None:
            continue
        if asset.name in stale or asset.name not in newest:
            why = "; ".join(stale.get(asset.name, ("never computed",)))
            left_out.append(f"{asset.name} is left out: {why}. rutile run")
            continue
        made = newest[asset.name]
        imprint = Imprint(target, asset.name, asset.code.digest, made["activity_id"], made["entity_id"])
        asset.prints(films_of(house.lake, house.home, asset), imprint)
        rows = house.lake.rows(
            f'SELECT panel_letter, panel_lacks FROM lake."{asset.name}"'
            " WHERE panel_lacks IS NOT NULL ORDER BY panel_letter"
        )
        lacks += [f"{asset.name} {row['panel_letter']}: {row['panel_lacks']}" for row in rows]
    count = sum(1 for ending in ("svg", "pdf", "png") for _ in target.glob(f"figure_*.{ending}"))
    return Redrawn(target, count, tuple(lacks), tuple(left_out))
