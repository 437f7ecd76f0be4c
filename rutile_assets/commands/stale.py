"""The command `rutile stale`: what is out of date, and because of which change."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pyarrow as arrow
from rich.table import Table as RichTable

from rutile_assets.commands.printing import FILMS, FORMAT, OUT, open_home, put_table, wide

_FILMS_NAMED = 3


@click.command()
@FILMS
@click.option("--why", is_flag=True, help="Every result by itself with every change, its chain and its root cause.")
@FORMAT
@OUT
@click.option("--page", is_flag=True, help="Also write reports/stale.html.")
@click.pass_obj
def stale(home: Path, films: str | None, why: bool, form: str, out: Path | None, page: bool) -> None:
    """Say which results are out of date and because of which change; computes nothing.

    A change is a new, replaced or withdrawn file, a changed constant or parameter (with both values), changed code
    (names the function), or a changed upstream (names it, and the change at the end of the chain). Words, layout and
    type annotations in the code make nothing stale. In SQL: `rutile sql "FROM stale"`.

    \b
      rutile stale                          what is stale, grouped by the change behind it
      rutile stale --films MBE-0142 --why   each result of one film with its whole chain
      rutile stale --format csv             growth_id, asset, change_kind, changed, reason, root_cause
    """  # noqa: D301
    from rutile_assets.provenance.stale import stale_assets, stale_table  # noqa: PLC0415
    from rutile_assets.rooms import ROOMS, all_assets  # noqa: PLC0415

    house = open_home(home)
    found = stale_assets(house.lake, house.home, all_assets(), films.split(",") if films else None)
    if page:
        from rutile_assets.results.passport.stale_page import write_stale  # noqa: PLC0415

        click.echo(f"page: {write_stale(house.lake, house.home, ROOMS)}", err=True)
    if form != "table" or out is not None or why:
        put_table(stale_table(found), form, out)
    elif found:
        _print_groups(found)
    if form == "table" and out is None:
        click.echo("recompute: rutile run" + (f" --films {films}" if films else "") if found else "nothing is stale")


def stale_relation(house: Any) -> arrow.Table:
    """Return the relation `stale` of a home: one row a change of a stale result."""
    from rutile_assets.provenance.stale import stale_assets, stale_table  # noqa: PLC0415
    from rutile_assets.rooms import all_assets  # noqa: PLC0415

    return stale_table(stale_assets(house.lake, house.home, all_assets()))


def _print_groups(found: list[Any]) -> None:
    """Print asset, films and root causes: films whose chains end alike share a row."""
    groups: dict[tuple[str, tuple[str, ...]], list[str | None]] = defaultdict(list)
    for one in found:
        ends = tuple(text if asset == one.asset else f"{asset}: {text}" for asset, text in one.roots)
        groups[one.asset, ends].append(one.growth_id)
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    for column in ("asset", "of", "because"):
        shown.add_column(column, overflow="fold")
    for (asset, ends), growth_ids in groups.items():
        more = f" and {len(growth_ids) - _FILMS_NAMED} more" if len(growth_ids) > _FILMS_NAMED else ""
        of = ", ".join(growth_id or "all films" for growth_id in growth_ids[:_FILMS_NAMED]) + more
        told = "\n".join(ends[:_FILMS_NAMED])
        rest = len(ends) - _FILMS_NAMED
        shown.add_row(asset, of, told + (f"\nand {rest} more: --why" if rest > 0 else ""))
    wide().print(shown, markup=False)
    click.echo(f"{len(found)} results out of date")
