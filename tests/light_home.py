"""A home of light simulated films, computed without Dagster: few small files, numbers within seconds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rutile_assets.ops.house import House
from rutile_assets.ops.recompute import open_clean
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.materialize import materialize
from rutile_assets.provenance.stale import stale_assets
from rutile_assets.rooms import all_assets
from rutile_assets.simulation.campaign import simulate


def light_home(
    root: Path, films: int = 1, folders: Sequence[str] = ("afm", "transport"), *, across: bool = False
) -> House:
    """Simulate films, keep these folders of each, and compute what is stale; the caller closes the lake."""
    made = simulate(root, films=films, light=True)
    for folder in made.inbox.glob("*/*/"):
        if folder.name not in folders:
            shutil.rmtree(folder)
    house = open_clean(root)
    house.ingest([made.inbox], RunContext("cli"))
    compute(house, across=across)
    return house


def compute(house: House, *, across: bool = False) -> None:
    """Compute what is stale of each film, and across films."""
    assets, run = {asset.name: asset for asset in all_assets()}, RunContext("cli")
    for stale in stale_assets(house.lake, house.home, all_assets(), None if across else house.films()):
        materialize(house.lake, house.home, assets[stale.asset], stale.growth_id, run)


def restored(root: Path, pristine: Path) -> House:
    """Return the home as it was when it was kept; a lake knows where its data stand, so it comes back in place."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(pristine, root)
    return open_clean(root)
