"""The rooms, in the order in which the catalog shows them."""

from __future__ import annotations

from rutile_assets.provenance.film_asset import FilmAsset, Room
from rutile_assets.provenance.tables import PROVENANCE_TABLES
from rutile_assets.table import Table
from rutile_assets.techniques.afm.assets import ROOM as AFM
from rutile_assets.techniques.growth.assets import ROOM as GROWTH
from rutile_assets.techniques.kpfm.assets import ROOM as KPFM
from rutile_assets.techniques.rsm.assets import ROOM as RSM
from rutile_assets.techniques.transport.assets import ROOM as TRANSPORT
from rutile_assets.techniques.xrd.assets import ROOM as XRD
from rutile_assets.techniques.xrr.assets import ROOM as XRR

ROOMS: tuple[Room, ...] = (GROWTH, XRR, XRD, RSM, AFM, KPFM, TRANSPORT)

# techniques whose files are read and kept, though no room analyses them yet
KEPT_FOR_LATER: dict[str, str] = {}


def all_assets() -> tuple[FilmAsset, ...]:
    """Return every film asset, upstream before downstream."""
    return tuple(asset for room in ROOMS for asset in room.assets)


def all_tables() -> tuple[Table, ...]:
    """Return every table of the lake."""
    return (*PROVENANCE_TABLES, *(table for room in ROOMS for table in room.tables))
