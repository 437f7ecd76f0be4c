"""The rooms, in the order in which the catalog shows them."""

from __future__ import annotations

from rutile_assets.provenance.film_asset import Asset, Room
from rutile_assets.provenance.tables import PROVENANCE_TABLES
from rutile_assets.results.claims import ROOM as CLAIMS
from rutile_assets.results.conductivity import ROOM as CONDUCTIVITY
from rutile_assets.results.consistency import ROOM as CONSISTENCY
from rutile_assets.results.displacement import ROOM as DISPLACEMENT
from rutile_assets.results.figures.assets import ROOM as FIGURES
from rutile_assets.results.null_control import ROOM as NULL_CONTROL
from rutile_assets.results.onsets import ROOM as ONSETS
from rutile_assets.results.work_function import ROOM as WORK_FUNCTION
from rutile_assets.table import Table
from rutile_assets.techniques.afm.assets import ROOM as AFM
from rutile_assets.techniques.columns.assets import ROOM as COLUMNS
from rutile_assets.techniques.growth.assets import ROOM as GROWTH
from rutile_assets.techniques.growth_log.assets import ROOM as GROWTH_LOG
from rutile_assets.techniques.haadf.assets import ROOM as HAADF
from rutile_assets.techniques.kpfm.assets import ROOM as KPFM
from rutile_assets.techniques.note.assets import ROOM as NOTE
from rutile_assets.techniques.ptychography.assets import ROOM as PTYCHOGRAPHY
from rutile_assets.techniques.rheed.assets import ROOM as RHEED
from rutile_assets.techniques.rsm.assets import ROOM as RSM
from rutile_assets.techniques.shg.assets import ROOM as SHG
from rutile_assets.techniques.stem4d.assets import ROOM as STEM4D
from rutile_assets.techniques.transport.assets import ROOM as TRANSPORT
from rutile_assets.techniques.ups.assets import ROOM as UPS
from rutile_assets.techniques.xrd.assets import ROOM as XRD
from rutile_assets.techniques.xrr.assets import ROOM as XRR

ROOMS: tuple[Room, ...] = (
    GROWTH,
    GROWTH_LOG,
    RHEED,
    XRR,
    XRD,
    RSM,
    AFM,
    KPFM,
    UPS,
    SHG,
    TRANSPORT,
    STEM4D,
    PTYCHOGRAPHY,
    HAADF,
    COLUMNS,
    NULL_CONTROL,
    DISPLACEMENT,
    WORK_FUNCTION,
    CONDUCTIVITY,
    ONSETS,
    CONSISTENCY,
    CLAIMS,
    FIGURES,
    NOTE,
)

# techniques whose files are read and kept, though no room analyses them yet
KEPT_FOR_LATER: dict[str, str] = {}


def all_assets() -> tuple[Asset, ...]:
    """Return every asset, upstream before downstream: those of a film first, then those that span films."""
    listed = [asset for room in ROOMS for asset in room.assets]
    return tuple(sorted(listed, key=lambda asset: asset.spans_films))


def all_tables() -> tuple[Table, ...]:
    """Return every table of the lake."""
    return (*PROVENANCE_TABLES, *(table for room in ROOMS for table in room.tables))
