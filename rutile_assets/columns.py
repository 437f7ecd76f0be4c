"""Columns that many tables share, each declared once so that one name has one meaning."""

from __future__ import annotations

from rutile_assets.table import Column, Table

GROWTH_ID = Column("growth_id", "text", "the film: the growth's id in growth.yaml")
ENTITY_ID = Column("entity_id", "bigint", "the version of the asset that holds this row; leads to its lineage")
FILE_ID = Column("file_id", "bigint", "the raw file the row was read or derived from")


def film_table(name: str, description: str, *, grain: str, key: tuple[str, ...], columns: tuple[Column, ...]) -> Table:
    """Declare a table whose rows belong to films: growth_id and entity_id come first and are filled by the lake."""
    return Table(name, description, grain, ("growth_id", *key), (GROWTH_ID, ENTITY_ID, *columns))
