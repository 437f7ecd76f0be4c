"""Columns that many tables share, each declared once so that one name has one meaning."""

from __future__ import annotations

from dataclasses import replace

from rutile_assets.table import Column, Table

GROWTH_ID = Column("growth_id", "text", "the film: the growth's id in growth.yaml")
ENTITY_ID = Column("entity_id", "bigint", "the version of the asset that holds this row; leads to its lineage")
SERIES = Column(
    "series",
    "text",
    "materials from the surface down to the substrate, such as TiO2/RuO2/TiO2; in results, what spans films",
)
FILE_ID = Column("file_id", "bigint", "the raw file the row was read or derived from")
MATERIAL = Column("material", "text", "chemical formula of the layer")
LAYER_INDEX = Column("layer_index", "integer", "1 for the lowest layer that was grown, 0 for the substrate", minimum=0)
POINT_INDEX = Column("point_index", "integer", "number within its scan, sweep or curve, from 1", minimum=1)
CHANNEL_INDEX = Column("channel_index", "integer", "image inside the file, from 1", minimum=1)
ARRAY = Column("array", "text", "reference to the values in the array store, (Y, X), row 0 at the top")
TEMPERATURE = Column("temperature_k", "double", "temperature of the sample", minimum=0)
TWO_THETA = Column("two_theta_deg", "double", "scattering angle as the goniometer reads it", minimum=-180, maximum=180)
OMEGA = Column("omega_deg", "double", "angle between the incoming beam and the sample's surface at chi 0")
CHI = Column("chi_deg", "double", "tilt of the surface normal out of the scattering plane")
SCAN_INDEX = Column("scan_index", "integer", "scan inside the file, from 1", minimum=1)
XRAY_POINT = (
    FILE_ID,
    SCAN_INDEX,
    POINT_INDEX,
    TWO_THETA,
    Column("detected_counts", "double", "counts as the detector saw them", nullable=True, minimum=0),
    Column("attenuation_factor", "double", "detected counts times this are sample counts", nullable=True, minimum=0),
    Column("counting_time_s", "double", "time at this point", nullable=True, minimum=0),
    Column("intensity_counts_per_s", "double", "rate at the sample; counts where the file gives no time"),
)
NOTES = Column("notes", "text", "what a reader must know")


def nullable(column: Column) -> Column:
    """Return the same column where NULL may stand."""
    return replace(column, nullable=True)


def series_table(
    name: str, description: str, *, grain: str, key: tuple[str, ...], columns: tuple[Column, ...]
) -> Table:
    """Declare a table of an asset that spans films: entity_id comes first and is filled by the lake."""
    return Table(name, description, grain, key, (ENTITY_ID, *columns))


def film_table(name: str, description: str, *, grain: str, key: tuple[str, ...], columns: tuple[Column, ...]) -> Table:
    """Declare a table whose rows belong to films: growth_id and entity_id come first and are filled by the lake."""
    return Table(name, description, grain, ("growth_id", *key), (GROWTH_ID, ENTITY_ID, *columns))
