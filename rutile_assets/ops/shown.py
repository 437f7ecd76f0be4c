"""What Dagster's catalog shows of an asset: its tables with units, where columns come from, values, plot, page."""

import base64
import io
import os
from functools import cache
from typing import Any
from urllib.parse import quote

import dagster as dg
from matplotlib.figure import Figure

from rutile_assets.lake.home import Home
from rutile_assets.ops.house import House
from rutile_assets.provenance.film import Films, Imprint
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import Materialized, figure_path, prints_path, simulated_mark
from rutile_assets.results.passport import page_path
from rutile_assets.rooms import all_assets
from rutile_assets.table import TYPES, Table

PNG_DPI = 110
PAGES_ADDRESS = "RUTILE_PAGES"  # where `make ui` serves the pages
_FILLED_BY_THE_LAKE = ("growth_id", "entity_id")


def declared(asset: Asset) -> dict[str, Any]:
    """Return what stands in the catalog before anything is computed: the columns of each table, units with them."""
    others = {f"columns of {t.name}": dg.MetadataValue.table_schema(_schema(t)) for t in asset.writes[1:]}
    main = {"dagster/column_schema": _schema(asset.writes[0]), "dagster/table_name": f"lake.{asset.name}"}
    return {**main, **others}


def page_link(home: Home, growth_id: str | None) -> dg.MetadataValue[Any]:
    """Return the film's page, or the index: its address where pages are served, else its path."""
    served = os.environ.get(PAGES_ADDRESS)
    path = home.reports / "index.html" if growth_id is None else page_path(home, growth_id)
    if served is None:
        return dg.MetadataValue.path(str(path))
    return dg.MetadataValue.url(f"{served.rstrip('/')}/{quote(path.relative_to(home.reports).as_posix())}")


@cache
def _written() -> dict[str, set[str]]:
    return {asset.name: set(asset.writes[0].column_names) for asset in all_assets()}


def _column_lineage(asset: Asset) -> dg.TableColumnLineage:
    """Return which columns are carried over from the tables it reads: one name has one meaning in the whole lake."""
    carried = {
        column: [
            dg.TableColumnDep(asset_key=dg.AssetKey(name), column_name=column)
            for name in asset.reads
            if column in _written().get(name, ())
        ]
        for column in asset.writes[0].column_names
        if column not in _FILLED_BY_THE_LAKE
    }
    return dg.TableColumnLineage({column: deps for column, deps in carried.items() if deps})


def save_figure(house: House, asset: Asset, growth_id: str | None, figure: Figure, made: Materialized) -> bytes:
    """Write an asset's figure as SVG and PNG with the entity it was drawn from, and return the PNG.

    A figure of simulated data says so on its face.
    """
    if simulated_mark(house.lake, growth_id):
        figure.text(0.995, 0.005, "simulated", ha="right", va="bottom", fontsize=8, color="0.35", style="italic")
    figure.text(0.005, 0.005, growth_id or "", ha="left", va="bottom", fontsize=8, color="0.35")
    _lay_out(figure)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Source": f"entity {made.entity_id}"})
    for ending, content in (("png", png.getvalue()), ("svg", _svg(figure, made))):
        path = figure_path(house.home, growth_id, asset.name, ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return png.getvalue()


def _lay_out(figure: Figure) -> None:
    """Lay a figure out once, at the resolution of its PNG, so that to save it draws it once."""
    figure.set_dpi(PNG_DPI)
    engine = figure.get_layout_engine()
    if engine is not None and figure.axes:
        engine.execute(figure)
    figure.set_layout_engine(None)


def _svg(figure: Figure, made: Materialized) -> bytes:
    text = io.BytesIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Source": f"entity {made.entity_id}"})
    return text.getvalue()


def shown_of(house: House, asset: Asset, growth_id: str | None, made: Materialized) -> dict[str, Any]:
    """Return what a materialization shows: data version, parameters, values, plot, page, where columns come from."""
    found: dict[str, Any] = {
        "page": page_link(house.home, growth_id),
        "dagster/column_lineage": _column_lineage(asset),
        "dagster/row_count": len(made.frames[asset.name]),
        "rutile/entity_id": str(made.entity_id),
        "rutile/data_version": made.data_version,
        "parameters": dg.MetadataValue.json(asset.parameters_as_dict(made.film.parameters)),
    }
    if made.outcome.notes:
        found["notes"] = dg.MetadataValue.md("\n".join(f"- {note}" for note in made.outcome.notes))
    if made.outcome.results:
        found["values"] = dg.MetadataValue.md(_values(made))
    picture = _picture(house, asset, growth_id, made)
    if picture is not None:
        encoded = base64.b64encode(picture).decode()
        found["plot"] = dg.MetadataValue.md(
            f"![{asset.name} of {growth_id or 'all films'}](data:image/png;base64,{encoded})"
        )
    return found


def _picture(house: House, asset: Asset, growth_id: str | None, made: Materialized) -> bytes | None:
    """Draw what the asset draws into its files, and return a PNG of it."""
    if asset.prints is not None and isinstance(made.film, Films):
        folder = prints_path(house.home)
        imprint = Imprint(folder, asset.name, asset.code.digest, made.activity_id, made.entity_id)
        return asset.prints(made.film, imprint)
    figure = asset.figure(made.film, made.outcome) if asset.figure else None
    return None if figure is None else save_figure(house, asset, growth_id, figure, made)


def _values(made: Materialized) -> str:
    lines = ["| quantity | of | value | sigma |", "|---|---|---|---|"]
    for result in made.outcome.results:
        estimate = result.estimate
        for quantity, subject, value, std in zip(
            estimate.quantities, estimate.subjects, estimate.values, estimate.std, strict=True
        ):
            lines.append(f"| {quantity} | {subject} | {value:.6g} | {std:.2g} |")
    return "\n".join(lines)


def _schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                TYPES[c.type][0],
                description=c.description + (f" [{c.unit}]" if c.unit else ""),
                constraints=dg.TableColumnConstraints(nullable=c.nullable),
            )
            for c in table.columns
        ]
    )


def described(asset: Asset) -> str:
    """Return an asset's description for the catalog: its docstring, then its tables."""
    tables = "\n".join(f"- `{table.name}`: {table.description} One row: {table.grain}." for table in asset.writes)
    return f"{asset.description}\n\nTables:\n\n{tables}"
