"""A home with films, a series' work function, claims and figures in its lake, as the pages of what spans films show."""

from __future__ import annotations

from collections.abc import Sequence

from figure_lake import FigureLake, figure_lake
from passport_lake import put_films

from rutile_assets.ops.house import House
from rutile_assets.provenance.context import RunContext
from rutile_assets.provenance.film import Films, Imprint
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import Materialized, materialize, prints_path
from rutile_assets.rooms import all_assets

PUT = ("growth", "growth_layer", "work_function", "work_function_curve", "work_function_fit")
ENTITY = 77


def put_series(house: House, growth_ids: Sequence[str]) -> None:
    """Put films and the tables of a series' work function into a lake."""
    put_films(house, growth_ids)
    put_tables(house, figure_lake(), PUT)


def put_tables(house: House, lake: FigureLake, names: Sequence[str]) -> None:
    """Append tables to a lake, what they lack as NULL, or as no text where there must be one."""
    with house.lake.write() as writer:
        for name in names:
            table = house.lake.tables[name]
            rows = lake.tables[name].assign(entity_id=ENTITY).reindex(columns=table.column_names)
            for column in table.columns:
                if column.type == "text" and not column.nullable and rows[column.name].isna().all():
                    rows[column.name] = ""
            writer.append(name, rows)


def asset_named(name: str) -> Asset:
    """Return an asset of the house."""
    return next(asset for asset in all_assets() if asset.name == name)


def drawn(house: House, name: str) -> Materialized:
    """Compute an asset that spans films, and draw what it draws."""
    asset = asset_named(name)
    made = materialize(house.lake, house.home, asset, None, RunContext("cli"))
    if asset.prints is not None and isinstance(made.film, Films):
        folder = prints_path(house.home)
        asset.prints(made.film, Imprint(folder, name, asset.code.digest, made.activity_id, made.entity_id))
    return made
